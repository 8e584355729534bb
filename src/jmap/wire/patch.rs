//! PatchObject (RFC 8620 §5.3): which properties an update sets, whole or member by member.
use serde_json::{Map, Value};

use super::error::SetError;
use super::reference::unescape;

/// What a patch does to one property.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// It has a new value; null means its default.
    Whole(Value),
    /// Members of an object are set (a value) or removed (null), by name.
    Members(Map<String, Value>),
}

impl Change {
    /// The new value of a property, `name`, that is no object.
    pub fn whole(self, name: &str) -> Result<Value, SetError> {
        match self {
            Change::Whole(value) => Ok(value),
            Change::Members(_) => {
                Err(SetError::new("invalidPatch").because(&format!("{name} has no members")))
            }
        }
    }
}

/// The changes by property. The records here are one level deep at most, so a longer path can
/// only be wrong.
///
/// Paths come in order, so those of one property stand together: a name that could stand between
/// them is no property of any type.
pub fn parse(patch: Value) -> Result<Vec<(String, Change)>, SetError> {
    let Value::Object(patch) = patch else {
        return Err(SetError::new("invalidPatch").because("a patch is an object"));
    };
    let mut out: Vec<(String, Change)> = Vec::new();
    for (path, value) in patch {
        let mut tokens = path.split('/').map(unescape);
        let property = tokens.next().flatten().ok_or_else(|| invalid(&path))?;
        let member = tokens.next();
        if tokens.next().is_some() {
            return Err(invalid(&path));
        }
        let member = member.map(|it| it.ok_or_else(|| invalid(&path)));
        let before = out.last_mut().filter(|(name, _)| *name == property);
        match (before, member.transpose()?) {
            (None, None) => out.push((property, Change::Whole(value))),
            (None, Some(member)) => {
                let members = Map::from_iter([(member, value)]);
                out.push((property, Change::Members(members)));
            }
            (Some((_, Change::Members(members))), Some(member)) => {
                members.insert(member, value);
            }
            (Some(_), _) => return Err(overlap(&path)),
        }
    }
    Ok(out)
}

fn invalid(path: &str) -> SetError {
    SetError::new("invalidPatch").because(&format!("{path:?} leads to nothing in this object"))
}

fn overlap(path: &str) -> SetError {
    SetError::new("invalidPatch").because(&format!("{path:?} and a part of it are both patched"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> Result<Vec<(String, Change)>, String> {
        parse(value).map_err(|e| e.kind().to_owned())
    }

    #[test]
    fn forms() {
        let changes =
            of(json!({"keywords/$seen": true, "keywords/a~1b": null, "name": "x"})).unwrap();
        let [(keywords, Change::Members(members)), (name, new)] = changes.as_slice() else {
            panic!("{changes:?}")
        };
        assert_eq!((keywords.as_str(), name.as_str()), ("keywords", "name"));
        assert_eq!(members["a/b"], Value::Null);
        assert_eq!(*new, Change::Whole(json!("x")));
        for wrong in [
            json!({"keywords": {}, "keywords/x": true}),
            json!({"keywords/x/y": true}),
            json!({"keywords/~x": true}),
            json!([]),
        ] {
            assert_eq!(of(wrong), Err("invalidPatch".to_owned()));
        }
    }
}
