//! What a header may ask for.

use aws_lc_rs::hmac;
use neon_auth_token::{Algorithm, Policy, TokenType};
use serde_json::{Value, json};

use crate::common::*;

fn with(members: Value) -> &'static str {
    refusal_of_header(header_with(members))
}

#[test]
fn refuses_alg_none_in_any_case() {
    for none in ["none", "None", "NONE", "nOnE", ""] {
        assert_eq!(with(json!({"alg": none})), "unsupported_algorithm");
        let unsigned = ES256.token_signed_by(
            header_with(json!({"alg": none})),
            claims().to_string(),
            |_| vec![],
        );
        assert_eq!(refusal(&unsigned), "unsupported_algorithm");
    }
}

#[test]
fn refuses_alg_of_the_wrong_type() {
    assert_eq!(
        refusal_of_header(r#"{"kid":"key-1"}"#),
        "unsupported_algorithm"
    );
    for alg in [
        json!(256),
        json!(["ES256"]),
        json!(null),
        json!({}),
        json!(true),
    ] {
        assert_eq!(with(json!({"alg": alg})), "unsupported_algorithm");
    }
}

#[test]
fn refuses_alg_in_another_case() {
    for alg in [
        "es256", "Es256", "ES256 ", " ES256", "EDDSA", "eddsa", "ES256\n",
    ] {
        assert_eq!(with(json!({"alg": alg})), "unsupported_algorithm");
    }
}

#[test]
fn refuses_the_public_key_as_a_secret() {
    let jwk = ES256.jwk();
    let point = ES256.public_point();
    let der = [b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00".as_slice(), &point].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        encode(&der)
    );
    let secrets = [
        pem.into_bytes(),
        der,
        jwk.to_string().into_bytes(),
        point,
        encode("").into_bytes(),
    ];
    let hashes = [
        ("HS256", hmac::HMAC_SHA256),
        ("HS384", hmac::HMAC_SHA384),
        ("HS512", hmac::HMAC_SHA512),
    ];
    for secret in secrets {
        for (alg, hash) in hashes {
            let token = ES256.token_signed_by(
                header_with(json!({"alg": alg})),
                claims().to_string(),
                |message| {
                    let key = hmac::Key::new(hash, &secret);
                    hmac::sign(&key, message).as_ref().to_vec()
                },
            );
            assert_eq!(refusal(&token), "unsupported_algorithm");
        }
    }
}

/// A token of the RSA key that claims one algorithm and is signed by another.
fn rsa_token(claimed: Algorithm, used: Algorithm) -> String {
    let header = json!({"alg": claimed.name(), "kid": RS256.kid}).to_string();
    RS256.token_signed_by(header, claims().to_string(), |message| {
        RS256.sign_as(used, message)
    })
}

fn refuses_algorithm_confusion(one: Algorithm, other: Algorithm) {
    let bound = key_set(&[RS256.jwk_with("alg", json!(one.name()))]);
    let free = key_set(&[RS256.jwk_with("alg", Value::Null)]);
    let only_one = Policy {
        algorithms: vec![one],
        ..policy()
    };
    let honest = rsa_token(other, other);
    assert!(judge_by(&honest, &free, &policy(), NOW).is_ok());
    assert_eq!(refusal_by(&honest, &bound, &policy()), "unusable_key");
    assert_eq!(
        refusal_by(&honest, &free, &only_one),
        "algorithm_not_allowed"
    );
    let lying = rsa_token(one, other);
    assert_eq!(refusal_by(&lying, &bound, &policy()), "bad_signature");
    assert_eq!(refusal_by(&lying, &free, &policy()), "bad_signature");
}

#[test]
fn refuses_rs256_and_ps256_for_each_other() {
    refuses_algorithm_confusion(Algorithm::RS256, Algorithm::PS256);
    refuses_algorithm_confusion(Algorithm::PS256, Algorithm::RS256);
}

#[test]
fn refuses_rs256_and_rs512_for_each_other() {
    refuses_algorithm_confusion(Algorithm::RS256, Algorithm::RS512);
    refuses_algorithm_confusion(Algorithm::RS512, Algorithm::RS256);
}

#[test]
fn refuses_es256_with_a_p384_key() {
    let keys = key_set(&[ES384.jwk()]);
    let header = json!({"alg": "ES256", "kid": ES384.kid}).to_string();
    let token = ES384.raw_token(&header, claims().to_string());
    assert_eq!(refusal_by(&token, &keys, &policy()), "unusable_key");
    let keys = key_set(&[ES384.jwk_with("alg", Value::Null)]);
    assert_eq!(refusal_by(&token, &keys, &policy()), "unusable_key");
}

#[test]
fn refuses_crit_with_any_list() {
    for crit in [
        json!(["exp"]),
        json!(["urn:example:unknown"]),
        json!(["b64"]),
        json!(["alg"]),
        json!(["absent"]),
        json!([1]),
    ] {
        assert_eq!(with(json!({"crit": crit, "exp": 1})), "critical_header");
    }
}

#[test]
fn refuses_crit_in_any_shape() {
    for crit in [
        json!([]),
        json!("exp"),
        json!(null),
        json!({}),
        json!(false),
    ] {
        assert_eq!(with(json!({"crit": crit})), "critical_header");
    }
    let twice = r#"{"alg":"ES256","kid":"key-1","crit":["a"],"crit":["a"]}"#;
    assert_eq!(refusal_of_header(twice), "duplicate_member");
    assert_eq!(with(json!({"crit": ["a", "a"], "a": 1})), "critical_header");
}

#[test]
fn refuses_unencoded_payload() {
    assert_eq!(with(json!({"b64": false})), "forbidden_header");
    assert_eq!(with(json!({"b64": true})), "forbidden_header");
    assert_eq!(
        with(json!({"b64": false, "crit": ["b64"]})),
        "critical_header"
    );
}

#[test]
fn refuses_compression() {
    assert_eq!(with(json!({"zip": "DEF"})), "forbidden_header");
}

#[test]
fn refuses_enc_with_three_parts() {
    assert_eq!(with(json!({"enc": "A256GCM"})), "encrypted");
    assert_eq!(
        with(json!({"alg": "dir", "enc": "A128CBC-HS256"})),
        "encrypted"
    );
}

#[test]
fn refuses_a_five_part_jwe() {
    let header = encode(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
    let token = format!("{header}.{0}.{0}.{0}.{0}", encode("sixteen bytes..."));
    assert_eq!(refusal(&token), "encrypted");
}

#[test]
fn refuses_an_embedded_key() {
    let attacker = Signer::new(Algorithm::ES256, "key-1");
    let header = header_with(json!({"jwk": attacker.jwk()}));
    let token = attacker.raw_token(header, claims().to_string());
    assert_eq!(refusal(&token), "forbidden_header");
}

/// The verdict on tokens with these header members: of the provider's key, and of an attacker's
/// key of the same name.
fn of_both_keys(members: Value) -> [&'static str; 2] {
    let attacker = Signer::new(Algorithm::ES256, "key-1");
    [&*ES256, &attacker].map(|signer| {
        let token = signer.raw_token(header_with(members.clone()), claims().to_string());
        judge(&token).map_or_else(|refusal| refusal.code(), |_| "ok")
    })
}

#[test]
fn ignores_a_key_by_address() {
    for name in ["jku", "x5u"] {
        for address in [
            json!("https://attacker.example/keys"),
            json!("http://127.0.0.1:1/"),
            json!("file:///etc/passwd"),
            json!(["not", "an", "address"]),
            json!(null),
        ] {
            assert_eq!(
                of_both_keys(json!({name: address})),
                ["ok", "bad_signature"]
            );
        }
    }
}

#[test]
fn ignores_a_certificate_and_its_thumbprints() {
    for certificate in [json!(["MIIB"]), json!([]), json!("MIIB"), json!(null)] {
        for name in ["x5c", "x5t", "x5t#S256"] {
            assert_eq!(
                of_both_keys(json!({name: certificate})),
                ["ok", "bad_signature"]
            );
        }
    }
}

#[test]
fn accepts_the_header_of_a_uaa() {
    let uaa = json!({
        "jku": "https://uaa.example/token_keys",
        "typ": "JWT",
        "jid": "Tg0kWb3n",
        "x5t": "bXlfdGh1bWJwcmludA",
    });
    assert_eq!(of_both_keys(uaa), ["ok", "bad_signature"]);
}

#[test]
fn refuses_a_bad_key_id() {
    for kid in [
        json!(1),
        json!(null),
        json!(["key-1"]),
        json!({}),
        json!(""),
    ] {
        assert_eq!(with(json!({"kid": kid})), "invalid_key_id");
    }
    assert_eq!(with(json!({"kid": "k".repeat(256)})), "unknown_key");
    assert_eq!(with(json!({"kid": "k".repeat(257)})), "invalid_key_id");
    assert_eq!(with(json!({"kid": "k".repeat(1 << 20)})), "too_large");
    assert_eq!(with(json!({"kid": "key-1\0"})), "nul_character");
    assert_eq!(with(json!({"kid": "key-1\n"})), "invalid_key_id");
    assert_eq!(with(json!({"kid": "\u{85}"})), "invalid_key_id");
    for kid in [
        "'; DROP TABLE users; --",
        "../../../../dev/null",
        "/dev/null",
        "KEY-1",
        "key-1 ",
        "key",
        "key-11",
        "kéy-1",
    ] {
        assert_eq!(with(json!({"kid": kid})), "unknown_key");
    }
}

#[test]
fn only_an_unknown_key_may_cause_a_fetch() {
    let unknown = ES256.raw_token(header_with(json!({"kid": "new"})), claims().to_string());
    assert!(judge(&unknown).is_err_and(|refusal| refusal.is_unknown_key()));
    let other = Signer::new(Algorithm::ES256, "key-1");
    let forged = other.token(&claims());
    assert!(judge(&forged).is_err_and(|refusal| !refusal.is_unknown_key()));
    let stale = claims_with("exp", json!(NOW - 3600));
    let old = ES256.raw_token(header_with(json!({"kid": "old"})), stale.to_string());
    assert!(judge(&old).is_err_and(|refusal| !refusal.is_unknown_key()));
}

#[test]
fn refuses_a_repeated_member() {
    for header in [
        r#"{"alg":"ES256","alg":"ES256","kid":"key-1"}"#,
        r#"{"alg":"none","alg":"ES256","kid":"key-1"}"#,
        r#"{"alg":"ES256","kid":"key-1","kid":"key-1"}"#,
        r#"{"alg":"ES256","kid":"key-1","\u006bid":"key-2"}"#,
        r#"{"alg":"ES256","kid":"key-1","x":{"y":1,"y":1}}"#,
    ] {
        assert_eq!(refusal_of_header(header), "duplicate_member");
    }
}

#[test]
fn refuses_another_type_than_the_provider_names() {
    let access = Policy {
        typ: TokenType::Named("at+jwt".to_owned()),
        ..policy()
    };
    let keys = key_set(&[ES256.jwk()]);
    let token = |header: String| ES256.raw_token(header, claims().to_string());
    for typ in [
        "JWT",
        "at+jw",
        "at+jwt ",
        "text/at+jwt",
        "application/x/at+jwt",
        "",
    ] {
        let token = token(header_with(json!({"typ": typ})));
        assert_eq!(refusal_by(&token, &keys, &access), "wrong_type");
    }
    let untyped = token(ES256.header().to_string());
    assert_eq!(refusal_by(&untyped, &keys, &access), "wrong_type");
    for typ in [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/AT+jwt",
    ] {
        let token = token(header_with(json!({"typ": typ})));
        assert!(judge_by(&token, &keys, &access, NOW).is_ok());
    }
    let long_rule = Policy {
        typ: TokenType::Named("application/at+jwt".to_owned()),
        ..policy()
    };
    let short = token(header_with(json!({"typ": "at+jwt"})));
    assert!(judge_by(&short, &keys, &long_rule, NOW).is_ok());
}

#[test]
fn refuses_other_types_than_access_tokens_unless_the_provider_names_one() {
    let keys = key_set(&[ES256.jwk()]);
    let token = |typ: &str| {
        let header = header_with(json!({"typ": typ}));
        ES256.raw_token(header, claims().to_string())
    };
    for typ in [
        "JWT",
        "jwt",
        "application/jwt",
        "Application/JWT",
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
    ] {
        assert!(judge(&token(typ)).is_ok(), "{typ}");
    }
    for typ in [
        "logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "application/logout+jwt",
        "application/vnd.keycloak.session-cache+jwt",
        "application/application/jwt",
        "text/jwt",
        "JOSE",
        "JWT ",
        "",
    ] {
        assert_eq!(refusal(&token(typ)), "wrong_type", "{typ}");
        let named = Policy {
            typ: TokenType::Named(typ.to_owned()),
            ..policy()
        };
        assert!(judge_by(&token(typ), &keys, &named, NOW).is_ok(), "{typ}");
    }
}

/// Better Auth signs OAuth access tokens, logout tokens and cookies with the keys of its JWTs.
#[test]
fn refuses_access_tokens_where_plain_tokens_are_expected() {
    let keys = key_set(&[ES256.jwk()]);
    let plain = Policy {
        typ: TokenType::Plain,
        ..policy()
    };
    let untyped = ES256.token(&claims());
    assert!(judge_by(&untyped, &keys, &plain, NOW).is_ok());
    for typ in ["JWT", "jwt", "application/jwt"] {
        let token = ES256.raw_token(header_with(json!({"typ": typ})), claims().to_string());
        assert!(judge_by(&token, &keys, &plain, NOW).is_ok(), "{typ}");
    }
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "logout+jwt",
        "better-auth.session-cache+jwt",
        "JWS",
        "",
    ] {
        let token = ES256.raw_token(header_with(json!({"typ": typ})), claims().to_string());
        assert_eq!(refusal_by(&token, &keys, &plain), "wrong_type", "{typ}");
    }
}

#[test]
fn refuses_a_type_that_is_no_string() {
    for typ in [json!(null), json!(1), json!(["JWT"])] {
        assert_eq!(with(json!({"typ": typ})), "invalid_header");
    }
}

#[test]
fn accepts_unknown_members() {
    let header = header_with(json!({"x5t": "abc", "cty": "x", "future": {"a": [1]}}));
    assert!(judge(&ES256.raw_token(header, claims().to_string())).is_ok());
}

#[test]
fn refuses_what_the_policy_does_not_allow() {
    let none = Policy {
        algorithms: vec![],
        ..policy()
    };
    let keys = key_set(&[ES256.jwk()]);
    let token = ES256.token(&claims());
    assert_eq!(refusal_by(&token, &keys, &none), "algorithm_not_allowed");
}
