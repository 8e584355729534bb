//! Another one's parser as a witness: imap-codec has to accept every response that any test here gets,
//! and what it understands of a command has to be what we understand.
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::{CommandCodec, ResponseCodec};
use pillarbox::imap::wire;
use std::path::Path;

/// What is in no grammar that imap-codec knows: it says nothing about responses with these.
const BEYOND: &[&str] = &[
    "* ESEARCH",
    "* ACL",
    "* LISTRIGHTS",
    "* MYRIGHTS",
    "* GENURLAUTH",
    "* URLFETCH",
    "* LANGUAGE",
    "* JMAPACCESS",
    " UIDFETCH ",
    "(\"CHILDINFO\"",
    "(\"OLDNAME\"",
    "* COMPARATOR",
    "EMAILID (",
    "THREADID (",
    "SAVEDATE ",
    "PREVIEW ",
    "MAILBOXID (",
    "APPENDLIMIT ",
];

/// Fails the test if imap-codec does not accept a response, its line end included.
#[track_caller]
pub fn accepts(response: &[u8]) {
    let text = String::from_utf8_lossy(response);
    // It knows no origin of BINARY (RFC 3516 §7 has none in its grammar, §4.3 has).
    let origin = text.contains("BINARY[") && text.contains("]<");
    if origin || BEYOND.iter().any(|word| text.contains(word)) {
        return;
    }
    let rest = ResponseCodec::default()
        .decode(response)
        .map(|(rest, _)| rest.len());
    assert_eq!(rest.ok(), Some(0), "imap-codec does not accept {text:?}");
}

/// Single lines that clients say, of our own examples and of the RFCs' dialogues.
fn lines() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<String> = include_str!("../../src/imap/wire/examples.txt")
        .lines()
        .map(str::to_owned)
        .collect();
    for entry in std::fs::read_dir(folder.join("tests/imap/transcripts")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let said = text.lines().filter_map(|line| {
            let line = line.strip_prefix("C: ").or(line.strip_prefix("C2: "))?;
            (!line.contains(['<', '{'])).then(|| line.trim_end().to_owned())
        });
        all.extend(said);
    }
    // It forgets how INBOX was spelt, which we tell the client.
    all.retain(|line| line.contains("INBOX") || !line.to_lowercase().contains("inbox"));
    all.sort();
    all.dedup();
    all
}

#[test]
fn commands_mean_the_same() {
    let codec = CommandCodec::default();
    let (mut agreed, mut theirs) = (0, 0);
    for line in lines().iter().filter(|line| !line.is_empty()) {
        let Ok((rest, command)) = codec
            .decode_static(format!("{line}\r\n").as_bytes())
            .map(|(rest, command)| (rest.len(), command))
        else {
            continue;
        };
        assert_eq!(rest, 0, "{line}");
        theirs += 1;
        let ours = wire::command(line.as_bytes(), false);
        let Ok(meaning) = &ours.1 else {
            // What we refuse on purpose is refused in the dialogues as well.
            assert!(
                REFUSED.iter().any(|word| line.contains(word)),
                "{line}: {:?}",
                ours.1
            );
            continue;
        };
        // Said again in its words, it is the same to us.
        let again = codec.encode(&command).dump();
        let again = again.strip_suffix(b"\r\n").unwrap();
        let (tag, again) = wire::command(again, false);
        assert_eq!(ours.0, tag, "{line}");
        assert_eq!(again.as_ref(), Ok(meaning), "{line}");
        agreed += 1;
    }
    assert!(agreed > 150, "{agreed} of {theirs} commands compared");
}

/// Commands that imap-codec takes and we may not: entries of METADATA that have an empty level or lack
/// one (RFC 5464 §3.2, §3.2.1).
const REFUSED: &[&str] = &["SETMETADATA", "GETMETADATA"];
