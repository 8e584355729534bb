//! A message as an Email object: what derives from its octets (RFC 8621 §4.1.2 to §4.1.4).
//!
//! The stored structure answers most of it; the header section is read once when a field is asked
//! for that the envelope has not, parts only for `bodyValues`.
use serde_json::{Map, Value, json};

use super::property::{PartProperty, Property, Wanted};
use super::value;
use crate::jmap::blob::{Bytes, size};
use crate::jmap::wire::header::{Form, HeaderProperty};
use crate::jmap::wire::id::BlobId;
use crate::jmap::wire::json::put;
use crate::jmap::wire::reference::weight;
use crate::limits;
use crate::mail::{Error, Mail, Result};
use crate::mime::text::Bodies;
use crate::mime::{
    Address, DateTime, Encoding, Flags, Kind, Part, Structure, charset, header, msgid,
};

/// A message and what is known of it.
pub struct View<'a> {
    /// The engine.
    pub mail: &'a Mail,
    /// Its blob.
    pub blob: BlobId,
    /// Its octets.
    pub bytes: Bytes,
    /// What the scanner found.
    pub structure: Structure,
    /// Octets that descriptions of parts may still take: there may be hundreds of parts, with
    /// long headers, before the answer as a whole is paid for.
    room: usize,
    header: Option<Vec<u8>>,
    bodies: Option<Bodies>,
}

