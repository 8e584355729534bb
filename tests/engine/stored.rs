//! Stores that earlier builds wrote, kept in `tests/data/store`: what a release has written, every later
//! one opens, whichever machine it was written on (x86_64, the first).
use crate::harness::TempDir;
use flate2::read::GzDecoder;
use pillarbox::mail::{Flags, Mail, Options, Role};
use pillarbox::store::{self, Error, FileDisk};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File, schema.
const STORES: [(&str, u16); 2] = [("schema-3.redb.gz", 3), ("schema-3-unsealed.redb.gz", 3)];

fn unpack(dir: &TempDir, name: &str) -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/store");
    let file = fs::File::open(from.join(name)).expect(name);
    let mut octets = Vec::new();
    GzDecoder::new(file).read_to_end(&mut octets).expect(name);
    let path = dir.join("mail.redb");
    fs::write(&path, octets).expect("a file");
    path
}

/// What `tests/data/README.md` says is in them.
fn look(mail: &Mail) {
    let meta = mail.meta();
    let reader = mail.reader().expect("a reader");
    let mut seen = Vec::new();
    for mailbox in &meta.mailboxes {
        let mut rows = Vec::new();
        let done = reader.rows(mailbox.id, 1, u32::MAX, |row| {
            rows.push(*row);
            true
        });
        done.expect("rows");
        for row in rows {
            let message = reader
                .message(row.email)
                .expect("reads")
                .expect("a message");
            let mut text = Vec::new();
            while text.len() < message.size as usize {
                let at = text.len() as u32;
                assert_ne!(
                    reader
                        .read(&message, at, u32::MAX, &mut text)
                        .expect("reads"),
                    0
                );
            }
            let text = String::from_utf8(text).expect("text");
            let subject = text.split("Subject: ").nth(1).expect("a subject");
            let words: Vec<&str> = meta.keywords.names(row.flags).collect();
            seen.push(format!(
                "{} {} {} {} {:x} {words:?}",
                mailbox.path,
                row.uid,
                subject.lines().next().expect("a line"),
                row.size,
                row.flags.only(Flags::SYSTEM).0
            ));
        }
    }
    assert_eq!(
        seen,
        [
            "INBOX 1 one 53 5 [\"$Forwarded\"]",
            "INBOX 2 large 268927 0 []",
            "Old/B\u{fc}cher/b 1 one 53 5 [\"$Forwarded\"]",
            "Old/B\u{fc}cher/b 2 three 33 0 []",
        ]
    );
    assert!(meta.by_role(Role::Sent).is_some());
}

#[test]
fn stores_of_every_schema_open() {
    assert!(STORES.iter().any(|(_, schema)| *schema == store::SCHEMA));
    for (name, _) in STORES {
        let dir = TempDir::new();
        let path = unpack(&dir, name);
        // Twice: the first opening may have changed it.
        for _ in 0..2 {
            let mail = Mail::open(&path, Options::default()).expect(name);
            look(&mail);
            smol::block_on(mail.put(vec![(b"x".to_vec(), Some(b"y".to_vec()))])).expect(name);
            smol::block_on(mail.close());
            drop(mail);
            let disk = Arc::new(FileDisk::open(&path).expect(name));
            let report = store::check(disk, 1 << 20, true).expect(name);
            assert_eq!(report.wrong, [""; 0], "{name}");
        }
    }
}

/// Its global row says that only a later version can read it.
#[test]
fn a_newer_store_is_refused_and_stays_as_it_is() {
    let dir = TempDir::new();
    let path = unpack(&dir, "schema-3.redb.gz");
    let newer = [999u16.to_le_bytes(), 999u16.to_le_bytes()].concat();
    let old = exchange(&path, &newer);
    let refused = Mail::open(&path, Options::default());
    assert!(matches!(refused, Err(Error::Newer(999, store::SCHEMA))));
    drop(refused);
    for args in [
        &["status"][..],
        &["verify"],
        &["compact"],
        &["passwd", "--stdin"],
    ] {
        let (code, _, err) = crate::cli::run::pillarbox(dir.path(), args, "x\n");
        assert!(code == 5 && err.contains("newer"), "{args:?}: {code} {err}");
    }
    assert_eq!(exchange(&path, &old), newer);
    look(&Mail::open(&path, Options::default()).expect("opens"));
}

/// Writes other octets at the start of the global row: schema, and the oldest that reads it.
fn exchange(path: &Path, start: &[u8]) -> Vec<u8> {
    let db = redb::Database::open(path).expect("opens");
    let txn = db.begin_write().expect("writes");
    let table = redb::TableDefinition::<&[u8], &[u8]>::new("state");
    let mut table = txn.open_table(table).expect("a table");
    let key = 0u32.to_be_bytes();
    let mut row = {
        let row = redb::ReadableTable::get(&table, &key[..]).expect("reads");
        row.expect("a row").value().to_vec()
    };
    let old = row.splice(..start.len(), start.iter().copied()).collect();
    table.insert(&key[..], &row[..]).expect("inserts");
    drop(table);
    txn.commit().expect("commits");
    old
}
