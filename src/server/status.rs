//! How the server is, as Prometheus reads it (text format 0.0.4); `pillarbox status` makes words of the same.
//!
//! What is counted stands in [`count::FAMILIES`]; here is that, and what can be looked up at any time.
use super::{account, doctor};
use crate::config::Config;
use crate::mail::{Mail, Role};
use crate::queue::order;
use crate::sys::{clock, count, lock};
use std::fmt::{Display, Write};
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// The media type of these lines.
pub const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// When the server of this process started.
static STARTED: OnceLock<Instant> = OnceLock::new();

/// From here on there are counts to show.
pub fn started() {
    STARTED.get_or_init(Instant::now);
}

struct Lines(Vec<String>);

impl Lines {
    fn head(&mut self, name: &str, help: &str, kind: &str) {
        self.0.push(["# HELP pillarbox_", name, " ", help].concat());
        self.0.push(["# TYPE pillarbox_", name, " ", kind].concat());
    }

    fn sample(&mut self, name: &str, label: &str, value: &str, number: &dyn Display) {
        let mut line = ["pillarbox_", name].concat();
        if !label.is_empty() {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            line += &["{", label, "=\"", &value.replace('\n', "\\n"), "\"}"].concat();
        }
        // Writing to a String cannot fail.
        let _ = write!(line, " {number}");
        self.0.push(line);
    }

    fn gauge(&mut self, name: &str, help: &str, number: &dyn Display) {
        self.head(name, help, "gauge");
        self.sample(name, "", "", number);
    }
}

/// Everything, in lines without their ends. It reads files, and a store of `most` octets as a whole: not on a
/// thread that serves others.
///
/// # Errors
/// A sentence.
pub fn lines(config: &Config, mail: &Mail, most: u64) -> Result<Vec<String>, String> {
    let mut to = Lines(Vec::with_capacity(128));
    let started = STARTED.get();
    to.gauge("up", "the server runs", &u8::from(started.is_some()));
    stored(&mut to, config, mail, most)?;
    if let Some(started) = started {
        let uptime = started.elapsed().as_secs();
        to.gauge("uptime_seconds", "time since the start", &uptime);
        counted(&mut to);
        process(&mut to);
    }
    Ok(to.0)
}

/// What the store, the disk and the certificate are.
fn stored(to: &mut Lines, config: &Config, mail: &Mail, most: u64) -> Result<(), String> {
    let meta = mail.meta();
    let inbox = meta.by_role(Role::Inbox).map(|inbox| inbox.counters);
    let inbox = inbox.unwrap_or_default();
    let waiting = order::waiting(mail, u32::MAX).map_err(|e| e.to_string())?;
    to.gauge("emails", "messages in the store", &meta.emails);
    to.gauge("email_bytes", "their octets as they came", &meta.bytes);
    to.gauge("mailboxes", "mailboxes", &meta.mailboxes.len());
    to.gauge("inbox_emails", "messages in INBOX", &inbox.total);
    to.gauge("inbox_unseen", "unread messages in INBOX", &inbox.unseen);
    to.gauge("modseq", "changes since the store was made", &meta.modseq);
    to.gauge(
        "queue_waiting",
        "destinations that mail in the queue waits for",
        &waiting.batches,
    );
    to.gauge(
        "queue_held",
        "those of them that wait for `queue retry`",
        &waiting.held,
    );
    to.gauge(
        "queue_oldest_seconds",
        "age of the oldest message in the queue",
        &waiting.oldest,
    );
    if let Ok(about) = std::fs::metadata(&config.db) {
        let size = about.blocks().saturating_mul(512);
        to.gauge("store_bytes", "the store on its disk", &size);
        if let Some(used) = used(mail, size, most) {
            let slack = size.saturating_sub(used);
            to.gauge(
                "store_slack_bytes",
                "what `compact` would give back of it",
                &slack,
            );
        }
    }
    if let Some(free) = doctor::free(&config.db) {
        to.gauge("disk_free_bytes", "free on the store's disk", &free);
    }
    if mail.quota() > 0 {
        to.gauge("quota_bytes", "quota", &mail.quota());
    }
    let shown = account::shown(config, mail).ok();
    if let Some((_, until)) = shown.and_then(|(der, _)| doctor::validity(&der)) {
        let left = until - i64::from(clock::now());
        to.gauge("certificate_seconds", "until the certificate ends", &left);
    }
    to.gauge(
        "clock_is_set",
        "the clock is set",
        &u8::from(clock::is_set()),
    );
    Ok(())
}

/// Octets in use of a store of so many, if they are `most`; measured at most once an hour.
fn used(mail: &Mail, size: u64, most: u64) -> Option<u64> {
    static LAST: Mutex<Option<(Instant, u64, u64)>> = Mutex::new(None);
    let mut last = lock(&LAST);
    if let Some((at, of, used)) = *last
        && (of == size || at.elapsed() < Duration::from_secs(3600))
    {
        return Some(used);
    }
    if size > most {
        return None;
    }
    let used = mail.store().ok()?.used().ok()?;
    *last = Some((Instant::now(), size, used));
    Some(used)
}

/// What was counted.
fn counted(to: &mut Lines) {
    for (of, family) in count::FAMILIES.iter().enumerate() {
        let counter = family.name.ends_with("_total");
        to.head(
            family.name,
            family.help,
            if counter { "counter" } else { "gauge" },
        );
        for (which, value) in family.values.iter().enumerate() {
            to.sample(family.name, family.label, value, &count::get(of, which));
        }
    }
    if let Some((at, what)) = count::last_error() {
        let name = "store_last_error_timestamp_seconds";
        to.head(name, "when the disk failed the store last", "gauge");
        to.sample(name, "error", &what, &at);
    }
}

/// Memory and threads of this process, as the kernel tells.
fn process(to: &mut Lines) {
    let read = |name: &str| std::fs::read_to_string(name).unwrap_or_default();
    let (status, maps) = (read("/proc/self/status"), read("/proc/self/smaps_rollup"));
    let number = |text: &str, name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    if let Some(kib) = number(&status, "VmRSS:") {
        to.gauge("memory_bytes", "memory, with what is shared", &(kib << 10));
    }
    if let Some(kib) = number(&maps, "Pss:") {
        to.gauge(
            "memory_proportional_bytes",
            "memory, its share of what is shared",
            &(kib << 10),
        );
    }
    if let Some(threads) = number(&status, "Threads:") {
        to.gauge("threads", "threads", &threads);
    }
}
