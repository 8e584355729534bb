//! MDN/send (RFC 9007 §2.1): a report about an email, to whom its sender named, from the null
//! reverse-path, through the one queue.
use serde_json::{Map, Value};

use super::{ACTIONS, Answer, SENDINGS, TYPES};
use crate::jmap::blob::{self, Bytes};
use crate::jmap::context::{Context, account};
use crate::jmap::method::email::{self, visible};
use crate::jmap::method::identity::{self, Identity};
use crate::jmap::method::set::check_new;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::id::{self, ACCOUNT};
use crate::jmap::wire::json::{self, or_null, put};
use crate::limits;
use crate::mail::address::Address;
use crate::mail::outbound::{self, Item, Recipient, Wish};
use crate::mail::{EmailId, Message};
use crate::mime::build::{self, Header, Part, Piece};
use crate::mime::{DateTime, address, header, msgid};
use crate::sys::{clock, random};

/// MDN/send.
pub async fn send(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "invalidArguments")?;
    let identity = args.required("identityId")?;
    let wanted = id::to_identity(context.resolve(&identity));
    let identities = identity::all(context).await?;
    let identity = identities.iter().find(|it| Some(it.id) == wanted);
    let identity = identity.ok_or_else(|| MethodError::invalid("there is no such identity"))?;
    let send = args.required_object("send")?;
    let updates = args.object("onSuccessUpdateEmail")?.unwrap_or_default();
    args.finish()?;
    check_new(&send, "more than maxObjectsInSet")?;
    let (mut sent, mut not_sent, mut patches) = (Map::new(), Map::new(), Map::new());
    for (name, mdn) in send {
        let patch = updates.get(&format!("#{name}"));
        match one(context, identity, mdn, patch).await {
            Ok((email, told)) => {
                if let Some(patch) = patch {
                    patches.insert(id::email(email), patch.clone());
                }
                sent.insert(name, Value::Object(told));
            }
            Err(error) => {
                not_sent.insert(name, error.into());
            }
        }
    }
    email::implicit(context, patches, Vec::new()).await;
    let mut map = Map::new();
    put(&mut map, "accountId", ACCOUNT);
    put(&mut map, "sent", or_null(sent));
    put(&mut map, "notSent", or_null(not_sent));
    Ok(map)
}

/// What is written into a report.
struct Report {
    email: EmailId,
    to: Address,
    from: String,
    subject: String,
    text: String,
    fields: Vec<(String, String)>,
    original: Option<Message>,
    international: bool,
}

async fn one(
    context: &Context,
    identity: &Identity,
    mdn: Value,
    patch: Option<&Value>,
) -> Result<(EmailId, Map<String, Value>), SetError> {
    let mdn = json::object(mdn, "an MDN is an object")?;
    // RFC 9007 §2.1: one that does not result in the keyword is refused.
    let marks = patch.is_some_and(|patch| {
        patch.get("keywords/$mdnsent") == Some(&true.into())
            || patch.pointer("/keywords/$mdnsent") == Some(&true.into())
    });
    if !marks {
        return Err(SetError::new("invalidProperties")
            .because("onSuccessUpdateEmail must set the keyword $mdnsent of the email"));
    }
    let (report, told) = read(context, identity, &mdn)?;
    let way = context.site.ctx.config.has_way(report.to.domain());
    if !way && !owns(context, &report.to) {
        return Err(SetError::new("forbidden").because(NO_ROUTE));
    }
    let email = report.email;
    queue(context, report).await?;
    Ok((email, told))
}

fn owns(context: &Context, address: &Address) -> bool {
    let text = format!("{}@{}", address.local(), address.domain());
    context.site.ctx.config.owns(&text)
}

