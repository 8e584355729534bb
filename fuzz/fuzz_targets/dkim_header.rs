//! DKIM: the input is a signature's value, and behind a line end the key that belongs to it; once more as an
//! ARC set.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::dns::{Answer, Data, Found};
use pillarbox::verify::{Answers, Need, Scan, arc, dkim};

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |b| *b == b'\n');
    let (value, key) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    for names in [&["DKIM-Signature"][..], &["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]] {
        let mut scan = Scan::default();
        for name in names {
            scan.push(name.as_bytes());
            scan.push(b": ");
            scan.push(value);
            scan.push(b"\r\n");
        }
        scan.push(b"From: a@x.y\r\n\r\nbody\r\n");
        let message = scan.finish();
        let mut answers = Answers::default();
        for asked in 0.. {
            assert!(asked < 200, "it does not end");
            let (signed, chain) = (dkim::check(&message, 1, &answers), arc::check(&message, &answers));
            let ((Err(Need(question)), _) | (_, Err(Need(question)))) = (signed, chain) else { break };
            let found = Found::Records(vec![Data::Txt(key.to_vec())]);
            answers.put(question, Answer { found, secure: false });
        }
    }
});
