//! SMTP: each line of the input is a command. What was understood can be said again and means the
//! same; nothing that could break a line survives in an address.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pillarbox::mail::address::Address;
use pillarbox::smtp::wire::command::{Command, Recipient, parse};
use pillarbox::smtp::wire::xtext;

fuzz_target!(|input: &[u8]| {
    for line in input.split(|&b| b == b'\n') {
        match parse(line) {
            Ok(Command::Mail(Some(sender), params)) => {
                again(&sender);
                if let Some(envid) = params.envid {
                    assert_eq!(xtext::decode(&xtext::encode(&envid)), Some(envid));
                }
            }
            Ok(Command::Rcpt(Recipient::Mailbox(to), _)) => again(&to),
            _ => {}
        }
    }
});

fn again(address: &Address) {
    let text = address.to_string();
    assert!(!text.contains(['\r', '\n', '\0']));
    assert_eq!(Address::parse(&text).as_ref(), Ok(address));
    let line = format!("RCPT TO:<{text}>");
    let same = matches!(parse(line.as_bytes()), Ok(Command::Rcpt(Recipient::Mailbox(to), _)) if to == *address);
    assert!(same, "{line}");
}
