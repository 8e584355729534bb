//! What operations cost a flash card: blocks of 4 KiB written and flushes, counted at the disk.
use pillarbox::limits;
use pillarbox::mail::*;
use pillarbox::store::blob::Encoder;
use pillarbox::store::{self, Disk, Source as Bytes};
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

const BLOCK: usize = 4096;
/// Every operation is done so often; the mean counts.
const TIMES: usize = 12;
/// The index of message-ids and threads is written once in so many deliveries: a delivery's share is
/// only seen over whole rounds.
const ROUND: usize = 64;

/// A disk in memory that counts. A block written twice between two flushes counts once, as the
/// kernel writes it once.
#[derive(Default)]
struct Counting(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    data: Vec<u8>,
    dirty: BTreeSet<usize>,
    blocks: usize,
    flushes: usize,
}

impl std::fmt::Debug for Counting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a disk that counts")
    }
}

impl Counting {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("no panic holds it")
    }

    fn counts(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.blocks, inner.flushes)
    }
}

struct Handle(Arc<Counting>);

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl Disk for Handle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.inner().data.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (inner, from) = (self.0.inner(), offset as usize);
        let data = inner.data.get(from..from + out.len());
        out.copy_from_slice(data.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (mut inner, from) = (self.0.inner(), offset as usize);
        let blocks = from / BLOCK..(from + data.len()).div_ceil(BLOCK);
        inner.dirty.extend(blocks);
        let place = inner.data.get_mut(from..from + data.len());
        place.ok_or(ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.inner().data.resize(len as usize, 0);
        Ok(())
    }
    fn sync(&self) -> io::Result<()> {
        let mut inner = self.0.inner();
        inner.blocks += std::mem::take(&mut inner.dirty).len();
        inner.flushes += 1;
        Ok(())
    }
}

struct Counted(Arc<Counting>);

impl Bytes for Counted {
    fn open(&self) -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(Handle(self.0.clone())))
    }
    // Below the size from which the file is sealed: a seal would be counted with whatever runs.
    fn len(&self) -> u64 {
        1
    }
}

/// What one kind of operation costs, and may cost.
pub struct Cost {
    pub name: &'static str,
    /// Mean blocks of an operation.
    pub blocks: f64,
    pub flushes: f64,
    /// Octets written for each octet of message, or for each message of a group.
    pub octets: f64,
    /// Most blocks; 0 where none is set.
    pub bound: f64,
}

struct Bench {
    disk: Arc<Counting>,
    mail: Arc<Mail>,
    inbox: MailboxId,
    archive: MailboxId,
    number: u64,
}

/// The bounds, in blocks, are those of 20,000 messages: one mail of 4 KB 15, of 20 KB 18, larger
/// ones what is stored and 18; groups 16 and 11 KiB a mail; a flag 10, a hundred 13.
///
/// Measures with `stored` messages in the store; `large`: those that take long as well.
pub fn measure(stored: usize, large: bool) -> Vec<Cost> {
    let disk = Arc::new(Counting::default());
    store::format(Arc::new(Handle(disk.clone()))).expect("formats");
    let mail = Mail::open_source(Arc::new(Counted(disk.clone())), Options::default());
    let mail = mail.expect("opens");
    let id = |role| mail.meta().by_role(role).expect("a mailbox").id;
    let mut bench = Bench {
        inbox: id(Role::Inbox),
        archive: id(Role::Archive),
        disk,
        mail,
        number: 0,
    };
    smol::block_on(async {
        let mut left = stored;
        while left > 0 {
            let some = left.min(64);
            bench.deliver(some, 4_000, false).await;
            left -= some;
        }
        let costs = bench.all(large).await;
        bench.mail.close().await;
        costs
    })
}

