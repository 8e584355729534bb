//! The mbox format, read and written: messages behind `From ` lines (RFC 4155 and what came before
//! it), quoted as mboxrd does; mboxo differs only in lines that were quoted already when they came.
use super::{Done, Said, Target, place, unusable};
use crate::mail::Flags;
use crate::mime::{DateTime, date};
use std::io::{self, BufRead};
use std::path::Path;

/// Octets of a line that are held together; a longer one comes in several.
const LINE: usize = 64 * 1024;
/// Octets of a header that are looked at for flags and labels.
const HEADER: usize = 128 * 1024;

/// Reads the next line, or a part of one; false at the end.
fn line(input: &mut dyn BufRead, out: &mut Vec<u8>) -> io::Result<bool> {
    out.clear();
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            return Ok(!out.is_empty());
        }
        if out.len() >= LINE && buffer.first() != Some(&b'\n') {
            return Ok(true);
        }
        // A part never ends between CR and LF.
        let room = LINE.saturating_sub(out.len()).max(1).min(buffer.len());
        let some = buffer.get(..room).unwrap_or_default();
        let end = memchr::memchr(b'\n', some);
        let took = end.map_or(some.len(), |at| at + 1);
        out.extend_from_slice(some.get(..took).unwrap_or_default());
        input.consume(took);
        if end.is_some() || out.len() >= LINE && out.last() != Some(&b'\r') {
            return Ok(true);
        }
    }
}

/// The moment in what follows `From `: asctime's, wherever it begins, the year before or after the
/// zone.
fn moment(rest: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(rest);
    let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    let at = words.iter().rposition(|word| days.contains(word))?;
    let count = words.len();
    if let [.., zone, _] = words.as_slice()
        && zone.starts_with(['+', '-'])
        && count > at + 4
    {
        words.swap(count - 1, count - 2);
    }
    let stamp = date::parse(words.get(at..)?.join(" ").as_bytes())?;
    Some(u32::try_from(stamp.secs).unwrap_or(0))
}

/// Is this what stands behind `From ` between two messages, rather than in one? Some programs write
/// nothing there.
fn divides(rest: &[u8]) -> bool {
    rest.trim_ascii().is_empty() || moment(rest).is_some()
}

/// Gives every message of an mbox file to `target`; `said` is what is known of all of them.
///
/// # Errors
/// It is none, cannot be read, or the target takes no more.
pub fn read(
    input: &mut dyn BufRead,
    path: &Path,
    said: &Said,
    target: &mut dyn Target,
) -> Done<()> {
    let mut reader = Reader {
        target,
        all: said,
        held: Vec::new(),
        header: Vec::new(),
        in_header: true,
        dropping: false,
        date: None,
        blank: false,
        open: false,
        count: 0,
        name: path.display().to_string(),
    };
    let mut text = Vec::new();
    // At the start of a line; behind an empty one.
    let (mut fresh, mut after_blank) = (true, true);
    while line(input, &mut text).map_err(|e| unusable(path, &e))? {
        let rest = text.strip_prefix(b"From ").filter(|_| fresh && after_blank);
        match rest {
            Some(rest) if reader.count == 0 || divides(rest) => {
                reader.end()?;
                reader.begin(moment(rest));
                after_blank = false;
            }
            _ if reader.count == 0 => {
                let empty = text.trim_ascii().is_empty();
                if !empty {
                    let error =
                        io::Error::other("this is no mbox file: it does not begin with `From `");
                    return Err(unusable(path, &error));
                }
            }
            _ => {
                after_blank = fresh && matches!(text.as_slice(), b"\n" | b"\r\n");
                reader.line(&text, fresh, after_blank)?;
            }
        }
        fresh = text.last() == Some(&b'\n');
    }
    reader.end()
}

struct Reader<'a> {
    target: &'a mut dyn Target,
    all: &'a Said,
    /// Octets on their way to the target.
    held: Vec<u8>,
    header: Vec<u8>,
    in_header: bool,
    /// In a field that is not the message's own.
    dropping: bool,
    date: Option<u32>,
    /// An empty line that is the message's only if something follows.
    blank: bool,
    /// Its last line has not ended.
    open: bool,
    /// Messages begun.
    count: u64,
    name: String,
}

