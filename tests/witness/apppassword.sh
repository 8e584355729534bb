# App passwords, made by the command beside the running server and used by real clients: gsasl (SCRAM
# bound to the TLS connection), curl, mbsync, Python's imaplib; limited, and revoked while one is in.
. "$WITNESS_HERE/lib.sh"
need curl mbsync python3

app() { "$WITNESS_BIN" app-password "$@" --db "$STORE"; }
client() { curl --silent --show-error --max-time 30 --cacert "$CA" "$@"; }

say "making them"
mine() { client --user "$LOGIN:$PASSWORD" "$@"; }
mine "imaps://$HOST:$IMAPS" --request 'CREATE Scans'
mine "imaps://$HOST:$IMAPS" --request 'CREATE Family'
phone=$(app add phone)
scanner=$(app add scanner --protocols imap --mailboxes Scans:insertonly)
tablet=$(app add tablet --protocols imap --mailboxes Family:readonly --expires 1d)
app list
same 3 "$(app list | wc -l)" "app passwords"

if command -v gsasl >/dev/null; then
    for mechanism in SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN; do
        for secret in "$PASSWORD" "$phone"; do
            say "gsasl by $mechanism"
            gsasl --imap --connect $HOST:$IMAP --mechanism $mechanism --authentication-id "$LOGIN" \
                --password "$secret" --x509-ca-file "$CA" --no-client-first --application-data \
                --quality=qop-auth </dev/null >"$WITNESS_TMP/gsasl.log" 2>&1 || true
            grep -q 'OK \[CAPABILITY' "$WITNESS_TMP/gsasl.log" || {
                tail -n 12 "$WITNESS_TMP/gsasl.log"
                fail "gsasl by $mechanism"
            }
        done
        grep -q "imap: $LOGIN (phone) logged in" "$LOG" || fail "the log does not name the app password"
    done
else
    say "gsasl is not installed: no SCRAM-SHA-256-PLUS"
fi

letter=$WITNESS_TMP/letter
printf '%s\r\n' "From: scanner@example.test" "To: $ME" "Subject: page" "" "scanned" >"$letter"
say "the scanner puts in, and reads nothing"
client --user "$LOGIN:$scanner" "imaps://$HOST:$IMAPS/Scans" --upload-file "$letter"
same 1 "$(count Scans)" "messages in Scans"
for what in "Scans;MAILINDEX=1" "INBOX;MAILINDEX=1"; do
    if client --user "$LOGIN:$scanner" "imaps://$HOST:$IMAPS/$what" >/dev/null 2>&1; then
        fail "the scanner reads $what"
    fi
done
if client --user "$LOGIN:$scanner" "pop3s://$HOST:$POP3S/1" >/dev/null 2>&1; then fail "POP3"; fi
if client --user "$LOGIN:$scanner" smtps://$HOST:$SUBMISSIONS --mail-from "$ME" --mail-rcpt "$ME" \
    --upload-file "$letter" 2>/dev/null; then fail "the scanner sends"; fi
status=$(client --user "$LOGIN:$scanner" -o "$WITNESS_TMP/out" -w '%{http_code}' "https://$HOST:$HTTPS/.well-known/jmap")
same 403 "$status" "JMAP's answer to the scanner"

say "the tablet has one mailbox, and mbsync copies all that it sees"
mine "imaps://$HOST:$IMAPS/Family" --upload-file "$letter"
arrive secret 3
cat >"$WITNESS_TMP/mbsyncrc" <<END
IMAPStore far
Host $HOST
Port $IMAPS
SSLType IMAPS
CertificateFile $CA
User $LOGIN
Pass $tablet

MaildirStore near
Path $WITNESS_TMP/mail/
Inbox $WITNESS_TMP/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns * !INBOX
Create Near
Sync Pull
SyncState *
END
mkdir -p "$WITNESS_TMP/mail"
mbsync -V -c "$WITNESS_TMP/mbsyncrc" all >"$WITNESS_TMP/mbsync.log" 2>&1 || {
    tail -n 20 "$WITNESS_TMP/mbsync.log"
    fail "mbsync ended with $?"
}
same Family "$(ls "$WITNESS_TMP/mail")" "mailboxes copied"
same 1 "$(find "$WITNESS_TMP/mail/Family/cur" "$WITNESS_TMP/mail/Family/new" -type f | wc -l)" "messages copied"

say "imaplib shows and changes rights; a revoked one is out at once"
WITNESS_PHONE=$phone WITNESS_TABLET=$tablet python3 - "$WITNESS_BIN" <<'END'
import imaplib, os, ssl, subprocess, sys
def box(password):
    context = ssl.create_default_context(cafile=os.environ["CA"])
    context.check_hostname = False
    box = imaplib.IMAP4_SSL(os.environ["HOST"], int(os.environ["IMAPS"]), ssl_context=context)
    box.login(os.environ["LOGIN"], password)
    return box
owner, tablet, phone = (box(os.environ[k]) for k in ("PASSWORD", "WITNESS_TABLET", "WITNESS_PHONE"))
print(owner.getacl("Family"), owner.myrights("INBOX"), tablet.myrights("Family"))
assert tablet.myrights("Family") == ("OK", [b"Family lr"])
# imaplib takes READ-ONLY in the answer to SELECT for what it is.
try:
    tablet.select("Family")
    sys.exit("the tablet may write")
except imaplib.IMAP4.readonly:
    pass
assert tablet.select("Family", readonly=True)[0] == "OK"
assert tablet.append("Family", None, None, b"Subject: x\r\n\r\nx")[0] == "NO"
assert tablet.select("INBOX")[0] == "NO"
assert owner.setacl("Family", "tablet", "lrs")[0] == "OK"
assert tablet.select("Family")[0] == "OK"
assert tablet.store("1", "+FLAGS", r"(\Seen)")[0] == "OK"
phone.select("INBOX")
subprocess.run([sys.argv[1], "app-password", "revoke", "phone", "--db", os.environ["STORE"]], check=True)
try:
    phone.noop()
    sys.exit("the phone is still in")
except imaplib.IMAP4.abort as gone:
    print("the phone:", gone)
assert owner.noop()[0] == "OK"
END

say "known after a restart"
server_restart
app list
client --user "$LOGIN:$tablet" "imaps://$HOST:$IMAPS" | grep -q Family || fail "the tablet after a restart"
if client --user "$LOGIN:$phone" "imaps://$HOST:$IMAPS" >/dev/null 2>&1; then fail "the phone is back"; fi
