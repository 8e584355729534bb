//! `--metrics`: what happens is counted, and Prometheus can read it.
use super::{QUIET, TempDir, once};
use crate::cli::run::Run;
use crate::harness::{Client, PATIENCE};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A server with a metrics listener; `more` are flags.
fn serve(dir: &TempDir, more: &[&str]) -> Run {
    let mut args = vec!["serve", "--imap", "127.0.0.1:0", "--smtp", "127.0.0.1:0"];
    args.extend(["--metrics", "127.0.0.1:0"]);
    args.extend(&QUIET[2..]);
    args.extend(more);
    let run = Run::start(dir.path(), &args);
    run.ready();
    run
}

fn ask(run: &Run, request: &str) -> String {
    let mut socket = TcpStream::connect(run.addr("metrics")).unwrap();
    let head = "Host: box\r\nConnection: close\r\n\r\n";
    write!(socket, "{request} HTTP/1.1\r\n{head}").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

/// The value of a sample.
#[track_caller]
fn value(text: &str, sample: &str) -> i64 {
    let found = text.lines().find_map(|line| line.strip_prefix(sample));
    let found = found.unwrap_or_else(|| panic!("no {sample} in {text}"));
    found.trim().parse().unwrap()
}

#[test]
fn what_happens_is_counted() {
    let dir = TempDir::new();
    fs::write(dir.join("secret"), "correct horse\n").unwrap();
    let private: fs::Permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(dir.join("secret"), private).unwrap();
    let flags = ["--domain", "example.org", "--password-file", "secret"];
    let run = serve(&dir, &flags);
    let mut smtp = Client::connect(run.addr("smtp"));
    smtp.expect("220");
    smtp.ask("EHLO x", "250 ");
    smtp.ask("MAIL FROM:<a@example.net>", "250");
    smtp.ask("RCPT TO:<nobody@example.org>", "550 5.1.1");
    smtp.ask("RCPT TO:<you@example.com>", "550 5.7.1");
    smtp.ask("RCPT TO:<me@example.org>", "250");
    smtp.ask("DATA", "354");
    smtp.send_raw(b"Subject: one\r\n\r\nHello.\r\n.\r\n");
    smtp.expect("250");
    smtp.ask("FROBNICATE", "500");
    let mut imap = Client::connect(run.addr("imap"));
    imap.expect("* OK");
    imap.ask("a LOGIN me wrong", "a NO");
    imap.ask("b LOGIN me \"correct horse\"", "b OK");

    let answer = ask(&run, "GET /metrics");
    let (head, text) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"),
        "{head}"
    );
    for (sample, is) in [
        ("pillarbox_up", 1),
        ("pillarbox_emails", 1),
        ("pillarbox_inbox_unseen", 1),
        ("pillarbox_queue_waiting", 0),
        ("pillarbox_queue_oldest_seconds", 0),
        ("pillarbox_mail_accepted_total{listener=\"smtp\"}", 1),
        ("pillarbox_mail_refused_total{reason=\"address\"}", 1),
        ("pillarbox_mail_refused_total{reason=\"policy\"}", 1),
        ("pillarbox_mail_refused_total{reason=\"protocol\"}", 0),
        ("pillarbox_mail_sent_total{outcome=\"delivered\"}", 0),
        ("pillarbox_sessions_open{listener=\"imap\"}", 1),
        ("pillarbox_sessions_total{listener=\"smtp\"}", 1),
        ("pillarbox_logins_failed_total{protocol=\"imap\"}", 1),
        ("pillarbox_logins_failed_total{protocol=\"jmap\"}", 0),
        ("pillarbox_store_errors_total", 0),
        ("pillarbox_clock_is_set", 1),
    ] {
        assert_eq!(value(text, sample), is, "{sample}");
    }
    for sample in [
        "pillarbox_store_bytes",
        "pillarbox_store_slack_bytes",
        "pillarbox_store_written_bytes_total",
        "pillarbox_store_flushes_total",
        "pillarbox_disk_free_bytes",
        "pillarbox_certificate_seconds",
        "pillarbox_memory_bytes",
        "pillarbox_threads",
    ] {
        assert!(value(text, sample) > 0, "{sample}");
    }
    assert!(value(text, "pillarbox_uptime_seconds") >= 0);
    drop(imap);
    // The same, asked for by the control socket, as it is and in words.
    let (_, same, _) = once(&dir, &["status", "--metrics"]);
    let names = |text: &str| -> Vec<String> {
        let names = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        names.map(str::to_owned).collect()
    };
    assert_eq!(names(&same), names(text));
    let (_, words, _) = once(&dir, &["status"]);
    for line in [
        "               1  messages taken in: smtp\n",
        "               1  log-ins that failed: imap\n",
        "  octets written to the store's file\n",
        " days  until the certificate ends\n",
    ] {
        assert!(words.contains(line), "{line} in {words}");
    }
}

