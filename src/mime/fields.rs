//! What the scanner keeps of header fields: of every part its Content-* fields (RFC 2045 §3, RFC
//! 2183, RFC 3282, RFC 2557), of a message its envelope, of the outermost one its small facts.
//!
//! Of a field that occurs twice the last one counts, as for JMAP (RFC 8621 §4.1.3).
use super::structure::{
    Address, Ancestry, Disposition, Encoding, Envelope, Facts, Flags, Param, Part,
};
use super::{address, date, header, msgid, params, subject};
use crate::limits::{MIME_ADDRESSES, MIME_LANGUAGES, MIME_PARAMS, MIME_REFERENCES, MIME_TEXT};

/// The fields that mean something to the scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    ContentType,
    ContentTransferEncoding,
    ContentDisposition,
    ContentId,
    ContentDescription,
    ContentLanguage,
    ContentLocation,
    ContentMd5,
    Date,
    Subject,
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
    InReplyTo,
    MessageId,
    References,
    Received,
    /// Other fields that servers put on top of a message.
    Trace,
}

impl Name {
    pub(super) fn of(name: &[u8]) -> Option<Name> {
        const NAMES: [(&str, Name); 25] = [
            ("content-type", Name::ContentType),
            ("content-transfer-encoding", Name::ContentTransferEncoding),
            ("content-disposition", Name::ContentDisposition),
            ("content-id", Name::ContentId),
            ("content-description", Name::ContentDescription),
            ("content-language", Name::ContentLanguage),
            ("content-location", Name::ContentLocation),
            ("content-md5", Name::ContentMd5),
            ("date", Name::Date),
            ("subject", Name::Subject),
            ("from", Name::From),
            ("sender", Name::Sender),
            ("reply-to", Name::ReplyTo),
            ("to", Name::To),
            ("cc", Name::Cc),
            ("bcc", Name::Bcc),
            ("in-reply-to", Name::InReplyTo),
            ("message-id", Name::MessageId),
            ("references", Name::References),
            ("received", Name::Received),
            ("return-path", Name::Trace),
            ("delivered-to", Name::Trace),
            ("x-original-to", Name::Trace),
            ("received-spf", Name::Trace),
            ("authentication-results", Name::Trace),
        ];
        let found = NAMES
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        found.map(|(_, name)| *name)
    }

    /// True for what servers add: it may stand on top of a text without any header.
    pub(super) fn is_trace(self) -> bool {
        matches!(self, Name::Received | Name::Trace)
    }
}

/// Collects what is kept, within one budget of text for the whole message.
#[derive(Debug, Default)]
pub(super) struct Collector {
    /// The outermost message's.
    pub(super) envelope: Envelope,
    pub(super) facts: Facts,
    references: Vec<u64>,
    in_reply_to: Vec<u64>,
    ancestry: Ancestry,
    spent: usize,
}

impl Collector {
    /// A field of any part.
    pub(super) fn content(&mut self, part: &mut Part, name: Name, value: &[u8]) {
        match name {
            Name::ContentType => self.content_type(part, value),
            Name::ContentTransferEncoding => {
                let value = params::parse(value, 0).value;
                part.encoding = Encoding::from_name(&value);
                part.encoding_raw = self.keep(&value);
            }
            Name::ContentDisposition => {
                let parsed = params::parse(value, MIME_PARAMS);
                self.truncated_if(parsed.truncated);
                let kind = self.keep(&parsed.value.to_ascii_lowercase());
                let params = self.params(parsed.params);
                part.disposition = kind.map(|kind| Disposition { kind, params });
            }
            Name::ContentId => part.id = self.keep(value.trim_ascii()),
            Name::ContentDescription => part.description = self.keep(value.trim_ascii()),
            Name::ContentMd5 => part.md5 = self.keep(value.trim_ascii()),
            Name::ContentLocation => {
                let value: Vec<u8> = value
                    .iter()
                    .copied()
                    .filter(|it| !it.is_ascii_whitespace())
                    .collect();
                part.location = self.keep(&value);
            }
            Name::ContentLanguage => {
                let tags = params::parse(value, 0).value;
                let tags = tags.split(|it| *it == b',').filter(|it| !it.is_empty());
                part.language = tags
                    .take(MIME_LANGUAGES)
                    .filter_map(|it| self.keep(it))
                    .collect();
            }
            _ => {}
        }
    }

    /// RFC 2045 §5.2: what cannot be read is text/plain.
    fn content_type(&mut self, part: &mut Part, value: &[u8]) {
        let parsed = params::parse(value, MIME_PARAMS);
        self.truncated_if(parsed.truncated);
        let mut halves = parsed.value.splitn(2, |it| *it == b'/');
        let halves = (
            halves.next().unwrap_or_default(),
            halves.next().unwrap_or_default(),
        );
        let (main, sub) = if halves.0.is_empty() || halves.1.is_empty() {
            (&b"text"[..], &b"plain"[..])
        } else {
            halves
        };
        let kept = self
            .keep(&main.to_ascii_lowercase())
            .zip(self.keep(&sub.to_ascii_lowercase()));
        (part.main, part.sub) = kept.unwrap_or_else(|| (b"text".into(), b"plain".into()));
        part.params = self.params(parsed.params);
    }

    /// A field of a message, whose envelope is `envelope`, or the outermost one's.
    pub(super) fn message(&mut self, inner: Option<&mut Envelope>, name: Name, value: &[u8]) {
        if inner.is_none() {
            self.fact(name, value);
        }
        match name {
            Name::Date | Name::Subject | Name::InReplyTo | Name::MessageId => {
                let kept = self.keep(value.trim_ascii());
                let envelope = inner.unwrap_or(&mut self.envelope);
                match name {
                    Name::Date => envelope.date = kept,
                    Name::Subject => envelope.subject = kept,
                    Name::InReplyTo => envelope.in_reply_to = kept,
                    _ => envelope.message_id = kept,
                }
            }
            _ => self.addresses(inner, name, value),
        }
    }

