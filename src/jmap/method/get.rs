//! Every /get (RFC 8620 §5.1).
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Answer;
use super::kind::Type;
use crate::jmap::context::{Context, account, state};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
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
        map.insert("accountId".into(), ACCOUNT.into());
        map.insert("state".into(), state(now).into());
    }
    map.insert("list".into(), list.into());
    map.insert("notFound".into(), missing.into());
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
    fn among(&self, known: &[&'static str]) -> Result<Vec<&'static str>, MethodError> {
        let Some(wanted) = self.properties.as_ref().filter(|_| !known.is_empty()) else {
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
