//! The DNS records that make other servers believe us, as lines of a zone file (RFC 1035 §5.1) or for the
//! form of a DNS provider.
use super::account::Account;
use crate::mail::Mail;
use crate::queue::keys;
use ring::digest;

/// What is printed.
struct Page {
    form: bool,
    lines: Vec<String>,
}

impl Page {
    fn note(&mut self, text: &str) {
        self.lines.push(format!("; {text}"));
    }

    /// One record; text is not yet quoted.
    fn put(&mut self, name: &str, kind: &str, value: &str) {
        let text = match (self.form, kind) {
            (true, _) => format!("{kind}\t{name}\t{}", value.trim_end_matches('.')),
            (false, "TXT") => format!("{name}. 3600 IN TXT {}", strings(value)),
            (false, _) => format!("{name}. 3600 IN {kind} {value}"),
        };
        self.lines.push(text);
    }
}

/// The lines, for every domain of the account: of a zone file, or `type<TAB>name<TAB>value`.
///
/// # Errors
/// A sentence.
pub fn lines(mail: &Mail, form: bool) -> Result<Vec<String>, String> {
    let account = Account::recall(mail)
        .map_err(|e| e.to_string())?
        .unwrap_or_default();
    let keys = keys::all(mail)?;
    let host = &account.hostname;
    let mut page = Page {
        form,
        lines: Vec::new(),
    };
    page.note(&format!(
        "{host} needs an A record, and an AAAA record if it has IPv6, with the address"
    ));
    page.note("that others see; and that address a PTR record with this name.");
    page.note("Mail that goes out through a smarthost: put its include: in front of -all.");
    for domain in &account.domains {
        page.lines.push(String::new());
        page.put(domain, "MX", &format!("10 {host}."));
        page.put(domain, "TXT", "v=spf1 mx -all");
        for (signer, usage) in &keys {
            if *usage != keys::Use::Signing {
                page.note(&format!("{}: {}", signer.selector(), usage.word()));
            }
            let name = format!("{}._domainkey.{domain}", signer.selector());
            page.put(&name, "TXT", &signer.record());
        }
        let dmarc = format!("v=DMARC1; p=quarantine; rua=mailto:postmaster@{domain}");
        page.put(&format!("_dmarc.{domain}"), "TXT", &dmarc);
        let reports = format!("v=TLSRPTv1; rua=mailto:postmaster@{domain}");
        page.put(&format!("_smtp._tls.{domain}"), "TXT", &reports);
        // RFC 6186 §3, RFC 8314 §5.1, RFC 8620 §2.2.
        for (service, port) in [
            ("submissions", 465),
            ("submission", 587),
            ("imaps", 993),
            ("pop3s", 995),
            ("jmap", 443),
            ("autodiscover", 443),
        ] {
            let name = format!("_{service}._tcp.{domain}");
            page.put(&name, "SRV", &format!("0 1 {port} {host}."));
        }
        page.note("Mail programs ask these two for their settings, by HTTPS:");
        for name in ["autoconfig", "autodiscover"] {
            page.put(&[name, ".", domain].concat(), "CNAME", &format!("{host}."));
        }
        secured(&mut page, domain, host);
    }
    Ok(page.lines)
}

/// The MTA-STS policy of every domain of ours (RFC 8461 §3.2).
pub fn policy(host: &str, mode: &str) -> String {
    format!("version: STSv1\r\nmode: {mode}\r\nmx: {host}\r\nmax_age: 604800\r\n")
}

/// What goes with a certificate that others trust.
fn secured(page: &mut Page, domain: &str, host: &str) {
    let policy = policy(host, "testing");
    page.note(
        "Only with a certificate for this host that others trust, MTA-STS (RFC 8461); and only if",
    );
    page.note(&format!(
        "https://mta-sts.{domain}/.well-known/mta-sts.txt says this"
    ));
    page.note("(`serve --mta-sts testing` does that, with a certificate for mta-sts, too; enforce, once all");
    page.note("is well; the id has to change with every change):");
    for line in policy.lines() {
        page.note(&format!("  {line}"));
    }
    page.put(&format!("mta-sts.{domain}"), "CNAME", &format!("{host}."));
    let hash = digest::digest(&digest::SHA256, policy.as_bytes());
    let mut id = String::from("v=STSv1; id=");
    for octet in hash.as_ref().iter().take(8) {
        id.push_str(&format!("{octet:02x}"));
    }
    page.put(&format!("_mta-sts.{domain}"), "TXT", &id);
    page.note("If only one authority is to issue certificates (RFC 8659), for instance:");
    page.note(&format!(
        "{domain}. 3600 IN CAA 0 issue \"letsencrypt.org\""
    ));
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
