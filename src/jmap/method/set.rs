//! What every /set has in common (RFC 8620 §5.3).
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::Answer;
use super::get::once;
use crate::jmap::context::{Context, account, state};
use crate::jmap::wire::args::{Args, is_id};
use crate::jmap::wire::error::{MethodError, SetError};
use crate::jmap::wire::id::ACCOUNT;
use crate::jmap::wire::json::{list_or_null, or_null, put};
use crate::limits;
use crate::mail::{self, DataType, Error, Expect, Modseq, Own};

/// The arguments of a /set.
pub struct Set {
    /// Objects to make, by creation id.
    pub create: Map<String, Value>,
    /// Patches, by id; creation ids are replaced already.
    pub update: Vec<(String, Value)>,
    /// Ids; creation ids of earlier calls are replaced already.
    pub destroy: Vec<String>,
    /// What is answered.
    pub done: Done,
}

impl Set {
    /// Takes the standard arguments.
    pub fn parse(context: &Context, args: &mut Args, kind: DataType) -> Result<Set, MethodError> {
        account(args, "accountId", "accountNotFound")?;
        let done = Done::begin(context, args, kind)?;
        Set::bare(args, done)
    }

    /// The same without what belongs to an account.
    pub fn bare(args: &mut Args, done: Done) -> Result<Set, MethodError> {
        let create = args.object("create")?.unwrap_or_default();
        let update = args.object("update")?.unwrap_or_default();
        let destroy = args.texts("destroy")?.unwrap_or_default();
        if create.len() + update.len() + destroy.len() > limits::JMAP_SET {
            return Err(
                MethodError::new("requestTooLarge").because("more objects than maxObjectsInSet")
            );
        }
        check_new(&create, "")?;
        let update = update.into_iter().collect();
        Ok(Set {
            create,
            update,
            destroy,
            done,
        })
    }

    /// Refuses updates of what will be destroyed (`willDestroy`) and repeated ids.
    pub fn settle(&mut self, context: &Context) {
        self.destroy = once(context, std::mem::take(&mut self.destroy));
        let seen: HashSet<String> = self.destroy.iter().cloned().collect();
        for (id, patch) in std::mem::take(&mut self.update) {
            let id = context.resolve(&id).to_owned();
            if seen.contains(&id) {
                self.done.not_updated(&id, SetError::new("willDestroy"));
            } else {
                self.update.push((id, patch));
            }
        }
    }
}

/// Refuses creation ids that are none, and, saying `more`, too many of them.
pub fn check_new(create: &Map<String, Value>, more: &str) -> Result<(), MethodError> {
    if create.len() > limits::JMAP_SET {
        return Err(MethodError::new("requestTooLarge").because(more));
    }
    match create.keys().find(|id| !is_id(id)) {
        Some(bad) => Err(MethodError::invalid(&format!("{bad:?} is no creation id"))),
        None => Ok(()),
    }
}

/// What a /set has done so far.
///
/// A client whose own state is `oldState` goes on from `newState` without asking what lies between
/// (RFC 8620 §5.3). So that must be this call's own changes and nothing else: where others came in
/// between, the old state is not known.
pub struct Done {
    kind: DataType,
    /// The client said in which state this is to be done, and others may not come in between.
    strict: bool,
    /// They did.
    stale: bool,
    before: Modseq,
    /// Where the last change of our own led to.
    now: Modseq,
    /// Others came in between.
    mixed: bool,
    created: Map<String, Value>,
    updated: Map<String, Value>,
    destroyed: Vec<Value>,
    not_created: Map<String, Value>,
    not_updated: Map<String, Value>,
    not_destroyed: Map<String, Value>,
}

impl Done {
    /// Nothing so far. Takes `ifInState` and compares it; the engine compares again with each
    /// operation, see [`Done::next`].
    pub fn begin(context: &Context, args: &mut Args, kind: DataType) -> Result<Done, MethodError> {
        let mut done = Done::new(context, kind);
        let wanted = args.text("ifInState")?;
        if wanted
            .as_ref()
            .is_some_and(|want| *want != state(done.before))
        {
            return Err(MethodError::new("stateMismatch"));
        }
        done.strict = wanted.is_some();
        Ok(done)
    }

    /// Nothing so far, in whatever state.
    pub fn new(context: &Context, kind: DataType) -> Done {
        let before = context.mail.meta().states.of(kind);
        Done {
            kind,
            strict: false,
            stale: false,
            before,
            now: before,
            mixed: false,
            created: Map::new(),
            updated: Map::new(),
            destroyed: Vec::new(),
            not_created: Map::new(),
            not_updated: Map::new(),
            not_destroyed: Map::new(),
        }
    }

