//! `pillarbox import imaps://...`: from our own server, from one that misbehaves, and cut off.
use super::*;
use crate::harness::{PASSWORD, Server, USER};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pillarbox::config::Role;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

const MARCH: &str = "\"07-Mar-2019 10:00:00 +0000\"";

fn append(c: &mut Client, mailbox: &str, flags: &str, text: &str) {
    c.send(&format!(
        "x APPEND {mailbox} ({flags}) {MARCH} {{{}+}}\r\n{text}",
        text.len()
    ));
    let answer = c.until("x ").pop().unwrap();
    assert!(answer.starts_with("x OK"), "{answer}");
}

/// A server with mail in mailboxes of odd names.
fn elsewhere(server: &Server) -> u32 {
    let mut c = server.client(Role::Imap);
    c.expect("* OK");
    c.ask(&format!("a LOGIN {USER} \"{PASSWORD}\""), "a OK");
    for name in [
        "R&APw-ben/\"a \\\"b\\\" & c\"",
        "\"R&APw-ben/a \\\"b\\\"\"",
        "Lists/rust",
        "\" lead\"",
        "Empty",
    ] {
        c.send(&format!("m CREATE {name}"));
        c.until("m ");
    }
    let large = format!(
        "Subject: large\r\n\r\n{}",
        "0123456789abcdef\r\n".repeat(60_000)
    );
    append(
        &mut c,
        "INBOX",
        "\\Seen $later",
        "Message-ID: <1@e>\r\nSubject: one\r\n\r\nbody {3}\r\nx)\r\n",
    );
    append(&mut c, "INBOX", "", "Subject: two\r\n\r\nno id\r\n");
    append(&mut c, "INBOX", "", &large);
    append(
        &mut c,
        "Sent",
        "\\Answered \\Flagged",
        "Subject: three\r\n\r\nx\r\n",
    );
    append(&mut c, "Junk", "", "Subject: spam\r\n\r\nx\r\n");
    append(&mut c, "Lists/rust", "", "Subject: four\r\n\r\nx\r\n");
    append(
        &mut c,
        "\"R&APw-ben/a \\\"b\\\"\"",
        "\\Draft",
        "Subject: five\r\n\r\nx\r\n",
    );
    // The same message in two mailboxes is one.
    c.ask("s SELECT Lists/rust", "s OK");
    c.ask("s COPY 1 \"R&APw-ben/a \\\"b\\\"\"", "s OK");
    7
}

fn secret(dir: &TempDir) {
    write(dir.join("pw"), format!("{PASSWORD}\n"));
    fs::set_permissions(dir.join("pw"), fs::Permissions::from_mode(0o600)).unwrap();
}

fn from(address: SocketAddr) -> String {
    format!("imap://{USER}@{address}/")
}

#[track_caller]
fn imports(dir: &TempDir, url: &str, more: &[&str], words: &str) {
    let mut args = vec!["import", "--password-file", "pw", url];
    args.extend(more);
    let out = fine(dir, &args);
    assert!(out.contains(words), "{words} in {out}");
}

fn looks_right(run: &Run) {
    let inbox = fetch(
        run,
        "INBOX",
        "FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[TEXT]",
    );
    assert_eq!(inbox.matches(" FETCH (").count(), 3, "{}", inbox.len());
    for words in [
        "body {3}",
        "$later",
        "\\Seen",
        " 7-Mar-2019 10:00:00 +0000",
        "no id",
        "RFC822.SIZE 1080018",
    ] {
        assert!(inbox.contains(words), "{words}");
    }
    let sent = fetch(run, "Sent", "FLAGS");
    assert!(
        sent.contains("\\Answered") && sent.contains("\\Flagged"),
        "{sent}"
    );
    assert!(fetch(run, "Junk", "BODY.PEEK[HEADER]").contains("spam"));
    assert!(fetch(run, "Lists/rust", "BODY.PEEK[HEADER]").contains("four"));
    let odd = fetch(run, "\"R&APw-ben/a \\\"b\\\"\"", "FLAGS BODY.PEEK[HEADER]");
    assert!(
        odd.contains("five") && odd.contains("four") && odd.contains("\\Draft"),
        "{odd}"
    );
}

