//! SEARCH.
use super::{Imap, message};
use crate::harness::Server;

const HTML: &str = "From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\r\nTo: x@y\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\n\
Date: Tue, 1 Mar 2022 23:30:00 -0800\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
--b\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
<p>sch=F6ne <b>Gr=\r\n=FC=DFe</b> aus K=F6ln</p>\r\n\
--b\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nc2VjcmV0\r\n--b--\r\n";

fn filled() -> (Server, Imap) {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.append("INBOX (\\Seen) \"17-Jul-1996 02:44:25 +0000\"", &message(1));
    imap.append(
        "INBOX (\\Flagged k1) \"18-Jul-1996 02:44:25 +0000\"",
        &message(2),
    );
    imap.append("INBOX (\\Deleted) \"19-Jul-1996 02:44:25 +0000\"", HTML);
    imap.ok("SELECT INBOX");
    (server, imap)
}

#[track_caller]
fn hits(imap: &mut Imap, query: &str) -> String {
    let reply = imap.ok(&format!("SEARCH {query}"));
    reply
        .one("SEARCH")
        .strip_prefix("SEARCH")
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn criteria() {
    let (_server, mut imap) = filled();
    for (query, want) in [
        ("ALL", "1 2 3"),
        ("UNSEEN", "2 3"),
        ("NOT UNSEEN", "1"),
        ("KEYWORD K1", "2"),
        ("UNKEYWORD k1", "1 3"),
        ("KEYWORD never-seen", ""),
        ("OR SEEN DELETED", "1 3"),
        ("2:* UNDELETED", "2"),
        ("UID 3", "3"),
        ("BEFORE 18-Jul-1996", "1"),
        ("ON 18-Jul-1996", "2"),
        ("SINCE 18-Jul-1996", "2 3"),
        ("SENTON 1-Mar-2022", "3"),
        ("SENTBEFORE 8-Feb-1994", "1 2"),
        ("SENTSINCE 1-Jan-2022", "3"),
        ("LARGER 300", "3"),
        ("SMALLER 300", "1 2"),
        ("FROM bob@EXAMPLE", "1 2"),
        ("FROM \"Bob <bob\"", "1 2"),
        ("SUBJECT 2", "2"),
        ("HEADER Message-ID 1@example", "1"),
        ("HEADER mime-version \"\"", "3"),
        ("BODY \"hello 1\"", "1"),
        ("TEXT example.com", "1 2"),
        ("BODY example.com", ""),
        ("BODY secret", ""),
        ("(SEEN) (FLAGGED)", ""),
        ("NEW", "2 3"),
        ("OLD", ""),
        ("EMAILID e999", ""),
        ("SAVEDATESUPPORTED", "1 2 3"),
        ("SAVEDBEFORE 1-Jan-2020", ""),
        ("SAVEDSINCE 1-Jan-2020 NOT SAVEDON 1-Jan-2020", "1 2 3"),
        ("YOUNGER 31536000", ""),
        ("OLDER 31536000 SEEN", "1"),
        ("FUZZY SUBJECT gruse", "3"),
        ("FUZZY (BODY \"helo 1\")", "1"),
        ("FUZZY TEXT xyzzy", ""),
        ("HEADER from \"\"", "1 2 3"),
        ("HEADER x-none \"\"", ""),
        ("1:99", "1 2 3"),
        ("99:*", "3"),
        ("99", ""),
        ("NOT 99", "1 2 3"),
        ("CHARSET US-ASCII BODY K", "3"),
    ] {
        assert_eq!(hits(&mut imap, query), want, "{query}");
    }
}

#[test]
fn other_scripts_and_encodings() {
    let (_server, mut imap) = filled();
    for (query, want) in [
        ("CHARSET UTF-8 SUBJECT {6+}\r\nGR\u{dc}\u{df}", "3"),
        ("CHARSET UTF-8 FROM {7+}\r\nj\u{fc}rgen", "3"),
        (
            "CHARSET UTF-8 BODY {15+}\r\nsch\u{f6}ne Gr\u{fc}\u{df}e",
            "3",
        ),
        // The same in decomposed form, and in another charset (i;unicode-casemap, RFC 5051).
        ("CHARSET UTF-8 SUBJECT {5+}\r\ngru\u{308}", "3"),
        ("CHARSET UTF-7 FROM {9+}\r\nj+APw-rge", "3"),
        ("CHARSET utf-8 TEXT {5+}\r\nK\u{d6}LN", "3"),
    ] {
        assert_eq!(hits(&mut imap, query), want, "{query}");
    }
    assert!(
        imap.no("SEARCH CHARSET X-NONE ALL")
            .tagged
            .contains("[BADCHARSET (UTF-8 US-ASCII ")
    );
}

#[test]
fn extended_answers() {
    let (_server, mut imap) = filled();
    let reply = imap.ok("SEARCH RETURN (MIN MAX COUNT) UNSEEN");
    assert_eq!(reply.untagged, ["ESEARCH (TAG \"t6\") MIN 2 MAX 3 COUNT 2"]);
    assert_eq!(
        imap.ok("UID SEARCH RETURN () ALL").untagged,
        ["ESEARCH (TAG \"t7\") UID ALL 1:3"]
    );
    assert_eq!(
        imap.ok("SEARCH RETURN (ALL COUNT) KEYWORD x").untagged,
        ["ESEARCH (TAG \"t8\") COUNT 0"]
    );
    let reply = imap.ok("SEARCH RETURN (ALL) MODSEQ 1");
    assert!(
        reply.one("ESEARCH").contains("ALL 1:3 MODSEQ "),
        "{reply:?}"
    );
    assert!(
        imap.ok("SEARCH MODSEQ 1")
            .one("SEARCH 1 2 3 (MODSEQ ")
            .ends_with(')')
    );
    assert_eq!(imap.ok("SEARCH MODSEQ 99999999").untagged, ["SEARCH"]);
}

#[test]
fn saved_results() {
    let (_server, mut imap) = filled();
    // RFC 9051 §6.4.4: SAVE alone suppresses the response.
    assert!(imap.ok("SEARCH RETURN (SAVE) UNSEEN").untagged.is_empty());
    assert_eq!(
        imap.ok("FETCH $ UID").untagged,
        ["2 FETCH (UID 2)", "3 FETCH (UID 3)"]
    );
    assert_eq!(imap.ok("UID SEARCH UID $ DELETED").untagged, ["SEARCH 3"]);
    imap.ok("SEARCH RETURN (SAVE MIN) ALL");
    assert_eq!(imap.ok("SEARCH $").untagged, ["SEARCH 1"]);
    imap.no("SEARCH RETURN (SAVE) CHARSET X ALL");
    assert_eq!(imap.ok("SEARCH $").untagged, ["SEARCH"]);
}

#[test]
fn fuzzy_results_have_scores() {
    let (_server, mut imap) = filled();
    imap.append("INBOX", "Subject: hello\r\n\r\nx\r\n");
    imap.append("INBOX", "Subject: help\r\n\r\nx\r\n");
    imap.ok("NOOP");
    let reply = imap.ok("SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT \"hello\"");
    assert_eq!(
        reply.untagged,
        ["ESEARCH (TAG \"t9\") ALL 1:2,4 RELEVANCY (50 50 100)"]
    );
    let reply = imap.ok("SORT (RELEVANCY) UTF-8 FUZZY SUBJECT \"Helo\"");
    assert_eq!(reply.untagged, ["SORT 4 5"]);
    let reply = imap.ok("SORT RETURN (RELEVANCY ALL) (RELEVANCY) UTF-8 FUZZY TEXT \"hello\"");
    assert_eq!(
        reply.untagged,
        ["ESEARCH (TAG \"t11\") ALL 4,1:2 RELEVANCY (100 50 50)"]
    );
    let reply = imap.ok("SORT RETURN (PARTIAL 1:1) (RELEVANCY) UTF-8 FUZZY TEXT \"hello\"");
    assert_eq!(reply.untagged, ["ESEARCH (TAG \"t12\") PARTIAL (1:1 4)"]);
    imap.bad("SEARCH RETURN (RELEVANCY) TEXT hello");
    imap.bad("SORT (RELEVANCY) UTF-8 TEXT hello");
}

/// RFC 9394 §3.2, table 1.
#[test]
fn pages_are_saved_as_the_table_says() {
    let (_server, mut imap) = filled();
    imap.append("INBOX", &message(4));
    imap.ok("NOOP");
    for (options, want) in [
        ("SAVE PARTIAL 2:3", "2 3"),
        ("SAVE PARTIAL 2:3 MIN", "1 2 3"),
        ("SAVE PARTIAL -1:-1 MIN", "1 4"),
        ("SAVE PARTIAL 1:1 MAX", "1 4"),
        ("SAVE PARTIAL 2:2 MIN MAX", "1 2 4"),
        ("SAVE PARTIAL 2:2 COUNT", "1 2 3 4"),
        ("SAVE PARTIAL 9:10", ""),
    ] {
        imap.ok(&format!("SEARCH RETURN ({options}) ALL"));
        assert_eq!(hits(&mut imap, "$"), want, "{options}");
    }
}

#[test]
fn rfc4731() {
    super::transcript::play("rfc4731.txt");
}

#[test]
fn rfc5182() {
    super::transcript::play("rfc5182.txt");
}

#[test]
fn rfc5032() {
    super::transcript::play("rfc5032.txt");
}

/// Whatever a client sends, the answer is BAD or NO, and the next command works.
#[test]
fn hostile_criteria_are_refused() {
    let (_server, mut imap) = filled();
    imap.bad(&format!("SEARCH {}ALL", "NOT ".repeat(10_000)));
    imap.bad(&format!(
        "SEARCH {}ALL{}",
        "(".repeat(10_000),
        ")".repeat(10_000)
    ));
    imap.bad(&format!("SEARCH {}ALL", "FUZZY ".repeat(9_000)));
    imap.bad(&format!("SEARCH {}", "ALL ".repeat(10_000)));
    let reply = imap.bad(&format!("SEARCH UID {}1", "1,".repeat(1_000_000)));
    assert!(reply.tagged.contains("[LIMIT]"), "{reply:?}");
    imap.bad(&format!("SORT ({}DATE) UTF-8 ALL", "DATE ".repeat(5_000)));
    assert_eq!(
        hits(&mut imap, &format!("{}1", "3:1,".repeat(10_000))),
        "1 2 3"
    );
    assert_eq!(hits(&mut imap, "OR 1 OR 2 3"), "1 2 3");
}
