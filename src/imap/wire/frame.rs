//! The framer: finds where a command ends, literals included, before anything is parsed.
//!
//! Bytes go in as they arrive; out come events. A command that does not parse is therefore still
//! known to its last octet, gets its BAD, and the next one works. The framer holds at most one
//! command's text (see [`Limits`]); the messages of an APPEND are never among it: at their literals the
//! framer hands over ([`Event::Message`]) and takes up again behind it.
//!
//! RFC 9051 §2.2.1, §4.3; RFC 7888 (non-synchronising literals); RFC 3516 (literal8).

use super::append;

/// How much of a command is held before it is refused.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Octets of one command: all of its lines and literals, APPEND's message not counted.
    pub command: usize,
    /// Octets of an over-long non-synchronising literal that are read and thrown away so that the
    /// connection stays in step; a longer one ends the connection (RFC 7888 §4).
    pub drain: u64,
}

/// What the bytes so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing complete yet: all input is consumed, more is needed.
    More,
    /// A synchronising literal was announced and fits: the client waits for a `+` line.
    Continue,
    /// [`Framer::command`] holds a whole command, without its final line end.
    Command,
    /// [`Framer::command`] holds an APPEND (or REPLACE) up to a message, or what stands behind the
    /// message before; the literal's octets come next.
    Message(Literal),
    /// The command is over a limit. It has been consumed; [`Framer::command`] holds its first octets.
    Refused(Refusal),
    /// A literal too large even to throw away: answer BYE and close.
    Fatal,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The command's text is too long.
    Line,
    /// A literal inside the command is too long.
    Literal,
}

/// The head of a literal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Literal {
    /// Octets that follow.
    pub size: u64,
    /// The client waits for a `+` line before it sends them.
    pub sync: bool,
    /// `~{n}`: NUL may occur (RFC 3516).
    pub binary: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Inside a line.
    Line,
    /// Inside a literal that belongs to the command's text.
    Literal(usize),
    /// Inside a line of a command that is refused already.
    Skip(Refusal),
    /// Inside a literal of a command that is refused already.
    Drain(u64, Refusal),
    /// The command in the buffer was handed out; the next push starts a new one.
    Done,
    /// The caller reads the message; [`Framer::after_message`] takes up again.
    Message,
}

/// See the module's head.
#[derive(Debug)]
pub struct Framer {
    command: Vec<u8>,
    /// Where the present line starts in `command`.
    line: usize,
    /// The last octets of a line being skipped: enough to see a literal's head.
    tail: Vec<u8>,
    state: State,
    /// The command is an APPEND or REPLACE of which a message has come.
    message: bool,
}

/// Longest literal head looked for at a line's end: `~{` + 20 digits + `+}`.
const HEAD: usize = 24;
/// Octets kept of a refused command: enough for its tag. Below every limit, so that the same ones are
/// kept however the input was cut.
const KEEP: usize = 128;
/// Buffer kept between commands.
const IDLE: usize = 1024;

impl Default for Framer {
    fn default() -> Self {
        Framer {
            command: Vec::new(),
            line: 0,
            tail: Vec::new(),
            state: State::Line,
            message: false,
        }
    }
}

impl Framer {
    /// The text of the command at hand.
    pub fn command(&self) -> &[u8] {
        &self.command
    }

