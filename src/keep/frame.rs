//! A [`Target`] on the other side of the control socket: frames of a kind, a length (four octets,
//! little-endian) and so many octets.
//!
//! `b` a message with what is said of it, `o` octets, `e` its end with the same, `n` a note (key, line, value), `r` a
//! key, answered by `r` and its value, `z` no more of them; the answer to that is `z` with lines of text, or at any
//! time `x` with a sentence.
use super::{Done, Said, Target};
use crate::mail::Flags;
use crate::server::{Failure, Kind};
use std::io::{self, Read, Write};

/// Octets of one frame; whoever sends a longer one is cut off.
const FRAME: u32 = 1 << 20;

/// Sends a frame.
///
/// # Errors
/// The socket's.
pub fn put(out: &mut dyn Write, kind: u8, octets: &[u8]) -> io::Result<()> {
    let len = u32::try_from(octets.len()).ok().filter(|len| *len <= FRAME);
    let [a, b, c, d] = len.ok_or(io::ErrorKind::InvalidInput)?.to_le_bytes();
    out.write_all(&[kind, a, b, c, d])?;
    out.write_all(octets)
}

/// Reads a frame into `octets` and returns its kind.
///
/// # Errors
/// The socket's, and one that is too long.
pub fn get(input: &mut dyn Read, octets: &mut Vec<u8>) -> io::Result<u8> {
    let mut head = [0; 5];
    input.read_exact(&mut head)?;
    let [kind, a, b, c, d] = head;
    let len = u32::from_le_bytes([a, b, c, d]);
    if len > FRAME {
        return Err(io::ErrorKind::InvalidData.into());
    }
    octets.clear();
    octets.resize(len as usize, 0);
    input.read_exact(octets)?;
    Ok(kind)
}

impl Said {
    fn encode(&self) -> String {
        let date = self.date.map_or_else(String::new, |date| date.to_string());
        let mut text = format!(
            "{date}\n{}\n{}",
            self.flags.0,
            self.origin.replace('\n', "?")
        );
        if self.wished {
            text.push_str("\nw");
        }
        for (mark, list) in [("\nm", &self.mailboxes), ("\nk", &self.keywords)] {
            for name in list {
                text.push_str(mark);
                text.push_str(&name.replace('\n', "?"));
            }
        }
        text
    }

    fn decode(text: &str) -> Said {
        let mut lines = text.split('\n');
        let mut said = Said {
            date: lines.next().and_then(|date| date.parse().ok()),
            flags: Flags(lines.next().and_then(|n| n.parse().ok()).unwrap_or(0)),
            origin: lines.next().unwrap_or_default().to_owned(),
            ..Said::default()
        };
        for line in lines {
            match line.split_at_checked(1) {
                Some(("m", name)) => said.mailboxes.push(name.to_owned()),
                Some(("w", _)) => said.wished = true,
                Some(("k", name)) => said.keywords.push(name.to_owned()),
                _ => {}
            }
        }
        said
    }
}

/// Sends messages to the other side.
pub struct Far<'a, S: Read + Write> {
    stream: &'a mut S,
    /// Frames that wait to be sent together.
    held: Vec<u8>,
    /// Does the other side answer the end?
    answered: bool,
}

impl<'a, S: Read + Write> Far<'a, S> {
    /// On this socket.
    pub fn new(stream: &'a mut S, answered: bool) -> Far<'a, S> {
        Far {
            stream,
            held: Vec::new(),
            answered,
        }
    }

    fn send(&mut self, kind: u8, octets: &[u8], now: bool) -> Done<()> {
        // One chunk of a message is never longer than a frame.
        let put = put(&mut self.held, kind, octets);
        let mut sent = put;
        if sent.is_ok() && (now || self.held.len() > 64 * 1024) {
            sent = self.stream.write_all(&self.held);
            self.held.clear();
        }
        sent.map_err(|e| self.why(&e))
    }

    /// The other side closed: it said why.
    fn why(&mut self, error: &io::Error) -> Failure {
        let mut text = Vec::new();
        match get(self.stream, &mut text) {
            Ok(b'x') => Failure::new(Kind::Control, String::from_utf8_lossy(&text)),
            _ => Failure::new(
                Kind::Control,
                format!("the running server went away: {error}"),
            ),
        }
    }
}

impl<S: Read + Write> Target for Far<'_, S> {
    fn begin(&mut self, said: &Said) -> Done<()> {
        self.send(b'b', said.encode().as_bytes(), false)
    }

    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        self.send(b'o', octets, false)
    }

    fn end(&mut self, said: &Said) -> Done<()> {
        self.send(b'e', said.encode().as_bytes(), false)
    }

    fn note(&mut self, key: &str, value: &str) -> Done<()> {
        self.send(b'n', [key, "\n", value].concat().as_bytes(), true)
    }

    fn recall(&mut self, key: &str) -> Done<Option<String>> {
        self.send(b'r', key.as_bytes(), true)?;
        let mut text = Vec::new();
        match get(self.stream, &mut text) {
            Ok(b'r') => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            Ok(_) => Err(Failure::new(Kind::Control, String::from_utf8_lossy(&text))),
            Err(e) => Err(self.why(&e)),
        }
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        self.send(b'z', b"", true)?;
        let mut text = Vec::new();
        if !self.answered {
            return Ok(Vec::new());
        }
        match get(self.stream, &mut text) {
            Ok(b'z') => Ok(String::from_utf8_lossy(&text)
                .lines()
                .map(str::to_owned)
                .collect()),
            Ok(_) => Err(Failure::new(Kind::Control, String::from_utf8_lossy(&text))),
            Err(e) => Err(self.why(&e)),
        }
    }
}

/// A socket.
pub trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

/// Gives what comes over a socket to `target`, up to its end.
///
/// # Errors
/// The other side's sentence, or the target's.
pub fn receive(stream: &mut dyn Stream, target: &mut dyn Target) -> Done<Vec<String>> {
    let mut octets = Vec::new();
    let gone = |e: io::Error| {
        let text = format!("the other side went away: {e}");
        Failure::new(Kind::Control, text)
    };
    loop {
        match get(stream, &mut octets) {
            Ok(b'o') => target.octets(&octets)?,
            Ok(kind @ (b'b' | b'e')) => {
                let said = Said::decode(&String::from_utf8_lossy(&octets));
                match kind {
                    b'b' => target.begin(&said)?,
                    _ => target.end(&said)?,
                }
            }
            Ok(b'n') => {
                let text = String::from_utf8_lossy(&octets);
                if let Some((key, value)) = text.split_once('\n') {
                    target.note(key, value)?;
                }
            }
            Ok(b'r') => {
                let value = target.recall(&String::from_utf8_lossy(&octets))?;
                put(stream, b'r', value.unwrap_or_default().as_bytes()).map_err(gone)?;
            }
            Ok(b'z') => return target.finish(),
            Ok(_) => {
                return Err(Failure::new(
                    Kind::Control,
                    String::from_utf8_lossy(&octets),
                ));
            }
            Err(e) => return Err(gone(e)),
        }
    }
}
