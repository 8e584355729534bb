//! Instructions per piece of work: `cargo bench --bench count [NAME]` (needs valgrind).
//!
//! Counts do not depend on what else the machine does, so a change of one per cent shows. Each case
//! runs under valgrind with N and with 2 N rounds; the difference is what N rounds cost, without the
//! start of the program.
#![allow(clippy::expect_used)]
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use pillarbox::auth::Auth;
use pillarbox::config::{Config, Listen, Role};
use pillarbox::dns::{Answer, Data, Found, Kind};
use pillarbox::imap::wire::frame::{Event, Framer, Limits};
use pillarbox::imap::wire::{self, encode, envelope, structure};
use pillarbox::jmap::wire::request::{Bounds, Request};
use pillarbox::limits;
use pillarbox::mail::UidSet;
use pillarbox::mail::{self, Flags, Mail, NewEmail, Options, Source};
use pillarbox::mime::{Scanner, Structure};
use pillarbox::server::{self, Server};
use pillarbox::verify::{self, dkim, dmarc, spf};

/// A piece of work.
struct Case {
    name: &'static str,
    what: &'static str,
    run: fn(u32),
}

const CASES: &[Case] = &[
    Case {
        name: "jmap-request",
        what: "parse the request for a page of 50",
        run: jmap_request,
    },
    Case {
        name: "jmap-page",
        what: "a page of 50, from socket to socket",
        run: jmap_page,
    },
    Case {
        name: "frame",
        what: "find the end of a command",
        run: |n| rounds(n, frame),
    },
    Case {
        name: "frame-literal",
        what: "the same of a command with a literal of 1,000 octets",
        run: |n| rounds(n, frame_literal),
    },
    Case {
        name: "parse-fetch",
        what: "parse what a client lists a mailbox with",
        run: |n| {
            parse(
                n,
                "a1 UID FETCH 1:200 (UID FLAGS RFC822.SIZE BODY.PEEK[HEADER.FIELDS \
                 (From To Cc Subject Date Message-ID References)])",
            )
        },
    },
    Case {
        name: "parse-search",
        what: "parse a search with ten keys",
        run: |n| {
            parse(
                n,
                "a1 UID SEARCH RETURN (ALL COUNT) OR (UNSEEN SINCE 1-Nov-2026) (FLAGGED FROM \
                 \"anna\") NOT DELETED LARGER 4096 SUBJECT \"report\"",
            )
        },
    },
    Case {
        name: "parse-store",
        what: "parse a change of flags",
        run: |n| {
            parse(
                n,
                "a1 UID STORE 17,19:21,30 +FLAGS.SILENT (\\Seen $Forwarded)",
            )
        },
    },
    Case {
        name: "parse-set",
        what: "parse a set of 1,000 runs",
        run: |n| {
            let set: Vec<String> = (0..1000)
                .map(|i| format!("{}:{}", i * 10 + 1, i * 10 + 4))
                .collect();
            parse(n, &format!("a1 UID FETCH {} FLAGS", set.join(",")));
        },
    },
    Case {
        name: "write-set",
        what: "write a set of 1,000 runs",
        run: |n| {
            let mut set = UidSet::new();
            (0..1000u32).for_each(|i| set.insert(i * 10 + 1));
            rounds(n, || {
                let mut out = Vec::new();
                wire::set::write(&mut out, black_box(&set).runs());
                out.len()
            });
        },
    },
    Case {
        name: "write-flags",
        what: "write the start of a FETCH response with three flags",
        run: |n| writer(n, |out, _| flags(out)),
    },
    Case {
        name: "write-envelope",
        what: "write an ENVELOPE",
        run: |n| writer(n, |out, found| envelope::write(out, &found.envelope, false)),
    },
    Case {
        name: "write-bodystructure",
        what: "write a BODYSTRUCTURE of four parts",
        run: |n| {
            writer(n, |out, found| {
                structure::write(out, &found.parts, 0, true, false)
            })
        },
    },
    Case {
        name: "decode-structure",
        what: "read the stored structure of a message of four parts",
        run: |n| {
            let mut stored = Vec::new();
            scanned().encode(&mut stored);
            rounds(n, || {
                Structure::decode(black_box(&stored)).map_or(0, |s| s.parts.len())
            });
        },
    },
    Case {
        name: "scan",
        what: "scan a message of four parts at arrival",
        run: |n| rounds(n, || scanned().parts.len()),
    },
    Case {
        name: "verify-scan",
        what: "hash a signed message of 4 KiB while it arrives",
        run: |n| rounds(n, || signed(4096).header.len()),
    },
    Case {
        name: "verify-dkim",
        what: "check its two signatures, RSA-1024 and Ed25519",
        run: |n| {
            let message = signed(0);
            rounds(n, || {
                over(&mut |answers| dkim::check(&message, 0, answers)).len()
            });
        },
    },
    Case {
        name: "verify-spf",
        what: "check SPF with an include, an mx and five networks",
        run: |n| {
            rounds(n, || {
                over(&mut |answers| spf::check(&SENDER, answers))
                    .domain
                    .len()
            })
        },
    },
    Case {
        name: "verify-dmarc",
        what: "check DMARC of a subdomain",
        run: |n| {
            let message = signed(0);
            let by = over(&mut |answers| spf::check(&SENDER, answers));
            rounds(n, || {
                let done = over(&mut |answers| dmarc::check(&message, &[], &by, 0, answers));
                done.from.map_or(0, |from| from.len())
            });
        },
    },
];