    /// True between two commands: nothing of a next one has arrived.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Done)
            || (matches!(self.state, State::Line) && self.command.is_empty() && !self.message)
    }

    /// Forgets the command at hand and gives back memory above a small buffer.
    pub fn reset(&mut self) {
        self.command.clear();
        self.command.shrink_to(IDLE);
        self.tail = Vec::new();
        self.line = 0;
        self.state = State::Line;
        self.message = false;
    }

    /// Takes up behind a message of an APPEND: what follows is more of its command.
    pub fn after_message(&mut self) {
        self.reset();
        self.message = true;
    }

    /// Takes octets from `input`; returns how many were consumed and what they amount to. Call again
    /// with the rest after every event but [`Event::More`].
    pub fn push(&mut self, input: &[u8], limits: Limits) -> (usize, Event) {
        if matches!(self.state, State::Done) {
            self.reset();
        }
        let mut used = 0;
        loop {
            let rest = input.get(used..).unwrap_or_default();
            if rest.is_empty() {
                return (used, Event::More);
            }
            let (taken, event) = match self.state {
                State::Line => self.take_line(rest, limits),
                State::Literal(left) => (self.take_literal(rest, left), Event::More),
                State::Skip(why) => self.skip_line(rest, why, limits),
                State::Drain(left, why) => {
                    let n = left.min(rest.len() as u64);
                    self.state = if n == left {
                        State::Skip(why)
                    } else {
                        State::Drain(left - n, why)
                    };
                    (usize::try_from(n).unwrap_or(rest.len()), Event::More)
                }
                State::Done | State::Message => return (used, Event::More),
            };
            used += taken;
            if event != Event::More {
                return (used, event);
            }
        }
    }

    fn take_line(&mut self, rest: &[u8], limits: Limits) -> (usize, Event) {
        let end = rest.iter().position(|b| *b == b'\n');
        let n = end.map_or(rest.len(), |i| i + 1);
        if self.command.len() + n > limits.command + 2 {
            // What arrived of this line before may hold the beginning of a literal's head.
            let line = self.command.get(self.line..).unwrap_or_default();
            let from = line.len().saturating_sub(HEAD + 2);
            self.tail = line.get(from..).unwrap_or_default().to_vec();
            self.keep_tag(rest);
            self.state = State::Skip(Refusal::Line);
            return (0, Event::More);
        }
        self.command
            .extend_from_slice(rest.get(..n).unwrap_or_default());
        (
            n,
            if end.is_some() {
                self.line_ended(limits)
            } else {
                Event::More
            },
        )
    }

    fn line_ended(&mut self, limits: Limits) -> Event {
        let line = self.command.get(self.line..).unwrap_or_default();
        let text = strip_end(line);
        let Some((start, literal)) = literal_head(text) else {
            let len = self.line + text.len();
            self.command.truncate(len);
            self.state = State::Done;
            return Event::Command;
        };
        let before = self.command.get(..self.line + start).unwrap_or_default();
        if append::wants_message(before, self.message) {
            let len = before.len();
            self.command.truncate(len);
            self.state = State::Message;
            return Event::Message(literal);
        }
        let room = limits.command.saturating_sub(self.command.len());
        match usize::try_from(literal.size) {
            Ok(size) if size <= room => {
                self.state = State::Literal(size);
                if size == 0 {
                    self.line = self.command.len();
                    self.state = State::Line;
                }
                if literal.sync {
                    Event::Continue
                } else {
                    Event::More
                }
            }
            _ if literal.sync => {
                self.command.truncate(KEEP);
                self.state = State::Done;
                Event::Refused(Refusal::Literal)
            }
            _ => self.drain(literal.size, Refusal::Literal, limits),
        }
    }

    fn take_literal(&mut self, rest: &[u8], left: usize) -> usize {
        let n = left.min(rest.len());
        self.command
            .extend_from_slice(rest.get(..n).unwrap_or_default());
        self.state = State::Literal(left - n);
        if n == left {
            self.line = self.command.len();
            self.state = State::Line;
        }
        n
    }

    fn drain(&mut self, size: u64, why: Refusal, limits: Limits) -> Event {
        self.command.truncate(KEEP);
        self.command.shrink_to(IDLE);
        self.tail.clear();
        if size > limits.drain {
            self.state = State::Done;
            return Event::Fatal;
        }
        self.state = if size == 0 {
            State::Skip(why)
        } else {
            State::Drain(size, why)
        };
        Event::More
    }

    /// Keeps the command's first octets, its own or the ones that just arrived.
    fn keep_tag(&mut self, rest: &[u8]) {
        self.command.truncate(KEEP);
        let room = KEEP - self.command.len();
        self.command.extend(rest.iter().take(room));
        self.command.shrink_to(IDLE);
    }

    fn skip_line(&mut self, rest: &[u8], why: Refusal, limits: Limits) -> (usize, Event) {
        let end = rest.iter().position(|b| *b == b'\n');
        let n = end.map_or(rest.len(), |i| i + 1);
        let from = n.saturating_sub(HEAD + 2);
        self.tail
            .extend_from_slice(rest.get(from..n).unwrap_or_default());
        let extra = self.tail.len().saturating_sub(HEAD + 2);
        self.tail.drain(..extra);
        if end.is_none() {
            return (n, Event::More);
        }
        let head = literal_head(strip_end(&self.tail)).map(|(_, literal)| literal);
        self.tail.clear();
        match head {
            Some(literal) if !literal.sync => (n, self.drain(literal.size, why, limits)),
            _ => {
                self.state = State::Done;
                (n, Event::Refused(why))
            }
        }
    }
}

