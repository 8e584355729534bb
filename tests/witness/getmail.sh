# getmail: POP3 and IMAP over TLS into a file; fetches nothing twice; deletes when told to.
. "$WITNESS_HERE/lib.sh"
need getmail

mkdir -p "$WITNESS_TMP"/{pop3,imap}

# rc NAME RETRIEVER PORT [OPTION]
rc() {
    cat >"$WITNESS_TMP/$1/getmailrc" <<END
[retriever]
type = $2
server = localhost
port = $3
username = $LOGIN
password_command = ("cat", "$WITNESS_TMP/password")
ca_certs = $CA
[destination]
type = MDA_external
path = $(command -v sh)
arguments = ("-c", "cat >>$WITNESS_TMP/$1/mail")
unixfrom = false
allow_root_commands = true
[options]
read_all = false
verbose = 2
${4:-}
END
}
fetch() {
    getmail --getmaildir="$WITNESS_TMP/$1" --rcfile=getmailrc >"$WITNESS_TMP/$1.log" 2>&1 || {
        tail -n 20 "$WITNESS_TMP/$1.log"
        fail "getmail by $1 ended with an error"
    }
}
fetched() { same "$2" "$(grep -c '^Body of' "$WITNESS_TMP/$1/mail")" "messages fetched by $1"; }

arrive first 4
for way in pop3:SimplePOP3SSLRetriever:$POP3S imap:SimpleIMAPSSLRetriever:$IMAPS; do
    IFS=: read -r name retriever port <<<"$way"
    say "$name"
    rc "$name" "$retriever" "$port"
    fetch "$name"
    fetched "$name" 4
    fetch "$name"
    fetched "$name" 4
done
arrive second 2
fetch pop3
fetched pop3 6
fetch imap
fetched imap 6

say "fetched and deleted"
rc imap SimpleIMAPSSLRetriever $IMAPS "delete = true"
arrive third 1
fetch imap
fetched imap 7
same 0 "$(count INBOX)" "messages left"
