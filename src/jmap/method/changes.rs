//! Every /changes (RFC 8620 §5.2).
use serde_json::{Map, Value};

use super::Answer;
use super::kind::Type;
use crate::jmap::context::{Context, account, parse_state, state};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
use crate::jmap::wire::json::put;
use crate::limits;

/// What happened to the objects of a type.
pub async fn changes(context: &mut Context, mut args: Args, kind: &dyn Type) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let since = args.required("sinceState")?;
    let max = max_changes(&mut args)?;
    args.finish()?;
    let modseq = parse_state(&since, context.mail.meta().modseq)?;
    let max = max.unwrap_or(limits::JMAP_QUERY).min(limits::JMAP_QUERY);
    if let Some(first) = kind.prepare(context) {
        first.await?;
    }
    let changed = kind.changes(context, modseq, max).await?;
    let changes = &changed.changes;
    let ids = |ids: &[u64]| ids.iter().map(|id| kind.show(*id).into()).collect();
    let mut map = Map::new();
    put(&mut map, "accountId", ACCOUNT);
    put(&mut map, "oldState", since);
    put(&mut map, "newState", state(changes.modseq));
    put(&mut map, "hasMoreChanges", changes.more);
    put(&mut map, "created", Value::Array(ids(&changes.created)));
    put(&mut map, "updated", Value::Array(ids(&changes.updated)));
    put(&mut map, "destroyed", Value::Array(ids(&changes.destroyed)));
    if let Some(properties) = changed.properties {
        put(&mut map, "updatedProperties", properties);
    }
    Ok(map)
}

/// Takes `maxChanges`, which must be positive.
pub fn max_changes(args: &mut Args) -> Result<Option<usize>, MethodError> {
    match args.unsigned("maxChanges")? {
        Some(0) => Err(MethodError::invalid("maxChanges must be greater than 0")),
        max => Ok(max.map(|n| usize::try_from(n).unwrap_or(usize::MAX))),
    }
}
