//! Maildir, and the folders of Maildir++: `.Lists.rust` in modified UTF-7 beside the INBOX. Flags stand
//! in the file's name, keywords as letters whose names are in `dovecot-keywords`, the time of arrival
//! is the file's own.
use crate::mail::Flags;
use crate::mime::utf7;

/// The letters of a name behind `:2,`.
pub const LETTERS: [(char, Flags); 5] = [
    ('D', Flags::DRAFT),
    ('F', Flags::FLAGGED),
    ('R', Flags::ANSWERED),
    ('S', Flags::SEEN),
    ('T', Flags::DELETED),
];

/// Where the names of keywords stand.
pub const KEYWORDS: &str = "dovecot-keywords";

/// The flags and keywords in a file's name, the keywords by `names` in the order of their letters.
pub fn flags(name: &str, names: &[String]) -> (Flags, Vec<String>) {
    // Where the file system takes no colon, other programs write these.
    let letters = [":2,", ";2,", "!2,"]
        .iter()
        .find_map(|mark| name.rsplit_once(mark));
    let (mut flags, mut keywords) = (Flags::default(), Vec::new());
    for letter in letters.map_or("", |(_, letters)| letters).chars() {
        if let Some((_, flag)) = LETTERS.iter().find(|(known, _)| *known == letter) {
            flags = flags.with(*flag);
        } else if letter.is_ascii_lowercase() {
            let at = letter as usize - 'a' as usize;
            keywords.extend(names.get(at).cloned().filter(|name| !name.is_empty()));
        }
    }
    (flags, keywords)
}

/// Reads `dovecot-keywords`: a number and a name in each line.
pub fn keywords(text: &str) -> Vec<String> {
    let mut names = vec![String::new(); 26];
    for line in text.lines() {
        if let Some((number, name)) = line.split_once(' ')
            && let Some(place) = number.parse::<usize>().ok().and_then(|n| names.get_mut(n))
        {
            name.clone_into(place);
        }
    }
    names
}

/// The path that a folder's name stands for.
pub fn path(folder: &str) -> String {
    let mut out = String::new();
    for name in folder.split('.').filter(|name| !name.is_empty()) {
        if !out.is_empty() {
            out.push('/');
        }
        // A `/` in a name would be two.
        let name = utf7::decode(name.as_bytes()).unwrap_or_else(|| name.to_owned());
        out.push_str(&name.replace('/', "_"));
    }
    out
}

/// The folder of a path; INBOX is the Maildir itself.
pub fn folder(path: &str) -> String {
    let mut out = String::new();
    for name in path.split('/') {
        out.push('.');
        // A dot in a name would be two.
        out.push_str(&utf7::encode(name).replace('.', "_"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for path_ in ["Work", "a/b c/\u{e4}"] {
            assert_eq!(path(&folder(path_)), path_);
        }
        assert_eq!(folder("v1.2/x"), ".v1_2.x");
        assert_eq!(path(".Lists.rust"), "Lists/rust");
        let names = keywords("0 one\n2 three\nx\n99 no\n");
        let (set, words) = flags("1700000000.M1P2.host,S=12:2,FSac", &names);
        assert_eq!(set, Flags::FLAGGED.with(Flags::SEEN));
        assert_eq!(words, ["one", "three"]);
        assert_eq!(flags("1700000000.x", &names).0, Flags::default());
    }
}
