//! Rights in the engine (RFC 4314): what a principal may do and see, operation by operation.
use super::{Folder, add, inbox, message};
use pillarbox::mail::emails::EmailQuery;
use pillarbox::mail::*;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A store with `Private` and `Shared`, one message in each, of one thread.
struct Scene {
    mail: Arc<Mail>,
    private: MailboxId,
    shared: MailboxId,
    hidden: EmailId,
    shown: EmailId,
    _folder: Folder,
}

async fn scene(name: &str) -> Scene {
    let folder = Folder::new(name);
    let mail = folder.mail();
    let private = mail.create("Private", None).await.unwrap().id;
    let shared = mail.create("Shared", None).await.unwrap().id;
    let raw = message("one", "", "secret");
    let hidden = add(&mail, private, raw.as_bytes()).await.email;
    let raw = message("two", "References: <one@x>\r\n", "known");
    let shown = add(&mail, shared, raw.as_bytes()).await.email;
    Scene {
        mail,
        private,
        shared,
        hidden,
        shown,
        _folder: folder,
    }
}

impl Scene {
    /// A handle with these rights on `Shared`, and none elsewhere.
    async fn with(&self, rights: &str) -> Arc<Mail> {
        let rights = Rights::parse(rights).unwrap();
        let set = self
            .mail
            .set_acl(self.shared, "guest", move |_| Some(rights));
        set.await.unwrap();
        self.mail
            .of(Some(&Arc::new(Principal::new("guest", false, None))))
    }
}

fn change(flags: Flags, keyword: Option<&str>) -> FlagChange {
    FlagChange {
        mode: FlagMode::Add,
        flags,
        keywords: keyword.map(str::to_owned).into_iter().collect(),
    }
}

async fn letter(mail: &Mail, mailbox: MailboxId) -> NewEmail {
    let mut body = mail.body(None).unwrap();
    body.push(b"Subject: x\r\n\r\nx").await.unwrap();
    NewEmail {
        source: Source::Staged(body.finish(b"").await.unwrap()),
        mailboxes: vec![mailbox],
        flags: Flags::SEEN.with(Flags::FLAGGED).with(Flags::DELETED),
        keywords: vec!["$Label".into()],
        internaldate: None,
        hold: false,
    }
}

/// The public operations of `Mail` and `Reader`, from the source.
fn operations() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir("src/mail").unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut inside = None;
        for line in text.lines() {
            match line {
                "impl Mail {" => inside = Some("mail"),
                "impl Reader {" => inside = Some("reader"),
                "}" => inside = None,
                _ => {}
            }
            let name = line
                .strip_prefix("    pub fn ")
                .or(line.strip_prefix("    pub async fn "));
            if let (Some(of), Some(name)) = (inside, name) {
                let end = name.find(['(', '<']).unwrap();
                found.insert(format!("{of}.{}", &name[..end]));
            }
        }
    }
    found
}

/// Every operation, one by one: a new one fails here until somebody has said what it is to whoever
/// has no rights.
#[test]
fn whoever_has_no_rights_sees_and_does_nothing() {
    let mut tried = BTreeSet::new();
    smol::block_on(async {
        let scene = scene("nobody").await;
        let nobody = Arc::new(Principal::new("nobody", false, None));
        let mail = scene.mail.of(Some(&nobody));
        reads(&scene, &mail, &mut tried).await;
        writes(&scene, &mail, &mut tried).await;
        // Not even for whoever may do everything, once it is over.
        let over = Arc::new(Principal::new("over", true, None));
        let mail = scene.mail.of(Some(&over));
        assert!(mail.meta().mailbox(scene.private).is_some());
        over.end();
        assert!(mail.meta().mailboxes.is_empty());
        assert!(matches!(mail.reader(), Err(Error::NoPermission)));
        assert!(matches!(mail.body(None), Err(Error::NoPermission)));
        let put = mail.put(vec![(b"x".to_vec(), None)]).await;
        assert!(matches!(put, Err(Error::NoPermission)));
        let expired = Arc::new(Principal::new("old", true, Some(1)));
        assert!(scene.mail.of(Some(&expired)).reader().is_err());
    });
    // Makers of handles, and facts that everybody may know.
    for open in [
        "open",
        "open_in",
        "open_source",
        "of",
        "principal",
        "hub",
        "owner",
        "message_quota",
        "url_resets",
        "message_size",
        "quota",
        "close",
    ] {
        tried.insert(format!("mail.{open}"));
    }
    // Needs a message, which `message` does not give.
    tried.insert("reader.read".into());
    let all = operations();
    let missing: Vec<_> = all.difference(&tried).collect();
    assert!(
        missing.is_empty(),
        "say here what these are to a stranger: {missing:?}"
    );
    let unknown: Vec<_> = tried.difference(&all).collect();
    assert!(unknown.is_empty(), "{unknown:?} are no operations");
}

