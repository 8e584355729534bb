//! SMTP: the input is DATA on its way in, and a message on its way out. Cuts do not matter, only
//! CRLF.CRLF ends it, and what we send is one message to every reader.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::smtp::wire::data::{Decoder, Encoder};
use pillarbox::smtp::wire::header::{Filter, Missing};

fuzz_target!(|input: &[u8]| {
    let cut = 1 + input.len() % 7;
    let whole = decode(input, usize::MAX);
    assert_eq!(whole, decode(input, cut));
    let framed = [b"\r\n", input].concat();
    let end = framed.windows(5).position(|five| five == b"\r\n.\r\n").map(|at| at + 3);
    assert_eq!(whole.1, end);

    let sent = encode(input, usize::MAX);
    assert_eq!(sent, encode(input, cut));
    assert!(sent.iter().enumerate().all(|(at, &b)| match b {
        b'\n' => at > 0 && sent[at - 1] == b'\r',
        b'\r' => sent.get(at + 1) == Some(&b'\n'),
        _ => true,
    }));
    assert_eq!(decode(&sent, cut).1, Some(sent.len()));

    let mended = filter(Filter::mending(missing()), input, usize::MAX);
    assert_eq!(mended, filter(Filter::mending(missing()), input, cut));
    assert_eq!(filter(Filter::watching(), input, cut), input);
});

fn missing() -> Vec<Missing> {
    vec![Missing { name: "Date", field: "Date: x\r\n".into() }]
}

/// What was decoded, and where the end was.
fn decode(input: &[u8], cut: usize) -> (Vec<u8>, Option<usize>) {
    let mut decoder = Decoder::default();
    let (mut out, mut taken) = (Vec::new(), 0);
    for piece in input.chunks(cut) {
        taken += decoder.decode(piece, &mut out);
        if decoder.is_done() {
            return (out, Some(taken));
        }
    }
    (out, None)
}

fn encode(input: &[u8], cut: usize) -> Vec<u8> {
    let mut encoder = Encoder::dots();
    let mut out = Vec::new();
    input.chunks(cut).for_each(|piece| encoder.encode(piece, &mut out));
    encoder.finish(&mut out);
    out
}

fn filter(mut filter: Filter, input: &[u8], cut: usize) -> Vec<u8> {
    let mut out = Vec::new();
    input.chunks(cut).for_each(|piece| filter.pass(piece, &mut out));
    filter.finish(&mut out);
    out
}
