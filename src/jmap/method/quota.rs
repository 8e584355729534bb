//! Quotas (RFC 9425): one, of octets, where `--quota` sets a limit; none otherwise.
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
use crate::mail::{DataType, Error, Modseq, ObjectChanges};

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

/// The id of the one quota.
const ID: u8 = 1;

fn id(id: u8) -> String {
    format!("q{id}")
}

/// Whether the client is to see it: there is a limit, and it knows one of the types (RFC 9425 §4.1).
fn exists(context: &Context) -> bool {
    context.mail.quota() > 0 && context.uses(Capability::Mail)
}

fn value(context: &Context, name: &str) -> Value {
    match name {
        "id" => id(ID).into(),
        "resourceType" => "octets".into(),
        "used" => context.mail.meta().bytes.into(),
        "hardLimit" => context.mail.quota().into(),
        "scope" => "account".into(),
        "name" => context.site.ctx.config.address().into(),
        "types" => json!(["Email"]),
        "description" => "All mail, uploads and what waits to be sent.".into(),
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
    let ids = get.ids.unwrap_or_else(|| {
        let all = exists(context).then(|| id(ID));
        all.into_iter().collect()
    });
    let mut found = Found::default();
    for text in ids {
        if text != id(ID) || !exists(context) {
            found.missing(text);
            continue;
        }
        let pairs = properties.iter();
        let object: Map<String, Value> = pairs
            .map(|name| ((*name).to_owned(), value(context, name)))
            .collect();
        found.push(context, object)?;
    }
    found.answer(now)
}

fn changed(context: &Context, since: Modseq) -> Result<Vec<u8>, MethodError> {
    let now = now(context);
    if since > context.mail.meta().modseq {
        return Err(method_error(Error::CannotCalculate));
    }
    let moved = since < now && exists(context);
    Ok(moved.then_some(ID).into_iter().collect())
}

/// Quota/changes (RFC 9425 §4.3).
pub async fn changes(context: &mut Context, args: Args) -> Answer {
    let since = Since::parse(context, args)?;
    let changes = ObjectChanges {
        modseq: now(context),
        more: false,
        created: Vec::new(),
        updated: changed(context, since.modseq)?,
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

/// What fits a filter; the sort of one is soon done.
fn results(context: &Context, args: &mut Args) -> Result<Vec<u8>, MethodError> {
    let filter = Filter::parse(args.value("filter"), &mut |name, wanted| {
        let text = wanted.as_str();
        let text =
            text.ok_or_else(|| MethodError::invalid(format!("filter {name} is a string")))?;
        let is = |property: &str| value(context, property).as_str() == Some(text);
        match name {
            "name" => Ok(value(context, "name")
                .as_str()
                .is_some_and(|name| name.contains(text))),
            "scope" | "resourceType" => Ok(is(name)),
            "type" => Ok(text == "Email"),
            _ => Err(MethodError::new("unsupportedFilter").because(format!("{name:?}"))),
        }
    })?;
    for by in filter::sort(args.value("sort"))? {
        if !matches!(by.property.as_str(), "name" | "used") {
            return Err(MethodError::new("unsupportedSort").because(by.property));
        }
    }
    let fits = exists(context) && filter.matches(&mut |holds| *holds);
    Ok(fits.then_some(ID).into_iter().collect())
}
