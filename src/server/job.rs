//! Long jobs over the control socket: each on a thread of its own, so that other requests have their
//! turn meanwhile.
use crate::keep::export;
use crate::keep::frame::{self, Far};
use crate::keep::intake::Intake;
use crate::keep::{Done, Target};
use crate::limits;
use crate::mail::Mail;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// What can be asked for.
pub const VERBS: [&str; 2] = ["import", "export"];

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
                let _ = frame::put(&mut stream, b'x', e.message.as_bytes());
            }
        }
    })?;
    Ok(())
}

fn run(verb: &str, argument: &str, stream: &mut UnixStream, mail: Arc<Mail>) -> Done<Vec<String>> {
    let failed =
        |e: io::Error| crate::server::Failure::new(crate::server::Kind::Control, e.to_string());
    stream.write_all(b"ok\n").map_err(failed)?;
    if verb == "import" {
        let lines = frame::receive(stream, &mut Intake::new(mail))?;
        frame::put(stream, b'z', lines.join("\n").as_bytes()).map_err(failed)?;
        return Ok(lines);
    }
    let mut far = Far::new(stream, false);
    export::run(
        &mail,
        Some(argument).filter(|only| !only.is_empty()),
        &mut far,
    )?;
    far.finish()
}
