//! A submission that its sender takes back while the queue is about to write its rows again.
use super::*;
use pillarbox::mail::outbound::{self, Envelope, Item, Recipient};
use pillarbox::mail::submission::{Submission, Undo};

fn rows(mail: &Mail) -> Vec<Put> {
    let mut rows = Vec::new();
    let scanned = mail.reader().expect("reader").scan(b"queue/", |key, row| {
        rows.push((key.to_vec(), Some(row.to_vec())));
        true
    });
    scanned.expect("scans");
    rows
}

#[test]
fn stays_taken_back() {
    let folder = Folder::new("taken-back");
    smol::block_on(async {
        let mail = folder.mail();
        let added = add(&mail, inbox(&mail), message("1", "", "x").as_bytes()).await;
        let item = Item::new(1000).expect("an item");
        let submission = Submission {
            identity: 1,
            email: added.email,
            thread: added.thread,
            send_at: 0,
            item,
            undo: Undo::Pending,
            envelope: String::new(),
            deliveries: Vec::new(),
            reports: Vec::new(),
        };
        let to = Recipient {
            address: address::Address::parse("bob@else.where").expect("an address"),
            notify: None,
            orcpt: None,
        };
        // From before the clock was set: the queue gives it a new date, and makes it due when asked to.
        let mut envelope = Envelope {
            created: 1000,
            ..Envelope::default()
        };
        let any = Expect::default();
        let sent = mail.submit(any, submission, envelope.clone(), vec![to]);
        let (id, _) = sent.await.expect("submits");
        assert_eq!(rows(&mail).len(), 2);
        envelope.created = 2_000_000_000;
        let dated = envelope.encode(added.email);
        let put = vec![(outbound::envelope_key(item), Some(dated.clone()))];
        mail.amend(put).await.expect("amends");
        let all = rows(&mail);
        assert!(all.iter().any(|(_, row)| row.as_ref() == Some(&dated)));

        assert!(mail.unsend(any, id).await.expect("answers").0);
        assert!(rows(&mail).is_empty());
        mail.amend(all).await.expect("amends");
        assert!(rows(&mail).is_empty(), "it is in the queue again");
        mail.close().await;
    });
}
