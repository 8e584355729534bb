# Two servers that are each other's smarthost, over verified STARTTLS: a letter goes out by
# submission and its answer comes back. Then the far one is down: what was accepted waits, outlives
# a kill, and arrives once; a recipient it refuses comes back as a bounce.
. "$WITNESS_HERE/lib.sh"
need swaks

NEAR=$WITNESS_TMP FAR=$WITNESS_TMP/far
mkdir -p "$FAR"

# far COMMAND...: as the other server, of example.net.
far() (
    WITNESS_TMP=$FAR WITNESS_BASE=$((WITNESS_BASE + 10))
    . "$WITNESS_HERE/lib.sh"
    DOMAIN=example.net ME=me@example.net
    "$@"
)
trap 'far server_stop' EXIT

# letter FROM TO SUBJECT
letter() {
    swaks --server $HOST --port $SUBMISSIONS --tlsc --auth PLAIN --auth-user "$LOGIN" \
        --auth-password "$PASSWORD" --from "$1" --to "$2" --header "Subject: $3" \
        --timeout 20 >"$WITNESS_TMP/swaks.out" 2>&1 || {
        cat "$WITNESS_TMP/swaks.out"
        fail "$3: swaks ended with $?"
    }
}
arrives() { eventually 30 has INBOX "$1\$" || fail "'$1' did not arrive"; }

far server_start
start_near() {
    server_start --smarthost localhost:$((WITNESS_BASE + 10)) --smarthost-ca "$FAR/ca.pem" "$@"
}
server_stop
start_near
far server_stop
far server_start --smarthost localhost:$SMTP --smarthost-ca "$NEAR/ca.pem"

say "there and back"
letter "$ME" me@example.net "there"
far arrives "there"
far letter me@example.net "$ME" "and back"
arrives "and back"

say "a recipient that the smarthost refuses"
letter "$ME" nobody@example.net "to nobody"
bounce() { look INBOX | grep -iE 'undeliver|not delivered|delivery|returned|failure' >/dev/null; }
eventually 30 bounce || {
    look INBOX
    fail "no bounce"
}

say "the smarthost is down; then the server is killed; then both come back"
far server_stop
letter "$ME" me@example.net "waits"
tried() { grep -E 'WARN|INFO' "$LOG" | grep -iE 'refused|smarthost' >/dev/null; }
eventually 20 tried || fail "the log says nothing of the smarthost that is down"
server_stop KILL
far server_start
start_near
far arrives "waits"
same 1 "$(far count INBOX 'waits$')" "copies of 'waits'"
same 1 "$(far count INBOX 'there$')" "copies of 'there'"

say "the smarthost's certificate is not trusted: nothing is sent"
server_restart --smarthost localhost:$((WITNESS_BASE + 10))
letter "$ME" me@example.net "never in the open"
distrusted() { grep -iE 'certificate' "$LOG" | grep -E 'WARN' >/dev/null; }
eventually 20 distrusted || {
    tail -n 5 "$LOG"
    fail "the log does not say that the certificate is not trusted"
}
same 0 "$(far count INBOX 'never in the open$')" "copies sent to a stranger"
