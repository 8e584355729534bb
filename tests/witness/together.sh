# All of them on one mailbox at the same time: mail arrives by SMTP while IMAP and JMAP sessions flag
# and move, POP3 and fetchmail read, mbsync syncs with local changes, mutt looks on; the server is
# killed (kill -9) again and again. At the end IMAP, JMAP and POP3 must see one truth, and nothing
# that was acknowledged may be gone.
. "$WITNESS_HERE/lib.sh"

KILLS=${KILLS:-4} SECONDS_BETWEEN=${SECONDS_BETWEEN:-6}
WORK=$WITNESS_TMP/work
mkdir -p "$WORK" "$WITNESS_TMP/mail"
jobs_running=()
background() {
    "$@" >>"$WITNESS_TMP/$1.out" 2>&1 &
    jobs_running+=($!)
}
MUX="tmux -L witness-$WITNESS_BASE -f /dev/null"
trap '$MUX kill-server 2>/dev/null || true; kill "${jobs_running[@]}" 2>/dev/null || true' EXIT

worker() { exec python3 "$WITNESS_HERE/many.py" "$1" "$WORK"; }

mbsync_again_and_again() {
    cat >"$WITNESS_TMP/mbsyncrc" <<END
IMAPAccount there
Host $HOST
Port $IMAP
SSLType STARTTLS
CertificateFile $CA
User $LOGIN
PassCmd "cat $WITNESS_TMP/password"

IMAPStore far
Account there

MaildirStore near
Path $WITNESS_TMP/mail/
Inbox $WITNESS_TMP/mail/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX Archive
Create Near
Expunge Both
SyncState *
END
    while [ ! -e "$WORK/stop" ]; do
        mbsync -q -c "$WITNESS_TMP/mbsyncrc" all || true
        # Read something here: the flag travels to the server.
        find "$WITNESS_TMP/mail/INBOX/new" -type f 2>/dev/null | head -n 2 | while read -r file; do
            mv "$file" "$WITNESS_TMP/mail/INBOX/cur/$(basename "${file%%:2,*}"):2,RS" || true
        done
    done
}

fetchmail_again_and_again() {
    cat >"$WITNESS_TMP/fetchmailrc" <<END
poll localhost protocol imap port $IMAP auth password
    user '$LOGIN' password '${PASSWORD//\"/\\\"}' sslproto '' keep mda "cat >>$WITNESS_TMP/fetched"
END
    chmod 600 "$WITNESS_TMP/fetchmailrc"
    while [ ! -e "$WORK/stop" ]; do
        FETCHMAILHOME=$WITNESS_TMP fetchmail --nodetach --nosyslog --fetchmailrc "$WITNESS_TMP/fetchmailrc" || true
        sleep 1
    done
}

curl_again_and_again() {
    while [ ! -e "$WORK/stop" ]; do
        curl --silent --show-error --max-time 20 --cacert "$CA" --user "$LOGIN:$PASSWORD" \
            "imaps://$HOST:$IMAPS/INBOX?ALL" "pop3s://$HOST:$POP3S/1" >/dev/null || true
        sleep 0.5
    done
}

background worker send
background worker imap
background worker jmap
background worker pop3
if command -v mbsync >/dev/null; then background mbsync_again_and_again; fi
if command -v fetchmail >/dev/null; then background fetchmail_again_and_again; fi
if command -v curl >/dev/null; then background curl_again_and_again; fi
if command -v neomutt >/dev/null && command -v tmux >/dev/null; then
    cat >"$WITNESS_TMP/muttrc" <<END
set folder = "imap://$HOST:$IMAP"
set spoolfile = "+INBOX"
set imap_user = "$LOGIN"
set imap_pass = "${PASSWORD//\"/\\\"}"
set imap_check_subscribed = yes
set ssl_starttls = yes
set certificate_file = "$CA"
set timeout = 1
set mail_check = 1
set sort = reverse-date
END
    # After each kill mutt asks to be opened again; so a new one is started then.
    $MUX new-session -d -x 100 -y 30 "while :; do
        env TERM=screen HOME='$WITNESS_TMP' neomutt -n -F '$WITNESS_TMP/muttrc'; sleep 1; done"
    shows_letters() { $MUX capture-pane -p | grep 'together [0-9]' >/dev/null; }
    eventually 20 shows_letters || {
        $MUX capture-pane -p
        fail "neomutt shows nothing"
    }
fi

for n in $(seq "$KILLS"); do
    sleep "$SECONDS_BETWEEN"
    # mutt: flag the newest message, read the next, write it down.
    $MUX send-keys Home F j Enter i '$' 2>/dev/null || true
    sleep 1
    say "kill -9, number $n; acknowledged so far: $(cat "$WORK"/*.log | wc -l)"
    server_stop KILL
    server_start
    $MUX send-keys q q y 2>/dev/null || true
done
sleep "$SECONDS_BETWEEN"
touch "$WORK/stop"
wait "${jobs_running[@]}" || true
$MUX kill-server 2>/dev/null || true

say "the judge"
python3 "$WITNESS_HERE/many.py" judge "$WORK"
say "and after a restart"
server_restart
python3 "$WITNESS_HERE/many.py" judge "$WORK"
