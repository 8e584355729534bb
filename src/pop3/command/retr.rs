//! RETR and TOP (RFC 1939 §5, §7): a message, or its beginning, block by block.
use super::{refuse, trouble};
use crate::limits;
use crate::mail::{self, Message, Uid};
use crate::net::Error;
use crate::pop3::maildrop::Refusal;
use crate::pop3::session::{Flow, Session, State};
use crate::pop3::wire::{Lines, Surrogate};

/// Sends a whole message.
pub(in crate::pop3) async fn retr(session: &mut Session, number: u32) -> Result<Flow, Error> {
    let (message, uid) = match find(session, number) {
        Ok(found) => found,
        Err(refusal) => return Ok(refuse(session, refusal)),
    };
    let flow = send(session, &message, Lines::all()).await?;
    if let (Flow::Go, State::Transaction(maildrop)) = (flow, &mut session.state) {
        maildrop.note_fetched(uid);
    }
    Ok(flow)
}

/// Sends the header, the empty line, and `lines` lines of the body. It does not count as a
/// download (RFC 2449 §6.7 speaks of RETR).
pub(in crate::pop3) async fn top(
    session: &mut Session,
    number: u32,
    lines: u32,
) -> Result<Flow, Error> {
    match find(session, number) {
        Ok((message, _)) => send(session, &message, Lines::top(lines)).await,
        Err(refusal) => Ok(refuse(session, refusal)),
    }
}

fn find(session: &Session, number: u32) -> Result<(Message, Uid), Refusal> {
    let State::Transaction(maildrop) = &session.state else {
        return Err(mail::Error::NoSuchEmail.into());
    };
    let reader = session.ctx.mail.reader()?;
    let row = maildrop.row(&reader, number)?;
    let message = reader.message(row.email)?.ok_or(mail::Error::NoSuchEmail)?;
    Ok((message, row.uid))
}

/// Sends what `lines` lets through. If the message goes away meanwhile, the connection ends without
/// the final dot: half a message must not pass for a whole one.
async fn send(session: &mut Session, message: &Message, mut lines: Lines) -> Result<Flow, Error> {
    let mut surrogate = (!session.utf8).then(Surrogate::default);
    let mut block = Vec::new();
    let mut plain = Vec::new();
    let mut offset = 0;
    while offset < message.size && !lines.is_over() {
        block.clear();
        let read = read(session, message, offset, &mut block);
        match read {
            Ok(0) => return Ok(cut(session, message)),
            Ok(octets) if offset == 0 => {
                session.ok(&format!("{} octets", message.size));
                offset = octets;
            }
            Ok(octets) => offset += octets,
            Err(error) if offset == 0 => return Ok(trouble(session, &error)),
            Err(error) => {
                log::warn!("[{}] pop3: {error}", session.conn.number());
                return Ok(cut(session, message));
            }
        }
        // In pieces, so that the output never grows far beyond what is sent at once.
        for piece in block.chunks(limits::WRITE_BUFFER) {
            match &mut surrogate {
                Some(surrogate) if surrogate.is_active() => {
                    plain.clear();
                    surrogate.push(piece, &mut plain);
                    lines.push(&plain, session.conn.out());
                }
                _ => lines.push(piece, session.conn.out()),
            }
            session.conn.spill().await?;
        }
    }
    if message.size == 0 {
        session.ok("0 octets");
    }
    plain.clear();
    if let Some(surrogate) = surrogate {
        surrogate.finish(&mut plain);
        lines.push(&plain, session.conn.out());
    }
    lines.finish(session.conn.out());
    session.conn.spill().await?;
    Ok(Flow::Go)
}

fn read(
    session: &Session,
    message: &Message,
    offset: u32,
    block: &mut Vec<u8>,
) -> mail::Result<u32> {
    let most = u32::try_from(limits::BLOCK).unwrap_or(u32::MAX);
    session
        .ctx
        .mail
        .reader()?
        .read(message, offset, most, block)
}

fn cut(session: &Session, message: &Message) -> Flow {
    let number = session.conn.number();
    log::warn!(
        "[{number}] pop3: message {:?} went away while it was sent",
        message.id
    );
    Flow::Close
}
