//! SMTP: each line of the input is a line of a server's reply; the whole is a challenge of SASL.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::limits;
use pillarbox::smtp::login::{Login, Mechanism};
use pillarbox::smtp::wire::reply::{Parser, Reply};

fuzz_target!(|input: &[u8]| {
    let mut parser = Parser::default();
    for line in input.split(|&b| b == b'\n') {
        let Ok(Some(reply)) = parser.line(line) else { continue };
        assert!((200..600).contains(&reply.code));
        assert!(reply.lines.len() <= limits::REPLY_LINES);
        assert!(reply.to_string().bytes().all(|b| (b' '..=b'~').contains(&b)));
        let _ = (reply.class(), reply.enhanced());
        // Said again, it is the same reply.
        let mut out = Vec::new();
        Reply::plain(reply.code, reply.lines.join("\n")).write_to(&mut out);
        let mut parser = Parser::default();
        let lines = out.split_inclusive(|&b| b == b'\n').map(|line| &line[..line.len() - 2]);
        assert_eq!(lines.filter_map(|line| parser.line(line).unwrap()).last(), Some(reply));
    }
    let text = String::from_utf8_lossy(input);
    let mut login = Login::new(Mechanism::ScramSha256, "user", "pencil", "abc".into());
    login.initial();
    // Rounds cost time that a fuzzer would call a hang.
    if !text.contains("aT") && text.len() < 40 {
        let _ = login.answer(&text);
    }
});
