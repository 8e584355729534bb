//! RFC 2047 encoded words (being filled in).

/// Decodes encoded words wherever they stand, also where RFC 2047 §5 forbids them.
pub fn decode_anywhere(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}
