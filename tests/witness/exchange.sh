# Mail by MX, both ways, in a network of its own: knot signs the zones, unbound checks them, Postfix is
# there.example and the server here.example. DANE both ways, MTA-STS one way; a wrong certificate gets no mail.
. "$WITNESS_HERE/lib.sh"
PATH=$PATH:/usr/sbin
need postfix postconf knotd keymgr unbound openssl unshare ip python3
[ "$(id -u)" = 0 ] || skip "a network of its own is for root"
id postfix >/dev/null 2>&1 || skip "there is no user postfix"
unshare --net --mount true 2>/dev/null || skip "no network of its own here"

if [ -z "${WITNESS_INSIDE:-}" ]; then
    WITNESS_INSIDE=yes exec unshare --net --mount bash "$WITNESS_HERE/exchange.sh"
fi

NS=10.9.0.53 US=10.9.0.10 MX=10.9.0.25 BAD=10.9.0.26 STS=10.9.0.80
ip link set lo up
ip link add dummy0 type dummy 2>/dev/null || ip link add name dummy0 type bridge 2>/dev/null ||
    skip "no dummy interface"
for address in $NS $US $MX $BAD $STS; do ip address add $address/24 dev dummy0; done
ip link set dummy0 up

W=$WITNESS_TMP/exchange
mkdir -p "$W"
chmod 755 "$W"
PIDS=()
finish() {
    postfix -c "$W/postfix" stop >/dev/null 2>&1 || true
    for pid in "${PIDS[@]}" $(cat "$W"/*.pid 2>/dev/null); do kill "$pid" 2>/dev/null || true; done
}
trap finish EXIT

# ---- certificates: an authority, and one certificate each
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=Authority" \
    -addext basicConstraints=critical,CA:TRUE -keyout "$W/ca.key" -out "$W/ca.pem" 2>/dev/null
certificate() { # NAME DNS-NAME
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" \
        -keyout "$W/$1.key" -out "$W/$1.csr" 2>/dev/null
    printf 'subjectAltName=DNS:%s\nbasicConstraints=CA:FALSE\n' "$2" >"$W/$1.ext"
    openssl x509 -req -in "$W/$1.csr" -CA "$W/ca.pem" -CAkey "$W/ca.key" -CAcreateserial -days 30 \
        -extfile "$W/$1.ext" -out "$W/$1.pem" 2>/dev/null
    chmod 644 "$W/$1.pem"
    chmod 600 "$W/$1.key"
}
certificate mx mx.there.example
certificate us mx.here.example
certificate sts mta-sts.sts.example
cat "$W/sts.pem" "$W/sts.key" >"$W/sts.both"
# Of the public key: 3 1 1.
spki() { openssl x509 -in "$1" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1; }

# ---- zones, signed by knot, checked by unbound
zone() { # NAME LINE...
    local name=$1
    shift
    { printf '%s. 60 IN SOA ns.%s. x.%s. 1 60 60 600 60\n%s. 60 IN NS ns.%s.\nns.%s. 60 IN A %s\n' \
        "$name" "$name" "$name" "$name" "$name" "$name" $NS; printf '%s\n' "$@"; } >"$W/$name.zone"
}
zone there.example "there.example. 60 IN MX 10 mx.there.example." "mx.there.example. 60 IN A $MX" \
    "_25._tcp.mx.there.example. 60 IN TLSA 3 1 1 $(spki "$W/mx.pem")"
zone wrong.example "wrong.example. 60 IN MX 10 mx.wrong.example." "mx.wrong.example. 60 IN A $MX" \
    "_25._tcp.mx.wrong.example. 60 IN TLSA 3 1 1 $(spki "$W/us.pem")"
# Ours is what the program says to publish, as it says it, and what only we know.
(umask 077 && printf '%s\n' "$PASSWORD" >"$W/password")
"$WITNESS_BIN" init --db "$W/us.redb" --domain here.example --hostname mx.here.example \
    --password-file "$W/password" >"$W/init.out" 2>&1 || fail "init: $(cat "$W/init.out")"
"$WITNESS_BIN" dns --db "$W/us.redb" >"$W/published" 2>/dev/null || fail "dns"
zone here.example "mx.here.example. 60 IN A $US" "_25._tcp.mx.here.example. 60 IN TLSA 3 1 1 $(spki "$W/us.pem")" \
    "$(cat "$W/published")"
# Without DNSSEC: MTA-STS says which host it may be, and the certificate has to be its own.
zone sts.example "sts.example. 60 IN MX 10 mx.there.example." 'sts.example. 60 IN MX 20 mx.sts.example.' \
    "mx.sts.example. 60 IN A $MX" "mta-sts.sts.example. 60 IN A $STS" '_mta-sts.sts.example. 60 IN TXT "v=STSv1; id=1"'
mkdir -p "$W/knot"
{
    printf 'server:\n  rundir: "%s/knot"\n  listen: %s@5300\n  pidfile: "%s/knot.pid"\n' "$W" $NS "$W"
    printf 'log:\n  - target: "%s/knot.log"\n    any: info\n' "$W"
    printf 'database:\n  storage: "%s/knot"\n' "$W"
    printf 'policy:\n  - id: p\n    single-type-signing: on\n    algorithm: ecdsap256sha256\n    nsec3: off\n'
    printf 'zone:\n'
    for z in there wrong here; do
        printf '  - domain: %s.example\n    file: "%s/%s.example.zone"\n    dnssec-signing: on\n    dnssec-policy: p\n    zonefile-sync: -1\n    zonefile-load: difference-no-serial\n    journal-content: all\n' $z "$W" $z
    done
    printf '  - domain: sts.example\n    file: "%s/sts.example.zone"\n' "$W"
} >"$W/knot.conf"
knotd -c "$W/knot.conf" >"$W/knot.out" 2>&1 &
PIDS+=($!)
anchor() { keymgr -c "$W/knot.conf" "$1" dnskey 2>/dev/null | head -1; }
anchors() { for z in there wrong here; do anchor $z.example | grep -q DNSKEY || return 1; done; }
eventually 20 anchors || { cat "$W/knot.out" "$W/knot.log"; fail "knot did not sign"; }
for z in there wrong here; do anchor $z.example; done >"$W/anchors"
{
    printf 'server:\n  interface: %s@53\n  access-control: 10.9.0.0/24 allow\n  do-daemonize: no\n' $NS
    printf '  username: ""\n  chroot: ""\n  directory: "%s"\n  pidfile: "%s/unbound.pid"\n  use-syslog: no\n' "$W" "$W"
    printf '  trust-anchor-file: "%s/anchors"\n  do-not-query-localhost: no\n  local-zone: "example." nodefault\n' "$W"
    printf '  module-config: "validator iterator"\n  domain-insecure: "sts.example"\n  logfile: "%s/unbound.log"\nremote-control:\n  control-enable: no\n' "$W"
    for z in there wrong here sts; do
        printf 'stub-zone:\n  name: "%s.example"\n  stub-addr: %s@5300\n' $z $NS
    done
} >"$W/unbound.conf"
unbound -c "$W/unbound.conf" -d >"$W/unbound.out" 2>&1 &
PIDS+=($!)
printf 'nameserver %s\noptions trust-ad edns0\n' $NS >"$W/resolv.conf"
mount --bind "$W/resolv.conf" "$(readlink -f /etc/resolv.conf)"

# ---- the policy host
python3 - "$W" $STS <<'END' &
import http.server, ssl, sys
class Policy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        assert self.path == "/.well-known/mta-sts.txt", self.path
        body = b"version: STSv1\r\nmode: enforce\r\nmx: mx.sts.example\r\nmx: mx.there.example\r\nmax_age: 86400\r\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.HTTPServer((sys.argv[2], 443), Policy)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/sts.both")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
END
PIDS+=($!)

# ---- Postfix, for there.example, wrong.example and sts.example
CONF=$W/postfix
MAILLOG=$W/maillog
mkdir -p "$CONF" "$W/queue" "$W/data" "$W/spool"
chown postfix "$W/data" "$W/spool"
: >"$MAILLOG"
cat >"$CONF/main.cf" <<END
compatibility_level = 3.6
queue_directory = $W/queue
data_directory = $W/data
maillog_file = $MAILLOG
maillog_file_prefixes = $W
myhostname = mx.there.example
mydestination =
inet_interfaces = $MX
smtp_bind_address = $MX
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = there.example, wrong.example, sts.example
virtual_mailbox_base = $W/spool
virtual_mailbox_maps = inline:{ {x@there.example = x} {x@wrong.example = x} {x@sts.example = x} }
virtual_uid_maps = static:$(id -u postfix)
virtual_gid_maps = static:$(id -g postfix)
virtual_minimum_uid = 1
smtpd_tls_cert_file = $W/mx.pem
smtpd_tls_key_file = $W/mx.key
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_tls_received_header = yes
smtp_dns_support_level = dnssec
smtp_tls_security_level = dane-only
smtp_tls_loglevel = 1
minimal_backoff_time = 2s
maximal_backoff_time = 3s
queue_run_delay = 2s
END
cat >"$CONF/master.cf" <<END
$MX:25    inet n - n - - smtpd
$SPARE    inet n - n - - smtpd
pickup    unix  n - n 60 1 pickup
cleanup   unix  n - n - 0 cleanup
qmgr      unix  n - n 300 1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - - trivial-rewrite
bounce    unix  - - n - 0 bounce
defer     unix  - - n - 0 bounce
trace     unix  - - n - 0 bounce
verify    unix  - - n - 1 verify
proxymap  unix  - - n - - proxymap
smtp      unix  - - n - - smtp
relay     unix  - - n - - smtp
error     unix  - - n - - error
retry     unix  - - n - - error
virtual   unix  - n n - - virtual
anvil     unix  - - n - 1 anvil
scache    unix  - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
END
postfix -c "$CONF" start >"$W/postfix.out" 2>&1 || {
    cat "$W/postfix.out" "$MAILLOG"
    fail "Postfix did not start"
}

# ---- us
US_LOG=$W/us.log
us() { # FLAG...: starts the server of here.example
    "$WITNESS_BIN" serve --db "$W/us.redb" --cert "$W/us.pem" --key "$W/us.key" --smtp $US:25 --submission off --submissions $US:465 --imap off \
        --imaps $US:993 --pop3 off --pop3s off --http off --https off --direct --dns $NS --source-address $US \
        --verify off --queue-retry 2 --queue-retry-most 3 -v -v "$@" >>"$US_LOG" 2>&1 </dev/null &
    echo $! >"$W/us.pid"
    eventually 20 grep -q ' ready: ' "$US_LOG" || { tail -5 "$US_LOG"; fail "the server did not start"; }
}
submit() { # TO SUBJECT
    python3 - "$1" "$2" "$W" $US <<'END'
import smtplib, ssl, sys, os
to, subject, work, host = sys.argv[1:]
context = ssl.create_default_context(cafile=work + "/ca.pem")
context.check_hostname = False
with smtplib.SMTP_SSL(host, 465, context=context) as server:
    server.login("me", os.environ["PASSWORD"])
    server.sendmail("me@here.example", [to], f"From: me@here.example\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nHello\r\n")
END
}
waits() { "$WITNESS_BIN" queue list --db "$W/us.redb" | grep -c "/$1" || true; }
taken() { grep -qs "^Subject: $1" "$W/spool/x"; }
us --dns-trusted --tls-ca "$W/ca.pem"

say "to Postfix by MX, with the certificate that DANE names"
submit x@there.example dane-right
eventually 30 taken dane-right || { tail -5 "$US_LOG" "$MAILLOG"; fail "it did not arrive"; }
grep -q "TLS connection established from .*\[$US\].*TLSv1.3" "$MAILLOG" || fail "not over TLS"
grep -q "d=here.example; s=pillarbox-e1" "$W/spool/x" || fail "not signed"

say "what knot published verifies our signatures: opendkim, dkimpy"
python3 - "$W" <<'END'
import sys
text = open(sys.argv[1] + "/spool/x", "rb").read()
text = text[text.index(b"DKIM-Signature:"):].replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"
open(sys.argv[1] + "/signed", "wb").write(text.replace(b"\n", b"\r\n"))
try:
    import dkim
except ImportError:
    sys.exit(0)
verifier = dkim.DKIM(text.replace(b"\n", b"\r\n"))
for index in (0, 1):
    assert verifier.verify(index), index
END
if command -v opendkim >/dev/null; then
    printf 'Mode v\nNameservers %s\n' $NS >"$W/opendkim.conf"
    opendkim -x "$W/opendkim.conf" -t "$W/signed" >"$W/opendkim.out" 2>&1 || { cat "$W/opendkim.out"; fail "opendkim"; }
    grep -q 'verification (s=pillarbox-r1, d=here.example, 2048-bit key) succeeded' "$W/opendkim.out" ||
        { cat "$W/opendkim.out"; fail "opendkim"; }
fi

say "another certificate than DANE names: no mail, it waits and says why"
submit x@wrong.example dane-wrong
refused() { grep -q "$1.*invalid peer certificate" "$US_LOG"; }
eventually 30 refused mx.wrong.example || { tail -5 "$US_LOG"; fail "nothing was refused"; }
sleep 3
taken dane-wrong && fail "it went to a stranger"
same 1 "$(waits wrong.example)" "messages that wait for wrong.example"

say "MTA-STS: the certificate of the host that the policy allows"
submit x@sts.example sts-right
eventually 30 taken sts-right || { tail -5 "$US_LOG" "$MAILLOG"; fail "it did not arrive"; }

say "MTA-STS: the only host left has a certificate of another name"
sed -i 's/10 mx.there.example/10 mx.sts.example/' "$W/sts.example.zone"
sed -i 's/ 1 60 60 600 60/ 2 60 60 600 60/' "$W/sts.example.zone"
kill "$(cat "$W/us.pid")" && wait "$(cat "$W/us.pid")" 2>/dev/null || true
knotc -c "$W/knot.conf" zone-reload sts.example >/dev/null 2>&1 || kill -HUP "${PIDS[0]}"
kill "${PIDS[1]}"
unbound -c "$W/unbound.conf" -d >"$W/unbound.out" 2>&1 &
PIDS+=($!)
: >"$US_LOG"
us --dns-trusted --tls-ca "$W/ca.pem"
submit x@sts.example sts-wrong
eventually 30 refused mx.sts.example || { tail -5 "$US_LOG"; fail "nothing was refused"; }
sleep 3
taken sts-wrong && fail "it went to a stranger"
same 1 "$(waits sts.example)" "messages that wait for sts.example"

say "from Postfix by MX, which asks DANE about us (dane-only)"
printf 'From: x@there.example\nTo: me@here.example\nSubject: to-us\n\nHello\n' |
    MAIL_CONFIG=$CONF sendmail -f x@there.example me@here.example
arrived_here() {
    python3 - $US "$W" <<'END'
import imaplib, os, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2] + "/ca.pem")
context.check_hostname = False
box = imaplib.IMAP4_SSL(sys.argv[1], 993, ssl_context=context)
box.login("me", os.environ["PASSWORD"])
box.select("INBOX")
sys.exit(0 if box.search(None, "SUBJECT", "to-us")[1][0] else 1)
END
}
eventually 30 arrived_here || { tail -5 "$MAILLOG"; fail "it did not arrive"; }
grep -q "Verified TLS connection established to mx.here.example" "$MAILLOG" || fail "not verified by DANE"
say "done"
