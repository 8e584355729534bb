//! A store out of backups. It appears in one moment, whole, checked and settled; until then what stands
//! in its place is as it was.
use super::{Done, broken};
use crate::mail::{Mail, Options, STORE_ID};
use crate::server::Failure;
use crate::store::{self, Folder, Rebuild};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Who may log in, what links open, and the keys that sign: beginnings of keys. A store that is replaced
/// by an older state of itself keeps them, so that what was revoked stays so, and DNS has the right keys.
const KEPT: [&[u8]; 3] = [b"auth.", b"dkim.keys", b"urlkey/"];

/// What became of it.
pub struct Restored {
    /// Rows of the queue that wait for a person's word.
    pub held: usize,
    /// Log-ins and keys are those of the store that was replaced, not the backup's.
    pub kept: bool,
}

/// Makes the store at `db` of the rows that `fill` puts. `hold` is to say what is in the queue that it
/// waits: it may have been sent since.
///
/// # Errors
/// The system's, those of `fill` and `hold`, and a store there that is open elsewhere.
pub fn run(
    folder: &Arc<dyn Folder>,
    db: &Path,
    fill: &mut dyn FnMut(&mut Rebuild) -> Done<()>,
    hold: &dyn Fn(&Mail) -> Done<usize>,
) -> Done<Restored> {
    let failed = |e| Failure::of_store(db, &e);
    let mut old = None;
    let mut lock = None;
    if folder.exists(db) {
        let source = folder.source(db);
        old = match store::settings(&*source, &KEPT, STORE_ID) {
            Err(e @ store::Error::Locked) => return Err(failed(e)),
            found => found.ok(),
        };
        // Held until the end, so that no server opens it meanwhile.
        lock = Some(source.open().map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => failed(store::Error::Locked),
            _ => failed(e.into()),
        })?);
    }
    let mut rebuild = Rebuild::create(folder.clone(), db, true).map_err(failed)?;
    fill(&mut rebuild)?;
    let source = rebuild.whole().map_err(failed)?;
    let mail = Mail::open_source(source, Options::default()).map_err(failed)?;
    let done = hold(&mail).and_then(|held| {
        let kept = keep(&mail, old.as_ref()).map_err(|e| broken(&e))?;
        Ok(Restored { held, kept })
    });
    smol::block_on(mail.close());
    drop(mail);
    let done = done?;
    if lock.is_none() && folder.exists(db) {
        // One was made meanwhile.
        return Err(failed(io::Error::from(io::ErrorKind::AlreadyExists).into()));
    }
    rebuild.place().map_err(failed)?;
    drop(lock);
    Ok(done)
}

/// Puts the rows of the store that is replaced in, if it is the same one.
fn keep(mail: &Mail, old: Option<&store::Settings>) -> crate::mail::Result<bool> {
    let Some(old) = old.filter(|old| old.id.is_some()) else {
        return Ok(false);
    };
    let reader = mail.reader()?;
    if reader.get(STORE_ID)? != old.id {
        return Ok(false);
    }
    let mut puts = Vec::new();
    for prefix in KEPT {
        reader.scan(prefix, |key, _| {
            puts.push((key.to_vec(), None));
            true
        })?;
    }
    drop(reader);
    let rows = old.rows.iter();
    puts.extend(rows.map(|(key, value)| (key.clone(), Some(value.clone()))));
    smol::block_on(mail.put(puts))?;
    Ok(true)
}
