//! Log lines on stderr: with a UTC time stamp, or with the journal's priorities under systemd.
use env_logger::{Builder, Target};
use log::{Level, LevelFilter};
use std::io::Write;
use std::time::SystemTime;

/// Starts logging. `verbose` and `quiet` count `-v` and `-q` from the default, info; `RUST_LOG`
/// (env_logger's syntax) wins over both.
pub fn start(verbose: u8, quiet: u8) {
    let level = match 2 + i16::from(verbose) - i16::from(quiet) {
        ..=0 => LevelFilter::Error,
        1 => LevelFilter::Warn,
        2 => LevelFilter::Info,
        3 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    // systemd says where the journal is: lines that go there carry a priority, no time.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let mut builder = Builder::new();
    builder.filter_level(LevelFilter::Warn);
    // A rule for our own modules would be nearer than a mere level there.
    if std::env::var_os("RUST_LOG").is_none() {
        builder.filter_module("pillarbox", level);
    }
    builder
        .parse_default_env()
        .target(Target::Stderr)
        .format(move |out, record| {
            if journal {
                writeln!(out, "<{}>{}", priority(record.level()), record.args())
            } else {
                writeln!(
                    out,
                    "{} {:5} {}",
                    stamp(SystemTime::now()),
                    record.level(),
                    record.args()
                )
            }
        });
    // A second start in one process (tests) keeps the first.
    let _ = builder.try_init();
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
    fn stamps() {
        assert_eq!(stamp(UNIX_EPOCH), "1970-01-01T00:00:00Z");
        let at = UNIX_EPOCH + Duration::from_secs(1_709_210_096);
        assert_eq!(stamp(at), "2024-02-29T12:34:56Z");
    }
}
