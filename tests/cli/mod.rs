//! The real binary, as somebody at a terminal or a service manager meets it.
mod clients;
mod clock;
mod doctor;
mod large;
mod metrics;
pub mod run;
mod service;

use crate::harness::{Client, TempDir};
use run::{Run, pillarbox};
use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Flags for a server of which only IMAP listens, somewhere.
const QUIET: [&str; 16] = [
    "--smtp",
    "off",
    "--submission",
    "off",
    "--submissions",
    "off",
    "--imaps",
    "off",
    "--pop3",
    "off",
    "--pop3s",
    "off",
    "--http",
    "off",
    "--https",
    "off",
];

fn serve(dir: &TempDir, more: &[&str]) -> Run {
    let mut args = vec!["serve", "--db", "mail.redb", "--imap", "127.0.0.1:0"];
    args.extend(QUIET);
    args.extend(more);
    Run::start(dir.path(), &args)
}

/// Runs to the end and returns exit code, standard output and error.
fn once(dir: &TempDir, args: &[&str]) -> (i32, String, String) {
    Run::start(dir.path(), args).finish()
}

/// Fails with this code and says these words.
#[track_caller]
fn fails(dir: &TempDir, args: &[&str], code: i32, words: &[&str]) {
    let (got, out, err) = once(dir, args);
    assert_eq!(got, code, "{out}{err}");
    for word in words {
        assert!(err.contains(word), "no {word:?} in {err:?}");
    }
    assert!(!err.contains("panicked"), "{err}");
}

fn can_log_in(run: &Run, user: &str, password: &str) -> bool {
    let mut c = Client::connect(run.addr("imap"));
    c.expect("* OK");
    c.send(&format!("a LOGIN {user} \"{password}\""));
    c.until("a ").pop().unwrap().starts_with("a OK")
}

fn shown_password(out: &str) -> String {
    let line = out
        .lines()
        .find(|line| line.contains("password  "))
        .unwrap();
    line.split_whitespace().nth(2).unwrap().to_owned()
}

#[test]
fn the_first_start_shows_a_password_and_the_second_nothing() {
    let dir = TempDir::new();
    let first = serve(&dir, &["--domain", "Example.Org", "--user", "anna"]);
    first.ready();
    let fingerprint = first.find("SHA-256 ");
    let (code, out, err) = first.stop();
    assert_eq!(code, 0, "{err}");
    let password = shown_password(&out);
    assert!(
        out.contains("anna@example.org") && !err.contains(&password),
        "{out}{err}"
    );
    assert_eq!(mode(&dir.join("mail.redb")), 0o600);
    assert!(!dir.join("mail.redb.sock").exists());

    let second = serve(&dir, &[]);
    second.ready();
    assert!(can_log_in(&second, "anna", &password));
    assert!(can_log_in(&second, "Anna@example.org", &password));
    assert!(!can_log_in(&second, "anna", "hunter22"));
    assert_eq!(second.find("SHA-256 "), fingerprint);
    let (code, out, err) = second.stop();
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(
        !err.contains(&password) && !err.contains("hunter22"),
        "{err}"
    );
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_the_same_without_serving() {
    let dir = TempDir::new();
    let secret = dir.join("secret");
    fs::write(&secret, "my own one\n").unwrap();
    let args = ["init", "--domain=example.org", "--password-file", "secret"];
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    fails(
        &dir,
        &args,
        8,
        &["secret can be read by others", "chmod 600"],
    );
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let (code, out, err) = once(&dir, &args);
    assert_eq!(code, 0, "{err}");
    assert!(!out.contains("my own one"));
    fails(&dir, &args, 4, &["has an account already"]);
    let run = serve(&dir, &[]);
    run.ready();
    assert!(can_log_in(&run, "me", "my own one"));
}

#[test]
fn flags_that_cannot_be_meant() {
    let dir = TempDir::new();
    fails(&dir, &[], 2, &["no command given", "--help"]);
    fails(
        &dir,
        &["serve"],
        2,
        &["no mailbox at mail.redb yet", "--domain example.org"],
    );
    fails(&dir, &["serve", "--domain", "a b"], 2, &["--domain a b"]);
    fails(
        &dir,
        &["serve", "--domain", "--try"],
        2,
        &["--domain needs a value"],
    );
    fails(
        &dir,
        &["serve", "--imap", "mail.example.org:143"],
        2,
        &["--imap", "numeric"],
    );
    fails(
        &dir,
        &["serve", "--cert", "x"],
        2,
        &["--cert and --key go together"],
    );
    fails(&dir, &["serve", "--nonsense"], 2, &["--nonsense"]);
    fails(&dir, &["frobnicate"], 2, &["frobnicate"]);
    fails(&dir, &["passwd", "--stdin"], 4, &["no store at mail.redb"]);
    fails(&dir, &["token", "list"], 4, &["no store at mail.redb"]);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        0,
        "something was made"
    );
    let (code, out, _) = once(&dir, &["--version"]);
    // The version stands alone between blanks, for scripts; what it was built from comes behind it.
    assert_eq!(code, 0);
    assert!(
        out.starts_with(concat!("pillarbox ", env!("CARGO_PKG_VERSION"), " ("))
            && out.ends_with(")\n"),
        "{out:?}"
    );
    for args in [
        &["--help"][..],
        &["help"],
        &["serve", "-h"],
        &["token", "add", "--help"],
    ] {
        let (code, out, err) = once(&dir, args);
        assert!(
            code == 0 && out.contains("Usage: pillarbox") && err.is_empty(),
            "{args:?}"
        );
    }
}