#[test]
fn mail_moves_here_once() {
    let server = Server::start();
    let count = elsewhere(&server);
    let url = from(server.addr(Role::Imap));
    let dir = init();
    secret(&dir);
    imports(
        &dir,
        &url,
        &[],
        &format!("{count} imported, 1 there already, 0 refused"),
    );
    // What was fetched is not fetched again; what came since is.
    imports(&dir, &url, &[], "0 imported, 0 there already, 0 refused");
    let run = serve(&dir);
    looks_right(&run);
    let mut c = server.client(Role::Imap);
    c.expect("* OK");
    c.ask(&format!("a LOGIN {USER} \"{PASSWORD}\""), "a OK");
    append(&mut c, "Lists/rust", "", "Subject: six\r\n\r\nx\r\n");
    imports(&dir, &url, &[], "1 imported, 0 there already, 0 refused");
    imports(
        &dir,
        &url,
        &["--again"],
        "0 imported, 9 there already, 0 refused",
    );
    looks_right(&run);
    // Elsewhere it is another import.
    imports(
        &dir,
        &url,
        &["--into", "Old"],
        "0 imported, 9 there already",
    );
}

#[test]
fn and_with_the_server_up_over_tls() {
    let dir = init();
    secret(&dir);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let cert = params.self_signed(&key).unwrap();
    write(dir.join("cert.pem"), cert.pem());
    write(dir.join("key.pem"), key.serialize_pem());
    let files = (dir.join("cert.pem"), dir.join("key.pem"));
    let server = Server::with(|config| config.cert = Some(files));
    let count = elsewhere(&server);
    let url = format!(
        "imaps://{USER}@localhost:{}",
        server.addr(Role::Imaps).port()
    );
    let run = serve(&dir);
    let (code, _, err) = self::run(&dir, &["import", "--password-file", "pw", &url]);
    assert!(code == 6 && err.contains("--ca"), "{err}");
    let words = format!("{count} imported, 1 there already, 0 refused");
    imports(&dir, &url, &["--ca", "cert.pem"], &words);
    looks_right(&run);
    imports(
        &dir,
        &url,
        &["--ca", "cert.pem"],
        "0 imported, 0 there already",
    );
}

#[test]
fn what_cannot_be_meant() {
    let dir = init();
    secret(&dir);
    write(dir.join("wrong"), "wrong one\n");
    fs::set_permissions(dir.join("wrong"), fs::Permissions::from_mode(0o600)).unwrap();
    let server = Server::start();
    let url = from(server.addr(Role::Imap));
    for (url, password, words) in [
        ("imaps://a:b@host", "pw", "no password in the URL"),
        ("imaps://host", "pw", "give imaps://USER@HOST"),
        ("imaps://a@host/INBOX", "pw", "HOST:PORT"),
        ("imap://a@127.0.0.1:1", "pw", "127.0.0.1: "),
        (&url, "wrong", "refuses the log-in"),
    ] {
        let (code, out, err) = run(&dir, &["import", "--password-file", password, url]);
        assert!(code != 0 && err.contains(words), "{words} in {out}{err}");
    }
}

/// What a server that is not ours does with a command.
#[derive(PartialEq)]
enum Act {
    /// As servers do.
    Usual,
    /// It was answered.
    Done,
    /// It was answered, but for the last line.
    Ok,
    /// It is refused.
    Refuse,
    /// The connection ends.
    Close,
}

