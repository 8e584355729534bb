//! POP3: the first line of the input is a command, the rest a message on its way out.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::pop3::wire::{Command, Lines, Surrogate};

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|&b| b == b'\n');
    let (line, message) = input.split_at(end.unwrap_or(input.len()));
    let _ = Command::parse(line);
    let whole = sent(message, usize::MAX);
    assert_eq!(whole, sent(message, 1 + line.len() % 7), "the cut does not matter");
    // A client that reads up to LF finds the end where it is, and nowhere before.
    let dot = whole.split_inclusive(|&b| b == b'\n').position(|line| line == b".\r\n");
    let lines = whole.split_inclusive(|&b| b == b'\n').count();
    assert_eq!(dot, Some(lines - 1));
    assert!(header(&whole).is_ascii());
});

fn sent(message: &[u8], size: usize) -> Vec<u8> {
    let (mut out, mut plain) = (Vec::new(), Vec::new());
    let mut lines = Lines::all();
    let mut surrogate = Surrogate::default();
    for piece in message.chunks(size) {
        plain.clear();
        surrogate.push(piece, &mut plain);
        lines.push(&plain, &mut out);
    }
    plain.clear();
    surrogate.finish(&mut plain);
    lines.push(&plain, &mut out);
    lines.finish(&mut out);
    out
}

fn header(response: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in response.split_inclusive(|&b| b == b'\n') {
        if line.iter().all(|&b| b == b'\r' || b == b'\n') {
            break;
        }
        end += line.len();
    }
    &response[..end]
}
