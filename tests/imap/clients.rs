//! What real clients send, and what they trip over: dialogues as their logs show them.
use super::{Imap, message};
use crate::harness::{PASSWORD, Server, USER};
use pillarbox::config::Role;

/// Everybody: the capabilities come with the greeting and with the log-in, so that nobody asks.
#[test]
fn capabilities_come_unasked() {
    let server = Server::start();
    let mut client = server.client(Role::Imap);
    assert!(client.line().starts_with("* OK [CAPABILITY IMAP4rev1 "));
    client.send(&format!("a LOGIN {USER} \"{PASSWORD}\""));
    assert!(client.line().starts_with("a OK [CAPABILITY IMAP4rev1 "));
}

/// aerc: IDLE around every command, DONE and the next command in one packet.
#[test]
fn aerc_idles_between_commands() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.fill("INBOX", 1);
    for _ in 0..20 {
        let idle = imap.send("IDLE");
        assert!(imap.response().starts_with("+ "));
        imap.client
            .send("DONE\r\nx1 UID FETCH 1 (FLAGS)\r\nx2 NOOP");
        assert!(imap.until(&idle).tagged.starts_with("OK "));
        imap.until("x1").one("UID 1 FLAGS");
        imap.until("x2");
    }
    let reply = imap.ok("LIST \"\" * RETURN (STATUS (MESSAGES RECENT UNSEEN UIDNEXT))");
    assert_eq!(reply.with("LIST (").len(), reply.with("STATUS ").len());
    imap.ok("UID SORT (REVERSE DATE) UTF-8 ALL").one("SORT 1");
    imap.ok("UID THREAD REFERENCES UTF-8 ALL").one("THREAD (1)");
}

/// Thunderbird: lower case, quotas and rights at each SELECT, labels, and two connections of which
/// the idling one hears of a flag at once (elsewhere it took 15 seconds).
#[test]
fn thunderbird_opens_a_folder() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 2);
    imap.ok("ID (\"name\" \"Thunderbird\" \"version\" \"140.0\")");
    imap.ok("namespace");
    let reply = imap.ok("list (subscribed) \"\" \"*\" return (special-use)");
    assert!(reply.one("Sent").contains("\\Sent"));
    imap.ok("list \"\" \"INBOX\"").one("INBOX");
    imap.ok("select \"INBOX\"").one("2 EXISTS");
    imap.ok("getquotaroot \"INBOX\"").one("QUOTAROOT INBOX");
    imap.ok("myrights \"INBOX\"").one("MYRIGHTS INBOX lrswi");
    imap.ok("getacl \"INBOX\"");
    let reply = imap.ok("UID fetch 1:* (FLAGS)");
    assert_eq!(reply.with("FETCH").len(), 2);
    let head = "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups \
                In-Reply-To Content-Type Reply-To x-spam-score";
    let reply = imap.ok(&format!(
        "UID fetch 1:2 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({head})])"
    ));
    assert_eq!(reply.with("Subject: ").len(), 2);
    imap.ok("UID fetch 2 (UID RFC822.SIZE BODY.PEEK[])")
        .one("Hello 2!");
    imap.ok("uid store 1 +Flags (\\Seen $label1)")
        .one("FETCH (UID 1 FLAGS");
    let mut other = Imap::inbox(&server);
    let idle = imap.send("IDLE");
    assert!(imap.response().starts_with("+ "));
    other.ok("UID STORE 2 +FLAGS (\\Flagged)");
    assert!(imap.response().contains("\\Flagged"));
    other.ok("UID MOVE 1 Trash");
    assert_eq!(imap.response(), "* 1 EXPUNGE");
    imap.client.send("DONE");
    imap.until(&idle);
    imap.ok("uid copy 2 \"Archive\"");
    imap.ok("uid store 2 +Flags (\\Deleted \\Seen)");
    imap.ok("uid expunge 2").one("EXPUNGE");
    imap.ok("lsub \"\" \"*\"");
    imap.ok("close");
}

