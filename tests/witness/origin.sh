# dkimpy and authheaders (PyPI) against our checks of incoming mail, they and opendkim (Debian, if it is
# there) against our signatures of outgoing mail:
# real messages, signed in every way, whole and changed; forwarders' ARC chains; a DNS of our own.
. "$WITNESS_HERE/lib.sh"
python3 -c 'import authheaders, dkim, dns.message, nacl' 2>/dev/null ||
    skip "dkimpy, authheaders, dnspython and PyNaCl are not installed"
export ZONE_PORT=$SPARE SINK_PORT=$((SPARE + 1))
openssl genrsa -traditional -out "$WITNESS_TMP/rsa.pem" 2048 2>/dev/null ||
    openssl genrsa -out "$WITNESS_TMP/rsa.pem" 2048 2>/dev/null
openssl rsa -in "$WITNESS_TMP/rsa.pem" -pubout -outform DER 2>/dev/null | base64 -w0 >"$WITNESS_TMP/rsa.pub"
server_restart --dns 127.0.0.1:$ZONE_PORT --verify all --dmarc ignore --route sink.test=127.0.0.1:$SINK_PORT
"$WITNESS_BIN" dns --db "$STORE" >"$WITNESS_TMP/zone"
python3 "$WITNESS_HERE/parts/origin.py" || fail "see above"
