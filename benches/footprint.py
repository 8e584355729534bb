#!/usr/bin/env python3
"""What the server costs a machine that runs it for years: memory, start and writing, by mailbox size.

footprint.py PROGRAM                                     a native one
footprint.py PROGRAM qemu-arm-static -cpu cortex-a7      one for another machine, under its emulator

STORES=DIR   where the stores of 0, 2,000 and 100,000 messages lie, or are made; else a new folder
MAKER=FILE   the native program that makes them, PROGRAM by default: a store is the same everywhere
SIZES="0 2000"   others than these
IDLE=3600    seconds to watch it doing nothing; 20

Every listener is on, nothing is switched off. Columns: memory (proportional set size, in KiB) at rest
and after a burst: 25 IMAP sessions that fetch what is newest, and what follows; milliseconds from exec to
the IMAP greeting, clean and behind a kill, the median of 9; blocks of 4 KiB written and flushes
(strace counts what is written to the file) per delivered 4 KB message, one connection and eight; blocks
written and context switches while nothing happens.

Memory of a guest is the guest's view: the pages in its own address space, which the emulator puts where
it is told to. Times under an emulator are the emulator's. Linux only.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

USER, PASSWORD = "me", "foot print"
# Where an emulator puts the guest's memory, so that it can be told from its own.
GUEST = 0x100000000000
ROLES = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s", "http", "https"]
LETTER = ("From: Bob <bob@example.com>\r\nTo: me@example.test\r\nSubject: number {0}\r\nMessage-ID: <{0}@foot>\r\n\r\n"
          + "".join(f"Line {n} of a letter about this and that, as letters are.\r\n" for n in range(66)))


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return dict(zip(ROLES, ports))


class Lines:
    """A connection of lines."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def ask(self, text, last):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode())
        while not (line := self.file.readline()).startswith(last):
            if not line:
                raise EOFError(text[:60])
        return line