/// It asks for what is above the highest UID that it has read anywhere. A flag of the second of two
/// new messages must not hide the first.
#[test]
fn thunderbird_hears_of_a_flag_before_it_looks_at_new_mail() {
    let server = Server::start();
    let mut other = Imap::inbox(&server);
    other.fill("INBOX", 1);
    let mut imap = Imap::login(&server);
    imap.ok("select \"INBOX\"");
    imap.ok("UID fetch 1:* (FLAGS)");
    let highest = |replies: &[String]| {
        let uid = |line: &String| line.split_once("UID ")?.1.split(' ').next()?.parse().ok();
        replies.iter().filter_map(uid).max().unwrap_or(1u32)
    };
    // It is busy: what it hears by the way are a number, and the flags of one of the two.
    other.fill("INBOX", 2);
    imap.ok("uid store 1 +Flags (\\Seen)").one("3 EXISTS");
    other.ok("STORE 3 +FLAGS (\\Flagged)");
    let reply = imap.ok("uid store 1 +Flags ($label1)");
    reply.one("1 FETCH (UID 1 FLAGS (");
    reply.one("3 FETCH (");
    let next = highest(&reply.untagged) + 1;
    let reply = imap.ok(&format!("UID fetch {next}:* (FLAGS)"));
    assert_eq!(reply.with("FETCH (UID").len(), 2, "{reply:#?}");

    // Whoever goes by modification sequences needs the UID (RFC 7162 §3.2.4), and so does IMAP4rev2
    // (RFC 9051 §7.5.2).
    for (n, enabled) in ["CONDSTORE", "IMAP4rev2"].into_iter().enumerate() {
        let mut other = Imap::inbox(&server);
        let mut imap = Imap::login(&server);
        imap.ok(&format!("ENABLE {enabled}"));
        imap.ok("SELECT INBOX");
        other.ok(&format!("STORE 2 +FLAGS (word{n})"));
        imap.ok("NOOP").one("2 FETCH (UID 2 FLAGS (");
    }
}

/// Its saved draft must not keep a message to oneself from arriving, which has the same Message-ID.
#[test]
fn a_mail_to_oneself_is_not_dropped_for_its_draft() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.append("Drafts (\\Seen \\Draft)", &message(1));
    let mut smtp = server.client(Role::Smtp);
    let mut say = |line: &str, code: &str| {
        if !line.is_empty() {
            smtp.send(line);
        }
        let mut reply = smtp.line();
        while reply.as_bytes().get(3) == Some(&b'-') {
            reply = smtp.line();
        }
        assert!(reply.starts_with(code), "{line}: {reply}");
    };
    say("", "220");
    say("EHLO client.example.com", "250");
    say("MAIL FROM:<anna@example.org>", "250");
    say("RCPT TO:<anna@example.org>", "250");
    say("DATA", "354");
    say(&format!("{}.", message(1)), "250");
    drop(smtp);
    imap.ok("STATUS INBOX (MESSAGES)").one("MESSAGES 1");
}

/// mbsync: a LITERAL+ APPEND, a search for its own header when it forgot a UID, CHECK.
#[test]
fn mbsync_pushes_and_asks() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("NAMESPACE");
    imap.ok("LIST \"\" \"*\"");
    let mail = format!("X-TUID: n2oRMgpUKvQY\r\n{}", message(1));
    let reply = imap.ok(&format!(
        "APPEND \"INBOX\" (\\Seen) \" 7-Feb-1994 21:52:25 -0800\" {{{}+}}\r\n{mail}",
        mail.len()
    ));
    assert!(reply.tagged.contains("[APPENDUID "));
    imap.ok("SELECT \"INBOX\"");
    imap.ok("UID SEARCH HEADER X-TUID n2oRMgpUKvQY")
        .one("SEARCH 1");
    imap.ok("UID FETCH 1:1000 (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
        .one("UID 1");
    imap.ok("UID STORE 1 +FLAGS.SILENT (\\Deleted)");
    imap.ok("CHECK");
    imap.ok("CLOSE");
}

/// offlineimap and getmail: EXAMINE, sequences without messages, RFC822 forms.
#[test]
fn offlineimap_and_getmail_read() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("EXAMINE INBOX");
    imap.ok("UID FETCH 1:* (UID FLAGS)");
    imap.ok("CLOSE");
    imap.fill("INBOX", 1);
    imap.ok("EXAMINE \"INBOX\"");
    imap.ok("FETCH 1:* (UID RFC822.SIZE)").one("RFC822.SIZE");
    imap.ok("UID FETCH 1 (RFC822)").one("Hello 1!");
    // What was read read-only stays unseen.
    imap.ok("STATUS INBOX (UNSEEN)").one("UNSEEN 1");
    imap.ok("CHECK");
}

/// fetchmail: it counts what is unseen, and takes header and text apart.
#[test]
fn fetchmail_takes_apart() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.fill("INBOX", 2);
    imap.ok("EXPUNGE");
    imap.ok("SEARCH UNSEEN NOT DELETED").one("SEARCH 1 2");
    imap.ok("FETCH 1:2 RFC822.SIZE");
    imap.ok("FETCH 1 RFC822.HEADER").one("Subject: 1");
    imap.ok("FETCH 1 BODY.PEEK[TEXT]").one("Hello 1!");
    imap.ok("STORE 1 +FLAGS (\\Seen \\Deleted)");
    imap.ok("EXPUNGE").one("1 EXPUNGE");
}

