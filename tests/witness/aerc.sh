# aerc in a terminal of its own (tmux): opens INBOX, reads, flags, archives, learns of new mail by
# IDLE, and sends with a copy to Sent.
. "$WITNESS_HERE/lib.sh"
need aerc tmux

mux() { tmux -L "witness-$WITNESS_BASE" -f /dev/null "$@"; }
trap 'mux kill-server 2>/dev/null || true' EXIT
screen_has() { mux capture-pane -p | grep -e "$1" >/dev/null; }
shows() {
    eventually 20 screen_has "$1" || {
        mux capture-pane -p
        fail "the screen does not show '$1'"
    }
}
keys() {
    mux send-keys "$@"
    sleep 0.5
}

mkdir -p "$WITNESS_TMP/aerc"
printf '#!/bin/sh\necho "Written in aerc." >>"$1"\n' >"$WITNESS_TMP/editor"
printf '#!/bin/sh\ncat "%s"\n' "$WITNESS_TMP/password" >"$WITNESS_TMP/say-password"
chmod +x "$WITNESS_TMP/editor" "$WITNESS_TMP/say-password"
cat >"$WITNESS_TMP/aerc/accounts.conf" <<END
[me]
source = imaps+insecure://$LOGIN@localhost:$IMAPS
source-cred-cmd = $WITNESS_TMP/say-password
outgoing = smtps+plain://$LOGIN@localhost:$SUBMISSIONS
outgoing-cred-cmd = $WITNESS_TMP/say-password
default = INBOX
from = Me <$ME>
copy-to = Sent
archive = Archive
END
chmod 600 "$WITNESS_TMP/aerc/accounts.conf"

arrive letter 3
mux new-session -d -x 110 -y 35 "env TERM=screen XDG_CONFIG_HOME='$WITNESS_TMP' HOME='$WITNESS_TMP' \
    EDITOR='$WITNESS_TMP/editor' SSL_CERT_FILE='$CA' aerc 2>'$WITNESS_TMP/aerc.err'"
say "opens INBOX"
shows 'letter 3'

say "reads, flags, archives"
keys :select Space 0 Enter
keys Enter
shows 'Body of letter'
keys q
keys :flag Enter
eventually 20 has INBOX '\\Flagged' || fail "no flag arrived"
keys :archive Space flat Enter
one_archived() { [ "$(count Archive)" = 1 ] && [ "$(count INBOX)" = 2 ]; }
eventually 20 one_archived || {
    mux capture-pane -p
    fail "nothing was archived"
}

say "learns of new mail"
arrive news 1
shows 'news 1'

say "sends"
keys ":compose -H 'To: $ME' -H 'Subject: by aerc'" Enter
sleep 1
if screen_has 'Subject: by aerc' && ! screen_has 'Send this email'; then keys Enter; fi
shows 'Send this email'
keys y
eventually 20 has INBOX 'by aerc$' || {
    mux capture-pane -p
    fail "what was sent did not arrive"
}
eventually 20 has Sent 'by aerc$' || fail "no copy in Sent"
keys :quit Enter
