//! The UIDs of a large mailbox behind a restart: kept, carried forward, or scanned, they are the same.

use super::*;

/// More than a view is kept for.
const MANY: u32 = 6000;

async fn large(mail: &Mail) -> MailboxId {
    let archive = role(mail, Role::Archive);
    let added = add(mail, inbox(mail), b"Subject: one\r\n\r\nbody").await;
    let one = UidSet::range(added.places[0].2, added.places[0].2);
    mail.copy(inbox(mail), &one, archive).await.expect("copies");
    while mail.view(archive).expect("view").uids.len() < MANY {
        let uids = mail.view(archive).expect("view").uids.clone();
        mail.copy(archive, &uids, archive).await.expect("copies");
    }
    archive
}

fn every(step: usize, below: u32) -> UidSet {
    (1..below).step_by(step).collect()
}

#[test]
fn a_restart_does_not_change_the_view() {
    let folder = Folder::new("view");
    smol::block_on(async {
        let mail = folder.mail();
        let archive = large(&mail).await;
        check(&mail);
        mail.close().await;

        // All of them are there: nothing was kept, nothing is looked for.
        let mail = folder.mail();
        check(&mail);
        mail.remove(archive, &every(7, MANY))
            .await
            .expect("removes");
        let before = mail.meta().modseq;
        check(&mail);
        let told = mail.changes(archive, before - 1).expect("changes");
        mail.close().await;

        // As it was kept.
        let mail = folder.mail();
        check(&mail);
        let some = UidSet::range(20, 22);
        let again = mail.changes(archive, before - 1).expect("changes");
        assert_eq!(again.vanished, told.vanished);
        mail.remove(archive, &some).await.expect("removes");
        mail.copy(archive, &UidSet::range(100, 200), archive)
            .await
            .expect("copies");
        mail.close().await;

        // Carried forward over what came and went since, of which the view was not told.
        let mail = folder.mail();
        mail.remove(archive, &UidSet::range(300, 310))
            .await
            .expect("removes");
        check(&mail);
        mail.close().await;
        let mail = folder.mail();
        check(&mail);
        mail.close().await;
    });
}
