//! SPF: the input is every TXT record that there is; the check ends, whatever it says.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::dns::{Answer, Data, Found, Kind};
use pillarbox::verify::spf::{Sender, check};
use pillarbox::verify::{Answers, Need};

fuzz_target!(|input: &[u8]| {
    let sender = Sender { ip: [192, 0, 2, 1].into(), helo: "h.x", from: Some(("a.b", "x.y.example")), receiver: "r.x", now: 1 };
    let mut answers = Answers::default();
    for _ in 0..500 {
        let question = match check(&sender, &answers) {
            Ok(_) => return,
            Err(Need(question)) => question,
        };
        let found = match question.kind {
            Kind::Txt => Found::Records(vec![Data::Txt(input.to_vec())]),
            Kind::Mx => Found::Records(vec![Data::Mx(1, "m.x".into()); 3]),
            _ => Found::NoName,
        };
        answers.put(question, Answer { found, secure: false });
    }
    panic!("it does not end");
});
