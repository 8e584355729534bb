//! sd_notify(3), for `Type=notify` units, and the watchdog of `WatchdogSec=`.
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Tells the service manager, if there is one: `READY=1`, `STOPPING=1`, `WATCHDOG=1`. Failure is
/// nobody's business.
pub fn notify(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    if let (Ok(address), Ok(socket)) = (address, UnixDatagram::unbound()) {
        let _ = socket.send_to_addr(state.as_bytes(), &address);
    }
}

/// How often the service manager wants to hear `WATCHDOG=1`, if it does: twice in its time
/// (sd_watchdog_enabled(3)).
pub fn watchdog() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let pid = u64::from(std::process::id());
    let micros = number("WATCHDOG_USEC").filter(|micros| *micros > 1)?;
    (number("WATCHDOG_PID").unwrap_or(pid) == pid).then(|| Duration::from_micros(micros / 2))
}
