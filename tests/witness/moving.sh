# Dovecot and mutt on what `pillarbox export` wrote, and `pillarbox import` of what Dovecot keeps: flags,
# keywords, dates and folders, as Maildir++ and as mbox.
. "$WITNESS_HERE/lib.sh"
need doveadm mutt script
MAIL_UID=$(id -u) MAIL_GID=$(id -g)
if [ "$MAIL_UID" = 0 ]; then MAIL_UID=$(id -u nobody) MAIL_GID=$(id -g nobody); fi
export USER=me HOME=$WITNESS_TMP/home
mkdir -p "$HOME/Mail"

# conf NAME LOCATION: a Dovecot that keeps its mail there.
conf() {
    cat >"$WITNESS_TMP/$1.conf" <<END
base_dir = $WITNESS_TMP/dovecot
log_path = $WITNESS_TMP/dovecot.log
mail_location = $2
mail_home = $HOME
mail_uid = $MAIL_UID
mail_gid = $MAIL_GID
first_valid_uid = $MAIL_UID
first_valid_gid = $MAIL_GID
ssl = no
namespace inbox {
    inbox = yes
    separator = /
}
END
}
# fetch NAME MAILBOX: what Dovecot says of its messages, in order of date.
fetched() {
    doveadm -c "$WITNESS_TMP/$1.conf" -f tab fetch "flags date.received.unixtime hdr.subject" mailbox "$2" all |
        sed '1d; s/\\Recent *//; s/ *\t/\t/g' | sort
}

arrive letter 6
python3 - "$WITNESS_HERE" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import look
box = look.imap()
box.select("INBOX")
box.store("1:2", "+FLAGS", r"(\Seen $later)")
box.store("2:3", "+FLAGS", r"(\Answered \Flagged)")
box.create('"Tree/Br&APw-nch"')
box.copy("3:4", '"Tree/Br&APw-nch"')
box.append('INBOX', r'(\Seen)', '"14-Nov-2013 22:13:20 +0000"', b"Subject: old\r\n\r\nFrom the past\r\n")
END

say "Maildir++, while serving"
"$WITNESS_BIN" export --db "$STORE" --to "$WITNESS_TMP/out" >/dev/null
conf maildir "maildir:$WITNESS_TMP/out"
chown -R "$MAIL_UID:$MAIL_GID" "$WITNESS_TMP/out" "$HOME"
fetched maildir INBOX >"$WITNESS_TMP/inbox"
cat "$WITNESS_TMP/inbox"
same 7 "$(wc -l <"$WITNESS_TMP/inbox")" "messages in Dovecot's INBOX"
grep -q $'^\\\\Seen\t1384467200\told$' "$WITNESS_TMP/inbox" || fail "the old one's flag or date"
same 2 "$(grep -c later "$WITNESS_TMP/inbox")" "messages with the keyword"
same 2 "$(grep -c Flagged "$WITNESS_TMP/inbox")" "flagged messages"
same 2 "$(fetched maildir 'Tree/Brünch' | wc -l)" "messages in Dovecot's folder"

say "mutt and Python read it"
TERM=xterm timeout 20 script -qec "mutt -n -F /dev/null -e 'set sleep_time=0 quit=yes delete=no move=no mark_old=no' -e \"push '<quit>'\" -f $WITNESS_TMP/out" /dev/null \
    >"$WITNESS_TMP/mutt.out" 2>&1 </dev/null || true
grep -q 'Msgs:7 .*Flag:2' "$WITNESS_TMP/mutt.out" || fail "mutt counts otherwise"
python3 - "$WITNESS_TMP/out" <<'END'
import mailbox, sys
box = mailbox.Maildir(sys.argv[1], create=False)
flags = [m.get_flags() for m in box]
assert len(flags) == 7 and sum("F" in f for f in flags) == 2, flags
assert "Tree.Br&APw-nch" in box.list_folders(), box.list_folders()
END

say "mbox, with the server down"
server_stop
"$WITNESS_BIN" export --db "$STORE" --format mbox --to "$WITNESS_TMP/mboxes" >/dev/null
conf mbox "mbox:$WITNESS_TMP/mboxes:INBOX=$WITNESS_TMP/mboxes/INBOX.mbox"
chown -R "$MAIL_UID:$MAIL_GID" "$WITNESS_TMP/mboxes"
fetched mbox INBOX >"$WITNESS_TMP/inbox.mbox"
# Keywords it takes only where the first message lists them all (X-IMAPbase), which a stream cannot.
diff <(sed 's/ \$later//' "$WITNESS_TMP/inbox") "$WITNESS_TMP/inbox.mbox" || fail "Dovecot sees the mbox otherwise than the Maildir"

say "back in, from Dovecot's Maildir"
rm "$STORE" "$CA"
server_start
"$WITNESS_BIN" import --db "$STORE" "$WITNESS_TMP/out" | tee "$WITNESS_TMP/said"
grep -q '^7 imported, 2 there already, 0 refused$' "$WITNESS_TMP/said" || fail "not all came back"
"$WITNESS_BIN" import --db "$STORE" "$WITNESS_TMP/out" "$WITNESS_TMP/mboxes" | grep -q '^0 imported' || fail "twice"
same 7 "$(count INBOX)" "messages in INBOX"
same 2 "$(count INBOX '\\Flagged')" "flagged messages"
same 2 "$(count "Tree/Br&APw-nch")" "messages in the folder"
