# swaks: mail in at the SMTP port, submission in every way it knows, and what must be refused.
. "$WITNESS_HERE/lib.sh"
need swaks

send() { swaks --server $HOST --timeout 20 --tls-ca-path "$CA" --body "by swaks" "$@"; }

# accepted SUBJECT OPTION...: must be delivered into INBOX, once.
accepted() {
    local subject=$1
    shift
    say "accepted: $subject"
    send --header "Subject: $subject" "$@" >"$WITNESS_TMP/swaks.out" 2>&1 || {
        cat "$WITNESS_TMP/swaks.out"
        fail "$subject: swaks ended with $?"
    }
    same 1 "$(count INBOX " $subject\$")" "copies of '$subject'"
}

# refused CODE WHAT OPTION...: the server must answer CODE.
refused() {
    local code=$1 what=$2
    shift 2
    say "refused: $what"
    if send "$@" >"$WITNESS_TMP/swaks.out" 2>&1; then fail "$what was accepted"; fi
    grep -qE "^<(~|-|\*)\*? +$code|^<\*\* $code|^<~\* $code" "$WITNESS_TMP/swaks.out" || {
        cat "$WITNESS_TMP/swaks.out"
        fail "$what: no $code"
    }
}

login=(--auth-user "$LOGIN" --auth-password "$PASSWORD")
mine=(--from "$ME" --to "$ME")

accepted "plain smtp" --port $SMTP --from anna@example.net --to "$ME"
accepted "smtp with starttls" --port $SMTP --tls --from anna@example.net --to "$ME"
accepted "null sender" --port $SMTP --from '<>' --to "$ME"
accepted "detail" --port $SMTP --from anna@example.net --to "me+list@$DOMAIN"
accepted "two recipients" --port $SMTP --from anna@example.net --to "$ME,postmaster@$DOMAIN"
accepted "pipelined" --port $SMTP --pipeline --from anna@example.net --to "$ME"

for mechanism in PLAIN LOGIN SCRAM-SHA-256; do
    if [ $mechanism = SCRAM-SHA-256 ] && ! perl -MAuthen::SASL -MAuthen::SASL::SCRAM -e1 2>/dev/null; then
        say "no $mechanism: this Perl has no Authen::SASL::SCRAM"
        continue
    fi
    accepted "$mechanism over starttls" --port $SUBMISSION --tls --auth $mechanism "${login[@]}" "${mine[@]}"
    accepted "$mechanism over tls" --port $SUBMISSIONS --tlsc --auth $mechanism "${login[@]}" "${mine[@]}"
done
accepted "PLAIN on loopback" --port $SUBMISSION --auth PLAIN "${login[@]}" "${mine[@]}"
accepted "log-in by address" --port $SUBMISSIONS --tlsc --auth LOGIN --auth-user "$ME" --auth-password "$PASSWORD" "${mine[@]}"

refused 535 "wrong password, PLAIN" --port $SUBMISSION --tls --auth PLAIN --auth-user "$LOGIN" --auth-password wrong "${mine[@]}"
refused 535 "wrong password, LOGIN" --port $SUBMISSIONS --tlsc --auth LOGIN --auth-user "$LOGIN" --auth-password wrong "${mine[@]}"
refused 530 "submission without a log-in" --port $SUBMISSION --tls "${mine[@]}"
refused 550 "an unknown recipient" --port $SMTP --from anna@example.net --to "nobody@$DOMAIN"
refused 550 "relaying" --port $SMTP --from anna@example.net --to bert@example.org
refused 55. "someone else's sender" --port $SUBMISSIONS --tlsc --auth PLAIN "${login[@]}" --from boss@example.org --to "$ME"
refused 55. "mail to others without a smarthost" --port $SUBMISSIONS --tlsc --auth PLAIN "${login[@]}" --from "$ME" --to bert@example.org