/// One account with one mailbox.
struct Fake {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

fn message(uid: u32) -> String {
    format!("Message-ID: <{uid}@fake>\r\nSubject: {uid}\r\n\r\nbody\r\n")
}

fn give(out: &mut TcpStream, uid: u32) {
    let text = message(uid);
    let size = text.len();
    let _ = write!(
        out,
        "* {uid} FETCH (UID {uid} BODY[] {{{size}}}\r\n{text} FLAGS (\\Seen))\r\n"
    );
}

type Mischief = dyn FnMut(usize, &str, &mut TcpStream) -> Act + Send;

/// A server with so many messages. It asks `mischief` first; the greeting is the command `greet`.
fn fake(messages: u32, mut mischief: Box<Mischief>) -> Fake {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = heard.clone();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut out = stream.unwrap();
            let mut lines = BufReader::new(out.try_clone().unwrap()).lines();
            let mut line = Some("g greet".to_owned());
            while let Some(text) = line {
                let (tag, command) = text.split_once(' ').unwrap();
                told.lock().unwrap().push(command.to_owned());
                match mischief(number, command, &mut out) {
                    Act::Close => break,
                    Act::Done => {}
                    Act::Ok => drop(write!(out, "{tag} OK done\r\n")),
                    Act::Refuse => drop(write!(out, "{tag} NO it is broken\r\n")),
                    Act::Usual => usual(tag, command, messages, &mut out),
                }
                line = lines.next().and_then(Result::ok);
            }
        }
    });
    Fake { address, heard }
}

fn usual(tag: &str, command: &str, messages: u32, out: &mut TcpStream) {
    let answer = match command.split(' ').next().unwrap() {
        "greet" => return drop(out.write_all(b"* OK hello\r\n")),
        "CAPABILITY" => "* CAPABILITY IMAP4rev1\r\n".to_owned(),
        "LIST" => "* LIST () \".\" {5}\r\nINBOX\r\n* LIST (\\All) \".\" All\r\n".to_owned(),
        "EXAMINE" => format!(
            "* {messages} EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT {}] x\r\n",
            messages + 1
        ),
        "UID" => {
            let set = command.split(' ').nth(2).unwrap();
            let (first, last) = set.split_once(':').unwrap();
            let last: u32 = last.parse().unwrap();
            for uid in first.parse().unwrap()..=last.min(messages) {
                give(out, uid);
            }
            String::new()
        }
        _ => String::new(),
    };
    let _ = write!(out, "{answer}{tag} OK done\r\n");
}

#[test]
fn a_connection_that_breaks_is_made_again() {
    let dir = init();
    secret(&dir);
    let server = fake(
        150,
        Box::new(|number, command, out| {
            if number == 0 && command.starts_with("UID FETCH 65:") {
                give(out, 65);
                let _ = out.write_all(b"* 66 FETCH (UID 66 BODY[] {100}\r\nhalf of");
                return Act::Close;
            }
            Act::Usual
        }),
    );
    let url = from(server.address);
    let args = ["import", "--password-file", "pw", &url];
    let (code, out, err) = run(&dir, &args);
    assert_eq!(code, 0, "{err}");
    assert!(
        out.contains("150 imported, 1 there already, 0 refused"),
        "{out}"
    );
    assert!(err.contains("All is left out"), "{err}");
    let inbox = fetch(&serve(&dir), "INBOX", "FLAGS BODY.PEEK[TEXT]");
    assert_eq!(inbox.matches("\\Seen").count(), 150);
    assert!(!inbox.contains("half of"));
}

