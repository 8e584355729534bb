#!/usr/bin/env python3
"""Writes src/mime/nfc.bin: what Normalization Form C (Unicode section 3.11) needs.

    python3 tests/data/nfc.py > src/mime/nfc.bin

Layout, all numbers varints: runs of combining classes: how many; of each how far its first code point
is from the end of the run before, its length, its class. Then decompositions: how many; of each how far
its code point is from the one before, the second part times two (0 where there is none), plus 1 where
nothing is composed to it, then the first part as a zigzag distance from the first part before. Hangul
syllables are left out: the reader computes them. Says on stderr what tests/ compares with.
"""
import sys
import unicodedata as u


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def zigzag(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)


ALL = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]

runs = []
for c in ALL:
    k = u.combining(chr(c))
    if k and runs and runs[-1][1] == c and runs[-1][2] == k:
        runs[-1][1] = c + 1
    elif k:
        runs.append([c, c + 1, k])
out, at = varint(len(runs)), 0
for first, end, k in runs:
    out += varint(first - at) + varint(end - first) + varint(k)
    at = end

parts = []
for c in ALL:
    to = u.decomposition(chr(c))
    if to and not to.startswith("<"):
        parts.append((c, [int(x, 16) for x in to.split()]))
out, at, before = out + varint(len(parts)), 0, 0
for c, to in parts:
    second = to[1] if len(to) > 1 else 0
    lost = u.normalize("NFC", chr(c)) != chr(c)
    out += varint(c - at) + varint(second << 1 | lost) + zigzag(to[0] - before)
    at, before = c, to[0]
sys.stdout.buffer.write(out)

# FNV-1a over what each code point that matters becomes, by itself, decomposed, and before an acute accent.
h = 0xCBF29CE484222325
for c in (c for c in ALL if not 0x3400 <= c < 0xA000 and (c < 0x12000 or 0x1D000 <= c < 0x1D200 or 0x2F800 <= c < 0x2FA20)):
    for text in (chr(c), u.normalize("NFD", chr(c)), "o\u0323" + chr(c) + "\u0301"):
        for octet in u.normalize("NFC", text).encode():
            h = (h ^ octet) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
print(u.unidata_version, hex(h), len(out), file=sys.stderr)
