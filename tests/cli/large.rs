//! A message of nearly 50 MiB, checked, filed and acknowledged in a few MiB of memory.
use super::{Run, TempDir, once};
use crate::harness::Client;
use crate::harness::dns::Dns;
use std::fs;

/// RFC 8463 appendix A.
const SIGNED: &str = include_str!("../data/rfc8463.eml");

fn kib(run: &Run, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", run.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_large_message_streams() {
    let dir = TempDir::new();
    assert_eq!(once(&dir, &["init", "--domain", "example.org"]).0, 0);
    let dns = Dns::start();
    let ed = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    dns.add("brisbane._domainkey.football.example.com", "TXT", ed);
    dns.add("football.example.com", "TXT", "v=spf1 ip4:127.0.0.1 -all");
    let mut args = vec![
        "serve",
        "--db",
        "mail.redb",
        "--smtp",
        "127.0.0.1:0",
        "--verify",
        "all",
    ];
    for role in [
        "submission",
        "submissions",
        "imap",
        "imaps",
        "pop3",
        "pop3s",
        "http",
        "https",
    ] {
        args.extend([&*Box::leak(format!("--{role}").into_boxed_str()), "off"]);
    }
    let address = dns.address().to_string();
    args.extend(["--dns", &address]);
    let run = Run::start(dir.path(), &args);
    run.ready();
    let mut client = Client::connect(run.addr("smtp"));
    client.expect("220 ");
    let mail = |client: &mut Client, more: usize| {
        client.ask("EHLO x", "250 ");
        client.ask("MAIL FROM:<joe@football.example.com>", "250");
        client.ask("RCPT TO:<me@example.org>", "250");
        client.ask("DATA", "354");
        client.send_raw(SIGNED.as_bytes());
        let line = [&[b'x'; 76][..], b"\r\n"].concat().repeat(840);
        for _ in 0..more {
            client.send_raw(&line);
        }
        client.send(".");
        client.expect("250");
    };
    // Once before, so that what stays is there.
    mail(&mut client, 4);
    // The high-water mark begins anew.
    fs::write(format!("/proc/{}/clear_refs", run.pid()), "5").unwrap();
    let before = kib(&run, "VmRSS:");
    mail(&mut client, 780);
    let grown = kib(&run, "VmHWM:").saturating_sub(before);
    println!("49 MiB, checked and filed: +{grown} KiB");
    assert!(grown <= 8 << 10, "{grown} KiB");
    // It was looked at to its end.
    run.find("spf=pass dkim=football.example.com:fail,football.example.com:");
}
