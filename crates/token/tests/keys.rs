//! Which keys are taken from a set, and which sets are not taken at all.

use std::collections::HashSet;

use neon_auth_token::{Algorithm, KeySet, Policy};
use serde_json::{Value, json};

use crate::common::*;

/// An odd number of `bits` bits that is no product of two primes that anybody knows.
fn modulus(bits: usize) -> String {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    bytes[0] = 0xff >> (bytes.len() * 8 - bits);
    encode(bytes)
}

fn rsa(n: &str, e: &[u8]) -> Value {
    json!({"kty": "RSA", "kid": "r", "n": n, "e": encode(e)})
}

#[test]
fn refuses_046_bad_rsa_keys() {
    let common = [1, 0, 1];
    for bits in [2048, 3072, 8192] {
        assert_eq!(key_set(&[rsa(&modulus(bits), &common)]).len(), 1);
    }
    for bits in [8, 512, 1024, 2047, 8193, 16384] {
        assert_eq!(bad_set(&[rsa(&modulus(bits), &common)]), "bad_rsa_key");
    }
    let n = modulus(2048);
    for e in [
        [3].as_slice(),
        &[17],
        &[1, 0, 1],
        &[1, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(key_set(&[rsa(&n, e)]).len(), 1);
    }
    for e in [
        [].as_slice(),
        &[0],
        &[1],
        &[2],
        &[1, 0, 0],
        &[0, 1, 0, 1],
        &[3, 0xff, 0xff, 0xff, 0xff],
        &[0xff; 256],
    ] {
        assert_eq!(bad_set(&[rsa(&n, e)]), "bad_rsa_key");
    }
    let even = encode([[0xff; 255].as_slice(), &[0xfe]].concat());
    assert_eq!(bad_set(&[rsa(&even, &common)]), "bad_rsa_key");
    let prefixed = encode([[0].as_slice(), &[0xff; 256]].concat());
    assert_eq!(bad_set(&[rsa(&prefixed, &common)]), "bad_rsa_key");
    assert_eq!(bad_set(&[rsa("", &common)]), "bad_rsa_key");
}

#[test]
fn refuses_047_bad_points() {
    let mut point = ES256.public_point();
    point[40] ^= 1;
    let zero = encode([0; 32]);
    let ec = |x: &str, y: &str| json!({"kty": "EC", "crv": "P-256", "kid": "e", "x": x, "y": y});
    let off_curve = ec(&encode(&point[1..33]), &encode(&point[33..]));
    assert_eq!(bad_set(&[off_curve]), "bad_ec_key");
    assert_eq!(bad_set(&[ec(&zero, &zero)]), "bad_ec_key");
    assert_eq!(bad_set(&[ec("", "")]), "bad_ec_key");
    let beyond = encode([0xff; 32]);
    assert_eq!(bad_set(&[ec(&beyond, &beyond)]), "bad_ec_key");
    let jwk = ES256.jwk();
    let (x, y) = (jwk["x"].as_str().expect("x"), jwk["y"].as_str().expect("y"));
    assert_eq!(key_set(&[ec(x, y)]).len(), 1);
    assert_eq!(bad_set(&[ec(y, x)]), "bad_ec_key");
    let longer = encode([[0].as_slice(), &ES256.public_point()[1..33]].concat());
    assert_eq!(bad_set(&[ec(&longer, y)]), "bad_ec_key");
    // A P-256 point is none of P-384.
    assert_eq!(
        bad_set(&[ES256.jwk_with("crv", json!("P-384"))]),
        "algorithm_mismatch"
    );
    let mut other_curve = ec(x, y);
    other_curve["crv"] = json!("P-384");
    assert_eq!(bad_set(&[other_curve]), "bad_ec_key");
}

#[test]
fn refuses_044_small_order_ed25519_keys() {
    let ed =
        |point: [u8; 32]| json!({"kty": "OKP", "crv": "Ed25519", "kid": "o", "x": encode(point)});
    let ends = |first: u8, last: u8| {
        let mut point = [0xff; 32];
        (point[0], point[31]) = (first, last);
        point
    };
    let mut one = [0; 32];
    one[0] = 1;
    let eighth = |hex: &str| {
        let mut point = [0; 32];
        for (byte, digits) in point.iter_mut().zip(hex.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).expect("ASCII");
            *byte = u8::from_str_radix(digits, 16).expect("hexadecimal");
        }
        point
    };
    let points = [
        [0; 32],
        one,
        ends(0xec, 0x7f),
        // The same again, and others, not reduced modulo the prime.
        ends(0xed, 0x7f),
        ends(0xee, 0x7f),
        ends(0xff, 0x7f),
        eighth("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        eighth("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ];
    for mut point in points {
        assert_eq!(bad_set(&[ed(point)]), "bad_ed_key");
        point[31] |= 0x80;
        assert_eq!(bad_set(&[ed(point)]), "bad_ed_key");
    }
    for x in [encode([7; 31]), encode([7; 33]), String::new()] {
        assert_eq!(bad_set(&[EDDSA.jwk_with("x", json!(x))]), "bad_ed_key");
    }
}

#[test]
fn refuses_048_alg_that_does_not_fit_the_key() {
    for (signer, alg) in [
        (&ES256, "ES384"),
        (&ES256, "RS256"),
        (&ES256, "EdDSA"),
        (&ES384, "ES256"),
        (&EDDSA, "ES256"),
        (&RS256, "ES256"),
        (&RS256, "EdDSA"),
    ] {
        assert_eq!(
            bad_set(&[signer.jwk_with("alg", json!(alg))]),
            "algorithm_mismatch"
        );
    }
}

/// The code for a token of the usual key, when the set has this version of it and another.
fn refusal_beside_a_good_key(name: &str, value: Value) -> &'static str {
    let keys = key_set(&[ES256.jwk_with(name, value), ES384.jwk()]);
    assert_eq!(keys.len(), 1);
    assert!(keys.contains("key-1"));
    assert!(judge_by(&ES384.token(&claims()), &keys, &policy(), NOW).is_ok());
    refusal_by(&ES256.token(&claims()), &keys, &policy())
}

