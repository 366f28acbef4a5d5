//! Which keys are taken from a set, which are left out, and which documents are not taken at all.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use neon_auth_token::{Algorithm, KeySet, Policy};
use serde_json::{Value, json};

use crate::common::*;

/// An odd number of `bits` bits whose factors nobody knows.
fn modulus(bits: usize) -> String {
    let mut bytes = vec![0xff; bits.div_ceil(8)];
    bytes[0] = 0xff >> (bytes.len() * 8 - bits);
    encode(bytes)
}

fn rsa(n: &str, e: &[u8]) -> Value {
    json!({"kty": "RSA", "kid": "r", "n": n, "e": encode(e)})
}

#[test]
fn refuses_bad_rsa_keys() {
    let common = [1, 0, 1];
    for bits in [2048, 3072, 8192] {
        assert_eq!(key_set(&[rsa(&modulus(bits), &common)]).len(), 1);
    }
    for bits in [8, 512, 1024, 2047, 8193, 16384] {
        assert_eq!(left_out(rsa(&modulus(bits), &common)), "bad_rsa_key");
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
        &[0, 1],
        &[2],
        &[1, 0, 0],
        &[3, 0xff, 0xff, 0xff, 0xff],
        &[0xff; 256],
    ] {
        assert_eq!(left_out(rsa(&n, e)), "bad_rsa_key");
    }
    let even = encode([[0xff; 255].as_slice(), &[0xfe]].concat());
    assert_eq!(left_out(rsa(&even, &common)), "bad_rsa_key");
    let short = encode([[0; 128].as_slice(), &[0xff; 128]].concat());
    assert_eq!(left_out(rsa(&short, &common)), "bad_rsa_key");
    assert_eq!(left_out(rsa("", &common)), "bad_rsa_key");
}

/// CVE-2017-15361. Project Wycheproof's key is of such a chip, and its neighbour, also odd, is not.
#[test]
fn refuses_moduli_of_the_roca_kind() {
    let sets: Value =
        serde_json::from_str(include_str!("vectors/wycheproof/json_web_key.json")).expect("JSON");
    let of_a_chip = sets["testGroups"]
        .as_array()
        .expect("groups of cases")
        .iter()
        .find(|group| group["comment"] == "jws_rsa_roca_key")
        .expect("a key of the kind")["key"]["keys"][0]["n"]
        .as_str()
        .expect("a modulus");
    assert_eq!(left_out(rsa(of_a_chip, &[1, 0, 1])), "bad_rsa_key");
    let mut neighbour = URL_SAFE_NO_PAD.decode(of_a_chip).expect("base64url");
    *neighbour.last_mut().expect("bytes") ^= 2;
    assert_eq!(key_set(&[rsa(&encode(neighbour), &[1, 0, 1])]).len(), 1);
}

#[test]
fn refuses_bad_points() {
    let mut point = ES256.public_point();
    point[40] ^= 1;
    let zero = encode([0; 32]);
    let ec = |x: &str, y: &str| json!({"kty": "EC", "crv": "P-256", "kid": "e", "x": x, "y": y});
    let off_curve = ec(&encode(&point[1..33]), &encode(&point[33..]));
    assert_eq!(left_out(off_curve), "bad_ec_key");
    assert_eq!(left_out(ec(&zero, &zero)), "bad_ec_key");
    assert_eq!(left_out(ec("", "")), "bad_ec_key");
    let beyond = encode([0xff; 32]);
    assert_eq!(left_out(ec(&beyond, &beyond)), "bad_ec_key");
    let jwk = ES256.jwk();
    let (x, y) = (jwk["x"].as_str().expect("x"), jwk["y"].as_str().expect("y"));
    assert_eq!(key_set(&[ec(x, y)]).len(), 1);
    assert_eq!(left_out(ec(y, x)), "bad_ec_key");
    let longer = encode([[1].as_slice(), &ES256.public_point()[1..33]].concat());
    assert_eq!(left_out(ec(&longer, y)), "bad_ec_key");
    // A point of P-256 is not on P-384.
    assert_eq!(
        left_out(ES256.jwk_with("crv", json!("P-384"))),
        "algorithm_mismatch"
    );
    let mut other_curve = ec(x, y);
    other_curve["crv"] = json!("P-384");
    assert_eq!(left_out(other_curve), "bad_ec_key");
}

