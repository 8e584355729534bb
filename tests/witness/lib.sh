# What the witnesses share: the server under test, a look at the mailbox from outside, and words.
# Sourced by `run` and by every witness in bash. `run` sets:
#   WITNESS_BIN   the program       WITNESS_TMP   an empty directory, removed afterwards
#   WITNESS_BASE  the first port    WITNESS_HERE  this directory
set -euo pipefail

HOST=127.0.0.1
DOMAIN=example.test
ME=me@$DOMAIN
LOGIN=me
PASSWORD='correct horse; battery "staple"'
SMTP=$((WITNESS_BASE + 0)) SUBMISSION=$((WITNESS_BASE + 1)) SUBMISSIONS=$((WITNESS_BASE + 2))
IMAP=$((WITNESS_BASE + 3)) IMAPS=$((WITNESS_BASE + 4))
POP3=$((WITNESS_BASE + 5)) POP3S=$((WITNESS_BASE + 6))
HTTP=$((WITNESS_BASE + 7)) HTTPS=$((WITNESS_BASE + 8))
SPARE=$((WITNESS_BASE + 9)) # this one and ten more: for a witness that listens itself
CA=$WITNESS_TMP/ca.pem
STORE=$WITNESS_TMP/mail.redb
LOG=$WITNESS_TMP/server.log
export HOST DOMAIN ME LOGIN PASSWORD CA STORE LOG SPARE
export SMTP SUBMISSION SUBMISSIONS IMAP IMAPS POP3 POP3S HTTP HTTPS

say() { printf -- '-- %s\n' "$*"; }

# Ends the witness: it failed, and why.
fail() {
    printf 'FAILED: %s\n' "$*"
    exit 1
}

# Ends the witness without a verdict: something it needs is not here.
skip() {
    printf '%s\n' "$*"
    exit 77
}

# need PROGRAM...: skips unless all are installed.
need() {
    local program
    for program; do
        command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
            skip "$program is not installed"
    done
}

# same WANTED GOT WHAT
same() {
    [ "$1" = "$2" ] || fail "$3: wanted '$1', got '$2'"
}

# eventually SECONDS COMMAND...: tries until the command succeeds.
eventually() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.2
    done
}

server_says_ready() { grep -q ' ready: ' <(tail -n +"$SERVER_LOG_FROM" "$LOG"); }

# server_start [FLAG...]: starts the server on WITNESS_BASE and the eight ports above it.
server_start() {
    touch "$LOG"
    SERVER_LOG_FROM=$(($(wc -l <"$LOG") + 1))
    (umask 077 && printf '%s\n' "$PASSWORD" >"$WITNESS_TMP/password")
    "$WITNESS_BIN" serve --db "$STORE" --domain "$DOMAIN" --password-file "$WITNESS_TMP/password" \
        --smtp $HOST:$SMTP --submission $HOST:$SUBMISSION --submissions $HOST:$SUBMISSIONS \
        --imap $HOST:$IMAP --imaps $HOST:$IMAPS --pop3 $HOST:$POP3 --pop3s $HOST:$POP3S \
        --http $HOST:$HTTP --https $HOST:$HTTPS -v -v "$@" 2>>"$LOG" >>"$LOG" </dev/null &
    echo $! >"$WITNESS_TMP/server.pid"
    disown # no word from the shell when it is killed
    eventually 20 server_says_ready || {
        tail -n 5 "$LOG"
        fail "the server did not start"
    }
    [ -s "$CA" ] || openssl s_client -connect $HOST:$IMAPS </dev/null 2>/dev/null |
        openssl x509 >"$CA"
}

server_pid() { cat "$WITNESS_TMP/server.pid" 2>/dev/null || true; }

server_runs() {
    local pid
    pid=$(server_pid)
    [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null
}

server_gone() { ! server_runs; }

# server_stop [SIGNAL]: ends the server (TERM, or KILL for the sudden way) and waits for its end.
server_stop() {
    server_runs || return 0
    kill -"${1:-TERM}" "$(server_pid)"
    eventually 20 server_gone || fail "the server did not end"
    rm -f "$WITNESS_TMP/server.pid"
}

# server_restart [FLAG...]
server_restart() {
    server_stop
    server_start "$@"
}

# arrive SUBJECT [COUNT]: mail from outside (its From: is $FROM if set), through the SMTP port.
arrive() {
    local n
    for n in $(seq "${2:-1}"); do
        printf '%s\r\n' "From: ${FROM:-Anna <anna@example.net>}" "To: $ME" "Subject: $1 $n" \
            "Message-ID: <$(echo "$1" | tr -c 'a-z0-9\n' -)-$n.$RANDOM$RANDOM@example.net>" \
            "Date: $(date -R)" "" "Body of $1 $n." ".a line with a dot" "" |
            python3 "$WITNESS_HERE/look.py" arrive
    done
}

# look MAILBOX: one line a message, `uid flags sha256 subject`, read with Python's imaplib.
look() { python3 "$WITNESS_HERE/look.py" list "$1"; }

# count MAILBOX [PATTERN]: how many messages (whose line matches) are there.
count() { look "$1" | grep -c -e "${2:-.}" || true; }

# has MAILBOX PATTERN: is there such a message? For `eventually`.
has() { look "$1" | grep -e "$2" >/dev/null; }