impl Reader<'_> {
    fn begin(&mut self, date: Option<u32>) {
        self.header.clear();
        (self.in_header, self.dropping) = (true, false);
        (self.blank, self.open) = (false, false);
        self.date = date;
        self.count += 1;
    }

    fn line(&mut self, text: &[u8], fresh: bool, empty: bool) -> Done<()> {
        if std::mem::take(&mut self.blank) {
            self.held.extend_from_slice(b"\r\n");
        }
        if self.in_header {
            if fresh && !text.starts_with(b" ") && !text.starts_with(b"\t") {
                self.dropping = place::is_of_mbox(text);
            }
            if self.header.len() + text.len() <= HEADER {
                self.header.extend_from_slice(text);
            }
            self.in_header = !empty;
            if self.dropping && !empty {
                return Ok(());
            }
        } else if empty {
            self.blank = true;
            return Ok(());
        }
        let quoted = text.iter().take_while(|b| **b == b'>').count();
        let quoted =
            fresh && quoted > 0 && text.get(quoted..).is_some_and(|t| t.starts_with(b"From "));
        let text = text.get(usize::from(quoted)..).unwrap_or_default();
        push_crlf(text, &mut self.held);
        self.open = !text.ends_with(b"\n");
        if self.held.len() >= LINE {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Done<()> {
        let done = self.target.octets(&self.held);
        self.held.clear();
        done
    }

    fn end(&mut self) -> Done<()> {
        if self.count == 0 {
            return Ok(());
        }
        if self.open {
            self.held.extend_from_slice(b"\r\n");
        }
        self.flush()?;
        let mut said = self.all.clone();
        said.flags = said.flags.with(place::flags(&self.header));
        place::keywords(&self.header, &mut said.keywords);
        place::labels(&self.header, &mut said);
        said.date = self.date.or_else(|| place::received(&self.header));
        said.origin = self.name.clone() + ", message " + &self.count.to_string();
        self.target.end(&said)
    }
}

/// Adds a line, or a part of one, with CRLF where it had LF.
pub fn push_crlf(text: &[u8], out: &mut Vec<u8>) {
    match text.strip_suffix(b"\n") {
        Some(line) if !line.ends_with(b"\r") => {
            out.extend_from_slice(line);
            out.extend_from_slice(b"\r\n");
        }
        _ => out.extend_from_slice(text),
    }
}

/// What goes before a message in an mbox file: the `From ` line.
pub fn divider(date: u32) -> String {
    let stamp = DateTime::utc(i64::from(date)).mail();
    // `Sat, 21 Nov 2026 11:05:28 +0000` in asctime's order.
    let words: Vec<&str> = stamp.split_ascii_whitespace().collect();
    match words.as_slice() {
        [day, date, month, year, clock, ..] => {
            let date = date.trim_start_matches('0');
            let day = day.trim_end_matches(',');
            format!("From MAILER-DAEMON {day} {month} {date:>2} {clock} {year}\n")
        }
        _ => "From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n".into(),
    }
}

/// The fields that an mbox file keeps flags and keywords in.
pub fn fields(flags: Flags, keywords: &[String]) -> String {
    let mut text = String::from("Status: ");
    text.push_str(if flags.has(Flags::SEEN) {
        "RO\n"
    } else {
        "O\n"
    });
    let letters = [
        (Flags::ANSWERED, 'A'),
        (Flags::FLAGGED, 'F'),
        (Flags::DRAFT, 'T'),
        (Flags::DELETED, 'D'),
    ];
    let letters: String = letters
        .iter()
        .filter(|(f, _)| flags.has(*f))
        .map(|(_, c)| c)
        .collect();
    for (name, value) in [
        ("X-Status: ", letters),
        ("X-Keywords: ", keywords.join(" ")),
    ] {
        if !value.is_empty() {
            text.push_str(name);
            text.push_str(&value);
            text.push('\n');
        }
    }
    text
}

/// Turns a message into the lines of an mbox file, as its octets come.
#[derive(Default)]
pub struct Quoter {
    /// `>` and the start of `From ` at the start of a line, as far as they came.
    start: Vec<u8>,
    /// In the rest of a line.
    inside: bool,
    /// A CR that may be the end of a line.
    cr: bool,
    /// The fields to put at the header's end, until they are.
    pub fields: String,
}

impl Quoter {
    /// Adds octets.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        for &octet in octets {
            if std::mem::take(&mut self.cr) && octet != b'\n' {
                self.octet(b'\r', out);
            }
            match octet {
                b'\r' => self.cr = true,
                _ => self.octet(octet, out),
            }
        }
    }

    fn octet(&mut self, octet: u8, out: &mut Vec<u8>) {
        if self.inside {
            out.push(octet);
            self.inside = octet != b'\n';
            return;
        }
        if octet == b'\n' && self.start.is_empty() {
            // The empty line behind the header.
            out.extend_from_slice(std::mem::take(&mut self.fields).as_bytes());
        }
        self.start.push(octet);
        let from = self.start.iter().skip_while(|b| **b == b'>');
        let matched = from.zip(b"From ").filter(|(a, b)| *a == *b).count();
        let marks = self.start.iter().take_while(|b| **b == b'>').count();
        let whole = marks + matched == self.start.len();
        if whole && matched < 5 && self.start.len() < 200 {
            return;
        }
        if whole && matched == 5 {
            out.push(b'>');
        }
        out.append(&mut self.start);
        self.inside = octet != b'\n';
    }

    /// The message's end: a last line without its end gets one, and an empty line follows.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let open = self.inside || !self.start.is_empty();
        out.append(&mut self.start);
        if open {
            out.push(b'\n');
        }
        if !self.fields.is_empty() {
            // It had a header alone.
            out.extend_from_slice(std::mem::take(&mut self.fields).as_bytes());
            out.push(b'\n');
        }
        out.push(b'\n');
        *self = Quoter::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Default)]
    struct Kept {
        now: Vec<u8>,
        all: Vec<(Vec<u8>, Said)>,
    }

    impl Target for Kept {
        fn octets(&mut self, octets: &[u8]) -> Done<()> {
            self.now.extend_from_slice(octets);
            Ok(())
        }
        fn end(&mut self, said: &Said) -> Done<()> {
            self.all.push((std::mem::take(&mut self.now), said.clone()));
            Ok(())
        }
        fn finish(&mut self) -> Done<Vec<String>> {
            Ok(Vec::new())
        }
    }

    fn parse(mbox: &[u8]) -> Vec<(Vec<u8>, Said)> {
        let mut kept = Kept::default();
        let mut input = io::BufReader::with_capacity(7, mbox);
        read(&mut input, Path::new("x"), &Said::default(), &mut kept).unwrap();
        kept.all
    }

    #[test]
    fn messages_stand_apart() {
        let all = parse(
            b"From a@b Mon Jan  1 00:00:00 2024\nSubject: a\nStatus: RO\nX-Keywords: one\n two\n\nx\n>From y\n>>From z\n\nFrom here on\n\n\
              From 1@xxx Mon Jan 01 02:00:00 +0200 2024\r\nSubject: b\r\n\r\ny\r\n\n\
              From - Mon Jan  1 00:00:00 2024\nSubject: c\n\nFrom \nSubject: d\nX: \n\nlast",
        );
        let texts: Vec<_> = all
            .iter()
            .map(|(m, _)| String::from_utf8_lossy(m))
            .collect();
        assert_eq!(
            texts,
            [
                "Subject: a\r\n\r\nx\r\nFrom y\r\n>From z\r\n\r\nFrom here on\r\n",
                "Subject: b\r\n\r\ny\r\n",
                "Subject: c\r\n\r\n",
                "Subject: d\r\nX: \r\n\r\nlast\r\n"
            ]
        );
        assert_eq!(all[0].1.keywords, ["one", "two"]);
        assert_eq!(all[0].1.flags, Flags::SEEN);
        for (_, said) in all.iter().take(3) {
            assert_eq!(said.date, Some(1_704_067_200));
        }
    }

    #[test]
    fn lines_beyond_the_bound() {
        let mut mbox = b"From x Mon Jan  1 00:00:00 2024\nA: b\n\n".to_vec();
        let long = [vec![b'x'; LINE - 1], b"\r\n".to_vec(), vec![b'>'; 3 * LINE]].concat();
        mbox.extend_from_slice(&long);
        let want = [&b"A: b\r\n\r\n"[..], &long, b"\r\n"].concat();
        assert!(parse(&mbox)[0].0 == want);
        // One of CRs alone is not held together either.
        let crs = vec![b'\r'; 5 * LINE];
        let (mut input, mut part) = (io::BufReader::new(crs.as_slice()), Vec::new());
        while line(&mut input, &mut part).unwrap() {
            assert!(part.len() <= LINE);
        }
        let mut none = io::BufReader::new(&b"PK\x03\x04"[..]);
        assert!(
            read(
                &mut none,
                Path::new("x"),
                &Said::default(),
                &mut Kept::default()
            )
            .is_err()
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            bodies in prop::collection::vec("(From |>|>From |a|\r\n|\r\n\r\n|Status: R|\rx){0,12}", 1..4),
            cut in 1usize..9,
        ) {
            let mut mbox = Vec::new();
            let mut want = Vec::new();
            for body in &bodies {
                let message = format!("Subject: x\r\n\r\n{body}\r\n");
                mbox.extend_from_slice(divider(86_400).as_bytes());
                let mut quoter = Quoter { fields: fields(Flags::FLAGGED, &["k".into()]), ..Quoter::default() };
                for piece in message.as_bytes().chunks(cut) {
                    quoter.push(piece, &mut mbox);
                }
                quoter.end(&mut mbox);
                want.push(message.into_bytes());
            }
            let got = parse(&mbox);
            prop_assert_eq!(got.iter().map(|(m, _)| m.clone()).collect::<Vec<_>>(), want);
            prop_assert_eq!(&got[0].1.keywords, &["k"]);
            prop_assert_eq!(got[0].1.flags, Flags::FLAGGED);
            prop_assert_eq!(got[0].1.date, Some(86_400));
        }
    }
}