    fn addresses(&mut self, inner: Option<&mut Envelope>, name: Name, value: &[u8]) {
        const WANTED: [Name; 6] = [
            Name::From,
            Name::Sender,
            Name::ReplyTo,
            Name::To,
            Name::Cc,
            Name::Bcc,
        ];
        if !WANTED.contains(&name) {
            return;
        }
        let list = self.list(value);
        let envelope = inner.unwrap_or(&mut self.envelope);
        match name {
            Name::From => envelope.from = list,
            Name::Sender => envelope.raw_sender = list,
            Name::ReplyTo => envelope.raw_reply_to = list,
            Name::To => envelope.to = list,
            Name::Cc => envelope.cc = list,
            _ => envelope.bcc = list,
        }
    }

    fn fact(&mut self, name: Name, value: &[u8]) {
        match name {
            Name::Received => self.facts.received = self.facts.received.saturating_add(1),
            Name::Date => self.facts.sent_at = date::parse(value),
            Name::MessageId => self.facts.message_id = msgid::first_hash(value),
            Name::References => {
                (self.references, self.ancestry) = references(value);
            }
            Name::InReplyTo => self.in_reply_to = references(value).0,
            Name::Subject => {
                let base = subject::base(value);
                self.facts.subject = base.hash();
                self.facts.flags.0 &= !Flags::REPLY.0;
                if base.reply {
                    self.facts.flags.set(Flags::REPLY);
                }
            }
            _ => {}
        }
    }

    /// The ids of References and In-Reply-To together.
    pub(super) fn finish(&mut self) {
        let mut all = std::mem::take(&mut self.references);
        let mut ancestry = self.ancestry;
        for id in self.in_reply_to.drain(..) {
            if all.contains(&id) {
                continue;
            }
            if all.len() >= MIME_REFERENCES {
                // The middle of References gives way, never its last id, the parent.
                if usize::from(ancestry.listed) <= MIME_REFERENCES / 2 + 1 {
                    break;
                }
                all.remove(MIME_REFERENCES / 2);
                ancestry.listed -= 1;
                ancestry.gap = true;
            }
            all.push(id);
        }
        self.facts.references = all;
        self.facts.ancestry = Some(ancestry);
    }

    fn list(&mut self, value: &[u8]) -> Vec<Address> {
        let mut list = address::parse(value, MIME_ADDRESSES);
        self.truncated_if(list.len() >= MIME_ADDRESSES);
        let mut in_group = false;
        let room = list.iter().take_while(|it| {
            in_group = match it {
                Address::Group(_) => true,
                Address::GroupEnd => false,
                Address::Mailbox { .. } => in_group,
            };
            self.spend(size(it))
        });
        let room = room.count();
        if room < list.len() {
            self.truncated_if(true);
            list.truncate(room);
            if list.iter().rev().find_map(group_mark).unwrap_or(false) {
                list.push(Address::GroupEnd);
            }
        }
        list
    }

    fn params(&mut self, params: Vec<Param>) -> Vec<Param> {
        let cost = |it: &Param| it.name.len() + it.value.len() + 6;
        let room = params.iter().take_while(|it| self.spend(cost(it))).count();
        self.truncated_if(room < params.len());
        params.into_iter().take(room).collect()
    }

    /// Keeps a string if there is room for it, or its start.
    fn keep(&mut self, value: &[u8]) -> Option<Vec<u8>> {
        let room = MIME_TEXT.saturating_sub(self.spent).checked_sub(3);
        self.truncated_if(room.is_none_or(|room| room < value.len()));
        let kept = value.get(..room?).unwrap_or(value);
        self.spend(kept.len() + 3).then(|| kept.to_vec())
    }

    fn spend(&mut self, octets: usize) -> bool {
        let fits = self.spent + octets <= MIME_TEXT;
        self.spent += if fits { octets } else { 0 };
        fits
    }

    pub(super) fn truncated_if(&mut self, truncated: bool) {
        if truncated {
            self.facts.flags.set(Flags::TRUNCATED);
        }
    }
}

fn size(address: &Address) -> usize {
    match address {
        Address::Mailbox { name, local, host } => {
            name.as_ref().map_or(0, Vec::len) + local.len() + host.len() + 10
        }
        Address::Group(name) => name.len() + 4,
        Address::GroupEnd => 1,
    }
}

fn group_mark(address: &Address) -> Option<bool> {
    match address {
        Address::Group(_) => Some(true),
        Address::GroupEnd => Some(false),
        Address::Mailbox { .. } => None,
    }
}

/// The ids of a References or In-Reply-To value as they stand. Beyond the bound the middle gives way:
/// the root of a thread and the nearest ancestors say most. A value without brackets counts as one
/// id, but not as an ancestor (RFC 5256 §3: "valid Message IDs").
fn references(value: &[u8]) -> (Vec<u64>, Ancestry) {
    let mut list = Vec::new();
    let mut ancestry = Ancestry::default();
    for id in msgid::bracketed(value) {
        if list.len() >= MIME_REFERENCES {
            list.remove(MIME_REFERENCES / 2);
            ancestry.gap = true;
        }
        list.push(msgid::hash(&msgid::normal(&id)));
    }
    ancestry.listed = u8::try_from(list.len()).unwrap_or(0);
    if list.is_empty() {
        list.extend(msgid::first_hash(&header::unfold(value)));
    }
    (list, ancestry)
}
