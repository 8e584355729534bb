//! COMPRESS=DEFLATE.
use super::{Imap, message};
use crate::harness::{PASSWORD, Server, USER};
use flate2::{Compress, Compression, FlushCompress};
use pillarbox::config::Role;

fn compressed(server: &Server, role: Role) -> Imap {
    let mut imap = Imap::connect_to(server, role);
    imap.bad("COMPRESS DEFLATE");
    imap.ok(&format!("LOGIN {USER} \"{PASSWORD}\""));
    imap.ok("CAPABILITY").one(" COMPRESS=DEFLATE");
    imap.bad("COMPRESS LZ77");
    imap.ok("COMPRESS DEFLATE");
    imap.client.compress();
    imap
}

#[test]
fn a_session() {
    let server = Server::start();
    for role in [Role::Imap, Role::Imaps] {
        let mut imap = compressed(&server, role);
        assert!(imap.ok("CAPABILITY").with("COMPRESS").is_empty());
        assert!(
            imap.bad("COMPRESS DEFLATE")
                .tagged
                .contains("[COMPRESSIONACTIVE]")
        );
        // Large and small, well and badly compressible, both ways.
        let mut random = 1u64;
        let noise: String = (0..200_000)
            .map(|_| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                char::from(b'!' + u8::try_from(random >> 58).unwrap())
            })
            .collect();
        let texts = [
            message(1),
            format!("Subject: noise\r\n\r\n{noise}\r\n"),
            format!("Subject: zeros\r\n\r\n{}\r\n", "0".repeat(3_000_000)),
        ];
        for text in &texts {
            imap.append("INBOX", text);
        }
        imap.ok("SELECT INBOX");
        for text in &texts {
            let reply = imap.ok("FETCH 1 BODY[]");
            let (_, got) = reply.one("BODY").split_once("}\r\n").unwrap();
            assert!(got.starts_with(text.as_str()), "not the same");
            imap.ok("STORE 1 +FLAGS (\\Deleted)");
            imap.ok("EXPUNGE");
        }
        imap.ok("LOGOUT");
        imap.client.expect_closed();
    }
}

#[test]
fn pushed_while_idle() {
    let server = Server::start();
    let mut imap = compressed(&server, Role::Imaps);
    imap.ok("SELECT INBOX");
    for n in 1..=20 {
        let tag = imap.send("IDLE");
        assert!(imap.response().starts_with("+ "));
        // Another one in between takes the compressors.
        for _ in 0..2 {
            let mut other = compressed(&server, Role::Imaps);
            other.append("INBOX", &message(n));
        }
        loop {
            if imap.response() == format!("* {} EXISTS", 2 * n) {
                break;
            }
        }
        imap.client.send("DONE");
        imap.until(&tag);
    }
}

/// Many at once, each with its own history, more than there are compressors.
#[test]
fn in_turn() {
    let server = Server::start();
    let mut all: Vec<Imap> = (0..12).map(|_| compressed(&server, Role::Imap)).collect();
    for round in 0..5 {
        for (i, imap) in all.iter_mut().enumerate() {
            let name = format!("box-{i}-{round}");
            imap.ok(&format!("CREATE {name}"));
            imap.ok(&format!("STATUS {name} (MESSAGES UIDNEXT)"))
                .one(&name);
            imap.ok("LIST \"\" *").one(&format!(" {name}"));
        }
    }
}

/// What inflates to a thousand times its size is a long line like any other.
#[test]
fn a_bomb() {
    let server = Server::start();
    let mut imap = compressed(&server, Role::Imap);
    let mut packer = Compress::new(Compression::best(), false);
    let mut pack = |text: &[u8]| {
        let mut out = Vec::with_capacity(text.len() / 10 + 1000);
        packer
            .compress_vec(text, &mut out, FlushCompress::Sync)
            .unwrap();
        out
    };
    let bomb = pack(&vec![b'x'; 64 << 20]);
    assert!(bomb.len() < 100_000);
    imap.client.try_send_packed(&bomb).unwrap();
    imap.client
        .try_send_packed(&pack(b"\r\na NOOP\r\n"))
        .unwrap();
    assert!(imap.response().contains("BAD [LIMIT]"));
    assert!(imap.response().starts_with("a OK"));
    // A literal announced without waiting, and drained.
    let bomb = [
        b"b SEARCH SUBJECT {67108864+}\r\n".as_slice(),
        &vec![0; 64 << 20],
        b"\r\nc NOOP\r\n",
    ]
    .concat();
    imap.client.try_send_packed(&pack(&bomb)).unwrap();
    assert!(imap.response().starts_with("b BAD [LIMIT]"));
    assert!(imap.response().starts_with("c OK"));
    // Blocks that hold nothing: nothing comes of them, and others are served.
    let nothing = [0, 0, 0, 0xff, 0xff].repeat(200_000);
    imap.client.try_send_packed(&nothing).unwrap();
    Imap::login(&server).ok("NOOP");
    imap.client.try_send_packed(&pack(b"d NOOP\r\n")).unwrap();
    assert!(imap.response().starts_with("d OK"));
}

#[test]
fn no_deflate_at_all() {
    let server = Server::start();
    for octets in [&b"a NOOP\r\n"[..], &[0xff; 100], &[7; 3]] {
        let mut imap = compressed(&server, Role::Imap);
        imap.client.try_send_packed(octets).unwrap();
        imap.client.shutdown_write();
        let rest = String::from_utf8_lossy(&imap.client.rest()).into_owned();
        assert!(rest.is_empty() || rest.starts_with("* BYE"), "{rest}");
    }
    // The end of the compressed stream is the end.
    let mut imap = compressed(&server, Role::Imap);
    imap.client.try_send_packed(&[3, 0]).unwrap();
    imap.client.rest();
}

/// RFC 4978 §3, second example: what came right behind the command is not lost.
#[test]
fn sent_ahead() {
    let server = Server::start();
    let mut imap = Imap::login(&server);
    let mut packer = Compress::new(Compression::best(), false);
    let mut out = b"a COMPRESS DEFLATE\r\n".to_vec();
    out.reserve(1000);
    packer
        .compress_vec(b"b NOOP\r\n", &mut out, FlushCompress::Sync)
        .unwrap();
    imap.client.try_send_raw(&out).unwrap();
    assert!(imap.response().starts_with("a OK"));
    imap.client.compress();
    assert!(imap.response().starts_with("b OK"));
}
