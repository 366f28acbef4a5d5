//! Any bytes as the header of a token that is signed: nothing panics, and only what the provider allows is accepted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_fuzz::{KEYS, NOW, PLAIN, sign};
use neon_auth_token::{LONGEST, Token, inspect, verify};
use serde_json::Value;

const CLAIMS: &str = r#"{"iss":"https://a.example/api/v1/projects/p1","sub":"u","exp":1700000600}"#;

fuzz_target!(|header: &[u8]| {
    let text = sign(header, CLAIMS.as_bytes());
    let verdict =
        Token::parse(&text, LONGEST).and_then(|token| verify(&token, &KEYS, &PLAIN, NOW, None));
    let steps = inspect(&text, LONGEST, |_| Some((Some(&*KEYS), &*PLAIN)), NOW);
    assert_eq!(verdict.is_ok(), steps.iter().all(|step| step.ok));
    if verdict.is_err() {
        return;
    }
    let accepted: Value = serde_json::from_slice(header).expect("JSON");
    assert!(["EdDSA", "Ed25519"].contains(&accepted["alg"].as_str().expect("a text")));
    assert!(accepted.get("kid").is_none_or(|kid| kid == "k"));
    for forbidden in ["crit", "jwk", "enc", "zip", "b64"] {
        assert!(accepted.get(forbidden).is_none(), "{forbidden}");
    }
    if let Some(typ) = accepted.get("typ") {
        let typ = typ.as_str().expect("a text").to_ascii_lowercase();
        assert!(
            ["jwt", "at+jwt"].contains(&typ.trim_start_matches("application/")),
            "{typ}"
        );
    }
});
