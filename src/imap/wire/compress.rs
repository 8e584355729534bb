//! COMPRESS (RFC 4978 §5).

use super::cursor::{Cursor, Error, Parsed};

/// `SP "DEFLATE"`
pub fn compress(c: &mut Cursor<'_>) -> Parsed<()> {
    c.space()?;
    let at = c.position();
    match c.word()?.as_str() {
        "DEFLATE" => Ok(()),
        _ => Err(Error {
            at,
            wanted: &"DEFLATE",
        }),
    }
}
