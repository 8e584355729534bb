//! The properties of an Email and of an EmailBodyPart that a client may ask for (RFC 8621 §4.1).
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::header::HeaderProperty;
use crate::limits;

/// One property of an Email.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Property {
    /// `id`
    Id,
    /// `blobId`
    BlobId,
    /// `threadId`
    ThreadId,
    /// `mailboxIds`
    MailboxIds,
    /// `keywords`
    Keywords,
    /// `size`
    Size,
    /// `receivedAt`
    ReceivedAt,
    /// `headers`
    Headers,
    /// `header:...`, which needs the header section.
    Header(HeaderProperty),
    /// `from`, `subject` and the like, mostly at hand in the envelope.
    Convenience(HeaderProperty),
    /// `hasAttachment`
    HasAttachment,
    /// `preview`
    Preview,
    /// `bodyStructure`
    BodyStructure,
    /// `bodyValues`
    BodyValues,
    /// `textBody`
    TextBody,
    /// `htmlBody`
    HtmlBody,
    /// `attachments`
    Attachments,
}

impl Property {
    fn parse(name: &str) -> Option<Property> {
        Some(match name {
            "id" => Property::Id,
            "blobId" => Property::BlobId,
            "threadId" => Property::ThreadId,
            "mailboxIds" => Property::MailboxIds,
            "keywords" => Property::Keywords,
            "size" => Property::Size,
            "receivedAt" => Property::ReceivedAt,
            "headers" => Property::Headers,
            "hasAttachment" => Property::HasAttachment,
            "preview" => Property::Preview,
            "bodyStructure" => Property::BodyStructure,
            "bodyValues" => Property::BodyValues,
            "textBody" => Property::TextBody,
            "htmlBody" => Property::HtmlBody,
            "attachments" => Property::Attachments,
            _ => match HeaderProperty::convenience(name) {
                Some(header) => Property::Convenience(header),
                None => Property::Header(HeaderProperty::parse(name)?),
            },
        })
    }
}

/// One property of an EmailBodyPart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartProperty {
    /// By its name in [`PARTS`].
    Plain(&'static str),
    /// `headers`
    Headers,
    /// `header:...`, and its name as the client wrote it.
    Header(String, HeaderProperty),
}

/// The plain properties of a part.
const PARTS: [&str; 11] = [
    "partId",
    "blobId",
    "size",
    "name",
    "type",
    "charset",
    "disposition",
    "cid",
    "language",
    "location",
    "subParts",
];

/// What a client wants to see of messages.
pub struct Wanted {
    /// Properties with their names.
    pub properties: Vec<(String, Property)>,
    /// Properties of parts.
    pub part: Vec<PartProperty>,
    /// `fetchTextBodyValues`
    pub text_values: bool,
    /// `fetchHTMLBodyValues`
    pub html_values: bool,
    /// `fetchAllBodyValues`
    pub all_values: bool,
    /// `maxBodyValueBytes`; 0 for none.
    pub max_value: usize,
}

impl Wanted {
    /// Takes the arguments of Email/get and Email/parse that say what to show (RFC 8621 §4.2).
    pub fn parse(
        names: Option<Vec<String>>,
        default: &[&str],
        args: &mut Args,
    ) -> Result<Wanted, MethodError> {
        let names = names.unwrap_or_else(|| default.iter().map(|n| (*n).to_owned()).collect());
        bounded(&names)?;
        let mut properties: Vec<(String, Property)> = Vec::new();
        for name in names {
            let property = Property::parse(&name)
                .ok_or_else(|| MethodError::invalid(&format!("there is no property {name:?}")))?;
            if !properties.iter().any(|(known, _)| *known == name) {
                properties.push((name, property));
            }
        }
        let part = match args.texts("bodyProperties")? {
            None => PARTS
                .into_iter()
                .filter(|p| *p != "subParts")
                .map(PartProperty::Plain)
                .collect(),
            Some(names) => {
                bounded(&names)?;
                names.into_iter().map(part).collect::<Result<_, _>>()?
            }
        };
        let max_value = args.unsigned("maxBodyValueBytes")?.unwrap_or(0);
        Ok(Wanted {
            properties,
            part,
            text_values: args.flag("fetchTextBodyValues")?,
            html_values: args.flag("fetchHTMLBodyValues")?,
            all_values: args.flag("fetchAllBodyValues")?,
            max_value: usize::try_from(max_value).unwrap_or(usize::MAX),
        })
    }

    /// Whether rows alone answer it.
    pub fn rows_only(&self) -> bool {
        use Property::{BlobId, Id, Keywords, MailboxIds, ReceivedAt, Size, ThreadId};
        self.properties.iter().all(|(_, p)| {
            matches!(
                p,
                Id | BlobId | ThreadId | MailboxIds | Keywords | Size | ReceivedAt
            )
        })
    }
}

fn bounded(names: &[String]) -> Result<(), MethodError> {
    if names.len() > limits::JMAP_PROPERTIES {
        return Err(MethodError::new("requestTooLarge").because("too many properties"));
    }
    Ok(())
}

fn part(name: String) -> Result<PartProperty, MethodError> {
    if name == "headers" {
        return Ok(PartProperty::Headers);
    }
    if let Some(plain) = PARTS.into_iter().find(|p| *p == name) {
        return Ok(PartProperty::Plain(plain));
    }
    match HeaderProperty::parse(&name) {
        Some(header) => Ok(PartProperty::Header(name, header)),
        None => Err(MethodError::invalid(&format!(
            "a body part has no property {name:?}"
        ))),
    }
}
