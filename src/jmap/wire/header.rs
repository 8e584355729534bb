//! Header field properties, `header:Name:asForm:all` (RFC 8621 §4.1.2, §4.1.3): names and which
//! form is allowed for which field. The values are made in `method/email/`.

/// A parsed form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The octets.
    Raw,
    /// Unfolded and decoded.
    Text,
    /// A list of mailboxes.
    Addresses,
    /// The same with groups.
    GroupedAddresses,
    /// A list of message ids.
    MessageIds,
    /// A date-time.
    Date,
    /// A list of URLs.
    Urls,
}

/// A property that names a header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderProperty {
    /// The field's name as the client wrote it.
    pub name: String,
    /// The form of the value.
    pub form: Form,
    /// Every instance instead of the last.
    pub all: bool,
}

impl HeaderProperty {
    /// Reads `header:...`; `None` when it is broken or the form is forbidden for the field.
    pub fn parse(property: &str) -> Option<HeaderProperty> {
        let mut parts = property.strip_prefix("header:")?.split(':');
        let name = parts.next().filter(|n| is_name(n))?.to_owned();
        let mut form = Form::Raw;
        let mut next = parts.next();
        if let Some(text) = next.and_then(|part| part.strip_prefix("as")) {
            form = match text {
                "Raw" => Form::Raw,
                "Text" => Form::Text,
                "Addresses" => Form::Addresses,
                "GroupedAddresses" => Form::GroupedAddresses,
                "MessageIds" => Form::MessageIds,
                "Date" => Form::Date,
                "URLs" => Form::Urls,
                _ => return None,
            };
            next = parts.next();
        }
        let all = match next {
            None => false,
            Some("all") if parts.next().is_none() => true,
            Some(_) => return None,
        };
        allowed(&name, form).then_some(HeaderProperty { name, form, all })
    }

    /// The field behind a convenience property (RFC 8621 §4.1.3).
    pub fn convenience(property: &str) -> Option<HeaderProperty> {
        let (name, form) = match property {
            "messageId" => ("Message-ID", Form::MessageIds),
            "inReplyTo" => ("In-Reply-To", Form::MessageIds),
            "references" => ("References", Form::MessageIds),
            "sender" => ("Sender", Form::Addresses),
            "from" => ("From", Form::Addresses),
            "to" => ("To", Form::Addresses),
            "cc" => ("Cc", Form::Addresses),
            "bcc" => ("Bcc", Form::Addresses),
            "replyTo" => ("Reply-To", Form::Addresses),
            "subject" => ("Subject", Form::Text),
            "sentAt" => ("Date", Form::Date),
            _ => return None,
        };
        Some(HeaderProperty {
            name: name.into(),
            form,
            all: false,
        })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| (33..=126).contains(&b) && b != b':')
}

/// Whether a field may be had in a form (the lists of RFC 8621 §4.1.2.2 to §4.1.2.7).
pub fn allowed(name: &str, form: Form) -> bool {
    let name = name.to_ascii_lowercase();
    let fits = match form {
        Form::Raw => return true,
        Form::Text => matches!(
            name.as_str(),
            "subject" | "comments" | "keywords" | "list-id"
        ),
        Form::Addresses | Form::GroupedAddresses => {
            let name = name.strip_prefix("resent-").unwrap_or(&name);
            matches!(name, "from" | "sender" | "reply-to" | "to" | "cc" | "bcc")
        }
        Form::MessageIds => matches!(
            name.as_str(),
            "message-id" | "in-reply-to" | "references" | "resent-message-id"
        ),
        Form::Date => matches!(name.as_str(), "date" | "resent-date"),
        Form::Urls => LIST.contains(&name.as_str()),
    };
    fits || !(STANDARD.contains(&name.as_str()) || LIST.contains(&name.as_str()))
}

/// The fields that RFC 5322 defines.
const STANDARD: [&str; 24] = [
    "date",
    "from",
    "sender",
    "reply-to",
    "to",
    "cc",
    "bcc",
    "message-id",
    "in-reply-to",
    "references",
    "subject",
    "comments",
    "keywords",
    "resent-date",
    "resent-from",
    "resent-sender",
    "resent-reply-to",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "resent-message-id",
    "return-path",
    "received",
    "optional-field",
];

/// The fields that RFC 2369 defines.
const LIST: [&str; 6] = [
    "list-help",
    "list-unsubscribe",
    "list-subscribe",
    "list-post",
    "list-owner",
    "list-archive",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let of = HeaderProperty::parse;
        assert_eq!(
            of("header:subject"),
            Some(HeaderProperty {
                name: "subject".into(),
                form: Form::Raw,
                all: false
            })
        );
        assert_eq!(
            of("header:Resent-To:asAddresses:all"),
            Some(HeaderProperty {
                name: "Resent-To".into(),
                form: Form::Addresses,
                all: true
            })
        );
        assert_eq!(of("header:X-Foo:all").map(|p| p.all), Some(true));
        assert!(of("header:X-Foo:asDate").is_some());
        assert!(of("header:List-POST:asURLs").is_some());
        assert!(of("header:List-Id:asText").is_some());
        for bad in [
            "header:",
            "header:From:asDate",
            "header:Subject:asAddresses",
            "header:a b",
            "header:From:all:asAddresses",
            "header:From:asaddresses",
            "header:To:all:x",
            "header:List-Post:asText",
            "header:Received:asText",
            "subject",
            "header:From:x",
        ] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
