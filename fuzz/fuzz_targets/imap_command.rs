//! IMAP: no command text makes the parser panic, and an error's place lies in the text.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::imap::wire::{self, append, list, url};

fuzz_target!(|input: &[u8]| {
    for utf8 in [false, true] {
        if let (_, Err(error)) = wire::command(input, utf8) {
            assert!(error.at <= input.len());
        }
    }
    let _ = append::wants_message(input, false);
    let mut reader = append::Reader::new(true);
    for text in input.split(|b| *b == 0) {
        if let Err(error) = reader.read(text, true, true) {
            assert!(error.at <= text.len());
            break;
        }
    }
    let text = String::from_utf8_lossy(input);
    let _ = url::Url::parse(&text);
    let (pattern, name) = text.split_at(text.char_indices().nth(20).map_or(text.len(), |(i, _)| i));
    let _ = list::matches(pattern, name);
});
