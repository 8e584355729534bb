# msmtp: submission with STARTTLS and TLS, every mechanism it shares with the server, a wrong
# password, a Bcc that must not leave, a body with dots and long lines.
. "$WITNESS_HERE/lib.sh"
need msmtp

cat >"$WITNESS_TMP/msmtprc" <<END
defaults
host $HOST
user $LOGIN
passwordeval "cat $WITNESS_TMP/password"
from $ME
tls on
tls_trust_file $CA
timeout 20

account starttls
port $SUBMISSION

account tls
port $SUBMISSIONS
tls_starttls off

account wrong : starttls
passwordeval "echo wrong"
END
chmod 600 "$WITNESS_TMP/msmtprc"

# send ACCOUNT MECHANISM SUBJECT
send() {
    printf '%s\n' "From: Me <$ME>" "To: $ME" "Bcc: secret@$DOMAIN" "Subject: $3" "" \
        "." ".." ".dots" "$(printf 'x%.0s' {1..990})" "last" |
        msmtp --file="$WITNESS_TMP/msmtprc" --account="$1" --auth="$2" "$ME" 2>&1
}

for account in starttls tls; do
    for mechanism in plain login scram-sha-256; do
        say "$account $mechanism"
        send $account $mechanism "$account $mechanism"
        same 1 "$(count INBOX " $account $mechanism\$")" "copies of '$account $mechanism'"
    done
done

say "a wrong password"
for mechanism in plain login scram-sha-256; do
    if send wrong $mechanism "never"; then fail "a wrong password was accepted with $mechanism"; fi
done
same 0 "$(count INBOX ' never$')" "mail sent with a wrong password"

say "what arrived is what was sent"
python3 - "$WITNESS_HERE" <<'END'
import os, sys, email
sys.path.insert(0, sys.argv[1])
import look
wanted = b".\r\n..\r\n.dots\r\n" + b"x" * 990 + b"\r\nlast\r\n"
for uid, flags, body in look.messages(look.imap(), "INBOX"):
    head, _, text = body.partition(b"\r\n\r\n")
    assert text == wanted, (uid, text[:60])
    assert b"\r\nBcc:" not in b"\r\n" + head, head
    message = email.message_from_bytes(body)
    for field in ("Date", "Message-ID", "Received", "Return-Path"):
        assert message[field], f"no {field}"
END