impl<'a> View<'a> {
    /// A message that has been scanned.
    pub fn new(mail: &'a Mail, blob: BlobId, bytes: Bytes, structure: Structure) -> View<'a> {
        View {
            mail,
            blob,
            bytes,
            structure,
            room: limits::JMAP_RESPONSE,
            header: None,
            bodies: None,
        }
    }

    /// The value of a property that is in the message; `None` for one that is not.
    pub fn value(&mut self, property: &Property, wanted: &Wanted) -> Result<Option<Value>> {
        Ok(Some(match property {
            Property::Headers => value::headers(self.header()?),
            Property::Header(field) => value::header(self.header()?, field),
            Property::Convenience(field) => self.convenience(field)?,
            Property::HasAttachment => self.structure.has_attachment().into(),
            Property::Preview => preview(&self.structure.preview).into(),
            Property::BodyStructure => self.part(0, wanted, true)?,
            Property::TextBody => self.parts(|bodies| &bodies.text, wanted)?,
            Property::HtmlBody => self.parts(|bodies| &bodies.html, wanted)?,
            Property::Attachments => self.parts(|bodies| &bodies.attachments, wanted)?,
            Property::BodyValues => self.body_values(wanted)?,
            Property::Id
            | Property::BlobId
            | Property::ThreadId
            | Property::MailboxIds
            | Property::Keywords
            | Property::Size
            | Property::ReceivedAt => return Ok(None),
        }))
    }

    /// The header section of the message.
    fn header(&mut self) -> Result<&[u8]> {
        if self.header.is_none() {
            let span = self
                .structure
                .parts
                .first()
                .map(|part| part.header)
                .unwrap_or_default();
            let bytes = self.bytes.run(span.offset, span.len);
            self.header = Some(bytes.all(self.mail, limits::JMAP_HEADER)?);
        }
        Ok(self.header.as_deref().unwrap_or_default())
    }

    /// A convenience property: from the envelope where that is whole and has the field.
    fn convenience(&mut self, field: &HeaderProperty) -> Result<Value> {
        let envelope = &self.structure.envelope;
        let list = |list: &[Address]| match list.is_empty() {
            true => Value::Null,
            false => value::addresses(list),
        };
        if self.structure.facts.flags.has(Flags::TRUNCATED) {
            return Ok(value::header(self.header()?, field));
        }
        let ids = |raw: &Option<Vec<u8>>| raw.as_deref().and_then(msgid::list).into();
        Ok(match (field.name.as_str(), field.form) {
            ("From", _) => list(&envelope.from),
            ("Sender", _) => list(&envelope.raw_sender),
            ("Reply-To", _) => list(&envelope.raw_reply_to),
            ("To", _) => list(&envelope.to),
            ("Cc", _) => list(&envelope.cc),
            ("Bcc", _) => list(&envelope.bcc),
            ("Subject", _) => envelope.subject.as_deref().map(header::text).into(),
            ("Message-ID", _) => ids(&envelope.message_id),
            ("In-Reply-To", _) => ids(&envelope.in_reply_to),
            ("Date", Form::Date) => self.structure.facts.sent_at.map(DateTime::rfc3339).into(),
            _ => value::header(self.header()?, field),
        })
    }

    fn bodies(&mut self) -> &Bodies {
        let structure = &self.structure;
        self.bodies.get_or_insert_with(|| structure.bodies())
    }

    fn parts(&mut self, which: fn(&Bodies) -> &Vec<usize>, wanted: &Wanted) -> Result<Value> {
        let indexes = which(self.bodies()).clone();
        indexes
            .into_iter()
            .map(|index| self.part(index, wanted, false))
            .collect()
    }

    /// An EmailBodyPart; with `deep` its `subParts` too, and those whether asked for or not.
    fn part(&mut self, index: usize, wanted: &Wanted, deep: bool) -> Result<Value> {
        let Some(part) = self.structure.parts.get(index).cloned() else {
            return Ok(Value::Null);
        };
        let multipart = part.kind == Kind::Multipart;
        let mut map = Map::new();
        let mut block = None;
        for property in &wanted.part {
            let (name, value) = match property {
                PartProperty::Plain("subParts") => continue,
                PartProperty::Plain(name) => (*name, self.plain(name, index, &part)?),
                PartProperty::Headers => {
                    ("headers", value::headers(self.block(&mut block, &part)?))
                }
                PartProperty::Header(name, field) => (
                    name.as_str(),
                    value::header(self.block(&mut block, &part)?, field),
                ),
            };
            let left = self.room.checked_sub(name.len() + weight(&value));
            self.room = left.ok_or(Error::TooLarge(limits::JMAP_RESPONSE as u64))?;
            put(&mut map, name, value);
        }
        if multipart && deep {
            let children: Vec<usize> = self.structure.children(index).collect();
            let children: Result<Vec<Value>> = children
                .into_iter()
                .map(|child| self.part(child, wanted, true))
                .collect();
            put(&mut map, "subParts", children?);
        }
        Ok(Value::Object(map))
    }

    /// The header block of a part, read when it is first needed.
    fn block<'b>(&self, block: &'b mut Option<Vec<u8>>, part: &Part) -> Result<&'b [u8]> {
        if block.is_none() {
            let bytes = self.bytes.run(part.header.offset, part.header.len);
            *block = Some(bytes.all(self.mail, limits::JMAP_HEADER)?);
        }
        Ok(block.as_deref().unwrap_or_default())
    }

    fn plain(&self, name: &str, index: usize, part: &Part) -> Result<Value> {
        let multipart = part.kind == Kind::Multipart;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Ok(match name {
            "partId" if !multipart => part_id(index).into(),
            "blobId" if !multipart => self.blob.part(index).map(|id| id.to_string()).into(),
            "size" => size(part).into(),
            "name" => part.filename().into(),
            "type" => {
                let (main, sub) = part.media();
                format!("{}/{}", text(main), text(sub)).into()
            }
            "charset" => charset_of(part).into(),
            "disposition" => part.disposition.as_ref().map(|it| text(&it.kind)).into(),
            "cid" => part.id.as_deref().map(|id| cid(&text(id))).into(),
            "language" if !part.language.is_empty() => part
                .language
                .iter()
                .map(|tag| text(tag))
                .collect::<Vec<_>>()
                .into(),
            "location" => part.location.as_deref().map(text).into(),
            _ => Value::Null,
        })
    }

    fn body_values(&mut self, wanted: &Wanted) -> Result<Value> {
        let mut indexes: Vec<usize> = Vec::new();
        if wanted.all_values {
            indexes.extend(leaves(&self.structure));
        } else {
            if wanted.text_values {
                indexes.extend(&self.bodies().text);
            }
            if wanted.html_values {
                indexes.extend(&self.bodies().html);
            }
        }
        let mut map = Map::new();
        let mut left = limits::JMAP_BODY_VALUES;
        for index in indexes {
            let Some(part) = self.structure.parts.get(index) else {
                continue;
            };
            if part.media().0 == b"text" && !map.contains_key(&part_id(index)) {
                let value = self.body_value(part, wanted.max_value, left)?;
                let text = value.get("value").and_then(Value::as_str);
                left = left.saturating_sub(text.map_or(0, str::len));
                map.insert(part_id(index), value);
            }
        }
        Ok(Value::Object(map))
    }

    /// An EmailBodyValue: decoded, CRLF to LF, cut between characters and not inside a tag.
    fn body_value(&self, part: &Part, max: usize, left: usize) -> Result<Value> {
        let max = if max == 0 { usize::MAX } else { max };
        let max = max.min(limits::JMAP_BODY_VALUE).min(left);
        let mut decoder = charset::Decoder::new(&part.charset().unwrap_or_default());
        let mut bytes = self.bytes.part(part);
        let (mut text, mut piece) = (String::new(), Vec::new());
        let mut whole = true;
        while bytes.next(self.mail, &mut piece)? {
            decoder.push(&piece, &mut text);
            piece.clear();
            text = text.replace("\r\n", "\n");
            if text.len() > max.saturating_add(1) {
                whole = false;
                break;
            }
        }
        let mut problem = decoder.finish(&mut text) && whole;
        text = text.replace("\r\n", "\n");
        problem |= part.encoding == Encoding::Unknown;
        let truncated = text.len() > max;
        if truncated {
            truncate(&mut text, max, part.is("text", "html"));
        }
        Ok(json!({ "value": text, "isEncodingProblem": problem, "isTruncated": truncated }))
    }
}

