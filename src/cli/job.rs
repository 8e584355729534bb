//! What `import`, `export` and the like share: the running server does the work over its control
//! socket, else we do it in the store itself.
use super::open_existing;
use crate::keep::{Done, Target, frame};
use crate::mail::Mail;
use crate::server::control;
use std::path::Path;
use std::sync::Arc;

/// Has `source` give messages to the running server, or else to what `local` makes of the store.
///
/// # Errors
/// Why not.
pub(super) fn give(
    db: &Path,
    local: &mut dyn FnMut(Arc<Mail>) -> Box<dyn Target>,
    source: &mut dyn FnMut(&mut dyn Target) -> Done<Vec<String>>,
) -> Done<Vec<String>> {
    if let Some(mut stream) = control::open(db, "import", "")? {
        return source(&mut frame::Far::new(&mut stream, true));
    }
    let (mail, _) = open_existing(db)?;
    let done = source(&mut *local(mail.clone()));
    smol::block_on(mail.close());
    done
}

/// Reads in the store and gives to a target.
type Local<'l> = &'l mut dyn FnMut(&Mail, &mut dyn Target) -> Done<Vec<String>>;

/// Has the running server's answer to `verb`, or else what `local` reads in the store, go to `target`.
///
/// # Errors
/// Why not.
pub(super) fn take(
    db: &Path,
    verb: &str,
    argument: &str,
    target: &mut dyn Target,
    local: Local<'_>,
) -> Done<Vec<String>> {
    if let Some(mut stream) = control::open(db, verb, argument)? {
        return frame::receive(&mut stream, target);
    }
    let (mail, _) = open_existing(db)?;
    let done = local(&mail, target);
    smol::block_on(mail.close());
    done
}