/// Gmail's All Mail holds everything again; what is nowhere else is fetched from it.
#[test]
fn of_all_mail_comes_what_has_no_label() {
    let dir = init();
    secret(&dir);
    let server = fake(
        3,
        Box::new(|_, command, out| {
            let text = match command {
                "CAPABILITY" => "* CAPABILITY IMAP4rev1 X-GM-EXT-1\r\n",
                "LIST \"\" \"*\"" => {
                    "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n\
                     * LIST (\\HasChildren \\Noselect) \"/\" \"[Gmail]\"\r\n\
                     * LIST (\\All \\HasNoChildren) \"/\" \"[Gmail]/Alle\"\r\n\
                     * LIST (\\Flagged) \"/\" \"[Gmail]/Markiert\"\r\n\
                     * LIST (\\Sent) \"/\" \"[Gmail]/Gesendet\"\r\n"
                }
                "UID FETCH 1:3 (UID X-GM-LABELS)" => {
                    "* 1 FETCH (X-GM-LABELS (\\Inbox \"a b\") UID 1)\r\n\
                     * 2 FETCH (X-GM-LABELS (\\Important \"\\\\Starred\") UID 2)\r\n\
                     * 3 FETCH (X-GM-LABELS () UID 3)\r\n"
                }
                command if command.starts_with("UID FETCH 2,3 (UID FLAGS ") => {
                    give(out, 2);
                    give(out, 3);
                    ""
                }
                _ => return Act::Usual,
            };
            let _ = out.write_all(text.as_bytes());
            Act::Ok
        }),
    );
    imports(&dir, &from(server.address), &[], "3 imported, ");
    let run = serve(&dir);
    assert_eq!(fetch(&run, "Archive", "UID").matches(" FETCH (").count(), 2);
    assert_eq!(fetch(&run, "Sent", "UID").matches(" FETCH (").count(), 3);
    let heard = server.heard.lock().unwrap().join("\n");
    assert!(
        !heard.contains("Markiert") && !heard.contains("EXAMINE \"[Gmail]\""),
        "{heard}"
    );
}

#[test]
fn a_killed_import_goes_on_where_it_was() {
    let dir = init();
    secret(&dir);
    let (stuck, is_stuck): (Sender<()>, _) = channel();
    let server = fake(
        150,
        Box::new(move |number, command, out| {
            if number == 0 && command.starts_with("UID FETCH 65:") {
                (65..80).for_each(|uid| give(out, uid));
                let _ = out.write_all(b"* 80 FETCH (UID 80 BODY[] {100}\r\nhalf of");
                stuck.send(()).unwrap();
                return Act::Done;
            }
            Act::Usual
        }),
    );
    let url = from(server.address);
    let args = ["import", "--password-file", "pw", &url];
    let killed = Run::start(dir.path(), &args);
    is_stuck.recv_timeout(crate::harness::PATIENCE).unwrap();
    killed.signal("KILL");
    killed.finish();
    server.heard.lock().unwrap().clear();
    let out = fine(&dir, &args);
    assert!(
        out.contains(" imported, ") && out.contains(" 0 refused"),
        "{out}"
    );
    let heard = server.heard.lock().unwrap().join("\n");
    assert!(
        heard.contains("UID FETCH 65:") && !heard.contains("UID FETCH 1:"),
        "{heard}"
    );
    let inbox = fetch(&serve(&dir), "INBOX", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]");
    assert_eq!(inbox.matches("Subject: ").count(), 150);
}

#[test]
fn two_at_a_time_would_not_see_each_other() {
    let dir = init();
    secret(&dir);
    let (stuck, is_stuck): (Sender<()>, _) = channel();
    let server = fake(
        3,
        Box::new(move |number, command, _| {
            if number == 0 && command.starts_with("UID FETCH") {
                stuck.send(()).unwrap();
                return Act::Done;
            }
            Act::Usual
        }),
    );
    let _here = serve(&dir);
    let url = from(server.address);
    let args = ["import", "--password-file", "pw", &url];
    let first = Run::start(dir.path(), &args);
    is_stuck.recv_timeout(crate::harness::PATIENCE).unwrap();
    write(dir.join("m.eml"), "Subject: one\n\nx\n");
    let (code, _, err) = run(&dir, &["import", "m.eml"]);
    assert!(
        code == 10 && err.contains("another import is running"),
        "{err}"
    );
    // Whoever was killed is not waited for.
    drop(first);
    fine(&dir, &["import", "m.eml"]);
}