#[test]
fn refuses_049_a_key_for_encryption() {
    for name in ["enc", "SIG", "", "sig "] {
        let jwk = ES256.jwk_with("use", json!(name));
        assert_eq!(bad_set(&[jwk]), "no_usable_key");
        assert_eq!(
            refusal_beside_a_good_key("use", json!(name)),
            "unusable_key"
        );
    }
    assert_eq!(key_set(&[ES256.jwk_with("use", json!("sig"))]).len(), 1);
    assert_eq!(
        bad_set(&[ES256.jwk_with("use", json!(["sig"]))]),
        "malformed"
    );
}

#[test]
fn refuses_050_key_ops_without_verify_or_repeated() {
    for operations in [json!([]), json!(["sign"]), json!(["encrypt", "wrapKey"])] {
        let jwk = ES256.jwk_with("key_ops", operations.clone());
        assert_eq!(bad_set(&[jwk]), "no_usable_key");
        assert_eq!(
            refusal_beside_a_good_key("key_ops", operations),
            "unusable_key"
        );
    }
    for operations in [
        json!(["verify", "verify"]),
        json!("verify"),
        json!([1]),
        json!({}),
    ] {
        let jwk = ES256.jwk_with("key_ops", operations);
        assert_eq!(bad_set(&[jwk]), "malformed");
    }
    let both = ES256.jwk_with("key_ops", json!(["sign", "verify"]));
    assert!(judge_by(&ES256.token(&claims()), &key_set(&[both]), &policy(), NOW).is_ok());
}

#[test]
fn refuses_051_a_symmetric_key() {
    let oct = json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": encode("secret")});
    assert_eq!(bad_set(&[ES256.jwk(), oct]), "symmetric_key");
    assert_eq!(
        bad_set(&[ES256.jwk(), json!({"kty": "oct"})]),
        "symmetric_key"
    );
    assert_eq!(
        bad_set(&[ES256.jwk(), ES384.jwk_with("k", json!("AA"))]),
        "symmetric_key"
    );
}

#[test]
fn refuses_052_a_private_key() {
    for signer in [&ES256, &EDDSA, &RS256] {
        assert_eq!(
            bad_set(&[ES384.jwk(), signer.jwk_with("d", json!(encode([7; 32])))]),
            "private_key"
        );
    }
    for name in ["p", "q", "dp", "dq", "qi", "oth"] {
        assert_eq!(
            bad_set(&[ES384.jwk(), RS256.jwk_with(name, json!("AA"))]),
            "private_key"
        );
    }
    // It is a secret whatever else is wrong with it, or however useless it is.
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "priv": "AA"});
    assert_eq!(bad_set(&[ES384.jwk(), unknown]), "private_key");
    let mut unused = ES256.jwk_with("use", json!("enc"));
    unused["d"] = json!(7);
    assert_eq!(bad_set(&[ES384.jwk(), unused]), "private_key");
}

