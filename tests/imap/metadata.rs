//! GETMETADATA and SETMETADATA: bounds and odd values; the dialogues are in `transcripts/rfc5464.txt`.
use super::Imap;
use crate::harness::Server;

#[test]
fn bounds_and_octets() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let large = "x".repeat(16 * 1024 + 1);
    let reply = imap.no(&format!(
        "SETMETADATA INBOX (/shared/a \"y\" /shared/b {{{}+}}\r\n{large})",
        large.len()
    ));
    assert!(reply.tagged.contains("[METADATA MAXSIZE 16384]"));
    // Larger than any command may be: refused before it is sent.
    let reply = imap.no("SETMETADATA INBOX (/shared/b {1000000}");
    assert!(reply.tagged.contains("[METADATA MAXSIZE 16384]"));
    let reply = imap.ok("GETMETADATA INBOX /shared/a");
    assert_eq!(reply.untagged, ["METADATA INBOX (/shared/a NIL)"]);
    imap.ok("SETMETADATA INBOX (/shared/a ~{3+}\r\n\0\r\n)");
    let reply = imap.ok("GETMETADATA INBOX /shared/a");
    assert_eq!(
        reply.untagged,
        ["METADATA INBOX (/shared/a ~{3}\r\n\0\r\n)"]
    );
    imap.ok("SETMETADATA INBOX (/shared/a \"\")");
    let reply = imap.ok("GETMETADATA INBOX (DEPTH infinity) /shared");
    assert_eq!(reply.untagged, ["METADATA INBOX (/shared/a \"\")"]);
    for n in 0..100 {
        imap.run(&format!("SETMETADATA INBOX (/shared/{n} x{n})"));
        imap.run(&format!("SETMETADATA INBOX (/shared/{n} \"{n}\")"));
    }
    let reply = imap.no("SETMETADATA INBOX (/private/more \"x\")");
    assert!(reply.tagged.contains("[METADATA TOOMANY]"));
    imap.ok("RENAME INBOX was");
    assert_eq!(
        imap.ok("GETMETADATA was /shared/7").untagged,
        ["METADATA was (/shared/7 \"7\")"]
    );
    imap.ok("DELETE was");
    imap.ok("CREATE was");
    assert_eq!(
        imap.ok("GETMETADATA was /shared/7").untagged,
        ["METADATA was (/shared/7 NIL)"]
    );
}