#[test]
fn a_message_that_cannot_be_had_is_named() {
    let dir = init();
    secret(&dir);
    let broken = Arc::new(Mutex::new(true));
    let still = broken.clone();
    let server = fake(
        20,
        Box::new(move |_, command, _| {
            let Some(set) = command.strip_prefix("UID FETCH ") else {
                return Act::Usual;
            };
            let (first, last) = set.split(' ').next().unwrap().split_once(':').unwrap();
            let asked = first.parse::<u32>().unwrap()..=last.parse().unwrap();
            match *still.lock().unwrap() && asked.contains(&13) {
                true => Act::Refuse,
                false => Act::Usual,
            }
        }),
    );
    let url = from(server.address);
    let args = ["import", "--password-file", "pw", &url];
    let (code, out, err) = run(&dir, &args);
    assert_eq!(code, 1, "{out}{err}");
    for words in [
        "INBOX, UID 13: the other server does not give it",
        "19 imported, 0 there",
    ] {
        assert!(err.contains(words), "{words} in {err}");
    }
    // It is asked for again.
    *broken.lock().unwrap() = false;
    let out = fine(&dir, &args);
    assert!(out.contains("1 imported, "), "{out}");
}

/// A server that has nothing of a message says so in many ways; in small letters, too.
#[test]
fn a_message_without_octets_is_named() {
    let dir = init();
    secret(&dir);
    let large = format!("Subject: large\r\n\r\n{}", "line\r\n".repeat(40_000));
    let server = fake(
        5,
        Box::new(move |_, command, out| {
            if !command.starts_with("UID FETCH 1:5 ") {
                return Act::Usual;
            }
            let size = large.len();
            let flags = "{2}\r\n$k ".repeat(50);
            let said = format!(
                "* 1 FETCH (UID 1 BODY[] NIL)\r\n\
                 * 2 FETCH (UID 2 BODY[] {{0}}\r\n)\r\n\
                 * 3 FETCH (UID 3 body[] \"\")\r\n\
                 * 4 FETCH (FLAGS (\\Seen) UID 4)\r\n\
                 * 4 FETCH (UID 4 BODY[] \"A: b\")\r\n\
                 * 5 FETCH (UID 5 FLAGS ({flags}) body[] {{{size}}}\r\n{large})\r\n"
            );
            let _ = out.write_all(said.as_bytes());
            Act::Ok
        }),
    );
    let url = from(server.address);
    let args = ["import", "--password-file", "pw", &url];
    for words in [
        "2 imported, 0 there already, 0 refused",
        // They are asked for again.
        "0 imported, 2 there already, 0 refused",
    ] {
        let (code, out, err) = run(&dir, &args);
        assert_eq!(code, 1, "{out}{err}");
        assert!(err.contains(words), "{words} in {out}{err}");
        for uid in 1..4 {
            let words = format!("INBOX, UID {uid}: the other server gives nothing of it");
            assert_eq!(err.matches(&words).count(), 1, "{err}");
        }
        assert!(!err.contains("UID 4") && !err.contains("UID 5"), "{err}");
    }
    let inbox = fetch(&serve(&dir), "INBOX", "FLAGS RFC822.SIZE");
    assert!(
        inbox.contains("$k") && inbox.contains("RFC822.SIZE 240018"),
        "{inbox}"
    );
}

#[test]
fn a_message_that_the_server_hangs_up_on_is_left_out() {
    let dir = init();
    secret(&dir);
    let broken = Arc::new(Mutex::new(true));
    let still = broken.clone();
    let server = fake(
        3,
        Box::new(move |_, command, out| {
            let Some(set) = command.strip_prefix("UID FETCH ") else {
                return Act::Usual;
            };
            let (first, last) = set.split(' ').next().unwrap().split_once(':').unwrap();
            let asked = first.parse::<u32>().unwrap()..=last.parse().unwrap();
            if !*still.lock().unwrap() || !asked.contains(&2) {
                return Act::Usual;
            }
            let _ = out.write_all(b"* 2 FETCH (UID 2 BODY[] {100}\r\nhalf of");
            Act::Close
        }),
    );
    let url = from(server.address);
    let args = ["import", "--password-file", "pw", &url];
    let (code, out, err) = run(&dir, &args);
    assert_eq!(code, 1, "{out}{err}");
    for words in [
        "INBOX, UID 2: the other server hangs up on it",
        "2 imported, 0 there",
    ] {
        assert!(err.contains(words), "{words} in {err}");
    }
    let heard = server.heard.lock().unwrap().join("\n");
    assert_eq!(heard.matches("UID FETCH 2:2 ").count(), 2, "{heard}");
    // It is asked for again.
    *broken.lock().unwrap() = false;
    let out = fine(&dir, &args);
    assert!(out.contains("1 imported, "), "{out}");
    let inbox = fetch(&serve(&dir), "INBOX", "BODY.PEEK[TEXT]");
    assert!(!inbox.contains("half of"), "{inbox}");
    assert_eq!(inbox.matches(" FETCH (").count(), 3, "{inbox}");
}