impl Bench {
    async fn all(&mut self, large: bool) -> Vec<Cost> {
        let mut costs = vec![
            self.delivery("deliver 4 KB", 1, 4_000, 15.0).await,
            self.delivery("deliver 4 KB in groups of 8", 8, 4_000, 8.0 * 4.0)
                .await,
            self.delivery("deliver 4 KB in groups of 32", 32, 4_000, 32.0 * 11.0 / 4.0)
                .await,
            self.delivery("deliver 20 KB", 1, 20_000, 18.0).await,
            self.delivery("deliver 20 KB in groups of 8", 8, 20_000, 0.0)
                .await,
        ];
        if large {
            costs.push(
                self.delivery("deliver 20 KB in groups of 32", 32, 20_000, 0.0)
                    .await,
            );
        }
        let bound = stored(&message(1, 200_000, true)) as f64 / BLOCK as f64 + 18.0;
        costs.push(self.delivery("deliver 200 KB", 1, 200_000, bound).await);
        if large {
            costs.push(
                self.delivery("deliver 200 KB in groups of 8", 8, 200_000, 0.0)
                    .await,
            );
            costs.push(
                self.delivery("deliver 5 MB", 1, 5_000_000, 5_000_000.0 / 4096.0 * 0.8)
                    .await,
            );
        }
        costs.push(self.flags("flag one", 1, 10.0).await);
        costs.push(self.flags("flag 100 in one STORE", 100, 13.0).await);
        costs.push(self.moves("move one", 1, 15.0).await);
        costs.push(self.moves("move 100", 100, 22.0).await);
        costs.push(self.expunges("expunge one", 1, 16.0).await);
        costs.push(self.expunges("expunge 100", 100, 22.0).await);
        costs
    }

    /// `count` messages of `size` octets in one commit.
    async fn deliver(&mut self, count: usize, size: usize, attached: bool) {
        let mut add = Vec::with_capacity(count);
        for _ in 0..count {
            self.number += 1;
            let raw = message(self.number, size, attached);
            let mut body = self.mail.body(Some(raw.len() as u64)).expect("a body");
            for chunk in raw.chunks(16_000) {
                body.push(chunk).await.expect("pushes");
            }
            let prefix = format!(
                "Return-Path: <bob@example.com>\r\nReceived: from mx.example.com (mx.example.com [192.0.2.7])\r\n\tby mail.example.org with ESMTPS id {:x}\r\n\tfor <anna@example.org>; Thu, 1 Jan 2026 10:00:00 +0000\r\n",
                self.number
            );
            add.push(NewEmail {
                source: Source::Staged(body.finish(prefix.as_bytes()).await.expect("ends")),
                mailboxes: vec![self.inbox],
                flags: Flags::default(),
                keywords: Vec::new(),
                internaldate: None,
                hold: false,
            });
        }
        let commit = Commit {
            add,
            ..Commit::default()
        };
        self.mail.commit(commit).await.expect("commits");
    }

    /// The mean of `times` operations since `before`.
    fn cost(
        &self,
        name: &'static str,
        before: (usize, usize),
        times: usize,
        per: f64,
        bound: f64,
    ) -> Cost {
        let after = self.disk.counts();
        let blocks = (after.0 - before.0) as f64 / times as f64;
        Cost {
            name,
            blocks,
            flushes: (after.1 - before.1) as f64 / times as f64,
            octets: blocks * BLOCK as f64 / per,
            bound,
        }
    }

    async fn delivery(
        &mut self,
        name: &'static str,
        count: usize,
        size: usize,
        bound: f64,
    ) -> Cost {
        let before = self.disk.counts();
        let round = (ROUND / count).max(1);
        // Of a large body the index's share is nothing.
        let times = match size {
            0..=1_000_000 => TIMES.next_multiple_of(round),
            _ => TIMES,
        };
        for _ in 0..times {
            self.deliver(count, size, size > 100_000).await;
        }
        self.cost(name, before, times, count as f64, bound)
    }

    fn last(&self, mailbox: MailboxId) -> Uid {
        let meta = self.mail.meta();
        meta.mailbox(mailbox).expect("there").counters.uidnext - 1
    }

    async fn flags(&mut self, name: &'static str, count: u32, bound: f64) -> Cost {
        let last = self.last(self.inbox);
        let before = self.disk.counts();
        for n in 1..=TIMES as u32 {
            // Somewhere in the middle, each time elsewhere.
            let first = match count {
                1 => last / 5 * 2 + n * 3,
                _ => last / 2 + (n - 1) * count,
            };
            let change = FlagChange {
                mode: FlagMode::Add,
                flags: Flags::SEEN,
                keywords: Vec::new(),
            };
            let uids = UidSet::range(first, first + count - 1);
            let done = self.mail.set_flags(self.inbox, &uids, change, None).await;
            assert_eq!(done.expect("sets").changed.len(), count);
        }
        self.cost(name, before, TIMES, f64::from(count), bound)
    }

