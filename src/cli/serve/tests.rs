use super::*;
use crate::config::Pop3Delete;

fn config(args: &[&str]) -> Result<Config, String> {
    let serve = Serve::from_args(&["serve"], args).map_err(|e| e.output)?;
    serve.config().map_err(Failure::message)
}

#[test]
fn listeners() {
    let all = config(&[]).unwrap().listen;
    assert_eq!(all.len(), 9);
    assert!(all.iter().all(|l| l.address.ip().is_unspecified()));
    let some = config(&[
        "--try",
        "--imap",
        "off",
        "--smtp",
        "127.0.0.1:0",
        "--smtp",
        "[::1]:26",
    ]);
    let some = some.unwrap().listen;
    assert_eq!(some.len(), 9);
    assert!(
        some.iter()
            .all(|l| l.address.ip().is_loopback() && l.role != Role::Imap)
    );
    assert_eq!(
        socket_address(Role::Imap, "1143").unwrap().to_string(),
        "[::]:1143"
    );
    assert_eq!(
        socket_address(Role::Imap, ":1143").unwrap().to_string(),
        "[::]:1143"
    );
    assert_eq!(
        socket_address(Role::Imap, "localhost:3")
            .unwrap()
            .to_string(),
        "127.0.0.1:3"
    );
    for bad in ["mail.example.org:25", "", "1.2.3.4", "1.2.3.4:x", "70000"] {
        assert!(socket_address(Role::Smtp, bad).is_err(), "{bad}");
    }
    assert!(config(&["--imap", "off", "--imap", "[::]:143"]).is_err());
    assert!(
        config(&["--imap", "[::]:25"])
            .err()
            .unwrap()
            .contains("both")
    );
}

#[test]
fn values_are_checked() {
    for bad in [
        &["--cert", "x"][..],
        &["--max-message-size", "0"],
        &["--max-message-size", "-1"],
        &["--cache-mb", "99999"],
        &["--max-connections", "0"],
        &["--login-timeout", "0"],
        &["--smarthost-user", "x"],
        &["--smarthost", "h", "--smarthost-user", "x"],
        &["--smarthost", "h", "--smarthost-tls", "maybe"],
        &["--smarthost", "h:0"],
        &["--smarthost", ""],
        &["--pop3-delete", "0-days"],
        &["--pop3-delete", "soon"],
        &["--http-header", "no colon"],
        &["--http-header", "X: a\r\nY: b"],
        &["--http-header", "Content-Length: 5"],
        &["--http-url", "mail.example.org"],
        &["--http-url", "https://mail.example.org?x"],
        &["--cors-origin", "app.example.org"],
        &["--http-proxy", "proxy.example.org"],
        &["--nonsense"],
    ] {
        assert!(config(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn values_arrive() {
    let c = config(&[
        "--max-message-size",
        "7",
        "--quota",
        "100",
        "--pop3-delete",
        "30-days",
        "--smarthost",
        "[2001:db8::1]:465",
        "--http-header",
        "X-Frame-Options: DENY",
        "--http-url",
        "https://m.example/",
        "--idle-timeout",
        "5",
    ])
    .unwrap();
    assert_eq!((c.max_message_size, c.quota), (7 << 20, Some(100 << 20)));
    assert_eq!(c.pop3.delete, Pop3Delete::Days(30));
    let smarthost = c.smarthost.unwrap();
    assert_eq!(
        (smarthost.host.as_str(), smarthost.port),
        ("2001:db8::1", 465)
    );
    assert_eq!(smarthost.tls, SmarthostTls::Tls);
    assert_eq!(
        c.http.headers,
        [("X-Frame-Options".to_owned(), "DENY".to_owned())]
    );
    assert_eq!(c.http.url.as_deref(), Some("https://m.example"));
    assert_eq!(c.idle, Some(Duration::from_secs(5)));
    // U-labels are looked up as A-labels (RFC 5891 §5.5); what cannot be one is no name.
    let far = config(&["--smarthost", "smtp.bücher.example:465"]).unwrap();
    let host = far.smarthost.unwrap().host;
    assert_eq!(host, "smtp.xn--bcher-kva.example");
    let far = config(&["--route", "x.test=bücher.example:465"]).unwrap();
    let host = far.routes[0].host.clone().unwrap().host;
    assert_eq!(host, "xn--bcher-kva.example");
    assert!(config(&["--smarthost", &"ü".repeat(300)]).is_err());
    let plain = config(&["--smarthost", "relay.example"])
        .unwrap()
        .smarthost
        .unwrap();
    assert_eq!((plain.port, plain.tls), (587, SmarthostTls::StartTls));
}

/// Somebody who reads the help must see what a flag does when it is not given.
#[test]
fn every_flag_states_its_default() {
    let help = Serve::from_args(&["serve"], &["--help"])
        .err()
        .unwrap()
        .output;
    let options = help.split("Options:").nth(1).unwrap();
    let mut flags: Vec<String> = Vec::new();
    for line in options.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("  -") {
            flags.push(String::new());
        }
        if let Some(flag) = flags.last_mut() {
            flag.push_str(line.trim());
            flag.push(' ');
        }
    }
    assert!(flags.len() > 40, "{}", flags.len());
    for flag in flags.iter().filter(|f| {
        !["-v", "-q", "-h", "--help"]
            .iter()
            .any(|s| f.starts_with(s))
    }) {
        assert!(flag.contains("(default:"), "{flag}");
    }
}

#[test]
fn imap_capabilities_taken_away() {
    let off = config(&["--imap-without", "move", "--imap-without", "CONDSTORE"]);
    assert_eq!(off.unwrap().imap_without, ["MOVE", "CONDSTORE"]);
    let unknown = config(&["--imap-without", "MOOVE"]).err().unwrap();
    assert!(unknown.contains("MOOVE") && unknown.contains(" MOVE "));
    let none = config(&["--imap-without", "IMAP4rev1", "--imap-without", "IMAP4rev2"]);
    assert!(none.is_err());
}
