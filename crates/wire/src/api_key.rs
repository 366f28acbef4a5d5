//! The text of an API key: `nak_`, 32 random bytes in base62, and a checksum, by which a scanner for
//! leaked secrets, and this server, know a key from other text without looking it up.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand;

/// How each key begins.
const PREFIX: &str = "nak_";
const RANDOM_BYTES: usize = 32;
/// The digits of so many bytes in base62.
const RANDOM_DIGITS: usize = 43;
/// The digits of a CRC-32 in base62.
const CHECKSUM_DIGITS: usize = 6;
/// How much of a key is shown to recognise it: the prefix, and 24 of its 256 random bits.
const SHOWN: usize = PREFIX.len() + 4;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The text of an API key, of the right form.
pub struct KeyText<'t>(&'t str);

impl<'t> KeyText<'t> {
    /// Whether a credential is an API key, whatever its form is.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// # Errors
    /// Why the form is wrong, as a sentence.
    pub fn parse(text: &'t str) -> Result<Self, String> {
        let length = PREFIX.len() + RANDOM_DIGITS + CHECKSUM_DIGITS;
        if text.len() != length {
            return Err(format!("It has {} bytes instead of {length}.", text.len()));
        }
        let Some(digits) = text.strip_prefix(PREFIX) else {
            return Err(format!("It does not begin with {PREFIX}."));
        };
        if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!(
                "After {PREFIX} it contains a character that is neither a letter nor a digit."
            ));
        }
        let (checked, checksum) = text.split_at(length - CHECKSUM_DIGITS);
        if checksum != checksum_of(checked) {
            return Err("Its checksum is wrong: a character was changed.".to_owned());
        }
        Ok(Self(text))
    }

    /// What the table has of the key.
    pub fn hash(&self) -> String {
        let hash = digest(&SHA256, self.0.as_bytes());
        hash.as_ref()
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 15])
            .filter_map(|digit| char::from_digit(digit.into(), 16))
            .collect()
    }

    /// The beginning, which may be shown.
    pub fn shown(&self) -> &'t str {
        &self.0[..SHOWN]
    }
}

/// A new key.
pub fn random() -> String {
    let mut bytes = [0; RANDOM_BYTES];
    rand::fill(&mut bytes).expect("the operating system has random bytes");
    let mut key = format!("{PREFIX}{}", base62(&mut bytes, RANDOM_DIGITS));
    key += &checksum_of(&key);
    key
}

fn checksum_of(text: &str) -> String {
    base62(&mut crc32(text.as_bytes()).to_be_bytes(), CHECKSUM_DIGITS)
}

/// A number, most significant byte first, in so many digits. The number is used up.
fn base62(number: &mut [u8], digits: usize) -> String {
    let mut text = vec![0; digits];
    for digit in text.iter_mut().rev() {
        let mut rest = 0;
        for byte in number.iter_mut() {
            let part = rest << 8 | usize::from(*byte);
            // The rest is less than 62, so the quotient is a byte.
            *byte = (part / DIGITS.len()) as u8;
            rest = part % DIGITS.len();
        }
        *digit = DIGITS[rest];
    }
    String::from_utf8(text).expect("the digits are ASCII")
}

/// The CRC-32 of zip, PNG and Ethernet.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < table.len() {
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 {
                    value >> 1 ^ 0xEDB8_8320
                } else {
                    value >> 1
                };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc: u32, byte| {
        TABLE[usize::from(crc as u8 ^ byte)] ^ crc >> 8
    })
}
