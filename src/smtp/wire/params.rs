//! The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8
//! (RFC 6531), RET, ENVID, NOTIFY, ORCPT (RFC 3461, RFC 6533), AUTH (RFC 4954 §5), REQUIRETLS (RFC 8689),
//! HOLDFOR and HOLDUNTIL (RFC 4865), MT-PRIORITY (RFC 6710).
use super::command::Syntax;
use super::xtext;
use crate::limits;
use crate::mail::outbound::Notify;
use crate::mime::date::parse_rfc3339;

/// What MAIL says beside the reverse-path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParams {
    /// `SIZE=`: the octets the client means to send (RFC 1870 §6).
    pub size: Option<u64>,
    /// `BODY=`.
    pub body: Body,
    /// `SMTPUTF8` was given.
    pub smtputf8: bool,
    /// `RET=`: how much of the message a bounce carries.
    pub ret: Option<Ret>,
    /// `ENVID=`, decoded.
    pub envid: Option<String>,
    /// `AUTH=`, decoded; who submitted it elsewhere. Syntax is checked and the claim is not used.
    pub auth: Option<String>,
    /// `REQUIRETLS` was given (RFC 8689 §2).
    pub requiretls: bool,
    /// `HOLDFOR=` or `HOLDUNTIL=` (RFC 4865 §3).
    pub hold: Option<Hold>,
    /// `MT-PRIORITY=`: from -9 to 9 (RFC 6710 §3).
    pub priority: Option<i8>,
}

/// When a message is to be released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Behind so many seconds.
    For(u32),
    /// At this second since 1970; beside it as the client wrote it.
    Until(i64, String),
}

/// `BODY=` of RFC 6152 §2 and RFC 3030 §3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Body {
    /// Lines of ASCII; what no parameter means.
    #[default]
    SevenBit,
    /// Lines with octets above 127.
    EightBitMime,
    /// Any octets; only by BDAT.
    BinaryMime,
}

/// `RET=` of RFC 3461 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ret {
    /// The whole message.
    Full,
    /// Its header section.
    Headers,
}

/// What RCPT says beside the forward-path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RcptParams {
    /// `NOTIFY=`; `None` where it was not given, which means failure and perhaps delay.
    pub notify: Option<Notify>,
    /// `ORCPT=`: address type and decoded address, as `type;address`.
    pub orcpt: Option<String>,
}

/// `esmtp-param` after `esmtp-param` (RFC 5321 §4.1.2), split at spaces and the first `=`.
fn split(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split_ascii_whitespace()
        .map(|param| match param.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (param, None),
        })
}

/// Parses what stands after the reverse-path.
pub fn mail(text: &str) -> Result<MailParams, Syntax> {
    let mut params = MailParams::default();
    let mut body_seen = false;
    for (name, value) in split(text) {
        match (name.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) => once(&mut params.size, size(value)?)?,
            ("BODY", Some(value)) if !body_seen => {
                params.body = body(value)?;
                body_seen = true;
            }
            ("SMTPUTF8", None) if !params.smtputf8 => params.smtputf8 = true,
            ("RET", Some(value)) => once(&mut params.ret, ret(value)?)?,
            ("ENVID", Some(value)) => once(&mut params.envid, envid(value)?)?,
            ("AUTH", Some(value)) => once(&mut params.auth, auth(value)?)?,
            ("REQUIRETLS", None) if !params.requiretls => params.requiretls = true,
            ("HOLDFOR", Some(value)) => once(&mut params.hold, hold_for(value)?)?,
            ("HOLDUNTIL", Some(value)) => once(&mut params.hold, hold_until(value)?)?,
            ("MT-PRIORITY", Some(value)) => once(&mut params.priority, priority(value)?)?,
            (
                "SIZE" | "BODY" | "SMTPUTF8" | "RET" | "ENVID" | "AUTH" | "REQUIRETLS" | "HOLDFOR"
                | "HOLDUNTIL" | "MT-PRIORITY",
                _,
            ) => return Err(Syntax::Parameter),
            _ => return Err(Syntax::UnknownParameter),
        }
    }
    Ok(params)
}

/// Parses what stands after the forward-path.
pub fn rcpt(text: &str) -> Result<RcptParams, Syntax> {
    let mut params = RcptParams::default();
    for (name, value) in split(text) {
        match (name.to_ascii_uppercase().as_str(), value) {
            ("NOTIFY", Some(value)) => once(&mut params.notify, notify(value)?)?,
            ("ORCPT", Some(value)) => once(&mut params.orcpt, orcpt(value)?)?,
            ("NOTIFY" | "ORCPT", _) => return Err(Syntax::Parameter),
            _ => return Err(Syntax::UnknownParameter),
        }
    }
    Ok(params)
}

/// RFC 3461 §4.5: a parameter given twice is 501.
fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Syntax> {
    if slot.is_some() {
        return Err(Syntax::Parameter);
    }
    *slot = Some(value);
    Ok(())
}

/// RFC 1870 §3: up to twenty digits. More than a u64 holds is more than anybody stores.
fn size(value: &str) -> Result<u64, Syntax> {
    if !(1..=20).contains(&value.len()) || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Syntax::Parameter);
    }
    Ok(value.parse().unwrap_or(u64::MAX))
}

