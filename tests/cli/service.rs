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