macro_rules! no {
    ($tried:expr, $name:literal, $result:expr, $($error:pat_param)|+) => {
        $tried.insert(concat!("mail.", $name).into());
        match $result {
            Err($($error)|+) => {}
            other => panic!("{}: {:?}", $name, other.map(drop)),
        }
    };
}

async fn reads(scene: &Scene, mail: &Arc<Mail>, tried: &mut BTreeSet<String>) {
    let (private, meta) = (scene.private, scene.mail.meta());
    let mine = mail.meta();
    assert!(mine.mailboxes.is_empty() && mine.by_path("Private").is_none());
    assert!(mine.mailbox(private).is_none() && mine.by_role(Role::Inbox).is_none());
    assert_eq!((mine.bytes, mine.emails), (0, 0));
    let reader = mail.reader().unwrap();
    assert!(reader.row(private, 1).unwrap().is_none());
    let none = |_: &Row| -> bool { panic!("a row") };
    reader.rows(private, 1, Uid::MAX, none).unwrap();
    reader.rows_back(private, 1, Uid::MAX, none).unwrap();
    assert!(reader.message(scene.hidden).unwrap().is_none());
    assert!(reader.memberships(scene.hidden).unwrap().is_empty());
    assert!(reader.by_message_id("<one@x>").unwrap().is_empty());
    let hash = pillarbox::mime::msgid::first_hash(b"<one@x>").unwrap();
    assert!(reader.by_hash(hash, 10).unwrap().is_empty());
    let whole = scene.mail.reader().unwrap();
    assert_eq!(whole.by_message_id("<one@x>").unwrap(), [scene.hidden]);
    drop(whole);
    tried.insert("reader.by_message_id".into());
    let hash = pillarbox::mime::msgid::hash(b"one@x");
    assert!(reader.by_hash(hash, 9).unwrap().is_empty());
    tried.insert("reader.by_hash".into());
    assert!(matches!(mail.store(), Err(Error::NoPermission)));
    tried.insert("mail.store".into());
    let thread = ThreadId(scene.hidden.0 as u32);
    assert!(reader.thread(thread).unwrap().is_empty());
    assert!(
        !scene
            .mail
            .reader()
            .unwrap()
            .thread(thread)
            .unwrap()
            .is_empty()
    );
    scene
        .mail
        .put(vec![(b"key".to_vec(), Some(b"value".to_vec()))])
        .await
        .unwrap();
    assert!(reader.get(b"key").unwrap().is_none() && mail.get(b"key").unwrap().is_none());
    reader.scan(b"", |_, _| panic!("a value")).unwrap();
    drop(reader);
    for name in [
        "row",
        "rows",
        "rows_back",
        "by_hash",
        "message",
        "memberships",
        "thread",
        "get",
        "scan",
    ] {
        tried.insert(format!("reader.{name}"));
    }
    no!(tried, "view", mail.view(private), Error::NoSuchMailbox);
    no!(
        tried,
        "changes",
        mail.changes(private, 1),
        Error::NoSuchMailbox
    );
    no!(tried, "left", mail.left(private), Error::NoSuchMailbox);
    no!(
        tried,
        "vanished",
        mail.vanished(private, 1, &meta),
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "peek_recent",
        mail.peek_recent(private),
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "take_recent",
        mail.take_recent(private, 9),
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "annotations",
        mail.annotations(Some(private)),
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "annotation",
        mail.annotation(Some(private), "/shared/comment"),
        Error::NoSuchMailbox
    );
    no!(tried, "acl", mail.acl(private), Error::NoSuchMailbox);
    assert!(mail.rights(private).is_empty() && mail.rights_of(private, "nobody").is_none());
    assert!(mail.annotation_changes(0, |_| false).unwrap().is_empty());
    let since = meta.gone_floor;
    let submissions = DataType::EmailSubmission;
    let secret = |_: &[Record]| Ok((vec![Edit::Create(b"secret".to_vec())], ()));
    let made = scene
        .mail
        .edit_records(submissions, Expect::default(), secret);
    made.await.unwrap();
    assert!(mail.records(submissions).unwrap().is_empty());
    assert!(mail.submissions().unwrap().is_empty());
    let records = mail.record_changes(submissions, 1, 10).unwrap();
    assert!(records.created.is_empty() && records.updated.is_empty());
    if let Ok(emails) = mail.email_changes(since, 100).await {
        assert!(
            emails.created.is_empty() && emails.updated.is_empty() && emails.destroyed.is_empty()
        );
    }
    if let Ok(threads) = mail.thread_changes(since, 100).await {
        assert!(threads.created.is_empty() && threads.updated.is_empty());
    }
    if let Ok((mailboxes, _)) = mail.mailbox_changes(since, 100) {
        assert!(mailboxes.created.is_empty() && mailboxes.updated.is_empty());
    }
    let everything = Query::All(Vec::new());
    let found = mail
        .search(
            private,
            &UidSet::range(1, 9),
            everything.clone(),
            &Reached::default(),
        )
        .await;
    assert!(found.is_ok_and(|found| found.is_empty()));
    let here = UidSet::range(1, 9);
    let order = || Order::new(vec![(Criterion::Arrival, false)], None);
    assert!(
        mail.sorted(private, &here, order())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(mail.place(private, &[], 1, &order()).unwrap(), None);
    let scores = mail.relevance(private, &here, everything.clone()).await;
    assert!(scores.unwrap().is_empty());
    let threads = mail.threads(private, &here, Algorithm::References).await;
    threads.unwrap().tell(|_| panic!("a thread"));
    for mailbox in [None, Some(private)] {
        let question = EmailQuery {
            mailbox,
            query: everything.clone(),
            sort: Vec::new(),
            collapse: false,
            reach: usize::MAX,
            anchor: None,
        };
        assert!(mail.query_emails(&question).await.unwrap().is_empty());
        assert_eq!(mail.count_emails(&question), None);
    }
    for name in [
        "count_emails",
        "meta",
        "reader",
        "get",
        "rights",
        "rights_of",
        "annotation_changes",
        "email_changes",
        "thread_changes",
        "mailbox_changes",
        "search",
        "query_emails",
        "sorted",
        "records",
        "record_changes",
        "submissions",
        "place",
        "relevance",
        "threads",
    ] {
        tried.insert(format!("mail.{name}"));
    }
}

async fn writes(scene: &Scene, mail: &Arc<Mail>, tried: &mut BTreeSet<String>) {
    let (private, uids, any) = (scene.private, UidSet::range(1, 9), Expect::default());
    let shared = scene.shared;
    let before = scene.mail.meta().modseq;
    no!(
        tried,
        "add",
        mail.add(letter(mail, private).await).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "add_if",
        mail.add_if(any, letter(mail, private).await).await,
        Error::NoSuchMailbox
    );
    let each = mail.add_each(any, vec![letter(mail, private).await]).await;
    no!(
        tried,
        "add_each",
        each.into_iter().next().unwrap(),
        Error::NoSuchMailbox
    );
    let hold = Commit {
        hold: vec![scene.hidden],
        ..Commit::default()
    };
    no!(
        tried,
        "commit",
        mail.commit(hold).await,
        Error::NoPermission
    );
    let end = Commit {
        end: Some((private, 1)),
        ..Commit::default()
    };
    no!(
        tried,
        "commit",
        mail.commit(end).await,
        Error::NoSuchMailbox
    );
    let put: Puts = Box::new(|_| vec![(b"auth.password".to_vec(), None)]);
    let put = Commit {
        put: Some(put),
        ..Commit::default()
    };
    no!(tried, "commit", mail.commit(put).await, Error::NoPermission);
    // Adopting or copying what cannot be read.
    let stolen = NewEmail {
        source: Source::Blob(scene.hidden),
        ..letter(mail, private).await
    };
    no!(tried, "add", mail.add(stolen).await, Error::NoSuchEmail);
    no!(
        tried,
        "put",
        mail.put(vec![(b"auth.password".to_vec(), None)]).await,
        Error::NoPermission
    );
    no!(
        tried,
        "set_flags",
        mail.set_flags(private, &uids, change(Flags::SEEN, None), None)
            .await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "copy",
        mail.copy(private, &uids, shared).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "r#move",
        mail.r#move(private, &uids, shared).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "expunge",
        mail.expunge(private, None).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "remove",
        mail.remove(private, &uids).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "create",
        mail.create("New", None).await,
        Error::NoPermission
    );
    no!(
        tried,
        "create",
        mail.create("Private/New", None).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "create",
        mail.create("Private", None).await,
        Error::NoPermission
    );
    let below = |parent| mail.create_below(parent, "New", MailboxUpdate::default(), any);
    no!(
        tried,
        "create_below",
        below(None).await,
        Error::NoPermission
    );
    no!(
        tried,
        "create_below",
        below(Some(private)).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "rename",
        mail.rename("Private", "Mine").await,
        Error::NoSuchMailbox
    );
    let subscribed = MailboxUpdate {
        subscribed: Some(false),
        ..MailboxUpdate::default()
    };
    no!(
        tried,
        "update_mailbox",
        mail.update_mailbox(private, subscribed.clone()).await,
        Error::NoSuchMailbox
    );
    let (each, _) = mail
        .update_mailboxes(vec![(private, subscribed)], any)
        .await
        .unwrap();
    assert!(matches!(each[..], [Err(Error::NoSuchMailbox)]));
    no!(
        tried,
        "delete",
        mail.delete(private, true, any).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "set_acl",
        mail.set_acl(private, "nobody", |_| Some(Rights::ALL)).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "forget_identifier",
        mail.forget_identifier("guest").await,
        Error::NoPermission
    );
    let comment = vec![("/shared/comment".to_owned(), Some(b"x".to_vec()))];
    no!(
        tried,
        "annotate",
        mail.annotate(Some(private), comment.clone()).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "annotate",
        mail.annotate(None, comment).await,
        Error::NoPermission
    );
    let seen = EmailUpdate {
        add: (Flags::SEEN, Vec::new()),
        ..EmailUpdate::default()
    };
    let (each, _) = mail
        .update_emails(vec![(scene.hidden, seen)], any)
        .await
        .unwrap();
    assert!(matches!(each[..], [Err(Error::NoSuchEmail)]));
    let (each, _) = mail.destroy_emails(vec![scene.hidden], any).await.unwrap();
    assert!(matches!(each[..], [Err(Error::NoSuchEmail)]));
    no!(
        tried,
        "url_key",
        mail.url_key(private),
        Error::NoSuchMailbox
    );
    let key = [7; 32];
    no!(
        tried,
        "url_key_or",
        mail.url_key_or(private, key).await,
        Error::NoSuchMailbox
    );
    no!(
        tried,
        "reset_url_key",
        mail.reset_url_key(private, key).await,
        Error::NoPermission
    );
    no!(
        tried,
        "reset_url_keys",
        mail.reset_url_keys().await,
        Error::NoPermission
    );
    let submissions = DataType::EmailSubmission;
    no!(
        tried,
        "edit_records",
        mail.edit_records(submissions, any, |_| Ok((Vec::new(), ())))
            .await,
        Error::NoPermission
    );
    let item = pillarbox::mail::outbound::Item(1);
    let submission = pillarbox::mail::submission::Submission {
        identity: 1,
        email: scene.hidden,
        thread: ThreadId(1),
        send_at: 0,
        item,
        undo: pillarbox::mail::submission::Undo::Pending,
        envelope: String::new(),
        deliveries: Vec::new(),
        reports: Vec::new(),
    };
    let envelope = pillarbox::mail::outbound::Envelope {
        sender: None,
        envid: None,
        full: None,
        binary: false,
        created: 0,
        ..Default::default()
    };
    let send = mail.submit(any, submission, envelope, Vec::new());
    no!(tried, "submit", send.await, Error::NoPermission);
    no!(
        tried,
        "unsend",
        mail.unsend(any, 1).await,
        Error::NoPermission
    );
    let batch = pillarbox::mail::outbound::Batch {
        priority: 0,
        tls: Default::default(),
        from: String::new(),
        due: 0,
        attempts: 0,
        held: false,
        warned: false,
        last: String::new(),
        recipients: Vec::new(),
    };
    no!(
        tried,
        "claim",
        mail.claim(item, "x", &batch).await,
        Error::NoPermission
    );
    let puts = vec![(b"x".to_vec(), None)];
    no!(tried, "amend", mail.amend(puts).await, Error::NoPermission);
    assert_eq!(scene.mail.meta().modseq, before, "something changed");
    // An upload is one's own: it shows nothing of what is there, and to nobody else.
    let staged = |mail: Arc<Mail>| async move {
        let mut body = mail.body(None).unwrap();
        body.push(b"x").await.unwrap();
        body.finish(b"").await.unwrap()
    };
    let own = mail
        .upload(staged(mail.clone()).await, u32::MAX)
        .await
        .unwrap();
    let other = scene
        .mail
        .upload(staged(mail.clone()).await, u32::MAX)
        .await
        .unwrap();
    let reader = mail.reader().unwrap();
    assert!(reader.message(own).unwrap().is_some());
    assert!(reader.message(other).unwrap().is_none());
    drop(reader);
    assert_eq!(mail.sweep_uploads(1).await.unwrap(), 0);
    mail.close().await;
    assert!(
        scene.mail.reader().is_ok(),
        "a guest does not close the store"
    );
    for name in [
        "body",
        "upload",
        "sweep_uploads",
        "update_mailboxes",
        "update_emails",
        "destroy_emails",
    ] {
        tried.insert(format!("mail.{name}"));
    }
}

/// RFC 4314 §4: each operation needs its right, and with it and `lr` it works.
#[test]
fn each_operation_needs_its_right() {
    smol::block_on(async {
        let uids = UidSet::range(1, 1);
        for (operation, needed) in [
            ("read", "r"),
            ("append", "i"),
            ("seen", "s"),
            ("flagged", "w"),
            ("keyword", "w"),
            ("deleted", "t"),
            ("expunge", "e"),
            ("remove", "te"),
            ("move", "te"),
            ("create", "k"),
            ("rename", "xk"),
            ("delete", "x"),
            ("getacl", "a"),
            ("setacl", "a"),
        ] {
            let scene = scene(&format!("needs-{operation}")).await;
            let run = async |mail: Arc<Mail>| {
                let id = scene.shared;
                match operation {
                    "read" => mail.view(id).map(drop),
                    "append" => mail.add(letter(&mail, id).await).await.map(drop),
                    "seen" => mail
                        .set_flags(id, &uids, change(Flags::SEEN, None), None)
                        .await
                        .map(drop),
                    "flagged" => mail
                        .set_flags(id, &uids, change(Flags::FLAGGED, None), None)
                        .await
                        .map(drop),
                    "keyword" => mail
                        .set_flags(id, &uids, change(Flags(0), Some("k")), None)
                        .await
                        .map(drop),
                    "deleted" => mail
                        .set_flags(id, &uids, change(Flags::DELETED, None), None)
                        .await
                        .map(drop),
                    "expunge" => mail.expunge(id, None).await.map(drop),
                    "remove" => mail.remove(id, &uids).await.map(drop),
                    "move" => mail.r#move(id, &uids, id).await.map(drop),
                    "create" => mail.create("Shared/New", None).await.map(drop),
                    "rename" => mail.rename("Shared", "Shared2").await,
                    "delete" => mail.delete(id, true, Expect::default()).await.map(drop),
                    "getacl" => mail.acl(id).map(drop),
                    "setacl" => mail.set_acl(id, "other", |_| Some(Rights::READ)).await,
                    other => panic!("{other}"),
                }
            };
            for right in needed.chars() {
                let rest: String = "lrswipkxtea".chars().filter(|c| *c != right).collect();
                let refused = run(scene.with(&rest).await).await;
                assert!(
                    matches!(refused, Err(Error::NoPermission)),
                    "{operation} without {right}: {refused:?}"
                );
            }
            // A new name at the top is for those who are trusted everywhere.
            let enough = scene.with(&format!("lri{needed}")).await;
            let done = run(enough).await;
            match operation {
                "rename" => assert!(matches!(done, Err(Error::NoPermission))),
                _ => assert!(done.is_ok(), "{operation} with {needed}: {done:?}"),
            }
        }
    });
}

#[test]
fn flags_are_what_the_rights_let_through() {
    smol::block_on(async {
        let scene = scene("flags").await;
        let mail = scene.with("lrits").await;
        // RFC 4314 §4 APPEND: flags without their right are left out, and it does not fail.
        let added = mail.add(letter(&mail, scene.shared).await).await.unwrap();
        let reader = mail.reader().unwrap();
        let row = reader
            .row(scene.shared, added.places[0].2)
            .unwrap()
            .unwrap();
        assert_eq!(row.flags.visible(), Flags::SEEN.with(Flags::DELETED));
        drop(reader);
        // STORE with one right of two does what it may; FLAGS leaves the others as they are.
        let set = |mode, flags| FlagChange {
            mode,
            flags,
            keywords: vec!["k".into()],
        };
        let one = UidSet::range(1, 1);
        let all = Flags::SEEN.with(Flags::FLAGGED);
        scene
            .mail
            .set_flags(
                scene.shared,
                &one,
                set(FlagMode::Add, Flags::ANSWERED),
                None,
            )
            .await
            .unwrap();
        mail.set_flags(scene.shared, &one, set(FlagMode::Replace, all), None)
            .await
            .unwrap();
        let row = scene
            .mail
            .reader()
            .unwrap()
            .row(scene.shared, 1)
            .unwrap()
            .unwrap();
        let meta = scene.mail.meta();
        let keyword = meta.keywords.flag("k").unwrap();
        assert_eq!(
            row.flags.visible(),
            Flags::SEEN.with(Flags::ANSWERED).with(keyword)
        );
        // COPY: flags do not go where they may not be set (RFC 4314 §4).
        let inbox = inbox(&scene.mail);
        let rights = Rights::parse("lri").unwrap();
        scene
            .mail
            .set_acl(inbox, "guest", move |_| Some(rights))
            .await
            .unwrap();
        let copied = mail
            .copy(scene.shared, &UidSet::range(2, 2), inbox)
            .await
            .unwrap();
        let row = mail
            .reader()
            .unwrap()
            .row(inbox, copied.to.first().unwrap())
            .unwrap()
            .unwrap();
        assert_eq!(row.flags.visible(), Flags(0));
    });
}

/// RFC 4314 §4: flags go along, or change, where they may; in the other mailboxes the email keeps its own.
#[test]
fn flags_that_may_not_be_set_there_stay_behind() {
    smol::block_on(async {
        let scene = scene("apart").await;
        let (owner, shared, inbox) = (&scene.mail, scene.shared, inbox(&scene.mail));
        let guest = scene.with("lrswite").await;
        let rights = Rights::parse("lri").unwrap();
        let set = owner.set_acl(inbox, "guest", move |_| Some(rights));
        set.await.unwrap();
        let one = UidSet::range(1, 1);
        let flags = |mailbox, uid| {
            let row = owner.reader().unwrap().row(mailbox, uid).unwrap();
            row.unwrap().flags.visible()
        };
        let sound = || {
            let report = owner.store().unwrap().verify().unwrap();
            assert!(report.wrong.is_empty(), "{:?}", report.wrong);
        };
        let (seen, flagged) = (Flags::SEEN, Flags::FLAGGED);
        let mark = |mail: Arc<Mail>, mailbox, what| {
            let one = one.clone();
            async move {
                mail.set_flags(mailbox, &one, change(what, None), None)
                    .await
            }
        };
        mark(owner.clone(), shared, seen).await.unwrap();
        let copied = guest.copy(shared, &one, inbox).await.unwrap();
        assert_eq!(copied.to.first(), Some(1));
        assert_eq!((flags(shared, 1), flags(inbox, 1)), (seen, Flags(0)));
        // The same email (RFC 8474 §5.1), and from now on two sets of flags.
        assert_eq!(
            owner
                .reader()
                .unwrap()
                .memberships(scene.shown)
                .unwrap()
                .len(),
            2
        );
        sound();
        mark(owner.clone(), inbox, flagged).await.unwrap();
        mark(owner.clone(), shared, Flags::ANSWERED).await.unwrap();
        assert_eq!(
            (flags(shared, 1), flags(inbox, 1)),
            (seen.with(Flags::ANSWERED), flagged)
        );
        // JMAP has one set of keywords: a change reaches both.
        let update = EmailUpdate {
            add: (Flags::DRAFT, vec![]),
            ..EmailUpdate::default()
        };
        let updates = vec![(scene.shown, update)];
        let (done, _) = owner
            .update_emails(updates.clone(), Expect::default())
            .await
            .unwrap();
        assert_eq!(done.len(), 1);
        assert!(done[0].is_ok());
        assert!(flags(shared, 1).has(Flags::DRAFT) && flags(inbox, 1).has(Flags::DRAFT));
        sound();
        // STORE: what the owner copied where this one may not change it does not change there.
        let raw = message("three", "", "x");
        add(owner, shared, raw.as_bytes()).await;
        let two = UidSet::range(2, 2);
        let there = owner.copy(shared, &two, scene.private).await.unwrap().to;
        let there = there.first().unwrap();
        guest
            .set_flags(shared, &two, change(seen, None), None)
            .await
            .unwrap();
        assert_eq!(
            (flags(shared, 2), flags(scene.private, there)),
            (seen, Flags(0))
        );
        sound();
        // MOVE of what is nowhere else: the flags are gone, and it is as whole as any.
        let raw = message("four", "", "x");
        add(owner, shared, raw.as_bytes()).await;
        let three = UidSet::range(3, 3);
        guest
            .set_flags(shared, &three, change(seen, None), None)
            .await
            .unwrap();
        let to = guest
            .r#move(shared, &three, inbox)
            .await
            .unwrap()
            .to
            .first()
            .unwrap();
        assert_eq!(flags(inbox, to), Flags(0));
        let again = owner
            .copy(inbox, &UidSet::range(to, to), shared)
            .await
            .unwrap();
        let again = again.to.first().unwrap();
        owner
            .set_flags(
                shared,
                &UidSet::range(again, again),
                change(seen, None),
                None,
            )
            .await
            .unwrap();
        assert_eq!((flags(inbox, to), flags(shared, again)), (seen, seen));
        sound();
    });
}

/// An email in a visible and an invisible mailbox shows only the visible membership.
#[test]
fn what_is_seen_is_seen_through_visible_mailboxes_only() {
    smol::block_on(async {
        let scene = scene("sight").await;
        let mail = scene.with("lrswte").await;
        scene
            .mail
            .copy(scene.shared, &UidSet::range(1, 1), scene.private)
            .await
            .unwrap();
        let paths = |mail: &Mail| -> Vec<String> {
            mail.meta()
                .mailboxes
                .iter()
                .map(|m| m.path.clone())
                .collect()
        };
        assert_eq!(paths(&mail), ["Shared"]);
        let reader = mail.reader().unwrap();
        assert!(reader.message(scene.hidden).unwrap().is_none());
        let rows = reader.memberships(scene.shown).unwrap();
        assert_eq!(
            rows.iter().map(|r| r.mailbox).collect::<Vec<_>>(),
            [scene.shared]
        );
        let thread = reader.message(scene.shown).unwrap().unwrap().thread;
        assert_eq!(reader.thread(thread).unwrap(), [scene.shown]);
        drop(reader);
        // Elsewhere than in Shared: nowhere, as far as this one can see.
        let question = |query| EmailQuery {
            mailbox: None,
            query,
            sort: Vec::new(),
            collapse: false,
            reach: usize::MAX,
            anchor: None,
        };
        let elsewhere = question(Query::InOtherThan(vec![scene.shared]));
        assert!(mail.query_emails(&elsewhere).await.unwrap().is_empty());
        let all = question(Query::All(Vec::new()));
        assert_eq!(mail.query_emails(&all).await.unwrap(), [scene.shown]);

        // Changes: what comes into sight is new, what goes out of sight is gone.
        let since = scene.mail.meta().modseq;
        let uids = |id| scene.mail.view(id).unwrap().uids.clone();
        let first = UidSet::range(1, 1);
        scene
            .mail
            .copy(scene.private, &first, scene.shared)
            .await
            .unwrap();
        let news = mail.email_changes(since, 100).await.unwrap();
        assert_eq!(
            (news.created, news.updated, news.destroyed),
            (vec![scene.hidden], vec![], vec![])
        );
        let threads = mail.thread_changes(since, 100).await.unwrap();
        assert_eq!((threads.created, threads.updated), (vec![], vec![thread]));
        let since = scene.mail.meta().modseq;
        scene
            .mail
            .set_flags(
                scene.private,
                &uids(scene.private),
                change(Flags::FLAGGED, None),
                None,
            )
            .await
            .unwrap();
        scene
            .mail
            .remove(scene.shared, &UidSet::range(1, 1))
            .await
            .unwrap();
        let news = mail.email_changes(since, 100).await.unwrap();
        assert_eq!(
            (news.created, news.updated, news.destroyed),
            (vec![], vec![scene.hidden], vec![scene.shown])
        );
        // What happens out of sight is no news.
        let since = scene.mail.meta().modseq;
        let raw = message("three", "", "unseen");
        add(&scene.mail, scene.private, raw.as_bytes()).await;
        let news = mail.email_changes(since, 100).await.unwrap();
        assert!(news.created.is_empty() && news.updated.is_empty() && news.destroyed.is_empty());

        // JMAP's destroy ends what is seen; the rest stays (RFC 8621 §4.6 speaks of the user's own).
        let (each, _) = mail
            .destroy_emails(vec![scene.hidden], Expect::default())
            .await
            .unwrap();
        assert!(matches!(each[..], [Ok(())]));
        assert!(
            mail.reader()
                .unwrap()
                .message(scene.hidden)
                .unwrap()
                .is_none()
        );
        assert!(
            scene
                .mail
                .reader()
                .unwrap()
                .message(scene.hidden)
                .unwrap()
                .is_some()
        );
        // A list of rights that changed makes old states worthless.
        let since = scene.mail.meta().modseq;
        scene.with("lr").await;
        assert!(matches!(
            mail.email_changes(since, 9).await,
            Err(Error::CannotCalculate)
        ));
    });
}

#[test]
fn lists_live_and_die_with_their_mailbox() {
    let folder = Folder::new("acl-lives");
    smol::block_on(async {
        let mail = folder.mail();
        let id = mail.create("Old/Shared", None).await.unwrap().id;
        let rights = Rights::parse("lrk").unwrap();
        mail.set_acl(id, "guest", move |_| Some(rights))
            .await
            .unwrap();
        // RFC 4314 §4: renamed with its list, inherited by what is made below.
        mail.rename("Old/Shared", "New").await.unwrap();
        mail.create("New/Child", None).await.unwrap();
        mail.close().await;
        drop(mail);
        let mail = folder.mail();
        let guest = mail.of(Some(&Arc::new(Principal::new("guest", false, None))));
        let seen = guest.meta();
        let paths: Vec<_> = seen.mailboxes.iter().map(|m| m.path.as_str()).collect();
        assert_eq!(paths, ["New", "New/Child"]);
        assert_eq!(seen.by_path("New/Child").unwrap().rights, rights);
        // A child alone stands at the top: its parent does not exist for the guest.
        mail.set_acl(id, "guest", |_| None).await.unwrap();
        let seen = guest.meta();
        assert_eq!(seen.by_path("New/Child").unwrap().parent, None);
        assert!(seen.by_path("New").is_none());
        // A name that comes back begins with nothing.
        let child = seen.by_path("New/Child").unwrap().id;
        mail.delete(child, true, Expect::default()).await.unwrap();
        mail.create("New/Child", None).await.unwrap();
        assert!(guest.meta().mailboxes.is_empty());
        // Whoever may do everything may do less where a list says so.
        let phone = mail.of(Some(&Arc::new(Principal::new("phone", true, None))));
        assert_eq!(phone.meta().mailboxes.len(), mail.meta().mailboxes.len());
        mail.set_acl(id, "phone", |_| Some(Rights::NONE))
            .await
            .unwrap();
        assert!(phone.meta().by_path("New").is_none());
        mail.forget_identifier("phone").await.unwrap();
        assert!(phone.meta().by_path("New").is_some());
        mail.close().await;
    });
}

/// A subscription is everybody's own, but for those who share the owner's.
#[test]
fn subscriptions_are_ones_own() {
    smol::block_on(async {
        let scene = scene("subscriptions").await;
        let guest = scene.with("lr").await;
        let off = || MailboxUpdate {
            subscribed: Some(false),
            ..MailboxUpdate::default()
        };
        guest.update_mailbox(scene.shared, off()).await.unwrap();
        assert!(!guest.meta().mailbox(scene.shared).unwrap().subscribed);
        assert!(scene.mail.meta().mailbox(scene.shared).unwrap().subscribed);
        // It outlives a change of rights.
        let guest = scene.with("lrs").await;
        assert!(!guest.meta().mailbox(scene.shared).unwrap().subscribed);
        let role = MailboxUpdate {
            role: Some(Some(Role::All)),
            ..MailboxUpdate::default()
        };
        let refused = guest.update_mailbox(scene.shared, role).await;
        assert!(matches!(refused, Err(Error::NoPermission)));
    });
}