    /// What the next operation is to find: the client's state, or what our own operations made of
    /// it (RFC 8620 §5.3).
    pub fn next(&self) -> Expect {
        Expect(self.strict.then_some((self.kind, self.now)))
    }

    /// What one operation did.
    pub fn own(&mut self, own: &Own) {
        let (before, after) = (own.before.of(self.kind), own.after.of(self.kind));
        if before != after {
            self.mixed |= before != self.now;
            self.now = after;
        }
    }

    /// What came of making an object; its `id` is known to later references from here on.
    pub fn made(
        &mut self,
        context: &mut Context,
        name: &str,
        made: Result<(Map<String, Value>, Own), SetError>,
    ) {
        let (object, own) = match made {
            Ok(made) => made,
            Err(error) => return self.not_created(name, error),
        };
        self.own(&own);
        if let Some(id) = object.get("id") {
            put(&mut context.created, name, id.clone());
        }
        put(&mut self.created, name, object);
    }

    /// What came of changing an object: properties that are something else than the client said.
    pub fn changed(&mut self, id: &str, changed: Result<Map<String, Value>, SetError>) {
        match changed {
            Ok(told) => put(&mut self.updated, id, or_null(told)),
            Err(error) => self.not_updated(id, error),
        }
    }

    /// What came of taking an object away.
    pub fn gone(&mut self, id: &str, gone: Result<(), SetError>) {
        match gone {
            Ok(()) => self.destroyed.push(id.into()),
            Err(error) => self.not_destroyed(id, error),
        }
    }

    /// What came of updates, or with `gone` of ends, that the engine was asked for at once: one outcome
    /// for each id.
    pub fn all(
        &mut self,
        ids: &[String],
        gone: bool,
        done: mail::Result<(Vec<mail::Result<()>>, Own)>,
    ) -> Result<(), MethodError> {
        let (results, own) = match done {
            Ok((results, own)) => (results, Some(own)),
            // Others were quicker: none of it was done.
            Err(Error::StateMismatch) => {
                let each = ids.iter().map(|_| Err(Error::StateMismatch));
                (each.collect(), None)
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(own) = own {
            self.own(&own);
        }
        for (id, result) in ids.iter().zip(results) {
            let result = result.map_err(SetError::from);
            match gone {
                false => self.changed(id, result.map(|()| Map::new())),
                true => self.gone(id, result),
            }
        }
        Ok(())
    }

    /// An object was not made.
    pub fn not_created(&mut self, name: &str, error: SetError) {
        self.look(&error);
        put(&mut self.not_created, name, error);
    }

    /// An object was not changed.
    pub fn not_updated(&mut self, id: &str, error: SetError) {
        self.look(&error);
        put(&mut self.not_updated, id, error);
    }

    /// An object is still there.
    pub fn not_destroyed(&mut self, id: &str, error: SetError) {
        self.look(&error);
        put(&mut self.not_destroyed, id, error);
    }

    /// Whether others changed objects of the type between two operations of one call that was to find
    /// a certain state. What is done by then is done (RFC 8620 §5.3: each record on its own), the rest
    /// is not.
    fn look(&mut self, error: &SetError) {
        self.stale |= error.kind() == "stateMismatch";
    }

    /// The response of a /set. Every key is there, null where empty: some clients insist.
    pub fn answer(self) -> Answer {
        // Others were quicker, and nothing was done: the method as a whole did not run.
        let idle = self.created.is_empty() && self.updated.is_empty() && self.destroyed.is_empty();
        if self.stale && idle {
            return Err(MethodError::new("stateMismatch"));
        }
        let before = (!self.mixed).then(|| state(self.before));
        let mut map = Map::new();
        put(&mut map, "accountId", ACCOUNT);
        put(&mut map, "oldState", before);
        put(&mut map, "newState", state(self.now));
        put(&mut map, "created", or_null(self.created));
        put(&mut map, "updated", or_null(self.updated));
        put(&mut map, "destroyed", list_or_null(self.destroyed));
        put(&mut map, "notCreated", or_null(self.not_created));
        put(&mut map, "notUpdated", or_null(self.not_updated));
        put(&mut map, "notDestroyed", or_null(self.not_destroyed));
        Ok(map)
    }

    /// The response of a type that is of no account: without its states.
    pub fn answer_bare(self) -> Answer {
        let mut map = self.answer()?;
        for name in ["accountId", "oldState", "newState"] {
            map.remove(name);
        }
        Ok(map)
    }

    /// The response of an /import or /copy: no updates, nothing destroyed.
    pub fn answer_created(self) -> Answer {
        let mut map = self.answer()?;
        for name in ["updated", "destroyed", "notUpdated", "notDestroyed"] {
            map.remove(name);
        }
        Ok(map)
    }
}