#[test]
fn every_exit_code_is_in_the_help() {
    let (_, help, _) = once(&TempDir::new(), &["--help"]);
    for (kind, meaning) in ::pillarbox::server::Kind::ALL {
        assert!(
            help.contains(&format!("  {} {meaning}", kind as u8)),
            "{kind:?}"
        );
    }
}

#[test]
fn a_store_that_is_open_elsewhere() {
    let dir = TempDir::new();
    let first = serve(&dir, &["--domain", "example.org"]);
    first.ready();
    let mut again = vec!["serve", "--imap", "127.0.0.1:0"];
    again.extend(QUIET);
    fails(&dir, &again, 3, &["mail.redb", "another process"]);
    // The first one does not care.
    let password = shown_password(&first.printed("Change it:"));
    assert!(can_log_in(&first, "me", &password));
}

#[test]
fn a_directory_that_is_not_there_or_not_ours() {
    let dir = TempDir::new();
    let args = ["init", "--domain", "example.org", "--db", "none/mail.redb"];
    fails(&dir, &args, 4, &["none/mail.redb", "no such directory"]);
    fs::write(dir.join("junk.redb"), "this is a text file, not a store").unwrap();
    let args = ["init", "--domain", "example.org", "--db", "junk.redb"];
    fails(&dir, &args, 9, &["junk.redb"]);
    assert_eq!(
        fs::read(dir.join("junk.redb")).unwrap(),
        b"this is a text file, not a store"
    );
    // /proc takes no files, whoever asks.
    let args = ["init", "--domain", "example.org", "--db", "/proc/mail.redb"];
    fails(&dir, &args, 4, &["/proc/mail.redb"]);
}

#[test]
fn a_port_in_use() {
    let dir = TempDir::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut args = vec!["serve", "--domain", "example.org", "--imap", &address];
    args.extend(QUIET);
    fails(&dir, &args, 7, &["in use", &address, "--imap"]);
    args[4] = "192.0.2.77:0";
    fails(&dir, &args, 7, &["192.0.2.77", "no address"]);
}

