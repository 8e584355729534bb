//! References to the results of earlier calls (RFC 8620 §3.7): JSON Pointer (RFC 6901) with `*`.
use serde_json::{Map, Value};

use super::error::MethodError;
use super::request::Invocation;

/// Replaces every `#name` argument by what it refers to among `responses`. What is copied is paid
/// for out of `budget` octets, so that a chain of references cannot double without end.
pub fn resolve(
    args: &mut Map<String, Value>,
    responses: &[Invocation],
    budget: &mut usize,
) -> Result<(), MethodError> {
    let names: Vec<String> = args
        .keys()
        .filter(|k| k.starts_with('#'))
        .cloned()
        .collect();
    for name in names {
        let plain = name.trim_start_matches('#').to_owned();
        if args.contains_key(&plain) {
            return Err(MethodError::invalid(&format!(
                "both {plain} and {name} are given"
            )));
        }
        let reference = args.remove(&name).unwrap_or(Value::Null);
        let value = look_up(&reference, responses)?;
        *budget = budget.checked_sub(weight(&value)).ok_or_else(|| {
            MethodError::new("requestTooLarge").because("the references copy too much")
        })?;
        args.insert(plain, value);
    }
    Ok(())
}

/// About how many octets of memory a value takes.
pub fn weight(value: &Value) -> usize {
    const EACH: usize = 32;
    match value {
        Value::String(text) => EACH + text.len(),
        Value::Array(items) => EACH + items.iter().map(weight).sum::<usize>(),
        Value::Object(map) => {
            EACH + map
                .iter()
                .map(|(k, v)| EACH + k.len() + weight(v))
                .sum::<usize>()
        }
        _ => EACH,
    }
}

fn look_up(reference: &Value, responses: &[Invocation]) -> Result<Value, MethodError> {
    let field = |name| reference.get(name).and_then(Value::as_str);
    let (Some(result_of), Some(name), Some(path)) =
        (field("resultOf"), field("name"), field("path"))
    else {
        return Err(failed("a reference has resultOf, name and path"));
    };
    // The first response with that id, even if a later one had the right name.
    let response = responses
        .iter()
        .find(|r| r.id == result_of)
        .ok_or_else(|| failed("no earlier response has this call id"))?;
    if response.name != name {
        return Err(failed(&format!("the response is {:?}", response.name)));
    }
    let tokens = tokens(path).ok_or_else(|| failed("the path is no JSON Pointer"))?;
    match tokens.split_first() {
        None => Ok(Value::Object(response.args.clone())),
        Some((first, rest)) => response
            .args
            .get(first.as_str())
            .and_then(|value| walk(value, rest))
            .ok_or_else(|| failed("the path leads nowhere")),
    }
}

fn failed(why: &str) -> MethodError {
    MethodError::new("invalidResultReference").because(why)
}

fn tokens(path: &str) -> Option<Vec<String>> {
    if path.is_empty() {
        return Some(Vec::new());
    }
    path.strip_prefix('/')?.split('/').map(unescape).collect()
}

/// One reference token with `~1` and `~0` decoded (RFC 6901 §4).
pub fn unescape(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match c {
            '~' => out.push(match chars.next()? {
                '0' => '~',
                '1' => '/',
                _ => return None,
            }),
            c => out.push(c),
        }
    }
    Some(out)
}

fn walk(value: &Value, tokens: &[String]) -> Option<Value> {
    let Some((token, rest)) = tokens.split_first() else {
        return Some(value.clone());
    };
    match value {
        Value::Object(map) => walk(map.get(token)?, rest),
        Value::Array(items) if token == "*" => {
            let mut out = Vec::new();
            for item in items {
                match walk(item, rest)? {
                    Value::Array(inner) => out.extend(inner),
                    one => out.push(one),
                }
            }
            Some(Value::Array(out))
        }
        Value::Array(items) => {
            let canonical = token == "0" || !token.starts_with('0');
            let digits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit());
            let index: usize = (canonical && digits)
                .then(|| token.parse().ok())
                .flatten()?;
            walk(items.get(index)?, rest)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn response(name: &str, args: Value, id: &str) -> Invocation {
        let Value::Object(args) = args else { panic!() };
        Invocation {
            name: name.into(),
            args,
            id: id.into(),
        }
    }

    fn ids(responses: &[Invocation], reference: Value) -> Result<Value, &'static str> {
        let mut args = Map::new();
        args.insert("#ids".into(), reference);
        resolve(&mut args, responses, &mut 1000).map_err(|e| &*e.kind().to_owned().leak())?;
        Ok(args.remove("ids").unwrap())
    }

    /// RFC 8620 §3.7.
    #[test]
    fn examples() {
        let responses = [
            response("Foo/changes", json!({"created": ["f1", "f4"]}), "t0"),
            response(
                "Email/get",
                json!({"list": [
                {"id": "msg1023", "threadId": "trd194"}, {"id": "msg223", "threadId": "trd114"}]}),
                "t1",
            ),
            response(
                "Thread/get",
                json!({"list": [
                {"id": "trd194", "emailIds": ["msg1020", "msg1021", "msg1023"]},
                {"id": "trd114", "emailIds": ["msg201", "msg223"]}]}),
                "t2",
            ),
        ];
        let of = |id: &str, name: &str, path: &str| {
            ids(
                &responses,
                json!({"resultOf": id, "name": name, "path": path}),
            )
        };
        assert_eq!(of("t0", "Foo/changes", "/created"), Ok(json!(["f1", "f4"])));
        assert_eq!(
            of("t1", "Email/get", "/list/*/threadId"),
            Ok(json!(["trd194", "trd114"]))
        );
        assert_eq!(
            of("t2", "Thread/get", "/list/*/emailIds"),
            Ok(json!(["msg1020", "msg1021", "msg1023", "msg201", "msg223"]))
        );
        assert_eq!(of("t0", "Foo/changes", "/created/1"), Ok(json!("f4")));
        let more = [response("Core/echo", json!({"a": "x".repeat(1000)}), "t3")];
        assert_eq!(
            ids(
                &more,
                json!({"resultOf": "t3", "name": "Core/echo", "path": ""})
            ),
            Err("requestTooLarge")
        );
        for (id, name, path) in [
            ("t9", "Foo/changes", "/created"),
            ("t0", "Foo/get", "/created"),
            ("t0", "Foo/changes", "/x"),
            ("t0", "Foo/changes", "created"),
            ("t0", "Foo/changes", "/created/01"),
            ("t0", "Foo/changes", "/created/~2"),
            ("t1", "Email/get", "/list/*/nothing"),
        ] {
            assert_eq!(of(id, name, path), Err("invalidResultReference"), "{path}");
        }
    }

    #[test]
    fn both_forms() {
        let mut args = Map::new();
        args.insert("ids".into(), json!([]));
        args.insert("#ids".into(), json!({}));
        assert_eq!(
            resolve(&mut args, &[], &mut 9).unwrap_err().kind(),
            "invalidArguments"
        );
    }
}
