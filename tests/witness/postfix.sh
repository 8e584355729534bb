# Postfix: an instance of its own (own configuration, queue and ports, started and stopped here)
# relays to the server's SMTP port over verified STARTTLS: small, 8-bit, internationalised and 10 MB
# messages, many at a time, and its queue holds on while the server is down or full.
. "$WITNESS_HERE/lib.sh"
PATH=$PATH:/usr/sbin
need postfix postconf postqueue sendmail
[ "$(id -u)" = 0 ] || skip "Postfix starts as root only"
id postfix >/dev/null 2>&1 || skip "there is no user postfix"

CONF=$WITNESS_TMP/postfix
MAILLOG=$WITNESS_TMP/maillog
mkdir -p "$CONF" "$WITNESS_TMP/queue" "$WITNESS_TMP/data"
chown postfix "$WITNESS_TMP/data"
: >"$MAILLOG"
cat >"$CONF/main.cf" <<END
compatibility_level = 3.6
queue_directory = $WITNESS_TMP/queue
data_directory = $WITNESS_TMP/data
maillog_file = $MAILLOG
maillog_file_prefixes = $WITNESS_TMP
myhostname = relay.example.net
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtputf8_enable = yes
alias_maps =
alias_database =
local_recipient_maps =
relay_domains = $DOMAIN
transport_maps = inline:{ {$DOMAIN = smtp:[$HOST]:$SMTP} }
smtp_tls_security_level = secure
smtp_tls_secure_cert_match = $DOMAIN
smtp_tls_CAfile = $CA
smtp_tls_loglevel = 1
message_size_limit = 60000000
mailbox_size_limit = 0
minimal_backoff_time = 2s
maximal_backoff_time = 3s
queue_run_delay = 2s
default_destination_concurrency_limit = 10
END
cat >"$CONF/master.cf" <<END
127.0.0.1:$SPARE inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
discard   unix  - - n - - discard
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
END

trap 'postfix -c "$CONF" stop >/dev/null 2>&1 || true' EXIT
postfix -c "$CONF" start >"$WITNESS_TMP/postfix.out" 2>&1 || {
    cat "$WITNESS_TMP/postfix.out" "$MAILLOG"
    fail "Postfix did not start"
}

# relay SUBJECT COUNT KIND: hands messages to Postfix by SMTP. KIND: ascii, eight, utf8, big.
relay() { python3 - "$@" <<'END'; }
import os, smtplib, sys
subject, count, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
sender, rcpt, options = "anna@example.net", os.environ["ME"], []
text = "Body of %d.\r\n.dot\r\n..\r\n"
if kind == "eight":
    text, options = "Grüße %d\r\n", ["BODY=8BITMIME"]
elif kind == "utf8":
    text, options, sender = "Grüße %d\r\n", ["SMTPUTF8", "BODY=8BITMIME"], "änna@bücher.example"
