//! Every /query and /queryChanges (RFC 8620 §5.5, §5.6).
use serde_json::{Map, Value, json};

use super::Answer;
use super::changes::max_changes;
use super::kind::{Need, Type};
use crate::jmap::context::{Context, account, parse_state, state};
use crate::jmap::wire::args::{Args, MAX_INT};
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
use crate::jmap::wire::json::put;
use crate::limits;

/// The ids that a filter holds for, in order.
pub async fn query(context: &mut Context, mut args: Args, kind: &dyn Type) -> Answer {
    let window = Window::parse(context, &mut args)?;
    let mut question = kind.question(context, &mut args)?;
    args.finish()?;
    let now = context.mail.meta().states.of(kind.data());
    let counted = match question.counted(context).filter(|_| window.total) {
        Some(counting) => counting.await?,
        None => None,
    };
    let need = window.need(counted.is_some(), kind);
    let results = question.results(context, need).await?;
    let start = window.start(&results, kind)?;
    let ids = results.iter().skip(start).take(window.most());
    let ids: Vec<Value> = ids.map(|id| kind.show(*id).into()).collect();
    let mut map = Map::new();
    put(&mut map, "accountId", ACCOUNT);
    put(&mut map, "queryState", state(now));
    put(&mut map, "canCalculateChanges", true);
    put(&mut map, "position", start);
    put(&mut map, "ids", ids);
    if window.total {
        let total = counted.map_or(results.len(), |total| total as usize);
        put(&mut map, "total", total);
    }
    if window.limit.is_none_or(|asked| asked > limits::JMAP_QUERY) {
        put(&mut map, "limit", limits::JMAP_QUERY);
    }
    Ok(map)
}

/// How the results changed. Whatever was touched is taken out and, where it is still among the
/// results, put back at its place.
pub async fn query_changes(context: &mut Context, mut args: Args, kind: &dyn Type) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let since = args.required("sinceQueryState")?;
    let max = max_changes(&mut args)?;
    let up_to = args.text("upToId")?;
    let total = args.flag("calculateTotal")?;
    let mut question = kind.question(context, &mut args)?;
    args.finish()?;
    let meta = context.mail.meta();
    let modseq = parse_state(&since, meta.modseq)?;
    let mut touched = question.touched(context, modseq).await?;
    touched.sort_unstable();
    touched.dedup();
    let all = Need {
        reach: usize::MAX,
        anchor: None,
    };
    let results = question.results(context, all).await?;
    // RFC 8620 §5.6: only when neither filter nor sort can change for an object.
    let up_to = up_to.filter(|_| question.is_immutable());
    let up_to = up_to.and_then(|id| kind.read(&id));
    let last = up_to.and_then(|up_to| results.iter().position(|id| *id == up_to));
    let results = results.iter().enumerate();
    let count = results.len();
    let added: Vec<Value> = results
        .filter(|(_, id)| touched.binary_search(id).is_ok())
        .take_while(|(index, _)| last.is_none_or(|last| *index <= last))
        .map(|(index, id)| json!({ "id": kind.show(*id), "index": index }))
        .collect();
    let removed: Vec<Value> = touched.iter().map(|id| kind.show(*id).into()).collect();
    if max.is_some_and(|max| added.len() + removed.len() > max) {
        return Err(MethodError::new("tooManyChanges"));
    }
    let mut map = Map::new();
    put(&mut map, "accountId", ACCOUNT);
    put(&mut map, "oldQueryState", since);
    put(
        &mut map,
        "newQueryState",
        state(meta.states.of(kind.data())),
    );
    if total {
        put(&mut map, "total", count);
    }
    put(&mut map, "removed", removed);
    put(&mut map, "added", added);
    Ok(map)
}

/// Which part of the results a client wants to see.
struct Window {
    position: i64,
    anchor: Option<String>,
    anchor_offset: i64,
    limit: Option<usize>,
    /// Whether it wants to know how many there are.
    total: bool,
}

impl Window {
    /// Takes the standard arguments but for filter and sort.
    fn parse(context: &Context, args: &mut Args) -> Result<Window, MethodError> {
        account(args, "accountId", "accountNotFound")?;
        let anchor = args
            .text("anchor")?
            .map(|id| context.resolve(&id).to_owned());
        let limit = args.unsigned("limit")?;
        Ok(Window {
            position: args.int("position")?.unwrap_or(0),
            anchor,
            anchor_offset: args.int("anchorOffset")?.unwrap_or(0),
            limit: limit.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
            total: args.flag("calculateTotal")?,
        })
    }

    /// Ids at most.
    fn most(&self) -> usize {
        self.limit.unwrap_or(usize::MAX).min(limits::JMAP_QUERY)
    }

    /// What is needed of the results; `counted`: the total is known already.
    fn need(&self, counted: bool, kind: &dyn Type) -> Need {
        let all = Need {
            reach: usize::MAX,
            anchor: None,
        };
        if self.total && !counted {
            return all;
        }
        let after = |offset: i64| {
            let from = usize::try_from(offset).unwrap_or(0);
            from.saturating_add(self.most())
        };
        match &self.anchor {
            Some(anchor) => Need {
                anchor: kind.read(anchor).map(|id| (id, after(self.anchor_offset))),
                ..all
            },
            None if self.position < 0 => all,
            None => Need {
                reach: after(self.position),
                ..all
            },
        }
    }

    /// Where the part begins, given all results in order or as many as are needed.
    fn start(&self, results: &[u64], kind: &dyn Type) -> Result<usize, MethodError> {
        let total = results.len() as i64;
        let start = match &self.anchor {
            Some(anchor) => {
                let anchor = kind.read(anchor);
                let index = results.iter().position(|id| Some(*id) == anchor);
                let index = index.ok_or_else(|| MethodError::new("anchorNotFound"))?;
                (index as i64).saturating_add(self.anchor_offset).max(0)
            }
            None if self.position < 0 => (total + self.position).max(0),
            None => self.position.min(MAX_INT),
        };
        Ok(usize::try_from(start).unwrap_or(usize::MAX))
    }
}
