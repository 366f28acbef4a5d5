//! RSA moduli of chips that made weak keys (ROCA, CVE-2017-15361).
//!
//! The primes of those chips were k · M + (65537^a mod M), where M is the product of the first primes, for keys of
//! 2,048 bits of 126 of them. So their moduli are powers of 65537 modulo each of these primes, and can be factored
//! (Nemec, Sys, Svenda, Klinec, Matyas: The Return of Coppersmith's Attack, section 2).

const GENERATOR: u32 = 65537;

/// Odd primes that divide M for each length of a key. For another modulus, the chance that all of them match is below
/// one in two hundred million.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether a big-endian modulus is like those of the chips.
pub(crate) fn is_weak(modulus: &[u8]) -> bool {
    PRIMES
        .iter()
        .all(|prime| is_power(remainder(modulus, *prime), *prime))
}

/// The remainder of a big-endian integer.
fn remainder(integer: &[u8], prime: u32) -> u32 {
    integer
        .iter()
        .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

/// Whether a remainder is a power of the generator modulo a prime.
fn is_power(remainder: u32, prime: u32) -> bool {
    std::iter::successors(Some(1), |power| Some(power * GENERATOR % prime))
        .take(prime as usize)
        .any(|power| power == remainder)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The big-endian powers of the generator, which are like the moduli of the chips modulo every prime.
    fn powers() -> impl Iterator<Item = Vec<u8>> {
        std::iter::successors(Some(vec![1]), |power| {
            // times 2^16 + 1
            let mut next = [power.as_slice(), &[0, 0]].concat();
            let mut carry = 0;
            for place in 1..=next.len() {
                let added = power.len().checked_sub(place).map_or(0, |at| power[at]);
                let at = next.len() - place;
                let sum = u16::from(next[at]) + u16::from(added) + carry;
                (next[at], carry) = (sum.to_le_bytes()[0], sum >> 8);
            }
            assert_eq!(carry, 0, "2^16 + 1 makes it at most 17 bits longer");
            Some(next)
        })
    }

    #[test]
    fn finds_moduli_of_each_length() {
        for (exponent, power) in powers().enumerate().skip(128).take(400) {
            assert!(is_weak(&power), "65537^{exponent}");
            let mut other = power;
            *other.last_mut().expect("a byte") ^= 2;
            assert!(!is_weak(&other), "near 65537^{exponent}");
        }
    }

    /// A prime's powers of the generator are these parts of the remainders that other moduli can have.
    #[test]
    fn takes_one_other_modulus_of_200_million_for_weak() {
        let share = |prime: &u32| {
            let powers = (1..*prime).filter(|rest| is_power(*rest, *prime)).count();
            powers as f64 / f64::from(prime - 1)
        };
        let chance: f64 = PRIMES.iter().map(share).product();
        assert!(chance < 1.0 / 200e6, "{chance}");
    }
}
