# fetchmail: POP3 and IMAP, plain and over TLS, all its log-ins; keeps, then flushes; fetches
# nothing twice; hands each message to a file as it came. (It knows certificates of names only.)
. "$WITNESS_HERE/lib.sh"
need fetchmail

# fetch NAME PROTOCOL PORT AUTH TLS FLAG...: into $WITNESS_TMP/NAME, one message after the other.
fetch() {
    local name=$1 protocol=$2 port=$3 auth=$4 tls=$5 options= rc=$WITNESS_TMP/fetchmailrc status=0
    shift 5
    if [ "$*" = keep ] && [ $protocol = pop3 ]; then options=--uidl; fi
    case $tls in
        tls) tls="ssl sslcertck sslcertfile $CA" ;;
        starttls) tls="sslproto 'TLS1.2+' sslcertck sslcertfile $CA" ;;
        plain) tls="sslproto ''" ;;
    esac
    cat >"$rc" <<END
set no bouncemail
poll localhost protocol $protocol port $port auth $auth
    user '$LOGIN' password '${PASSWORD//\"/\\\"}' $tls
    mda "cat >>$WITNESS_TMP/$name" $@
END
    chmod 600 "$rc"
    FETCHMAILHOME=$WITNESS_TMP HOME=$WITNESS_TMP fetchmail --nodetach --nosyslog --verbose \
        $options --fetchmailrc "$rc" --idfile "$WITNESS_TMP/fetchids.$name" >"$WITNESS_TMP/$name.log" 2>&1 || status=$?
    case $status in
        0 | 1) ;; # 1: there was no new mail
        *)
            tail -n 30 "$WITNESS_TMP/$name.log"
            fail "$name: fetchmail ended with $status"
            ;;
    esac
    [ -e "$WITNESS_TMP/$name" ] || : >"$WITNESS_TMP/$name"
}

fetched() { same "$2" "$(grep -c '^Body of' "$WITNESS_TMP/$1" || true)" "messages fetched: $1"; }

arrive "first" 3

say "pop3, kept"
fetch pop3-plain pop3 $POP3 password plain keep fetchall
fetched pop3-plain 3
grep -q '^\.a line with a dot' "$WITNESS_TMP/pop3-plain" || fail "pop3: a line with a dot was changed"
fetch pop3-stls pop3 $POP3 password starttls keep fetchall
fetched pop3-stls 3
fetch pop3-tls pop3 $POP3S password tls keep fetchall
fetched pop3-tls 3

say "pop3, only what is new (UIDL)"
fetch pop3-new pop3 $POP3S password tls keep
fetched pop3-new 3
arrive "second" 2
fetch pop3-new pop3 $POP3S password tls keep
fetched pop3-new 5

say "imap, kept"
fetch imap-plain imap $IMAP password plain keep fetchall
fetched imap-plain 5
fetch imap-starttls imap $IMAP password starttls keep fetchall
fetched imap-starttls 5
fetch imap-tls imap $IMAPS password tls keep fetchall
fetched imap-tls 5
same 5 "$(count INBOX '\\Seen')" "messages marked as seen"

say "imap, only what is new (UNSEEN)"
arrive "third" 2
fetch imap-new imap $IMAPS password tls keep
fetched imap-new 2

say "fetched and deleted: by imap"
arrive "fourth" 1
fetch imap-flush imap $IMAPS password tls nokeep
fetched imap-flush 1
same 7 "$(count INBOX)" "messages left"

say "fetched and deleted: by pop3"
fetch pop3-flush pop3 $POP3S password tls nokeep fetchall
fetched pop3-flush 7
same 0 "$(count INBOX)" "messages left"
