//! The body parts of a message to be made (RFC 8621 §4.6).
use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};

use super::{Field, fields, write};
use crate::jmap::blob::{Bytes, open};
use crate::jmap::context::Context;
use crate::jmap::wire::error::SetError;
use crate::jmap::wire::id::BlobId;
use crate::mime::Flags;
use crate::mime::build::Part;

/// Parts of one message.
const PARTS: usize = 500;
/// Levels of parts.
const DEPTH: usize = 16;

/// What a part may be, by where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In `bodyStructure`.
    Structure,
    /// The one in `textBody`.
    Text,
    /// The one in `htmlBody`.
    Html,
    /// In `attachments`.
    Attachment,
}

/// Makes parts out of EmailBodyParts.
struct Maker<'a> {
    context: &'a Context,
    values: Map<String, Value>,
    missing: Vec<Value>,
    count: usize,
}

/// The root part that the body properties of an Email describe. `top` are the fields of the Email.
pub async fn root(
    context: &Context,
    mut body: Map<String, Value>,
    top: &[Field],
) -> Result<Part<Bytes>, SetError> {
    let values = match body.remove("bodyValues") {
        None => Map::new(),
        Some(Value::Object(values)) => values,
        Some(_) => return Err(SetError::property("bodyValues", "bodyValues is an object")),
    };
    let mut maker = Maker {
        context,
        values,
        missing: Vec::new(),
        count: 0,
    };
    let root = match body.remove("bodyStructure") {
        Some(structure) => {
            if let Some(name) = body.keys().next() {
                return Err(SetError::property(name, "bodyStructure excludes it"));
            }
            clash(&structure, top)?;
            maker
                .part(structure, "bodyStructure/".into(), Place::Structure, 0)
                .await?
        }
        None => maker.flat(body).await?,
    };
    if !maker.missing.is_empty() {
        return Err(SetError::new("blobNotFound").with("notFound", maker.missing));
    }
    Ok(root)
}

/// RFC 8621 §4.6: a field of the Email must not be in the root part again.
fn clash(structure: &Value, top: &[Field]) -> Result<(), SetError> {
    let names = structure.as_object().into_iter().flat_map(Map::keys);
    for name in names {
        let field = name
            .strip_prefix("header:")
            .and_then(|rest| rest.split(':').next());
        let twice = field.is_some_and(|field| {
            top.iter()
                .any(|known| known.of.name.eq_ignore_ascii_case(field))
        });
        if twice {
            let why = "this header field is set on the Email already";
            return Err(SetError::property(&format!("bodyStructure/{name}"), why));
        }
    }
    Ok(())
}

type Made<'b> = Pin<Box<dyn Future<Output = Result<Part<Bytes>, SetError>> + 'b>>;

