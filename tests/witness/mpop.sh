# mpop: POP3 over STLS and TLS with every mechanism it shares with the server, filters by header
# (TOP), fetches what is new only, deletes; a wrong password.
. "$WITNESS_HERE/lib.sh"
need mpop

# fetch NAME PORT STARTTLS AUTH OPTION...
fetch() {
    local name=$1 port=$2 starttls=$3 auth=$4
    shift 4
    mkdir -p "$WITNESS_TMP/$name"/{cur,new,tmp}
    cat >"$WITNESS_TMP/mpoprc" <<END
account $name
host localhost
port $port
user $LOGIN
passwordeval "${WITNESS_PASSWORD_COMMAND:-cat $WITNESS_TMP/password}"
auth $auth
tls on
tls_starttls $starttls
tls_trust_file $CA
uidls_file $WITNESS_TMP/uidls.$name
delivery maildir $WITNESS_TMP/$name
END
    chmod 600 "$WITNESS_TMP/mpoprc"
    mpop --file="$WITNESS_TMP/mpoprc" "$@" "$name" >"$WITNESS_TMP/$name.log" 2>&1
}
fetched() { same "$2" "$(find "$WITNESS_TMP/$1/new" -type f | wc -l)" "messages fetched: $1"; }

arrive first 3
for auth in user plain login scram-sha-256; do
    for way in "$POP3:on" "$POP3S:off"; do
        say "$auth, port ${way%:*}"
        fetch "$auth-${way#*:}" "${way%:*}" "${way#*:}" "$auth" --keep=on || {
            cat "$WITNESS_TMP/$auth-${way#*:}.log"
            fail "mpop ended with an error"
        }
        fetched "$auth-${way#*:}" 3
    done
done

say "a wrong password"
if WITNESS_PASSWORD_COMMAND="echo wrong" fetch wrong "$POP3S" off plain; then
    fail "a wrong password was accepted"
fi

say "only what is new"
arrive second 2
fetch user-off "$POP3S" off user --keep=on
fetched user-off 5

say "only headers, then all, deleted"
fetch headers "$POP3S" off user --keep=on --only-new=off --killsize=100 --skipsize=100 || true
fetch all "$POP3S" off scram-sha-256 --keep=off
fetched all 5
same 0 "$(count INBOX)" "messages left"