const SENDER: spf::Sender<'_> = spf::Sender {
    ip: IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9)),
    helo: "mx.football.example.com",
    from: Some(("joe", "football.example.com")),
    receiver: "mail.example.org",
    now: 0,
};

/// RFC 8463 appendix A, with `more` octets of body.
fn signed(more: usize) -> verify::Scanned {
    let mut scan = verify::Scan::default();
    scan.push(black_box(include_bytes!("../tests/data/rfc8463.eml")));
    for _ in 0..more / 64 {
        scan.push(black_box(
            b"A line of sixty-two octets, as people write in their letters..\r\n",
        ));
    }
    scan.finish()
}

/// Runs a check over a small DNS.
fn over<T>(check: &mut dyn FnMut(&verify::Answers) -> Result<T, verify::Need>) -> T {
    let mut answers = verify::Answers::default();
    loop {
        let verify::Need(question) = match check(&answers) {
            Ok(done) => return done,
            Err(need) => need,
        };
        let text = |text: &str| Data::Txt(text.as_bytes().to_vec());
        let data = match (question.kind, question.name.as_str()) {
            (Kind::Txt, "brisbane._domainkey.football.example.com") => {
                text("v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
            }
            (Kind::Txt, "test._domainkey.football.example.com") => text(
                "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3id\
                 Y6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6l\
                 HvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
            ),
            (Kind::Txt, "football.example.com") => {
                text("v=spf1 ip4:192.0.2.0/24 include:_spf.example.com mx ip6:2001:db8::/32 -all")
            }
            (Kind::Txt, "_spf.example.com") => {
                text("v=spf1 ip4:198.51.100.0/24 ip4:198.51.100.7 ip4:10.0.0.0/8 ?all")
            }
            (Kind::Txt, "_dmarc.example.com") => text("v=DMARC1; p=reject; sp=quarantine"),
            (Kind::Mx, _) => Data::Mx(10, "mx.football.example.com".into()),
            (Kind::A, _) => Data::A(Ipv4Addr::new(203, 0, 113, 9)),
            _ => {
                let found = Found::NoName;
                answers.put(
                    question,
                    Answer {
                        found,
                        secure: false,
                    },
                );
                continue;
            }
        };
        let found = Found::Records(vec![data]);
        answers.put(
            question,
            Answer {
                found,
                secure: false,
            },
        );
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| a != "--bench")
        .collect();
    if let [flag, name, n] = args.as_slice()
        && flag == "--run"
    {
        let case = CASES.iter().find(|case| case.name == name);
        if let (Some(case), Ok(n)) = (case, n.parse()) {
            (case.run)(n);
        }
        return ExitCode::SUCCESS;
    }
    println!("{:>20}  {:>12}", "", "instructions");
    for case in CASES {
        if !args.is_empty() && !args.iter().any(|arg| case.name.contains(arg.as_str())) {
            continue;
        }
        const N: u64 = 200;
        match (collected(case.name, N), collected(case.name, 2 * N)) {
            (Some(once), Some(twice)) => {
                let each = twice.saturating_sub(once) / N;
                println!("{:>20}  {each:>12}  {}", case.name, case.what);
            }
            _ => {
                eprintln!("valgrind is needed to count instructions: install it and run again");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

/// A page of fifty as a web client asks for it.
const PAGE: &str = r##"{"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:mail"],"methodCalls":[["Email/query",{"accountId":"a1","filter":{"inMailbox":"m1"},"sort":[{"property":"receivedAt","isAscending":false}],"limit":50},"0"],["Email/get",{"accountId":"a1","#ids":{"resultOf":"0","name":"Email/query","path":"/ids"},"properties":["id","threadId","mailboxIds","keywords","from","subject","receivedAt","size","preview","hasAttachment"]},"1"]]}"##;

fn jmap_request(n: u32) {
    const BOUNDS: Bounds = Bounds {
        values: limits::JMAP_VALUES,
        calls: limits::JMAP_CALLS,
    };
    rounds(n, || {
        let request = Request::parse(black_box(PAGE.as_bytes()), BOUNDS, |_| true);
        request.map_or(0, |request| request.calls.len())
    });
}

/// Over a connection, with a server of its own: all that a page costs, the client's share included.
fn jmap_page(n: u32) {
    let folder = std::env::temp_dir().join(format!("pillarbox-count-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut config = Config::new("anna", "example.org");
    config.db = folder.join("mail.redb");
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    config.listen = vec![Listen {
        role: Role::Http,
        address,
    }];
    let config = Arc::new(config);
    let mail = Mail::open(&config.db, Options::default()).expect("a store");
    let inbox = mail.meta().by_role(mail::Role::Inbox).map(|inbox| inbox.id);
    for number in 0..60 {
        let text = format!(
            "From: Anna <anna{number}@example.net>\r\nTo: me@example.org\r\nSubject: letter {number}\r\n\
             Message-ID: <{number}@example.net>\r\n\r\nHello, this is number {number}.\r\n"
        );
        smol::block_on(async {
            let mut body = mail.body(None).expect("room");
            body.push(text.as_bytes()).await.expect("room");
            let email = NewEmail {
                source: Source::Staged(body.finish(&[]).await.expect("room")),
                mailboxes: inbox.into_iter().collect(),
                flags: Flags::default(),
                keywords: Vec::new(),
                internaldate: Some(1_700_000_000 + number),
                hold: false,
            };
            mail.add(email).await.expect("an email");
        });
    }
    let auth = Arc::new(Auth::open(config.clone(), mail.clone()).expect("an account"));
    smol::block_on(auth.set_password("secret", true)).expect("a password");
    let bound = server::bind(&config.listen).expect("a port");
    let server = Server::start(bound, config, mail, auth, None).expect("a server");
    let mut socket = TcpStream::connect(server.addresses()[0].1).expect("a connection");
    let request = format!(
        "POST /jmap/api HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YW5uYTpzZWNyZXQ=\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{PAGE}",
        PAGE.len()
    );
    rounds(n, || {
        socket.write_all(request.as_bytes()).expect("a server");
        answer(&mut socket)
    });
    drop(socket);
    smol::block_on(server.stop(Duration::from_secs(1), std::future::pending()));
    let _ = std::fs::remove_dir_all(&folder);
}

/// Reads one answer; its octets.
fn answer(socket: &mut TcpStream) -> usize {
    let (mut got, mut chunk) = (Vec::new(), [0; 65536]);
    loop {
        let n = socket.read(&mut chunk).expect("an answer");
        got.extend_from_slice(&chunk[..n]);
        let Some(end) = got.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8_lossy(&got[..end]).to_lowercase();
        assert!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.split("content-length: ").nth(1).expect("a length");
        let length: usize = length
            .split("\r\n")
            .next()
            .map_or(0, |n| n.parse().unwrap_or(0));
        if got.len() >= end + 4 + length {
            return got.len();
        }
    }
}

/// Instructions of a whole run.
fn collected(name: &str, n: u64) -> Option<u64> {
    let out = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().ok()?)
        .args(["--run", name, &n.to_string()])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

fn rounds(n: u32, mut work: impl FnMut() -> usize) {
    for _ in 0..n {
        black_box(work());
    }
}

const LIMITS: Limits = Limits {
    command: limits::IMAP_COMMAND,
    drain: limits::IMAP_DRAIN,
};

fn framed(input: &[u8]) -> usize {
    let mut framer = Framer::default();
    let mut rest = black_box(input);
    let mut commands = 0;
    loop {
        let (used, event) = framer.push(rest, LIMITS);
        rest = rest.get(used..).unwrap_or_default();
        match event {
            Event::Command => commands += 1,
            Event::More => return commands,
            _ => {}
        }
    }
}

fn frame() -> usize {
    framed(b"a1 UID FETCH 1:200 (UID FLAGS RFC822.SIZE INTERNALDATE)\r\n")
}

fn frame_literal() -> usize {
    let mut input = b"a1 SEARCH SUBJECT {1000+}\r\n".to_vec();
    input.resize(input.len() + 1000, b'x');
    input.extend_from_slice(b"\r\n");
    framed(&input)
}

fn parse(n: u32, text: &str) {
    assert!(wire::command(text.as_bytes(), false).1.is_ok(), "{text}");
    rounds(n, || {
        let (tag, parsed) = wire::command(black_box(text.as_bytes()), false);
        black_box(&parsed);
        tag.map_or(0, |tag| tag.len())
    });
}

fn writer(n: u32, write: fn(&mut Vec<u8>, &Structure)) {
    let found = scanned();
    let mut out = Vec::with_capacity(64 << 10);
    rounds(n, || {
        out.clear();
        write(&mut out, black_box(&found));
        out.len()
    });
}

fn flags(out: &mut Vec<u8>) {
    encode::formatted(out, format_args!("* {} FETCH (UID {} FLAGS ", 1234, 56789));
    let names = ["\\Answered", "\\Seen", "$Forwarded"];
    encode::list(out, names, |out, name| {
        out.extend_from_slice(name.as_bytes());
    });
    out.extend_from_slice(b")\r\n");
}

fn scanned() -> Structure {
    let mut scanner = Scanner::new();
    scanner.push(black_box(MESSAGE.as_bytes()));
    scanner.finish()
}

const MESSAGE: &str = "Return-Path: <sender@example.org>\r\n\
Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby mail.example.net with ESMTPS id 1;\r\n\tSat, 21 Nov 2026 11:05:28 +0000\r\n\
From: =?utf-8?q?J=C3=BCrgen?= Sender <sender@example.org>\r\n\
To: Receiver <receiver@example.net>, Other <other@example.net>\r\n\
Cc: list@example.org\r\nSubject: Re: the report of the week\r\n\
Message-ID: <0123456789abcdef@example.org>\r\nIn-Reply-To: <fedcba9876543210@example.net>\r\n\
References: <one@example.net> <fedcba9876543210@example.net>\r\n\
Date: Sat, 21 Nov 2026 12:05:27 +0100\r\nMIME-Version: 1.0\r\n\
Content-Type: multipart/mixed; boundary=\"=_0123456789abcdef\"\r\n\r\n\
--=_0123456789abcdef\r\nContent-Type: multipart/alternative; boundary=\"=_alternative\"\r\n\r\n\
--=_alternative\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nSee below, and tell me what you think of it.\r\n\
--=_alternative\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>See below, and tell me what you think of it.</p>\r\n\
--=_alternative--\r\n\
--=_0123456789abcdef\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n\
Content-Disposition: attachment; filename=\"report.pdf\"; size=1234\r\n\
Content-Transfer-Encoding: base64\r\n\r\nJVBERi0xLjQKJcOkw7zDtsOfCjIgMCBvYmoKPDwvTGVuZ3RoIDMgMCBSL0ZpbHRlci9GbGF0\r\n\
--=_0123456789abcdef--\r\n";