#[test]
fn a_token_opens_the_door() {
    let dir = init();
    secret(&dir);
    for (right, words) in [(true, "3 imported"), (false, "refuses the log-in")] {
        let server = fake(
            3,
            Box::new(move |_, command, out| match command {
                "CAPABILITY" => {
                    let _ = out.write_all(b"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=PLAIN\r\n");
                    Act::Ok
                }
                "AUTHENTICATE XOAUTH2" => {
                    let _ = out.write_all(b"+ \r\n");
                    let mut line = String::new();
                    let read = BufReader::new(out.try_clone().unwrap()).read_line(&mut line);
                    assert!(read.is_ok());
                    let said = STANDARD.decode(line.trim_end()).unwrap();
                    let wanted = format!("user={USER}\x01auth=Bearer {PASSWORD}\x01\x01");
                    match right && said == wanted.as_bytes() {
                        true => Act::Ok,
                        false => Act::Refuse,
                    }
                }
                _ => Act::Usual,
            }),
        );
        let url = from(server.address);
        let (_, out, err) = run(&dir, &["import", "--token-file", "pw", &url]);
        assert!(
            out.contains(words) || err.contains(words),
            "{words} in {out}{err}"
        );
    }
    let both = [
        "import",
        "--token-file",
        "pw",
        "--password-file",
        "pw",
        "imap://a@b",
    ];
    let (code, _, err) = run(&dir, &both);
    assert!(code == 2 && err.contains("exclude each other"), "{err}");
}

/// Whatever it says: an end, a sentence, no more memory than a line.
#[test]
fn hostile_servers() {
    let dir = init();
    secret(&dir);
    let line = || "x".repeat(1 << 20).into_bytes();
    let cases: [(&'static str, Vec<u8>, &str); 9] = [
        ("greet", line(), "a line is too long"),
        (
            "greet",
            b"220 smtp.example ESMTP\r\n".to_vec(),
            "220 smtp.example",
        ),
        (
            "greet",
            b"* BYE go \x1b[2J away\r\n".to_vec(),
            "go ?[2J away",
        ),
        (
            "LIST",
            b"* LIST () \"/\" {99999999}\r\n".to_vec(),
            "a literal is too large",
        ),
        ("LIST", b"surprise\r\n".to_vec(), "does not speak IMAP"),
        (
            "EXAMINE",
            [b"* OK [", &line()[..]].concat(),
            "a line is too long",
        ),
        (
            "UID",
            b"* 1 FETCH (UID 1 BODY[] {4294967296}\r\n".to_vec(),
            "a literal is too large",
        ),
        (
            "UID",
            b"* 1 FETCH (UID 99 BODY[] {4}\r\nA: b)\r\n".to_vec(),
            "not asked for",
        ),
        (
            "UID",
            b"* 1 FETCH (UID 1 BODY[] \"A: b\")\r\n".repeat(99),
            "not asked for",
        ),
    ];
    for (at, says, words) in cases {
        let server = fake(
            3,
            Box::new(move |_, command, out| {
                if command.split(' ').next() != Some(at) {
                    return Act::Usual;
                }
                let _ = out.write_all(&says);
                Act::Done
            }),
        );
        let url = from(server.address);
        let (code, out, err) = run(&dir, &["import", "--password-file", "pw", &url]);
        assert!(
            code != 0 && err.contains(words),
            "{at}: {words} in {out}{err}"
        );
        assert!(!err.contains("panicked") && !err.contains('\x1b'), "{err}");
    }
}
