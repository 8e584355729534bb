//! MD5 (RFC 1321), for APOP alone: RFC 1939 §7 fixes the digest.
//!
//! MD5 is broken as a signature and as a password hash. It is here because APOP is off until its
//! user asks for it, and because 60 lines weigh less than a dependency.

/// How far each round's step rotates: four values a round, RFC 1321 §3.4.
const ROTATE: [[u32; 4]; 4] = [
    [7, 12, 17, 22],
    [5, 9, 14, 20],
    [4, 11, 16, 23],
    [6, 10, 15, 21],
];

/// The digest of all pieces, one behind the other.
pub fn md5(pieces: &[&[u8]]) -> [u8; 16] {
    let sines = sines();
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    let octets = pieces.iter().map(|piece| piece.len()).sum::<usize>();
    let bits = (octets as u64).wrapping_mul(8).to_le_bytes();
    // RFC 1321 §3.1: one octet 0x80, then zeros up to 56 modulo 64, then the length.
    let zeros = (119 - octets % 64) % 64;
    let padded = pieces
        .iter()
        .flat_map(|piece| piece.iter().copied())
        .chain(std::iter::once(0x80))
        .chain(std::iter::repeat_n(0, zeros))
        .chain(bits);
    let mut block = [0u8; 64];
    let mut filled = 0;
    for octet in padded {
        block[filled] = octet;
        filled += 1;
        if filled == block.len() {
            mix(&mut state, &block, &sines);
            filled = 0;
        }
    }
    let mut digest = [0; 16];
    for (out, word) in digest.chunks_exact_mut(4).zip(state) {
        out.copy_from_slice(&word.to_le_bytes());
    }
    digest
}

/// RFC 1321 §3.4: `T[i]` is the integer part of 2^32 times |sin(i)|, i in radians from 1.
fn sines() -> [u32; 64] {
    std::array::from_fn(|i| (f64::sin(i as f64 + 1.0).abs() * 4_294_967_296.0) as u32)
}

fn mix(state: &mut [u32; 4], block: &[u8; 64], sines: &[u32; 64]) {
    let mut words = [0u32; 16];
    for (word, octets) in words.iter_mut().zip(block.chunks_exact(4)) {
        *word = octets
            .iter()
            .rev()
            .fold(0, |sum, &octet| sum << 8 | u32::from(octet));
    }
    let [mut a, mut b, mut c, mut d] = *state;
    for step in 0..64 {
        let (f, word) = match step / 16 {
            0 => (b & c | !b & d, step),
            1 => (b & d | c & !d, 5 * step + 1),
            2 => (b ^ c ^ d, 3 * step + 5),
            _ => (c ^ (b | !d), 7 * step),
        };
        let sum = a
            .wrapping_add(f)
            .wrapping_add(sines[step])
            .wrapping_add(words[word % 16]);
        a = d;
        d = c;
        c = b;
        b = b.wrapping_add(sum.rotate_left(ROTATE[step / 16][step % 4]));
    }
    for (old, new) in state.iter_mut().zip([a, b, c, d]) {
        *old = old.wrapping_add(new);
    }
}

#[cfg(test)]
mod tests {
    use super::md5;

    fn hex(pieces: &[&[u8]]) -> String {
        md5(pieces)
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect()
    }

    /// RFC 1321, appendix A.5.
    #[test]
    fn test_suite_of_the_rfc() {
        for (text, digest) in [
            ("", "d41d8cd98f00b204e9800998ecf8427e"),
            ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"),
            ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (
                "abcdefghijklmnopqrstuvwxyz",
                "c3fcd3d76192e4007dfb496cca67e13b",
            ),
            (
                "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
                "57edf4a22be3c955ac49da2e2107b67a",
            ),
        ] {
            assert_eq!(hex(&[text.as_bytes()]), digest, "{text}");
        }
    }

    #[test]
    fn apop_of_rfc_1939() {
        let stamp = b"<1896.697170952@dbc.mtview.ca.us>";
        assert_eq!(
            hex(&[stamp, b"tanstaaf"]),
            "c4c9334bac560ecc979e58001b3e22fb"
        );
    }
}
