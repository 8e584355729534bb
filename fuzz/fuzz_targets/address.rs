//! Envelope addresses: what is taken can be written again, on one line, and is the same address.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::limits;
use pillarbox::mail::address::{Address, literal_address};

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let Ok((address, rest)) = Address::parse_prefix(text) else { return };
    assert!(text.ends_with(rest));
    let written = address.to_string();
    assert!(!written.contains(['\r', '\n', '\0']));
    assert!(address.local().len() <= limits::LOCAL_PART && address.domain().len() <= limits::DOMAIN);
    assert_eq!(Address::parse(&written).as_ref(), Ok(&address));
    let _ = literal_address(address.domain());
});
