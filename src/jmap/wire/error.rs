//! The errors of a method call (RFC 8620 §3.6.2) and of one record in a /set (§5.3): each is the JSON
//! object that tells it, so that a result with one is no larger than a pointer.
use serde_json::{Map, Value};

use super::json::put;

/// An error response that takes the place of a method's own.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodError(Box<Map<String, Value>>);

impl MethodError {
    /// An error of a type without more to say.
    pub fn new(kind: &'static str) -> MethodError {
        MethodError(told(kind))
    }

    /// Adds a sentence for whoever debugs the client.
    pub fn because(mut self, description: &str) -> MethodError {
        put(&mut self.0, "description", description);
        self
    }

    /// An argument is missing, unknown, of a wrong type or out of its range.
    pub fn invalid(description: &str) -> MethodError {
        MethodError::new("invalidArguments").because(description)
    }

    /// The error's type.
    pub fn kind(&self) -> &str {
        kind(&self.0)
    }

    /// The arguments of the `error` response.
    pub fn into_map(self) -> Map<String, Value> {
        *self.0
    }
}

/// Why one record was not created, updated or destroyed.
#[derive(Debug, Clone, PartialEq)]
pub struct SetError(Box<Map<String, Value>>);

impl SetError {
    /// An error of a type without more to say.
    pub fn new(kind: &'static str) -> SetError {
        SetError(told(kind))
    }

    /// Adds a sentence for whoever debugs the client.
    pub fn because(self, description: &str) -> SetError {
        self.with("description", description)
    }

    /// `invalidProperties`, naming one.
    pub fn property(name: &str, description: &str) -> SetError {
        let error = SetError::new("invalidProperties").because(description);
        error.with("properties", vec![Value::from(name)])
    }

    /// Adds the property that the type's own description asks for.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> SetError {
        put(&mut self.0, name, value);
        self
    }

    /// The error's type.
    pub fn kind(&self) -> &str {
        kind(&self.0)
    }
}

impl From<SetError> for Value {
    fn from(error: SetError) -> Value {
        Value::Object(*error.0)
    }
}

fn told(kind: &'static str) -> Box<Map<String, Value>> {
    let mut map = Map::new();
    put(&mut map, "type", kind);
    Box::new(map)
}

fn kind(map: &Map<String, Value>) -> &str {
    map.get("type").and_then(Value::as_str).unwrap_or_default()
}
