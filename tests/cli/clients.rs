//! `pillarbox client-config`.
use super::*;

fn serve_all(dir: &TempDir) -> Run {
    serve_with(dir, &[])
}

fn serve_with(dir: &TempDir, more: &[&str]) -> Run {
    let mut args = vec!["serve", "--db", "mail.redb"];
    args.extend(more);
    for role in ["--imaps", "--submissions", "--https"] {
        args.extend([role, "127.0.0.1:0"]);
    }
    for role in [
        "--smtp",
        "--submission",
        "--imap",
        "--pop3",
        "--pop3s",
        "--http",
    ] {
        args.extend([role, "off"]);
    }
    let run = Run::start(dir.path(), &args);
    run.ready();
    run
}

fn init() -> TempDir {
    let dir = TempDir::new();
    let args = [
        "init",
        "--domain",
        "example.org",
        "--user",
        "anna",
        "--hostname",
        "mail.example.org",
    ];
    assert_eq!(once(&dir, &args).0, 0);
    dir
}

#[test]
fn settings_are_those_of_the_running_server() {
    let dir = init();
    let (code, out, err) = once(&dir, &["client-config"]);
    assert_eq!(code, 0, "{err}");
    assert!(
        err.contains("usual ports") && out.contains("port 993  SSL/TLS"),
        "{out}{err}"
    );
    let run = serve_all(&dir);
    let (code, out, err) = once(&dir, &["client-config"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let port = |role| run.addr(role).port();
    for line in [
        "address     anna@example.org\n".to_owned(),
        "user name   anna@example.org, or anna\n".to_owned(),
        format!(
            "IMAP        mail.example.org  port {}  SSL/TLS\n",
            port("imaps")
        ),
        format!(
            "SMTP        mail.example.org  port {}  SSL/TLS\n",
            port("submissions")
        ),
        format!(
            "JMAP        https://mail.example.org:{}/.well-known/jmap\n",
            port("https")
        ),
        "certificate self-signed, SHA-256 ".to_owned(),
    ] {
        assert!(out.contains(&line), "{line} in {out}");
    }
    assert!(!out.contains("POP3") && !out.contains("STARTTLS"), "{out}");
}

/// The modules of a drawn code, dark ones true, without the quiet zone, which has to be there.
fn modules(out: &str) -> Vec<Vec<bool>> {
    let mut rows = Vec::new();
    for line in out.lines().filter(|line| line.starts_with('\x1b')) {
        let inner = line.strip_prefix("\x1b[38;5;16;48;5;231m").unwrap();
        let inner = inner.strip_suffix("\x1b[0m").unwrap();
        rows.push(
            inner
                .chars()
                .map(|c| "\u{2588}\u{2580}".contains(c))
                .collect(),
        );
        rows.push(
            inner
                .chars()
                .map(|c| "\u{2588}\u{2584}".contains(c))
                .collect::<Vec<_>>(),
        );
    }
    let size = rows[0].len() - 8;
    let mut inside = Vec::new();
    for (y, row) in rows.iter().enumerate() {
        let is_inside = (4..size + 4).contains(&y);
        assert!(!row[..4].contains(&true) && !row[size + 4..].contains(&true));
        assert!(is_inside || !row.contains(&true));
        if is_inside {
            inside.push(row[4..size + 4].to_vec());
        }
    }
    inside
}

#[test]
fn a_code_carries_a_new_app_password() {
    let dir = init();
    let run = serve_all(&dir);
    fails(&dir, &["client-config", "--for", "apple"], 2, &["--qr"]);
    fails(
        &dir,
        &["client-config", "--qr", "--for", "pager"],
        2,
        &["thunderbird, deltachat or apple"],
    );
    let mut seen = Vec::new();
    for (name, reader) in [
        ("phone", None),
        ("my tablet", Some("deltachat")),
        ("mac", Some("apple")),
    ] {
        let mut args = vec!["client-config", "--qr", "--name", name];
        args.extend(reader.map(|reader| ["--for", reader]).into_iter().flatten());
        let (code, out, err) = once(&dir, &args);
        assert_eq!(code, 0, "{err}");
        let size = modules(&out);
        // The pattern in three corners (ISO/IEC 18004 §6.3.3).
        for (x, y) in [(0, 0), (size.len() - 7, 0), (0, size.len() - 7)] {
            assert!(size[y][x..x + 7].iter().all(|dark| *dark), "{out}");
            assert_eq!(
                size[y + 3][x..x + 7],
                [true, false, true, true, true, false, true]
            );
        }
        let marker = format!("the app password {name}: ");
        let (_, secret) = out.split_once(&marker).unwrap();
        seen.push(secret.lines().next().unwrap().to_owned());
    }
    let list = once(&dir, &["app-password", "list"]).1;
    assert!(
        list.contains("  phone\n") && list.contains("  my tablet\n"),
        "{list}"
    );
    fails(
        &dir,
        &["client-config", "--qr"],
        10,
        &["phone exists already"],
    );
    let secret = &seen[0];
    let log_in = || {
        let mut c = Client::connect(run.addr("imaps"));
        c.start_tls();
        c.expect("* OK");
        c.send(&format!("a LOGIN anna@example.org {secret}"));
        c.until("a ").pop().unwrap().starts_with("a OK")
    };
    assert!(log_in());
    assert_eq!(once(&dir, &["app-password", "revoke", "phone"]).0, 0);
    assert!(!log_in());
    run.stop();
    // Without the server there is no link, but a code.
    fails(
        &dir,
        &["client-config", "--qr", "--for", "apple"],
        2,
        &["has to run"],
    );
    assert_eq!(once(&dir, &["client-config", "--qr"]).0, 0);
}

/// Behind the link is a password.
#[test]
fn no_link_in_the_clear() {
    let dir = init();
    let _run = serve_with(&dir, &["--http-url", "http://mail.example.org"]);
    let args = ["client-config", "--qr", "--for", "apple"];
    fails(&dir, &args, 2, &["https"]);
    assert!(!once(&dir, &["app-password", "list"]).1.contains("phone"));
}