#[test]
fn certificates_that_cannot_be_used() {
    let dir = TempDir::new();
    let (cert, key) = certificate(&dir, "a");
    let (_, other_key) = certificate(&dir, "b");
    let mut args = vec!["serve", "--domain", "example.org", "--imap", "127.0.0.1:0"];
    args.extend(QUIET);
    let with = |cert: &str, key: &str, words: &[&str]| {
        let mut args = args.clone();
        args.extend(["--cert", cert, "--key", key]);
        fails(&dir, &args, 6, words);
    };
    with("missing.pem", &key, &["missing.pem"]);
    with(&key, &key, &[&key, "no certificate"]);
    with(&cert, &cert, &[&cert]);
    with(&cert, &other_key, &["does not belong"]);
}

/// A new certificate in PEM files; returns their names.
fn certificate(dir: &TempDir, name: &str) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let cert = params.self_signed(&key).unwrap();
    let names = (format!("{name}.crt"), format!("{name}.key"));
    fs::write(dir.join(&names.0), cert.pem()).unwrap();
    fs::write(dir.join(&names.1), key.serialize_pem()).unwrap();
    names
}

#[test]
fn sighup_takes_the_new_certificate_and_keeps_the_old_if_it_is_wrong() {
    let dir = TempDir::new();
    let (cert, key) = certificate(&dir, "c");
    let flags = ["--domain", "example.org", "--cert", &cert, "--key", &key];
    let run = serve(&dir, &flags);
    run.ready();
    let mut old = Client::connect(run.addr("imap"));
    old.expect("* OK");
    let seen = |run: &Run| {
        let mut c = Client::connect(run.addr("imap"));
        c.expect("* OK");
        c.ask("a STARTTLS", "a OK");
        c.start_tls();
        c.fingerprint()
    };
    let before = seen(&run);
    certificate(&dir, "c");
    run.signal("HUP");
    run.find("reloaded; certificate SHA-256 ");
    let after = seen(&run);
    assert_ne!(before, after);
    fs::write(dir.join(&cert), "nothing").unwrap();
    run.signal("HUP");
    run.find("not reloaded");
    assert_eq!(seen(&run), after);
    // Whoever was connected all the time still is.
    old.ask("a NOOP", "a OK");
}

#[test]
fn sigterm_says_good_bye_to_everybody() {
    let dir = TempDir::new();
    let run = serve(&dir, &["--domain", "example.org"]);
    run.ready();
    let mut c = Client::connect(run.addr("imap"));
    c.expect("* OK");
    c.ask("a NOOP", "a OK");
    run.signal("TERM");
    c.until("* BYE");
    c.expect_closed();
    let (code, _, err) = run.finish();
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("stopped") && !err.contains("cutting off"),
        "{err}"
    );
}

#[test]
fn the_password_changes_with_the_server_up_and_down() {
    let dir = TempDir::new();
    let run = serve(&dir, &["--domain", "example.org"]);
    run.ready();
    let first = shown_password(&run.printed("Change it:"));
    assert_eq!(mode(&dir.join("mail.redb.sock")), 0o600);
    let passwd = |word: &str| pillarbox(dir.path(), &["passwd", "--stdin"], &format!("{word}\n"));
    assert_eq!(passwd("second").0, 0);
    assert!(can_log_in(&run, "me", "second"));
    assert!(!can_log_in(&run, "me", &first));
    assert_eq!(passwd("").0, 8);
    run.stop();
    assert_eq!(passwd("third").0, 0);
    // A socket that a killed server left behind disturbs nobody.
    drop(std::os::unix::net::UnixListener::bind(dir.join("mail.redb.sock")).unwrap());
    assert_eq!(passwd("fourth").0, 0);
    let run = serve(&dir, &[]);
    run.ready();
    assert!(can_log_in(&run, "me", "fourth"));
    assert!(!can_log_in(&run, "me", "second"));
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let dir = TempDir::new();
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    let (code, token, _) = once(&dir, &["token", "add", "my phone"]);
    assert!(code == 0 && token.trim().len() == 26, "{token}");
    fails(&dir, &["token", "add", "my phone"], 1, &["exists already"]);
    let run = serve(&dir, &[]);
    run.ready();
    fails(&dir, &["token", "add", "my phone"], 10, &["exists already"]);
    assert!(once(&dir, &["token", "list"]).1.ends_with("  my phone\n"));
    assert_eq!(once(&dir, &["token", "revoke", "my phone"]).0, 0);
    assert_eq!(once(&dir, &["token", "list"]).1, "");
    fails(
        &dir,
        &["token", "revoke", "my phone"],
        10,
        &["no token named my phone"],
    );
}

