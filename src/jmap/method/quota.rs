//! Quotas (RFC 9425): of octets where `--quota` sets a limit, of messages where `--quota-messages` does.
use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::Answer;
use super::changes::Since;
use super::get::{Found, Get};
use super::query::{QuerySince, Window};
use crate::jmap::capability::Capability;
use crate::jmap::context::{Context, method_error};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::filter::{self, Filter};
use crate::mail::{DataType, Error, Modseq, ObjectChanges, quota};

const PROPERTIES: [&str; 10] = [
    "id",
    "resourceType",
    "used",
    "hardLimit",
    "scope",
    "name",
    "types",
    "warnLimit",
    "softLimit",
    "description",
];

/// The ids: of octets, and of messages.
const IDS: [u8; 2] = [1, 2];

fn id(id: u8) -> String {
    format!("q{id}")
}

/// Whether the client is to see it: there is a limit, and it knows one of the types (RFC 9425 §4.1).
fn exists(context: &Context, id: u8) -> bool {
    limit(context, id) > 0 && context.uses(Capability::Mail)
}

fn limit(context: &Context, id: u8) -> u64 {
    match id {
        1 => context.mail.quota(),
        _ => context.mail.message_quota().into(),
    }
}

fn value(context: &Context, quota: u8, name: &str) -> Value {
    let octets = quota == 1;
    let meta = || context.mail.meta();
    match name {
        "id" => id(quota).into(),
        "resourceType" => if octets { "octets" } else { "count" }.into(),
        "used" => if octets {
            meta().bytes
        } else {
            meta().emails.into()
        }
        .into(),
        "hardLimit" => limit(context, quota).into(),
        "scope" => "account".into(),
        "name" => context.site.ctx.config.address().into(),
        "types" => json!(["Email"]),
        "description" if octets => "All mail, uploads and what waits to be sent.".into(),
        "description" => "All messages, each once.".into(),
        _ => Value::Null,
    }
}

fn now(context: &Context) -> Modseq {
    context.mail.meta().states.of(DataType::Quota)
}

/// Quota/get (RFC 9425 §4.2).
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    let get = Get::parse(context, &mut args)?;
    args.finish()?;
    let properties = get.among(&PROPERTIES)?;
    let now = now(context);
    let there: Vec<u8> = all(context);
    let ids = get.ids;
    let ids = ids.unwrap_or_else(|| there.iter().map(|quota| id(*quota)).collect());
    let mut found = Found::default();
    for text in ids {
        let Some(quota) = there.iter().find(|quota| id(**quota) == text) else {
            found.missing(text);
            continue;
        };
        let pairs = properties.iter();
        let object: Map<String, Value> = pairs
            .map(|name| ((*name).to_owned(), value(context, *quota, name)))
            .collect();
        found.push(context, object)?;
    }
    found.answer(now)
}

/// Those that there are.
fn all(context: &Context) -> Vec<u8> {
    let there = |id: &u8| exists(context, *id);
    IDS.into_iter().filter(there).collect()
}

/// What is used changes all at once. Who comes from before the limits themselves changed begins anew.
fn changed(context: &Context, since: Modseq) -> Result<Vec<u8>, MethodError> {
    let noted = quota::noted(&context.mail).map_err(method_error)?;
    if since > context.mail.meta().modseq || since < noted {
        return Err(method_error(Error::CannotCalculate));
    }
    match since < now(context) {
        true => Ok(all(context)),
        false => Ok(Vec::new()),
    }
}

/// Quota/changes (RFC 9425 §4.3).
pub async fn changes(context: &mut Context, args: Args) -> Answer {
    let since = Since::parse(context, args)?;
    let updated = changed(context, since.modseq)?;
    if updated.len() > since.max {
        // They change together: there is no state in between.
        return Err(method_error(Error::CannotCalculate));
    }
    let changes = ObjectChanges {
        modseq: now(context),
        more: false,
        created: Vec::new(),
        updated,
        destroyed: Vec::new(),
    };
    let mut map = since.answer(&changes, id);
    map.insert("updatedProperties".into(), json!(["used"]));
    Ok(map)
}

/// Quota/query (RFC 9425 §4.4).
pub async fn query(context: &mut Context, mut args: Args) -> Answer {
    let window = Window::parse(context, &mut args)?;
    let results = results(context, &mut args)?;
    args.finish()?;
    window.answer(&results, now(context), id)
}

/// Quota/queryChanges (RFC 9425 §4.5).
pub async fn query_changes(context: &mut Context, mut args: Args) -> Answer {
    let since = QuerySince::parse(context, &mut args)?;
    let results = results(context, &mut args)?;
    args.finish()?;
    let touched: HashSet<u8> = changed(context, since.modseq)?.into_iter().collect();
    since.answer(&results, &touched, false, now(context), id)
}

/// What fits a filter, in order.
fn results(context: &Context, args: &mut Args) -> Result<Vec<u8>, MethodError> {
    let filter = Filter::parse(args.value("filter"), &mut |name, wanted| {
        let text = wanted.as_str();
        let text =
            text.ok_or_else(|| MethodError::invalid(format!("filter {name} is a string")))?;
        match name {
            "name" | "scope" | "resourceType" | "type" => Ok((name.to_owned(), text.to_owned())),
            _ => Err(MethodError::new("unsupportedFilter").because(format!("{name:?}"))),
        }
    })?;
    let mut descending = false;
    // Both have one name; the first comparator about what is used decides.
    let mut decided = false;
    for by in filter::sort(args.value("sort"))? {
        match by.property.as_str() {
            "name" => {}
            "used" if decided => {}
            "used" => (descending, decided) = (!by.ascending, true),
            _ => return Err(MethodError::new("unsupportedSort").because(by.property)),
        }
    }
    let mut found = all(context);
    found.retain(|quota| {
        filter.matches(&mut |(name, text)| {
            let is = value(context, *quota, name);
            match name.as_str() {
                "type" => text == "Email",
                "name" => is.as_str().is_some_and(|is| is.contains(text.as_str())),
                _ => is == text.as_str(),
            }
        })
    });
    let used = |quota: &u8| value(context, *quota, "used").as_u64();
    if decided && found.len() == 2 {
        let ascends = used(&IDS[0]) <= used(&IDS[1]);
        if ascends == descending {
            found.reverse();
        }
    }
    Ok(found)
}
