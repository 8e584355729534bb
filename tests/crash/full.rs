//! Disks that run full or break: the operation is refused with the right error, service goes on,
//! nothing answered is lost, and when the trouble is over all is well without a restart.
use super::actor::{Actor, Stop};
use super::disk::{Fault, Medium};
use super::number;
use super::random::Random;
use pillarbox::mail::{Error, Flags, Mail, MailboxId, NewEmail, Options, Role, Source, UidSet};
use pillarbox::store;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const OPERATIONS: usize = 10;
/// A broken store tries again every second.
const PATIENCE: Duration = crate::harness::PATIENCE;

struct Start {
    image: Vec<u8>,
    actor: Actor,
    cache: usize,
}

/// What the runs of one fault met.
#[derive(Default, Debug)]
struct Tally {
    runs: u32,
    met: u32,
    answers: BTreeMap<String, u32>,
    /// Reads while the fault lasted: (that worked, that did not).
    reads: (u32, u32),
    /// The same for removing a message.
    removes: (u32, u32),
    slowest: Duration,
}

impl Start {
    fn new(cache: usize) -> Start {
        let medium = Medium::formatted();
        let mut actor = Actor::new("t0", Random::new(7));
        actor.largest = 300_000;
        let mail = open(&medium, cache);
        smol::block_on(async {
            for _ in 0..30 {
                actor.step(&mail).await.expect("a fine disk");
            }
            mail.close().await;
        });
        Start {
            image: medium.image(),
            actor,
            cache,
        }
    }

    /// Writes and syncs (or reads) of the operations without any fault.
    fn events(&self, fault: Fault) -> u64 {
        let medium = Medium::new(self.image.clone());
        let mail = open(&medium, self.cache);
        let before = medium.counts();
        let mut actor = self.actor.clone();
        smol::block_on(async {
            for _ in 0..OPERATIONS {
                actor.step(&mail).await.expect("a fine disk");
            }
        });
        let after = medium.counts();
        match fault {
            Fault::OneRead => after.reads - before.reads,
            _ => after.writes + after.syncs - before.writes - before.syncs,
        }
    }
}

fn open(medium: &Arc<Medium>, cache: usize) -> Arc<Mail> {
    let options = Options {
        cache,
        ..Options::default()
    };
    Mail::open_source(medium.source(), options).expect("opens")
}

/// One run with the fault at event `at`.
fn run(start: &Start, fault: Fault, at: u64, tally: &mut Tally) -> Result<(), String> {
    let medium = Medium::new(start.image.clone());
    let mail = open(&medium, start.cache);
    let mut actor = start.actor.clone();
    medium.arm(at, fault);
    tally.runs += 1;
    smol::block_on(async {
        for _ in 0..OPERATIONS {
            match actor.step(&mail).await {
                Ok(()) => {}
                Err(Stop::Wrong(what)) => return Err(what),
                Err(Stop::Failed(error)) => {
                    if !matches!(error, Error::DiskFull | Error::Unavailable) {
                        return Err(format!("answered with {error:?}"));
                    }
                    *tally.answers.entry(format!("{error:?}")).or_default() += 1;
                    break;
                }
            }
        }
        if !medium.met() {
            medium.mend();
            mail.close().await;
            return Ok(());
        }
        tally.met += 1;
        meanwhile(&mail, &mut actor, tally)?;
        medium.mend();
        again(&mail, &mut actor, tally)?;
        for _ in 0..OPERATIONS {
            if let Err(stop) = actor.step(&mail).await {
                return Err(format!("after the mending: {stop:?}"));
            }
        }
        actor.resume(&mail)?;
        mail.close().await;
        Ok(())
    })?;
    let report = store::check(medium.handle(), 1 << 20, true).map_err(|e| e.to_string())?;
    match report.wrong.is_empty() {
        true => Ok(()),
        false => Err(format!("{:#?}", report.wrong)),
    }
}

/// What works while the fault lasts.
fn meanwhile(mail: &Mail, actor: &mut Actor, tally: &mut Tally) -> Result<(), String> {
    if !actor.reads(mail) {
        tally.reads.1 += 1;
        return Ok(());
    }
    tally.reads.0 += 1;
    actor.resume(mail)?;
    let full = |f: &&super::world::Folder| !f.rows.is_empty();
    let Some(folder) = actor.world.boxes.values().find(full) else {
        return Ok(());
    };
    let (Some(id), Some(uid)) = (folder.id, folder.rows.keys().next().copied()) else {
        return Ok(());
    };
    let mut after = actor.world.clone();
    for folder in after.boxes.values_mut().filter(|f| f.id == Some(id)) {
        folder.rows.remove(&uid);
    }
    after.tidy();
    match smol::block_on(mail.remove(id, &UidSet::range(uid, uid))) {
        Ok(_) => {
            tally.removes.0 += 1;
            actor.world = after;
        }
        Err(_) => {
            tally.removes.1 += 1;
            actor.after = Some(after);
        }
    }
    Ok(())
}

