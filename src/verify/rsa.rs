//! An RSA key of 2048 bits, made once for DKIM: `ring` signs with one, and makes none.
//!
//! Two random primes of 1024 bits (their top two bits set, so that the product has 2048), public
//! exponent 65537, in the form of RFC 8017 §A.1.2. `ring` checks that the parts fit together before it
//! uses them. Not made for constant time: it runs once, on the owner's machine, with nobody asking.
use crate::sys::random::{self, NoRandom};

/// Limbs of 64 bits, the least first.
type Big = Vec<u64>;

const PRIME_LIMBS: usize = 16;
const E: u64 = 65_537;

/// Makes a key: an RSAPrivateKey in DER.
///
/// # Errors
/// [`NoRandom`].
pub fn generate() -> Result<Vec<u8>, NoRandom> {
    let small = small_primes();
    loop {
        let (a, b) = (prime(&small)?, prime(&small)?);
        // ring wants p > q; equal or near primes do not come by chance.
        let (p, q) = match compare(&a, &b) {
            std::cmp::Ordering::Greater => (a, b),
            std::cmp::Ordering::Less => (b, a),
            std::cmp::Ordering::Equal => continue,
        };
        if let Some(key) = assemble(&p, &q) {
            return Ok(key);
        }
    }
}

fn assemble(p: &Big, q: &Big) -> Option<Vec<u8>> {
    let n = multiply(p, q);
    let (p1, q1) = (minus(p, 1), minus(q, 1));
    let d = inverse_of_e(&multiply(&p1, &q1))?;
    let (dp, dq) = (inverse_of_e(&p1)?, inverse_of_e(&q1)?);
    // p is prime: q^-1 = q^(p-2).
    let field = Field::new(p);
    let q_inverse = field.power(q, &minus(p, 2));
    let mut body = vec![2, 1, 0];
    for number in [&n, &vec![E], &d, p, q, &dp, &dq, &q_inverse] {
        integer(number, &mut body);
    }
    let mut der = vec![0x30];
    length(body.len(), &mut der);
    der.extend_from_slice(&body);
    Some(der)
}

/// The public half, as a SubjectPublicKeyInfo in DER, of an RSAPublicKey.
pub fn public_info(key: &[u8]) -> Vec<u8> {
    // AlgorithmIdentifier of rsaEncryption with NULL.
    let mut body = vec![
        0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0,
    ];
    body.push(3);
    length(key.len() + 1, &mut body);
    body.push(0);
    body.extend_from_slice(key);
    let mut der = vec![0x30];
    length(body.len(), &mut der);
    der.extend_from_slice(&body);
    der
}

fn prime(small: &[u64]) -> Result<Big, NoRandom> {
    loop {
        let seed: [u8; PRIME_LIMBS * 8] = random::octets()?;
        let mut candidate: Big = seed
            .as_chunks::<8>()
            .0
            .iter()
            .map(|eight| u64::from_le_bytes(*eight))
            .collect();
        if let Some(top) = candidate.last_mut() {
            *top |= 3 << 62;
        }
        if let Some(low) = candidate.first_mut() {
            *low |= 1;
        }
        let sieved = small.iter().all(|prime| remainder(&candidate, *prime) != 0);
        // E is prime: it divides p - 1 exactly when p leaves 1.
        if sieved && remainder(&candidate, E) != 1 && is_prime(&candidate)? {
            return Ok(candidate);
        }
    }
}

/// Miller and Rabin. For random numbers of this size, a composite passes eight rounds with a chance
/// far below 2^-100 (FIPS 186-5 appendix B.3).
fn is_prime(n: &Big) -> Result<bool, NoRandom> {
    let field = Field::new(n);
    let less = minus(n, 1);
    let twos = trailing_zeros(&less);
    let odd = shift_right(&less, twos);
    let one = field.one.clone();
    let minus_one = field.enter(&less);
    'rounds: for _ in 0..8 {
        let seed: [u8; 8] = random::octets()?;
        let base = vec![u64::from_le_bytes(seed) | 2];
        let mut x = field.power_inside(&field.enter(&base), &odd);
        if x == one || x == minus_one {
            continue;
        }
        for _ in 1..twos {
            x = field.multiply(&x, &x);
            if x == minus_one {
                continue 'rounds;
            }
        }
        return Ok(false);
    }
    Ok(true)
}

