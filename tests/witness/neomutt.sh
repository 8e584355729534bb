# neomutt in a terminal of its own (tmux): opens INBOX, reads, flags, moves, deletes, answers by
# submission, keeps the copy in Sent, and learns of new mail while it sits there.
. "$WITNESS_HERE/lib.sh"
: "${MUTT:=neomutt}"
need "$MUTT" tmux

mux() { tmux -L "witness-$WITNESS_BASE" -f /dev/null "$@"; }
trap 'mux kill-server 2>/dev/null || true' EXIT

printf '#!/bin/sh\necho "Answered by mutt." >>"$1"\n' >"$WITNESS_TMP/editor"
chmod +x "$WITNESS_TMP/editor"
cat >"$WITNESS_TMP/muttrc" <<END
set folder = "imaps://$HOST:$IMAPS"
set spoolfile = "+INBOX"
set record = "+Sent"
set postponed = "+Drafts"
set trash = "+Trash"
set imap_user = "$LOGIN"
set imap_pass = "${PASSWORD//\"/\\\"}"
set smtp_url = "smtps://$LOGIN@$HOST:$SUBMISSIONS"
set smtp_pass = \$imap_pass
set from = "$ME"
set realname = "Me"
set ssl_starttls = yes
set ssl_force_tls = yes
set certificate_file = "$CA"
set imap_check_subscribed = yes
set imap_idle = yes
set imap_condstore = yes
set imap_qresync = yes
set header_cache = "$WITNESS_TMP/hcache"
set editor = "$WITNESS_TMP/editor"
set timeout = 2
set mail_check = 1
set recall = no
set move = no
set delete = yes
set quit = yes
set confirmappend = no
set confirmcreate = no
set fast_reply = yes
set include = no
set sort = date
set sleep_time = 0
set wait_key = no
set beep = no
set pager_index_lines = 0
set tmpdir = "$WITNESS_TMP"
END

screen() { mux capture-pane -p; }
screen_has() { screen | grep -e "$1" >/dev/null; }
# shows PATTERN: waits until the screen does.
shows() {
    eventually 20 screen_has "$1" || {
        screen
        fail "the screen does not show '$1'"
    }
}
keys() { mux send-keys "$@"; }
open_mutt() {
    mux new-session -d -x 100 -y 30 \
        "env TERM=screen HOME='$WITNESS_TMP' $MUTT -n -F '$WITNESS_TMP/muttrc' $* 2>'$WITNESS_TMP/mutt.err'"
}
quit_mutt() {
    keys q
    eventually 10 mutt_gone || {
        screen
        fail "$MUTT did not end"
    }
}
mutt_gone() { ! mux has-session 2>/dev/null; }

arrive letter 5
open_mutt
say "opens INBOX"
shows 'letter 5'

say "reads the first message"
keys '1' Enter Enter
shows 'Body of letter 1'
keys 'i'
shows 'letter 3'

say "flags the second"
keys '2' Enter
keys 'F'
say "moves the third to Archive"
keys '3' Enter
keys 's'
shows 'Save'
keys C-u '=Archive' Enter
say "deletes the fourth (through the trash)"
keys '4' Enter
keys 'd'
keys '$'
eventually 20 has Archive 'letter 3$' || { screen; fail "nothing in Archive"; }
eventually 20 has Trash 'letter 4$' || { screen; fail "nothing in Trash"; }
inbox_has_three() { [ "$(count INBOX)" = 3 ]; }
eventually 20 inbox_has_three || { screen; look INBOX; fail "INBOX still has $(count INBOX)"; }
has INBOX '\\Seen.* letter 1$' || fail "the first message is not marked as seen"
has INBOX '\\Flagged.* letter 2$' || fail "the second message is not flagged"

say "sees new mail while it waits"
arrive news 1
shows 'news 1'

say "answers"
FROM="Anna <me+anna@$DOMAIN>" arrive question 1
shows 'question 1'
keys End
keys 'r'
shows 'Send'
keys 'y'
eventually 20 has Sent 'Re: question 1$' || { screen; fail "no copy in Sent"; }
eventually 20 has INBOX 'Re: question 1$' || { screen; fail "the answer did not arrive"; }
shows 'Re: question 1'
keys '$'
eventually 20 has INBOX '\\Answered.* question 1$' || fail "the question is not marked as answered"

say "a draft, put off and found again"
keys 'm'
shows 'To:'
keys "$ME" Enter
shows 'Subject'
keys 'draft' Enter
shows 'Send'
keys 'q'
shows 'ostpone'
keys 'y'
eventually 20 has Drafts 'draft$' || { screen; fail "no draft"; }

say "searches on the server, sorts out by limit"
keys 'l' "~s question" Enter
shows 'question 1'
screen_lacks() { ! screen_has "$1"; }
eventually 10 screen_lacks ' letter 2' || fail "the limit shows what it should not"
keys 'l' 'all' Enter
shows 'letter 2'
quit_mutt

say "with nothing but STARTTLS, and what it kept in its header cache"
sed -i "s|^set folder.*|set folder = \"imap://$HOST:$IMAP\"|; s|^set smtp_url.*|set smtp_url = \"smtp://$LOGIN@$HOST:$SUBMISSION\"|" "$WITNESS_TMP/muttrc"
arrive later 2
open_mutt
shows 'later 2'
shows 'letter 2'
keys 'c' '=Archive' Enter
shows 'letter 3'
keys 'm'
shows 'To:'
keys "$ME" Enter
shows 'Subject'
keys 'by starttls' Enter
shows 'Send'
keys 'y'
eventually 20 has INBOX 'by starttls$' || { screen; fail "nothing sent by STARTTLS"; }
quit_mutt
