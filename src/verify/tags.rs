//! Tag lists (RFC 6376 §3.2): `a=b; c=d`, as DKIM, its keys, DMARC and ARC have them.

/// The tags of a text, in order. Values are trimmed; their inner white space stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Tags<'a> {
    /// `None` for a text that is no tag list, or has a tag twice.
    pub fn parse(text: &'a str) -> Option<Tags<'a>> {
        let mut tags = Vec::new();
        for tag in text.split(';') {
            if tag.trim().is_empty() {
                continue;
            }
            let (name, value) = tag.split_once('=')?;
            let name = name.trim();
            let fit = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(fit) || tags.iter().any(|(n, _)| *n == name) {
                return None;
            }
            tags.push((name, value.trim()));
        }
        Some(Tags(tags))
    }

    /// A tag's value.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| *value)
    }

    /// A tag's value without any white space.
    pub fn packed(&self, name: &str) -> Option<String> {
        self.get(name)
            .map(|value| value.chars().filter(|c| !c.is_ascii_whitespace()).collect())
    }

    /// The first tag and its value.
    pub fn first(&self) -> Option<(&'a str, &'a str)> {
        self.0.first().copied()
    }
}

/// The colon-separated words of a value, in lower case.
pub fn words(value: &str) -> Vec<String> {
    value
        .split(':')
        .map(|word| word.trim().to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let tags = Tags::parse(" v=1; a = x y ;b=a=b==;; ").unwrap();
        assert_eq!(tags.first(), Some(("v", "1")));
        assert_eq!(tags.get("a"), Some("x y"));
        assert_eq!(tags.packed("a").as_deref(), Some("xy"));
        assert_eq!(tags.get("b"), Some("a=b=="));
        assert_eq!(tags.get("c"), None);
        for bad in ["a=1;a=2", "a", "=b", "a b=c"] {
            assert_eq!(Tags::parse(bad), None, "{bad}");
        }
        assert_eq!(words("From : TO"), ["from", "to"]);
    }
}