/// Odd primes below 2000.
fn small_primes() -> Vec<u64> {
    let mut primes: Vec<u64> = Vec::new();
    for n in (3..2000).step_by(2) {
        if primes.iter().all(|prime| n % prime != 0) {
            primes.push(n);
        }
    }
    primes
}

/// Arithmetic modulo an odd number, after Montgomery.
struct Field {
    modulus: Big,
    /// -modulus^-1 modulo 2^64.
    negative: u64,
    /// 1 inside.
    one: Big,
    /// What brings a number in.
    square: Big,
}

impl Field {
    fn new(modulus: &Big) -> Field {
        let low = modulus.first().copied().unwrap_or(1);
        // Newton: each step doubles the bits that are right.
        let mut inverse = 1u64;
        for _ in 0..6 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(low.wrapping_mul(inverse)));
        }
        let bits = modulus.len() * 64;
        let mut power = vec![0; modulus.len()];
        if let Some(low) = power.first_mut() {
            *low = 1;
        }
        let mut one = Vec::new();
        for bit in 0..2 * bits {
            if bit == bits {
                one.clone_from(&power);
            }
            double(&mut power, modulus);
        }
        Field {
            modulus: modulus.clone(),
            negative: inverse.wrapping_neg(),
            one,
            square: power,
        }
    }

    /// Brings a number in.
    fn enter(&self, number: &Big) -> Big {
        let mut number = number.clone();
        number.resize(self.modulus.len(), 0);
        self.multiply(&number, &self.square)
    }

    /// `base` to the power of `exponent`, both outside.
    fn power(&self, base: &Big, exponent: &Big) -> Big {
        let inside = self.power_inside(&self.enter(base), exponent);
        let mut unit = vec![0; self.modulus.len()];
        if let Some(low) = unit.first_mut() {
            *low = 1;
        }
        self.multiply(&inside, &unit)
    }

    fn power_inside(&self, base: &Big, exponent: &Big) -> Big {
        let mut out = self.one.clone();
        for limb in exponent.iter().rev() {
            for bit in (0..64).rev() {
                out = self.multiply(&out, &out);
                if limb >> bit & 1 == 1 {
                    out = self.multiply(&out, base);
                }
            }
        }
        out
    }

    /// a * b / 2^(64 * limbs).
    fn multiply(&self, a: &Big, b: &Big) -> Big {
        let size = self.modulus.len();
        let mut sum = vec![0u64; size + 2];
        for limb in a {
            add_product(&mut sum, b, *limb);
            let factor = sum.first().map_or(0, |low| low.wrapping_mul(self.negative));
            add_product(&mut sum, &self.modulus, factor);
            // The lowest limb is zero now.
            sum.copy_within(1.., 0);
            if let Some(top) = sum.last_mut() {
                *top = 0;
            }
        }
        let over = sum.get(size).copied().unwrap_or(0) > 0;
        sum.truncate(size);
        if over || compare(&sum, &self.modulus) != std::cmp::Ordering::Less {
            subtract(&mut sum, &self.modulus);
        }
        sum
    }
}

/// sum += number * factor.
fn add_product(sum: &mut [u64], number: &[u64], factor: u64) {
    let mut carry = 0u128;
    for (at, limb) in sum.iter_mut().enumerate() {
        let product = number
            .get(at)
            .map_or(0, |n| u128::from(*n) * u128::from(factor));
        let total = u128::from(*limb) + product + carry;
        *limb = total as u64;
        carry = total >> 64;
    }
}

fn multiply(a: &Big, b: &Big) -> Big {
    let mut out = vec![0; a.len() + b.len()];
    for (at, limb) in a.iter().enumerate() {
        add_product(out.get_mut(at..).unwrap_or_default(), b, *limb);
    }
    out
}

fn compare(a: &Big, b: &Big) -> std::cmp::Ordering {
    a.iter().rev().cmp(b.iter().rev())
}

fn subtract(a: &mut [u64], b: &[u64]) {
    let mut borrow = false;
    for (x, y) in a.iter_mut().zip(b) {
        let (first, under) = x.overflowing_sub(*y);
        let (second, more) = first.overflowing_sub(u64::from(borrow));
        *x = second;
        borrow = under || more;
    }
}

