# mbsync (isync): a Maildir kept in step with the server, both ways, over several rounds: new mail,
# flags, deletions and mailboxes on either side.
. "$WITNESS_HERE/lib.sh"
need mbsync

LOCAL=$WITNESS_TMP/mail
mkdir -p "$LOCAL"
cat >"$WITNESS_TMP/mbsyncrc" <<END
IMAPStore far
Host $HOST
Port $IMAPS
SSLType IMAPS
CertificateFile $CA
User $LOGIN
PassCmd "cat $WITNESS_TMP/password"

MaildirStore near
Path $LOCAL/
Inbox $LOCAL/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
SyncState *
END

sync() {
    say "sync: $1"
    mbsync -V -c "$WITNESS_TMP/mbsyncrc" all >"$WITNESS_TMP/mbsync.log" 2>&1 || {
        tail -n 20 "$WITNESS_TMP/mbsync.log"
        fail "mbsync ended with $? at: $1"
    }
}

# here MAILBOX [FLAG]: the files of a Maildir (that carry the flag letter).
here() { find "$LOCAL/$1/cur" "$LOCAL/$1/new" -type f -name "*${2:+:2,*$2*}" 2>/dev/null; }
here_count() { here "$@" | wc -l; }

# The same message on both sides, byte for byte? mbsync writes LF and adds its own X-TUID.
both_sides_alike() {
    python3 - "$WITNESS_HERE" "$LOCAL" "$@" <<'END'
import hashlib, os, re, sys
here, local, *mailboxes = sys.argv[1:]
sys.path.insert(0, here)
import look
def digest(body):
    body = re.sub(rb"(?m)^X-TUID: .*\n", b"", body.replace(b"\r\n", b"\n"))
    return hashlib.sha256(body).hexdigest()
LETTERS = {"\\Seen": "S", "\\Answered": "R", "\\Flagged": "F", "\\Deleted": "T", "\\Draft": "D"}
for mailbox in mailboxes:
    far = sorted((digest(body), "".join(sorted(LETTERS[f] for f in flags if f in LETTERS)))
                 for _, flags, body in look.messages(look.imap(), mailbox))
    near = []
    for folder in "cur", "new":
        for name in os.listdir(f"{local}/{mailbox}/{folder}"):
            letters = name.partition(":2,")[2]
            with open(f"{local}/{mailbox}/{folder}/{name}", "rb") as file:
                near.append((digest(file.read()), "".join(sorted(letters))))
    assert far == sorted(near), (mailbox, set(far) ^ set(near))
END
    [ $? -eq 0 ] || fail "the two sides differ"
}

# write MAILBOX SUBJECT: a new message on the near side.
write() {
    printf '%s\n' "From: $ME" "To: anna@example.net" "Subject: $2" "Date: $(date -R)" "" "Hello Anna" \
        >"$LOCAL/$1/new/$(date +%s).$RANDOM$RANDOM.near"
}

arrive far 30
sync "first, 30 messages"
same 30 "$(here_count INBOX)" "messages here"
both_sides_alike INBOX

arrive later 3
write INBOX near-1
write Drafts near-2
file=$(here INBOX | head -n 1) && mv "$file" "$LOCAL/INBOX/cur/$(basename "${file%%:2,*}"):2,FS"
sync "new mail on both sides, flags here"
same 34 "$(count INBOX)" "messages there"
same 34 "$(here_count INBOX)" "messages here"
same 1 "$(count INBOX '\\Flagged,\\Seen')" "flagged there"
same 1 "$(count Drafts near-2)" "drafts there"
both_sides_alike INBOX Drafts

python3 - "$WITNESS_HERE" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import look
box = look.imap()
box.select("INBOX")
box.store("2:4", "+FLAGS", r"(\Seen \Answered)")
box.store("5:9", "+FLAGS", r"(\Deleted)")
box.expunge()
box.create("Projects")
box.create("Projects/Boat")
box.copy("1:2", "Projects/Boat")
END
here INBOX | tail -n 2 | while read -r file; do
    mv "$file" "$LOCAL/INBOX/cur/$(basename "${file%%:2,*}"):2,ST"
done
mkdir -p "$LOCAL/Örtchen/cur" "$LOCAL/Örtchen/new" "$LOCAL/Örtchen/tmp"
write Örtchen near-3
sync "flags, deletions and mailboxes on both sides"
[ "$(here_count INBOX)" = "$(count INBOX)" ] || fail "not the same number of messages"
both_sides_alike INBOX Drafts
# In IMAP4rev1 names are in modified UTF-7 (RFC 3501 §5.1.3); mbsync leaves that to the reader.
python3 "$WITNESS_HERE/look.py" mailboxes | grep 'rtchen' >/dev/null || fail "no mailbox Örtchen there"
[ -d "$LOCAL/Projects/Boat/cur" ] || [ -d "$LOCAL/Projects/Boat" ] || fail "no mailbox Projects/Boat here"
both_sides_alike Projects/Boat

say "nothing changed: nothing is fetched, nothing is written"
before=$(look INBOX | sha256sum)
sync "idle"
same "$before" "$(look INBOX | sha256sum)" "INBOX after an idle sync"
both_sides_alike INBOX Drafts Projects/Boat

say "the server restarts between two rounds"
server_restart
arrive after-restart 2
sync "after a restart"
both_sides_alike INBOX Drafts Projects/Boat
if grep -qiE 'UIDVALIDITY|duplicate' "$WITNESS_TMP/mbsync.log"; then
    fail "mbsync lost its place: $(grep -iE 'UIDVALIDITY|duplicate' "$WITNESS_TMP/mbsync.log")"
fi