/// mutt and neomutt: rights at each opening, CONDSTORE and QRESYNC, STATUS of all that is subscribed.
#[test]
fn mutt_checks_every_folder() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 3);
    imap.ok("ENABLE UTF8=ACCEPT QRESYNC");
    imap.ok("LSUB \"\" \"*\"");
    imap.ok("LIST \"\" \"\"").one("\"/\"");
    imap.ok("MYRIGHTS INBOX");
    imap.ok("SELECT INBOX (CONDSTORE)").one("HIGHESTMODSEQ");
    let reply = imap.ok(
        "FETCH 1:3 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER \
         SUBJECT TO CC MESSAGE-ID REFERENCES CONTENT-TYPE CONTENT-DESCRIPTION IN-REPLY-TO REPLY-TO \
         LINES LIST-POST X-LABEL)])",
    );
    assert_eq!(reply.with("INTERNALDATE").len(), 3);
    for name in ["INBOX", "Drafts", "Sent"] {
        imap.ok(&format!(
            "STATUS \"{name}\" (UIDNEXT UIDVALIDITY UNSEEN RECENT MESSAGES)"
        ));
    }
    imap.ok("UID FETCH 1:3 (FLAGS) (CHANGEDSINCE 1 VANISHED)");
}

/// imapflow: ENABLE of both, LIST with everything, thread ids, empty LSUB.
#[test]
fn imapflow_asks_for_all_at_once() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.fill("INBOX", 1);
    imap.ok("ID (\"name\" \"imapflow\" \"version\" NIL)");
    imap.ok("ENABLE CONDSTORE UTF8=ACCEPT QRESYNC")
        .one("QRESYNC");
    let reply = imap.ok(
        "LIST \"\" \"*\" RETURN (SPECIAL-USE STATUS (MESSAGES UNSEEN UIDNEXT UIDVALIDITY HIGHESTMODSEQ))",
    );
    assert!(reply.one("STATUS INBOX").contains("HIGHESTMODSEQ"));
    imap.ok("SELECT INBOX");
    imap.ok("FETCH 1 (UID FLAGS MODSEQ EMAILID THREADID BODYSTRUCTURE ENVELOPE)")
        .one("THREADID (t");
    imap.ok("GETQUOTAROOT INBOX");
}

/// imaplib with UTF8=ACCEPT: it wraps every APPEND.
#[test]
fn imaplib_appends_utf8() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    imap.ok("ENABLE UTF8=ACCEPT");
    let mail = "From: \u{fc}@example.com\r\nSubject: \u{fc}\r\n\r\nx\r\n";
    imap.ok(&format!(
        "APPEND \"INBOX\" UTF8 (~{{{}+}}\r\n{mail})",
        mail.len()
    ));
    imap.ok("SELECT INBOX");
    imap.ok("FETCH 1 (ENVELOPE)").one("\u{fc}");
}

/// IMAPClient and imap-tools: several flags forms, COPY and EXPUNGE for a move, HEADER searches.
#[test]
fn imapclient_moves_by_hand() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.fill("INBOX", 3);
    imap.ok("UID SEARCH CHARSET UTF-8 HEADER SUBJECT 2")
        .one("SEARCH 2");
    imap.ok("UID SEARCH (UNSEEN)").one("SEARCH 1 2 3");
    imap.ok("UID COPY 1,2 \"Archive\"");
    imap.ok("UID STORE 1,2 +FLAGS (\\Deleted)");
    let gone = imap.ok("EXPUNGE");
    assert_eq!(gone.with("EXPUNGE"), ["1 EXPUNGE", "1 EXPUNGE"]);
    imap.ok("UID FETCH 3 (BODY[])").one("Hello 3!");
    imap.ok("STATUS Archive (MESSAGES)").one("MESSAGES 2");
}

/// Several clients leave spaces at a line's end, or none between `FETCH` items and their list.
#[test]
fn small_liberties() {
    let server = Server::start();
    let mut imap = Imap::inbox(&server);
    imap.ok("NOOP ");
    imap.ok("LIST \"\" \"*\" ");
    imap.ok("select INBOX ");
    imap.client.send("y LoGoUt");
    assert!(imap.response().starts_with("* BYE"));
}