elif kind == "big":
    text = "%d\r\n" + ("y" * 76 + "\r\n") * (10 * 1024 * 1024 // 78)
with smtplib.SMTP("127.0.0.1", int(os.environ["SPARE"])) as server:
    server.ehlo()
    for n in range(1, count + 1):
        head = (f"From: {sender}\r\nTo: {rcpt}\r\nSubject: {subject} {n}\r\n"
                f"Message-ID: <{kind}-{n}-{os.getpid()}@example.net>\r\nMIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n")
        server.sendmail(sender, [rcpt], (head + text % n).encode(), options)
END

arrived() { [ "$(count INBOX " $1 [0-9]*\$")" = "$2" ]; }
wait_for() { # SUBJECT COUNT
    eventually 60 arrived "$1" "$2" || {
        tail -n 15 "$MAILLOG"
        postqueue -c "$CONF" -p
        fail "$1: $(count INBOX " $1 ") of $2 arrived"
    }
}
queue_empty() { postqueue -c "$CONF" -p | grep 'queue is empty' >/dev/null; }

eventually 20 relay ascii 3 ascii 2>/dev/null || fail "Postfix does not answer"
say "small messages, over verified STARTTLS"
wait_for ascii 3
grep -q "Verified TLS connection established to $HOST\[$HOST\]:$SMTP: TLSv1.3" "$MAILLOG" ||
    fail "no verified TLS: $(grep -m1 TLS "$MAILLOG")"

say "8BITMIME"
relay eight 2 eight
wait_for eight 2
say "SMTPUTF8"
relay utf8 2 utf8
wait_for utf8 2
say "10 MB"
relay big 2 big
wait_for big 2
say "200 at once over ten connections"
relay many 200 ascii
wait_for many 200

say "bytes are kept, the trace is written"
python3 - "$WITNESS_HERE" <<'END'
import email, sys
sys.path.insert(0, sys.argv[1])
import look
for uid, flags, body in look.messages(look.imap(), "INBOX"):
    head, _, text = body.partition(b"\r\n\r\n")
    subject = email.message_from_bytes(body)["subject"].split()[0]
    wanted = {"big": 10 * 1024 * 1024 // 78 * 78}
    if subject in ("eight", "utf8"):
        assert text.startswith("Grüße".encode()), text
    elif subject == "big":
        assert len(text) == wanted["big"] + 3 and set(text[3:]) == set(b"y\r\n"), len(text)
    else:
        assert text.endswith(b"\r\n.dot\r\n..\r\n"), text
    assert head.startswith(b"Return-Path: <"), head[:80]
    received = email.message_from_bytes(body).get_all("Received")
    assert "from relay.example.net" in received[0], received[0]
    protocol = "UTF8SMTPS" if subject == "utf8" else "ESMTPS"
    assert f"with {protocol} " in " ".join(received[0].split()), received[0]
END

say "the server is down: Postfix holds the mail and comes back"
server_stop
relay down 5 ascii
eventually 20 grep -q 'Connection refused' "$MAILLOG" || fail "Postfix saw no refused connection"
server_start
wait_for down 5

say "the store is full: 452, the mail waits; then there is room"
server_restart --quota 1
relay full 3 ascii
eventually 20 grep -q 'said: 452' "$MAILLOG" || fail "no 452: $(tail -n 3 "$MAILLOG")"
arrived full 0 || fail "a full mailbox took mail"
server_restart
wait_for full 3

say "greylisted at first: Postfix comes back, and is let in; then it is known, over a restart too"
# No resolver: what cannot be asked is not known, and nothing is lost by it.
grey=(--greylist 3 --verify all --dns 127.0.0.1:1)
server_restart "${grey[@]}"
relay grey 1 ascii
eventually 20 grep -q 'said: 451 4.7.1 .*greylisted' "$MAILLOG" || fail "not greylisted: $(tail -n 3 "$MAILLOG")"
wait_for grey 1
refused=$(grep -c 'said: 451 4.7.1' "$MAILLOG")
server_restart "${grey[@]}"
relay known 3 ascii
wait_for known 3
same "$refused" "$(grep -c 'said: 451 4.7.1' "$MAILLOG")" "refusals of a known sender"
server_restart

say "killed in the middle of it: what Postfix was told is there, nothing is lost"
relay killed 100 ascii &
some_arrived() { [ "$(count INBOX ' killed ')" -gt 10 ]; }
eventually 30 some_arrived || fail "nothing arrives"
server_stop KILL
wait $! || fail "relaying failed"
server_start
eventually 60 queue_empty || fail "the queue did not run empty"
same 100 "$(look INBOX | grep -o ' killed [0-9]*$' | sort -u | wc -l)" "messages after the kill"

say "an unknown recipient is refused at RCPT and bounced by Postfix"
printf 'Subject: x\n\nx\n' | sendmail -C "$CONF" -f "$ME" "nobody@$DOMAIN" 2>/dev/null ||
    printf 'Subject: x\n\nx\n' | MAIL_CONFIG=$CONF sendmail -f "$ME" "nobody@$DOMAIN"
eventually 30 grep -qE 'status=bounced.*550' "$MAILLOG" || fail "not bounced: $(tail -n 3 "$MAILLOG")"
bounced() { [ "$(count INBOX 'Undelivered Mail Returned to Sender$')" = 1 ]; }
eventually 30 bounced || fail "the bounce did not arrive"
