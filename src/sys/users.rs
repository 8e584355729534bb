//! Giving up root's rights (`--run-as`).
//!
//! The kernel keeps rights per thread, so this is done while there is only one: after the
//! sockets are bound, before the store is opened. What is created later belongs to that user.
use rustix::process::{Gid, Uid, getuid};
use rustix::thread::{set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Becomes the named user for good.
///
/// # Errors
/// A sentence: there is no such user, or we are neither root nor that user.
pub fn become_user(name: &str) -> Result<(), String> {
    let read = |file: &str| {
        std::fs::read_to_string(file).map_err(|e| format!("--run-as: cannot read {file}: {e}"))
    };
    let (uid, gid) = find(&read("/etc/passwd")?, name)
        .ok_or_else(|| format!("--run-as {name}: there is no such user in /etc/passwd"))?;
    if getuid() == uid && !uid.is_root() {
        return Ok(());
    }
    let one_thread = std::fs::read_dir("/proc/self/task").map_or(true, |tasks| tasks.count() == 1);
    if !one_thread {
        return Err("--run-as: threads are running already".into());
    }
    let groups = groups(&read("/etc/group").unwrap_or_default(), name, gid);
    let done = set_thread_groups(&groups)
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid));
    done.map_err(|e| format!("--run-as {name}: {e}; only root can become another user"))?;
    // What is gone shall not come back through a set-uid program. Old kernels lack it.
    let _ = set_no_new_privs(true);
    Ok(())
}

/// User and group id of a name in passwd(5).
fn find(passwd: &str, name: &str) -> Option<(Uid, Gid)> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next()? != name {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some((Uid::from_raw(uid), Gid::from_raw(gid)))
    })
}

/// The groups of a user in group(5), its own first.
fn groups(group: &str, name: &str, own: Gid) -> Vec<Gid> {
    let member = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let listed = fields.get(3)?.split(',').any(|user| user == name);
        listed.then(|| fields.get(2)?.parse().ok()).flatten()
    };
    let mut all = vec![own];
    all.extend(group.lines().filter_map(member).map(Gid::from_raw));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_they_are() {
        let passwd = "root:x:0:0::/root:/bin/sh\nbroken\nmail:x:8:12:mail:/var/mail:\n";
        assert_eq!(
            find(passwd, "mail"),
            Some((Uid::from_raw(8), Gid::from_raw(12)))
        );
        assert_eq!(find(passwd, "nobody"), None);
        assert_eq!(find(passwd, "broken"), None);
        let group = "tls:x:70:bob,mail\nx\nother:x:71:\n";
        assert_eq!(groups(group, "mail", Gid::from_raw(12)).len(), 2);
    }
}
