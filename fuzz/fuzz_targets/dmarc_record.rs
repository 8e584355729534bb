//! DMARC: lines of the input are the records on the way up from the author's domain; the check ends, and a
//! message that proves nothing never passes.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::dns::{Answer, Data, Found, Kind};
use pillarbox::verify::{Answers, Need, Scan, dmarc, spf};

fuzz_target!(|input: &[u8]| {
    let Some((&dice, records)) = input.split_first() else { return };
    let mut records = records.split(|b| *b == b'\n');
    let mut scan = Scan::default();
    scan.push(b"From: a@h.g.f.e.d.c.b.a.example\r\n\r\n");
    let message = scan.finish();
    let spf = spf::Checked {
        outcome: spf::Outcome::None,
        domain: "x.y".into(),
        by_helo: false,
        explanation: None,
    };
    let mut answers = Answers::default();
    for asked in 0.. {
        assert!(asked < 20, "it does not end");
        match dmarc::check(&message, &[], &spf, dice, &answers) {
            Ok(checked) => return assert_ne!(checked.outcome, dmarc::Outcome::Pass),
            Err(Need(question)) => {
                let text = records.next().filter(|_| question.kind == Kind::Txt);
                let found = match text {
                    Some(text) => Found::Records(vec![Data::Txt(text.to_vec())]),
                    None => Found::NoName,
                };
                answers.put(question, Answer { found, secure: false });
            }
        }
    }
});
