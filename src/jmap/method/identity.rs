//! Identities (RFC 8621 §6). Each own address has one that stays; a user may add others and give all
//! of them names and signatures.
mod set;

use serde_json::{Map, Value};

pub use set::set;

use super::Running;
use super::get::Get;
use super::kind::{Objects, Type};
use super::records::{self, Data};
use crate::config::Config;
use crate::jmap::context::Context;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::jmap::wire::json::put;
use crate::mail::{self, DataType, Edit, Error, Expect, Mail, Record};

const PROPERTIES: [&str; 8] = [
    "id",
    "name",
    "email",
    "replyTo",
    "bcc",
    "textSignature",
    "htmlSignature",
    "mayDelete",
];

/// Marks, in the data of a record, the identity that an address has by itself.
const OWN: &str = "own";

/// One identity: a record, and what it holds.
pub struct Identity {
    /// The record's id.
    pub id: u64,
    data: Data,
}

impl Identity {
    fn of(record: &Record) -> Option<Identity> {
        let (id, data) = (record.id, records::data(record)?);
        Some(Identity { id, data })
    }

    /// Its address; `*@domain` stands for all at a domain.
    pub fn email(&self) -> &str {
        let email = self.data.get("email").and_then(Value::as_str);
        email.unwrap_or_default()
    }

    /// Whether mail may be sent from an address with it.
    pub fn covers(&self, address: &str) -> bool {
        let own = self.email();
        let domain = |text: &str| {
            text.rsplit_once('@')
                .map(|(_, domain)| domain.to_lowercase())
        };
        own.to_lowercase() == address.to_lowercase()
            || (own.starts_with("*@") && domain(own) == domain(address))
    }

    fn is_own(&self) -> bool {
        self.data.contains_key(OWN)
    }
}

fn value(id: u64, data: &Data, name: &str) -> Value {
    match name {
        "id" => id::identity(id).into(),
        "mayDelete" => (!data.contains_key(OWN)).into(),
        _ => data.get(name).cloned().unwrap_or_else(|| default(name)),
    }
}

fn default(name: &str) -> Value {
    match name {
        "name" | "textSignature" | "htmlSignature" => "".into(),
        _ => Value::Null,
    }
}

/// All identities, those of the own addresses made where they are missing.
pub async fn all(context: &Context) -> Result<Vec<Identity>, MethodError> {
    let mail = &context.mail;
    settle(mail, &context.site.ctx.config).await?;
    let records = mail.records(DataType::Identity)?;
    Ok(records.iter().filter_map(Identity::of).collect())
}

/// Gives each own address its identity, and takes those of others away: also called when the aliases
/// change, so that clients hear of it at once.
///
/// # Errors
/// The store's.
pub async fn settle(mail: &Mail, config: &Config) -> mail::Result<()> {
    let kind = DataType::Identity;
    let own = config.addresses();
    if mend(own.clone(), &mail.records(kind)?).is_empty() {
        return Ok(());
    }
    // Planned again by the writer: another session may just have done it.
    let plan = move |records: &[Record]| Ok((mend(own, records), ()));
    match mail.edit_records(kind, Expect::default(), plan).await {
        // Somebody who may not write sees what is there.
        Ok(_) | Err(Error::NoPermission) => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is to be done so that each own address, and no other, has an identity that stays.
fn mend(mut missing: Vec<String>, records: &[Record]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for identity in records.iter().filter_map(Identity::of) {
        if !identity.is_own() {
            continue;
        }
        let before = missing.len();
        missing.retain(|address| address.to_lowercase() != identity.email().to_lowercase());
        if missing.len() == before {
            edits.push(Edit::Destroy(identity.id));
        }
    }
    edits.extend(missing.into_iter().map(|address| {
        let mut data = Map::new();
        put(&mut data, "email", address);
        put(&mut data, OWN, true);
        Edit::Create(records::octets(data))
    }));
    edits
}

/// The type.
pub struct Identities;

impl Type for Identities {
    fn data(&self) -> DataType {
        DataType::Identity
    }

    fn letter(&self) -> char {
        'i'
    }

    fn properties(&self) -> &'static [&'static str] {
        &PROPERTIES
    }

    fn prepare<'a>(&'a self, context: &'a Context) -> Option<Running<'a, ()>> {
        Some(Box::pin(async { all(context).await.map(|_| ()) }))
    }

    fn objects<'a>(
        &'a self,
        context: &'a Context,
        _: &'a mut Get,
        _: &'a mut Args,
    ) -> Running<'a, Box<dyn Objects>> {
        records::objects(&context.mail, DataType::Identity, &|_| true, value)
    }
}
