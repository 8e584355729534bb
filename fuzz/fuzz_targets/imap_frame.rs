//! IMAP: how the input is cut makes no difference to what the framer finds, and it never holds more
//! than its limit.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::imap::wire::frame::{Event, Framer, Limits};

const LIMITS: Limits = Limits { command: 200, drain: 500 };

fuzz_target!(|input: &[u8]| {
    let Some((size, input)) = input.split_first() else { return };
    assert_eq!(run(input, usize::from(*size).max(1)), run(input, usize::MAX));
});

fn run(input: &[u8], size: usize) -> Vec<(Event, Vec<u8>)> {
    let mut framer = Framer::default();
    let mut out = Vec::new();
    let mut message = 0;
    for mut piece in input.chunks(size) {
        while !piece.is_empty() {
            if message > 0 {
                let n = piece.len().min(message);
                (message, piece) = (message - n, &piece[n..]);
                if message == 0 {
                    framer.after_message();
                }
                continue;
            }
            let (used, event) = framer.push(piece, LIMITS);
            piece = &piece[used..];
            assert!(framer.command().len() <= LIMITS.command + 256);
            match event {
                Event::More => continue,
                Event::Fatal => return out,
                Event::Message(literal) => {
                    message = usize::try_from(literal.size).unwrap_or(usize::MAX);
                    if message == 0 {
                        framer.after_message();
                    }
                }
                _ => {}
            }
            out.push((event, framer.command().to_vec()));
        }
    }
    out
}
