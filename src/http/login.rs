//! The `Authorization` field: Basic (RFC 7617) and Bearer (RFC 6750 §2.1).
use base64::Engine;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::GeneralPurposeConfig;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderValue};

/// What a client brought to prove who it is. `Debug` shows no secret.
pub enum Credentials {
    /// A user name and a password.
    Basic(String, String),
    /// A token.
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Credentials::Basic(user, _) => write!(f, "Basic({user:?}, ...)"),
            Credentials::Bearer(_) => f.write_str("Bearer(...)"),
        }
    }
}

impl Credentials {
    /// Reads them from a request's head; `None` when there are none, or none that we know.
    pub fn from_head(head: &HeaderMap) -> Option<Credentials> {
        let value = head.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, rest) = value.split_once(' ')?;
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(Credentials::Bearer(rest.to_owned()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let octets = LENIENT.decode(rest).ok()?;
        // RFC 7617 §2.1: we announce charset="UTF-8".
        let text = String::from_utf8(octets).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Credentials::Basic(user.to_owned(), password.to_owned()))
    }
}

/// The challenges for a 401. A browser that is told "Basic" asks its user and from then on sends
/// the password along with every request of every page (ambient authority), so a browser, known by
/// its `Sec-Fetch-*` fields, hears of Bearer only; a page that logs in sets the field itself.
pub fn challenges(head: &HeaderMap) -> Vec<HeaderValue> {
    let bearer = HeaderValue::from_static("Bearer realm=\"Pillarbox\"");
    if head.contains_key("sec-fetch-mode") || head.contains_key("sec-fetch-site") {
        return vec![bearer];
    }
    let basic = HeaderValue::from_static("Basic realm=\"Pillarbox\", charset=\"UTF-8\"");
    vec![basic, bearer]
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Option<Credentials> {
        let mut head = HeaderMap::new();
        head.insert(AUTHORIZATION, HeaderValue::from_str(value).ok()?);
        Credentials::from_head(&head)
    }

    #[test]
    fn rfc7617_example() {
        match parse("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==") {
            Some(Credentials::Basic(user, password)) => {
                assert_eq!(
                    (user.as_str(), password.as_str()),
                    ("Aladdin", "open sesame")
                );
            }
            other => panic!("{other:?}"),
        }
        // RFC 7617 §2.1: "test" and "123£".
        assert!(matches!(parse("basic dGVzdDoxMjPCow=="),
            Some(Credentials::Basic(_, p)) if p == "123£"));
    }

    #[test]
    fn junk_is_nobody() {
        for value in ["Basic", "Basic ====", "Basic bm9jb2xvbg==", "Digest x", ""] {
            assert!(parse(value).is_none(), "{value}");
        }
        assert!(!format!("{:?}", parse("Bearer s3cret")).contains("s3cret"));
    }
}
