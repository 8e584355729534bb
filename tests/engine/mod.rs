//! The mailbox engine by itself: what every protocol relies on.

mod access;
mod annotation;
mod salvage;
mod stored;
mod taken_back;
mod view;

use pillarbox::mail::*;
use std::path::PathBuf;
use std::sync::Arc;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("pillarbox-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }
    fn mail(&self) -> Arc<Mail> {
        Mail::open(&self.0.join("mail.redb"), Options::default()).expect("opens")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn message(id: &str, extra: &str, body: &str) -> String {
    format!(
        "From: a@example.org\r\nTo: b@example.org\r\nSubject: Re: tea\r\nMessage-ID: <{id}@x>\r\n{extra}\r\n{body}"
    )
}

async fn add(mail: &Mail, mailbox: MailboxId, raw: &[u8]) -> Added {
    let mut body = mail.body(None).expect("a body");
    for chunk in raw.chunks(10_000) {
        body.push(chunk).await.expect("pushes");
    }
    let staged = body
        .finish(b"Return-Path: <x@y>\r\n")
        .await
        .expect("finishes");
    mail.add(NewEmail {
        source: Source::Staged(staged),
        mailboxes: vec![mailbox],
        flags: Flags::default(),
        keywords: Vec::new(),
        internaldate: None,
        hold: false,
    })
    .await
    .expect("adds")
}

fn bytes(mail: &Mail, email: EmailId) -> Vec<u8> {
    let reader = mail.reader().expect("reader");
    let message = reader.message(email).expect("reads").expect("is there");
    let mut out = Vec::new();
    while (out.len() as u32) < message.size {
        let at = out.len() as u32;
        assert!(
            reader
                .read(&message, at, u32::MAX, &mut out)
                .expect("reads")
                > 0
        );
    }
    out
}

fn inbox(mail: &Mail) -> MailboxId {
    mail.meta().by_role(Role::Inbox).expect("INBOX").id
}

fn role(mail: &Mail, role: Role) -> MailboxId {
    mail.meta().by_role(role).expect("a mailbox").id
}

/// Counters and view must always equal a count of the rows.
fn check(mail: &Mail) {
    let meta = mail.meta();
    let reader = mail.reader().expect("reader");
    for mailbox in &meta.mailboxes {
        let (mut total, mut unseen, mut deleted, mut size) = (0, 0, 0, 0);
        let mut uids = UidSet::new();
        reader
            .rows(mailbox.id, 1, u32::MAX, |row| {
                total += 1;
                unseen += u32::from(!row.flags.has(Flags::SEEN));
                deleted += u32::from(row.flags.has(Flags::DELETED));
                size += u64::from(row.size);
                uids.insert(row.uid);
                assert!(row.uid < mailbox.counters.uidnext);
                assert!(row.modseq <= mailbox.counters.highest_modseq);
                true
            })
            .expect("rows");
        let c = mailbox.counters;
        assert_eq!(
            (c.total, c.unseen, c.deleted, c.size),
            (total, unseen, deleted, size)
        );
        assert_eq!(mail.view(mailbox.id).expect("view").uids, uids);
    }
}

#[test]
fn bodies_of_every_size_come_back_to_the_octet() {
    let folder = Folder::new("bodies");
    smol::block_on(async {
        let mail = folder.mail();
        let inbox = inbox(&mail);
        let mut kept = Vec::new();
        let mut state = 7u32;
        let mut noise = |n: usize| {
            (0..n)
                .map(|_| {
                    state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                    (state >> 24) as u8
                })
                .collect::<Vec<u8>>()
        };
        for size in [0, 1, 3000, 4080, 5000, 65_536, 65_537, 300_000, 3_000_000] {
            let mut raw = message(&size.to_string(), "", "").into_bytes();
            raw.extend(noise(size));
            let added = add(&mail, inbox, &raw).await;
            kept.push((added.email, raw));
            let text = message(
                &format!("t{size}"),
                "",
                &"Some words again. ".repeat(size / 18),
            );
            let added = add(&mail, inbox, text.as_bytes()).await;
            kept.push((added.email, text.into_bytes()));
        }
        check(&mail);
        mail.close().await;
        let mail = folder.mail();
        for (email, raw) in &kept {
            let stored = bytes(&mail, *email);
            assert_eq!(
                stored.strip_prefix(b"Return-Path: <x@y>\r\n".as_slice()),
                Some(&raw[..])
            );
        }
        let view = mail.view(inbox).expect("view");
        mail.remove(inbox, &view.uids).await.expect("removes");
        assert_eq!(mail.meta().bytes, 0);
        assert_eq!(mail.meta().emails, 0);
        check(&mail);
        mail.close().await;
    });
}

#[test]
fn a_copy_shares_flags_but_not_deleted() {
    let folder = Folder::new("copy");
    smol::block_on(async {
        let mail = folder.mail();
        let (inbox, archive) = (inbox(&mail), role(&mail, Role::Archive));
        let added = add(&mail, inbox, message("1", "", "x").as_bytes()).await;
        let one = UidSet::range(1, 1);
        let copied = mail.copy(inbox, &one, archive).await.expect("copies");
        assert_eq!(copied.to, one);
        let change = |mode, flags, keyword: &str| FlagChange {
            mode,
            flags,
            keywords: vec![keyword.to_owned()],
        };
        mail.set_flags(
            inbox,
            &one,
            change(
                FlagMode::Add,
                Flags::SEEN.with(Flags::DELETED),
                "$Forwarded",
            ),
            None,
        )
        .await
        .expect("sets");
        check(&mail);
        let rows = mail
            .reader()
            .expect("reader")
            .memberships(added.email)
            .expect("rows");
        assert_eq!(rows.len(), 2);
        let copy = rows
            .iter()
            .find(|r| r.mailbox == archive)
            .expect("the copy");
        assert!(copy.flags.has(Flags::SEEN) && !copy.flags.has(Flags::DELETED));
        assert_eq!(
            mail.meta().keywords.names(copy.flags).collect::<Vec<_>>(),
            ["$Forwarded"]
        );
        let gone = mail.expunge(inbox, None).await.expect("expunges");
        assert_eq!(gone, one);
        check(&mail);
        assert_eq!(mail.meta().emails, 1);
        assert!(bytes(&mail, added.email).ends_with(b"x"));
        mail.r#move(archive, &one, inbox).await.expect("moves");
        check(&mail);
        assert!(bytes(&mail, added.email).ends_with(b"x"));
        mail.destroy_emails(vec![added.email], Expect::default())
            .await
            .expect("destroys");
        assert_eq!((mail.meta().emails, mail.meta().bytes), (0, 0));
        mail.close().await;
    });
}

#[test]
fn threads_join_by_reference_and_subject() {
    let folder = Folder::new("threads");
    smol::block_on(async {
        let mail = folder.mail();
        let inbox = inbox(&mail);
        let first = add(&mail, inbox, message("a", "", "x").as_bytes()).await;
        for i in 0..70 {
            let reply = message(&format!("r{i}"), "References: <a@x>\r\n", "x");
            assert_eq!(
                add(&mail, inbox, reply.as_bytes()).await.thread,
                first.thread
            );
        }
        let other = message("b", "References: <a@x>\r\n", "x").replace("tea", "coffee");
        assert_ne!(
            add(&mail, inbox, other.as_bytes()).await.thread,
            first.thread
        );
        let emails = mail
            .reader()
            .expect("reader")
            .thread(first.thread)
            .expect("thread");
        assert_eq!(emails.len(), 71);
        mail.close().await;
        let mail = folder.mail();
        let last = message("z", "In-Reply-To: <r69@x>\r\n", "x");
        assert_eq!(
            add(&mail, inbox, last.as_bytes()).await.thread,
            first.thread
        );
        mail.close().await;
    });
}

#[test]
fn changes_are_told_from_the_ring_and_from_the_rows() {
    let folder = Folder::new("changes");
    smol::block_on(async {
        let mail = folder.mail();
        let inbox = inbox(&mail);
        add(&mail, inbox, message("1", "", "x").as_bytes()).await;
        add(&mail, inbox, message("2", "", "x").as_bytes()).await;
        let since = mail.meta().modseq;
        let three = add(&mail, inbox, message("3", "", "x").as_bytes()).await;
        let two = mail.view(inbox).expect("view").uids.nth(1).expect("two");
        mail.remove(inbox, &UidSet::range(1, 1))
            .await
            .expect("removes");
        let seen = FlagChange {
            mode: FlagMode::Add,
            flags: Flags::SEEN,
            keywords: vec![],
        };
        mail.set_flags(inbox, &UidSet::range(two, two), seen, None)
            .await
            .expect("sets");
        let before = (
            mail.changes(inbox, since).expect("changes"),
            mail.email_changes(since, 100).await.expect("changes"),
        );
        mail.close().await;
        let mail = folder.mail();
        let after = (
            mail.changes(inbox, since).expect("changes"),
            mail.email_changes(since, 100).await.expect("changes"),
        );
        for (changes, emails) in [before, after] {
            assert_eq!(changes.changed.iter().collect::<Vec<_>>(), [2, 3]);
            assert_eq!(changes.vanished, Some(UidSet::range(1, 1)));
            assert_eq!(emails.created, [three.email]);
            assert_eq!((emails.updated.len(), emails.destroyed.len()), (1, 1));
        }
        let step = mail.email_changes(since, 1).await.expect("changes");
        assert!(step.more && step.created == [three.email]);
        mail.close().await;
    });
}

#[test]
fn mailboxes_are_made_moved_and_deleted() {
    let folder = Folder::new("mailboxes");
    smol::block_on(async {
        let mail = folder.mail();
        let leaf = mail.create("a/b/c", None).await.expect("creates");
        assert_eq!(leaf.path, "a/b/c");
        assert!(matches!(
            mail.create("a/b", None).await,
            Err(Error::MailboxExists)
        ));
        assert!(matches!(
            mail.create("Inbox", None).await,
            Err(Error::MailboxExists)
        ));
        assert!(matches!(
            mail.rename("a", "a/b/d").await,
            Err(Error::ParentLoop)
        ));
        mail.rename("a/b", "x/y").await.expect("renames");
        assert_eq!(mail.meta().mailbox(leaf.id).expect("leaf").path, "x/y/c");
        let a = mail.meta().by_path("x").expect("x").id;
        assert!(matches!(
            mail.delete(a, true, Expect::default()).await,
            Err(Error::MailboxHasChildren)
        ));
        let inbox = inbox(&mail);
        assert!(matches!(
            mail.delete(inbox, true, Expect::default()).await,
            Err(Error::InboxStays)
        ));
        add(&mail, inbox, message("1", "", "x").as_bytes()).await;
        mail.rename("INBOX", "old").await.expect("renames");
        assert_eq!(mail.meta().by_path("old").expect("old").counters.total, 1);
        assert_eq!(
            mail.meta().by_path("inbox").expect("inbox").counters.total,
            0
        );
        let old = mail.meta().by_path("old").expect("old").id;
        assert!(matches!(
            mail.delete(old, false, Expect::default()).await,
            Err(Error::MailboxNotEmpty)
        ));
        mail.delete(old, true, Expect::default())
            .await
            .expect("deletes");
        check(&mail);
        assert_eq!(mail.meta().bytes, 0);
        mail.close().await;
    });
}

#[test]
fn a_refused_operation_leaves_nothing_behind() {
    let folder = Folder::new("refused");
    smol::block_on(async {
        let mail = folder.mail();
        let inbox = inbox(&mail);
        mail.create("INBOX/a", None).await.expect("creates");
        let before = mail.meta().mailboxes.len();
        assert!(matches!(
            mail.rename("inbox/a", "INBOX/a/x/y").await,
            Err(Error::ParentLoop)
        ));
        add(&mail, inbox, message("1", "", "x").as_bytes()).await;
        assert_eq!(mail.meta().mailboxes.len(), before);
        let bad = FlagChange {
            mode: FlagMode::Add,
            flags: Flags::default(),
            keywords: vec!["fine".into(), "not fine".into()],
        };
        let one = UidSet::range(1, 1);
        let refused = mail.set_flags(inbox, &one, bad, None).await;
        assert!(matches!(refused, Err(Error::BadKeyword)));
        add(&mail, inbox, message("2", "", "x").as_bytes()).await;
        assert_eq!(mail.meta().keywords.all().count(), 0);
        // As deep as can be, and then moved deeper.
        let deep = ["d"; 20].join("/");
        mail.create(&deep, None).await.expect("creates");
        assert!(matches!(
            mail.rename("d", "e/d").await,
            Err(Error::BadName(_))
        ));
        // RFC 5198 §2: normal form C, into which protocols bring names or refuse them.
        assert!(matches!(
            mail.create("u\u{308}", None).await,
            Err(Error::BadName(_))
        ));
        mail.close().await;
    });
}

#[test]
fn bytes_are_adopted_once_and_copied_afterwards() {
    let folder = Folder::new("adopted");
    smol::block_on(async {
        let mail = folder.mail();
        let inbox = inbox(&mail);
        let text = message("1", "", "x");
        let mut body = mail.body(None).expect("a body");
        body.push(text.as_bytes()).await.expect("pushes");
        let staged = body.finish(b"").await.expect("finishes");
        let blob = mail.upload(staged, 1_000).await.expect("uploads");
        let import = || NewEmail {
            source: Source::Blob(blob),
            mailboxes: vec![inbox],
            flags: Flags::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: false,
        };
        let both = Commit {
            add: vec![import(), import()],
            ..Commit::default()
        };
        let added = mail.commit(both).await.expect("imports");
        assert_eq!(added[0].email, blob);
        assert_ne!(added[1].email, blob);
        mail.destroy_emails(vec![blob], Expect::default())
            .await
            .expect("destroys");
        // The upload is still there, its id is used up.
        let again = mail.add(import()).await.expect("imports");
        assert!(again.email != blob && bytes(&mail, again.email) == text.as_bytes());
        mail.sweep_uploads(1_001).await.expect("sweeps");
        assert!(
            mail.reader()
                .expect("reader")
                .message(blob)
                .expect("reads")
                .is_none()
        );
        check(&mail);
        mail.close().await;
    });
}

#[test]
fn old_ends_are_forgotten_and_the_floor_says_so() {
    use pillarbox::store::{Gone, State, Store};
    struct Nobody;
    impl pillarbox::store::Observer for Nobody {
        fn committed(&self, _: &State, _: &[pillarbox::store::Change]) {}
        fn reopened(&self, _: &State) {}
    }
    let folder = Folder::new("ends");
    let path = folder.0.join("mail.redb");
    pillarbox::store::create(&pillarbox::store::Files, &path).expect("creates");
    let source = Arc::new(pillarbox::store::FileSource(path));
    let (store, _) = Store::open(source, 4 << 20, |_| Arc::new(Nobody)).expect("opens");
    let (floor, count, last) = smol::block_on(store.write(0, |txn| {
        for uid in 1..70_000 {
            let modseq = txn.state.bump();
            let gone = Gone {
                mailbox: MailboxId(1),
                uid,
                email: EmailId(1),
                thread: ThreadId(1),
            };
            txn.put_gone(modseq, gone)?;
        }
        let global = &txn.state.global;
        Ok((global.gone_floor, global.gone_count, global.modseq))
    }))
    .expect("writes");
    assert!(count <= 65_536 && count > 64_000);
    let mut kept = Vec::new();
    let reader = store.reader().expect("reads");
    let mut gone = |modseq, _| {
        kept.push(modseq);
        true
    };
    reader.gone(0, &mut gone).expect("reads");
    assert_eq!(kept.len(), count as usize);
    assert_eq!((kept[0], kept[kept.len() - 1]), (floor + 1, last));
    smol::block_on(store.close());
}

/// Polls a future to its end; how often it had to be polled: once more than it let others run.
async fn polls<T>(future: impl Future<Output = T>) -> (T, usize) {
    let (mut count, mut future) = (0, std::pin::pin!(future));
    let result = std::future::poll_fn(|cx| {
        count += 1;
        future.as_mut().poll(cx)
    })
    .await;
    (result, count)
}

#[test]
fn whoever_looks_at_many_rows_lets_others_run() {
    let folder = Folder::new("turns");
    let mail = folder.mail();
    smol::block_on(async {
        let inbox = inbox(&mail);
        let archive = role(&mail, Role::Archive);
        let since = mail.meta().modseq;
        let first = message("m", "", "x");
        add(&mail, inbox, first.as_bytes()).await;
        // Doubled until the rows are 16,384, each an email's membership; beyond the ring of changes.
        for _ in 0..14 {
            let last = mail.meta().mailbox(inbox).expect("INBOX").counters.uidnext;
            let all = UidSet::range(1, last);
            mail.copy(inbox, &all, inbox).await.expect("copies");
        }
        let (counts, turns) = polls(counts::count(&mail, inbox)).await;
        assert_eq!(counts.expect("counts").emails, 16_384);
        assert!(turns >= 16_384 / 4096, "{turns}");
        let (changes, turns) = polls(mail.email_changes(since, 10)).await;
        assert_eq!(changes.expect("changes").created.len(), 1);
        assert!(turns >= 16_384 / 2048, "{turns}");
        let counts = counts::count(&mail, archive).await.expect("counts");
        assert_eq!(counts, counts::Counts::default());
        mail.close().await;
    });
}

#[test]
fn uploads_are_bounded_and_the_oldest_goes() {
    let folder = Folder::new("uploads");
    let mail = folder.mail();
    smol::block_on(async {
        let far = u32::MAX;
        let upload = async |expires: u32, octets: usize| {
            let mut body = mail.body(None).expect("a body");
            body.push(&vec![b'x'; octets]).await.expect("pushes");
            let staged = body.finish(&[]).await.expect("finishes");
            mail.upload(staged, expires).await.expect("uploads")
        };
        let there = |email: EmailId| {
            let reader = mail.reader().expect("reader");
            reader.message(email).expect("reads").is_some()
        };
        let expired = upload(1, 10).await;
        let first = upload(far - 1000, 10).await;
        assert_eq!(mail.sweep_uploads(0).await.expect("sweeps"), 0);
        assert_eq!(mail.sweep_uploads(1).await.expect("sweeps"), 1);
        assert!(!there(expired) && there(first));
        // One that an email adopted stays, and takes no room.
        let adopted = upload(far - 1000, 10).await;
        mail.add(NewEmail {
            source: Source::Blob(adopted),
            mailboxes: vec![inbox(&mail)],
            flags: Flags::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: false,
        })
        .await
        .expect("adopts");
        // By octets: three of 40 MiB are more than 100.
        let large = upload(far - 900, 40 << 20).await;
        let second = upload(far - 899, 40 << 20).await;
        assert!(there(large) && there(first));
        let third = upload(far - 898, 40 << 20).await;
        assert!(!there(first) && !there(large) && there(second) && there(third));
        // By number.
        for n in 0..500 {
            upload(far - 500 + n, 1).await;
        }
        assert!(!there(second) && !there(third) && there(adopted));
        check(&mail);
        mail.close().await;
    });
}

/// Answers of several at once: each for itself, in one commit.
#[test]
fn emails_made_together_are_answered_one_by_one() {
    let folder = Folder::new("together");
    smol::block_on(async {
        let mail = folder.mail();
        let inbox = inbox(&mail);
        let upload = async |name: &str| {
            let mut body = mail.body(None).expect("a body");
            let text = message(name, "", name);
            body.push(text.as_bytes()).await.expect("pushes");
            let staged = body.finish(b"").await.expect("finishes");
            mail.upload(staged, 1_000).await.expect("uploads")
        };
        let (one, two) = (upload("one").await, upload("two").await);
        let import = |blob, mailbox| NewEmail {
            source: Source::Blob(blob),
            mailboxes: vec![mailbox],
            flags: Flags::default(),
            keywords: Vec::new(),
            internaldate: None,
            hold: false,
        };
        let wanted = vec![
            import(one, inbox),
            import(EmailId(900_000), inbox),
            import(two, MailboxId(77)),
            import(one, inbox),
            import(two, inbox),
        ];
        let done = mail.add_each(Expect::default(), wanted).await;
        let [a, b, c, d, e] = done.as_slice() else {
            panic!("{done:?}");
        };
        assert!(matches!(b, Err(Error::NoSuchEmail)), "{b:?}");
        assert!(matches!(c, Err(Error::NoSuchMailbox)), "{c:?}");
        let [a, d, e] = [a, d, e].map(|done| done.as_ref().expect("is made"));
        assert!(a.email == one && d.email != one);
        assert_eq!(bytes(&mail, d.email), bytes(&mail, one));
        assert_eq!(bytes(&mail, e.email), bytes(&mail, two));
        // Each begins where the one before it ended: nobody came in between.
        assert!(a.own.after == d.own.before && d.own.after == e.own.before);
        assert_eq!(mail.meta().mailbox(inbox).expect("there").counters.total, 3);
        check(&mail);
        mail.close().await;
    });
}

/// A message copied into one mailbox thousands of times, and a mailbox that is deleted in steps.
#[test]
fn a_thousand_copies_cost_a_thousand_steps() {
    let folder = Folder::new("copies");
    smol::block_on(async {
        let mail = folder.mail();
        let (inbox, archive) = (inbox(&mail), role(&mail, Role::Archive));
        add(&mail, inbox, message("1", "", "x").as_bytes()).await;
        mail.copy(inbox, &UidSet::range(1, 1), archive)
            .await
            .expect("copies");
        for _ in 0..12 {
            let all = UidSet::range(1, u32::MAX);
            mail.copy(archive, &all, archive).await.expect("copies");
        }
        let counters = || mail.meta().mailbox(archive).expect("there").counters;
        assert_eq!(counters().total, 4096);
        let change = |flags| FlagChange {
            mode: FlagMode::Add,
            flags,
            keywords: Vec::new(),
        };
        let started = std::time::Instant::now();
        for flags in [Flags::SEEN, Flags::DELETED] {
            let all = UidSet::range(1, 2_000);
            let done = mail.set_flags(archive, &all, change(flags), None).await;
            assert_eq!(done.expect("sets").changed.len(), 2_000);
        }
        assert_eq!(counters().unseen, 0);
        let gone = mail.expunge(archive, None).await.expect("expunges");
        assert_eq!((gone.len(), counters().total), (2_000, 2_096));
        mail.delete(archive, true, Expect::default())
            .await
            .expect("deletes");
        // Looking at every copy for each of them would take minutes here.
        assert!(started.elapsed().as_secs() < 60);
        let meta = mail.meta();
        assert!(meta.mailbox(archive).is_none() && meta.emails == 1);
        let reader = mail.reader().expect("reader");
        assert_eq!(
            reader
                .memberships(EmailId(meta_first(&reader, inbox)))
                .expect("reads")
                .len(),
            1
        );
        drop(reader);
        check(&mail);
        mail.close().await;
    });
}

/// The email behind the first row.
fn meta_first(reader: &Reader, mailbox: MailboxId) -> u64 {
    let mut id = 0;
    let rows = reader.rows(mailbox, 1, u32::MAX, |row| {
        id = row.email.0;
        false
    });
    rows.expect("reads");
    id
}