/// The name of a part within its message.
pub fn part_id(index: usize) -> String {
    (index + 1).to_string()
}

/// Every part of the message itself that has no parts: none inside an attached message.
fn leaves(structure: &Structure) -> Vec<usize> {
    let mut out = Vec::new();
    let mut inside: Option<u8> = None;
    for (index, part) in structure.parts.iter().enumerate() {
        if inside.is_some_and(|depth| part.depth > depth) {
            continue;
        }
        inside = (part.kind == Kind::Message).then_some(part.depth);
        if part.kind == Kind::Leaf {
            out.push(index);
        }
    }
    out
}

/// RFC 8621 §4.1.4: the parameter, `us-ascii` for text without one, else null.
fn charset_of(part: &Part) -> Option<String> {
    part.param("charset")
        .or_else(|| (part.media().0 == b"text").then(|| "us-ascii".into()))
}

fn cid(id: &str) -> String {
    let id = id.trim();
    let id = id.strip_prefix('<').unwrap_or(id);
    id.strip_suffix('>').unwrap_or(id).trim().to_owned()
}

/// RFC 8621 §4.1.4: 256 characters at most.
fn preview(text: &str) -> String {
    text.chars().take(256).collect()
}

/// Cuts at `max` octets or before, between characters, and before a tag that would be cut.
fn truncate(text: &mut String, max: usize, html: bool) {
    let mut end = max.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    if html && let Some(open) = text.rfind('<') {
        let tag = text.get(open..).unwrap_or_default();
        // A tag this long is no tag.
        if !tag.contains('>') && tag.len() < 4096 {
            text.truncate(open);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut() {
        let cut = |text: &str, max, html| {
            let mut text = text.to_owned();
            truncate(&mut text, max, html);
            text
        };
        assert_eq!(cut("äöü", 3, false), "ä");
        assert_eq!(cut("a<b href=x>c", 5, true), "a");
        assert_eq!(cut("a<b>c", 5, true), "a<b>c");
        assert_eq!(cut("a<b>cd", 5, true), "a<b>c");
        assert_eq!(cut("abc", 0, false), "");
        assert_eq!(cid(" <a@b> "), "a@b");
    }
}
