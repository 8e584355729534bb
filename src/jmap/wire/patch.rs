//! PatchObject (RFC 8620 §5.3): which properties an update sets, whole or member by member.
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::error::SetError;
use super::reference::unescape;

/// What a patch does to one property.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It has a new value; null means its default.
    Whole(Value),
    /// Members of an object are set (a value) or removed (null), by name.
    Members(BTreeMap<String, Value>),
}

/// The changes by property. The records here are one level deep at most, so a longer path can
/// only be wrong.
pub fn parse(patch: Map<String, Value>) -> Result<BTreeMap<String, Change>, SetError> {
    let mut out: BTreeMap<String, Change> = BTreeMap::new();
    for (path, value) in patch {
        let mut tokens = path.split('/').map(unescape);
        let property = tokens.next().flatten().ok_or_else(|| invalid(&path))?;
        let member = tokens.next();
        if tokens.next().is_some() {
            return Err(invalid(&path));
        }
        match member {
            None => {
                if out.insert(property, Change::Whole(value)).is_some() {
                    return Err(overlap(&path));
                }
            }
            Some(member) => {
                let member = member.ok_or_else(|| invalid(&path))?;
                let change = out
                    .entry(property)
                    .or_insert_with(|| Change::Members(BTreeMap::new()));
                let Change::Members(members) = change else {
                    return Err(overlap(&path));
                };
                members.insert(member, value);
            }
        }
    }
    Ok(out)
}

fn invalid(path: &str) -> SetError {
    SetError::new("invalidPatch").because(format!("{path:?} leads to nothing in this object"))
}

fn overlap(path: &str) -> SetError {
    SetError::new("invalidPatch").because(format!("{path:?} and a part of it are both patched"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Result<BTreeMap<String, Change>, &'static str> {
        let Value::Object(map) = value else { panic!() };
        parse(map).map_err(|e| e.kind())
    }

    #[test]
    fn forms() {
        let changes =
            of(json!({"keywords/$seen": true, "keywords/a~1b": null, "name": "x"})).unwrap();
        assert_eq!(changes["name"], Change::Whole(json!("x")));
        let Change::Members(members) = &changes["keywords"] else {
            panic!()
        };
        assert_eq!(members["a/b"], Value::Null);
        assert_eq!(
            of(json!({"keywords": {}, "keywords/x": true})),
            Err("invalidPatch")
        );
        assert_eq!(of(json!({"keywords/x/y": true})), Err("invalidPatch"));
        assert_eq!(of(json!({"keywords/~x": true})), Err("invalidPatch"));
    }
}