#[test]
fn refuses_053_two_keys_of_one_name() {
    let token = ES256.token(&claims());
    let twin = Signer::new(Algorithm::ES256, "key-1");
    for other in [twin.jwk(), ES256.jwk()] {
        let keys = key_set(&[ES256.jwk(), other]);
        assert_eq!(refusal_by(&token, &keys, &policy()), "ambiguous_key");
    }
    // Names may repeat where the algorithm decides.
    let namesake = Signer::new(Algorithm::EdDSA, "key-1");
    let keys = key_set(&[ES256.jwk(), namesake.jwk()]);
    assert!(judge_by(&token, &keys, &policy(), NOW).is_ok());
    assert!(judge_by(&namesake.token(&claims()), &keys, &policy(), NOW).is_ok());
    // An RSA key without `alg` serves them all.
    let bound = RS256.jwk();
    let free = Signer::new(Algorithm::RS256, &RS256.kid).jwk_with("alg", Value::Null);
    let keys = key_set(&[bound, free]);
    assert_eq!(
        refusal_by(&RS256.token(&claims()), &keys, &policy()),
        "ambiguous_key"
    );
}

#[test]
fn refuses_054_no_key_id_and_no_named_key() {
    let nameless = ES256.raw_token(r#"{"alg":"ES256"}"#, claims().to_string());
    let keys = key_set(&[ES256.jwk(), ES384.jwk()]);
    assert_eq!(refusal_by(&nameless, &keys, &policy()), "missing_key_id");
    let keys = key_set(&[ES256.jwk()]);
    assert_eq!(refusal_by(&nameless, &keys, &policy()), "missing_key_id");
    // A key without a name matches nothing, but does no harm.
    let unnamed = ES256.jwk_with("kid", Value::Null);
    assert_eq!(bad_set(std::slice::from_ref(&unnamed)), "no_usable_key");
    let keys = key_set(&[unnamed, ES384.jwk()]);
    assert_eq!(keys.len(), 1);
    assert_eq!(
        refusal_by(&ES256.token(&claims()), &keys, &policy()),
        "unknown_key"
    );
}

#[test]
fn accepts_055_an_unknown_type_beside_a_good_key() {
    let keys = key_set(&[
        json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"}),
        json!({"kty": "unheard of", "kid": "x"}),
        json!({"kty": "EC", "crv": "P-521", "kid": "big", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "secp256k1", "kid": "coin", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "X25519", "kid": "dh", "x": "AA"}),
        json!({"kty": "OKP", "crv": "Ed448", "kid": "goldilocks", "x": "AA"}),
        RS256.jwk_with("alg", json!("RSA-OAEP-256")),
        ES256.jwk(),
    ]);
    assert!(judge_by(&ES256.token(&claims()), &keys, &policy(), NOW).is_ok());
    assert_eq!(keys.key_ids().collect::<Vec<_>>(), ["key-1"]);
    assert!(!keys.is_empty());
    assert!(keys.contains("pq") && !keys.contains("nobody"));
    assert_eq!(
        refusal_by(&RS256.token(&claims()), &keys, &policy()),
        "unusable_key"
    );
}

#[test]
fn refuses_056_the_same_name_at_another_issuer() {
    let theirs = Signer::new(Algorithm::ES256, "key-1");
    let their_issuer = "https://other.example/";
    let their_policy = Policy {
        issuers: vec![their_issuer.to_owned()],
        ..policy()
    };
    let their_keys = key_set(&[theirs.jwk()]);
    let forged = theirs.token(&claims());
    // Signed by them in our name: our keys refuse it, and so does their own policy.
    assert_eq!(refusal(&forged), "bad_signature");
    assert_eq!(
        refusal_by(&forged, &their_keys, &their_policy),
        "wrong_issuer"
    );
    // In their own name it is theirs alone.
    let honest = theirs.token(&claims_with("iss", json!(their_issuer)));
    assert!(judge_by(&honest, &their_keys, &their_policy, NOW).is_ok());
    assert_eq!(refusal(&honest), "wrong_issuer");
}

#[test]
fn accepts_coordinates_without_leading_zeros() {
    let mut seen = HashSet::new();
    while seen.len() < 2 {
        let signer = Signer::new(Algorithm::ES256, "short");
        let point = signer.public_point();
        for (name, start) in [("x", 1), ("y", 33)] {
            let coordinate = &point[start..start + 32];
            if coordinate[0] != 0 {
                continue;
            }
            let zeros = coordinate.iter().take_while(|byte| **byte == 0).count();
            let jwk = signer.jwk_with(name, json!(encode(&coordinate[zeros..])));
            let token = signer.token(&claims());
            assert!(judge_by(&token, &key_set(&[jwk]), &policy(), NOW).is_ok());
            seen.insert(name);
        }
    }
}

#[test]
fn refuses_documents_that_are_no_key_sets() {
    for json in [
        "",
        "nonsense",
        "{\"keys\":[",
        "{\"keys\":[]} x",
        "\u{feff}{\"keys\":[]}",
    ] {
        assert_eq!(bad_set_text(json), "bad_json");
    }
    for json in [
        "[]",
        "null",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[1]}",
    ] {
        assert_eq!(bad_set_text(json), "malformed");
    }
    assert_eq!(bad_set(&[]), "no_usable_key");
    assert_eq!(bad_set_text(&ES256.jwk().to_string()), "malformed");
    assert_eq!(
        bad_set_text("{\"keys\":[],\"keys\":[]}"),
        "duplicate_member"
    );
    let twice = ES256.jwk().to_string().replacen('{', "{\"kid\":\"a\",", 1);
    assert_eq!(
        bad_set_text(&format!("{{\"keys\":[{twice}]}}")),
        "duplicate_member"
    );
    let deep = format!("{{\"keys\":{}{}}}", "[".repeat(100), "]".repeat(100));
    assert_eq!(bad_set_text(&deep), "too_deep");
    let nul = ES256.jwk_with("kid", json!("a\0b"));
    assert_eq!(bad_set(&[nul]), "nul_character");
    let bytes = KeySet::parse(b"{\"keys\":[\xff]}").expect_err("this is no UTF-8");
    assert_eq!(bytes.code(), "bad_json");
}

