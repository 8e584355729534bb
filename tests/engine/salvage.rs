//! What `salvage` finds does not hang on how much of it is remembered at a time.
use super::*;
use pillarbox::store;
use std::collections::BTreeMap;

/// Email, mailbox, flags, whether it is whole; and its octets.
type Found = BTreeMap<u32, (String, Flags, bool, Vec<u8>)>;

fn salvaged(path: &std::path::Path, most: usize) -> Found {
    let mut all = Found::new();
    let mut octets = Vec::new();
    let done = store::salvage(path, most, &mut |found, part| {
        octets.extend_from_slice(part);
        if part.is_empty() {
            let whole = std::mem::take(&mut octets);
            let about = (found.mailbox.clone(), found.flags, found.whole, whole);
            assert!(all.insert(found.email, about).is_none(), "told twice");
        }
        Ok(())
    });
    done.expect("reads");
    all
}

#[test]
fn many_passes_find_what_one_does() {
    let dir = Folder::new("salvage");
    let mut sent = BTreeMap::new();
    smol::block_on(async {
        let mail = dir.mail();
        let inbox = mail.meta().by_role(Role::Inbox).expect("INBOX").id;
        for n in 0..200_u32 {
            // Some of one piece, some of many, most of none.
            let lines = if n % 50 == 7 { 6000 } else { n as usize % 90 };
            let line = |at: usize| {
                format!(
                    "{:x} {n}\r\n",
                    (at as u64 + 1).wrapping_pow(9).wrapping_mul(77)
                )
            };
            let body: String = (0..lines).map(line).collect();
            let raw = message(&n.to_string(), "", &body);
            let added = add(&mail, inbox, raw.as_bytes()).await;
            let email = u32::try_from(added.email.0).expect("small");
            sent.insert(email, bytes(&mail, added.email));
        }
        let some = UidSet::range(20, 60);
        let flagged = FlagChange {
            mode: FlagMode::Add,
            flags: Flags::FLAGGED,
            keywords: Vec::new(),
        };
        let done = mail.set_flags(inbox, &some, flagged, None).await;
        done.expect("flags");
        let gone = UidSet::range(190, 195);
        mail.remove(inbox, &gone).await.expect("removes");
        mail.close().await;
    });
    let path = dir.0.join("mail.redb");
    let once = salvaged(&path, 1 << 18);
    let there = |(email, raw): (&u32, &Vec<u8>)| {
        once.get(email)
            .is_some_and(|found| found.2 && found.3 == *raw)
    };
    assert!(sent.iter().filter(|it| there(*it)).count() >= 194);
    let flagged = once.values().filter(|it| it.1 == Flags::FLAGGED).count();
    assert_eq!(flagged, 41);
    for most in [512, 777, 5000] {
        assert!(salvaged(&path, most) == once, "{most} at a time");
    }
}
