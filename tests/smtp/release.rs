//! FUTURERELEASE (RFC 4865): mail that is handed in now and leaves later.
use super::fake::Fake;
use super::*;
use pillarbox::mail::outbound::{self, Batch, Order};
use pillarbox::queue::order;

#[test]
fn on_submission_alone_and_within_bounds() {
    let server = Server::start();
    let mut mx = server.client(Role::Smtp);
    mx.expect("220");
    assert!(
        !mx.ask("EHLO x", "250 ")
            .iter()
            .any(|line| line.contains("FUTURERELEASE"))
    );
    talk(&mut mx, &[("MAIL FROM:<> HOLDFOR=5", "555 5.5.4")]);
    let mut client = logged_in(&server);
    let lines = client.ask("EHLO x", "250 ");
    let line = lines
        .iter()
        .find(|line| line.contains("FUTURERELEASE"))
        .unwrap();
    let words: Vec<&str> = line[4..].split(' ').collect();
    assert_eq!(words[1], "31622400");
    assert!(words[2].ends_with('Z') && words[2].len() == 20, "{line}");
    let mail = |hold: &str| format!("MAIL FROM:<anna@example.org> {hold}");
    for bad in [
        "HOLDFOR=31622401",
        "HOLDFOR=0",
        "HOLDFOR=05",
        "HOLDFOR=-1",
        "HOLDFOR=1234567890",
        "HOLDFOR",
        "HOLDUNTIL=2120-01-01T00:00:00Z",
        "HOLDUNTIL=2026-01-01T00:00:00+01:00",
        "HOLDUNTIL=tomorrow",
        "HOLDFOR=5 HOLDFOR=5",
        "HOLDFOR=5 HOLDUNTIL=2026-01-01T00:00:00Z",
    ] {
        talk(&mut client, &[(&mail(bad), "501 5.5.4")]);
    }
    for good in ["HOLDFOR=31622400", "holduntil=2020-01-01T00:00:00Z"] {
        talk(&mut client, &[(&mail(good), "250"), ("RSET", "250")]);
    }
}

#[test]
fn nobody_has_it_before_its_time() {
    let fake = Fake::taking_all();
    let server = Server::with(|config| config.smarthost = Some(fake.smarthost()));
    let mut client = logged_in(&server);
    client.ask("MAIL FROM:<anna@example.org> HOLDFOR=5000 RET=HDRS", "250");
    client.ask("RCPT TO:<bob@else.where>", "250");
    client.ask("RCPT TO:<anna@example.org>", "250");
    client.ask("DATA", "354");
    client.ask("Subject: later\r\n\r\nx\r\n.", "250");
    // Another one, without.
    client.ask("MAIL FROM:<anna@example.org>", "250");
    client.ask("RCPT TO:<bob@else.where>", "250");
    client.ask("DATA", "354");
    client.ask("Subject: now\r\n\r\nx\r\n.", "250");
    fake.wait(1);
    outbound::retry_all();
    let mut dues = Vec::new();
    let reader = server.mail().reader().unwrap();
    reader
        .scan(outbound::BATCHES, |_, row| {
            dues.push(Batch::decode(row).unwrap().due);
            true
        })
        .unwrap();
    let now = pillarbox::sys::clock::now();
    let late = dues
        .iter()
        .filter(|due| (now + 4900..now + 5001).contains(*due));
    assert_eq!(late.count(), 2, "{dues:?}");
    assert_eq!((texts(&server).len(), fake.count()), (0, 1));
    // Taken back: the report says what was asked for.
    smol::block_on(order::give(server.mail(), Order::Drop, "all")).unwrap();
    let reports = wait_for_inbox(&server, 1);
    assert!(
        reports[0].contains("\r\nFuture-Release-Request: for;5000\r\n"),
        "{}",
        reports[0]
    );
    let arrived = reports[0].split("\r\nArrival-Date: ").nth(1).unwrap();
    let arrived = pillarbox::mime::date::parse(arrived.split("\r\n").next().unwrap().as_bytes());
    assert!(arrived.unwrap().secs <= i64::from(now));
}