#[test]
fn refuses_keys_of_the_wrong_shape() {
    for name in ["kty", "crv", "x", "y"] {
        assert_eq!(bad_set(&[ES256.jwk_with(name, Value::Null)]), "malformed");
        assert_eq!(bad_set(&[ES256.jwk_with(name, json!(1))]), "malformed");
    }
    for name in ["n", "e"] {
        assert_eq!(bad_set(&[RS256.jwk_with(name, Value::Null)]), "malformed");
    }
    for name in ["kid", "alg", "use"] {
        assert_eq!(bad_set(&[ES256.jwk_with(name, json!(1))]), "malformed");
    }
    for kid in ["", "a\nb", &"k".repeat(257)] {
        assert_eq!(bad_set(&[ES256.jwk_with("kid", json!(kid))]), "malformed");
    }
    for x in ["AA==", "A+/A", "A A", "A"] {
        assert_eq!(bad_set(&[ES256.jwk_with("x", json!(x))]), "malformed");
    }
}

#[test]
fn limits_the_size_of_a_set() {
    let many = |count: usize| -> Vec<Value> {
        (0..count)
            .map(|index| ES256.jwk_with("kid", json!(format!("k{index}"))))
            .collect()
    };
    assert_eq!(key_set(&many(100)).len(), 100);
    assert_eq!(bad_set(&many(101)), "too_many_keys");
    let of_size = |size: usize| {
        let jwk = ES256.jwk();
        let bare = format!("{{\"keys\":[{jwk}],\"x\":\"\"}}");
        let filler = "x".repeat(size - bare.len());
        format!("{{\"keys\":[{jwk}],\"x\":\"{filler}\"}}")
    };
    assert!(KeySet::parse(of_size(256 * 1024).as_bytes()).is_ok());
    assert_eq!(bad_set_text(&of_size(256 * 1024 + 1)), "too_large");
}

#[test]
fn shows_names_and_no_material() {
    let keys = key_set(&[ES256.jwk(), RS256.jwk()]);
    assert_eq!(format!("{keys:?}"), r#"KeySet ["key-1", "key-rsa"]"#);
    let secret = KeySet::parse(br#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#);
    let error = secret.expect_err("a secret");
    assert!(error.hint().is_some());
    assert_eq!(error.to_string(), "the key set contains a symmetric key");
    assert!(error.detail().starts_with("key 1: "));
}