#[test]
fn app_passwords_are_made_listed_and_revoked() {
    let dir = TempDir::new();
    let app = |args: &[&str]| once(&dir, &[&["app-password"], args].concat());
    fails(
        &dir,
        &["app-password", "list"],
        4,
        &["no store at mail.redb"],
    );
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    // With the server down, and up.
    let (code, phone, _) = app(&["add", "my phone"]);
    assert!(code == 0 && phone.trim().len() == 24, "{phone}");
    let run = serve(&dir, &[]);
    run.ready();
    assert!(can_log_in(&run, "me", phone.trim()));
    let limits = [
        "--protocols",
        "imap",
        "--mailboxes",
        "INBOX:readonly,Drafts:lrswi",
        "--expires",
        "2099-12-31",
    ];
    let (code, tablet, _) = app(&[&["add", "tablet"][..], &limits].concat());
    assert_eq!(code, 0);
    assert!(can_log_in(&run, "me", tablet.trim()));
    let (_, list, _) = app(&["list"]);
    let lines: Vec<&str> = list.lines().collect();
    assert!(
        lines[0].contains("used ") && lines[0].ends_with("imap,pop3,smtp,jmap  all  my phone"),
        "{list}"
    );
    assert!(
        lines[1].contains("ends 2099-12-31") && lines[1].ends_with("INBOX:lr,Drafts:lrswi  tablet"),
        "{list}"
    );
    for (args, words) in [
        (&["add", "tablet"][..], "exists already"),
        (
            &["add", "x", "--mailboxes", "Nix:lr"],
            "there is no mailbox Nix; there are: INBOX",
        ),
        (&["revoke", "x"], "no app password named x"),
    ] {
        fails(&dir, &[&["app-password"], args].concat(), 10, &[words]);
    }
    for (args, words) in [
        (&["add", "x", "--mailboxes", "INBOX"][..], "MAILBOX:RIGHTS"),
        (&["add", "x", "--mailboxes", "INBOX:q"], "is no right"),
        (&["add", "x", "--protocols", "gopher"], "is no protocol"),
        (&["add", "x", "--expires", "yesterday"], "--expires wants"),
    ] {
        fails(&dir, &[&["app-password"], args].concat(), 2, &[words]);
    }
    assert_eq!(app(&["revoke", "my phone"]).1, "Revoked.\n");
    assert!(!can_log_in(&run, "me", phone.trim()));
    assert!(can_log_in(&run, "me", tablet.trim()));
    let (_, help, _) = once(&dir, &["app-password", "add", "--help"]);
    for word in [
        "--protocols",
        "--mailboxes",
        "--expires",
        "readonly",
        "insertonly",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn a_path_too_long_for_a_socket_works() {
    let dir = TempDir::new();
    let deep = "d".repeat(120);
    fs::create_dir(dir.join(&deep)).unwrap();
    let db = format!("{deep}/mail.redb");
    let mut args = vec!["serve", "--domain", "example.org", "--db", &db];
    args.extend(["--imap", "127.0.0.1:0"]);
    args.extend(QUIET);
    let run = Run::start(dir.path(), &args);
    run.ready();
    let done = pillarbox(dir.path(), &["passwd", "--stdin", "--db", &db], "new one\n");
    assert_eq!(done.0, 0, "{done:?}");
    assert!(can_log_in(&run, "me", "new one"));
}

#[test]
fn running_out_of_descriptors_is_survived() {
    let dir = TempDir::new();
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    let mut args = vec!["serve", "--imap", "127.0.0.1:0"];
    args.extend(QUIET);
    let run = Run::start_with_descriptors(dir.path(), &args, 40);
    run.ready();
    let many: Vec<Client> = (0..60).map(|_| Client::connect(run.addr("imap"))).collect();
    run.find("cannot accept: ");
    drop(many);
    let mut c = Client::connect(run.addr("imap"));
    c.expect("* OK");
    c.ask("a NOOP", "a OK");
}

/// A store of a later version: said so, not touched.
#[test]
fn a_newer_store_is_left_alone() {
    use redb::ReadableTable;
    const STATE: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("state");
    let dir = TempDir::new();
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    let path = dir.join("mail.redb");
    let db = redb::Database::open(&path).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut table = txn.open_table(STATE).unwrap();
        let mut row = table
            .get([0; 4].as_slice())
            .unwrap()
            .unwrap()
            .value()
            .to_vec();
        row[..4].copy_from_slice(&[99, 0, 99, 0]);
        table.insert([0; 4].as_slice(), row.as_slice()).unwrap();
    }
    txn.commit().unwrap();
    drop(db);
    let serve = ["serve", "--db", "mail.redb", "--imap", "127.0.0.1:0"];
    let serve: Vec<&str> = serve.into_iter().chain(QUIET).collect();
    fails(&dir, &serve, 5, &["schema 99"]);
    let (code, _, err) = pillarbox(dir.path(), &["passwd", "--stdin"], "word\n");
    assert_eq!(code, 5, "{err}");
    // An opened store and no other has this row still.
    let db = redb::Database::open(&path).unwrap();
    let txn = redb::ReadableDatabase::begin_read(&db).unwrap();
    let row = txn.open_table(STATE).unwrap();
    assert_eq!(
        row.get([0; 4].as_slice()).unwrap().unwrap().value()[..2],
        [99, 0]
    );
}

/// A store of an earlier schema, whose tables had integers for keys: said so, not touched.
#[test]
fn an_older_store_is_left_alone() {
    const STATE: redb::TableDefinition<u32, &[u8]> = redb::TableDefinition::new("state");
    let dir = TempDir::new();
    let path = dir.join("mail.redb");
    let row: &[u8] = &[2, 0, 2, 0];
    let db = redb::Database::create(&path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(STATE).unwrap().insert(0, row).unwrap();
    txn.commit().unwrap();
    drop(db);
    let serve = ["serve", "--db", "mail.redb", "--imap", "127.0.0.1:0"];
    let serve: Vec<&str> = serve.into_iter().chain(QUIET).collect();
    fails(&dir, &serve, 5, &["before its first release", "new --db"]);
    let db = redb::Database::open(&path).unwrap();
    let txn = redb::ReadableDatabase::begin_read(&db).unwrap();
    let table = txn.open_table(STATE).unwrap();
    assert_eq!(table.get(0).unwrap().unwrap().value(), row);
}

/// A board without a battery: it goes on, and says so.
#[test]
fn a_clock_at_1970() {
    const CLOCK: &str = "#define _GNU_SOURCE\n#include <time.h>\n#include <sys/syscall.h>\n\
        #include <unistd.h>\nint clock_gettime(clockid_t id, struct timespec *ts) {\n\
        int r = syscall(SYS_clock_gettime, id, ts);\n\
        if (id == CLOCK_REALTIME) ts->tv_sec = 77;\nreturn r; }\n";
    let dir = TempDir::new();
    fs::write(dir.join("clock.c"), CLOCK).unwrap();
    let library = dir.join("clock.so");
    let built = std::process::Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(dir.join("clock.c"))
        .status();
    if !built.is_ok_and(|status| status.success()) {
        eprintln!("no C compiler: not tried");
        return;
    }
    let preload = format!("LD_PRELOAD={}", library.display());
    let mut args = vec!["serve", "--imap", "127.0.0.1:0", "--domain", "example.org"];
    args.extend(QUIET);
    let run = Run::start_with_env(dir.path(), &[&preload], &args);
    run.find("the clock is not set");
    run.ready();
    let password = shown_password(&run.printed("Change it:"));
    assert!(can_log_in(&run, "me", &password));
    assert_eq!(run.stop().0, 0);
}

/// The question at a terminal: twice, unseen.
#[test]
fn a_password_is_asked_for_at_a_terminal() {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};
    let dir = TempDir::new();
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    let ask = |answers: [&str; 2]| {
        let program = env!("CARGO_BIN_EXE_pillarbox");
        let child = Command::new("script")
            .args([
                "-qefc",
                &format!("{program} passwd --db mail.redb"),
                "/dev/null",
            ])
            .current_dir(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.ok()?;
        let mut input = child.stdin.take().unwrap();
        let mut output = child.stdout.take().unwrap();
        let mut screen = String::new();
        for (question, answer) in ["New password: ", "New password again: "]
            .iter()
            .zip(answers)
        {
            let mut octet = [0];
            while !screen.ends_with(question) && output.read(&mut octet).unwrap() == 1 {
                screen.push(char::from(octet[0]));
            }
            writeln!(input, "{answer}").unwrap();
        }
        output.read_to_string(&mut screen).unwrap();
        Some((child.wait().unwrap().code(), screen))
    };
    let Some((code, screen)) = ask(["typed word", "typed word"]) else {
        eprintln!("no script(1): not tried");
        return;
    };
    assert_eq!(code, Some(0), "{screen}");
    assert!(
        screen.contains("Changed.") && !screen.contains("typed word"),
        "{screen}"
    );
    let (code, screen) = ask(["one", "other"]).unwrap();
    assert_eq!(code, Some(8), "{screen}");
    assert!(screen.contains("not the same"), "{screen}");
    let run = serve(&dir, &[]);
    run.ready();
    assert!(can_log_in(&run, "me", "typed word"));
}

#[test]
fn records_and_the_queue_with_the_server_up_and_down() {
    let dir = TempDir::new();
    let init = [
        "init",
        "--domain",
        "example.org",
        "--hostname",
        "mail.example.org",
    ];
    assert_eq!(once(&dir, &init).0, 0);
    let (code, zone, _) = once(&dir, &["dns"]);
    assert_eq!(code, 0);
    for record in [
        "example.org. 3600 IN MX 10 mail.example.org.\n",
        "example.org. 3600 IN TXT \"v=spf1 mx -all\"\n",
        "pillarbox-r1._domainkey.example.org. 3600 IN TXT ( \"v=DKIM1; k=rsa; p=MIIBIjANBg",
        "pillarbox-e1._domainkey.example.org. 3600 IN TXT \"v=DKIM1; k=ed25519; p=",
        "_dmarc.example.org. 3600 IN TXT \"v=DMARC1; p=quarantine;",
    ] {
        assert!(zone.contains(record), "{record}: {zone}");
    }
    let form = once(&dir, &["dns", "--form"]).1;
    for record in [
        "MX\texample.org\t10 mail.example.org\n",
        "TXT\t_dmarc.example.org\tv=DMARC1; p=quarantine; rua=mailto:postmaster@example.org\n",
        "TXT\t_mta-sts.example.org\tv=STSv1; id=",
        "SRV\t_jmap._tcp.example.org\t0 1 443 mail.example.org\n",
        "SRV\t_autodiscover._tcp.example.org\t0 1 443 mail.example.org\n",
        "CNAME\tautoconfig.example.org\tmail.example.org\n",
    ] {
        assert!(form.contains(record), "{record}: {form}");
    }
    let run = serve(&dir, &[]);
    run.ready();
    // The same keys, asked of the server that has the store.
    assert_eq!(once(&dir, &["dns"]).1, zone);
    assert_eq!(once(&dir, &["queue", "list"]).1, "Nothing waits.\n");
    fails(
        &dir,
        &["queue", "retry", "all"],
        10,
        &["nothing in the queue is all"],
    );
    drop(run);
}

#[test]
fn dkim_keys_are_exchanged_in_steps() {
    let dir = TempDir::new();
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    let dkim = |step| once(&dir, &["dkim", step]);
    let first = "pillarbox-r1\trsa-sha256\tsigning\npillarbox-e1\ted25519-sha256\tsigning\n";
    assert_eq!(dkim("list").1, first);
    fails(&dir, &["dkim", "switch"], 1, &["no new keys"]);
    fails(&dir, &["dkim", "retire"], 1, &["no old keys"]);
    let run = serve(&dir, &[]);
    run.ready();
    assert_eq!(dkim("rotate").0, 0);
    fails(&dir, &["dkim", "rotate"], 10, &["new keys already"]);
    let second = "pillarbox-r2\trsa-sha256\tnext\npillarbox-e2\ted25519-sha256\tnext\n";
    assert_eq!(dkim("list").1, [first, second].concat());
    let zone = once(&dir, &["dns"]).1;
    assert!(zone.contains("; pillarbox-r2: next\npillarbox-r2._domainkey.example.org. "));
    assert!(zone.contains("pillarbox-r1._domainkey.example.org. "));
    assert_eq!(dkim("switch").0, 0);
    let old = first.replace("signing", "old");
    assert_eq!(
        dkim("list").1,
        [&old, &second.replace("next", "signing")]
            .map(String::as_str)
            .concat()
    );
    assert_eq!(dkim("retire").0, 0);
    assert_eq!(dkim("list").1, second.replace("next", "signing"));
    drop(run);
}

#[test]
fn aliases_are_switched_off_and_on() {
    let dir = TempDir::new();
    let alias = |args: &[&str]| once(&dir, &[&["alias"], args].concat());
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    // With the server down, and up.
    assert_eq!(alias(&["list"]).1, "No aliases.\n");
    assert_eq!(alias(&["add", "shop"]).1, "Changed.\n");
    let run = serve(&dir, &["--alias", "flag@else.where"]);
    run.ready();
    assert_eq!(alias(&["add", "Other@Else.Where"]).1, "Changed.\n");
    assert_eq!(alias(&["off", "shop@example.org"]).1, "Changed.\n");
    assert_eq!(alias(&["off", "me+list"]).1, "Changed.\n");
    let all = "off  shop@example.org\non   flag@else.where\non   other@else.where\noff  me+list@example.org\n";
    assert_eq!(alias(&["list"]).1, all);
    for (args, words) in [
        (&["add", "shop"][..], "exists already"),
        (&["add", "a b@"], "is no address"),
        (&["add", "ME"], "always yours"),
        (&["off", "postmaster"], "always yours"),
        (&["on", "nix"], "there is no alias nix@example.org"),
        (&["off", "nix@nowhere"], "there is no alias nix@nowhere"),
        (&["remove", "nix"], "there is no alias nix@example.org"),
    ] {
        fails(&dir, &[&["alias"], args].concat(), 10, &[words]);
    }
    for args in [&["alias"][..], &["alias", "add"], &["alias", "list", "x"]] {
        fails(&dir, args, 2, &["pillarbox alias off ADDRESS"]);
    }
    run.stop();
    // A flag does not switch on again what was switched off, and what it added stays.
    let run = serve(&dir, &["--alias", "shop@example.org"]);
    run.ready();
    assert_eq!(alias(&["list"]).1, all);
    assert_eq!(alias(&["remove", "flag@else.where"]).1, "Changed.\n");
    assert_eq!(alias(&["on", "shop"]).1, "Changed.\n");
    assert!(
        alias(&["list"])
            .1
            .starts_with("on   shop@example.org\non   other@else.where\n")
    );
}
