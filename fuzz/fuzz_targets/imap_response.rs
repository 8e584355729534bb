//! What another IMAP server says to `import`, and a program to autodiscover.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::keep::imap::wire;
use pillarbox::server::clients;

fuzz_target!(|input: &[u8]| {
    for line in input.split(|&b| b == b'\n') {
        if let Ok(Some((at, _))) = wire::literal(line) {
            assert!(line[at..].ends_with(b"}"));
        }
        let _ = (wire::listed(line), wire::fetched(line), wire::code(line, "UIDNEXT"));
        assert!(wire::Words(line).count() <= line.len());
        // Said again, it is the same text.
        let mut out = Vec::new();
        wire::quoted(line, &mut out);
        assert_eq!(wire::Words(&out).next(), Some(wire::Word::Text(line.to_vec())));
    }
    if let Some(address) = clients::asked(&String::from_utf8_lossy(input)) {
        assert!(address.len() <= 3 * input.len());
    }
});
