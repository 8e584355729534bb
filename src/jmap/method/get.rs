//! What every /get has in common (RFC 8620 §5.1).
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Answer;
use crate::jmap::context::{Context, account, state};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
use crate::limits;
use crate::mail::Modseq;

/// The arguments of a /get.
pub struct Get {
    /// The ids, each once and in order; `None` asks for all.
    pub ids: Option<Vec<String>>,
    /// The properties, `None` for the type's default.
    pub properties: Option<Vec<String>>,
}

impl Get {
    /// Takes the standard arguments.
    pub fn parse(context: &Context, args: &mut Args) -> Result<Get, MethodError> {
        account(args, "accountId", "accountNotFound")?;
        Get::bare(context, args)
    }

    /// The same for a type that is of no account.
    pub fn bare(context: &Context, args: &mut Args) -> Result<Get, MethodError> {
        let ids = args.texts("ids")?.map(|ids| unique(context, ids));
        if ids.as_ref().is_some_and(|ids| ids.len() > limits::JMAP_GET) {
            return Err(
                MethodError::new("requestTooLarge").because("more ids than maxObjectsInGet")
            );
        }
        Ok(Get {
            ids,
            properties: args.texts("properties")?,
        })
    }

    /// The properties asked for among a type's, `id` first and always.
    pub fn among(&self, known: &[&'static str]) -> Result<Vec<&'static str>, MethodError> {
        let Some(wanted) = &self.properties else {
            return Ok(known.to_vec());
        };
        let mut out = vec!["id"];
        for name in wanted {
            let found = known.iter().find(|k| *k == name);
            let found = found
                .ok_or_else(|| MethodError::invalid(format!("there is no property {name:?}")))?;
            if !out.contains(found) {
                out.push(found);
            }
        }
        Ok(out)
    }
}

/// Each id once, creation ids replaced.
pub fn unique(context: &Context, ids: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    ids.iter()
        .map(|id| context.resolve(id).to_owned())
        .filter(|id| seen.insert(id.clone()))
        .collect()
}

/// What a /get found.
#[derive(Default)]
pub struct Found {
    list: Vec<Value>,
    not_found: Vec<Value>,
}

impl Found {
    /// Adds an object, paid for out of the request's budget.
    pub fn push(
        &mut self,
        context: &mut Context,
        object: Map<String, Value>,
    ) -> Result<(), MethodError> {
        let object = Value::Object(object);
        context.spend_on(&object)?;
        self.list.push(object);
        Ok(())
    }

    /// Notes an id without an object.
    pub fn missing(&mut self, id: String) {
        self.not_found.push(Value::String(id));
    }

    /// The response.
    pub fn answer(self, modseq: Modseq) -> Answer {
        let mut map = Map::new();
        map.insert("accountId".into(), ACCOUNT.into());
        map.insert("state".into(), state(modseq).into());
        map.insert("list".into(), self.list.into());
        map.insert("notFound".into(), self.not_found.into());
        Ok(map)
    }
}
