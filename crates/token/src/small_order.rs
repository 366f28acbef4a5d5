//! Ed25519 points that are not acceptable as public keys.
//!
//! With a key of small order one signature fits many messages, and aws-lc, as RFC 8032
//! permits, does not look. Such points have few encodings, so they are listed.

/// 2^255 - 19, the order of the field, little-endian.
const PRIME: [u8; 32] = last_bytes(0xed, 0x7f);

const fn last_bytes(first: u8, last: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// The y coordinates of the points of order 1, 2, 4 and 8, little-endian. Each serves
/// both signs of x.
const SMALL_ORDER: [[u8; 32]; 5] = [
    // Order 4: y = 0.
    [0; 32],
    // Order 1: y = 1.
    {
        let mut one = [0; 32];
        one[0] = 1;
        one
    },
    // Order 2: y = -1.
    last_bytes(0xec, 0x7f),
    // Order 8, twice.
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
];

/// Whether an encoded point is of small order or not encoded canonically (RFC 8032
/// section 5.1.3, step 1), by which a listed point could hide.
pub(crate) fn is_unsafe(point: &[u8; 32]) -> bool {
    let mut y = *point;
    y[31] &= 0x7f;
    let below_prime = y.iter().rev().lt(PRIME.iter().rev());
    !below_prime || SMALL_ORDER.contains(&y)
}
