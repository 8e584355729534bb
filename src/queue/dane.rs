//! DANE for SMTP (RFC 7672): certificates that the DNS vouches for, by TLSA records (RFC 6698, RFC 7671).
//!
//! Asked for only where the host's addresses are proved by DNSSEC, so that name servers which trip
//! over TLSA questions are left in peace (RFC 7672 §2.2.2). Records that are there and cannot be
//! learnt now make a host unreachable: never is there less security than was published.
use crate::dns::{Data, Found, Kind, Question, Resolver, Tlsa};
use crate::limits;
use crate::net::tls;
use ring::digest;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;

/// What the DNS proves about a host's certificate.
pub struct Dane {
    /// The usable records; none if all are of kinds that mean nothing here: then TLS is a must, with
    /// any certificate (RFC 7672 §2.2).
    pub records: Vec<Tlsa>,
    /// The name under which they stand, for SNI; behind it others that a certificate may bear.
    pub names: Vec<String>,
}

/// Looks for the TLSA records of a host at which addresses are proved. `Ok(None)`: there are none that
/// DNSSEC proves.
///
/// # Errors
/// A sentence: they cannot be learnt now (RFC 7672 §2.1.2).
pub async fn look(
    dns: &Resolver,
    host: &str,
    port: u16,
    domain: &str,
) -> Result<Option<Dane>, String> {
    // RFC 7672 §2.2.2: where proved aliases lead comes first, then the name itself.
    let mut target = host.to_owned();
    for _ in 0..limits::DNS_ALIASES {
        let alias = dns.ask(&Question::new(&target, Kind::Cname)).await;
        // Whoever can keep this answer from us would keep the records behind it from us, too.
        if alias.found == Found::Failed {
            return Err(format!("the DNS does not answer for {target}"));
        }
        match (alias.secure, alias.records()) {
            (true, [Data::Cname(to), ..]) => target.clone_from(to),
            _ => break,
        }
    }
    let aliased = (target != host).then_some(target.as_str());
    for base in aliased.into_iter().chain([host]) {
        let name = format!("_{port}._tcp.{base}");
        let answer = dns.ask(&Question::new(&name, Kind::Tlsa)).await;
        if answer.found == Found::Failed {
            return Err(format!("the DNS does not answer for {name}"));
        }
        let records = answer.records();
        if answer.secure && !records.is_empty() {
            return Ok(Some(Dane {
                records: records.iter().filter_map(usable).collect(),
                names: vec![base.to_owned(), host.to_owned(), domain.to_owned()],
            }));
        }
    }
    Ok(None)
}

/// RFC 7672 §3.1: DANE-TA(2) and DANE-EE(3), with parameters that we know.
fn usable(data: &Data) -> Option<Tlsa> {
    let Data::Tlsa(tlsa) = data else {
        return None;
    };
    let length = match tlsa.matching {
        0 => !tlsa.data.is_empty(),
        1 => tlsa.data.len() == digest::SHA256_OUTPUT_LEN,
        2 => tlsa.data.len() == digest::SHA512_OUTPUT_LEN,
        _ => false,
    };
    (length && matches!(tlsa.usage, 2 | 3) && tlsa.selector < 2).then(|| tlsa.clone())
}

/// RFC 6698 §2.1.2, §2.1.3.
pub fn matches(tlsa: &Tlsa, cert: &CertificateDer<'_>) -> bool {
    let key;
    let octets: &[u8] = if tlsa.selector == 0 {
        cert
    } else {
        let Ok(parsed) = ParsedCertificate::try_from(cert) else {
            return false;
        };
        key = parsed.subject_public_key_info();
        &key
    };
    let algorithm = match tlsa.matching {
        0 => return octets == tlsa.data,
        1 => &digest::SHA256,
        _ => &digest::SHA512,
    };
    digest::digest(algorithm, octets).as_ref() == tlsa.data
}