impl Maker<'_> {
    /// `textBody`, `htmlBody` and `attachments` put together.
    async fn flat(&mut self, mut body: Map<String, Value>) -> Result<Part<Bytes>, SetError> {
        let text = self
            .only(body.remove("textBody"), "textBody", Place::Text)
            .await?;
        let html = self
            .only(body.remove("htmlBody"), "htmlBody", Place::Html)
            .await?;
        let attachments = match body.remove("attachments") {
            None => Vec::new(),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(SetError::property("attachments", "attachments is an array")),
        };
        let (mut related, mut mixed) = (Vec::new(), Vec::new());
        for (index, value) in attachments.into_iter().enumerate() {
            // Images that the HTML shows stand beside it (RFC 2387).
            let shown = html.is_some()
                && value.get("cid").is_some_and(Value::is_string)
                && value.get("disposition").and_then(Value::as_str) == Some("inline");
            let path = format!("attachments/{index}/");
            let part = self.part(value, path, Place::Attachment, 0).await?;
            if shown {
                related.push(part)
            } else {
                mixed.push(part)
            }
        }
        let html = html.map(|html| match related.is_empty() {
            true => html,
            false => {
                related.insert(0, html);
                Part::multipart("related", &[("type", "text/html")], related)
            }
        });
        let body = match (text, html) {
            (Some(text), Some(html)) => Part::multipart("alternative", &[], vec![text, html]),
            (Some(part), None) | (None, Some(part)) => part,
            (None, None) if mixed.len() == 1 => return Ok(mixed.remove(0)),
            (None, None) => Part::text("plain", ""),
        };
        if mixed.is_empty() {
            return Ok(body);
        }
        mixed.insert(0, body);
        Ok(Part::multipart("mixed", &[], mixed))
    }

    /// The one part of `textBody` or `htmlBody`.
    async fn only(
        &mut self,
        value: Option<Value>,
        name: &str,
        place: Place,
    ) -> Result<Option<Part<Bytes>>, SetError> {
        let mut list = match value {
            None => return Ok(None),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(SetError::property(name, &format!("{name} is an array"))),
        };
        match (list.pop(), list.is_empty()) {
            (Some(value), true) => Ok(Some(
                self.part(value, format!("{name}/0/"), place, 0).await?,
            )),
            _ => Err(SetError::property(
                name,
                &format!("{name} has exactly one part"),
            )),
        }
    }

    /// One part with all below it.
    fn part(&mut self, value: Value, path: String, place: Place, depth: usize) -> Made<'_> {
        Box::pin(async move {
            self.count += 1;
            if depth > DEPTH || self.count > PARTS {
                return Err(SetError::new("tooLarge").because("too many body parts"));
            }
            let mut given = Given::take(value, path, place)?;
            let part = self.content(&mut given, depth).await?;
            given.dress(part)
        })
    }

    /// A part with its content, its type and its name.
    async fn content(&mut self, given: &mut Given, depth: usize) -> Result<Part<Bytes>, SetError> {
        let media = given.media.clone();
        let (main, sub) = media.split_once('/').unwrap_or_default();
        let name = given.name.clone();
        let params: Vec<(&str, &str)> = name.iter().map(|n| ("name", n.as_str())).collect();
        let sub_parts = given.sub_parts.take();
        match (
            main == "multipart",
            given.part_id.take(),
            given.blob_id.take(),
        ) {
            (true, None, None) => self.multipart(sub, sub_parts, &given.path, depth).await,
            (true, ..) => Err(given.wrong("type", "a multipart has neither partId nor blobId")),
            (false, ..) if sub_parts.is_some() => {
                Err(given.wrong("subParts", "only a multipart has parts"))
            }
            (false, Some(id), None) => {
                if given.charset.is_some() || given.sized {
                    let name = if given.sized { "size" } else { "charset" };
                    return Err(given.wrong(name, "must be omitted with a partId"));
                }
                if main != "text" {
                    return Err(given.wrong("type", "a part with a partId is text"));
                }
                let text = self.value(&id).map_err(|why| given.wrong("partId", why))?;
                Ok(Part::text_with(sub, &params, text))
            }
            (false, None, Some(id)) => {
                self.blob(&id, &media, given.charset.as_deref(), &params)
                    .await
            }
            (false, Some(_), Some(_)) => {
                Err(given.wrong("blobId", "give partId or blobId, not both"))
            }
            (false, None, None) => Err(given.wrong("partId", "a part has a partId or a blobId")),
        }
    }

    async fn multipart(
        &mut self,
        sub: &str,
        parts: Option<Value>,
        path: &str,
        depth: usize,
    ) -> Result<Part<Bytes>, SetError> {
        let list = match parts {
            Some(Value::Array(list)) if !list.is_empty() => list,
            _ => {
                return Err(SetError::property(
                    &format!("{path}subParts"),
                    "a multipart has an array of parts",
                ));
            }
        };
        let mut made = Vec::new();
        for (index, value) in list.into_iter().enumerate() {
            let path = format!("{path}subParts/{index}/");
            made.push(self.part(value, path, Place::Structure, depth + 1).await?);
        }
        Ok(Part::multipart(sub, &[], made))
    }

    /// The text of an EmailBodyValue.
    fn value(&self, id: &str) -> Result<&str, &'static str> {
        let value = self.values.get(id).ok_or("is not among bodyValues")?;
        let fine = |name| {
            matches!(
                value.get(name),
                None | Some(Value::Null | Value::Bool(false))
            )
        };
        if !fine("isEncodingProblem") || !fine("isTruncated") {
            return Err("its bodyValue has a problem or is truncated");
        }
        value
            .get("value")
            .and_then(Value::as_str)
            .ok_or("its bodyValue has no value")
    }

    async fn blob(
        &mut self,
        text: &str,
        media: &str,
        charset: Option<&str>,
        params: &[(&str, &str)],
    ) -> Result<Part<Bytes>, SetError> {
        let text = self.context.resolve(text);
        let Some(blob) = open(&self.context.mail, text).await? else {
            self.missing.push(text.into());
            return Ok(Part::text("plain", ""));
        };
        let mut params = params.to_vec();
        params.extend(charset.map(|charset| ("charset", charset)));
        // RFC 2046 §5.2.1: a message may not be encoded.
        if media == "message/rfc822" || media == "message/global" {
            let encoding = self.encoding(&blob.id)?;
            return Ok(Part::raw(media, &params, encoding, blob.bytes));
        }
        Ok(Part::base64(media, &params, blob.bytes))
    }

    /// The encoding that a message fits as it is.
    fn encoding(&self, id: &BlobId) -> Result<&'static str, SetError> {
        if !id.parts.is_empty() {
            return Ok("8bit");
        }
        let reader = self.context.mail.reader()?;
        let message = reader.message(id.root)?;
        let flags = message
            .map(|m| m.structure().facts.flags)
            .unwrap_or_default();
        Ok(match () {
            () if flags.has(Flags::NUL) => "binary",
            () if flags.has(Flags::EIGHT_BIT) => "8bit",
            () => "7bit",
        })
    }
}