/// Reads an MDN object, and what the email says about it.
fn read(
    context: &Context,
    identity: &Identity,
    mdn: &Map<String, Value>,
) -> Result<(Report, Map<String, Value>), SetError> {
    let text = |name: &str| match mdn.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= limits::SIGNATURE => Ok(Some(text.as_str())),
        Some(_) => Err(SetError::property(
            name,
            &format!("{name} must be a string or null"),
        )),
    };
    for name in mdn.keys() {
        if !KNOWN.contains(&name.as_str()) {
            return Err(SetError::property(name, "set by the server, or unknown"));
        }
    }
    let missing = || SetError::new("notFound").because("no such email, or it asks for no receipt");
    let email = text("forEmailId")?.and_then(|text| id::to_email(context.resolve(text)));
    let email = email.ok_or_else(missing)?;
    let (message, keywords, block) = original(context, email)?.ok_or_else(missing)?;
    if keywords {
        return Err(SetError::new("mdnAlreadySent").because("$mdnsent keyword is already present"));
    }
    let field = |name: &str| header::last(&block, name).map(|field| field.value);
    // RFC 8098 §2.1: whoever asked for it.
    let to = field("Disposition-Notification-To").map(|value| address::parse(value, 1));
    let to = to.map(|list| address::mailboxes(&list)).unwrap_or_default();
    let to = to.first().and_then(|to| Address::parse(&to.email).ok());
    let to = to.ok_or_else(missing)?;
    let disposition = disposition(mdn.get("disposition"))?;
    let mut told = Map::new();
    let (from, recipient) = recipient(context, identity, text("finalRecipient")?)?;
    let mut fields: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, value: &str| fields.push((name.to_owned(), line(value)));
    if let Some(agent) = text("reportingUA")? {
        add("Reporting-UA", agent);
    }
    if let Some(original) = field("Original-Recipient").map(header::text) {
        add("Original-Recipient", &original);
        put(&mut told, "originalRecipient", original);
    }
    add("Final-Recipient", &recipient);
    if mdn.get("finalRecipient").is_none_or(Value::is_null) {
        put(&mut told, "finalRecipient", recipient);
    }
    if let Some(id) = field("Message-ID").map(header::text) {
        add("Original-Message-ID", &id);
        put(&mut told, "originalMessageId", id);
    }
    add("Disposition", &disposition);
    for error in mdn
        .get("error")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let error = error.as_str();
        add(
            "Error",
            error.ok_or_else(|| SetError::property("error", "error has strings"))?,
        );
    }
    extensions(mdn, &mut add)?;
    let include = mdn.get("includeOriginalMessage") == Some(&true.into());
    if !include {
        put(&mut told, "includeOriginalMessage", false);
    }
    let about = field("Subject").map(header::text).unwrap_or_default();
    let report = Report {
        email,
        international: !to.is_ascii() || !from.is_ascii(),
        to,
        from,
        subject: text("subject")?.map_or_else(|| format!("Read receipt for: {about}"), line),
        text: text("textBody")?.unwrap_or(TEXT).to_owned(),
        fields,
        original: include.then_some(message),
    };
    Ok((report, told))
}

const NO_ROUTE: &str =
    "mail to other domains needs --smarthost HOST:PORT or --direct when the server starts";

const KNOWN: [&str; 10] = [
    "forEmailId",
    "subject",
    "textBody",
    "includeOriginalMessage",
    "reportingUA",
    "disposition",
    "finalRecipient",
    "error",
    "extensionFields",
    "extension",
];

const TEXT: &str = "This receipt shows that the message was displayed. There is no guarantee that it \
                    was read or understood.\n";

/// One line, whatever came.
fn line(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.take(900).collect()
}

fn disposition(value: Option<&Value>) -> Result<String, SetError> {
    let wrong = || SetError::property("disposition", "disposition must be a Disposition object");
    let map = value.and_then(Value::as_object).ok_or_else(wrong)?;
    let one = |name: &str, known: &[&'static str]| {
        let value = map.get(name).and_then(Value::as_str);
        let found = known.iter().find(|it| Some(**it) == value);
        found.copied().ok_or_else(wrong)
    };
    let (action, sending) = (one("actionMode", &ACTIONS)?, one("sendingMode", &SENDINGS)?);
    Ok(format!("{action}/{sending}; {}", one("type", &TYPES)?))
}

