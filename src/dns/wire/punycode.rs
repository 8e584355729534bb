//! Names beyond ASCII as the DNS knows them: A-labels (RFC 5891 §4.4), made by Punycode (RFC 3492).
//!
//! The letters are brought into lower case and otherwise taken as they come: what is not in NFC is
//! looked up as it stands.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;

/// The name with every label that is not ASCII as an A-label. A label that cannot be one stays, and is
/// no name then.
pub fn ascii(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 8);
    for (number, label) in name.split('.').enumerate() {
        if number > 0 {
            out.push('.');
        }
        if label.is_ascii() {
            out.push_str(label);
            continue;
        }
        let start = out.len();
        out.push_str("xn--");
        // No label has more than 59 of its own (RFC 1035 §2.3.4).
        if label.len() > 250 || encode(&label.to_lowercase(), &mut out).is_none() {
            out.truncate(start);
            out.push_str(label);
        }
    }
    out
}

/// RFC 3492 §6.3. `None` when numbers grow too large.
fn encode(label: &str, out: &mut String) -> Option<()> {
    let basic = label.chars().filter(char::is_ascii).count() as u32;
    out.extend(label.chars().filter(char::is_ascii));
    if basic > 0 {
        out.push('-');
    }
    let total = label.chars().count() as u32;
    let (mut n, mut delta, mut bias, mut handled) = (128, 0u32, 72, basic);
    while handled < total {
        let next = label.chars().map(u32::from).filter(|c| *c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for c in label.chars().map(u32::from) {
            if c < n {
                delta = delta.checked_add(1)?;
            }
            if c == n {
                number(delta, bias, out);
                bias = adapt(delta, handled + 1, handled == basic);
                delta = 0;
                handled += 1;
            }
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(())
}

/// A generalized variable-length integer (§3.3).
fn number(mut q: u32, bias: u32, out: &mut String) {
    let mut k = BASE;
    loop {
        let t = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if q < t {
            out.push(digit(q));
            return;
        }
        out.push(digit(t + (q - t) % (BASE - t)));
        q = (q - t) / (BASE - t);
        k += BASE;
    }
}

/// a to z, then 0 to 9.
fn digit(value: u32) -> char {
    // Below 36.
    let value = value as u8;
    char::from(if value < 26 {
        b'a' + value
    } else {
        b'0' + value - 26
    })
}

/// §6.1
fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / 700 } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn samples() {
        // RFC 3492 §7.1: (A), (D) in lower case, (I), (M), (S).
        for (label, puny) in [
            (
                "\u{644}\u{64a}\u{647}\u{645}\u{627}\u{628}\u{62a}\u{643}\u{644}\u{645}\u{648}\u{634}\u{639}\u{631}\u{628}\u{64a}\u{61f}",
                "egbpdaj6bu4bxfgehfvwxn",
            ),
            ("Pročprostěnemluvíčesky", "proprostnemluvesky-uyb24dma41a"),
            (
                "почемужеонинеговорятпорусски",
                "b1abfaaepdrnnbgefbadotcwatmq2g4l",
            ),
            (
                "PorquénopuedensimplementehablarenEspañol",
                "porqunopuedensimplementehablarenespaol-fmd56a",
            ),
            ("パフィーdeルンバ", "de-jg4avhby1noc0d"),
            ("bücher", "bcher-kva"),
            ("ü", "tda"),
        ] {
            assert_eq!(ascii(label), format!("xn--{puny}"), "{label}");
        }
        assert_eq!(ascii("Mail.BÜCHER.example."), "Mail.xn--bcher-kva.example.");
        assert_eq!(ascii("a.b"), "a.b");
    }

    /// §6.2
    fn decode(text: &str) -> Option<String> {
        let (basic, rest) = text.rsplit_once('-').unwrap_or(("", text));
        let mut out: Vec<char> = basic.chars().collect();
        let (mut n, mut i, mut bias) = (128u32, 0u32, 72);
        let mut digits = rest.bytes().peekable();
        while digits.peek().is_some() {
            let (old, mut weight, mut k) = (i, 1u32, BASE);
            loop {
                let digit = match digits.next()? {
                    letter @ b'a'..=b'z' => letter - b'a',
                    figure => figure - b'0' + 26,
                };
                i = i.checked_add(u32::from(digit).checked_mul(weight)?)?;
                let t = k.saturating_sub(bias).clamp(T_MIN, T_MAX);
                if u32::from(digit) < t {
                    break;
                }
                weight = weight.checked_mul(BASE - t)?;
                k += BASE;
            }
            let count = out.len() as u32 + 1;
            bias = adapt(i - old, count, old == 0);
            n += i / count;
            i %= count;
            out.insert(i as usize, char::from_u32(n)?);
            i += 1;
        }
        Some(out.into_iter().collect())
    }

    proptest! {
        #[test]
        fn comes_back(label in "[a-zäöüßčřж字ヺ\u{10ffff}-]{0,20}[äж字]") {
            let lower = label.to_lowercase();
            prop_assert_eq!(decode(ascii(&label).strip_prefix("xn--").unwrap()), Some(lower));
        }

        #[test]
        fn any_text_is_taken(name in "\\PC{0,300}") {
            let _ = ascii(&name);
        }
    }
}
