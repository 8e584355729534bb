# Dovecot's doveadm (dsync over imapc), the way people move house: a whole account is copied from the
# server into a Maildir, changed there, and synced back; every flag and byte compared.
. "$WITNESS_HERE/lib.sh"
need doveadm
# It does nothing with root's rights.
MAIL_UID=$(id -u) MAIL_GID=$(id -g)
if [ "$MAIL_UID" = 0 ]; then MAIL_UID=$(id -u nobody) MAIL_GID=$(id -g nobody); fi

cat >"$WITNESS_TMP/dovecot.conf" <<END
base_dir = $WITNESS_TMP/dovecot
log_path = $WITNESS_TMP/dovecot.log
mail_location = maildir:$WITNESS_TMP/maildir
mail_home = $WITNESS_TMP/home
mail_uid = $MAIL_UID
mail_gid = $MAIL_GID
first_valid_uid = $MAIL_UID
first_valid_gid = $MAIL_GID
ssl = no
ssl_client_ca_file = $CA
imapc_host = 127.0.0.1
imapc_port = $IMAPS
imapc_ssl = imaps
imapc_user = $LOGIN
imapc_password = $PASSWORD
imapc_features = rfc822.size fetch-headers modseq acl
mail_prefetch_count = 20
namespace inbox {
    inbox = yes
    separator = /
}
END
mkdir -p "$WITNESS_TMP/home" "$WITNESS_TMP/maildir"
chown "$MAIL_UID:$MAIL_GID" "$WITNESS_TMP/home" "$WITNESS_TMP/maildir"
export USER=me HOME=$WITNESS_TMP/home

adm() {
    doveadm -c "$WITNESS_TMP/dovecot.conf" "$@" >"$WITNESS_TMP/doveadm.out" 2>&1 || {
        local status=$?
        # 2: something changed on one side meanwhile, another round is wanted.
        [ $status = 2 ] && return
        cat "$WITNESS_TMP/doveadm.out"
        fail "doveadm $*: ended with $status"
    }
}
# near_count MAILBOX [SEARCH...]
near_count() {
    local mailbox=$1
    shift
    doveadm -c "$WITNESS_TMP/dovecot.conf" search mailbox "$mailbox" "${@:-all}" | wc -l
}

arrive letter 20
python3 - "$WITNESS_HERE" <<'END'
import sys
sys.path.insert(0, sys.argv[1])
import look
box = look.imap()
box.select("INBOX")
box.store("1:5", "+FLAGS", r"(\Seen $later)")
box.create("Tree/Branch")
box.copy("3:6", "Tree/Branch")
END

say "moves in: a copy of the whole account"
adm backup -R imapc:
same 20 "$(near_count INBOX)" "messages here"
same 4 "$(near_count Tree/Branch)" "messages in Tree/Branch, here"
same 5 "$(near_count INBOX seen)" "seen messages here"

say "both sides change; in step again"
doveadm -c "$WITNESS_TMP/dovecot.conf" flags add '\Flagged' mailbox INBOX subject 'letter 7'
doveadm -c "$WITNESS_TMP/dovecot.conf" expunge mailbox INBOX subject 'letter 8'
printf '%s\n' "Subject: from here" "" "x" | doveadm -c "$WITNESS_TMP/dovecot.conf" save -m Tree/Branch
arrive later 2
adm sync imapc:
adm sync imapc:
same 21 "$(count INBOX)" "messages there"
same 21 "$(near_count INBOX)" "messages here"
has INBOX '\\Flagged.* letter 7$' || fail "the flag did not arrive there"
has Tree/Branch 'from here$' || fail "the new message did not arrive there"
if has INBOX 'letter 8$'; then fail "the deletion did not arrive there"; fi

say "moves out: into an empty server"
server_stop
rm "$STORE" "$CA" # a new store has a new certificate
server_start
adm sync -1 imapc:
same 21 "$(count INBOX)" "messages there"
same 5 "$(count INBOX '\\Seen')" "seen messages there"
same 5 "$(count Tree/Branch)" "messages in Tree/Branch, there"