/// An EmailBodyPart as the client sent it.
struct Given {
    /// Where in the Email it stands, for errors.
    path: String,
    part_id: Option<String>,
    blob_id: Option<String>,
    media: String,
    charset: Option<String>,
    name: Option<String>,
    disposition: Option<String>,
    cid: Option<String>,
    location: Option<String>,
    languages: Vec<String>,
    sized: bool,
    sub_parts: Option<Value>,
    more: Vec<Field>,
}

impl Given {
    fn take(value: Value, path: String, place: Place) -> Result<Given, SetError> {
        let Value::Object(mut map) = value else {
            return Err(SetError::property(&path, "a body part is an object"));
        };
        map.retain(|_, value| !value.is_null());
        let mut text = |name: &str| match map.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) if !text.contains(['\r', '\n', '\0']) => Ok(Some(text)),
            Some(_) => Err(SetError::property(
                &format!("{path}{name}"),
                "must be a string of one line",
            )),
        };
        let (part_id, blob_id) = (text("partId")?, text("blobId")?);
        let (media, charset, name) = (text("type")?, text("charset")?, text("name")?);
        let (disposition, cid, location) = (text("disposition")?, text("cid")?, text("location")?);
        let sized = map.remove("size").is_some();
        let languages = languages(map.remove("language"), &path)?;
        let sub_parts = map.remove("subParts");
        let more = fields(map, &path, true)?;
        let media = media.unwrap_or_else(|| default_media(place, sub_parts.is_some()).into());
        let media = media.trim().to_ascii_lowercase();
        let fits = match place {
            Place::Text => media == "text/plain",
            Place::Html => media == "text/html",
            Place::Structure | Place::Attachment => is_media(&media),
        };
        if !fits {
            return Err(SetError::property(
                &format!("{path}type"),
                "this type cannot stand here",
            ));
        }
        let attached = (place == Place::Attachment).then(|| "attachment".to_owned());
        Ok(Given {
            path,
            part_id,
            blob_id,
            media,
            charset,
            name,
            disposition: disposition.or(attached),
            cid,
            location,
            languages,
            sized,
            sub_parts,
            more,
        })
    }

    fn wrong(&self, name: &str, why: &str) -> SetError {
        SetError::property(&format!("{}{name}", self.path), why)
    }

    /// Writes the remaining fields.
    fn dress(self, mut part: Part<Bytes>) -> Result<Part<Bytes>, SetError> {
        if let Some(kind) = &self.disposition {
            if !is_token(kind) {
                return Err(self.wrong("disposition", "must be a token"));
            }
            part = part.disposed(kind, self.name.as_deref());
        }
        if let Some(cid) = &self.cid {
            part.header.message_ids("Content-ID", &[cid]);
        }
        if let Some(location) = &self.location {
            part.header
                .raw("Content-Location", format!(" {location}").as_bytes());
        }
        if !self.languages.is_empty() {
            let tags = format!(" {}", self.languages.join(", "));
            part.header.raw("Content-Language", tags.as_bytes());
        }
        if let Some(twice) = self
            .more
            .iter()
            .find(|field| part.header.has(&field.of.name))
        {
            return Err(self.wrong(&twice.of.name, "the same header field is set twice"));
        }
        write(&mut part.header, &self.more)?;
        Ok(part)
    }
}

/// Reads `language`: tags (RFC 3282).
fn languages(value: Option<Value>, path: &str) -> Result<Vec<String>, SetError> {
    let wrong = || SetError::property(&format!("{path}language"), "must be an array of tags");
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let tags = value.as_array().ok_or_else(wrong)?;
    let tag = |tag: &Value| tag.as_str().filter(|tag| is_token(tag)).map(str::to_owned);
    tags.iter()
        .map(tag)
        .collect::<Option<Vec<_>>>()
        .ok_or_else(wrong)
}

fn default_media(place: Place, parts: bool) -> &'static str {
    match place {
        Place::Html => "text/html",
        Place::Text => "text/plain",
        Place::Structure if parts => "multipart/mixed",
        Place::Structure => "text/plain",
        Place::Attachment => "application/octet-stream",
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 127
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+*'%".contains(&b))
}

fn is_media(text: &str) -> bool {
    text.split_once('/')
        .is_some_and(|(main, sub)| is_token(main) && is_token(sub))
}