/// Reading alone must bring it back.
fn again(mail: &Mail, actor: &mut Actor, tally: &mut Tally) -> Result<(), String> {
    let since = Instant::now();
    while !actor.reads(mail) {
        if since.elapsed() > PATIENCE {
            return Err("is not back".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    tally.slowest = tally.slowest.max(since.elapsed());
    actor.resume(mail)
}

/// The fault at many events of the same operations (at each with `PILLARBOX_STEP=1`).
fn everywhere(fault: Fault, cache: usize) -> Tally {
    let start = Start::new(cache);
    let events = start.events(fault);
    let step = number("PILLARBOX_STEP", (events / 24).max(1));
    let next = AtomicU64::new(0);
    let mut sum = Tally::default();
    // Most of the time is waiting.
    std::thread::scope(|scope| {
        let worker = || {
            let mut tally = Tally::default();
            loop {
                let at = next.fetch_add(step, Ordering::Relaxed);
                if at > events {
                    return tally;
                }
                if let Err(what) = run(&start, fault, at, &mut tally) {
                    panic!("{fault:?} at event {at} of {events}: {what}");
                }
            }
        };
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(worker)).collect();
        for worker in workers {
            let tally = worker
                .join()
                .unwrap_or_else(|e| std::panic::resume_unwind(e));
            sum.runs += tally.runs;
            sum.met += tally.met;
            sum.reads = (sum.reads.0 + tally.reads.0, sum.reads.1 + tally.reads.1);
            sum.removes = (
                sum.removes.0 + tally.removes.0,
                sum.removes.1 + tally.removes.1,
            );
            sum.slowest = sum.slowest.max(tally.slowest);
            for (answer, count) in tally.answers {
                *sum.answers.entry(answer).or_default() += count;
            }
        }
    });
    println!("{fault:?}, {events} events: {sum:?}");
    sum
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let tally = everywhere(Fault::Full, 1 << 20);
    assert!(tally.answers.contains_key("DiskFull"));
    everywhere(Fault::NoNewBlocks, 1 << 20);
}

#[test]
fn a_failed_write_is_answered_and_forgotten() {
    everywhere(Fault::OneWrite, 1 << 20);
}

#[test]
fn a_failed_read_is_answered_and_forgotten() {
    everywhere(Fault::OneRead, 1 << 16);
}

#[test]
fn a_disk_that_is_gone_for_a_while_comes_back() {
    everywhere(Fault::Dead, 1 << 20);
}

#[test]
fn new_mail_is_refused_before_the_disk_is_full() {
    let start = Start::new(1 << 20);
    let medium = Medium::new(start.image.clone());
    let mail = open(&medium, start.cache);
    let actor = start.actor.clone();
    medium.set_free(1 << 20);
    assert!(matches!(mail.body(None), Err(Error::DiskFull)));
    let (path, folder) = (actor.world.boxes.iter())
        .find(|(_, folder)| !folder.rows.is_empty())
        .expect("a message");
    let id = folder.id.expect("known");
    let gone = smol::block_on(mail.remove(id, &UidSet::range(1, u32::MAX))).expect("removes");
    assert_eq!(gone.len() as usize, folder.rows.len(), "{path}");
    // Small messages leave no room to speak of.
    medium.set_free(3 << 19);
    assert!(matches!(mail.body(None), Err(Error::DiskFull)));
    medium.set_free(100 << 20);
    assert!(mail.body(Some(10 << 20)).is_ok());
    assert!(mail.body(Some(99 << 20)).is_err());
    smol::block_on(mail.close());
}

/// A message that does not get smaller.
async fn put(mail: &Mail, octets: usize) -> Result<MailboxId, Error> {
    let inbox = mail.meta().by_role(Role::Inbox).expect("INBOX").id;
    let mut random = Random::new(octets as u64);
    let mut body = mail.body(Some(octets as u64))?;
    body.push(b"Subject: large\r\n\r\n").await?;
    for _ in 0..octets / 16 {
        let line = format!("{:014x}\r\n", random.next() >> 8);
        body.push(line.as_bytes()).await?;
    }
    let staged = body.finish(b"").await?;
    mail.add(NewEmail {
        source: Source::Staged(staged),
        mailboxes: vec![inbox],
        flags: Flags::default(),
        keywords: Vec::new(),
        internaldate: None,
        hold: false,
    })
    .await?;
    Ok(inbox)
}

#[test]
fn what_was_deleted_makes_room_on_a_full_disk() {
    let medium = Medium::formatted();
    let mail = open(&medium, 1 << 20);
    smol::block_on(async {
        let inbox = put(&mail, 12 << 20).await.expect("room");
        medium.set_free(3 << 19);
        let large = put(&mail, 1 << 20).await;
        assert!(matches!(large, Err(Error::DiskFull)), "{large:?}");
        let gone = mail.remove(inbox, &UidSet::range(1, 1)).await;
        gone.expect("deleting goes on");
        // What is written comes off again, until there is room for no more.
        let before = medium.image().len();
        let mut taken = 0;
        while put(&mail, 1 << 20).await.is_ok() {
            taken += 1;
        }
        assert!((1..8).contains(&taken), "{taken}");
        assert!(medium.image().len() <= before, "the file grew");
        mail.remove(inbox, &UidSet::range(2, 99))
            .await
            .expect("removes");
        assert!(put(&mail, 1 << 20).await.is_ok());
        // It ends where deleting would be endangered.
        medium.set_free((1 << 20) - 1);
        assert!(matches!(put(&mail, 1 << 20).await, Err(Error::DiskFull)));
        mail.close().await;
        // After a start it is not known, until somebody looks.
        medium.set_free(3 << 19);
        let mail = open(&medium, 1 << 20);
        assert!(matches!(mail.body(None), Err(Error::DiskFull)));
        let store = mail.store().expect("the owner's");
        store.look_for_room().expect("reads");
        assert!(mail.body(None).is_ok());
        mail.close().await;
    });
    let report = store::check(medium.handle(), 1 << 20, true).expect("reads");
    assert!(report.wrong.is_empty(), "{:#?}", report.wrong);
}
