//! Annotations in the engine: whole or not at all, bounded, with their mailbox, seen by others.
use super::{Folder, inbox};
use pillarbox::limits::{ANNOTATION_VALUE, ANNOTATIONS};
use pillarbox::mail::{Error, Expect, Mail, MailboxId, NotAnnotated, Principal};
use std::sync::Arc;

async fn set(mail: &Mail, at: Option<MailboxId>, entry: &str, value: &str) -> Result<(), Error> {
    let entries = vec![(entry.into(), Some(value.as_bytes().to_vec()))];
    mail.annotate(at, entries).await.map(drop)
}

fn names(mail: &Mail, at: Option<MailboxId>) -> Vec<String> {
    let found = mail.annotations(at).unwrap();
    found.into_iter().map(|(entry, _)| entry).collect()
}

#[test]
fn set_replaced_removed_and_kept() {
    let folder = Folder::new("notes");
    smol::block_on(async {
        let mail = folder.mail();
        let at = Some(inbox(&mail));
        let start = mail.meta().modseq;
        set(&mail, at, "/private/comment", "one").await.unwrap();
        set(&mail, None, "/shared/comment", "server").await.unwrap();
        set(&mail, at, "/private/comment", "two").await.unwrap();
        let none = vec![("/private/nothing".to_owned(), None)];
        assert!(mail.annotate(at, none).await.unwrap().is_none());
        assert_eq!(
            mail.annotation_changes(start, |_| false).unwrap(),
            [
                (None, vec!["/shared/comment".to_owned()]),
                (at, vec!["/private/comment".to_owned()])
            ]
        );
        mail.close().await;
        drop(mail);
        let mail = folder.mail();
        let value = mail.annotation(at, "/private/comment").unwrap();
        assert_eq!(value.as_deref(), Some(&b"two"[..]));
        let now = mail.meta().annotated;
        let gone = vec![("/private/comment".to_owned(), None)];
        let own = mail.annotate(at, gone).await.unwrap();
        assert!(names(&mail, at).is_empty() && mail.meta().annotated > now);
        assert_eq!(mail.annotation_changes(now, |_| false).unwrap().len(), 1);
        let mine = |modseq| Some(modseq) == own;
        assert!(mail.annotation_changes(now, mine).unwrap().is_empty());
        mail.close().await;
    });
}

#[test]
fn bounded_and_all_or_none() {
    let folder = Folder::new("notes-bounds");
    smol::block_on(async {
        let mail = folder.mail();
        let at = Some(inbox(&mail));
        let large = "x".repeat(ANNOTATION_VALUE + 1);
        let both = vec![
            ("/shared/a".to_owned(), Some(b"a".to_vec())),
            ("/shared/b".to_owned(), Some(large.into_bytes())),
        ];
        let refused = mail.annotate(at, both).await;
        assert!(matches!(
            refused,
            Err(Error::NotAnnotated(NotAnnotated::TooLarge(_)))
        ));
        assert!(names(&mail, at).is_empty());
        for n in 0..ANNOTATIONS {
            set(&mail, at, &format!("/shared/{n}"), "x").await.unwrap();
        }
        assert!(matches!(
            set(&mail, at, "/shared/more", "x").await,
            Err(Error::NotAnnotated(NotAnnotated::TooMany))
        ));
        set(&mail, at, "/shared/7", "y").await.unwrap();
        // What is remembered of removed ones is bounded too.
        for n in 0..3 * ANNOTATIONS {
            let entry = format!("/private/{n}");
            set(&mail, None, &entry, "x").await.unwrap();
            mail.annotate(None, vec![(entry, None)]).await.unwrap();
        }
        let changes = mail.annotation_changes(0, |_| false).unwrap();
        assert_eq!((changes[0].0, changes[0].1.len()), (None, ANNOTATIONS));
        // All together: 4 MiB are 256 large ones.
        let large = "x".repeat(ANNOTATION_VALUE);
        let mut fits = 0;
        'all: for m in 0..10 {
            let mailbox = mail.create(&format!("box{m}"), None).await.unwrap().id;
            for n in 0..ANNOTATIONS {
                if set(&mail, Some(mailbox), &format!("/shared/{n}"), &large)
                    .await
                    .is_err()
                {
                    break 'all;
                }
                fits += 1;
            }
        }
        assert_eq!(fits, 255);
        let first = mail.meta().by_path("box0").unwrap().id;
        mail.delete(first, true, Expect::default()).await.unwrap();
        let mailbox = mail.create("box0", None).await.unwrap().id;
        assert!(names(&mail, Some(mailbox)).is_empty());
        set(&mail, Some(mailbox), "/shared/1", &large)
            .await
            .unwrap();
        mail.close().await;
    });
}

#[test]
fn they_follow_their_mailbox() {
    let folder = Folder::new("notes-move");
    smol::block_on(async {
        let mail = folder.mail();
        let at = mail.create("a", None).await.unwrap().id;
        set(&mail, Some(at), "/shared/comment", "x").await.unwrap();
        mail.rename("a", "b").await.unwrap();
        assert_eq!(mail.meta().by_path("b").unwrap().id, at);
        assert_eq!(names(&mail, Some(at)), ["/shared/comment"]);
        let first = Some(inbox(&mail));
        set(&mail, first, "/private/comment", "x").await.unwrap();
        mail.rename("INBOX", "old").await.unwrap();
        let old = Some(mail.meta().by_path("old").unwrap().id);
        for place in [first, old] {
            assert_eq!(names(&mail, place), ["/private/comment"]);
        }
        mail.close().await;
    });
}

#[test]
fn an_app_password_sees_what_is_shared() {
    let folder = Folder::new("notes-rights");
    smol::block_on(async {
        let mail = folder.mail();
        let at = inbox(&mail);
        set(&mail, Some(at), "/shared/comment", "all")
            .await
            .unwrap();
        set(&mail, Some(at), "/private/comment", "me")
            .await
            .unwrap();
        let screen = mail.of(Some(&Arc::new(Principal::new("screen", false, None))));
        assert!(matches!(
            screen.annotations(Some(at)),
            Err(Error::NoSuchMailbox)
        ));
        let give = |rights: &'static str| {
            let rights = pillarbox::mail::Rights::parse(rights).unwrap();
            mail.set_acl(at, "screen", move |_| Some(rights))
        };
        give("lr").await.unwrap();
        assert_eq!(names(&screen, Some(at)), ["/shared/comment"]);
        assert!(
            set(&screen, Some(at), "/shared/comment", "mine")
                .await
                .is_err()
        );
        assert_eq!(
            screen.annotation_changes(0, |_| false).unwrap(),
            [(Some(at), vec!["/shared/comment".to_owned()])]
        );
        give("lrw").await.unwrap();
        set(&screen, Some(at), "/shared/comment", "mine")
            .await
            .unwrap();
        assert!(matches!(
            set(&screen, Some(at), "/private/comment", "x").await,
            Err(Error::NotAnnotated(NotAnnotated::NoPrivate))
        ));
        assert!(set(&screen, None, "/shared/comment", "x").await.is_err());
        give("l").await.unwrap();
        assert!(screen.annotations(Some(at)).is_err() && screen.annotations(None).is_ok());
        mail.close().await;
    });
}
