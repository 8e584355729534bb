//! Strict JSON within a budget: I-JSON (RFC 7493) as RFC 8620 §1.5 asks, so no name twice in one
//! object, and no more values than announced: ten megabytes of `[0,0,0` would be 300 in memory.
use std::cell::Cell;
use std::fmt;

use serde_core::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::SetError;

/// Why a text was refused.
#[derive(Debug, PartialEq, Eq)]
pub enum JsonError {
    /// It holds more values than the budget.
    TooMany,
    /// It is no I-JSON; the sentence says where.
    Syntax(String),
}

/// Parses one text of at most `budget` values (each element, member and name's value counts one).
pub fn parse(text: &[u8], budget: usize) -> Result<Value, JsonError> {
    let left = Cell::new(budget);
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Seed(&left)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        if left.get() == 0 {
            JsonError::TooMany
        } else {
            JsonError::Syntax(error.to_string())
        }
    })
}

/// Sets a member of an object.
pub fn put(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    set(map, name, value.into());
}

fn set(map: &mut Map<String, Value>, name: &str, value: Value) {
    map.insert(name.to_owned(), value);
}

/// The members of an object; `why` says what is one.
pub fn object(value: Value, why: &str) -> Result<Map<String, Value>, SetError> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(SetError::new("invalidProperties").because(why)),
    }
}

/// An object, or null where it is empty.
pub fn or_null(map: Map<String, Value>) -> Value {
    match map.is_empty() {
        true => Value::Null,
        false => Value::Object(map),
    }
}

/// A list, or null where it is empty.
pub fn list_or_null(list: Vec<Value>) -> Value {
    match list.is_empty() {
        true => Value::Null,
        false => Value::Array(list),
    }
}

/// Deserializes one value and pays for it.
#[derive(Clone, Copy)]
struct Seed<'a>(&'a Cell<usize>);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self
            .0
            .get()
            .checked_sub(1)
            .ok_or_else(|| D::Error::custom("too many values"))?;
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let value = access.next_value_seed(self)?;
            if map.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "the name {name:?} is given twice"
                )));
            }
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn strict() {
        assert_eq!(
            parse(br#"{"a":[1,-2,1.5,"x",null,true]}"#, 10),
            Ok(json!({"a": [1, -2, 1.5, "x", null, true]}))
        );
        assert!(matches!(
            parse(br#"{"a":1,"a":2}"#, 10),
            Err(JsonError::Syntax(_))
        ));
        assert!(matches!(
            parse(br#"["\ud800"]"#, 10),
            Err(JsonError::Syntax(_))
        ));
        assert!(matches!(parse(b"[1] x", 10), Err(JsonError::Syntax(_))));
        assert!(matches!(parse(b"\xff", 10), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn budget() {
        assert!(parse(b"[0,0,0]", 4).is_ok());
        assert_eq!(parse(b"[0,0,0,0]", 4), Err(JsonError::TooMany));
        let deep = "[".repeat(100_000);
        assert!(parse(deep.as_bytes(), 1_000_000).is_err());
    }
}
