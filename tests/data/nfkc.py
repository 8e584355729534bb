#!/usr/bin/env python3
"""Writes src/mime/nfkc.bin: compatibility mappings (Unicode section 5.18) of characters that keyboards have.

    python3 tests/data/nfkc.py > src/mime/nfkc.bin

Of the mappings of Unicode 3.2, to which stringprep holds SASLprep, those of letters outside of ideographs
and of Arabic presentation forms, and of punctuation, superscripts, symbols like letters, fractions, Roman
numerals, ligatures, and wide and narrow forms. Layout, all numbers varints, of each run of code points: how
far its first is from the end of the run before; how many there are times 16, plus how many characters each
becomes times 2, plus 1 where the next becomes the next; those characters, each as a zigzag distance from the
one before. Says on stderr what the test compares with.
"""
import sys
import unicodedata


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def zigzag(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)


u = unicodedata.ucd_3_2_0
RANGES = [(0, 0x1CFF), (0x1E00, 0x218F), (0x309B, 0x30FF), (0xFB00, 0xFB06), (0xFF00, 0xFFEF)]
ALL = [chr(c) for first, last in RANGES for c in range(first, last + 1)]
MAPPED = [(ord(c), [ord(x) for x in u.normalize("NFKC", c)]) for c in ALL if u.normalize("NFKD", c) != u.normalize("NFD", c)]

runs = []
for c, to in MAPPED:
    run = runs and runs[-1]
    if run and len(to) == 1 == len(run[2]) and run[0] + run[1] == c:
        steps = [step for step in ((0, 1) if run[1] == 1 else (run[3],)) if run[2][0] + step * run[1] == to[0]]
        if steps:
            run[1], run[3] = run[1] + 1, steps[0]
            continue
    runs.append([c, 1, to, 0])

out, at, before = b"", 0, 0
for c, count, to, step in runs:
    assert len(to) < 8
    out += varint(c - at) + varint(count << 4 | len(to) << 1 | step)
    for x in to:
        out += zigzag(x - before)
        before = x
    at = c + count
sys.stdout.buffer.write(out)

# FNV-1a over what each of them becomes, by itself and before an acute accent.
h = 0xCBF29CE484222325
for c in ALL:
    for text in (c, c + "\u0301"):
        for octet in unicodedata.normalize("NFC", "".join(u.normalize("NFKC", x) for x in text)).encode():
            h = (h ^ octet) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
print(len(MAPPED), len(runs), hex(h), len(out), file=sys.stderr)
