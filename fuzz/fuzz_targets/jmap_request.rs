//! JMAP: a request of any octets, and what its calls hold.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::jmap::wire::filter::{self, Filter};
use pillarbox::jmap::wire::header::HeaderProperty;
use pillarbox::jmap::wire::id::{self, BlobId};
use pillarbox::jmap::wire::request::{Bounds, Request};
use pillarbox::jmap::wire::{date, frame, patch, reference};
use serde_json::Value;

const BOUNDS: Bounds = Bounds { values: 2_000, calls: 16 };

fuzz_target!(|input: &[u8]| {
    frames(input);
    let Ok(request) = Request::parse(input, BOUNDS, |_| true) else { return };
    let mut done = Vec::new();
    let mut budget = 100_000;
    for mut call in request.calls {
        if reference::resolve(&mut call.args, &done, &mut budget).is_ok() {
            for value in call.args.values() {
                look(value);
            }
        }
        // As Core/echo would answer.
        done.push(call);
    }
});

/// The same octets as WebSocket frames: whatever is taken makes the input shorter.
fn frames(input: &[u8]) {
    let mut rest = input.to_vec();
    loop {
        let before = rest.len();
        match frame::take(&mut rest, 1000) {
            Ok(Some(taken)) => {
                assert!(rest.len() < before && taken.payload.len() <= 1000);
                let mut out = Vec::new();
                frame::put(&mut out, taken.opcode, taken.last, &taken.payload);
                assert!(out.len() >= taken.payload.len() + 2);
            }
            Ok(None) | Err(_) => return,
        }
    }
}

fn look(value: &Value) {
    let _ = Filter::parse(value.clone(), &mut |name, value| Ok((name.to_owned(), value)))
        .map(|filter| filter.matches(&mut |(name, _)| name.len() % 2 == 0));
    let _ = filter::sort(value.clone());
    match value {
        Value::Object(map) => {
            let _ = patch::parse(map.clone());
            map.keys().for_each(|name| text(name));
            map.values().for_each(look);
        }
        Value::Array(items) => items.iter().for_each(look),
        Value::String(string) => text(string),
        _ => {}
    }
}

fn text(text: &str) {
    if let Some(blob) = BlobId::parse(text) {
        assert_eq!(blob.to_string(), text, "an id has one spelling");
    }
    if let Some(email) = id::to_email(text) {
        assert_eq!(id::email(email), text, "an id has one spelling");
    }
    let _ = (date::parse(text), date::parse_utc(text), HeaderProperty::parse(text));
}