#[test]
fn refuses_small_order_ed25519_keys() {
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
        assert_eq!(left_out(ed(point)), "bad_ed_key");
        point[31] |= 0x80;
        assert_eq!(left_out(ed(point)), "bad_ed_key");
    }
    for x in [encode([7; 31]), encode([7; 33]), String::new()] {
        assert_eq!(left_out(EDDSA.jwk_with("x", json!(x))), "bad_ed_key");
    }
}

#[test]
fn a_report_names_the_keys_and_counts_those_without_kid() {
    let nameless = |signer: &Signer| {
        let mut jwk = signer.jwk();
        jwk.as_object_mut().expect("an object").remove("kid");
        jwk
    };
    let (first, second) = (nameless(&ES256), nameless(&ES384));
    for (keys, expected) in [
        (vec![EDDSA.jwk()], format!("\"{}\"", EDDSA.kid)),
        (
            vec![EDDSA.jwk(), first.clone()],
            format!("\"{}\", and 1 without kid", EDDSA.kid),
        ),
        (vec![first, second], "2 without kid".to_owned()),
    ] {
        assert_eq!(key_set(&keys).describe(), expected);
    }
}

#[test]
fn refuses_alg_that_does_not_fit_the_key() {
    for (signer, alg) in [
        (&ES256, "ES384"),
        (&ES256, "RS256"),
        (&ES256, "EdDSA"),
        (&ES384, "ES256"),
        (&ES384, "ES512"),
        (&EDDSA, "ES512"),
        (&ES256, "Ed25519"),
        (&EDDSA, "ES256"),
        (&RS256, "ES256"),
        (&RS256, "EdDSA"),
    ] {
        assert_eq!(
            left_out(signer.jwk_with("alg", json!(alg))),
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
fn refuses_a_key_for_encryption() {
    for name in ["enc", "SIG", "", "sig "] {
        let jwk = ES256.jwk_with("use", json!(name));
        assert_eq!(left_out(jwk), "other_purpose");
        assert_eq!(
            refusal_beside_a_good_key("use", json!(name)),
            "left_out_key"
        );
    }
    assert_eq!(key_set(&[ES256.jwk_with("use", json!("sig"))]).len(), 1);
    assert_eq!(left_out(ES256.jwk_with("use", json!(["sig"]))), "malformed");
}

#[test]
fn refuses_key_ops_without_verify_or_repeated() {
    for operations in [json!([]), json!(["sign"]), json!(["encrypt", "wrapKey"])] {
        let jwk = ES256.jwk_with("key_ops", operations.clone());
        assert_eq!(left_out(jwk), "other_purpose");
        assert_eq!(
            refusal_beside_a_good_key("key_ops", operations),
            "left_out_key"
        );
    }
    for operations in [
        json!(["verify", "verify"]),
        json!("verify"),
        json!([1]),
        json!({}),
    ] {
        let jwk = ES256.jwk_with("key_ops", operations);
        assert_eq!(left_out(jwk), "malformed");
    }
    let both = ES256.jwk_with("key_ops", json!(["sign", "verify"]));
    assert!(judge_by(&ES256.token(&claims()), &key_set(&[both]), &policy(), NOW).is_ok());
}

#[test]
fn refuses_a_symmetric_key() {
    let oct =
        json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": encode("a secret of some length")});
    assert_eq!(left_out(oct.clone()), "symmetric_key");
    assert_eq!(left_out(ES384.jwk_with("k", json!("AA"))), "symmetric_key");
    assert_eq!(left_out(json!({"kty": "oct"})), "unsupported");
    let keys = key_set(&[ES256.jwk(), oct, json!({"kty": "oct", "kid": "harmless"})]);
    let exposed = keys.left_out().iter().map(|key| key.exposes_secret());
    assert_eq!(exposed.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn refuses_a_private_key() {
    for signer in [&ES256, &EDDSA, &RS256] {
        let jwk = signer.jwk_with("d", json!(encode([7; 32])));
        assert_eq!(left_out(jwk), "private_key");
    }
    for name in ["p", "q", "dp", "dq", "qi", "oth"] {
        let jwk = RS256.jwk_with(name, json!(encode([7; 32])));
        assert_eq!(left_out(jwk.clone()), "private_key");
        assert!(key_set(&[ES256.jwk(), jwk]).left_out()[0].exposes_secret());
    }
    // It is a secret whatever else is wrong with it, or however useless it is.
    let unknown = json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA", "priv": encode([7; 32])});
    assert_eq!(left_out(unknown), "private_key");
    let mut unused = ES256.jwk_with("use", json!("enc"));
    unused["d"] = json!(7);
    unused["kid"] = json!(7);
    assert_eq!(left_out(unused), "private_key");
    // Some libraries list the private members of a public key, as null.
    let mut public = ES256.jwk();
    public["d"] = Value::Null;
    assert_eq!(key_set(&[public]).len(), 1);
}

#[test]
fn refuses_two_keys_of_one_name() {
    let token = ES256.token(&claims());
    let twin = Signer::new(Algorithm::ES256, "key-1");
    for jwks in [[twin.jwk(), ES256.jwk()], [ES256.jwk(), twin.jwk()]] {
        let keys = key_set(&jwks);
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
    // A key that cannot be used does not make the choice ambiguous.
    let weak = json!({"kty": "RSA", "kid": "key-1", "n": modulus(1024), "e": "AQAB"});
    let keys = key_set(&[weak, ES256.jwk()]);
    assert!(judge_by(&token, &keys, &policy(), NOW).is_ok());
}

#[test]
fn accepts_the_same_key_listed_again() {
    for signer in [&ES256, &ES384, &EDDSA, &RS256] {
        let mut padded = signer.jwk();
        for name in ["n", "x"] {
            if let Some(text) = padded[name].as_str() {
                let padding = "=".repeat((4 - text.len() % 4) % 4);
                padded[name] = json!(format!("{text}{padding}"));
            }
        }
        padded["x5c"] = json!(["MIIB"]);
        let unbound = signer.jwk_with("alg", Value::Null);
        for other in [signer.jwk(), padded, unbound] {
            for jwks in [[signer.jwk(), other.clone()], [other, signer.jwk()]] {
                let keys = key_set(&jwks);
                assert_eq!(keys.len(), 1);
                assert!(keys.left_out().is_empty());
                let token = signer.token(&claims());
                assert!(judge_by(&token, &keys, &policy(), NOW).is_ok());
            }
        }
    }
    // It serves what any of its JWKs lets it serve, and no more.
    let keys = key_set(&[
        RS256.jwk(),
        RS256.jwk_with("alg", json!("RS512")),
        RS256.jwk_with("use", json!("enc")),
    ]);
    for (algorithm, serves) in [
        (Algorithm::RS256, true),
        (Algorithm::RS512, true),
        (Algorithm::PS256, false),
    ] {
        let header = json!({"alg": algorithm.name(), "kid": RS256.kid}).to_string();
        let token = RS256.token_signed_by(header, claims().to_string(), |message| {
            RS256.sign_as(algorithm, message)
        });
        assert_eq!(judge_by(&token, &keys, &policy(), NOW).is_ok(), serves);
    }
}

/// A token of a key that does not name it.
fn nameless(signer: &Signer) -> String {
    let header = json!({"alg": signer.algorithm.name()}).to_string();
    signer.raw_token(header, claims().to_string())
}

fn unnamed(signer: &Signer) -> Value {
    signer.jwk_with("kid", Value::Null)
}

#[test]
fn accepts_a_missing_key_id_where_one_key_fits() {
    let token = nameless(&ES256);
    let weak = json!({"kty": "RSA", "n": modulus(1024), "e": "AQAB"});
    let twin = Signer::new(Algorithm::ES256, "twin");
    let unused = twin.jwk_with("use", json!("enc"));
    let mut renamed = ES256.jwk();
    renamed["kid"] = json!("again");
    for jwks in [
        vec![ES256.jwk()],
        vec![unnamed(&ES256)],
        vec![ES384.jwk(), ES256.jwk(), EDDSA.jwk(), RS256.jwk()],
        vec![unnamed(&ES384), unnamed(&ES256), unnamed(&EDDSA)],
        vec![ES256.jwk(), renamed],
        vec![unnamed(&ES256), ES256.jwk()],
        vec![weak, unused, ES256.jwk()],
    ] {
        assert!(judge_by(&token, &key_set(&jwks), &policy(), NOW).is_ok());
    }
}

#[test]
fn refuses_a_missing_key_id_where_several_keys_fit() {
    let token = nameless(&ES256);
    let twin = Signer::new(Algorithm::ES256, "twin");
    for jwks in [
        [ES256.jwk(), twin.jwk()],
        [unnamed(&ES256), unnamed(&twin)],
        [twin.jwk(), unnamed(&ES256)],
    ] {
        let keys = key_set(&jwks);
        assert_eq!(refusal_by(&token, &keys, &policy()), "missing_key_id");
    }
    // Another set may have the key that fits, or that signed.
    for (jwk, code) in [
        (ES384.jwk(), "unknown_key"),
        (twin.jwk(), "not_by_only_key"),
    ] {
        let refusal = judge_by(&token, &key_set(&[jwk]), &policy(), NOW).expect_err("refused");
        assert_eq!(refusal.code(), code);
        assert!(refusal.is_unknown_key());
    }
    // What the JWK forbids is forbidden to a token without a name too.
    for forbidden in [
        ES256.jwk_with("use", json!("enc")),
        ES256.jwk_with("key_ops", json!(["sign"])),
        ES256.jwk_with("d", json!("AA")),
    ] {
        let keys = key_set(&[forbidden, ES384.jwk()]);
        assert_eq!(refusal_by(&token, &keys, &policy()), "unknown_key");
    }
    // A token with kid never gets a key without kid.
    let keys = key_set(&[unnamed(&ES256)]);
    assert_eq!(
        refusal_by(&ES256.token(&claims()), &keys, &policy()),
        "unknown_key"
    );
}

#[test]
fn accepts_an_unknown_type_beside_a_good_key() {
    for jwk in [
        json!({"kty": "AKP", "kid": "pq", "alg": "SLH-DSA", "pub": "AA"}),
        json!({"kty": "unheard of", "kid": "x"}),
        json!({"kty": "EC", "crv": "secp256k1", "kid": "coin", "x": "AA", "y": "AA"}),
        json!({"kty": "OKP", "crv": "X25519", "kid": "dh", "x": "AA"}),
        json!({"kty": "OKP", "crv": "Ed448", "kid": "goldilocks", "x": "AA"}),
        RS256.jwk_with("alg", json!("RSA-OAEP")),
        RS256.jwk_with("alg", json!("rs256")),
        ES256.jwk_with("kty", json!("ec")),
        EDDSA.jwk_with("crv", json!("P-256")),
    ] {
        assert_eq!(left_out(jwk), "unsupported");
    }
    let keys = key_set(&[json!({"kty": "XYZ", "kid": "pq"}), ES256.jwk()]);
    assert_eq!(keys.key_ids().collect::<Vec<_>>(), ["key-1"]);
    assert!(!keys.is_empty());
    assert!(keys.contains("pq") && !keys.contains("nobody"));
}

#[test]
fn refuses_the_same_name_at_another_issuer() {
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
    // In their own name, only their keys and policy accept it.
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
fn accepts_other_spellings_of_the_same_value() {
    let pad = |text: &str| format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    let with_zero = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
        encode([[0].as_slice(), &bytes].concat())
    };
    let plain = |text: &str| text.replace('-', "+").replace('_', "/");
    let spellings: [&dyn Fn(&str) -> String; 5] = [
        &pad,
        &with_zero,
        &plain,
        &|text| pad(&plain(text)),
        &|text| pad(&with_zero(&with_zero(text))),
    ];
    for (signer, names) in [
        (&RS256, ["n", "e"]),
        (&ES256, ["x", "y"]),
        (&ES384, ["x", "y"]),
    ] {
        for spell in spellings {
            let mut jwk = signer.jwk();
            for name in names {
                jwk[name] = json!(spell(jwk[name].as_str().expect("a text")));
            }
            let keys = key_set(&[jwk]);
            assert!(judge_by(&signer.token(&claims()), &keys, &policy(), NOW).is_ok());
        }
    }
    // No number, so a zero byte is one of its 32.
    let mut jwk = EDDSA.jwk();
    jwk["x"] = json!(with_zero(jwk["x"].as_str().expect("a text")));
    assert_eq!(left_out(jwk), "bad_ed_key");
}

#[test]
fn takes_null_for_absent() {
    let mut jwk = RS256.jwk();
    for name in ["alg", "use", "key_ops", "x5c", "x5t", "crv", "d"] {
        jwk[name] = Value::Null;
    }
    let keys = key_set(&[jwk]);
    for algorithm in [Algorithm::RS256, Algorithm::PS512] {
        let header = json!({"alg": algorithm.name(), "kid": RS256.kid}).to_string();
        let token = RS256.token_signed_by(header, claims().to_string(), |message| {
            RS256.sign_as(algorithm, message)
        });
        assert!(judge_by(&token, &keys, &policy(), NOW).is_ok());
    }
    let mut jwk = ES256.jwk();
    jwk["kid"] = Value::Null;
    assert!(judge_by(&nameless(&ES256), &key_set(&[jwk]), &policy(), NOW).is_ok());
}

#[test]
fn refuses_documents_that_are_no_key_sets() {
    for (json, detail) in [
        ("", "it is empty"),
        ("nonsense", "expected ident"),
        ("{\"keys\":[", "EOF"),
        ("{\"keys\":[]} x", "trailing characters"),
        ("\u{feff}{\"keys\":[]}", "byte order mark"),
        ("<!doctype html>", "web page"),
        ("-----BEGIN PUBLIC KEY-----\n", "PEM"),
    ] {
        let bad = KeySet::parse(json.as_bytes()).expect_err("this is not JSON");
        assert_eq!(bad.code(), "bad_json");
        assert!(bad.detail().contains(detail), "{}", bad.detail());
    }
    for json in [
        "[]",
        "null",
        "\"keys\"",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        &format!("{}{}", "[".repeat(1000), "]".repeat(1000)),
    ] {
        assert_eq!(bad_set_text(json), "malformed");
    }
    let one_jwk = ES256.jwk().to_string();
    for (json, detail) in [
        ("[]", "an array instead of an object"),
        (" \"keys\"", "a string instead of an object"),
        ("null", "null instead of an object"),
        ("true", "a boolean instead of an object"),
        ("false", "a boolean instead of an object"),
        ("-7", "a number instead of an object"),
        ("{}", "\"keys\" is absent"),
        ("{\"keys\":{}}", "\"keys\" is not an array"),
        (
            one_jwk.as_str(),
            "it is one JWK, without {\"keys\": [...]} around it",
        ),
    ] {
        let bad = KeySet::parse(json.as_bytes()).expect_err("this is not a set");
        assert_eq!((bad.code(), bad.detail().as_str()), ("malformed", detail));
    }
    assert_eq!(bad_set_text("{\"keys\":[1]}"), "no_usable_key");
    assert_eq!(bad_set(&[]), "no_usable_key");
    assert_eq!(bad_set_text(&ES256.jwk().to_string()), "malformed");
    assert_eq!(
        bad_set_text("{\"keys\":[],\"keys\":[]}"),
        "duplicate_member"
    );
    let gzip = KeySet::parse(&[0x1f, 0x8b, 8, 0, 0]).expect_err("this is no text");
    assert_eq!(gzip.detail(), "it is compressed with gzip");
    let bytes = KeySet::parse(b"{\"keys\":[\xff]}").expect_err("this is not UTF-8");
    assert_eq!(bytes.code(), "bad_json");
    assert_eq!(bytes.detail(), "not UTF-8 from byte 9");
}

#[test]
fn tells_documents_that_are_mistaken_for_key_sets() {
    let discovery = json!({"issuer": "https://a.example", "jwks_uri": "https://a.example/keys"});
    let bad = KeySet::parse(discovery.to_string().as_bytes()).expect_err("not a set");
    assert_eq!(bad.code(), "discovery_document");
    assert_eq!(bad.detail(), "its jwks_uri is \"https://a.example/keys\"");
    assert!(bad.hint().is_some_and(|hint| hint.contains("jwks_uri")));
    let pem = "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n";
    let bad = KeySet::parse(json!({"kid-1": pem, "kid-2": pem}).to_string().as_bytes())
        .expect_err("not a set");
    assert_eq!(bad.code(), "certificates");
    assert!(bad.detail().contains("jwks_uri"));
    assert!(bad.hint().is_some_and(|hint| hint.contains("https://")));
    assert_eq!(
        bad_set_text("{\"keys\":[],\"jwks_uri\":\"x\"}"),
        "no_usable_key"
    );
}

#[test]
fn refuses_keys_of_the_wrong_shape() {
    let wrong = [json!(1), json!(true), json!(["AA"]), json!({"a": 1})];
    for name in ["kty", "crv", "x", "y"] {
        assert_eq!(left_out(ES256.jwk_with(name, Value::Null)), "malformed");
    }
    for name in ["n", "e"] {
        assert_eq!(left_out(RS256.jwk_with(name, Value::Null)), "malformed");
    }
    for value in &wrong {
        for name in ["kty", "crv", "x", "y", "kid", "alg", "use"] {
            assert_eq!(left_out(ES256.jwk_with(name, value.clone())), "malformed");
        }
        for name in ["n", "e"] {
            assert_eq!(left_out(RS256.jwk_with(name, value.clone())), "malformed");
        }
        if !value.is_object() {
            assert_eq!(left_out(value.clone()), "malformed");
        }
    }
    // As which serde would read an enumeration too.
    for (signer, name, value) in [
        (&ES256, "kty", json!({"EC": null})),
        (&ES256, "crv", json!({"P-256": null})),
        (&ES256, "alg", json!({"ES256": null})),
        (&EDDSA, "kty", json!({"OKP": null})),
        (&EDDSA, "crv", json!({"Ed25519": null})),
        (&RS256, "kty", json!({"RSA": null})),
    ] {
        assert_eq!(left_out(signer.jwk_with(name, value)), "malformed");
    }
    // What another type of key would need is not looked at, and neither is a certificate.
    for (name, value) in [
        ("crv", json!(1)),
        ("x", json!([])),
        ("y", json!({})),
        ("x5c", json!("MIIB")),
        ("x5u", json!(1)),
        ("x5t", json!([])),
        ("x5t#S256", json!(false)),
    ] {
        assert_eq!(key_set(&[RS256.jwk_with(name, value)]).len(), 1);
    }
    for kid in ["", "a\nb", &"k".repeat(257)] {
        assert_eq!(left_out(ES256.jwk_with("kid", json!(kid))), "malformed");
    }
    for x in ["AA===", "A=A", "A A", "A", "AB", "\u{e9}"] {
        assert_eq!(left_out(ES256.jwk_with("x", json!(x))), "malformed");
    }
    // A certificate is not a key: nothing says that it may verify tokens.
    let certificate = json!({"kty": "RSA", "kid": "c", "use": "sig", "x5c": ["MIIB"]});
    assert_eq!(left_out(certificate), "malformed");
    assert_eq!(left_out(json!({})), "malformed");
    assert_eq!(left_out(ES256.jwk_with("x", json!("a\0b"))), "malformed");
}

/// A fault in the JSON of one key affects only that key.
#[test]
fn leaves_out_a_key_that_is_not_strict_json() {
    let twice = ES256.jwk().to_string().replacen('{', "{\"kid\":\"a\",", 1);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let huge = "{\"kid\":\"huge\",\"n\":1e999}".to_owned();
    let surrogate = "{\"kty\":\"\\ud800\"}".to_owned();
    let nul = "{\"kty\":\"\\u0000\",\"kid\":\"nul\"}".to_owned();
    let cases = [
        (twice, None),
        (deep, None),
        (huge, Some("huge")),
        (surrogate, None),
        (nul, Some("nul")),
    ];
    for (bad, kid) in cases {
        for text in [
            format!("{{\"keys\":[{bad},{}]}}", ES384.jwk()),
            format!("{{\"keys\":[{},{bad}]}}", ES384.jwk()),
        ] {
            for text in [KeySet::storable(text.as_bytes()).expect("a set"), text] {
                let keys = KeySet::parse(text.as_bytes()).expect("a good key is left");
                assert!(judge_by(&ES384.token(&claims()), &keys, &policy(), NOW).is_ok());
                let [left_out] = keys.left_out() else {
                    panic!("{:?}", keys.left_out());
                };
                assert_eq!((left_out.code(), left_out.key_id()), ("malformed", kid));
            }
        }
    }
}

#[test]
fn stores_no_secret_and_no_more_than_it_reads() {
    let mut jwk = ES256.jwk();
    jwk["x5c"] = json!(["MIIB"]);
    let secret = ES384.jwk_with("d", json!(encode([7; 48])));
    let text = json!({"keys": [jwk, secret], "extra": [1e300]}).to_string();
    let stored: Value =
        serde_json::from_str(&KeySet::storable(text.as_bytes()).expect("a set")).expect("JSON");
    let reason = "it is a private key in a published set: d is present";
    let left_out = json!({
        "kid": "key-384",
        "neon_auth_left_out": reason,
        "neon_auth_left_out_code": "private_key",
    });
    assert_eq!(stored, json!({"keys": [ES256.jwk(), left_out]}));
    let again = KeySet::storable(stored.to_string().as_bytes()).expect("a set");
    assert_eq!(serde_json::from_str::<Value>(&again).expect("JSON"), stored);
}

/// A random mixture of keys is never refused while one is good, in whatever order.
#[test]
fn a_mixture_with_a_good_key_is_a_set() {
    let zero = encode([0; 32]);
    let bad: Vec<Value> = [
        json!(null),
        json!("x"),
        json!([]),
        json!({}),
        json!({"kty": "oct", "k": "AA", "kid": "key-1"}),
        rsa(&modulus(1024), &[1, 0, 1]),
        rsa("", &[]),
        ES256.jwk_with("use", json!("enc")),
        ES256.jwk_with("alg", json!("ES384")),
        ES256.jwk_with("y", Value::Null),
        ES256.jwk_with("d", json!("AA")),
        ES256.jwk_with("x", json!(zero)),
        EDDSA.jwk_with("x", json!(zero)),
        RS256.jwk_with("e", json!(65537)),
        RS256.jwk_with("key_ops", json!(["verify", "verify"])),
        RS256.jwk_with("kid", json!(7)),
    ]
    .into();
    let good = [&ES256, &ES384, &EDDSA, &RS256];
    let mut state = 42_u64;
    let mut random = |below: usize| {
        // The steps of Knuth's MMIX generator; its upper bits are the random ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..300 {
        let mut jwks: Vec<Value> = (0..random(12))
            .map(|_| bad[random(bad.len())].clone())
            .collect();
        let count = jwks.len();
        let present: Vec<&Signer> = good
            .iter()
            .copied()
            .filter(|_| random(3) == 0)
            .map(|s| &**s)
            .collect();
        for signer in &present {
            jwks.insert(random(jwks.len() + 1), signer.jwk());
        }
        let text = json!({ "keys": jwks }).to_string();
        match KeySet::parse(text.as_bytes()) {
            Ok(keys) => {
                assert_eq!((keys.len(), keys.left_out().len()), (present.len(), count));
                for signer in &present {
                    assert!(judge_by(&signer.token(&claims()), &keys, &policy(), NOW).is_ok());
                }
            }
            Err(bad) => {
                assert!(present.is_empty(), "{text}");
                assert_eq!(bad.code(), "no_usable_key");
            }
        }
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
fn says_which_key_is_left_out_and_why() {
    let unused = ES384.jwk_with("use", json!("enc"));
    let nameless = json!({"kty": "XYZ"});
    let keys = key_set(&[ES256.jwk(), unused, nameless]);
    let shown: Vec<String> = keys.left_out().iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "key 2, kid \"key-384\": its use is not \"sig\"",
            "key 3: its kty \"XYZ\" is not supported",
        ]
    );
}

#[test]
fn shows_names_and_no_material() {
    let keys = key_set(&[ES256.jwk(), RS256.jwk()]);
    assert_eq!(format!("{keys:?}"), r#"KeySet ["key-1", "key-rsa"]"#);
    let only = KeySet::parse(br#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#);
    let error = only.expect_err("a secret");
    assert!(error.hint().is_some());
    assert_eq!(error.to_string(), "the key set has no usable key");
    assert_eq!(
        error.detail(),
        "its only key: it is a symmetric key in a published set: k is present"
    );
}
