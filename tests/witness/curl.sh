# curl: sends by SMTP, reads by IMAP, POP3 and JMAP, in the clear on loopback, by STARTTLS and by
# TLS, with each mechanism it knows; a wrong password.
. "$WITNESS_HERE/lib.sh"
need curl

client() { curl --silent --show-error --max-time 30 --cacert "$CA" "$@"; }
mine() { client --user "$LOGIN:$PASSWORD" "$@"; }

# shown WHAT PATTERN COMMAND...: the command's answer must contain the pattern.
shown() {
    local what=$1 pattern=$2
    shift 2
    say "$what"
    "$@" >"$WITNESS_TMP/out" || fail "$what: curl ended with $?"
    grep -q -e "$pattern" "$WITNESS_TMP/out" || {
        cat "$WITNESS_TMP/out"
        fail "$what: no '$pattern'"
    }
}

# refused STATUS WHAT COMMAND...: curl must end with this status.
refused() {
    local status=0 wanted=$1 what=$2
    shift 2
    say "$what"
    "$@" >"$WITNESS_TMP/out" 2>&1 || status=$?
    same "$wanted" $status "$what: curl's status"
}

letter=$WITNESS_TMP/letter
printf '%s\r\n' "From: $ME" "To: $ME" "Subject: by curl" "" ".dot" "Hello from curl." >"$letter"

say "sending"
client smtp://$HOST:$SMTP --mail-from anna@example.net --mail-rcpt "$ME" --upload-file "$letter"
client --ssl-reqd smtp://$HOST:$SMTP --mail-from anna@example.net --mail-rcpt "$ME" --upload-file "$letter"
for mechanism in PLAIN LOGIN SCRAM-SHA-256; do
    if [ $mechanism = SCRAM-SHA-256 ] && ! curl -V | grep -qi gsasl; then
        say "no $mechanism in this curl"
        continue
    fi
    mine --ssl-reqd --login-options AUTH=$mechanism smtp://$HOST:$SUBMISSION --mail-from "$ME" --mail-rcpt "$ME" --upload-file "$letter"
done
mine smtps://$HOST:$SUBMISSIONS --mail-from "$ME" --mail-rcpt "$ME" --upload-file "$letter"
sent=$(count INBOX 'by curl$')
[ "$sent" -ge 5 ] || fail "only $sent messages arrived"

for how in "imap://$HOST:$IMAP" "imaps://$HOST:$IMAPS"; do
    shown "$how lists mailboxes" 'INBOX' mine "$how"
    shown "$how examines" 'EXISTS' mine "$how" --request 'EXAMINE INBOX'
    shown "$how fetches" 'Hello from curl' mine "$how/INBOX;MAILINDEX=1"
    shown "$how fetches a part" 'Hello from curl' mine "$how/INBOX;UID=1;SECTION=TEXT"
    shown "$how searches" 'SEARCH.* 1' mine "$how/INBOX?SUBJECT%20curl"
    say "$how appends"
    mine "$how/Drafts" --upload-file "$letter"
done
shown "imap starttls" 'Hello from curl' mine --ssl-reqd "imap://$HOST:$IMAP/INBOX;MAILINDEX=2"
shown "imap PLAIN" 'Hello from curl' mine --login-options AUTH=PLAIN "imaps://$HOST:$IMAPS/INBOX;MAILINDEX=2"
same 2 "$(count Drafts)" "messages in Drafts"
refused 67 "imap with a wrong password" client --user "$LOGIN:wrong" "imaps://$HOST:$IMAPS/INBOX;MAILINDEX=1"

for how in "pop3://$HOST:$POP3" "pop3s://$HOST:$POP3S"; do
    shown "$how lists" '^1 [0-9]' mine "$how"
    shown "$how retrieves" 'Hello from curl' mine "$how/1"
    shown "$how uidl" '^1 [!-~]' mine "$how" --request UIDL
    shown "$how top" 'Subject: by curl' mine "$how" --request 'TOP 1 0'
    if grep -q 'Hello' "$WITNESS_TMP/out"; then fail "TOP 1 0 sent the body"; fi
done
shown "pop3 stls" 'Hello from curl' mine --ssl-reqd "pop3://$HOST:$POP3/2"
shown "pop3 PLAIN" 'Hello from curl' mine --login-options AUTH=PLAIN "pop3s://$HOST:$POP3S/2"
say "pop3 deletes"
mine "pop3s://$HOST:$POP3S/1" --request DELE --head >/dev/null
same $((sent - 1)) "$(count INBOX 'by curl$')" "messages after DELE"
refused 67 "pop3 with a wrong password" client --user "$LOGIN:wrong" "pop3s://$HOST:$POP3S/1"

for how in "http://$HOST:$HTTP" "https://$HOST:$HTTPS"; do
    shown "$how session" '"apiUrl" *: *"http' mine "$how/.well-known/jmap"
    api=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["apiUrl"])' "$WITNESS_TMP/out")
    account=$(python3 -c 'import json,sys; print(*json.load(open(sys.argv[1]))["accounts"])' "$WITNESS_TMP/out")
    shown "$how query" '"subject":"by curl"' mine "$api" --header 'Content-Type: application/json' --data @- <<END
{"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:mail"],"methodCalls":[
 ["Email/query",{"accountId":"$account","filter":{"subject":"curl"}},"a"],
 ["Email/get",{"accountId":"$account","#ids":{"resultOf":"a","name":"Email/query","path":"/ids"},"properties":["subject","keywords"]},"b"]]}
END
    refused 22 "$how with a wrong password" client --fail --user "$LOGIN:wrong" "$how/.well-known/jmap"
done
