#!/usr/bin/env bash
# jmap-client (crates.io): lists, syncs, reads, searches, flags, moves, composes, sends and is told, with
# the password. The program is in jmapclient/.
. "$WITNESS_HERE/lib.sh"
[ -x "$CACHE/cargo/debug/jmapclient-witness" ] || skip "jmap-client is not installed"
"$CACHE/cargo/debug/jmapclient-witness"
