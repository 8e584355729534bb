//! The arguments of a method call, taken one by one with their types (RFC 8620 §1.2-1.4, §3.5).
//!
//! An argument that is absent or null has its default. Whatever is left at the end is unknown and
//! an error (RFC 8620 §3.9).
use serde_json::{Map, Value};

use super::error::MethodError;

/// Largest integer of the types Int and UnsignedInt (RFC 8620 §1.3): 2^53 - 1.
pub const MAX_INT: i64 = (1 << 53) - 1;

/// Arguments that have not been taken yet.
#[derive(Debug)]
pub struct Args(Map<String, Value>);

impl Args {
    /// Arguments whose references have been resolved.
    pub fn new(map: Map<String, Value>) -> Args {
        Args(map)
    }

    /// Takes an argument as it is; null when absent.
    pub fn value(&mut self, name: &str) -> Value {
        self.0.remove(name).unwrap_or(Value::Null)
    }

    /// Whether it was given, even as null.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// `Boolean`, false by default.
    pub fn flag(&mut self, name: &str) -> Result<bool, MethodError> {
        match self.value(name) {
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(value),
            _ => Err(wrong(name, "true or false")),
        }
    }

    /// `String|null`.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, MethodError> {
        match self.value(name) {
            Value::Null => Ok(None),
            Value::String(value) => Ok(Some(value)),
            _ => Err(wrong(name, "a string or null")),
        }
    }

    /// `String`, required.
    pub fn required(&mut self, name: &str) -> Result<String, MethodError> {
        self.text(name)?
            .ok_or_else(|| wrong(name, "a string, and required"))
    }

    /// `UnsignedInt|null`.
    pub fn unsigned(&mut self, name: &str) -> Result<Option<u64>, MethodError> {
        match self.int(name)? {
            None => Ok(None),
            Some(value) => u64::try_from(value)
                .map(Some)
                .map_err(|_| wrong(name, "a number that is not negative")),
        }
    }

    /// `Int|null`.
    pub fn int(&mut self, name: &str) -> Result<Option<i64>, MethodError> {
        match self.value(name) {
            Value::Null => Ok(None),
            value => value
                .as_i64()
                .filter(|n| (-MAX_INT..=MAX_INT).contains(n))
                .map(Some)
                .ok_or_else(|| wrong(name, "a whole number")),
        }
    }

    /// `String[]|null`.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>, MethodError> {
        match self.value(name) {
            Value::Null => Ok(None),
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Some(text),
                    _ => None,
                })
                .collect::<Option<Vec<_>>>()
                .map(Some)
                .ok_or_else(|| wrong(name, "an array of strings")),
            _ => Err(wrong(name, "an array of strings or null")),
        }
    }

    /// `String[*]|null`.
    pub fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, MethodError> {
        match self.value(name) {
            Value::Null => Ok(None),
            Value::Object(map) => Ok(Some(map)),
            _ => Err(wrong(name, "an object or null")),
        }
    }

    /// The same, required.
    pub fn required_object(&mut self, name: &str) -> Result<Map<String, Value>, MethodError> {
        self.object(name)?.ok_or_else(|| wrong(name, "an object"))
    }

    /// `Id[]`, required.
    pub fn ids(&mut self, name: &str) -> Result<Vec<String>, MethodError> {
        self.texts(name)?
            .ok_or_else(|| wrong(name, "an array of ids"))
    }

    /// Everything that is left.
    pub fn into_map(self) -> Map<String, Value> {
        self.0
    }

    /// Fails when something is left over.
    pub fn finish(self) -> Result<(), MethodError> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(MethodError::invalid(&format!("unknown argument {name:?}"))),
        }
    }
}

fn wrong(name: &str, want: &str) -> MethodError {
    MethodError::invalid(&format!("{name} must be {want}"))
}

/// Whether a text fits the Id type (RFC 8620 §1.2).
pub fn is_id(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}