fn minus(number: &Big, small: u64) -> Big {
    let mut out = number.clone();
    let mut less = vec![0; number.len()];
    if let Some(low) = less.first_mut() {
        *low = small;
    }
    subtract(&mut out, &less);
    out
}

/// number = 2 * number modulo `modulus`, both of the same length.
fn double(number: &mut Big, modulus: &Big) {
    let mut carry = 0;
    for limb in number.iter_mut() {
        let top = *limb >> 63;
        *limb = *limb << 1 | carry;
        carry = top;
    }
    if carry == 1 || compare(number, modulus) != std::cmp::Ordering::Less {
        subtract(number, modulus);
    }
}

fn remainder(number: &Big, small: u64) -> u64 {
    let fold = |rest: u128, limb: &u64| (rest << 64 | u128::from(*limb)) % u128::from(small);
    number.iter().rev().fold(0, fold) as u64
}

/// E^-1 modulo `modulus`: (1 + k * modulus) / E, with the k that makes it whole.
fn inverse_of_e(modulus: &Big) -> Option<Big> {
    let rest = remainder(modulus, E);
    let k = (1..E).find(|k| (1 + k * rest).is_multiple_of(E))?;
    let mut sum = multiply(modulus, &vec![k]);
    let mut carry = true;
    for limb in &mut sum {
        let (next, over) = limb.overflowing_add(u64::from(carry));
        *limb = next;
        carry = over;
    }
    let mut rest = 0u128;
    for limb in sum.iter_mut().rev() {
        let value = rest << 64 | u128::from(*limb);
        *limb = (value / u128::from(E)) as u64;
        rest = value % u128::from(E);
    }
    (rest == 0).then_some(sum)
}

fn trailing_zeros(number: &Big) -> u32 {
    let zeros = number.iter().take_while(|limb| **limb == 0).count();
    zeros as u32 * 64 + number.get(zeros).map_or(0, |limb| limb.trailing_zeros())
}

fn shift_right(number: &Big, bits: u32) -> Big {
    let (limbs, bits) = ((bits / 64) as usize, bits % 64);
    let mut out = Vec::new();
    for at in limbs..number.len() {
        let low = number.get(at).copied().unwrap_or(0) >> bits;
        let high = number.get(at + 1).copied().unwrap_or(0);
        out.push(if bits == 0 {
            low
        } else {
            low | high << (64 - bits)
        });
    }
    out
}

/// INTEGER in DER.
fn integer(number: &Big, out: &mut Vec<u8>) {
    let octets: Vec<u8> = number
        .iter()
        .rev()
        .flat_map(|limb| limb.to_be_bytes())
        .collect();
    let start = octets
        .iter()
        .position(|octet| *octet != 0)
        .unwrap_or(octets.len() - 1);
    let octets = octets.get(start..).unwrap_or_default();
    let sign = octets.first().is_some_and(|octet| octet & 0x80 != 0);
    out.push(2);
    length(octets.len() + usize::from(sign), out);
    if sign {
        out.push(0);
    }
    out.extend_from_slice(octets);
}

fn length(length: usize, out: &mut Vec<u8>) {
    match length {
        0..=127 => out.push(length as u8),
        128..=255 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers() {
        let prime = |n: u64| is_prime(&vec![n]).unwrap();
        for n in [2_147_483_647, 18_446_744_073_709_551_557] {
            assert!(prime(n), "{n}");
        }
        // A Carmichael number, a strong pseudoprime to the bases 2, 3, 5 and 7, and a plain product.
        for n in [
            825_265,
            3_215_031_751,
            4_294_967_297,
            18_446_744_073_709_551_555,
        ] {
            assert!(!prime(n), "{n}");
        }
        let field = Field::new(&vec![1_000_003]);
        assert_eq!(field.power(&vec![5], &vec![1_000_002]), [1]);
        assert_eq!(field.power(&vec![7], &vec![3]), [343]);
        assert_eq!(remainder(&vec![5, 1], 1 << 32), 5);
        assert_eq!(shift_right(&vec![0, 6], 65), [3]);
        let d = inverse_of_e(&vec![1_000_002]).unwrap();
        assert_eq!(u128::from(d[0]) * u128::from(E) % 1_000_002, 1);
    }
}
