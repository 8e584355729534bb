//! Names and fields by which other programs say where a message is and what was done with it.
use crate::limits;
use crate::mail::{Flags, Role};
use crate::mime::nfc::nfc;
use crate::mime::{date, header, words};

/// Mailboxes that go by several names, and what they are for.
const NAMES: &[(&str, Role)] = &[
    ("inbox", Role::Inbox),
    ("sent", Role::Sent),
    ("sent items", Role::Sent),
    ("sent messages", Role::Sent),
    ("sent mail", Role::Sent),
    ("drafts", Role::Drafts),
    ("draft", Role::Drafts),
    ("trash", Role::Trash),
    ("bin", Role::Trash),
    ("deleted items", Role::Trash),
    ("deleted messages", Role::Trash),
    ("junk", Role::Junk),
    ("junk e-mail", Role::Junk),
    ("spam", Role::Junk),
    ("archive", Role::Archive),
    ("archives", Role::Archive),
    ("archived", Role::Archive),
];

/// The role that a name at the top stands for.
pub fn role(name: &str) -> Option<Role> {
    let found = NAMES
        .iter()
        .find(|(known, _)| name.eq_ignore_ascii_case(known));
    found.map(|(_, role)| *role)
}

/// A path as it is said: a role where its name has one.
pub fn said(path: &str) -> String {
    match role(path) {
        Some(role) => String::from("\\") + role.name(),
        None => path.to_owned(),
    }
}

/// A path that the engine takes: no control characters, no empty or overlong names, not too deep.
pub fn clean(path: &str) -> String {
    let mut out = String::new();
    let mut depth = 0;
    for name in nfc(path.to_owned()).split('/') {
        let odd = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        let name: String = name.chars().map(|c| if odd(c) { '_' } else { c }).collect();
        let name = name.trim();
        if name.is_empty() {
            continue;
        }
        if depth > 0 {
            // The lowest levels become one name.
            out.push(if depth < limits::MAILBOX_DEPTH {
                '/'
            } else {
                '.'
            });
        }
        depth += 1;
        let start = out.rfind('/').map_or(0, |at| at + 1);
        let room = limits::MAILBOX_NAME.saturating_sub(out.len() - start);
        let cut = (0..=room.min(name.len()))
            .rev()
            .find(|at| name.is_char_boundary(*at));
        out.push_str(name.get(..cut.unwrap_or(0)).unwrap_or_default());
    }
    out
}

/// What mbox files keep in fields of their own, which are no part of the message.
const OF_MBOX: [&str; 11] = [
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-IMAP",
    "X-IMAPbase",
    "X-Mozilla-Status",
    "X-Mozilla-Status2",
    "X-Mozilla-Keys",
    "X-Gmail-Labels",
    "X-GM-THRID",
];