    async fn moves(&mut self, name: &'static str, count: u32, bound: f64) -> Cost {
        let last = self.last(self.inbox);
        let before = self.disk.counts();
        for n in 0..TIMES as u32 {
            let first = last / 4 + n * count + if count > 1 { 100 } else { 0 };
            let uids = UidSet::range(first, first + count - 1);
            let done = self.mail.r#move(self.inbox, &uids, self.archive).await;
            assert_eq!(done.expect("moves").to.len(), count);
        }
        self.cost(name, before, TIMES, f64::from(count), bound)
    }

    /// One from the large mailbox; many from where they were moved to.
    async fn expunges(&mut self, name: &'static str, count: u32, bound: f64) -> Cost {
        let mailbox = if count > 1 { self.archive } else { self.inbox };
        let before = self.disk.counts();
        for n in 0..TIMES as u32 {
            let first = 1 + n * count;
            let uids = UidSet::range(first, first + count - 1);
            let done = self.mail.remove(mailbox, &uids).await;
            assert_eq!(done.expect("removes").len(), count);
        }
        self.cost(name, before, TIMES, f64::from(count), bound)
    }
}

/// As a table.
pub fn table(costs: &[Cost]) -> String {
    let mut out =
        String::from("operation                        blocks   bound  flushes   KiB/message\n");
    for cost in costs {
        let bound = match cost.bound {
            0.0 => String::from("-"),
            bound => format!("{bound:.1}"),
        };
        out.push_str(&format!(
            "{:<30} {:>8.1} {bound:>7} {:>8.2} {:>13.1}\n",
            cost.name,
            cost.blocks,
            cost.flushes,
            cost.octets / 1024.0
        ));
    }
    out
}

/// Octets that a message's blocks take when they are encoded.
fn stored(raw: &[u8]) -> usize {
    let (mut encoder, mut out) = (Encoder::new(), Vec::new());
    for block in raw.chunks(limits::BLOCK) {
        encoder.encode(block, &mut out);
    }
    out.len()
}

/// As mail is: header fields full of hosts and hashes, prose, and for the large ones base64.
fn message(number: u64, size: usize, attached: bool) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut out = String::new();
    for hop in 0..3 {
        out.push_str(&format!(
            "Received: from relay{hop}.example.net (relay{hop}.example.net [198.51.100.{}])\r\n\tby mx{hop}.example.com (Postfix) with ESMTPS id {:016X}\r\n\tfor <anna@example.org>; Thu,  1 Jan 2026 0{hop}:{:02}:{:02} +0000 (UTC)\r\n",
            next() % 256, next(), next() % 60, next() % 60
        ));
    }
    out.push_str("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=mail;\r\n\th=from:to:subject:date:message-id; bh=");
    for _ in 0..24 {
        out.push_str(&format!("{:016x}", next()));
    }
    out.push_str(&format!(
        "\r\nFrom: Bob <bob{}@example.com>\r\nTo: anna@example.org\r\nSubject: Minutes of meeting {number}\r\nMessage-ID: <{:016x}@example.com>\r\nDate: Thu, 1 Jan 2026 10:00:00 +0000\r\n",
        next() % 50, next()
    ));
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut prose = |octets: usize| {
        let (mut out, mut column) = (String::new(), 0);
        while out.len() < octets {
            let word = words[next() as usize % words.len()];
            column += word.len() + 1;
            out.push_str(word);
            if next() % 11 == 0 {
                out.push_str(&format!("{}", next() % 10_000));
            }
            out.push_str(if column > 70 { "\r\n" } else { " " });
            column %= 71;
        }
        out
    };
    if !attached {
        let text = prose(size.saturating_sub(out.len()));
        out.push_str("\r\n");
        out.push_str(&text);
        out.push_str("\r\n");
        return out.into_bytes();
    }
    let text = prose(2_000);
    out.push_str("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n");
    out.push_str(&text);
    out.push_str(
        "\r\n--b\r\nContent-Type: image/jpeg\r\nContent-Transfer-Encoding: base64\r\n\r\n",
    );
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while out.len() < size {
        for _ in 0..76 {
            out.push(char::from(ALPHABET[(next() >> 20) as usize % 64]));
        }
        out.push_str("\r\n");
    }
    out.push_str("--b--\r\n");
    out.into_bytes()
}

const WORDS: &str = "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one you were all her she there would their we him been has when who will no more if out so up said what its about than into them can only other time new some could these two may first then do any like my now over such our man me even most made after also did many off before must well back through years much where your way down should because long each just state those people too mr how little good world make very year still see own work men day get here old between both life being under three never know same last another while us might great go come since against right came take used himself few house use during without again place around however small found mrs thought school part general high upon every";
