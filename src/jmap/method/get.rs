//! Every /get (RFC 8620 §5.1).
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Answer;
use super::kind::Type;
use crate::jmap::context::{Context, account, state};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
use crate::jmap::wire::json::{list_or_null, or_null, put};
use crate::limits;

/// Objects between two turns of the other sessions.
const TURN: usize = 16;

/// The objects of a type.
pub async fn get(context: &mut Context, mut args: Args, kind: &dyn Type) -> Answer {
    if kind.is_of_account() {
        account(&mut args, "accountId", "accountNotFound")?;
    }
    let mut get = Get::parse(context, &mut args)?;
    if let Some(first) = kind.prepare(context) {
        first.await?;
    }
    // Before the objects: a state is never newer than the data told with it.
    let now = context.mail.meta().states.of(kind.data());
    let objects = kind.objects(context, &mut get, &mut args).await?;
    args.finish()?;
    let names = get.among(kind.properties())?;
    let ids = match get.ids {
        Some(ids) => ids,
        None => {
            let all = objects.all(context).ok_or_else(unnamed)?;
            all.into_iter().map(|id| kind.show(id)).collect()
        }
    };
    let (mut list, mut missing) = (Vec::new(), Vec::new());
    for (index, text) in ids.into_iter().enumerate() {
        if index % TURN == TURN - 1 {
            smol::future::yield_now().await;
        }
        let object = match kind.read(&text) {
            Some(id) => objects.object(context, id, &names)?,
            None => None,
        };
        match object {
            Some(object) => {
                let object = Value::Object(object);
                context.spend_on(&object)?;
                list.push(object);
            }
            None => missing.push(Value::String(text)),
        }
    }
    let mut map = Map::new();
    if kind.is_of_account() {
        put(&mut map, "accountId", ACCOUNT);
        put(&mut map, "state", state(now));
    }
    put(&mut map, "list", list);
    put(&mut map, "notFound", missing);
    Ok(map)
}

/// RFC 8620 §5.1: all of them only where the type supports it.
pub fn unnamed() -> MethodError {
    MethodError::new("requestTooLarge").because("name the ids of the objects")
}

/// The arguments of a /get.
pub struct Get {
    /// The ids, each once and in order; `None` asks for all.
    pub ids: Option<Vec<String>>,
    /// The properties, `None` for the type's default.
    pub properties: Option<Vec<String>>,
}

impl Get {
    /// Takes the standard arguments.
    fn parse(context: &Context, args: &mut Args) -> Result<Get, MethodError> {
        let ids = args.texts("ids")?;
        Ok(Get {
            ids: ids.map(|ids| unique(context, ids)).transpose()?,
            properties: args.texts("properties")?,
        })
    }

    /// The properties asked for among a type's, `id` first and always.
    fn among(&self, known: &[&'static str]) -> Result<Vec<&'static str>, MethodError> {
        let Some(wanted) = self.properties.as_ref().filter(|_| !known.is_empty()) else {
            return Ok(known.to_vec());
        };
        let mut out = vec!["id"];
        for name in wanted {
            let found = known.iter().find(|k| *k == name);
            let found = found
                .ok_or_else(|| MethodError::invalid(&format!("there is no property {name:?}")))?;
            if !out.contains(found) {
                out.push(found);
            }
        }
        Ok(out)
    }
}

/// What a /parse found (RFC 8621 §4.9).
#[derive(Default)]
pub struct Found {
    parsed: Map<String, Value>,
    not_parsable: Vec<Value>,
    not_found: Vec<Value>,
}

impl Found {
    /// Puts a blob where it belongs: there may be none, and in one no such object.
    pub fn add(
        &mut self,
        context: &mut Context,
        id: String,
        object: Option<Option<Map<String, Value>>>,
    ) -> Result<(), MethodError> {
        match object {
            Some(Some(object)) => {
                let object = Value::Object(object);
                context.spend_on(&object)?;
                self.parsed.insert(id, object);
            }
            Some(None) => self.not_parsable.push(id.into()),
            None => self.not_found.push(id.into()),
        }
        Ok(())
    }

    /// The response.
    pub fn answer(self) -> Map<String, Value> {
        let mut map = Map::new();
        put(&mut map, "accountId", ACCOUNT);
        put(&mut map, "parsed", or_null(self.parsed));
        put(&mut map, "notParsable", list_or_null(self.not_parsable));
        put(&mut map, "notFound", list_or_null(self.not_found));
        map
    }
}

/// Each id once, creation ids replaced; not too many.
pub fn unique(context: &Context, ids: Vec<String>) -> Result<Vec<String>, MethodError> {
    let ids = once(context, ids);
    if ids.len() > limits::JMAP_GET {
        return Err(MethodError::new("requestTooLarge").because("more ids than maxObjectsInGet"));
    }
    Ok(ids)
}

/// Each id once, creation ids replaced.
pub fn once(context: &Context, ids: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    ids.iter()
        .map(|id| context.resolve(id).to_owned())
        .filter(|id| seen.insert(id.clone()))
        .collect()
}
