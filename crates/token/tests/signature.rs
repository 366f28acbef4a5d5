//! Signatures that are wrong in every way a signature can be.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA256, RsaPssSaltLength,
    RsaSignatureEncoding,
};
use neon_auth_token::Algorithm;
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::common::*;

/// The code for a token of `signer` whose signature `spoil` has made.
fn spoilt(signer: &Signer, spoil: impl FnOnce(&[u8]) -> Vec<u8>) -> &'static str {
    let token = signer.token_signed_by(signer.header().to_string(), claims().to_string(), spoil);
    refusal_by(&token, &key_set(&[signer.jwk()]), &policy())
}

fn signers() -> [&'static Signer; 5] {
    [&ES256, &ES384, &EDDSA, &RS256, &ML_DSA_44]
}

#[test]
fn refuses_empty_signature() {
    for signer in signers() {
        assert_eq!(spoilt(signer, |_| vec![]), "bad_signature");
    }
}

#[test]
fn refuses_all_zero_signature() {
    for signer in signers() {
        let zeros = |message: &[u8]| vec![0; signer.sign(message).len()];
        assert_eq!(spoilt(signer, zeros), "bad_signature");
    }
}

/// The order of P-256.
const P256_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

#[test]
fn refuses_r_and_s_at_the_edges() {
    let last = |change: i8| {
        let mut bytes = P256_ORDER;
        bytes[31] = bytes[31].wrapping_add_signed(change);
        bytes
    };
    let small = |value: u8| {
        let mut bytes = [0; 32];
        bytes[31] = value;
        bytes
    };
    let edges = [small(0), small(1), last(-1), last(0), last(1), [0xff; 32]];
    for r in edges {
        for s in edges {
            assert_eq!(spoilt(&ES256, |_| [r, s].concat()), "bad_signature");
        }
        let only_r = |message: &[u8]| [&r[..], &ES256.sign(message)[32..]].concat();
        assert_eq!(spoilt(&ES256, only_r), "bad_signature");
        let only_s = |message: &[u8]| [&ES256.sign(message)[..32], &r[..]].concat();
        assert_eq!(spoilt(&ES256, only_s), "bad_signature");
    }
}

#[test]
fn refuses_der_encoded_ecdsa() {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("a key");
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "key-1", "x": encode(x), "y": encode(y)});
    let token = ES256.token_signed_by(
        ES256.header().to_string(),
        claims().to_string(),
        |message| {
            let signature = pair.sign(&SystemRandom::new(), message);
            signature.expect("a signature").as_ref().to_vec()
        },
    );
    assert_eq!(
        refusal_by(&token, &key_set(&[jwk]), &policy()),
        "bad_signature"
    );
}

#[test]
fn refuses_one_byte_more_or_less() {
    for signer in signers() {
        let sign = |message: &[u8]| signer.sign(message);
        let codes = [
            spoilt(signer, |message| [sign(message), vec![0]].concat()),
            spoilt(signer, |message| [vec![0], sign(message)].concat()),
            spoilt(signer, |message| sign(message)[1..].to_vec()),
            spoilt(signer, |message| {
                let signature = sign(message);
                signature[..signature.len() - 1].to_vec()
            }),
            spoilt(signer, |message| [sign(message), sign(message)].concat()),
        ];
        assert_eq!(codes, ["bad_signature"; 5]);
    }
}

#[test]
fn refuses_rsa_signature_out_of_range() {
    let rsa = RawRsa::of(&RS256);
    let sum = |message: &[u8]| BigUint::from_bytes_be(&RS256.sign(message)) + &rsa.n;
    // s + n is congruent to s; it may or may not need one byte more.
    assert_eq!(
        spoilt(&RS256, |message| rsa.to_bytes(&sum(message))),
        "bad_signature"
    );
    assert_eq!(spoilt(&RS256, |_| rsa.to_bytes(&rsa.n)), "bad_signature");
    assert_eq!(spoilt(&RS256, |_| vec![0xff; 256]), "bad_signature");
    let prefixed = |message: &[u8]| [vec![0], RS256.sign(message)].concat();
    assert_eq!(spoilt(&RS256, prefixed), "bad_signature");

    // A sum that fits in 256 bytes, so that its size alone cannot give it away.
    let limit = BigUint::from(1_u8) << 2048;
    let fitting = (0..10_000).find_map(|number| {
        let claims = claims_with("number", json!(number)).to_string();
        let token = RS256.token_signed_by(RS256.header().to_string(), claims, |message| {
            rsa.to_bytes(&sum(message))
        });
        let (signed, _) = token.rsplit_once('.')?;
        (sum(signed.as_bytes()) < limit).then_some(token)
    });
    let token = fitting.expect("one of many sums is small");
    let keys = key_set(&[RS256.jwk()]);
    assert_eq!(refusal_by(&token, &keys, &policy()), "bad_signature");
}

/// The DigestInfo of a SHA-256 digest (RFC 8017 section 9.2, note 1).
fn digest_info(message: &[u8]) -> Vec<u8> {
    let prefix = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    [prefix, digest(&SHA256, message).as_ref()].concat()
}

/// Makes of a message the block that is then raised to the private power.
type Encoding = fn(&[u8]) -> Vec<u8>;

