#!/usr/bin/env python3
"""Writes src/mime/casemap.bin: what i;unicode-casemap (RFC 5051 section 2) makes of each code point.

    python3 tests/data/casemap.py > src/mime/casemap.bin

Needs Perl's Unicode::UCD for the titlecase property of UnicodeData.txt and Python's unicodedata for
the decompositions; both must be of one Unicode version. ASCII and Hangul syllables are left out:
the reader computes them. Layout, all numbers little-endian: u16 blocks; per block of 64 code points
with an entry u16 number, u16 offset of its entries; per block u8 entries, each an octet with the
code point's low six bits and a kind: 0x00 one code point, its distance as a zigzag varint; 0x40 a
string, u8 length and UTF-8; 0x80 one code point, as far away as the entry before.
"""
import subprocess
import sys
import unicodedata

PERL = r"""use Unicode::UCD "prop_invmap"; print Unicode::UCD::UnicodeVersion(), "\n";
my ($from, $to) = prop_invmap("stc");
for my $i (0 .. $#$from) { next unless $to->[$i]; my $end = $i < $#$from ? $from->[$i + 1] - 1 : $from->[$i];
for my $c ($from->[$i] .. $end) { print $c, " ", $to->[$i] + $c - $from->[$i], "\n" } }"""

lines = subprocess.run(["perl", "-e", PERL], capture_output=True, text=True, check=True).stdout.split("\n")
assert lines[0] == unicodedata.unidata_version, (lines[0], unicodedata.unidata_version)
title = dict(map(int, line.split()) for line in lines[1:] if line)


def decomposed(c):
    parts = unicodedata.decomposition(chr(c)).split()
    if not parts:
        return [c]
    return [x for part in parts if not part.startswith("<") for x in decomposed(int(part, 16))]


def varint(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


blocks = {}
for c in range(0x80, 0x110000):
    if 0xD800 <= c < 0xE000 or 0xAC00 <= c <= 0xD7A3:
        continue
    to = decomposed(title.get(c, c))
    if to == [c]:
        continue
    entries = blocks.setdefault(c >> 6, [])
    last = entries[-1][1] if entries else None
    distance = to[0] - c if len(to) == 1 else None
    if distance is None:
        text = "".join(map(chr, to)).encode()
        octets = bytes([c & 63 | 0x40, len(text)]) + text
    elif distance == last:
        octets = bytes([c & 63 | 0x80])
    else:
        octets = bytes([c & 63]) + varint(distance << 1 if distance >= 0 else (-distance << 1) - 1)
    entries.append((octets, distance))

index, stream = b"", b""
start = 2 + 4 * len(blocks)
for number, entries in sorted(blocks.items()):
    index += number.to_bytes(2, "little") + (start + len(stream)).to_bytes(2, "little")
    stream += bytes([len(entries)]) + b"".join(octets for octets, _ in entries)
sys.stdout.buffer.write(len(blocks).to_bytes(2, "little") + index + stream)
