#!/usr/bin/env python3
"""One mailbox of 100,000 messages: memory, and what another connection waits meanwhile.

large.py PROGRAM [COUNT]     starts a server of its own on loopback, in a directory of its own

Prints a line for each long command: its time, the peak of memory above idle (MiB), and the longest
that a NOOP on another connection of the same listener had to wait (ms). Then QRESYNC, IDLE with 25
connections, and the memory of an idle connection.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

USER, PASSWORD = "anna", "large large large"


class Imap:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", 1 << 16)
        self.file.readline()
        self.run(f'LOGIN {USER} "{PASSWORD}"')

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def until(self, tag=b"t "):
        lines = []
        while True:
            line = self.file.readline()
            if not line:
                raise EOFError
            lines.append(line)
            if line.startswith(tag):
                return lines

    def run(self, command, keep=True):
        """Everything up to the tagged line, or only that."""
        self.send(f"t {command}\r\n")
        if keep:
            lines = self.until()
        else:
            while not (line := self.file.readline()).startswith(b"t "):
                pass
            lines = [line]
        assert lines[-1].startswith(b"t OK"), lines[-1]
        return lines


def start(program, folder, ports):
    secret = os.path.join(folder, "password")
    with open(secret, "w") as file:
        file.write(PASSWORD + "\n")
    os.chmod(secret, 0o600)
    off = ["smtp", "submission", "submissions", "imaps", "pop3", "pop3s", "https", "http"]
    flags = [f for name in off for f in (f"--{name}", "off")]
    server = subprocess.Popen(
        [program, "serve", "--db", os.path.join(folder, "mail.redb"), "--domain", "example.test",
         "--user", USER, "--password-file", secret, "--imap", f"127.0.0.1:{ports}",
         "--max-connections", "400", *flags],
        stdout=subprocess.DEVNULL, stderr=open(os.path.join(folder, "log"), "w"))
    for _ in range(400):
        try:
            return server, Imap(ports)
        except OSError:
            time.sleep(0.05)
    raise SystemExit(open(os.path.join(folder, "log")).read())


def memory(pid, name):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(rf"{name}:\s+(\d+)", file.read()).group(1)) / 1024


def forget_peak(pid):
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")


def fill(imap, count):
    step = 500
    for base in range(0, count, step):
        parts = []
        for n in range(base, min(base + step, count)):
            text = (f"From: Bob <bob@example.com>\r\nTo: anna@example.test\r\nSubject: large {n}\r\n"
                    f"Message-ID: <{n}@large>\r\n\r\nHello {n}!\r\n")
            parts.append(f" () {{{len(text)}+}}\r\n{text}")
        imap.send("t APPEND INBOX" + "".join(parts) + "\r\n")
        assert imap.until()[-1].startswith(b"t OK")


class Meanwhile(threading.Thread):
    """NOOP after NOOP; the longest wait."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.imap, self.over, self.worst = Imap(port), False, 0.0
        self.imap.run("SELECT Drafts")

    def run(self):
        while not self.over:
            at = time.monotonic()
            self.imap.run("NOOP")
            self.worst = max(self.worst, time.monotonic() - at)
            time.sleep(0.002)


def measure(program, folder, port, name, command, before=None):
    """On a server that has just started, so that nothing is left over from what came before."""
    server, imap = start(program, folder, port)
    try:
        imap.run("SELECT INBOX")
        if before:
            imap.run(before, keep=False)
        other = Meanwhile(port)
        time.sleep(0.3)
        idle = memory(server.pid, "VmRSS")
        forget_peak(server.pid)
        other.start()
        at = time.monotonic()
        imap.run(command, keep=False)
        took = time.monotonic() - at
        other.over = True
        other.join()
        peak = memory(server.pid, "VmHWM") - idle
    finally:
        server.terminate()
        server.wait()
    print(f"{name:34} {took * 1000:7.0f} ms  peak {idle:5.1f} +{peak:5.1f} MiB  "
          f"other waits {other.worst * 1000:5.1f} ms", flush=True)


def number(lines, what):
    return re.search(rb"\[%s (\d+)\]" % what, b"".join(lines)).group(1).decode()


def resync(port, known, note):
    imap = Imap(port)
    imap.run("ENABLE QRESYNC")
    best = 9e9
    for _ in range(5):
        at = time.monotonic()
        lines = imap.run(f"SELECT INBOX (QRESYNC ({known}))")
        best = min(best, time.monotonic() - at)
        imap.run("UNSELECT")
    told = sum(b"FETCH" in line for line in lines)
    print(f"SELECT (QRESYNC), {note}: {best * 1000:.2f} ms, {told} FETCH", flush=True)


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    with tempfile.TemporaryDirectory(prefix="large.", dir=os.environ.get("TMPDIR")) as folder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server, imap = start(program, folder, port)
        try:
            at = time.monotonic()
            fill(imap, count)
            print(f"{count} messages in {time.monotonic() - at:.1f} s", flush=True)
            server.terminate()
            server.wait()
            for name, command in [
                ("FETCH 1:* (UID FLAGS)", None),
                ("FETCH 1:* ENVELOPE", None),
                ("UID SEARCH UNSEEN", None),
                ("SEARCH SUBJECT 99", None),
                ("SEARCH TEXT nowhere", None),
                ("SORT by subject", "SORT (SUBJECT) UTF-8 ALL"),
                ("THREAD REFERENCES", "THREAD REFERENCES UTF-8 ALL"),
                ("STORE 1:* +FLAGS (\\Flagged)", None),
                ("STORE 1:* +FLAGS.SILENT (\\Seen)", None),
                ("COPY 1:* Archive", None),
                ("UID MOVE 1:1000 Trash", None),
            ]:
                measure(program, folder, port, name, command or name)
            server, imap = start(program, folder, port)
            fan_out(server, port)
            lines = imap.run("SELECT INBOX")
            known = f"{number(lines, b'UIDVALIDITY')} {number(lines, b'HIGHESTMODSEQ')}"
            imap.run("UID STORE 50000:50009 +FLAGS.SILENT (\\Answered)")
            resync(port, known, "10 changes ago")
            server.terminate()
            server.wait()
            server, imap = start(program, folder, port)
            resync(port, known, "behind a restart")
            server.terminate()
            server.wait()
            measure(program, folder, port, "EXPUNGE of all", "EXPUNGE",
                    "STORE 1:* +FLAGS.SILENT (\\Deleted)")
        finally:
            server.terminate()
            server.wait()


def fan_out(server, port):
    imap = Imap(port)
    imap.run("SELECT INBOX")
    time.sleep(0.3)
    before = memory(server.pid, "VmRSS")
    idle = [Imap(port) for _ in range(25)]
    for one in idle:
        one.run("SELECT INBOX")
        one.send("i IDLE\r\n")
        one.until(b"+ ")
    time.sleep(0.5)
    print(f"an idle connection: {(memory(server.pid, 'VmRSS') - before) * 1024 / 25:.1f} KiB", flush=True)
    worst = 0.0
    for _ in range(5):
        imap.send("t APPEND INBOX {6+}\r\nA: b\r\n\r\n")
        imap.until()
        committed = time.monotonic()
        for one in idle:
            while b"EXISTS" not in one.file.readline():
                pass
        worst = max(worst, time.monotonic() - committed)
        time.sleep(0.2)
    print(f"OK to the last of 25 EXISTS: {worst * 1000:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