/// Is this line the start of such a field?
pub fn is_of_mbox(line: &[u8]) -> bool {
    let name = line.split(|b| *b == b':').next().unwrap_or_default();
    OF_MBOX
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

/// Flags by the letters of Status and X-Status (mutt, Dovecot, UW), of a Maildir's names (upper
/// case), and of Mozilla's number.
pub fn flags(header: &[u8]) -> Flags {
    let mut flags = Flags::default();
    let value = |name| header::last(header, name).map(|field| field.value.trim_ascii().to_vec());
    for name in ["Status", "X-Status"] {
        for letter in value(name).unwrap_or_default() {
            flags = flags.with(match letter {
                b'R' => Flags::SEEN,
                b'A' => Flags::ANSWERED,
                b'F' => Flags::FLAGGED,
                b'D' => Flags::DELETED,
                b'T' => Flags::DRAFT,
                _ => Flags::default(),
            });
        }
    }
    if let Some(number) = value("X-Mozilla-Status") {
        let number = u32::from_str_radix(&String::from_utf8_lossy(&number), 16).unwrap_or(0);
        for (bit, flag) in [
            (1, Flags::SEEN),
            (2, Flags::ANSWERED),
            (4, Flags::FLAGGED),
            (8, Flags::DELETED),
        ] {
            if number & bit != 0 {
                flags = flags.with(flag);
            }
        }
    }
    flags
}

/// Keywords of X-Keywords and X-Mozilla-Keys.
pub fn keywords(header: &[u8], into: &mut Vec<String>) {
    for name in ["X-Keywords", "X-Mozilla-Keys"] {
        if let Some(field) = header::last(header, name) {
            let value = String::from_utf8_lossy(field.value);
            into.extend(
                value
                    .split([' ', ',', '\r', '\n', '\t'])
                    .filter(|k| !k.is_empty())
                    .map(str::to_owned),
            );
        }
    }
}

/// When a message was received, by its topmost Received field, or else written, by its Date.
pub fn received(header: &[u8]) -> Option<u32> {
    let top = header::fields(header).find(|field| field.is("Received"));
    let stamp = top.and_then(|field| field.value.rsplit(|b| *b == b';').next());
    let stamp = stamp.and_then(date::parse);
    let stamp = stamp.or_else(|| date::parse(header::last(header, "Date")?.value));
    u32::try_from(stamp?.secs).ok()
}

/// What Gmail's labels mean, as X-Gmail-Labels has them; without it nothing changes.
pub fn labels(header: &[u8], said: &mut super::Said) {
    let Some(field) = header::last(header, "X-Gmail-Labels") else {
        return;
    };
    said.flags = said.flags.with(Flags::SEEN);
    let text = words::decode_anywhere(&header::unfold(field.value));
    let mut quoted = false;
    for label in text.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    }) {
        match label.trim().trim_matches('"') {
            "" | "Opened" | "Chat" | "Archived" => {}
            "Unread" => said.flags = said.flags.without(Flags::SEEN),
            "Starred" => said.flags = said.flags.with(Flags::FLAGGED),
            "Important" => said.keywords.push("$Important".into()),
            label if label.starts_with("Category ") || label.starts_with("IMAP_") => {}
            label => said.mailboxes.push(self::said(label)),
        }
    }
    if said.mailboxes.is_empty() {
        said.mailboxes.push("\\archive".to_owned());
    }
    if said.mailboxes.iter().any(|m| m == "\\drafts") {
        said.flags = said.flags.with(Flags::DRAFT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keep::Said;

    #[test]
    fn paths_become_ones_that_the_engine_takes() {
        assert_eq!(clean("a//b/ c\n/"), "a/b/c_");
        assert_eq!(
            clean(&"x/".repeat(30)).split('/').count(),
            limits::MAILBOX_DEPTH
        );
        assert_eq!(clean(&"\u{e4}".repeat(200)).len(), 254);
        assert_eq!(said("Deleted Items"), "\\trash");
        assert_eq!(said("Work"), "Work");
    }

    #[test]
    fn labels_of_gmail() {
        let mut said = Said::default();
        labels(
            b"X-Gmail-Labels: Inbox,Unread,Starred,\"a, b\",=?UTF-8?Q?B=C3=BCcher?=\r\n",
            &mut said,
        );
        assert_eq!(said.mailboxes, ["\\inbox", "a, b", "B\u{fc}cher"]);
        assert_eq!(said.flags, Flags::FLAGGED);
        labels(b"X-Gmail-Labels: Opened\r\n", &mut said);
        let mut said = Said::default();
        labels(b"X-Gmail-Labels: Archived,Important\r\n", &mut said);
        assert_eq!(
            (said.mailboxes[0].as_str(), said.keywords[0].as_str()),
            ("\\archive", "$Important")
        );
        assert_eq!(said.flags, Flags::SEEN);
    }

    #[test]
    fn moments_and_flags() {
        let header = b"Received: from a; Mon, 01 Jan 2024 00:00:10 +0000\r\nDate: Mon, 01 Jan 2024 00:00:00 +0000\r\nStatus: RO\r\nX-Mozilla-Status: 0006\r\n\r\n";
        assert_eq!(received(header), Some(1_704_067_210));
        assert_eq!(flags(header), Flags(7));
    }
}
