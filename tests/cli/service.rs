//! Under a service manager: sockets that it hands over, its watchdog, the packaged units.
use super::QUIET;
use super::run::Run;
use crate::harness::{Client, TempDir};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;

#[test]
fn a_handed_socket_is_served() {
    let dir = TempDir::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Any address will do: the port says which listener it is.
    let imap = format!("[::]:{}", address.port());
    let mut args = vec!["serve", "--db", "mail.redb", "--domain", "example.test"];
    args.extend(["--imap", &imap]);
    args.extend(QUIET);
    let run = Run::start_activated(dir.path(), socket, &args);
    run.ready();
    assert_eq!(run.addr("imap"), address);
    Client::connect(address).expect("* OK");
    assert_eq!(run.stop().0, 0);
    // The manager's socket outlives the service.
}

#[test]
fn the_watchdog_hears_of_us() {
    let dir = TempDir::new();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager
        .set_read_timeout(Some(crate::harness::PATIENCE))
        .unwrap();
    let notify = format!("NOTIFY_SOCKET={}", path.display());
    let settings = [notify.as_str(), "WATCHDOG_USEC=100000"];
    let mut args = vec!["serve", "--db", "mail.redb", "--domain", "example.test"];
    args.extend(["--imap", "127.0.0.1:0"]);
    args.extend(QUIET);
    let run = Run::start_with_env(dir.path(), &settings, &args);
    let hear = || {
        let mut octets = [0; 64];
        let count = manager.recv(&mut octets).unwrap();
        String::from_utf8_lossy(&octets[..count]).into_owned()
    };
    assert_eq!(hear(), "READY=1");
    assert_eq!(hear(), "WATCHDOG=1");
    assert_eq!(hear(), "WATCHDOG=1");
    assert_eq!(run.stop().0, 0);
    let mut last = hear();
    while last == "WATCHDOG=1" {
        last = hear();
    }
    assert_eq!(last, "STOPPING=1");
}

/// Nothing wakes in a server at rest: a thread that blocked for somebody ends when it has no more to do.
#[test]
#[cfg(target_os = "linux")]
fn no_thread_waits_for_work_by_the_clock() {
    let dir = TempDir::new();
    let mut args = vec!["serve", "--db", "mail.redb", "--domain", "example.test"];
    args.extend(["--imap", "127.0.0.1:0"]);
    args.extend(QUIET);
    let run = Run::start(dir.path(), &args);
    run.ready();
    let (code, said, _) = super::once(&dir, &["status", "--db", "mail.redb"]);
    assert_eq!(code, 0, "{said}");
    let threads = || -> Vec<String> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", run.pid())).unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        tasks.filter_map(|task| name(task.ok()?).ok()).collect()
    };
    let began = std::time::Instant::now();
    while threads().iter().any(|name| name.starts_with("blocking")) {
        let waited = began.elapsed();
        assert!(waited < crate::harness::PATIENCE, "{:?}", threads());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(run.stop().0, 0);
}
