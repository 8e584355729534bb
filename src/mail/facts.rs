//! What sorting and threading need of a message: read from what was stored when it arrived, never
//! from its body. Where that was cut (`limits::MIME_TEXT`), the header block has the rest.

use super::{Message, Reader, Result, Row};
use crate::limits;
use crate::mime::{self, Address, Envelope, Facts, address, casemap, header, subject, words};

/// A message's facts, each read when it is first asked for.
pub(super) struct Known<'a> {
    reader: &'a Reader,
    row: &'a Row,
    message: Option<Message>,
    envelope: Option<Envelope>,
}

impl<'a> Known<'a> {
    /// Of the message behind a row.
    pub fn new(reader: &'a Reader, row: &'a Row) -> Result<Known<'a>> {
        Ok(Known {
            reader,
            row,
            message: reader.message(row.email)?,
            envelope: None,
        })
    }

    /// The small facts.
    pub fn facts(&self) -> Facts {
        let facts = self.view().and_then(|view| view.facts());
        facts.unwrap_or_default()
    }

    fn view(&self) -> Option<mime::View<'_>> {
        self.message.as_ref().and_then(Message::view)
    }

    /// Something was too long to be stored.
    fn is_cut(&self) -> bool {
        let flags = self.view().and_then(|view| view.flags());
        flags.is_some_and(|flags| flags.has(mime::Flags::TRUNCATED))
    }

    /// Seconds since 1970 of the Date field, or else INTERNALDATE (RFC 5256 §2.2).
    pub fn sent(&self, facts: &Facts) -> i64 {
        facts
            .sent_at
            .map_or(i64::from(self.row.internaldate), |at| at.secs)
    }

    /// The base subject, folded for comparing (RFC 5256 §2.1, RFC 5255 §4.2); whether a mark of a
    /// reply or forward was taken off.
    pub fn subject(&mut self) -> Result<(String, bool)> {
        let value = match self.envelope.is_none() && !self.is_cut() {
            true => self.view().and_then(|view| view.subject()),
            false => self.envelope()?.subject.clone(),
        };
        let base = subject::base(value.as_deref().unwrap_or_default());
        Ok((casemap::fold(&base.text), base.reply))
    }

    /// `addr-mailbox` of the first address (RFC 5256 §3), folded.
    pub fn mailbox(&mut self, list: List) -> Result<String> {
        Ok(match self.first(list)? {
            Some(Address::Mailbox { local, .. } | Address::Group(local)) => text(&local),
            _ => String::new(),
        })
    }

    /// The DISPLAY sort value of the first address (RFC 5957 §3), folded.
    pub fn display(&mut self, list: List) -> Result<String> {
        Ok(match self.first(list)? {
            Some(Address::Mailbox { name, local, host }) => {
                let name = name.map(|name| words::decode_anywhere(&name));
                match name.filter(|name| !name.is_empty()) {
                    Some(name) => casemap::fold(&name),
                    None if host.is_empty() => text(&local),
                    None => text(&[&local, &b"@"[..], &host].concat()),
                }
            }
            Some(Address::Group(name)) => text(&name),
            _ => String::new(),
        })
    }

    fn first(&mut self, list: List) -> Result<Option<Address>> {
        let envelope = self.envelope()?;
        let found = match list {
            List::From => &envelope.from,
            List::To => &envelope.to,
            List::Cc => &envelope.cc,
        };
        Ok(found.first().cloned())
    }

    /// The envelope, whole as far as sorting goes.
    pub fn envelope(&mut self) -> Result<&Envelope> {
        if self.envelope.is_none() {
            let found = self.view().and_then(|view| view.envelope());
            let mut found = found.unwrap_or_default();
            let cut = self.is_cut();
            if let Some(message) = self.message.as_ref().filter(|_| cut) {
                complete(self.reader, message, &mut found)?;
            }
            self.envelope = Some(found);
        }
        Ok(self.envelope.get_or_insert_default())
    }
}

/// An address list of the envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    From,
    To,
    Cc,
}

/// Reads from the header block what an envelope has no room for.
fn complete(reader: &Reader, message: &Message, envelope: &mut Envelope) -> Result<()> {
    let mut block = Vec::new();
    let len = message.header_len.min(limits::SEARCH_HEADER);
    while (block.len() as u64) < u64::from(len) {
        let at = block.len() as u32;
        if reader.read(message, at, len - at, &mut block)? == 0 {
            break;
        }
    }
    let value = |name: &str| header::last(&block, name).map(|field| header::unfold(field.value));
    envelope.subject = value("subject").map(std::borrow::Cow::into_owned);
    for (list, name) in [
        (&mut envelope.from, "from"),
        (&mut envelope.to, "to"),
        (&mut envelope.cc, "cc"),
    ] {
        if list.is_empty() {
            *list = value(name).map_or_else(Vec::new, |value| address::parse(&value, 1));
        }
    }
    Ok(())
}

fn text(octets: &[u8]) -> String {
    casemap::fold(&String::from_utf8_lossy(octets))
}
