//! From another machine: no password in the clear (RFC 9051 §6.2.3, RFC 2595, RFC 4954 §4).
//!
//! An address that is not loopback takes a network namespace, where 192.0.2.1 is put on `lo`; the
//! test runs itself there once more. Where namespaces or ip(8) are not to be had, it says so and
//! passes.
use crate::harness::{Client, PASSWORD, Server, USER};
use crate::imap::Imap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pillarbox::config::{Listen, Role};
use std::net::SocketAddr;
use std::process::Command;

const INSIDE: &str = "PILLARBOX_TEST_FAR";

#[test]
fn no_password_in_the_clear() {
    if std::env::var_os(INSIDE).is_some() {
        return inside();
    }
    let own = std::env::current_exe().unwrap();
    let script = "ip link set lo up && ip addr add 192.0.2.1/32 dev lo && exec \"$0\" --exact \
                  access::far::no_password_in_the_clear --nocapture";
    let run = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--net", "--map-root-user", "sh", "-c", script])
            .arg(&own);
        command.env(INSIDE, "1").output()
    };
    let ready = run("ip link set lo up && ip addr add 192.0.2.1/32 dev lo");
    if !ready.is_ok_and(|ready| ready.status.success()) {
        eprintln!("no network namespace here: not tested");
        return;
    }
    let done = run(script).unwrap();
    let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success() && said.contains("seen from afar"),
        "{said}"
    );
}

fn inside() {
    let server = Server::with(|config| {
        let address = SocketAddr::from(([192, 0, 2, 1], 0));
        let listen = |role: &Role| Listen {
            role: *role,
            address,
        };
        config.listen = Role::ALL.iter().map(listen).collect();
    });
    let plain = STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    let mut imap = Imap::connect(&server);
    let capabilities = imap.ok("CAPABILITY");
    let list = format!("{} ", capabilities.untagged[0]);
    assert!(
        list.contains(" LOGINDISABLED ") && list.contains(" STARTTLS "),
        "{list}"
    );
    assert!(
        !list.contains("AUTH=PLAIN") && list.contains(" AUTH=SCRAM-SHA-256 "),
        "{list}"
    );
    for command in [
        format!("LOGIN {USER} \"{PASSWORD}\""),
        format!("AUTHENTICATE PLAIN {plain}"),
        "AUTHENTICATE PLAIN".into(),
        "AUTHENTICATE LOGIN".into(),
    ] {
        let reply = imap.no(&command);
        assert!(
            reply.tagged.starts_with("NO [PRIVACYREQUIRED]"),
            "{reply:?}"
        );
    }
    imap.ok("STARTTLS");
    imap.client.start_tls();
    let list = format!("{} ", imap.ok("CAPABILITY").untagged[0]);
    assert!(
        list.contains(" AUTH=PLAIN ") && list.contains(" AUTH=SCRAM-SHA-256-PLUS "),
        "{list}"
    );
    assert!(
        !list.contains("LOGINDISABLED") && !list.contains("STARTTLS"),
        "{list}"
    );
    imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));

    let mut pop3 = server.client(Role::Pop3);
    pop3.expect("+OK");
    let capa = pop3.ask("CAPA", ".");
    assert!(
        !capa.iter().any(|l| l == "USER" || l.contains("PLAIN")),
        "{capa:?}"
    );
    for line in [format!("USER {USER}"), format!("AUTH PLAIN {plain}")] {
        pop3.send(&line);
        pop3.expect("-ERR");
    }
    let mut smtp = server.client(Role::Submission);
    smtp.expect("220");
    let offered: Vec<String> = smtp.ask("EHLO x", "250 ");
    assert!(!offered.iter().any(|l| l.contains("AUTH")), "{offered:?}");
    smtp.send(&format!("AUTH PLAIN {plain}"));
    smtp.expect("538 5.7.11");
    let mut http: Client = server.client(Role::Http);
    let credentials = STANDARD.encode(format!("{USER}:{PASSWORD}"));
    http.send(&format!(
        "GET /jmap/session HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n"
    ));
    http.expect("HTTP/1.1 403");
    println!("seen from afar");
}
