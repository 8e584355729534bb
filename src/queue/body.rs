//! The octets of a queued message as they leave: without Return-Path and Bcc, in pieces.
use std::sync::Arc;

use crate::limits;
use crate::mail::{self, EmailId, Mail, Message};
use crate::smtp::wire::header::Filter;

/// A message being read.
pub(super) struct Body {
    mail: Arc<Mail>,
    message: Message,
    offset: u32,
    filter: Filter,
    raw: Vec<u8>,
}

/// What a message asks of the server that takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// Octets.
    pub size: u64,
    /// There are octets above 127.
    pub eight_bit: bool,
    /// There are octets above 127 in the header (RFC 6532).
    pub utf8: bool,
}

impl Body {
    /// None when there is no such email.
    pub fn open(mail: &Arc<Mail>, email: EmailId) -> mail::Result<Option<Body>> {
        let Some(message) = mail.reader()?.message(email)? else {
            return Ok(None);
        };
        let filter = Filter::mending(Vec::new());
        Ok(Some(Body {
            mail: mail.clone(),
            message,
            offset: 0,
            filter,
            raw: Vec::new(),
        }))
    }

    /// The stored message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Appends the next piece to `out`; false when there are no more.
    pub fn next(&mut self, out: &mut Vec<u8>) -> mail::Result<bool> {
        let reader = self.mail.reader()?;
        self.raw.clear();
        while self.raw.len() < limits::QUEUE_PIECE {
            // The difference is at most QUEUE_PIECE and fits.
            let want = (limits::QUEUE_PIECE - self.raw.len()) as u32;
            match reader.read(&self.message, self.offset, want, &mut self.raw)? {
                0 => break,
                got => self.offset += got,
            }
        }
        if self.raw.is_empty() {
            self.filter.finish(out);
            return Ok(false);
        }
        self.filter.pass(&self.raw, out);
        Ok(true)
    }

    /// Reads it all once, and goes back to the start.
    pub async fn survey(&mut self) -> mail::Result<Survey> {
        let mut survey = Survey::default();
        let mut piece = Vec::new();
        let mut more = true;
        while more {
            piece.clear();
            more = self.next(&mut piece)?;
            survey.size += piece.len() as u64;
            survey.eight_bit |= !piece.is_ascii();
            smol::future::yield_now().await;
        }
        survey.utf8 = self.filter.is_international();
        self.offset = 0;
        self.filter = Filter::mending(Vec::new());
        Ok(survey)
    }
}
