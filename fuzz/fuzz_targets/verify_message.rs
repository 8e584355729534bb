//! The input is a message: its signatures, its ARC chain and its author are looked for, with a DNS whose
//! every answer is the last line of the input.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::dns::{Answer, Data, Found};
use pillarbox::verify::{Answers, Need, Scan, arc, dkim, dmarc, header, iprev, results, spf};

fn over<T>(record: &[u8], check: impl Fn(&Answers) -> Result<T, Need>) -> T {
    let mut answers = Answers::default();
    loop {
        match check(&answers) {
            Ok(done) => return done,
            Err(Need(question)) => {
                let found = Found::Records(vec![Data::Txt(record.to_vec())]);
                answers.put(question, Answer { found, secure: false });
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let record = input.rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let mut whole = Scan::default();
    whole.push(input);
    let message = whole.finish();
    // Pieces make no difference.
    let mut pieces = Scan::default();
    input.chunks(3).for_each(|piece| pieces.push(piece));
    let pieces = pieces.finish();
    assert!(message.header == pieces.header && message.hashes == pieces.hashes);
    let dkim = over(record, |answers| dkim::check(&message, 1, answers));
    let arc = over(record, |answers| arc::check(&message, answers));
    let checked = spf::Checked { outcome: spf::Outcome::None, domain: "x.y".into(), by_helo: false, explanation: None };
    let dmarc = over(record, |answers| dmarc::check(&message, &dkim, &checked, 0, answers));
    let sender = spf::Sender { ip: [192, 0, 2, 1].into(), helo: "h", from: None, receiver: "r", now: 0 };
    let verdict = pillarbox::verify::Verdict { iprev: iprev::Outcome::Fail, spf: checked, dkim, arc, dmarc };
    let field = results::field("x", &sender, &verdict);
    assert!(!header::has_stray_line_end(field.as_bytes()));
    assert_eq!(header::fields(field.as_bytes()).len(), 1);
});
