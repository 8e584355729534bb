//! Power cuts: whatever was answered is there afterwards, and nothing is half done.
use super::actor::{Actor, Stop};
use super::disk::{Fault, Medium};
use super::number;
use super::random::Random;
use pillarbox::mail::{Flags, Mail, NewEmail, Options, Role, Source, UidSet};
use pillarbox::store;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const ACTORS: usize = 4;

/// What a run saw.
#[derive(Default, Debug)]
pub struct Tally {
    pub cuts: u64,
    pub while_opening: u64,
    pub while_closing: u64,
    pub clean: u64,
    pub operations: u64,
    pub begun: u64,
}

/// One store through many power cuts.
pub struct Life {
    random: Random,
    image: Vec<u8>,
    actors: Vec<Actor>,
    /// The highest modseq that anyone was shown.
    modseq: u64,
    lies: bool,
    pub tally: Tally,
}

impl Life {
    pub fn new(seed: u64, lies: bool) -> Life {
        let mut random = Random::new(seed);
        let actor = |n| Actor::new(&format!("t{n}"), Random::new(random.next()));
        let actors = (0..ACTORS).map(actor).collect();
        Life {
            image: Medium::formatted().image(),
            actors,
            random,
            modseq: 0,
            lies,
            tally: Tally::default(),
        }
    }

    fn medium(&self) -> Arc<Medium> {
        match self.lies {
            true => Medium::lying(self.image.clone()),
            false => Medium::new(self.image.clone()),
        }
    }

    /// Opens, looks, works until the power goes, and takes what survives.
    pub fn cut(&mut self) -> Result<(), String> {
        let medium = self.medium();
        if self.random.percent(25) {
            medium.arm(self.random.below(40) as u64, Fault::Cut);
        }
        let options = Options {
            cache: 1 << 20,
            ..Options::default()
        };
        let mail = match Mail::open_source(medium.source(), options) {
            Ok(mail) => mail,
            Err(_) if medium.is_cut() => {
                self.tally.while_opening += 1;
                return self.survive(&medium);
            }
            Err(error) => return Err(format!("does not open: {error}")),
        };
        if !medium.is_cut() {
            match self.look(&mail) {
                Err(_) if medium.is_cut() => {}
                outcome => outcome?,
            }
            medium.arm(self.some_events(), Fault::Cut);
        }
        let most = 1 + self.random.below(12);
        let outcome = smol::block_on(work(&mut self.actors, &mail, most));
        self.modseq = self.modseq.max(mail.meta().modseq);
        for stop in outcome {
            match stop {
                Stop::Wrong(what) => return Err(what),
                Stop::Failed(_) if medium.is_cut() => {}
                Stop::Failed(error) => return Err(format!("the disk is fine, but: {error}")),
            }
        }
        let was_cut = medium.is_cut();
        if self.random.percent(50) {
            smol::block_on(mail.close());
            if !medium.is_cut() {
                // A clean stop keeps all that was answered.
                self.actors.iter_mut().for_each(|a| a.before.clear());
            }
        }
        match (was_cut, medium.is_cut()) {
            (false, true) => self.tally.while_closing += 1,
            (false, false) => self.tally.clean += 1,
            _ => {}
        }
        self.survive(&medium)
    }

    /// Mostly a few commits, sometimes the middle of the first.
    fn some_events(&mut self) -> u64 {
        let most = [10, 60, 400, 1_500][self.random.below(4)];
        self.random.below(most) as u64
    }

    fn survive(&mut self, medium: &Arc<Medium>) -> Result<(), String> {
        medium.cut();
        let sector = [64, 512, 512, 4096][self.random.below(4)];
        let keep = [0, 5, 50, 95, 100][self.random.below(5)];
        self.image = medium.survivor(sector, keep, &mut self.random);
        self.tally.cuts += 1;
        if self.tally.cuts.is_multiple_of(8) {
            // On a copy: the look repairs it.
            let report = store::check(Medium::new(self.image.clone()).handle(), 1 << 20, true);
            let report = report.map_err(|e| format!("cannot be checked: {e}"))?;
            if !report.wrong.is_empty() {
                return Err(format!("does not fit together: {:#?}", report.wrong));
            }
        }
        Ok(())
    }

    /// Is everything there that was promised?
    fn look(&mut self, mail: &Mail) -> Result<(), String> {
        let meta = mail.meta();
        if meta.modseq < self.modseq {
            return Err(format!("modseq {} after {}", meta.modseq, self.modseq));
        }
        for actor in &mut self.actors {
            self.tally.begun += u64::from(actor.after.is_some());
            actor.resume(mail)?;
        }
        for mailbox in &meta.mailboxes {
            let mut uids = UidSet::new();
            let reader = mail.reader().map_err(|e| e.to_string())?;
            let rows = reader.rows(mailbox.id, 1, u32::MAX, |row| {
                uids.insert(row.uid);
                true
            });
            rows.map_err(|e| e.to_string())?;
            let view = mail.view(mailbox.id).map_err(|e| e.to_string())?;
            if view.uids != uids || uids.len() != mailbox.counters.total {
                return Err(format!("the view of {} is wrong", mailbox.path));
            }
        }
        Ok(())
    }

