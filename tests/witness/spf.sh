# pyspf (PyPI) against our SPF: some hundred domains with records made by chance, asked for from many
# addresses, which reach the server by the PROXY protocol; a DNS of our own.
. "$WITNESS_HERE/lib.sh"
python3 -c 'import spf, dns.message' 2>/dev/null || skip "pyspf and dnspython are not installed"
export ZONE_PORT=$SPARE
server_restart --dns 127.0.0.1:$ZONE_PORT --verify all --dmarc ignore --proxy-from 127.0.0.1
python3 "$WITNESS_HERE/parts/spfcheck.py" || fail "see above"
