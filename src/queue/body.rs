//! The octets of a queued message as they leave: without Return-Path and Bcc, in pieces.
use std::sync::Arc;

use crate::limits;
use crate::mail::{self, EmailId, Mail, Message};
use crate::smtp::wire::data::Encoder;
use crate::smtp::wire::header::Filter;
use crate::verify::sign::BODY;
use crate::verify::{Scan, Scanned};

/// A message being read.
pub(super) struct Body {
    mail: Arc<Mail>,
    message: Message,
    offset: u32,
    filter: Filter,
    raw: Vec<u8>,
    /// Goes out first.
    before: Vec<u8>,
}

/// What a message asks of the server that takes it.
#[derive(Default)]
pub(super) struct Survey {
    /// Octets as they leave.
    pub size: u64,
    /// There are octets above 127.
    pub eight_bit: bool,
    /// There are octets above 127 in the header (RFC 6532).
    pub utf8: bool,
    /// What DKIM signs, if it is wanted.
    pub scanned: Option<Scanned>,
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
            before: Vec::new(),
        }))
    }

    /// The stored message.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Appends the next piece to `out`; false when there are no more.
    pub fn next(&mut self, out: &mut Vec<u8>) -> mail::Result<bool> {
        out.append(&mut self.before);
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

    /// These octets go out before the message.
    pub fn put_before(&mut self, octets: Vec<u8>) {
        self.before = octets;
    }

    /// Reads it all once, with the line ends that it leaves with, and goes back to the start. `sign`: DKIM
    /// reads along.
    pub async fn survey(&mut self, sign: bool, binary: bool) -> mail::Result<Survey> {
        let mut survey = Survey::default();
        let mut scan = sign.then(|| Scan::hashing(&[BODY]));
        let mut lines = Encoder::lines();
        let mut mended = Vec::new();
        let mut piece = Vec::new();
        let mut more = true;
        while more {
            piece.clear();
            more = self.next(&mut piece)?;
            survey.eight_bit |= !piece.is_ascii();
            mended.clear();
            if binary {
                mended.extend_from_slice(&piece);
            } else {
                lines.encode(&piece, &mut mended);
                if !more {
                    lines.finish(&mut mended);
                }
            }
            survey.size += mended.len() as u64;
            if let Some(scan) = &mut scan {
                scan.push(&mended);
            }
            smol::future::yield_now().await;
        }
        survey.scanned = scan.map(Scan::finish);
        survey.utf8 = self.filter.is_international();
        self.offset = 0;
        self.filter = Filter::mending(Vec::new());
        Ok(survey)
    }
}
