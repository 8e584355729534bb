//! How far a long job is: on a terminal a bar with the rate and the time that is left, drawn anew in its
//! place; elsewhere a line now and then. ASCII alone, and no escape sequences: a serial console shows it.
use super::{Done, Said, Target};
use rustix::termios::tcgetwinsize;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Between two drawings on a terminal.
const REDRAW: Duration = Duration::from_millis(250);
/// Between two lines elsewhere.
const REPEAT: Duration = Duration::from_secs(60);
/// A bar is not narrower.
const NARROW: usize = 10;

/// Columns of the line that stands on the terminal; 0 where there is none.
static DRAWN: AtomicUsize = AtomicUsize::new(0);

/// Says something in the middle of it.
pub fn say(text: &str) {
    wipe();
    eprintln!("pillarbox: {text}");
}

fn wipe() {
    let columns = DRAWN.swap(0, Ordering::Relaxed);
    if columns > 0 {
        put(&["\r", &" ".repeat(columns), "\r"].concat());
    }
}

/// A terminal that has gone is no error.
fn put(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// What was done so far, and how it is shown. It goes when it is dropped.
pub struct Bar {
    /// All octets there are; 0 where nobody knows.
    total: u64,
    octets: u64,
    messages: u64,
    started: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Bar {
    /// Nothing was done yet of `total` octets; 0 where nobody knows how many there are.
    pub fn new(total: u64) -> Bar {
        let terminal = io::stderr().is_terminal();
        let started = Instant::now();
        Bar {
            total,
            octets: 0,
            messages: 0,
            started,
            shown: (!terminal).then_some(started),
            terminal,
        }
    }

    /// So many octets more.
    pub fn passed(&mut self, octets: usize) {
        self.octets += octets as u64;
        let pause = if self.terminal { REDRAW } else { REPEAT };
        if self.shown.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        self.shown = Some(Instant::now());
        let text = self.text(self.started.elapsed().as_secs());
        if !self.terminal {
            return say(&text);
        }
        // A serial console does not say how wide it is.
        let size = tcgetwinsize(io::stderr()).map_or(0, |size| size.ws_col);
        let columns = usize::from(if size == 0 { 80 } else { size }) - 1;
        DRAWN.store(columns, Ordering::Relaxed);
        put(&["\r", &draw(self.percent(), &text, columns)].concat());
    }

    /// None where nobody knows. It is not over before its end, whatever was thought before.
    fn percent(&self) -> Option<u64> {
        let share = self.octets.saturating_mul(100).checked_div(self.total);
        share.map(|percent| percent.min(99))
    }

    fn text(&self, seconds: u64) -> String {
        let mut text = String::new();
        if let Some(percent) = self.percent() {
            text = format!("{percent:2} % of {}, ", size(self.total));
        } else {
            text += &[&size(self.octets), ", "].concat();
        }
        if self.messages > 0 {
            text += &format!("{} messages, ", self.messages);
        }
        text += &[&size(self.octets / seconds.max(1)), "/s, "].concat();
        let left = self.total.saturating_sub(self.octets);
        let left = left.saturating_mul(seconds.max(1)) / self.octets.max(1);
        text + &match self.total {
            0 => time(seconds),
            _ => time(left) + " left",
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        wipe();
    }
}

/// One line of so many columns: a bar, where there is room for one and its length is known.
fn draw(percent: Option<u64>, text: &str, columns: usize) -> String {
    let room = columns.saturating_sub(text.len() + 3);
    let mut line = String::new();
    if let Some(percent) = percent.filter(|_| room >= NARROW) {
        let done = "#".repeat(room * percent as usize / 100);
        line = format!("[{done:-<room$}] ");
    }
    line += text;
    format!("{line:<columns$.columns$}")
}

fn size(octets: u64) -> String {
    match octets >> 20 {
        0..10 => (octets >> 10).to_string() + " KiB",
        mib => mib.to_string() + " MiB",
    }
}

fn time(seconds: u64) -> String {
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    match minutes / 60 {
        0 => format!("{minutes}:{seconds:02}"),
        hours => format!("{hours}:{:02}:{seconds:02}", minutes % 60),
    }
}

/// A target that counts what passes.
pub struct Progress<'a> {
    target: &'a mut dyn Target,
    bar: Bar,
}

impl<'a> Progress<'a> {
    /// On the way to `target`.
    pub fn new(target: &'a mut dyn Target) -> Progress<'a> {
        let bar = Bar::new(0);
        Progress { target, bar }
    }

    /// Asks how many octets there are, if somebody looks; more than were known before.
    pub fn expect(&mut self, more: impl FnOnce() -> u64) {
        if self.bar.terminal {
            self.bar.total += more();
        }
    }

    /// Something that is no file, or not to be followed.
    pub fn skipped(&mut self, path: &Path) {
        say(&format!(
            "{} is left out: it is not a plain file",
            path.display()
        ));
    }
}

impl Target for Progress<'_> {
    fn begin(&mut self, said: &Said) -> Done<()> {
        self.target.begin(said)
    }

    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        self.bar.passed(octets.len());
        self.target.octets(octets)
    }

    fn end(&mut self, said: &Said) -> Done<()> {
        self.bar.messages += 1;
        self.target.end(said)
    }

    fn note(&mut self, key: &str, value: &str) -> Done<()> {
        self.target.note(key, value)
    }

    fn recall(&mut self, key: &str) -> Done<Option<String>> {
        self.target.recall(key)
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        wipe();
        self.target.finish()
    }
}

/// A file that counts what is read of it.
pub struct Counted<R> {
    /// The file.
    pub file: R,
    /// Where it shows.
    pub bar: Bar,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(out)?;
        self.bar.passed(count);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(octets: u64, total: u64, messages: u64) -> Bar {
        Bar {
            octets,
            messages,
            ..Bar::new(total)
        }
    }

    #[test]
    fn rate_and_time_left() {
        let half = bar(50 << 20, 100 << 20, 1234);
        assert_eq!(
            half.text(10),
            "50 % of 100 MiB, 1234 messages, 5120 KiB/s, 0:10 left"
        );
        assert_eq!(
            bar(1 << 20, 36_000 << 20, 0).text(1),
            " 0 % of 36000 MiB, 1024 KiB/s, 9:59:59 left"
        );
        // Nobody knows how much there is: how much came, and for how long.
        assert_eq!(
            bar(50 << 20, 0, 7).text(4000),
            "50 MiB, 7 messages, 12 KiB/s, 1:06:40"
        );
        // More than was thought.
        assert_eq!(
            bar(3 << 20, 2 << 20, 0).text(0),
            "99 % of 2048 KiB, 3072 KiB/s, 0:00 left"
        );
    }

    #[test]
    fn a_line_is_as_wide_as_the_terminal() {
        assert_eq!(draw(Some(50), "50 %", 20), "[######-------] 50 %");
        assert_eq!(draw(None, "50 MiB", 20), "50 MiB              ");
        // No room for a bar, nor for the text.
        assert_eq!(draw(Some(50), "50 %", 12), "50 %        ");
        assert_eq!(draw(Some(50), "50 %", 2), "50");
        assert_eq!(draw(Some(50), "50 %", 0), "");
    }
}
