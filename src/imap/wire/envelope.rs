//! ENVELOPE (RFC 9051 §7.5.2), written from what was stored at arrival.

use super::encode;
use crate::mime::{Address, Envelope};

/// Writes `(date subject from sender reply-to to cc bcc in-reply-to message-id)`.
pub fn write(out: &mut Vec<u8>, envelope: &Envelope, utf8: bool) {
    let text = |out: &mut Vec<u8>, text: &Option<Vec<u8>>| {
        encode::nstring(out, text.as_deref(), utf8);
    };
    out.push(b'(');
    text(out, &envelope.date);
    out.push(b' ');
    text(out, &envelope.subject);
    let lists = [
        &envelope.from[..],
        envelope.sender(),
        envelope.reply_to(),
        &envelope.to,
        &envelope.cc,
        &envelope.bcc,
    ];
    for list in lists {
        out.push(b' ');
        addresses(out, list, utf8);
    }
    out.push(b' ');
    text(out, &envelope.in_reply_to);
    out.push(b' ');
    text(out, &envelope.message_id);
    out.push(b')');
}

/// `"(" 1*address ")" / nil`: no space between addresses.
fn addresses(out: &mut Vec<u8>, list: &[Address], utf8: bool) {
    if list.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for address in list {
        let (name, local, host) = match address {
            Address::Mailbox { name, local, host } => {
                (name.as_deref(), Some(&local[..]), Some(&host[..]))
            }
            // RFC 9051 §7.5.2: a group's name stands where the local part does, the host is NIL.
            Address::Group(name) => (None, Some(&name[..]), None),
            Address::GroupEnd => (None, None, None),
        };
        out.push(b'(');
        encode::nstring(out, name, utf8);
        out.extend_from_slice(b" NIL ");
        encode::nstring(out, local, utf8);
        out.push(b' ');
        encode::nstring(out, host, utf8);
        out.push(b')');
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let terry = Address::Mailbox {
            name: Some(b"Terry Gray".to_vec()),
            local: b"gray".to_vec(),
            host: b"cac.washington.edu".to_vec(),
        };
        let envelope = Envelope {
            date: Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)".to_vec()),
            subject: Some(b"IMAP4rev2 WG mtg summary and minutes".to_vec()),
            from: vec![terry],
            to: vec![Address::Group(b"list".to_vec()), Address::GroupEnd],
            message_id: Some(b"<B27397-0100000@cac.washington.ed>".to_vec()),
            ..Envelope::default()
        };
        let mut out = Vec::new();
        write(&mut out, &envelope, false);
        let from = "((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\"))";
        let want = format!(
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" \
             {from} {from} {from} ((NIL NIL \"list\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL \
             \"<B27397-0100000@cac.washington.ed>\")"
        );
        assert_eq!(String::from_utf8(out).unwrap(), want);
    }
}
