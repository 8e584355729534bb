//! MT-PRIORITY (RFC 6710): what matters more goes first, and the next server hears of it.
use super::fake::Fake;
use super::*;
use pillarbox::mail::outbound::Order;
use pillarbox::queue::order;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn submit(client: &mut Client, priority: &str) {
    client.ask(&format!("MAIL FROM:<anna@example.org>{priority}"), "250");
    client.ask("RCPT TO:<x@else.where>", "250");
    client.ask("DATA", "354");
    client.ask("Subject: s\r\n\r\nHello\r\n.", "250");
}

#[test]
fn for_who_is_known_alone() {
    let server = Server::start();
    let mut client = hello(&server, Role::Smtp);
    talk(
        &mut client,
        &[("MAIL FROM:<a@b> MT-PRIORITY=-1", "555 5.5.4")],
    );
    let mut client = logged_in(&server);
    let lines = client.ask("EHLO x", "250 ");
    assert!(lines.contains(&"250-MT-PRIORITY".to_owned()), "{lines:?}");
    for bad in ["10", "-10", "-0", "+1", "", "x", "1 MT-PRIORITY=1"] {
        let line = format!("MAIL FROM:<anna@example.org> MT-PRIORITY={bad}");
        talk(&mut client, &[(&line, "501 5.5.4")]);
    }
}

#[test]
fn goes_first_and_is_passed_on() {
    let open = Arc::new(AtomicBool::new(false));
    let says = open.clone();
    let fake = Fake::start(&["PIPELINING", "MT-PRIORITY"], move |_, line| {
        let shut = line == "CONNECT" && !says.load(Ordering::SeqCst);
        shut.then(|| "421 4.3.2 later".into())
    });
    let way = fake.smarthost();
    let server = Server::with(|config| config.smarthost = Some(way));
    let mut client = logged_in(&server);
    for priority in ["-4", "0", "9", "3"] {
        submit(&mut client, &format!(" MT-PRIORITY={priority}"));
    }
    submit(&mut client, "");
    // All wait, and no attempt is on its way with some of them.
    smol::block_on(order::give(server.mail(), Order::Hold, "all")).unwrap();
    let held = || {
        let lines = order::list(server.mail()).unwrap();
        lines.iter().filter(|line| line.contains("held")).count()
    };
    let until = Instant::now() + crate::harness::PATIENCE;
    while held() < 5 {
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    }
    open.store(true, Ordering::SeqCst);
    smol::block_on(order::give(server.mail(), Order::Retry, "all")).unwrap();
    let messages = fake.wait(5);
    let told = |text: &str| text.split("MT-PRIORITY=").nth(1).map(str::to_owned);
    let order: Vec<_> = messages.iter().map(|it| told(&it.envelope[0])).collect();
    let want = ["9", "3", "", "", "-4"].map(|it| Some(it.to_owned()).filter(|it| !it.is_empty()));
    assert_eq!(order, want);
    let text = String::from_utf8(messages[0].raw.clone()).unwrap();
    assert!(
        text.contains("\r\n\tfor <x@else.where>\r\n\tPRIORITY 9;\r\n"),
        "{text}"
    );
    wait_for_empty_queue(&server);
}