class Server:
    def __init__(self, program, folder, first=False):
        self.ports = free_ports(len(ROLES))
        flags = [f for role, port in self.ports.items() for f in (f"--{role}", f"127.0.0.1:{port}")]
        if first:
            secret = os.path.join(folder, "password")
            with open(os.open(secret, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
                file.write(PASSWORD + "\n")
            flags += ["--password-file", secret]
        self.log = open(os.path.join(folder, "log"), "w")
        at = time.monotonic()
        self.process = subprocess.Popen(
            [*program, "serve", "--db", os.path.join(folder, "mail.redb"), "--domain", "example.test", "--verify", "off",
             "--max-messages-per-address", "1000000", "--max-messages-per-network", "1000000", *flags],
            stdout=subprocess.DEVNULL, stderr=self.log, env=dict(os.environ, QEMU_GUEST_BASE=hex(GUEST)))
        self.pid = self.process.pid
        while True:
            try:
                Lines(self.ports["imap"]).file.readline()
                break
            except ConnectionRefusedError:
                if self.process.poll() is not None:
                    raise SystemExit(open(self.log.name).read())
                time.sleep(0.0005)
        self.start = (time.monotonic() - at) * 1000

    def end(self, kill=False):
        self.process.kill() if kill else self.process.terminate()
        self.process.wait()
        self.log.close()

    def memory(self, guest):
        total, counts = 0, not guest
        with open(f"/proc/{self.pid}/smaps") as file:
            for line in file:
                if line.startswith("Pss:") and counts:
                    total += int(line.split()[1])
                elif guest and (span := re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line)):
                    counts = GUEST <= int(span.group(1), 16) < 2 * GUEST
        return total

    def blocks(self):
        with open(f"/proc/{self.pid}/io") as file:
            return int(re.search(r"^write_bytes: (\d+)", file.read(), re.M).group(1)) / 4096

    def switches(self):
        total = 0
        for thread in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{thread}/status") as file:
                total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", file.read()))
        return total

    def imap(self):
        one = Lines(self.ports["imap"])
        one.ask(f't LOGIN {USER} "{PASSWORD}"\r\n', b"t OK")
        return one

    def deliver(self, numbers):
        one = Lines(self.ports["smtp"])
        one.file.readline()
        one.ask("HELO example.com\r\n", b"250 ")
        for n in numbers:
            one.ask("MAIL FROM:<bob@example.com>\r\n", b"250 ")
            one.ask("RCPT TO:<me@example.test>\r\n", b"250 ")
            one.ask("DATA\r\n", b"354 ")
            one.ask(LETTER.format(n) + ".\r\n", b"250 ")


def make(program, folder, count):
    os.makedirs(folder)
    server = Server(program, folder, first=True)
    one = server.imap()
    for base in range(0, count, 500):
        parts = []
        for n in range(base, min(base + 500, count)):
            text = LETTER.format(n)
            parts.append(f" () {{{len(text)}+}}\r\n{text}")
        one.ask("t APPEND INBOX" + "".join(parts) + "\r\n", b"t OK")
    server.end()


def delivered(server, connections, each):
    """Blocks and flushes per message."""
    with tempfile.NamedTemporaryFile("r") as calls:
        tracer = subprocess.Popen(["strace", "-f", "-e", "trace=pwrite64,pwritev,fsync,fdatasync", "-e", "signal=none", "-s", "0",
                                   "-o", calls.name, "-p", str(server.pid)], stderr=subprocess.PIPE)
        for line in tracer.stderr:
            if b"attached" in line:
                break
        threads = [threading.Thread(target=server.deliver, args=(range(c * each, (c + 1) * each),)) for c in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tracer.terminate()
        tracer.wait()
        text = calls.read()
    written = sum(-(-int(n) // 4096) for n in re.findall(r"pwrite.* = (\d+)$", text, re.M))
    flushes = len(re.findall(r"sync.* = 0$", text, re.M))
    messages = connections * each
    return f"{written / messages:.1f}", f"{flushes / messages:.2f}"


def median(values):
    return f"{sorted(values)[len(values) // 2]:.0f}"


def measure(program, stored, guest):
    with tempfile.TemporaryDirectory(prefix="footprint.") as folder:
        copy = shutil.copy(os.path.join(stored, "mail.redb"), folder)
        with open(copy) as file:
            os.fsync(file.fileno())
        starts = {}
        for how in ["clean", "killed"]:
            starts[how] = []
            for _ in range(10):
                server = Server(program, folder)
                if how == "killed":
                    server.deliver([0])
                starts[how].append(server.start)
                server.end(how == "killed")
        server = Server(program, folder)
        time.sleep(1)
        rest = server.memory(guest)
        idle = int(os.environ.get("IDLE", "20"))
        before = server.blocks(), server.switches()
        time.sleep(idle)
        nothing = f"{server.blocks() - before[0]:.0f}", f"{server.switches() - before[1]}"
        crowd = [server.imap() for _ in range(25)]
        for one in crowd:
            one.ask("t SELECT INBOX\r\n", b"t OK")
            one.ask("t FETCH *:1 (FLAGS)\r\n", b"t OK")
            one.ask("t FETCH * (ENVELOPE BODYSTRUCTURE BODY.PEEK[])\r\n", b"t ")
        single = delivered(server, 1, 100)
        eight = delivered(server, 8, 25)
        for one in crowd:
            one.file.close()
            one.socket.close()
        time.sleep(1)
        burst = server.memory(guest)
        server.end()
    return [f"{rest}", f"{burst}", median(starts["clean"][1:]), median(starts["killed"][1:]), *single, *eight, *nothing]


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    program = [*sys.argv[2:], os.path.realpath(sys.argv[1])]
    maker = [os.environ["MAKER"]] if "MAKER" in os.environ else program
    stores = os.environ.get("STORES") or tempfile.mkdtemp(prefix="stores.")
    print(f"{'messages':>9} {'at rest':>8} {'after':>8} {'start':>6} {'killed':>6} {'blocks':>7} {'flushes':>7} "
          f"{'8:blocks':>8} {'flushes':>7} {'idle:blocks':>11} {'switches':>8}", flush=True)
    for size in map(int, os.environ.get("SIZES", "0 2000 100000").split()):
        stored = os.path.join(stores, str(size))
        if not os.path.exists(stored):
            make(maker, stored, size)
        row = measure(program, stored, bool(sys.argv[2:]))
        widths = [8, 8, 6, 6, 7, 7, 8, 7, 11, 8]
        print(f"{size:>9} " + " ".join(f"{cell:>{width}}" for cell, width in zip(row, widths)), flush=True)
    if "STORES" not in os.environ:
        shutil.rmtree(stores)


if __name__ == "__main__":
    main()
