//! Charsets to UTF-8 (being filled in).

/// Decodes `octets` from the charset `label`. The flag is true where something was malformed or the
/// charset is unknown (RFC 8621 §4.1.4 isEncodingProblem).
pub fn decode(octets: &[u8], label: &str) -> (String, bool) {
    if label.is_empty() || label.eq_ignore_ascii_case("utf-8") {
        return (String::from_utf8_lossy(octets).into_owned(), false);
    }
    match mail_parser::decoders::charsets::map::charset_decoder(label.as_bytes()) {
        Some(decoder) => (decoder(octets), false),
        None => (String::from_utf8_lossy(octets).into_owned(), true),
    }
}
