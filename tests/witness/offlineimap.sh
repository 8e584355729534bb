# offlineimap3: a Maildir kept in step with the server, both ways, with flags, deletions and new
# mailboxes on either side.
. "$WITNESS_HERE/lib.sh"
need offlineimap

LOCAL=$WITNESS_TMP/mail
mkdir -p "$LOCAL"
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
localfolders = $LOCAL
sep = /
[Repository there]
type = IMAP
remotehost = localhost
remoteport = $IMAPS
ssl = yes
sslcacertfile = $CA
remoteuser = $LOGIN
remotepassfile = $WITNESS_TMP/password
maxconnections = 2
END

sync() {
    say "sync: $1"
    HOME=$WITNESS_TMP offlineimap -o -u basic -c "$WITNESS_TMP/offlineimaprc" >"$WITNESS_TMP/offlineimap.log" 2>&1 || {
        tail -n 25 "$WITNESS_TMP/offlineimap.log"
        fail "offlineimap ended with an error at: $1"
    }
    if grep -E 'ERROR' "$WITNESS_TMP/offlineimap.log"; then fail "offlineimap has errors at: $1"; fi
}

here() { find "$LOCAL/$1" -type f -path '*/[cn]*/*' | grep -c . || true; }
same_count() { same "$(count "$1")" "$(here "$1")" "messages in $1, here"; }

arrive far 10
sync "first"
same 10 "$(here INBOX)" "messages here"

arrive later 2
printf '%s\n' "From: $ME" "To: anna@example.net" "Subject: near-1" "Date: $(date -R)" \
    "Message-ID: <near-1@example.net>" "" "Hello" >"$LOCAL/Drafts/new/1.near"
file=$(grep -rl 'Subject: far 3' "$LOCAL/INBOX") && mv "$file" "$LOCAL/INBOX/cur/$(basename "${file%%:2,*}"):2,FS"
file=$(grep -rl 'Subject: far 4' "$LOCAL/INBOX") && rm "$file"
mkdir -p "$LOCAL/Reisen/cur" "$LOCAL/Reisen/new" "$LOCAL/Reisen/tmp"
sync "both sides changed"
sync "settled"
has INBOX '\\Flagged,\\Seen .* far 3$' || fail "flags did not arrive"
if has INBOX 'far 4$'; then fail "a deletion did not arrive"; fi
has Drafts 'near-1$' || fail "the draft did not arrive"
same_count INBOX
same_count Drafts
python3 "$WITNESS_HERE/look.py" mailboxes | grep 'Reisen' >/dev/null || fail "no mailbox Reisen there"

python3 - "$WITNESS_HERE" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import look
box = look.imap()
box.select("INBOX")
box.store("1:2", "+FLAGS", r"(\Answered)")
box.store("5", "+FLAGS", r"(\Deleted)")
box.expunge()
box.create("Arbeit")
box.copy("1", "Arbeit")
END
sync "the server's side changed"
same_count INBOX
same_count Arbeit
same 2 "$(find "$LOCAL/INBOX" -name '*:2,*R*' | wc -l)" "answered messages here"
