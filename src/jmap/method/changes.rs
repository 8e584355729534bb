//! What every /changes has in common (RFC 8620 §5.2).
use serde_json::{Map, Value};

use crate::jmap::context::{Context, account, parse_state, state};
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
use crate::limits;
use crate::mail::{Modseq, ObjectChanges};

/// The arguments of a /changes.
pub struct Since {
    /// The client's state.
    pub modseq: Modseq,
    /// Ids at most.
    pub max: usize,
}

impl Since {
    /// Takes the standard arguments.
    pub fn parse(context: &Context, mut args: Args) -> Result<Since, MethodError> {
        account(&mut args, "accountId", "accountNotFound")?;
        let since = args.required("sinceState")?;
        let max = max_changes(&mut args)?;
        args.finish()?;
        let modseq = parse_state(&since, context.mail.meta().modseq)?;
        Ok(Since {
            modseq,
            max: max.unwrap_or(limits::JMAP_QUERY).min(limits::JMAP_QUERY),
        })
    }

    /// The response.
    pub fn answer<Id: Copy>(
        &self,
        changes: &ObjectChanges<Id>,
        id: fn(Id) -> String,
    ) -> Map<String, Value> {
        let ids = |ids: &[Id]| ids.iter().map(|i| Value::from(id(*i))).collect::<Vec<_>>();
        let mut map = Map::new();
        map.insert("accountId".into(), ACCOUNT.into());
        map.insert("oldState".into(), state(self.modseq).into());
        map.insert("newState".into(), state(changes.modseq).into());
        map.insert("hasMoreChanges".into(), changes.more.into());
        map.insert("created".into(), ids(&changes.created).into());
        map.insert("updated".into(), ids(&changes.updated).into());
        map.insert("destroyed".into(), ids(&changes.destroyed).into());
        map
    }
}

/// Takes `maxChanges`, which must be positive.
pub fn max_changes(args: &mut Args) -> Result<Option<usize>, MethodError> {
    match args.unsigned("maxChanges")? {
        Some(0) => Err(MethodError::invalid("maxChanges must be greater than 0")),
        max => Ok(max.map(|n| usize::try_from(n).unwrap_or(usize::MAX))),
    }
}