/// One to nine digits, the first not 0.
fn hold_for(value: &str) -> Result<Hold, Syntax> {
    let digits = value.bytes().all(|b| b.is_ascii_digit()) && !value.starts_with('0');
    let seconds = value.parse().ok().filter(|_| digits && value.len() < 10);
    seconds.map(Hold::For).ok_or(Syntax::Parameter)
}

/// `Internet-style-date-time-UTC`: a date-time of RFC 3339 that ends in Z.
fn hold_until(value: &str) -> Result<Hold, Syntax> {
    let utc = value.ends_with(['Z', 'z']);
    let date = parse_rfc3339(value)
        .filter(|_| utc)
        .ok_or(Syntax::Parameter)?;
    Ok(Hold::Until(date.secs, value.to_owned()))
}

/// `priority-value` (RFC 6710 §7).
fn priority(value: &str) -> Result<i8, Syntax> {
    let digit = value.strip_prefix('-').unwrap_or(value);
    let good = digit.len() == 1 && value != "-0";
    let number = value.parse().ok().filter(|_| good);
    number.ok_or(Syntax::Parameter)
}

fn body(value: &str) -> Result<Body, Syntax> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(Body::SevenBit),
        "8BITMIME" => Ok(Body::EightBitMime),
        "BINARYMIME" => Ok(Body::BinaryMime),
        _ => Err(Syntax::Parameter),
    }
}

fn ret(value: &str) -> Result<Ret, Syntax> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Ok(Ret::Full),
        "HDRS" => Ok(Ret::Headers),
        _ => Err(Syntax::Parameter),
    }
}

fn envid(value: &str) -> Result<String, Syntax> {
    if value.len() > limits::ENVID {
        return Err(Syntax::Parameter);
    }
    // RFC 3461 §4.4: printable US-ASCII before encoding.
    xtext::decode(value)
        .filter(|text| text.is_ascii())
        .ok_or(Syntax::Parameter)
}

fn auth(value: &str) -> Result<String, Syntax> {
    xtext::decode(value)
        .filter(|text| !text.is_empty())
        .ok_or(Syntax::Parameter)
}

fn notify(value: &str) -> Result<Notify, Syntax> {
    let mut notify = Notify::default();
    if value.eq_ignore_ascii_case("NEVER") {
        return Ok(notify);
    }
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            // NEVER stands alone (RFC 3461 §4.1).
            _ => return Err(Syntax::Parameter),
        }
    }
    Ok(notify)
}

fn orcpt(value: &str) -> Result<String, Syntax> {
    if value.len() > limits::ORCPT {
        return Err(Syntax::Parameter);
    }
    let (kind, address) = value.split_once(';').ok_or(Syntax::Parameter)?;
    if kind.is_empty() || !kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err(Syntax::Parameter);
    }
    let address = xtext::decode(address)
        .filter(|a| !a.is_empty())
        .ok_or(Syntax::Parameter)?;
    Ok(format!("{kind};{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn mail_params() {
        let params = mail("SIZE=1000 body=8bitmime SMTPUTF8 RET=HDRS ENVID=a+2Bb AUTH=<>").unwrap();
        assert_eq!(params.size, Some(1000));
        assert_eq!(params.body, Body::EightBitMime);
        assert!(params.smtputf8);
        assert_eq!(params.ret, Some(Ret::Headers));
        assert_eq!(params.envid.as_deref(), Some("a+b"));
        assert_eq!(params.auth.as_deref(), Some("<>"));
        assert_eq!(
            mail("SIZE=99999999999999999999").map(|p| p.size),
            Ok(Some(u64::MAX))
        );
        for bad in [
            "SIZE",
            "SIZE=",
            "SIZE=-1",
            "SIZE=1a",
            "SIZE=1 SIZE=1",
            "BODY=9BIT",
            "SMTPUTF8=1",
            "BODY=7BIT BODY=7BIT",
            "RET=ALL",
            "RET=FULL RET=FULL",
            "ENVID=+0D+0A",
            "AUTH=",
            "ENVID=+C3+BC",
            "SMTPUTF8 SMTPUTF8",
            "SIZE=123456789012345678901",
        ] {
            assert_eq!(mail(bad), Err(Syntax::Parameter), "{bad}");
        }
        for unknown in ["FOO=1", "NOTIFY=NEVER", "XVERP"] {
            assert_eq!(mail(unknown), Err(Syntax::UnknownParameter), "{unknown}");
        }
    }

    #[test]
    fn rcpt_params() {
        let params = rcpt("NOTIFY=SUCCESS,failure ORCPT=rfc822;a+2Bb@example.com").unwrap();
        assert_eq!(
            params.notify,
            Some(Notify {
                success: true,
                failure: true,
                delay: false
            })
        );
        assert_eq!(params.orcpt.as_deref(), Some("rfc822;a+b@example.com"));
        assert_eq!(
            rcpt("NOTIFY=NEVER").map(|p| p.notify),
            Ok(Some(Notify::default()))
        );
        for bad in [
            "NOTIFY=NEVER,SUCCESS",
            "NOTIFY=",
            "NOTIFY",
            "NOTIFY=ALWAYS",
            "ORCPT=a",
            "ORCPT=;a",
            "ORCPT=rfc822;",
            "ORCPT=rfc822;a+0Ab",
            "NOTIFY=DELAY NOTIFY=DELAY",
        ] {
            assert_eq!(rcpt(bad), Err(Syntax::Parameter), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}") {
            let _ = mail(&text);
            let _ = rcpt(&text);
        }
    }
}
