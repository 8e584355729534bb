//! `pillarbox status`: how the server is.
use super::passwd::perform;
use super::{existing_db_path, print};
use crate::mime::DateTime;
use crate::server::Failure;
use crate::server::control::{Request, Verb};
use argh::{ArgsInfo, FromArgs};

/// Show how much mail there is, came and went, what waits in the queue, who is connected, the size of the store,
/// the room on its disk, the certificate's days, and the server's memory. With the server down: what the store knows.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "status",
    help_triggers("-h", "--help", "help"),
    example = "{command_name}",
    example = "{command_name} --metrics >/var/lib/node_exporter/pillarbox.prom"
)]
pub struct Status {
    /// the store (default: $STATE_DIRECTORY/mail.redb, else ./mail.redb, else
    /// /var/lib/pillarbox/mail.redb)
    #[argh(option, short = 'd', arg_name = "FILE")]
    db: Option<String>,
    /// as Prometheus reads it
    #[argh(switch)]
    metrics: bool,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let db = existing_db_path(self.db.as_deref())?;
        let lines = perform(&db, &Request::new(Verb::Status, ""))?;
        let mut text = String::new();
        if self.metrics {
            for line in &lines {
                text += line;
                text.push('\n');
            }
        } else {
            in_words(&lines, &mut text);
        }
        print(&text);
        Ok(())
    }
}

/// A line for each number: how much, and what the metric's help says that it is.
fn in_words(lines: &[String], text: &mut String) {
    let mut help = "";
    for line in lines {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map_or("", |(_, help)| help);
        }
        let Some((name, value)) = line.rsplit_once(' ').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let (name, label) = name.split_once('{').unwrap_or((name, ""));
        if value == "0" && !label.is_empty() {
            continue;
        }
        *text += &format!("{:>16}  {help}", shown(name, value));
        if let Some(label) = label.split('"').nth(1) {
            *text += &[": ", label].concat();
        }
        text.push('\n');
    }
}

fn shown(name: &str, value: &str) -> String {
    let Ok(number) = value.parse::<u64>() else {
        return value.to_owned();
    };
    if name.contains("_bytes") {
        return match number {
            0..10_240 => format!("{number} B"),
            10_240..10_485_760 => format!("{} KiB", number >> 10),
            _ => format!("{} MiB", number >> 20),
        };
    }
    if name.ends_with("_timestamp_seconds") {
        return DateTime::utc(i64::try_from(number).unwrap_or(0)).rfc3339();
    }
    if !name.ends_with("_seconds") {
        return value.to_owned();
    }
    match number {
        0..600 => format!("{number} s"),
        600..36_000 => format!("{} min", number / 60),
        36_000..864_000 => format!("{} h", number / 3600),
        _ => format!("{} days", number / 86_400),
    }
}