impl Dane {
    /// Whether a record fits the certificate, or one above it that vouches for it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(
        &self,
        cert: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let with = |usage| self.records.iter().filter(move |tlsa| tlsa.usage == usage);
        // RFC 7672 §3.1.1: neither names nor dates count.
        if self.records.is_empty() || with(3).any(|tlsa| matches(tlsa, cert)) {
            return Ok(());
        }
        let mut wrong = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        // RFC 7672 §3.1.2: the anchor comes along in the handshake.
        for anchor in others {
            if with(2).any(|tlsa| matches(tlsa, anchor)) {
                for name in &self.names {
                    match tls::chains(anchor, cert, others, name, now) {
                        Ok(()) => return Ok(()),
                        Err(error) => wrong = error,
                    }
                }
            }
        }
        Err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlsa(usage: u8, selector: u8, matching: u8, data: &[u8]) -> Tlsa {
        Tlsa {
            usage,
            selector,
            matching,
            data: data.to_vec(),
        }
    }

    #[test]
    fn only_what_means_something() {
        let good = |tlsa: Tlsa| usable(&Data::Tlsa(tlsa)).is_some();
        assert!(good(tlsa(3, 1, 1, &[0; 32])) && good(tlsa(2, 0, 2, &[0; 64])));
        assert!(good(tlsa(3, 0, 0, b"x")));
        // PKIX usages (RFC 7672 §3.1.3), unknown numbers, wrong lengths.
        for bad in [
            tlsa(0, 1, 1, &[0; 32]),
            tlsa(1, 1, 1, &[0; 32]),
            tlsa(3, 2, 1, &[0; 32]),
            tlsa(3, 1, 3, &[0; 32]),
            tlsa(3, 1, 1, &[0; 31]),
            tlsa(3, 1, 0, &[]),
        ] {
            assert!(!good(bad));
        }
    }

    /// An authority, and a certificate of its own making for `mx.b.test`.
    fn family() -> [CertificateDer<'static>; 2] {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let authority = params.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(params, key);
        let own = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["mx.b.test".into()]).unwrap();
        let leaf = params.signed_by(&own, &issuer).unwrap();
        [leaf.der().clone(), authority.der().clone()]
    }

    #[test]
    fn certificates() {
        let [leaf, authority] = family();
        let [other, stranger] = family();
        let hash = |der: &CertificateDer<'_>, selector| {
            let parsed = ParsedCertificate::try_from(der).unwrap();
            let octets = match selector {
                0 => der.to_vec(),
                _ => parsed.subject_public_key_info().to_vec(),
            };
            digest::digest(&digest::SHA256, &octets).as_ref().to_vec()
        };
        let check = |records: Vec<Tlsa>, names: &[&str], cert: &_, others: &[_]| {
            let names = names.iter().map(|it| (*it).to_owned()).collect();
            Dane { records, names }.check(cert, others, UnixTime::now())
        };
        let both = [authority.clone(), stranger.clone()];
        for selector in [0, 1] {
            let ee = tlsa(3, selector, 1, &hash(&leaf, selector));
            assert!(check(vec![ee.clone()], &["no.match"], &leaf, &[]).is_ok());
            assert!(check(vec![ee], &["mx.b.test"], &other, &[]).is_err());
            let ta = tlsa(2, selector, 1, &hash(&authority, selector));
            let names = ["b.test", "mx.b.test"];
            assert!(check(vec![ta.clone()], &names, &leaf, &both).is_ok());
            assert!(check(vec![ta.clone()], &["b.test"], &leaf, &both).is_err());
            assert!(check(vec![ta.clone()], &names, &other, &both).is_err());
            assert!(check(vec![ta], &names, &leaf, &[]).is_err());
        }
        // A leaf is no anchor, and an anchor no leaf.
        let leaf_as_ta = tlsa(2, 0, 1, &hash(&leaf, 0));
        assert!(check(vec![leaf_as_ta], &["mx.b.test"], &leaf, &both).is_err());
        assert!(check(Vec::new(), &[], &other, &[]).is_ok());
    }
}
