//! VacationResponse (RFC 8621 §8): one object, whose id is `singleton`. What it does when mail arrives
//! is in [`crate::mail::vacation`].
use serde_json::{Map, Value};

use super::Answer;
use super::Running;
use super::get::Get;
use super::kind::{Few, Objects, Type, done};
use super::set::Set;
use crate::jmap::context::Context;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::date;
use crate::jmap::wire::error::SetError;
use crate::jmap::wire::patch;
use crate::limits;
use crate::mail::vacation::Vacation;
use crate::mail::{DataType, Edit, Record};
use crate::mime::date::utc_date;

const KIND: DataType = DataType::VacationResponse;

const ID: &str = "singleton";

const PROPERTIES: [&str; 7] = [
    "id",
    "isEnabled",
    "fromDate",
    "toDate",
    "subject",
    "textBody",
    "htmlBody",
];

fn value(_: u64, vacation: &Vacation, name: &str) -> Value {
    match name {
        "id" => ID.into(),
        "isEnabled" => vacation.enabled.into(),
        "fromDate" => vacation.from.map(utc_date).into(),
        "toDate" => vacation.to.map(utc_date).into(),
        "subject" => vacation.subject.as_deref().into(),
        "textBody" => vacation.text.as_deref().into(),
        "htmlBody" => vacation.html.as_deref().into(),
        _ => Value::Null,
    }
}

/// The type.
pub struct Vacations;

impl Type for Vacations {
    fn data(&self) -> DataType {
        KIND
    }

    fn letter(&self) -> char {
        'v'
    }

    fn show(&self, _: u64) -> String {
        ID.to_owned()
    }

    fn read(&self, text: &str) -> Option<u64> {
        (text == ID).then_some(0)
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
        match Vacation::of(&context.mail) {
            Ok(vacation) => Few::at_hand(vec![(0, vacation)], value),
            Err(error) => done(Err(error.into())),
        }
    }
}

/// VacationResponse/set (RFC 8621 §8.2).
pub async fn set(context: &mut Context, mut args: Args) -> Answer {
    let mut set = Set::parse(context, &mut args, KIND)?;
    args.finish()?;
    // RFC 8620 §5.3 `singleton`.
    for name in std::mem::take(&mut set.create).into_iter().map(|c| c.0) {
        set.done.not_created(&name, SetError::new("singleton"));
    }
    for id in std::mem::take(&mut set.destroy) {
        let kind = if id == ID { "singleton" } else { "notFound" };
        set.done.not_destroyed(&id, SetError::new(kind));
    }
    for (id, patch) in std::mem::take(&mut set.update) {
        if id != ID {
            set.done.not_updated(&id, SetError::new("notFound"));
            continue;
        }
        let plan = move |records: &[Record]| Ok(plan(records, patch));
        let edited = context.mail.edit_records(KIND, set.done.next(), plan);
        let ((outcome, _), own) = edited.await?;
        set.done.own(&own);
        set.done.changed(&id, outcome.map(|()| Map::new()));
    }
    set.done.answer()
}

/// Runs in the writer.
fn plan(records: &[Record], patch: Value) -> (Vec<Edit>, Result<(), SetError>) {
    let record = records.first();
    let old = record.and_then(|record| Vacation::decode(&record.data));
    match update(old.unwrap_or_default(), patch) {
        Err(error) => (Vec::new(), Err(error)),
        Ok(None) => (Vec::new(), Ok(())),
        Ok(Some(new)) => {
            let data = new.encode();
            let edit = match record {
                Some(record) => Edit::Update(record.id, data),
                None => Edit::Create(data),
            };
            (vec![edit], Ok(()))
        }
    }
}

/// The object after a patch; None where that changes nothing.
fn update(old: Vacation, patch: Value) -> Result<Option<Vacation>, SetError> {
    let mut new = old.clone();
    for (name, change) in patch::parse(patch)? {
        let given = change.whole(&name)?;
        let wrong = |why: &str| SetError::property(&name, &format!("{name} {why}"));
        let when = || match &given {
            Value::Null => Ok(None),
            given => match given.as_str().and_then(date::parse_utc) {
                Some(at) => Ok(Some(at)),
                None => Err(wrong("must be a UTCDate or null")),
            },
        };
        let text = || match &given {
            Value::Null => Ok(None),
            Value::String(text) if text.len() <= limits::VACATION_TEXT => Ok(Some(text.clone())),
            Value::String(_) => Err(wrong("is too long")),
            _ => Err(wrong("must be a string or null")),
        };
        match name.as_str() {
            "isEnabled" => {
                let given = given.as_bool().or(given.is_null().then_some(false));
                new.enabled = given.ok_or_else(|| wrong("must be true or false"))?;
            }
            "fromDate" => new.from = when()?,
            "toDate" => new.to = when()?,
            "subject" => new.subject = text()?,
            "textBody" => new.text = text()?,
            "htmlBody" => new.html = text()?,
            // RFC 8620 §5.3: what cannot change may be sent as it is.
            "id" if given == ID => {}
            _ => return Err(wrong("is set by the server, or unknown")),
        }
    }
    Ok((new != old).then_some(new))
}
