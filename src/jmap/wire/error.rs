//! The errors of a method call (RFC 8620 §3.6.2) and of one record in a /set (§5.3).
use serde_json::{Map, Value};

/// An error response that takes the place of a method's own.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodError {
    kind: &'static str,
    description: Option<String>,
}

impl MethodError {
    /// An error of a type without more to say.
    pub fn new(kind: &'static str) -> MethodError {
        MethodError {
            kind,
            description: None,
        }
    }

    /// Adds a sentence for whoever debugs the client.
    pub fn because(mut self, description: impl Into<String>) -> MethodError {
        self.description = Some(description.into());
        self
    }

    /// An argument is missing, unknown, of a wrong type or out of its range.
    pub fn invalid(description: impl Into<String>) -> MethodError {
        MethodError::new("invalidArguments").because(description)
    }

    /// The error's type.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The arguments of the `error` response.
    pub fn into_map(self) -> Map<String, Value> {
        let mut map = Map::new();
        map.insert("type".into(), self.kind.into());
        if let Some(description) = self.description {
            map.insert("description".into(), description.into());
        }
        map
    }
}

/// Why one record was not created, updated or destroyed.
#[derive(Debug, Clone, PartialEq)]
pub struct SetError {
    kind: &'static str,
    description: Option<String>,
    properties: Vec<String>,
    extra: Option<(&'static str, Value)>,
}

impl SetError {
    /// An error of a type without more to say.
    pub fn new(kind: &'static str) -> SetError {
        SetError {
            kind,
            description: None,
            properties: Vec::new(),
            extra: None,
        }
    }

    /// Adds a sentence for whoever debugs the client.
    pub fn because(mut self, description: impl Into<String>) -> SetError {
        self.description = Some(description.into());
        self
    }

    /// `invalidProperties`, naming one.
    pub fn property(name: impl Into<String>, description: impl Into<String>) -> SetError {
        let mut error = SetError::new("invalidProperties").because(description);
        error.properties.push(name.into());
        error
    }

    /// Adds the property that the type's own description asks for.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> SetError {
        self.extra = Some((name, value.into()));
        self
    }

    /// The error's type.
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

impl From<SetError> for Value {
    fn from(error: SetError) -> Value {
        let mut map = Map::new();
        map.insert("type".into(), error.kind.into());
        if let Some(description) = error.description {
            map.insert("description".into(), description.into());
        }
        if !error.properties.is_empty() {
            map.insert("properties".into(), error.properties.into());
        }
        if let Some((name, value)) = error.extra {
            map.insert(name.into(), value);
        }
        Value::Object(map)
    }
}