/// `00 01 <padding> 00 <content>` for a modulus of 2048 bits.
fn encoded(kind: u8, filler: u8, content: &[u8]) -> Vec<u8> {
    let padding = vec![filler; 256 - 3 - content.len()];
    [&[0, kind], &padding[..], &[0], content].concat()
}

#[test]
fn refuses_pkcs1_padding_garbage() {
    let rsa = RawRsa::of(&RS256);
    let honest = RS256.token_signed_by(
        RS256.header().to_string(),
        claims().to_string(),
        |message| rsa.sign(&encoded(1, 0xff, &digest_info(message))),
    );
    let keys = key_set(&[RS256.jwk()]);
    assert!(judge_by(&honest, &keys, &policy(), NOW).is_ok());

    let forgeries: [Encoding; 8] = [
        // Garbage after the digest, with the padding shortened to fit.
        |message| encoded(1, 0xff, &[digest_info(message), vec![0xab; 190]].concat()),
        // Padding other than FF.
        |message| encoded(1, 0xfe, &digest_info(message)),
        // The padding of encryption.
        |message| encoded(2, 0xff, &digest_info(message)),
        // A block type of zero.
        |message| encoded(0, 0x00, &digest_info(message)),
        // One bad byte in the padding.
        |message| {
            let mut block = encoded(1, 0xff, &digest_info(message));
            block[100] = 0xfe;
            block
        },
        // The digest without its algorithm.
        |message| encoded(1, 0xff, digest(&SHA256, message).as_ref()),
        // The name of another algorithm.
        |message| {
            let mut info = digest_info(message);
            info[14] = 2;
            encoded(1, 0xff, &info)
        },
        // Parameters of the algorithm that are not NULL.
        |message| {
            let mut info = digest_info(message);
            info[15] = 4;
            encoded(1, 0xff, &info)
        },
    ];
    for forge in forgeries {
        assert_eq!(
            spoilt(&RS256, |message| rsa.sign(&forge(message))),
            "bad_signature"
        );
    }
}

#[test]
fn refuses_another_pss_salt_length() {
    static NO_SALT: RsaSignatureEncoding =
        RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(0));
    static SHORT: RsaSignatureEncoding =
        RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(20));
    static LONG: RsaSignatureEncoding =
        RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Custom(64));
    static LONGEST: RsaSignatureEncoding =
        RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
    let keys = key_set(&[RS256.jwk_with("alg", Value::Null)]);
    let token = |encoding| {
        RS256.token_signed_by(
            json!({"alg": "PS256", "kid": RS256.kid}).to_string(),
            claims().to_string(),
            |message| sign_encoded(&RS256, encoding, message),
        )
    };
    assert!(judge_by(&token(&RSA_PSS_SHA256), &keys, &policy(), NOW).is_ok());
    for encoding in [&NO_SALT, &SHORT, &LONG, &LONGEST] {
        assert_eq!(
            refusal_by(&token(encoding), &keys, &policy()),
            "bad_signature"
        );
    }
}

#[test]
fn refuses_ed25519_out_of_range() {
    // The order of the base point, little-endian (RFC 8032 section 5.1).
    let order = (BigUint::from(1_u8) << 252)
        + BigUint::parse_bytes(b"27742317777372353535851937790883648493", 10).expect("a number");
    let with_s = |signature: &[u8], s: &BigUint| {
        let mut spoilt = signature[..32].to_vec();
        spoilt.extend(s.to_bytes_le());
        spoilt.resize(64, 0);
        spoilt
    };
    let non_canonical = |message: &[u8]| {
        let signature = EDDSA.sign(message);
        let s = BigUint::from_bytes_le(&signature[32..]);
        with_s(&signature, &(s + &order))
    };
    assert_eq!(spoilt(&EDDSA, non_canonical), "bad_signature");
    let at_order = |message: &[u8]| with_s(&EDDSA.sign(message), &order);
    assert_eq!(spoilt(&EDDSA, at_order), "bad_signature");
    let high_bits = |message: &[u8]| {
        let mut signature = EDDSA.sign(message);
        signature[63] |= 0xe0;
        signature
    };
    assert_eq!(spoilt(&EDDSA, high_bits), "bad_signature");
    // R of small order, with any S: the neutral element and the point of order two.
    let mut neutral = [0_u8; 64];
    neutral[0] = 1;
    assert_eq!(spoilt(&EDDSA, |_| neutral.to_vec()), "bad_signature");
    let mut second = [0xff_u8; 64];
    second[0] = 0xec;
    second[31] = 0x7f;
    second[32..].fill(0);
    assert_eq!(spoilt(&EDDSA, |_| second.to_vec()), "bad_signature");
}

#[test]
fn refuses_the_signature_of_another_token() {
    for signer in signers() {
        let other = signer.token(&claims_with("sub", json!("user-2")));
        let (_, signature) = other.rsplit_once('.').expect("parts");
        let token = signer.token(&claims());
        let (signed, _) = token.rsplit_once('.').expect("parts");
        let token = format!("{signed}.{signature}");
        let keys = key_set(&[signer.jwk()]);
        assert_eq!(refusal_by(&token, &keys, &policy()), "bad_signature");
    }
    let other_key = Signer::new(Algorithm::ES256, "key-1");
    assert_eq!(refusal(&other_key.token(&claims())), "bad_signature");
}
