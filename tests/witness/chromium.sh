# Chromium (Debian), without a window: a page of another origin logs in, lists mail, reads, flags, uploads
# and gets a push, as --cors-origin permits; a page of an origin that is not named gets nothing.
. "$WITNESS_HERE/lib.sh"
need chromium
server_restart --cors-origin http://127.0.0.1:$SPARE
arrive page 3
python3 "$WITNESS_HERE/parts/page.py" || fail "see above"
