//! Landlock (landlock(7), Linux 5.13): whoever takes this process over can write nothing outside the
//! store's folder and run no program. What may be read stays as it is: certificates, resolv.conf and
//! the like are read again while we run.
//!
//! Threads inherit it, so it is called while there is only one. A kernel without it is no error.
#![allow(unsafe_code)]
use rustix::fs::{CWD, Mode, OFlags};
use rustix::thread::set_no_new_privs;
use std::ffi::{c_int, c_long, c_uint};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// landlock_create_ruleset, landlock_add_rule and landlock_restrict_self follow one another, at the
/// same numbers everywhere but for an offset on MIPS.
const FIRST: c_long = if cfg!(target_arch = "mips") {
    4444
} else if cfg!(target_arch = "mips64") {
    5444
} else {
    444
};

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const REMOVE_DIR: u64 = 1 << 4;
const REMOVE_FILE: u64 = 1 << 5;
const MAKE_REG: u64 = 1 << 8;
const MAKE_SOCK: u64 = 1 << 9;
/// MAKE_CHAR, MAKE_DIR, MAKE_FIFO, MAKE_BLOCK, MAKE_SYM.
const MAKE_OTHERS: u64 = 1 << 6 | 1 << 7 | 1 << 10 | 1 << 11 | 1 << 12;
/// From the third version on.
const TRUNCATE: u64 = 1 << 14;

/// Allows this thread and those it will start to write in the folder of `store` (and in that of the
/// file it is a link to), and nowhere else. Says whether the kernel does that.
pub fn confine(store: &Path) -> bool {
    // SAFETY: no attributes, no size and flag 1 ask for the version; no memory is touched.
    let version = unsafe { syscall(FIRST, std::ptr::null::<u8>(), 0usize, 1 as c_uint) };
    if version < 1 {
        return false;
    }
    let truncate = if version < 3 { 0 } else { TRUNCATE };
    let allowed = WRITE_FILE | REMOVE_FILE | MAKE_REG | MAKE_SOCK | truncate;
    let handled = (allowed | EXECUTE | REMOVE_DIR | MAKE_OTHERS).to_ne_bytes();
    // SAFETY: struct landlock_ruleset_attr begins with these eight octets, and may end there; the
    // descriptor that comes back is nobody else's.
    let rules = unsafe {
        let fd = syscall(FIRST, handled.as_ptr(), handled.len(), 0 as c_uint);
        match c_int::try_from(fd) {
            Ok(fd) if fd >= 0 => OwnedFd::from_raw_fd(fd),
            _ => return false,
        }
    };
    let target = std::fs::canonicalize(store);
    for file in [Some(store), target.as_deref().ok()].into_iter().flatten() {
        let folder = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(folder) = rustix::fs::openat(CWD, folder, flags, Mode::empty()) else {
            return false;
        };
        // struct landlock_path_beneath_attr, packed: what is allowed, and where.
        let mut rule = [0u8; 12];
        let (access, place) = rule.split_at_mut(8);
        access.copy_from_slice(&allowed.to_ne_bytes());
        place.copy_from_slice(&folder.as_raw_fd().to_ne_bytes());
        // SAFETY: rule type 1 reads these twelve octets; both descriptors are open.
        let added = unsafe {
            let (rules, rule) = (rules.as_raw_fd(), rule.as_ptr());
            syscall(FIRST + 1, rules, 1 as c_int, rule, 0 as c_uint)
        };
        if added != 0 {
            return false;
        }
    }
    // SAFETY: takes a descriptor that is open, and no memory.
    set_no_new_privs(true).is_ok()
        && unsafe { syscall(FIRST + 2, rules.as_raw_fd(), 0 as c_uint) } == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn writes_stay_in_the_folder() {
        let top = std::env::temp_dir().join(format!("pillarbox-sandbox-{}", std::process::id()));
        let (inside, outside) = (top.join("in"), top.join("out"));
        fs::create_dir_all(&inside).unwrap();
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("there"), "x").unwrap();
        let (here, there) = (inside.clone(), outside.clone());
        // On a thread of its own, since it cannot be undone.
        let thread = std::thread::spawn(move || {
            if !confine(&here.join("mail.redb")) {
                return eprintln!("skipped: this kernel has no Landlock");
            }
            fs::write(here.join("mail.redb"), "x").unwrap();
            fs::write(here.join("mail.redb"), "").unwrap();
            fs::rename(here.join("mail.redb"), here.join("other")).unwrap();
            std::os::unix::net::UnixListener::bind(here.join("sock")).unwrap();
            fs::remove_file(here.join("sock")).unwrap();
            assert_eq!(fs::read(there.join("there")).unwrap(), b"x");
            fs::write(there.join("there"), "y").unwrap_err();
            fs::write(there.join("new"), "y").unwrap_err();
            fs::remove_file(there.join("there")).unwrap_err();
            fs::create_dir(there.join("folder")).unwrap_err();
            std::process::Command::new("/bin/true").spawn().unwrap_err();
        });
        let done = thread.join();
        fs::remove_dir_all(top).unwrap();
        done.unwrap();
    }
}
