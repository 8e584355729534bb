# A household: mbsync, offlineimap, neomutt, imaplib, IMAPClient and Thunderbird on one mailbox at the
# same time, with a JMAP client and POP3 beside them, while mail arrives. At the end all of them and
# the server have one truth, and no change that was acknowledged is lost.
. "$WITNESS_HERE/lib.sh"
need mbsync offlineimap neomutt tmux thunderbird
python3 -c 'import imapclient' 2>/dev/null || skip "imapclient is not installed"

WORK=$WITNESS_TMP/work
mkdir -p "$WORK" "$WITNESS_TMP/near" "$WITNESS_TMP/offline"
jobs_running=()
MUX="tmux -L witness-$WITNESS_BASE -f /dev/null"
trap '$MUX kill-server 2>/dev/null || true; kill "${jobs_running[@]}" 2>/dev/null || true' EXIT
background() {
    local name=$1
    shift
    "$@" >>"$WITNESS_TMP/$name.out" 2>&1 &
    jobs_running+=($!)
}

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
Path $WITNESS_TMP/near/
Inbox $WITNESS_TMP/near/INBOX

Channel all
Far :far:
Near :near:
Patterns INBOX Archive
Create Near
Expunge Both
SyncState *
END
sync_mbsync() { mbsync -q -c "$WITNESS_TMP/mbsyncrc" all; }

cat >"$WITNESS_TMP/offlineimaprc" <<END
[general]
accounts = me
metadata = $WITNESS_TMP/meta
maxsyncaccounts = 1
[Account me]
localrepository = here
remoterepository = there
[Repository here]
type = Maildir
localfolders = $WITNESS_TMP/offline
sep = /
[Repository there]
type = IMAP
remotehost = localhost
remoteport = $IMAPS
ssl = yes
sslcacertfile = $CA
remoteuser = $LOGIN
remotepassfile = $WITNESS_TMP/password
folderfilter = lambda name: name in ['INBOX', 'Archive']
END
sync_offlineimap() {
    HOME=$WITNESS_TMP offlineimap -o -u basic -c "$WITNESS_TMP/offlineimaprc"
}

again_and_again() {
    while [ ! -e "$WORK/stop" ]; do
        "$@" || true
        sleep 0.3
    done
}

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
$MUX new-session -d -x 100 -y 30 \
    "while :; do env TERM=screen HOME='$WITNESS_TMP' neomutt -n -F '$WITNESS_TMP/muttrc'; sleep 1; done"

for name in send imap jmap pop3; do
    background "$name" python3 "$WITNESS_HERE/many.py" "$name" "$WORK"
done
background imapclient python3 "$WITNESS_HERE/guests.py" imapclient "$WORK"
background thunderbird python3 "$WITNESS_HERE/guests.py" thunderbird "$WORK"
background mbsync again_and_again sync_mbsync
background offlineimap again_and_again sync_offlineimap

shows_letters() { $MUX capture-pane -p | grep 'together [0-9]' >/dev/null; }
eventually 30 shows_letters || {
    $MUX capture-pane -p
    fail "neomutt shows nothing"
}
for n in $(seq "${ROUNDS:-8}"); do
    sleep 3
    # mutt: flag the newest message, read the next, write it down.
    $MUX send-keys Home F j Enter i '$' 2>/dev/null || true
    $MUX capture-pane -p >"$WITNESS_TMP/screen.$n" || true
    # mail sent before Thunderbird is up must not run away from it
    if [ "$n" = "$((${ROUNDS:-8} / 2))" ]; then kill "${jobs_running[0]}" 2>/dev/null || true; fi
done
thunderbird_marked() { [ "$(wc -l <"$WORK/thunderbird.log")" -ge 2 ]; }
eventually 60 thunderbird_marked || {
    tail -n 5 "$WITNESS_TMP/thunderbird.out"
    fail "Thunderbird marked nothing"
}
touch "$WORK/stop"
for job in "${jobs_running[@]}"; do wait "$job" || true; done
$MUX send-keys '$' q 2>/dev/null || true
sleep 1
$MUX kill-server 2>/dev/null || true
grep -q '^shows all' "$WORK/thunderbird.log" || {
    tail -n 5 "$WITNESS_TMP/thunderbird.out"
    fail "Thunderbird shows another INBOX"
}

say "the last sync of both, twice for what each brought the other"
for n in 1 2; do
    sync_mbsync || fail "mbsync's last sync"
    sync_offlineimap >"$WITNESS_TMP/offlineimap.last" 2>&1 || fail "offlineimap's last sync"
done

say "the judge"
python3 "$WITNESS_HERE/many.py" judge "$WORK"
for mailbox in INBOX Archive; do
    there=$(count "$mailbox")
    for copy in near offline; do
        here=$(find "$WITNESS_TMP/$copy/$mailbox" \( -path '*/cur/*' -o -path '*/new/*' \) -type f | grep -c . || true)
        same "$there" "$here" "messages in $mailbox, in the Maildir of $copy"
        seen=$(find "$WITNESS_TMP/$copy/$mailbox" -type f -name '*:2,*S*' | grep -c . || true)
        same "$(count "$mailbox" '\\Seen')" "$seen" "messages read in $mailbox, in $copy"
    done
done
python3 - "$WORK" "$WITNESS_HERE" <<'END'
import os, sys
sys.path.insert(0, sys.argv[2])
import guests
for worker, keyword in (("imapclient", "by-imapclient"), ("thunderbird", "by-bird")):
    with open(os.path.join(sys.argv[1], f"{worker}.log")) as log:
        mids = {line.split()[1] for line in log if line.startswith(keyword)}
    assert mids, f"{worker} marked nothing"
    lost = mids - guests.keyword(keyword)
    assert not lost, f"{worker}: {lost}"
    print(f"{worker}: {len(mids)} marks kept")
END
