//! Quotas (RFC 9425): of octets where `--quota` sets a limit, of messages where `--quota-messages` does.
use serde_json::{Value, json};

use super::Running;
use super::get::Get;
use super::kind::{self, Changed, Few, Need, Objects, Question, Type, done};
use super::records::Data;
use crate::jmap::capability::Capability;
use crate::jmap::context::Context;
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
const IDS: [u64; 2] = [1, 2];

/// Whether the client is to see it: there is a limit, and it knows one of the types (RFC 9425 §4.1).
fn exists(context: &Context, id: u64) -> bool {
    limit(context, id) > 0 && context.uses(Capability::Mail)
}

fn limit(context: &Context, id: u64) -> u64 {
    match id {
        1 => context.mail.quota(),
        _ => context.mail.message_quota().into(),
    }
}

fn value(context: &Context, quota: u64, name: &str) -> Value {
    let octets = quota == 1;
    let meta = || context.mail.meta();
    match name {
        "id" => Quotas.show(quota).into(),
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

/// The type.
pub struct Quotas;

impl Type for Quotas {
    fn data(&self) -> DataType {
        DataType::Quota
    }

    fn letter(&self) -> char {
        'q'
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn objects<'a>(
        &'a self,
        context: &'a Context,
        _: &'a mut Get,
        _: &'a mut Args,
    ) -> Running<'a, Box<dyn Objects>> {
        let data = |id| kind::object(&PROPERTIES, &mut |name| value(context, id, name));
        let all = all(context).into_iter().map(|id| (id, data(id)));
        Few::at_hand(all.collect(), |_, data: &Data, name| {
            data.get(name).cloned().unwrap_or_default()
        })
    }

    fn changes<'a>(
        &'a self,
        context: &'a Context,
        since: Modseq,
        max: usize,
    ) -> Running<'a, Changed> {
        let updated = changed(context, since);
        // They change together: there is no state in between.
        let updated = updated.and_then(|updated| match updated.len() > max {
            true => Err(Error::CannotCalculate.into()),
            false => Ok(updated),
        });
        done(updated.map(|updated| Changed {
            changes: ObjectChanges {
                modseq: context.mail.meta().states.of(DataType::Quota),
                more: false,
                created: Vec::new(),
                updated,
                destroyed: Vec::new(),
            },
            properties: Some(json!(["used"])),
        }))
    }

    fn question(&self, _: &Context, args: &mut Args) -> Result<Box<dyn Question>, MethodError> {
        Ok(Box::new(Wanted::parse(args)?))
    }
}

/// Those that there are.
fn all(context: &Context) -> Vec<u64> {
    let there = |id: &u64| exists(context, *id);
    IDS.into_iter().filter(there).collect()
}

/// What is used changes all at once. Who comes from before the limits themselves changed begins anew.
fn changed(context: &Context, since: Modseq) -> Result<Vec<u64>, MethodError> {
    let noted = quota::noted(&context.mail)?;
    if since > context.mail.meta().modseq || since < noted {
        return Err(Error::CannotCalculate.into());
    }
    match since < context.mail.meta().states.of(DataType::Quota) {
        true => Ok(all(context)),
        false => Ok(Vec::new()),
    }
}

/// Filter and sort (RFC 9425 §4.4).
struct Wanted {
    filter: Filter<(String, String)>,
    /// What is used decides about the order, and how.
    by_used: Option<bool>,
}

impl Wanted {
    fn parse(args: &mut Args) -> Result<Wanted, MethodError> {
        let filter = Filter::parse(args.value("filter"), &mut |name, wanted| {
            let text = wanted.as_str();
            let text =
                text.ok_or_else(|| MethodError::invalid(&format!("filter {name} is a string")))?;
            match name {
                "name" | "scope" | "resourceType" | "type" => {
                    Ok((name.to_owned(), text.to_owned()))
                }
                _ => Err(MethodError::new("unsupportedFilter").because(&format!("{name:?}"))),
            }
        })?;
        // Both have one name; the first comparator about what is used decides.
        let mut by_used = None;
        for by in filter::sort(args.value("sort"))? {
            match by.property.as_str() {
                "name" => {}
                "used" => by_used = by_used.or(Some(by.ascending)),
                _ => return Err(MethodError::new("unsupportedSort").because(&by.property)),
            }
        }
        Ok(Wanted { filter, by_used })
    }
}

impl Question for Wanted {
    fn results<'a>(&'a mut self, context: &'a Context, _: Need) -> Running<'a, Vec<u64>> {
        let mut found = all(context);
        found.retain(|quota| {
            self.filter.matches(&mut |(name, text)| {
                let is = value(context, *quota, name);
                match name.as_str() {
                    "type" => text == "Email",
                    "name" => is.as_str().is_some_and(|is| is.contains(text.as_str())),
                    _ => is == text.as_str(),
                }
            })
        });
        let used = |quota: &u64| value(context, *quota, "used").as_u64();
        if let Some(ascending) = self.by_used
            && found.len() == 2
            && (used(&IDS[0]) <= used(&IDS[1])) != ascending
        {
            found.reverse();
        }
        done(Ok(found))
    }

    fn touched<'a>(&'a self, context: &'a Context, since: Modseq) -> Running<'a, Vec<u64>> {
        done(changed(context, since))
    }
}
