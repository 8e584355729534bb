//! How the server is, as numbers: for people, and as Prometheus reads them.
use super::doctor::free;
use crate::config::Config;
use crate::mail::{Mail, Role};
use crate::queue::order;
use crate::sys::clock;
use std::os::unix::fs::MetadataExt;

/// Lines of a name and a number; names are those of the metrics, without `pillarbox_`.
///
/// # Errors
/// A sentence.
pub fn lines(config: &Config, mail: &Mail) -> Result<Vec<String>, String> {
    let meta = mail.meta();
    let mut lines = Vec::new();
    let mut add = |name: &str, value: u64| {
        lines.push([name, " ", &value.to_string()].concat());
    };
    add("emails", u64::from(meta.emails));
    add("email_octets", meta.bytes);
    add("mailboxes", meta.mailboxes.len() as u64);
    let inbox = meta.by_role(Role::Inbox).map(|inbox| inbox.counters);
    let inbox = inbox.unwrap_or_default();
    add("inbox_emails", u64::from(inbox.total));
    add("inbox_unseen", u64::from(inbox.unseen));
    add("modseq", meta.modseq);
    let waiting = order::list(mail).map_err(|e| e.to_string())?;
    add("queue_waiting", waiting.len() as u64);
    if let Ok(about) = std::fs::metadata(&config.db) {
        add("store_octets", about.blocks().saturating_mul(512));
    }
    if let Some(free) = free(&config.db) {
        add("disk_free_octets", free);
    }
    if mail.quota() > 0 {
        add("quota_octets", mail.quota());
    }
    if let Some((memory, threads)) = process() {
        add("memory_octets", memory);
        add("threads", threads);
    }
    add("clock_is_set", u64::from(clock::is_set()));
    Ok(lines)
}

/// Octets of memory and threads of this process, as the kernel tells.
fn process() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let number = |name: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_ascii_whitespace().next()?.parse().ok()
    };
    Some((number("VmRSS:")? * 1024, number("Threads:")?))
}
