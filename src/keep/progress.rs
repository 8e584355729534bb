//! How far a job is, on a terminal: a line each second with the rate and the time that is left.
use super::{Done, Said, Target};
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// A target that counts what passes.
pub struct Progress<'a> {
    target: &'a mut dyn Target,
    /// All octets there are; 0 where nobody knows.
    total: u64,
    octets: u64,
    messages: u64,
    skipped: u64,
    started: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl<'a> Progress<'a> {
    /// On the way to `target`.
    pub fn new(target: &'a mut dyn Target) -> Progress<'a> {
        Progress {
            target,
            total: 0,
            octets: 0,
            messages: 0,
            skipped: 0,
            started: Instant::now(),
            shown: None,
            terminal: io::stderr().is_terminal(),
        }
    }

    /// Asks how many octets there are, if somebody looks.
    pub fn expect(&mut self, total: impl FnOnce() -> u64) {
        if self.terminal {
            self.total = total();
        }
    }

    /// Something that is no file, or not to be followed.
    pub fn skipped(&mut self, path: &Path) {
        self.skipped += 1;
        log::warn!("{} is left out: it is not a plain file", path.display());
    }

    fn show(&mut self) {
        let pause = Duration::from_secs(1);
        if !self.terminal || self.shown.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        self.shown = Some(Instant::now());
        let mib = |octets: u64| octets >> 20;
        let secs = self.started.elapsed().as_secs().max(1);
        let mut line = format!(
            "\r{} messages, {} MiB, {}/s, {} MiB/s",
            self.messages,
            mib(self.octets),
            self.messages / secs,
            mib(self.octets / secs)
        );
        if self.total > self.octets && self.octets > 0 {
            let left = (self.total - self.octets).saturating_mul(secs) / self.octets;
            line.push_str(&format!(
                ", {} % of {} MiB, {}:{:02} left",
                self.octets.saturating_mul(100) / self.total,
                mib(self.total),
                left / 60,
                left % 60
            ));
        }
        let _ = io::stderr().write_all((line + "\x1b[K").as_bytes());
    }
}

impl Target for Progress<'_> {
    fn begin(&mut self, said: &Said) -> Done<()> {
        self.target.begin(said)
    }

    fn octets(&mut self, octets: &[u8]) -> Done<()> {
        self.octets += octets.len() as u64;
        self.show();
        self.target.octets(octets)
    }

    fn end(&mut self, said: &Said) -> Done<()> {
        self.messages += 1;
        self.target.end(said)
    }

    fn note(&mut self, key: &str, value: &str) -> Done<()> {
        self.target.note(key, value)
    }

    fn recall(&mut self, key: &str) -> Done<Option<String>> {
        self.target.recall(key)
    }

    fn finish(&mut self) -> Done<Vec<String>> {
        if self.shown.is_some() {
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
        self.target.finish()
    }
}
