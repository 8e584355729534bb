//! Long jobs over the control socket: each on a thread of its own, so that other requests have their
//! turn meanwhile.
use crate::keep::frame::{self, Far};
use crate::keep::intake::Intake;
use crate::keep::{Done, Target};
use crate::keep::{backup, export};
use crate::limits;
use crate::mail::Mail;
use crate::server::{Failure, Kind};
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::Duration;

/// What can be asked for.
pub const VERBS: [&str; 4] = ["import", "export", "backup", "verify"];

/// Starts it.
///
/// # Errors
/// The system gives no thread.
pub fn start(
    verb: String,
    argument: String,
    stream: UnixStream,
    mail: Arc<Mail>,
) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    let thread = std::thread::Builder::new()
        .name(verb.clone())
        .stack_size(limits::THREAD_STACK);
    thread.spawn(move || {
        let mut stream = stream;
        log::info!("{verb} begins");
        match run(&verb, &argument, &mut stream, mail) {
            Ok(lines) => log::info!(
                "{verb} is done: {}",
                lines.last().map_or("", String::as_str)
            ),
            Err(e) => {
                log::warn!("{verb} did not come to its end: {e}");
                let _ = frame::put(&mut stream, b'x', e.message().as_bytes());
            }
        }
    })?;
    Ok(())
}

fn run(verb: &str, argument: &str, stream: &mut UnixStream, mail: Arc<Mail>) -> Done<Vec<String>> {
    let failed = |e: io::Error| Failure::new(Kind::Control, e.to_string());
    stream.write_all(b"ok\n").map_err(failed)?;
    if verb == "import" {
        let _alone = alone()?;
        let lines = frame::receive(stream, &mut Intake::new(mail))?;
        frame::put(stream, b'z', lines.join("\n").as_bytes()).map_err(failed)?;
        return Ok(lines);
    }
    if verb == "verify" {
        let store = mail.store().map_err(|e| crate::keep::broken(&e))?;
        let found = store.verify();
        let found = found.map_err(|e| Failure::new(Kind::Damaged, e.to_string()));
        let lines = self::report(&found?);
        frame::put(stream, b'z', lines.join("\n").as_bytes()).map_err(failed)?;
        return Ok(lines);
    }
    let mut far = Far::new(stream, false);
    if verb == "backup" {
        let modseq = backup::run(&mail, argument.parse().unwrap_or(0), &mut far)?;
        far.finish()?;
        return Ok(vec![format!("modseq {modseq}")]);
    }
    export::run(
        &mail,
        Some(argument).filter(|only| !only.is_empty()),
        &mut far,
    )?;
    far.finish()
}

/// One import at a time: each looks for what is there before it files, and would not see the other's.
static IMPORTING: Mutex<()> = Mutex::new(());

/// Waits for the end of an import whose source has just gone, not for one that goes on.
fn alone() -> Done<MutexGuard<'static, ()>> {
    for _ in 0..100 {
        match IMPORTING.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(guard)) => return Ok(guard.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
    let why = "another import is running: wait until it is done";
    Err(Failure::new(Kind::Control, why))
}

/// A look at the store, for people: one line where all is well.
pub fn report(found: &crate::store::Report) -> Vec<String> {
    let mut lines = vec![format!(
        "{} messages in {} places, {} held",
        found.emails, found.rows, found.held
    )];
    lines.extend(found.wrong.iter().cloned());
    lines
}

/// The lines that the server answers a job with.
///
/// # Errors
/// Its sentence.
pub fn answer(stream: &mut UnixStream) -> Done<Vec<String>> {
    let mut text = Vec::new();
    let failed = |e: &dyn std::fmt::Display| Failure::new(Kind::Control, e.to_string());
    match frame::get(stream, &mut text) {
        Ok(b'z') => Ok(String::from_utf8_lossy(&text)
            .lines()
            .map(str::to_owned)
            .collect()),
        Ok(_) => Err(failed(&String::from_utf8_lossy(&text))),
        Err(e) => Err(failed(&e)),
    }
}