/// The line without its CRLF. A bare LF ends a line too: nothing is gained by refusing it here.
fn strip_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The literal that a line ends with, and where its head starts.
fn literal_head(line: &[u8]) -> Option<(usize, Literal)> {
    let open = line.iter().rposition(|b| *b == b'{')?;
    let inner = line.get(open + 1..)?.strip_suffix(b"}")?;
    let (digits, sync) = match inner.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inner, true),
    };
    let size = super::cursor::digits(digits)?;
    let binary = open.checked_sub(1).and_then(|i| line.get(i)) == Some(&b'~');
    Some((open - usize::from(binary), Literal { size, sync, binary }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits {
        command: 200,
        drain: 1000,
    };

    /// Every event, with the command's text, whatever the pieces the input comes in.
    fn run(input: &[u8], piece: usize) -> Vec<(Event, Vec<u8>)> {
        let mut framer = Framer::default();
        let mut out = Vec::new();
        let mut message = 0;
        for chunk in input.chunks(piece.max(1)) {
            let mut at = 0;
            while at < chunk.len() {
                if message > 0 {
                    let n = message.min(chunk.len() - at);
                    message -= n;
                    at += n;
                    if message == 0 {
                        framer.after_message();
                    }
                    continue;
                }
                let (used, event) = framer.push(&chunk[at..], LIMITS);
                at += used;
                if let Event::Message(literal) = &event {
                    message = usize::try_from(literal.size).unwrap();
                }
                if event != Event::More {
                    out.push((event, framer.command().to_vec()));
                }
            }
        }
        out
    }

    fn texts(input: &[u8]) -> Vec<(Event, String)> {
        run(input, 1000)
            .into_iter()
            .map(|(e, t)| (e, String::from_utf8_lossy(&t).into()))
            .collect()
    }

    #[test]
    fn lines_and_literals() {
        assert_eq!(
            texts(b"a NOOP\r\nb LOGIN {3}\r\nfoo {3+}\r\nbar\r\n"),
            [
                (Event::Command, "a NOOP".into()),
                (Event::Continue, "b LOGIN {3}\r\n".into()),
                (Event::Command, "b LOGIN {3}\r\nfoo {3+}\r\nbar".into()),
            ]
        );
    }

    #[test]
    fn a_synchronising_literal_over_the_limit_is_refused_before_it_is_sent() {
        assert_eq!(
            texts(b"a LOGIN {201}\r\nb NOOP\r\n"),
            [
                (Event::Refused(Refusal::Literal), "a LOGIN {201}\r\n".into()),
                (Event::Command, "b NOOP".into())
            ]
        );
    }

    #[test]
    fn a_non_synchronising_literal_over_the_limit_is_drained() {
        let mut input = b"a LOGIN {201+}\r\n".to_vec();
        input.extend([b'x'; 201]);
        input.extend(b" {2+}\r\nhi\r\nb NOOP\r\n");
        let events = texts(&input);
        assert_eq!(events[0].0, Event::Refused(Refusal::Literal));
        assert_eq!(events[1], (Event::Command, "b NOOP".into()));
    }

    #[test]
    fn a_literal_beyond_draining_is_fatal() {
        assert_eq!(texts(b"a LOGIN {1001+}\r\n")[0].0, Event::Fatal);
        assert_eq!(
            texts(b"a LOGIN {99999999999999999999+}\r\n")[0].0,
            Event::Command
        );
    }

    #[test]
    fn a_long_line_is_skipped_and_its_tag_kept() {
        let mut input = b"tag1 ".to_vec();
        input.extend([b'x'; 5000]);
        input.extend(b"\r\nb NOOP\r\n");
        for piece in [1, 7, 99, 10_000] {
            let events = run(&input, piece);
            assert_eq!(events[0].0, Event::Refused(Refusal::Line));
            assert!(events[0].1.starts_with(b"tag1 "));
            assert_eq!(events[1], (Event::Command, b"b NOOP".to_vec()));
        }
    }

    #[test]
    fn append_hands_over_at_its_message() {
        let literal = Literal {
            size: 5,
            sync: false,
            binary: false,
        };
        assert_eq!(
            texts(b"a APPEND box (\\Seen) {5+}\r\nhello\r\nb NOOP\r\n"),
            [
                (Event::Message(literal), "a APPEND box (\\Seen) ".into()),
                (Event::Command, String::new()),
                (Event::Command, "b NOOP".into())
            ]
        );
        // The mailbox's name may be a literal itself.
        let events = texts(b"a append {3+}\r\nbox ~{1}\r\n");
        assert_eq!(
            events[0].0,
            Event::Message(Literal {
                size: 1,
                sync: true,
                binary: true
            })
        );
    }

    /// Pieces of commands, with lines and literals on both sides of the limits.
    fn tokens() -> impl Strategy<Value = Vec<u8>> {
        let text = |text: &str| Just(text.as_bytes().to_vec());
        prop_oneof![
            text("a LOGIN "),
            text("b APPEND x "),
            text("\r\n"),
            text("\n"),
            text("\r"),
            (0usize..300).prop_map(|n| vec![b'x'; n]),
            (0u32..1100, any::<bool>(), any::<bool>()).prop_map(|(size, plus, tilde)| {
                let (tilde, plus) = (if tilde { "~" } else { "" }, if plus { "+" } else { "" });
                format!("{tilde}{{{size}{plus}}}\r\n").into_bytes()
            }),
            proptest::collection::vec(any::<u8>(), 0..20),
        ]
    }

    #[test]
    fn a_literal_head_that_straddles_the_limit_is_seen() {
        let mut input = b"a LOGIN ".to_vec();
        input.resize(LIMITS.command - 2, b'x');
        input.extend(b"{6+}\r\nb NOOP{}\r\nc NOOP\r\n");
        let whole = run(&input, input.len());
        for piece in 1..40 {
            assert_eq!(run(&input, piece), whole, "{piece}");
        }
    }

    proptest! {
        #[test]
        fn pieces_of_commands_do_not_matter(
            tokens in proptest::collection::vec(tokens(), 0..20), piece in 1usize..350) {
            let input = tokens.concat();
            prop_assert_eq!(run(&input, piece), run(&input, usize::MAX));
        }

        #[test]
        fn pieces_do_not_matter(input in proptest::collection::vec(
            prop_oneof![Just(b'{'), Just(b'}'), Just(b'+'), Just(b'\r'), Just(b'\n'), Just(b'1'),
                        Just(b'9'), Just(b'a'), Just(b' '), any::<u8>()], 0..400), piece in 1usize..50) {
            prop_assert_eq!(run(&input, piece), run(&input, 1000));
        }
    }
}