/// Each family says once what it is, before its samples, and no sample comes twice.
#[test]
fn the_text_is_in_the_format() {
    let dir = TempDir::new();
    let run = serve(&dir, &["--domain", "example.org"]);
    let answer = ask(&run, "GET /metrics");
    let (_, text) = answer.split_once("\r\n\r\n").unwrap();
    let (mut family, mut seen) = (String::new(), std::collections::BTreeSet::new());
    assert!(text.ends_with('\n') && !text.contains('\r'));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap().to_owned();
            assert!(seen.insert(format!("# {family}")), "{line}");
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family);
            let counter = name.ends_with("_total");
            assert_eq!(kind, if counter { "counter" } else { "gauge" });
        } else {
            let (sample, number) = line.rsplit_once(' ').unwrap();
            assert_eq!(sample.split('{').next().unwrap(), family, "{line}");
            assert!(
                number.parse::<i64>().is_ok() && seen.insert(sample.to_owned()),
                "{line}"
            );
        }
    }
}

#[test]
fn nothing_else_is_there() {
    let dir = TempDir::new();
    let run = serve(&dir, &["--domain", "example.org"]);
    let head = ask(&run, "HEAD /metrics");
    assert!(
        head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    for (request, status) in [
        ("GET /", "404"),
        ("GET /.well-known/jmap", "404"),
        ("GET /jmap/session", "404"),
        ("POST /metrics", "405"),
        ("DELETE /metrics", "405"),
    ] {
        let answer = ask(&run, request);
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request}: {answer}"
        );
    }
}

/// Nobody has to say so for it to be for this machine alone.
#[test]
fn a_port_alone_is_on_loopback() {
    let dir = TempDir::new();
    let mut args = vec!["serve", "--domain", "example.org", "--imap", "127.0.0.1:0"];
    args.extend(QUIET);
    args.extend(["--metrics", "0"]);
    let run = Run::start(dir.path(), &args);
    run.ready();
    assert!(run.addr("metrics").ip().is_loopback());
    drop(run);
    *args.last_mut().unwrap() = "0.0.0.0:0";
    let run = Run::start(dir.path(), &args);
    run.find("shows the numbers to everybody who reaches it");
}

/// Nothing is written and nobody wakes up while nothing happens, once the start is over.
#[test]
fn an_idle_server_sleeps() {
    let dir = TempDir::new();
    let run = serve(&dir, &["--domain", "example.org"]);
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let sum = |text: &str, name: &str| -> u64 {
        let lines = text.lines().filter_map(|line| line.strip_prefix(name));
        lines.map(|n| n.trim().parse::<u64>().unwrap()).sum()
    };
    let process = format!("/proc/{}", run.pid());
    let wake_ups = || {
        let threads = fs::read_dir(format!("{process}/task")).unwrap();
        let paths = threads.map(|it| it.unwrap().path().join("status"));
        let texts = paths.map(|path| read(&path.to_string_lossy()));
        texts
            .map(|text| sum(&text, "voluntary_ctxt_switches:"))
            .sum()
    };
    let written = || sum(&read(&format!("{process}/io")), "wchar:");
    let until = Instant::now() + PATIENCE;
    loop {
        let before: (u64, u64) = (wake_ups(), written());
        std::thread::sleep(Duration::from_secs(4));
        let after = (wake_ups(), written());
        // A thread that has ended takes its count along.
        if after.0 <= before.0 + 1 && after.1 == before.1 {
            return;
        }
        assert!(Instant::now() < until, "{before:?} {after:?}");
    }
}
