//! The commands, one file each. Every file says when its command is allowed (`check`) and what it
//! does (`run`); this is the table of them.
mod auth;
mod bdat;
mod burl;
mod data;
mod ehlo;
mod help;
pub(super) mod mail;
mod quit;
mod rcpt;
mod rset;
mod starttls;
mod vrfy;

use super::session::{Done, Session};
use super::wire::command::Command;
use super::wire::reply::Reply;

/// The name of a command, for the log; arguments may be secrets.
pub(super) fn name(command: &Command) -> &'static str {
    match command {
        Command::Ehlo(_) => "EHLO",
        Command::Helo(_) => "HELO",
        Command::Mail(..) => "MAIL",
        Command::Rcpt(..) => "RCPT",
        Command::Data => "DATA",
        Command::Bdat { .. } => "BDAT",
        Command::Burl { .. } => "BURL",
        Command::Rset => "RSET",
        Command::Noop => "NOOP",
        Command::Vrfy(_) => "VRFY",
        Command::Expn(_) => "EXPN",
        Command::Help => "HELP",
        Command::Quit => "QUIT",
        Command::StartTls => "STARTTLS",
        Command::Auth { .. } => "AUTH",
    }
}

/// Whether the command is allowed now; the reply if not.
fn check(session: &Session, command: &Command) -> Result<(), Reply> {
    match command {
        Command::Mail(..) => mail::check(session),
        Command::Rcpt(..) => rcpt::check(session),
        Command::Data => data::check(session),
        Command::Burl { .. } => burl::check(session),
        Command::StartTls => starttls::check(session),
        Command::Auth { .. } => auth::check(session),
        // BDAT checks behind its octets, which come either way.
        Command::Bdat { .. }
        | Command::Ehlo(_)
        | Command::Helo(_)
        | Command::Rset
        | Command::Noop
        | Command::Vrfy(_)
        | Command::Expn(_)
        | Command::Help
        | Command::Quit => Ok(()),
    }
}

/// Runs a command.
pub(super) async fn run(session: &mut Session, command: Command) -> Done {
    if let Err(reply) = check(session, &command) {
        return Ok(session.fail(reply));
    }
    match command {
        Command::Ehlo(name) => Ok(ehlo::run(session, name)),
        Command::Helo(name) => Ok(ehlo::helo(session, name)),
        Command::Mail(sender, params) => Ok(mail::run(session, sender, params)),
        Command::Rcpt(to, params) => Ok(Box::pin(rcpt::run(session, &to, params)).await),
        // Boxed: their states are large, and an idle session should not hold room for them.
        Command::Data => Box::pin(data::run(session)).await,
        Command::Bdat { size, last } => Box::pin(bdat::run(session, size, last)).await,
        Command::Burl { url, last } => Box::pin(burl::run(session, &url, last)).await,
        Command::Rset => Ok(rset::run(session)),
        Command::Noop => Ok(rset::noop(session)),
        Command::Vrfy(_) => Ok(vrfy::run(session)),
        Command::Expn(_) => Ok(vrfy::expn(session)),
        Command::Help => Ok(help::run(session)),
        Command::Quit => Ok(quit::run(session)),
        Command::StartTls => Box::pin(starttls::run(session)).await,
        Command::Auth { mechanism, initial } => {
            Box::pin(auth::run(session, &mechanism, initial.as_deref())).await
        }
    }
}
