# Dovecot as the house that is left: `pillarbox import imap://...` takes all of it, with odd names, flags,
# keywords and dates; killed in the middle it goes on, and a second time it takes nothing.
. "$WITNESS_HERE/lib.sh"
need dovecot doveadm
PATH=$PATH:/usr/sbin
[ "$(id -u)" = 0 ] || skip "Dovecot wants root to start its processes"
MAIL_UID=$(id -u nobody) MAIL_GID=$(id -g nobody)
OLD=$WITNESS_TMP/old
mkdir -p "$OLD/home" "$OLD/state" "$OLD/run"
chmod 711 "$WITNESS_TMP"
chown -R "$MAIL_UID:$MAIL_GID" "$OLD/home"
cat >"$OLD/dovecot.conf" <<END
base_dir = $OLD/run
state_dir = $OLD/state
log_path = $OLD/log
protocols = imap
listen = $HOST
ssl = no
disable_plaintext_auth = no
mail_location = maildir:$OLD/home/Maildir
mail_home = $OLD/home
mail_uid = $MAIL_UID
mail_gid = $MAIL_GID
first_valid_uid = $MAIL_UID
first_valid_gid = $MAIL_GID
passdb {
    driver = static
    args = password=old-secret
}
userdb {
    driver = static
    args = uid=$MAIL_UID gid=$MAIL_GID home=$OLD/home
}
service imap-login {
    inet_listener imap {
        port = $SPARE
    }
    inet_listener imaps {
        port = 0
    }
}
namespace inbox {
    inbox = yes
    separator = .
    prefix = INBOX.
    mailbox Gesendet {
        auto = create
        special_use = \Sent
    }
    mailbox Spamverdacht {
        auto = create
        special_use = \Junk
    }
}
END
dovecot -F -c "$OLD/dovecot.conf" >"$OLD/out" 2>&1 &
DOVECOT=$!
trap 'kill $DOVECOT 2>/dev/null || true' EXIT
answers() { (: <"/dev/tcp/$HOST/$SPARE") 2>/dev/null; }
eventually 20 answers || fail "Dovecot does not start: $(cat "$OLD/log" "$OLD/out")"
printf 'old-secret\n' >"$OLD/password"
chmod 600 "$OLD/password"

say "300 messages in six mailboxes"
python3 - "$SPARE" <<'END'
import imaplib, sys
box = imaplib.IMAP4("127.0.0.1", int(sys.argv[1]))
box.login("anna@old.example", "old-secret")
for name in ['"INBOX.R&APw-ben.a &- b"', '"INBOX.quote \\"x\\" {3}"', '"INBOX.deep.er.still"', '"INBOX.Gesendet"']:
    box.create(name)
def put(name, flags, n, text=b"x"):
    when = '"%02d-Feb-2015 10:20:30 +0100"' % (n % 28 + 1)
    head = b"Subject: %s %d\r\n\r\n" % (name.encode(), n)
    done = box.append(name, flags, when, head + text + b"\r\n")
    assert done[0] == "OK", done
for n in range(250):
    put("INBOX", r"(\Seen $later)" if n % 2 else None, n, b"A001 OK {5}\r\n)" * (n * 40))
put("INBOX", r"(\Flagged)", 250, b"0123456789abcdef\r\n" * 400000)
for n in range(20):
    put('"INBOX.R&APw-ben.a &- b"', r"(\Answered)", n)
    put('"INBOX.quote \\"x\\" {3}"', r"(\Draft)", n)
put('"INBOX.deep.er.still"', None, 1)
put('"INBOX.Gesendet"', r"(\Seen)", 1)
box.create('"INBOX.gone"')
box.select('"INBOX.R&APw-ben.a &- b"')
box.store("1:5", "+FLAGS", r"(\Deleted)")
box.expunge()
END

IMPORT=("$WITNESS_BIN" import --db "$STORE" --password-file "$OLD/password" "imap://anna%40old.example@$HOST:$SPARE")

say "killed in the middle, with the server up"
"${IMPORT[@]}" >"$OLD/first" 2>&1 &
FIRST=$!
some() { [ "$("$WITNESS_BIN" status --db "$STORE" --metrics | sed -n 's/^pillarbox_emails //p')" -gt 30 ]; }
eventually 60 some || fail "nothing comes: $(cat "$OLD/first")"
kill -9 $FIRST 2>/dev/null || say "(it was done already)"
wait $FIRST || true
"${IMPORT[@]}" >"$OLD/second" 2>&1 || fail "$(cat "$OLD/second")"
cat "$OLD/second"
same "0 imported, 0 there already, 0 refused" "$("${IMPORT[@]}" 2>&1)" "the third time"
same 288 "$("$WITNESS_BIN" status --db "$STORE" --metrics | sed -n 's/^pillarbox_emails //p')" "emails here"

say "everything is as it was"
python3 - "$WITNESS_HERE" "$SPARE" <<'END'
import imaplib, re, sys
sys.path.insert(0, sys.argv[1])
import look
here = look.imap()
there = imaplib.IMAP4("127.0.0.1", int(sys.argv[2]))
there.login("anna@old.example", "old-secret")
def all_of(box, name):
    status, found = box.select(name, readonly=True)
    assert status == "OK", (name, found)
    out, said = [], b""
    for part in box.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
        if isinstance(part, tuple):
            said, body = part
            out.append([said, body])
        elif out:
            out[-1][0] += part
    def about(said):
        flags = sorted(f for f in re.search(rb"FLAGS \(([^)]*)\)", said)[1].split() if f != rb"\Recent")
        date = imaplib.Internaldate2tuple(b"x " + said)
        return flags, date
    return sorted((about(said), body) for said, body in out)
for old, new in [
    ("INBOX", "INBOX"),
    ('"INBOX.R&APw-ben.a &- b"', '"R&APw-ben/a &- b"'),
    ('"INBOX.quote \\"x\\" {3}"', '"quote \\"x\\" {3}"'),
    ('"INBOX.deep.er.still"', "deep/er/still"),
    ('"INBOX.Gesendet"', "Sent"),
]:
    was, now = all_of(there, old), all_of(here, new)
    assert was == now, (old, len(was), len(now), was[:1], now[:1])
    print(old, len(now))
END
