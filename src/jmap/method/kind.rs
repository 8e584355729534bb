//! What get, changes, query and queryChanges (RFC 8620 §5) ask of a type: they are written once, each
//! in the file of its name, and a type says only what is its own.
use serde_json::{Map, Value};

use super::Running;
use super::get::Get;
use crate::jmap::context::Context;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id;
use crate::jmap::wire::json::put;
use crate::mail::{DataType, Modseq, ObjectChanges};

/// A type of objects. To these methods an id is a number; only the type knows how it is written.
pub trait Type: Sync {
    /// Whose states its are.
    fn data(&self) -> DataType;

    /// What an id begins with.
    fn letter(&self) -> char;

    /// An id as clients see it.
    fn show(&self, number: u64) -> String {
        id::show(self.letter(), number)
    }

    /// Reads an id.
    fn read(&self, text: &str) -> Option<u64> {
        id::read(self.letter(), text)
    }

    /// Whether it belongs to an account (RFC 8620 §7.2: one does not).
    fn is_of_account(&self) -> bool {
        true
    }

    /// Its properties; none where [`Type::objects`] knows better.
    fn properties(&self) -> &'static [&'static str] {
        &[]
    }

    /// What must be done before a /get or a /changes looks.
    fn prepare<'a>(&'a self, _: &'a Context) -> Option<Running<'a, ()>> {
        None
    }

    /// The objects as they are now. Takes the arguments of /get that only this type has.
    fn objects<'a>(
        &'a self,
        context: &'a Context,
        get: &'a mut Get,
        args: &'a mut Args,
    ) -> Running<'a, Box<dyn Objects>>;

    /// What happened since: what the engine remembers of records, where a type is made of them.
    fn changes<'a>(
        &'a self,
        context: &'a Context,
        since: Modseq,
        max: usize,
    ) -> Running<'a, Changed> {
        let changes = context.mail.record_changes(self.data(), since, max);
        done(changes.map(Changed::from).map_err(MethodError::from))
    }

    /// Takes filter, sort and what else only this type has of a /query; the types without one are in
    /// no line of the table.
    fn question(&self, _: &Context, _: &mut Args) -> Result<Box<dyn Question>, MethodError> {
        Err(MethodError::new("unknownMethod"))
    }
}

/// The objects of a type at one time.
pub trait Objects {
    /// The ids of all; None: they have to be named (RFC 8620 §5.1).
    fn all(&self, context: &Context) -> Option<Vec<u64>>;

    /// An object with these properties, if it exists.
    fn object(
        &self,
        context: &Context,
        id: u64,
        names: &[&'static str],
    ) -> Result<Option<Map<String, Value>>, MethodError>;
}

/// Objects of which there are few: all are at hand.
pub struct Few<T> {
    /// They and their ids.
    pub all: Vec<(u64, T)>,
    /// A property of one.
    pub value: fn(u64, &T, &str) -> Value,
}

impl<T: 'static> Few<T> {
    /// As [`Type::objects`] answers them.
    pub fn at_hand<'a>(
        all: Vec<(u64, T)>,
        value: fn(u64, &T, &str) -> Value,
    ) -> Running<'a, Box<dyn Objects>> {
        done(Ok(Box::new(Few { all, value })))
    }
}

impl<T> Objects for Few<T> {
    fn all(&self, _: &Context) -> Option<Vec<u64>> {
        Some(self.all.iter().map(|(id, _)| *id).collect())
    }

    fn object(
        &self,
        _: &Context,
        id: u64,
        names: &[&'static str],
    ) -> Result<Option<Map<String, Value>>, MethodError> {
        let found = self.all.iter().find(|(of, _)| *of == id);
        Ok(found.map(|(id, it)| object(names, &mut |name| (self.value)(*id, it, name))))
    }
}

/// An object of these properties.
pub fn object(names: &[&str], value: &mut dyn FnMut(&str) -> Value) -> Map<String, Value> {
    let mut map = Map::new();
    for name in names {
        put(&mut map, name, value(name));
    }
    map
}

/// What happened to the objects of a type.
pub struct Changed {
    /// To which.
    pub changes: ObjectChanges<u64>,
    /// `updatedProperties`, for the types that have it.
    pub properties: Option<Value>,
}

impl From<ObjectChanges<u64>> for Changed {
    fn from(changes: ObjectChanges<u64>) -> Changed {
        Changed {
            changes,
            properties: None,
        }
    }
}

/// How many of the results are looked at.
pub struct Need {
    /// So many from the beginning at least.
    pub reach: usize,
    /// Or this one, and so many from it on.
    pub anchor: Option<(u64, usize)>,
}

/// The filter and the sort of a /query or a /queryChanges, understood.
pub trait Question {
    /// How many results there are, where that is known without them.
    fn counted<'a>(&'a self, _: &'a Context) -> Option<Running<'a, Option<u32>>> {
        None
    }

    /// The results in order, all or as many as are needed.
    fn results<'a>(&'a mut self, context: &'a Context, need: Need) -> Running<'a, Vec<u64>>;

    /// Everything that may have been among the results and is not, or may have moved, in any order,
    /// even twice.
    fn touched<'a>(&'a self, context: &'a Context, since: Modseq) -> Running<'a, Vec<u64>>;

    /// Whether neither filter nor sort can change for an object (RFC 8620 §5.6).
    fn is_immutable(&self) -> bool {
        false
    }
}

/// What is known without waiting.
pub fn done<'a, T: 'a>(result: Result<T, MethodError>) -> Running<'a, T> {
    Box::pin(std::future::ready(result))
}
