//! Log lines on stderr: with a UTC time stamp, or with the journal's priorities under systemd.
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::io::{self, Write};
use std::sync::OnceLock;
use std::time::SystemTime;

/// Starts logging. `verbose` and `quiet` count `-v` and `-q` from the default, info; `RUST_LOG` wins over
/// both: a level, or MODULE=LEVEL, or several of these with commas between them.
pub fn start(verbose: u8, quiet: u8) {
    let level = match 2 + i16::from(verbose) - i16::from(quiet) {
        ..=0 => LevelFilter::Error,
        1 => LevelFilter::Warn,
        2 => LevelFilter::Info,
        3 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    static LOGGER: OnceLock<Logger> = OnceLock::new();
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let logger = LOGGER.get_or_init(|| Logger {
        // systemd says where the journal is: lines that go there carry a priority, no time.
        journal: std::env::var_os("JOURNAL_STREAM").is_some(),
        rules: rules(level, &asked),
    });
    // A second start in one process (tests) keeps the first.
    if log::set_logger(logger).is_ok() {
        let most = logger.rules.iter().map(|(_, level)| *level).max();
        log::set_max_level(most.unwrap_or(level));
    }
}

/// How much is said of modules whose path begins so, the longer beginnings behind the shorter.
type Rules = Vec<(String, LevelFilter)>;

fn rules(level: LevelFilter, asked: &str) -> Rules {
    let mut rules = vec![
        (String::new(), LevelFilter::Warn),
        ("pillarbox".to_owned(), level),
    ];
    for rule in asked.split(',').map(str::trim).filter(|it| !it.is_empty()) {
        match (rule.split_once('='), rule.parse()) {
            (Some((module, level)), _) => {
                // A level that is none is left alone.
                let level = level.parse();
                rules.extend(level.map(|level| (module.to_owned(), level)));
            }
            (None, Ok(level)) => rules.extend(["", "pillarbox"].map(|it| (it.to_owned(), level))),
            (None, Err(_)) => rules.push((rule.to_owned(), LevelFilter::Trace)),
        }
    }
    // Of the same length, the later ones stay behind.
    rules.sort_by_key(|(module, _)| module.len());
    rules
}

fn allows(rules: &Rules, about: &Metadata<'_>) -> bool {
    let mut found = rules.iter().rev();
    found
        .find(|(module, _)| about.target().starts_with(module.as_str()))
        .is_some_and(|(_, level)| about.level() <= *level)
}

struct Logger {
    journal: bool,
    rules: Rules,
}

impl Log for Logger {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        allows(&self.rules, about)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let (level, said) = (record.level(), record.args());
        let line = match self.journal {
            true => format!("<{}>{said}\n", priority(level)),
            false => format!("{} {level:5} {said}\n", stamp(SystemTime::now())),
        };
        // In one piece; nobody can be told when it fails.
        let _ = io::stderr().write_all(line.as_bytes());
    }

    fn flush(&self) {}
}

/// syslog(3) priorities, as sd-daemon(3) wants them before a line.
fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// RFC 3339 in UTC, to the second.
fn stamp(at: SystemTime) -> String {
    let at = time::OffsetDateTime::from(at);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn what_is_said() {
        let said = |asked: &str, target: &str, level: Level| {
            let about = Metadata::builder().target(target).level(level).build();
            allows(&rules(LevelFilter::Info, asked), &about)
        };
        for (asked, target, level) in [
            ("", "pillarbox::smtp", Level::Info),
            ("", "rustls::conn", Level::Warn),
            ("debug", "pillarbox::smtp", Level::Debug),
            ("debug", "rustls", Level::Debug),
            (
                "pillarbox::smtp=trace",
                "pillarbox::smtp::data",
                Level::Trace,
            ),
            ("warn, pillarbox::smtp", "pillarbox::smtp", Level::Trace),
            ("pillarbox=loud", "pillarbox::smtp", Level::Info),
        ] {
            assert!(said(asked, target, level), "{asked} {target}");
        }
        for (asked, target, level) in [
            ("", "pillarbox::smtp", Level::Debug),
            ("", "rustls::conn", Level::Info),
            ("off", "pillarbox", Level::Error),
            ("pillarbox::smtp=trace", "pillarbox::imap", Level::Debug),
            (
                "debug,pillarbox::imap=error",
                "pillarbox::imap",
                Level::Warn,
            ),
        ] {
            assert!(!said(asked, target, level), "{asked} {target}");
        }
    }

    #[test]
    fn stamps() {
        assert_eq!(stamp(UNIX_EPOCH), "1970-01-01T00:00:00Z");
        let at = UNIX_EPOCH + Duration::from_secs(1_709_210_096);
        assert_eq!(stamp(at), "2024-02-29T12:34:56Z");
    }
}