/// The address to send as, and the value of Final-Recipient.
fn recipient(
    context: &Context,
    identity: &Identity,
    given: Option<&str>,
) -> Result<(String, String), SetError> {
    let own = match identity.email().strip_prefix("*@") {
        Some(domain) => format!("postmaster@{domain}"),
        None => identity.email().to_owned(),
    };
    let Some(given) = given else {
        let recipient = format!("rfc822; {own}");
        return Ok((own, recipient));
    };
    let (_, address) = given.split_once(';').unwrap_or(("", given));
    if !context.site.ctx.config.owns(address.trim()) {
        return Err(SetError::new("forbiddenFrom").because("this address is not yours"));
    }
    Ok((address.trim().to_owned(), line(given)))
}

/// RFC 9007 §2: the property is `extensionFields`; its example calls it `extension`.
fn extensions(mdn: &Map<String, Value>, add: &mut impl FnMut(&str, &str)) -> Result<(), SetError> {
    for property in ["extensionFields", "extension"] {
        let given = mdn.get(property).filter(|value| !value.is_null());
        let Some(given) = given else { continue };
        let wrong = || SetError::property(property, "it must map field names to strings");
        for (name, value) in given.as_object().ok_or_else(wrong)? {
            let value = value.as_str().filter(|_| build::is_name(name));
            add(name, value.ok_or_else(wrong)?);
        }
    }
    Ok(())
}

type Original = (Message, bool, Vec<u8>);

/// The email, whether it has the keyword, and its header.
fn original(context: &Context, email: EmailId) -> Result<Option<Original>, SetError> {
    let meta = context.mail.meta();
    let reader = context.mail.reader()?;
    let rows = visible(&reader, email)?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let marked = meta.keywords.flag("$mdnsent");
    let marked = marked.is_some_and(|flag| row.flags.has(flag));
    let Some(message) = reader.message(email)? else {
        return Ok(None);
    };
    drop(reader);
    let block = Bytes::whole(&message).run(0, message.header_len);
    let block = block.all(&context.mail, limits::JMAP_HEADER)?;
    Ok(Some((message, marked, block)))
}

/// Writes the report and hands it to the queue, which alone owns it.
async fn queue(context: &Context, report: Report) -> Result<(), SetError> {
    let random = random::octets::<16>().map(u128::from_ne_bytes);
    let random = random.map_err(|_| SetError::new("serverUnavailable").because("no randomness"))?;
    let pieces = write(&report, random, &context.site.ctx.config.hostname);
    let staged = blob::write(&context.mail, pieces).await?;
    let item = Item::new(clock::now())?;
    let to = Recipient {
        address: report.to,
        notify: None,
        orcpt: None,
    };
    // RFC 8098 §3: the null reverse-path, so that nothing ever answers it.
    let commit = outbound::own(item, staged, Wish::Usual, vec![to], Vec::new());
    context
        .mail
        .commit(commit)
        .await
        .map_err(|error| match error {
            crate::mail::Error::NoPermission => {
                SetError::new("forbidden").because(&error.to_string())
            }
            error => error.into(),
        })?;
    outbound::ring();
    Ok(())
}

/// RFC 8098 §3: multipart/report of a text, the notification, and perhaps the message.
fn write(report: &Report, random: u128, hostname: &str) -> Vec<Piece<Bytes>> {
    let mut head = Header::new();
    let mailbox = |email: &str| address::Mailbox {
        name: None,
        email: email.to_owned(),
    };
    head.date("Date", DateTime::utc(i64::from(clock::now())));
    head.addresses("From", &[mailbox(&report.from)]);
    head.addresses("To", &[mailbox(&report.to.to_string())]);
    head.text("Subject", &report.subject);
    head.raw(
        "Message-ID",
        format!(" {}", msgid::generate(random, hostname)).as_bytes(),
    );
    head.raw("Auto-Submitted", b" auto-replied");
    let fields = report.fields.iter();
    let fields: String = fields
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let media = match report.international {
        true => "message/global-disposition-notification",
        false => "message/disposition-notification",
    };
    let mut parts = vec![
        Part::text("plain", &report.text),
        Part::plain(media, fields.into_bytes()),
    ];
    if let Some(original) = &report.original {
        parts.push(Part::raw(
            "message/rfc822",
            &[],
            "8bit",
            Bytes::whole(original),
        ));
    }
    let kind = [("report-type", "disposition-notification")];
    let root = Part::multipart("report", &kind, parts);
    build::message(&head, root, random.rotate_left(64))
}
