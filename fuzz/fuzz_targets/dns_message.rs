//! DNS: the input is a response behind the header and question that make it ours.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::dns::wire::{Found, Kind, Question, parse, query};
use pillarbox::limits;

fuzz_target!(|input: &[u8]| {
    let Some((&first, tail)) = input.split_first() else { return };
    let kinds = [Kind::A, Kind::Cname, Kind::Ptr, Kind::Mx, Kind::Txt, Kind::Aaaa, Kind::Srv, Kind::Tlsa];
    let question = Question::new("mail.example", kinds[usize::from(first) % kinds.len()]);
    let query = query(1, &question, 0).unwrap();
    // As it came, and as ours.
    let _ = parse(&query, &question, tail);
    let mut message = query[..query.len() - 11].to_vec();
    message[2] = 0x81;
    message[3] = first & 0x23;
    message[7] = tail.len().min(255) as u8 / 12;
    message[9] = 1;
    message[11] = 0;
    message.extend_from_slice(tail);
    if let Ok(response) = parse(&query, &question, &message) {
        assert!(response.ttl <= limits::DNS_TTL);
        assert!(response.answer.records().len() <= limits::DNS_RECORDS);
        assert_ne!(response.answer.found, Found::Failed);
    }
});
