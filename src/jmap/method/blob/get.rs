//! Blob/get (RFC 9404 §4.2): a range of a blob, its digests, its size.
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use serde_json::{Map, Value};

use super::{Answer, DIGESTS};
use crate::jmap::blob::open;
use crate::jmap::context::{Context, account};
use crate::jmap::method::get::unique;
use crate::jmap::wire::args::Args;
use crate::jmap::wire::error::MethodError;
use crate::jmap::wire::id::ACCOUNT;
use crate::jmap::wire::json::put;

/// What is wanted of each blob.
struct Wanted {
    text: bool,
    base64: bool,
    either: bool,
    size: bool,
    digests: Vec<(&'static str, &'static digest::Algorithm)>,
    offset: u64,
    length: Option<u64>,
}

impl Wanted {
    fn parse(args: &mut Args) -> Result<Wanted, MethodError> {
        let names = args.texts("properties")?;
        let names = names.unwrap_or_else(|| vec!["data".into(), "size".into()]);
        let mut wanted = Wanted {
            text: false,
            base64: false,
            either: false,
            size: false,
            digests: Vec::new(),
            offset: args.unsigned("offset")?.unwrap_or(0),
            length: args.unsigned("length")?,
        };
        for name in &names {
            match name.as_str() {
                "id" => {}
                "data" => wanted.either = true,
                "data:asText" => wanted.text = true,
                "data:asBase64" => wanted.base64 = true,
                "size" => wanted.size = true,
                name => wanted.digests.push(algorithm(name)?),
            }
        }
        wanted.digests.dedup_by_key(|(name, _)| *name);
        Ok(wanted)
    }

    fn data(&self) -> bool {
        self.text || self.base64 || self.either
    }
}

fn algorithm(name: &str) -> Result<(&'static str, &'static digest::Algorithm), MethodError> {
    let wanted = name.strip_prefix("digest:");
    let found = DIGESTS.iter().find(|(known, _)| Some(*known) == wanted);
    found
        .copied()
        .ok_or_else(|| MethodError::invalid(&format!("there is no property {name:?}")))
}

/// Blob/get.
pub async fn get(context: &mut Context, mut args: Args) -> Answer {
    account(&mut args, "accountId", "accountNotFound")?;
    let ids = args.texts("ids")?;
    // RFC 8620 §5.1: all of them only where the type supports it.
    let ids = ids.ok_or_else(|| MethodError::new("requestTooLarge").because("name the ids"))?;
    let wanted = Wanted::parse(&mut args)?;
    args.finish()?;
    let ids = unique(context, ids)?;
    let (mut list, mut missing) = (Vec::new(), Vec::new());
    for text in ids {
        match object(context, &text, &wanted).await? {
            Some(object) => {
                let object = Value::Object(object);
                context.spend_on(&object)?;
                list.push(object);
            }
            None => missing.push(Value::from(text)),
        }
    }
    let mut map = Map::new();
    put(&mut map, "accountId", ACCOUNT);
    put(&mut map, "list", list);
    put(&mut map, "notFound", missing);
    Ok(map)
}

async fn object(
    context: &Context,
    text: &str,
    wanted: &Wanted,
) -> Result<Option<Map<String, Value>>, MethodError> {
    let Some(blob) = open(&context.mail, text).await? else {
        return Ok(None);
    };
    let size = blob.size;
    let left = size.saturating_sub(wanted.offset);
    let length = wanted.length.unwrap_or(left).min(left);
    let mut map = Map::new();
    put(&mut map, "id", text);
    if wanted.size {
        put(&mut map, "size", size);
    }
    if !wanted.data() && wanted.digests.is_empty() {
        return Ok(Some(map));
    }
    // RFC 9404 §4.2: also when the range begins behind the end.
    if wanted.offset > size || wanted.length.is_some_and(|length| length > left) {
        put(&mut map, "isTruncated", true);
    }
    if wanted.data() && length > context.budget as u64 {
        return Err(MethodError::new("requestTooLarge").because("ask for a shorter range"));
    }
    let mut digests: Vec<_> = wanted
        .digests
        .iter()
        .map(|(name, algorithm)| (*name, digest::Context::new(algorithm)))
        .collect();
    let (mut data, mut piece) = (Vec::new(), Vec::new());
    let mut bytes = blob.bytes.slice(wanted.offset, length);
    while bytes.next(&context.mail, &mut piece)? {
        digests
            .iter_mut()
            .for_each(|(_, digest)| digest.update(&piece));
        if wanted.data() {
            data.extend_from_slice(&piece);
        }
        piece.clear();
        smol::future::yield_now().await;
    }
    for (name, digest) in digests {
        let digest = STANDARD.encode(digest.finish().as_ref());
        map.insert(format!("digest:{name}"), digest.into());
    }
    if wanted.data() {
        show(&mut map, wanted, data);
    }
    Ok(Some(map))
}

fn show(map: &mut Map<String, Value>, wanted: &Wanted, data: Vec<u8>) {
    let is_text = std::str::from_utf8(&data).is_ok();
    if wanted.base64 || (wanted.either && !is_text) {
        put(map, "data:asBase64", STANDARD.encode(&data));
    }
    if (wanted.text || wanted.either) && !is_text {
        put(map, "isEncodingProblem", true);
    }
    match String::from_utf8(data) {
        Ok(text) if wanted.text || wanted.either => {
            put(map, "data:asText", text);
        }
        Err(_) if wanted.text => {
            put(map, "data:asText", Value::Null);
        }
        _ => {}
    }
}
