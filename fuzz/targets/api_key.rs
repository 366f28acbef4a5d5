//! Any text as an API key: it is one if a second implementation of the checksum says so.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_wire::api_key::{KeyText, random};

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The CRC-32 of a text in six digits, bit by bit.
fn checksum(text: &str) -> String {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 * (crc & 1));
        }
    }
    let number = u64::from(!crc);
    let digit = |place| char::from(DIGITS[(number / 62_u64.pow(place) % 62) as usize]);
    (0..6).rev().map(digit).collect()
}

fn is_key(text: &str) -> bool {
    let is_plain = text.is_ascii() && text.len() == 53 && text.starts_with("nak_");
    is_plain
        && text[4..].bytes().all(|byte| DIGITS.contains(&byte))
        && text[47..] == checksum(&text[..47])
}

fuzz_target!(|text: &str| {
    match KeyText::parse(text) {
        Ok(key) => {
            assert!(is_key(text) && KeyText::is_meant(text));
            assert_eq!(key.shown(), &text[..8]);
            assert!(key.hash().len() == 64 && key.hash().bytes().all(|b| b.is_ascii_hexdigit()));
        }
        Err(defect) => {
            assert!(!is_key(text));
            assert!(!defect.is_empty() && defect.len() < 100);
        }
    }
    // The same text with the right checksum.
    let digit = |byte: u8| char::from(DIGITS[usize::from(byte) % 62]);
    let digits = text.bytes().chain(std::iter::repeat(0)).map(digit);
    let key = format!("nak_{}", digits.take(43).collect::<String>());
    let mut key = format!("{key}{}", checksum(&key));
    assert!(KeyText::parse(&key).is_ok());
    assert!(is_key(&random()));
    // A checksum of 32 bits finds every change of one character.
    let at = 4 + text.len() % 49;
    let other = digit(key.as_bytes()[at].wrapping_add(text.len() as u8));
    if !key[at..].starts_with(other) {
        key.replace_range(at..=at, &other.to_string());
        assert!(KeyText::parse(&key).is_err());
    }
});
