//! MIME: any octets are a message. The first one chooses how it is cut.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::mime::text::Extractor;
use pillarbox::mime::{Kind, Scanner, Structure, address, header, msgid, transfer};

fuzz_target!(|input: &[u8]| {
    let (cut, message) = input.split_first().unwrap_or((&1, &[]));
    let whole = scan(message, message.len().max(1));
    assert_eq!(scan(message, usize::from(*cut).max(1)), whole, "the cut does not matter");

    let mut stored = Vec::new();
    whole.encode(&mut stored);
    assert!(stored.len() <= pillarbox::limits::MIME_ENCODED);
    assert_eq!(Structure::decode(&stored).as_ref(), Some(&whole));
    let _ = Structure::decode(message);

    for (at, part) in whole.parts.iter().enumerate() {
        assert_eq!(part.header.end(), part.body.offset);
        for child in whole.children(at) {
            assert!(whole.parts[child].header.offset >= part.body.offset);
            assert!(whole.parts[child].body.end() <= part.body.end());
        }
        let body = &message[part.body.offset as usize..part.body.end() as usize];
        if part.kind == Kind::Leaf {
            assert_eq!(transfer::decode(part.encoding, body).len(), part.decoded as usize);
            let mut text = String::new();
            let mut extractor = Extractor::readable(part);
            extractor.push(body, &mut text);
            extractor.finish(&mut text);
        }
        let _ = part.filename();
    }
    for field in header::fields(message) {
        let _ = (header::text(field.value), header::urls(field.value), msgid::list(field.value));
        address::groups(&address::parse(field.value, 100));
    }
});

fn scan(message: &[u8], size: usize) -> Structure {
    let mut scanner = Scanner::new();
    message.chunks(size).for_each(|it| scanner.push(it));
    scanner.finish()
}
