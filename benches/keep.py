#!/usr/bin/env python3
"""Memory of the commands that look after a store, by its size.

keep.py PROGRAM [COUNT ...]     in a directory of its own (default: 2000 100000 messages)

Prints a line for each command: its time and its peak of memory (MiB) at each COUNT. The server is down.
"""

import os
import subprocess
import sys
import tempfile
import time

# The number of the last backup.
since = "0"
WORDS = " ".join(f"word{n}" for n in range(150))


def mbox(path, count):
    with open(path, "w") as file:
        for n in range(count):
            file.write(
                f"From x Mon Jan  1 00:00:00 2024\nMessage-ID: <{n}@x>\nReferences: <{n // 7}@x>\n"
                f"From: a{n % 99}@example.org\nSubject: number {n}\n\n"
            )
            for line in range(n % 3 + 1):
                file.write(f"{n * 7919 + line} {WORDS}\n")
            file.write("\n")


def run(program, folder, command):
    """Seconds and MiB."""
    global since
    words = command.replace("SINCE", since).split()
    out = open(os.path.join(folder, words[-1][1:]), "w") if words[-1].startswith(">") else None
    args = [program] + [word for word in words if not word.startswith(">")]
    began = time.monotonic()
    with open(os.path.join(folder, "said"), "w+") as error:
        child = subprocess.Popen(
            args, cwd=folder, stdout=out or subprocess.DEVNULL, stderr=error, text=True
        )
        peak = 0
        while child.poll() is None:
            try:
                with open(f"/proc/{child.pid}/status") as status:
                    # The program's own pages are not counted: they are the system's to take.
                    for line in status:
                        if line.startswith("RssAnon"):
                            peak = max(peak, int(line.split()[1]))
            except (FileNotFoundError, ProcessLookupError):
                pass
            time.sleep(0.004)
        error.seek(0)
        said = error.read()
    assert child.returncode == 0, (command, said)
    if "--since " in said:
        since = said.split("--since ")[1].strip()
    return time.monotonic() - began, peak / 1024


COMMANDS = [
    "import --into A all.mbox",
    "import --into A all.mbox",
    "import --into B all.mbox",
    "verify",
    "compact",
    "backup --to b",
    "verify b",
    "backup --since SINCE --to c",
    "restore --db r.redb b",
    "restore --db r.redb --replace b c",
    "export --format mbox --mailbox A/all --to - >x",
    "export --mailbox A/all --to maildir",
    "salvage --to salvaged",
]


def main():
    program = os.path.abspath(sys.argv[1])
    counts = [int(n) for n in sys.argv[2:]] or [2000, 100000]
    table = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            run(program, folder, "init --domain example.org --user anna")
            mbox(os.path.join(folder, "all.mbox"), count)
            for at, command in enumerate(COMMANDS):
                table.setdefault((at, command), []).append(run(program, folder, command))
    print(f"{'':44}" + "".join(f"{count:>18}" for count in counts))
    for (_, command), cells in table.items():
        print(f"{command:44}" + "".join(f"{s:8.1f} s{mib:5.1f} MiB" for s, mib in cells))


if __name__ == "__main__":
    main()
