//! Sockets that the service manager has bound for us (sd_listen_fds(3)): then the server needs no
//! right to bind.
#![allow(unsafe_code)]
use std::net::TcpListener;
use std::os::fd::{BorrowedFd, RawFd};

/// Where they begin.
const FIRST: RawFd = 3;

/// More than there are listeners in any reasonable unit.
const MOST: RawFd = 64;

/// What was handed over to this very process, each a second descriptor of the same socket.
pub fn sockets() -> Vec<TcpListener> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<RawFd>().ok();
    if number("LISTEN_PID") != RawFd::try_from(std::process::id()).ok() {
        return Vec::new();
    }
    let count = number("LISTEN_FDS").unwrap_or(0).clamp(0, MOST);
    let taken = (FIRST..FIRST + count).filter_map(|fd| {
        // SAFETY: the manager opened it for us and nothing here closes it; if it is not open after
        // all, duplicating it fails.
        let socket = unsafe { BorrowedFd::borrow_raw(fd) };
        socket.try_clone_to_owned().ok().map(TcpListener::from)
    });
    taken.collect()
}
