# Every response that IMAP can bring, read by imaplib and by IMAPClient: see parts/parsers.py.
. "$WITNESS_HERE/lib.sh"

server_restart --quota 100 --quota-messages 10000
python3 "$WITNESS_HERE/parts/parsers.py"