    /// Closed properly, nothing may be left over.
    pub fn end(mut self) -> Result<Tally, String> {
        let medium = self.medium();
        let mail = Mail::open_source(medium.source(), Options::default());
        let mail = mail.map_err(|e| format!("does not open: {e}"))?;
        self.look(&mail)?;
        smol::block_on(async {
            let put = mail
                .put(vec![(b"crash/end".to_vec(), Some(Vec::new()))])
                .await;
            put.map_err(|e| e.to_string())?;
            mail.close().await;
            Ok::<_, String>(())
        })?;
        let report = store::check(medium.handle(), 1 << 20, true).map_err(|e| e.to_string())?;
        if report.wrong.is_empty() && report.in_flight == 0 {
            self.tally.operations = self.actors.iter().map(|a| u64::from(a.done)).sum();
            return Ok(self.tally);
        }
        Err(format!("left over at the end: {report:#?}"))
    }
}

/// All actors at the same time, until each has done `most` operations or met an error.
async fn work(actors: &mut [Actor], mail: &Arc<Mail>, most: usize) -> Vec<Stop> {
    let executor = smol::LocalExecutor::new();
    let mut tasks = Vec::new();
    for mut actor in actors.iter_mut().map(std::mem::take) {
        let mail = mail.clone();
        tasks.push(executor.spawn(async move {
            for _ in 0..most {
                if let Err(stop) = actor.step(&mail).await {
                    return (actor, Some(stop));
                }
            }
            (actor, None)
        }));
    }
    let mut stops = Vec::new();
    for (place, task) in actors.iter_mut().zip(tasks) {
        let (actor, stop) = executor.run(task).await;
        *place = actor;
        stops.extend(stop);
    }
    stops
}

/// `cuts` of them over several stores, on two threads.
fn run(cuts: u64, seed: u64) -> Vec<Tally> {
    let lives = 2 * cuts.div_ceil(1_000);
    std::thread::scope(|scope| {
        let run = |thread: u64| {
            let mut tallies = Vec::new();
            for life in (0..lives).filter(|life| life % 2 == thread) {
                let seed = seed + life;
                let mut store = Life::new(seed, false);
                for cut in 0..cuts / lives {
                    if let Err(what) = store.cut() {
                        panic!("PILLARBOX_SEED={seed}, cut {cut}: {what}");
                    }
                }
                let tally = store.end();
                tallies.push(tally.unwrap_or_else(|what| panic!("PILLARBOX_SEED={seed}: {what}")));
            }
            tallies
        };
        let other = scope.spawn(move || run(1));
        let mut tallies = run(0);
        tallies.extend(
            other
                .join()
                .unwrap_or_else(|e| std::panic::resume_unwind(e)),
        );
        tallies
    })
}

pub fn seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    number("PILLARBOX_SEED", now.map_or(1, |d| d.as_micros() as u64))
}

#[test]
fn nothing_answered_is_lost_and_nothing_is_half_done() {
    let tallies = run(number("PILLARBOX_CUTS", 300), seed());
    for tally in tallies {
        println!("{tally:?}");
    }
}

/// What a JMAP client sees of an upload that the power took: the blob is not found, and its id is
/// nobody else's. Once an import was answered, it is there.
#[test]
fn an_upload_waits_for_its_import_to_be_durable() {
    let life = Life::new(7, false);
    let options = || Options {
        cache: 1 << 20,
        ..Options::default()
    };
    let stage = async |mail: &Mail| {
        let mut body = mail.body(None).expect("a body");
        body.push(b"Subject: x\r\n\r\ny").await.expect("pushes");
        body.finish(&[]).await.expect("finishes")
    };
    let import = |mail: &Mail, blob| NewEmail {
        source: Source::Blob(blob),
        mailboxes: vec![mail.meta().by_role(Role::Inbox).expect("INBOX").id],
        flags: Flags::default(),
        keywords: Vec::new(),
        internaldate: None,
        hold: false,
    };
    let mut medium = life.medium();
    let mut random = Random::new(1);
    let cut = |medium: &Arc<Medium>, random: &mut Random| {
        medium.cut();
        Medium::new(medium.survivor(512, 0, random))
    };
    smol::block_on(async {
        let mail = Mail::open_source(medium.source(), options()).expect("opens");
        let first = mail.upload(stage(&mail).await, 9).await.expect("uploads");
        let kept = mail.upload(stage(&mail).await, 9).await.expect("uploads");
        let flushes = medium.counts().syncs;
        mail.add(import(&mail, kept)).await.expect("imports");
        assert_eq!(medium.counts().syncs, flushes + 1);
        let lost = mail.upload(stage(&mail).await, 9).await.expect("uploads");
        assert_eq!(medium.counts().syncs, flushes + 1);
        medium = cut(&medium, &mut random);
        drop(mail);

        let mail = Mail::open_source(medium.source(), options()).expect("opens");
        let there = |id| {
            let reader = mail.reader().expect("reader");
            reader.message(id).expect("reads").is_some()
        };
        assert!(there(first) && there(kept) && !there(lost));
        let refused = mail.add(import(&mail, lost)).await;
        assert!(matches!(refused, Err(pillarbox::mail::Error::NoSuchEmail)));
        let next = mail.upload(stage(&mail).await, 9).await.expect("uploads");
        assert!(next > lost, "{next} may be taken for {lost}");
        mail.close().await;
    });
    assert!(medium.counts().syncs > 0);
}

/// A disk that lies about its syncs loses mail, and these tests see it.
#[test]
fn the_harness_sees_losses() {
    let mut random = Random::new(seed());
    let seen = (0..12).filter(|_| {
        let mut life = Life::new(random.next(), true);
        // redb may panic on what is left.
        let cuts = AssertUnwindSafe(|| (0..6).any(|_| life.cut().is_err()));
        catch_unwind(cuts).unwrap_or(true)
    });
    let seen = seen.count();
    println!("losses seen in {seen} of 12 stores");
    assert!(seen >= 6, "only {seen} of 12");
}
