# mutt: the same conversation as neomutt's. It speaks SCRAM-SHA-256 and QRESYNC where neomutt does not.
MUTT=mutt
. "$WITNESS_HERE/neomutt.sh"
