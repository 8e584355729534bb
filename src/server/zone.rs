//! The DNS records that make other servers believe us, as lines of a zone file (RFC 1035 §5.1).
use super::account::Account;
use crate::mail::Mail;
use crate::queue::keys;

/// The lines, for every domain of the account.
///
/// # Errors
/// A sentence.
pub fn lines(mail: &Mail) -> Result<Vec<String>, String> {
    let account = Account::recall(mail)
        .map_err(|e| e.to_string())?
        .unwrap_or_default();
    let signers = keys::signers(mail)?;
    let host = &account.hostname;
    let mut lines = vec![
        format!("; {host} needs an A record, and an AAAA record if it has IPv6, with the address"),
        "; that others see; and that address a PTR record with this name.".to_owned(),
        "; Mail that goes out through a smarthost: put its include: in front of -all.".to_owned(),
    ];
    for domain in &account.domains {
        lines.push(String::new());
        lines.push(format!("{domain}. 3600 IN MX 10 {host}."));
        lines.push(format!("{domain}. 3600 IN TXT \"v=spf1 mx -all\""));
        for signer in &signers {
            let name = format!("{}._domainkey.{domain}", signer.selector());
            lines.push(format!("{name}. 3600 IN TXT {}", strings(&signer.record())));
        }
        lines.push(format!(
            "_dmarc.{domain}. 3600 IN TXT \"v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}\""
        ));
        lines.push(format!(
            "_smtp._tls.{domain}. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:postmaster@{domain}\""
        ));
        // RFC 6186 §3, RFC 8314 §5.1, RFC 8620 §2.2.
        for (service, port) in [
            ("submissions", 465),
            ("submission", 587),
            ("imaps", 993),
            ("pop3s", 995),
            ("jmap", 443),
        ] {
            lines.push(format!(
                "_{service}._tcp.{domain}. 3600 IN SRV 0 1 {port} {host}."
            ));
        }
    }
    Ok(lines)
}

/// A text as character-strings of at most 255 octets (RFC 1035 §3.3).
fn strings(text: &str) -> String {
    let pieces: Vec<String> = text
        .as_bytes()
        .chunks(250)
        .map(|piece| format!("\"{}\"", String::from_utf8_lossy(piece)))
        .collect();
    if pieces.len() == 1 {
        pieces.concat()
    } else {
        format!("( {} )", pieces.join(" "))
    }
}
