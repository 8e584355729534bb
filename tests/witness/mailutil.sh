# mailutil: the c-client library (alpine, PHP's imap_*), from the author of IMAP: copies mailboxes,
# checks, prunes, renames, deletes.
. "$WITNESS_HERE/lib.sh"
need mailutil

AT="{localhost:$IMAPS/imap/ssl/novalidate-cert/user=$LOGIN}"
printf '%s\n' "$PASSWORD" >"$WITNESS_TMP/answer"

# It asks for the password on a terminal, and gets one.
util() {
    python3 - "$WITNESS_TMP/answer" "$@" >"$WITNESS_TMP/out" 2>&1 <<'END' || {
import os, pty, select, sys
password, command = open(sys.argv[1], "rb").read(), ["mailutil"] + sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen, answered = b"", 0
while True:
    try:
        text = os.read(terminal, 4096)
    except OSError:
        break
    if not text:
        break
    seen += text
    if seen.lower().count(b"password:") > answered:
        answered += 1
        os.write(terminal, password)
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
        cat "$WITNESS_TMP/out"
        fail "mailutil $*"
    }
}

export HOME=$WITNESS_TMP
arrive letter 5
say "check"
util check "${AT}INBOX"
grep -q '5 messages\|5 new\|5 recent\|messages' "$WITNESS_TMP/out" || { cat "$WITNESS_TMP/out"; fail "check"; }

say "create, copy, append, rename"
util create "${AT}Tree/Branch"
util copy "${AT}INBOX" "${AT}Tree/Branch/Leaf"
same 5 "$(count Tree/Branch/Leaf)" "messages copied"
util append "${AT}INBOX" "${AT}Tree/Branch/Leaf"
same 10 "$(count Tree/Branch/Leaf)" "messages after an append"
util rename "${AT}Tree/Branch/Leaf" "${AT}Tree/Twig"
same 10 "$(count Tree/Twig)" "messages after a rename"

say "copy within"
util copy "${AT}Tree/Twig" "${AT}Back"
same "$(look Tree/Twig | cut -d' ' -f3 | sort)" "$(look Back | cut -d' ' -f3 | sort)" "the bytes"

say "prune, delete"
(util prune "${AT}Back" 'subject "letter 2"') || true # its status says nothing
same 8 "$(count Back)" "messages left"
util delete "${AT}Back"
if python3 "$WITNESS_HERE/look.py" mailboxes | grep Back >/dev/null; then fail "it was not deleted"; fi
