//! What every /query and /queryChanges has in common (RFC 8620 §5.5, §5.6).
use std::collections::HashSet;
use std::hash::Hash;

use serde_json::{Map, Value, json};

use super::Answer;
use super::changes::max_changes;
use crate::jmap::context::{Context, account, parse_state, state};
use crate::jmap::wire::args::{Args, MAX_INT};
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
use crate::limits;
use crate::mail::Modseq;

/// Which part of the results a client wants to see.
pub struct Window {
    position: i64,
    anchor: Option<String>,
    anchor_offset: i64,
    limit: Option<usize>,
    /// Whether it wants to know how many there are.
    pub total: bool,
}

impl Window {
    /// Takes the standard arguments but for filter and sort.
    pub fn parse(context: &Context, args: &mut Args) -> Result<Window, MethodError> {
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

    /// How many results from the beginning are needed, when the rest makes no difference;
    /// `counted`: the total is known already.
    pub fn reach(&self, counted: bool) -> Option<usize> {
        if (self.total && !counted) || self.anchor.is_some() || self.position < 0 {
            return None;
        }
        let from = usize::try_from(self.position).ok()?;
        from.checked_add(self.limit.unwrap_or(usize::MAX).min(limits::JMAP_QUERY))
    }

    /// The response, given all results in order (or as many as [`Window::reach`] wants).
    pub fn answer<T: Copy>(&self, results: &[T], modseq: Modseq, id: fn(T) -> String) -> Answer {
        let total = results.len();
        let start = self.start(results, id)?;
        let limit = self.limit.unwrap_or(usize::MAX).min(limits::JMAP_QUERY);
        let end = start.saturating_add(limit).min(total);
        let ids: Vec<Value> = results
            .get(start..end)
            .unwrap_or_default()
            .iter()
            .map(|item| Value::from(id(*item)))
            .collect();
        let mut map = Map::new();
        map.insert("accountId".into(), ACCOUNT.into());
        map.insert("queryState".into(), state(modseq).into());
        map.insert("canCalculateChanges".into(), true.into());
        map.insert("position".into(), start.into());
        map.insert("ids".into(), ids.into());
        if self.total {
            map.insert("total".into(), total.into());
        }
        if self.limit.is_none_or(|asked| asked > limits::JMAP_QUERY) {
            map.insert("limit".into(), limits::JMAP_QUERY.into());
        }
        Ok(map)
    }

    fn start<T: Copy>(&self, results: &[T], id: fn(T) -> String) -> Result<usize, MethodError> {
        let total = results.len() as i64;
        let start = match &self.anchor {
            Some(anchor) => {
                let index = results.iter().position(|item| id(*item) == *anchor);
                let index = index.ok_or_else(|| MethodError::new("anchorNotFound"))?;
                (index as i64).saturating_add(self.anchor_offset).max(0)
            }
            None if self.position < 0 => (total + self.position).max(0),
            None => self.position.min(MAX_INT),
        };
        Ok(usize::try_from(start).unwrap_or(usize::MAX))
    }
}

/// The arguments of a /queryChanges but for filter and sort.
pub struct QuerySince {
    /// The client's state.
    pub modseq: Modseq,
    max: Option<usize>,
    up_to: Option<String>,
    total: bool,
}

impl QuerySince {
    /// Takes the standard arguments.
    pub fn parse(context: &Context, args: &mut Args) -> Result<QuerySince, MethodError> {
        account(args, "accountId", "accountNotFound")?;
        let since = args.required("sinceQueryState")?;
        let max = max_changes(args)?;
        let up_to = args.text("upToId")?;
        let total = args.flag("calculateTotal")?;
        let modseq = parse_state(&since, context.mail.meta().modseq)?;
        Ok(QuerySince {
            modseq,
            max,
            up_to,
            total,
        })
    }

    /// The response: `touched` is everything that may have been in the old results and is not, or
    /// may have moved; of it, what is in `results` now is put back at its place.
    pub fn answer<T: Copy + Eq + Hash>(
        &self,
        results: &[T],
        touched: &HashSet<T>,
        immutable: bool,
        now: Modseq,
        id: fn(T) -> String,
    ) -> Answer {
        let added = results
            .iter()
            .enumerate()
            .filter(|(_, item)| touched.contains(item));
        // RFC 8620 §5.6: only when neither filter nor sort can change for an object.
        let up_to = self.up_to.as_ref().filter(|_| immutable);
        let last = up_to.and_then(|up_to| results.iter().position(|item| id(*item) == *up_to));
        let added: Vec<Value> = added
            .take_while(|(index, _)| last.is_none_or(|last| *index <= last))
            .map(|(index, item)| json!({ "id": id(*item), "index": index }))
            .collect();
        let removed: Vec<Value> = touched.iter().map(|item| Value::from(id(*item))).collect();
        if self
            .max
            .is_some_and(|max| added.len() + removed.len() > max)
        {
            return Err(MethodError::new("tooManyChanges"));
        }
        let mut map = Map::new();
        map.insert("accountId".into(), ACCOUNT.into());
        map.insert("oldQueryState".into(), state(self.modseq).into());
        map.insert("newQueryState".into(), state(now).into());
        if self.total {
            map.insert("total".into(), results.len().into());
        }
        map.insert("removed".into(), removed.into());
        map.insert("added".into(), added.into());
        Ok(map)
    }
}
