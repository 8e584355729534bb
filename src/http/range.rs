//! One byte range of a `Range` field (RFC 9110 §14.1.2).

/// What a `Range` field asks of a representation.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum Range {
    /// All of it: no field, another unit, several ranges, or one that does not parse
    /// (RFC 9110 §14.2: a server may ignore the field).
    Whole,
    /// The octets from `.0` up to and without `.1`.
    Part(u64, u64),
    /// None of it exists: 416.
    Outside,
}

/// Reads a field value for a representation of `size` octets.
pub fn parse(value: Option<&str>, size: u64) -> Range {
    let Some(spec) = value.and_then(|v| v.trim().strip_prefix("bytes=")) else {
        return Range::Whole;
    };
    let Some((first, last)) = spec.split_once('-').filter(|_| !spec.contains(',')) else {
        return Range::Whole;
    };
    let number = |text: &str| {
        let text = text.trim();
        text.bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse::<u64>().ok())
            .flatten()
    };
    match (first.trim().is_empty(), last.trim().is_empty()) {
        (true, true) => Range::Whole,
        (true, false) => match number(last) {
            Some(0) => Range::Outside,
            Some(n) if size > 0 => Range::Part(size.saturating_sub(n), size),
            Some(_) => Range::Outside,
            None => Range::Whole,
        },
        (false, open) => {
            let end = if open { Some(u64::MAX) } else { number(last) };
            match (number(first), end) {
                (Some(from), Some(to)) if from > to => Range::Whole,
                (Some(from), Some(_)) if from >= size => Range::Outside,
                (Some(from), Some(to)) => Range::Part(from, to.saturating_add(1).min(size)),
                _ => Range::Whole,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc9110_examples() {
        let of = |value| parse(Some(value), 10_000);
        assert_eq!(of("bytes=0-499"), Range::Part(0, 500));
        assert_eq!(of("bytes=500-999"), Range::Part(500, 1000));
        assert_eq!(of("bytes=-500"), Range::Part(9500, 10_000));
        assert_eq!(of("bytes=9500-"), Range::Part(9500, 10_000));
        assert_eq!(of("bytes=9500-99999"), Range::Part(9500, 10_000));
        assert_eq!(of("bytes=10000-"), Range::Outside);
        assert_eq!(of("bytes=-0"), Range::Outside);
        assert_eq!(of("bytes=0-0,5-6"), Range::Whole);
        assert_eq!(of("bytes=5-2"), Range::Whole);
        assert_eq!(of("bytes=a-2"), Range::Whole);
        assert_eq!(of("lines=1-2"), Range::Whole);
        assert_eq!(parse(None, 3), Range::Whole);
        assert_eq!(parse(Some("bytes=-5"), 0), Range::Outside);
    }
}
