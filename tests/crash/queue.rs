//! Power cuts while the queue works: three destinations of one message, of which one takes it, one puts it
//! off and one refuses it.
use super::disk::{Fault, Medium};
use super::random::Random;
use crate::smtp::fake::{Fake, USUAL};
use pillarbox::auth::Auth;
use pillarbox::config::{Config, DomainRoute};
use pillarbox::mail::address::Address;
use pillarbox::mail::outbound::{self, Batch, Envelope, Item, Order, Recipient};
use pillarbox::mail::{Commit, Flags, Mail, NewEmail, Options, Role, Source};
use pillarbox::queue::order;
use pillarbox::server::Server;
use pillarbox::store;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const TAKES: &str = "takes.test";
const LATER: &str = "later.test";
const NEVER: &str = "never.test";

fn open(medium: &Arc<Medium>) -> Option<Arc<Mail>> {
    let options = Options {
        cache: 1 << 20,
        ..Options::default()
    };
    Mail::open_source(medium.source(), options).ok()
}

/// The queue alone, without listeners.
fn queue(config: &Arc<Config>, mail: &Arc<Mail>) -> Option<Server> {
    let auth = Arc::new(Auth::open(config.clone(), mail.clone()).ok()?);
    Server::start(Vec::new(), config.clone(), mail.clone(), auth, None).ok()
}

fn stop(server: Server) {
    let patience = Duration::from_secs(10);
    smol::block_on(server.stop(patience, std::future::pending()));
}

/// Hands a message for all three in.
fn submit(mail: &Mail) {
    smol::block_on(async {
        let mut body = mail.body(None).unwrap();
        body.push(b"Subject: x\r\n\r\ny\r\n").await.unwrap();
        let mut commit = Commit::default();
        commit.add.push(NewEmail {
            source: Source::Staged(body.finish(b"").await.unwrap()),
            mailboxes: Vec::new(),
            flags: Flags::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: true,
        });
        let created = pillarbox::sys::clock::now();
        let envelope = Envelope {
            sender: Address::parse("anna@example.org").ok(),
            created,
            ..Envelope::default()
        };
        let to = |domain: &&str| Recipient {
            address: Address::parse(&format!("x@{domain}")).unwrap(),
            notify: None,
            orcpt: None,
        };
        let to = [TAKES, LATER, NEVER].iter().map(to).collect();
        let item = Item::new(created).unwrap();
        commit.put = Some(Box::new(move |added| {
            outbound::rows(item, added[0].email, &envelope, to)
        }));
        mail.commit(commit).await.unwrap();
    });
}

/// What waits: attempts by domain. `None`: the disk does not answer.
fn waiting(mail: &Mail) -> Option<BTreeMap<String, u16>> {
    let mut rows = BTreeMap::new();
    let scanned = mail.reader().ok()?.scan(outbound::BATCHES, |key, row| {
        let (_, domain) = outbound::parse_batch_key(key).unwrap();
        rows.insert(domain, Batch::decode(row).unwrap().attempts);
        true
    });
    scanned.ok().map(|()| rows)
}

fn reports(mail: &Mail) -> u32 {
    mail.meta().by_role(Role::Inbox).unwrap().counters.total
}

#[track_caller]
fn wait(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_power_cut_in_any_state_of_the_queue_loses_and_doubles_nothing() {
    let well = Arc::new(AtomicBool::new(false));
    let (may, script) = (well.clone(), |verb: &'static str, reply: &'static str| {
        move |_: usize, line: &str| line.starts_with(verb).then(|| reply.to_owned())
    });
    let takes = Fake::start(USUAL, |_, _| None);
    let later = Fake::start(USUAL, move |_, line| {
        (line.starts_with("RCPT") && !may.load(Ordering::SeqCst)).then(|| "450 4.2.1 later".into())
    });
    let never = Fake::start(USUAL, script("RCPT", "550 5.1.1 nobody"));
    let mut config = Config::new("anna", "example.org");
    for (domain, fake) in [(TAKES, &takes), (LATER, &later), (NEVER, &never)] {
        config.routes.push(DomainRoute {
            domain: domain.into(),
            host: Some(fake.smarthost()),
        });
    }
    let config = Arc::new(config);
    let mut random = Random::new(41);
    let mut doubled = 0;
    for events in 0.. {
        well.store(false, Ordering::SeqCst);
        let before = [takes.count(), later.count()];
        let medium = Medium::new(Medium::formatted().image());
        let mail = open(&medium).unwrap();
        submit(&mail);
        medium.arm(events, Fault::Cut);
        let server = queue(&config, &mail);
        wait("the first run", || {
            let settled =
                |rows: BTreeMap<String, u16>| rows.len() == 1 && rows.get(LATER) > Some(&0);
            medium.is_cut() || waiting(&mail).is_some_and(settled)
        });
        if let Some(server) = server {
            stop(server);
        }
        drop(mail);
        let cut = medium.is_cut();
        let keep = [0, 50, 100][(events % 3) as usize];
        medium.cut();
        let medium = Medium::new(medium.survivor(512, keep, &mut random));

        // What is owed is on the disk, and only what is owed is.
        let mail = open(&medium).unwrap();
        let rows = waiting(&mail).unwrap();
        assert!(rows.contains_key(LATER), "{events}: {rows:?}");
        let taken = takes.count() - before[0];
        assert!(
            taken == 1 || rows.contains_key(TAKES),
            "{events}: lost: {rows:?}"
        );
        let bounced = reports(&mail);
        assert_eq!(
            bounced,
            u32::from(!rows.contains_key(NEVER)),
            "{events}: {rows:?}"
        );

        well.store(true, Ordering::SeqCst);
        let server = queue(&config, &mail).unwrap();
        wait("the second run", || {
            let _ = smol::block_on(order::give(&mail, Order::Retry, "all"));
            std::thread::sleep(Duration::from_millis(5));
            waiting(&mail).is_some_and(|rows| rows.is_empty())
        });
        stop(server);
        // Once more only where the cut fell between the 250 and our commit.
        let again = takes.count() - before[0] - taken;
        assert_eq!(again, usize::from(rows.contains_key(TAKES)), "{events}");
        doubled += usize::from(taken + again == 2);
        assert_eq!(later.count() - before[1], 1, "{events}");
        drop(mail);
        let mail = open(&medium).unwrap();
        assert_eq!(reports(&mail), 1, "{events}");
        smol::block_on(mail.close());
        let report = store::check(medium.handle(), 1 << 20, true).unwrap();
        assert!(
            report.wrong.is_empty() && report.in_flight == 0,
            "{events}: {report:?}"
        );
        if !cut {
            println!("{events} cuts, {doubled} of them behind the 250");
            assert!(events > 10, "{events} events are no run of the queue");
            return;
        }
    }
}
