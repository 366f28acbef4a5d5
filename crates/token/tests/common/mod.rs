//! A judge that cross-checks itself, and the token that all tests begin with.

mod random;
mod raw_rsa;
mod signer;

use std::collections::HashSet;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use neon_auth_token::{
    Algorithm, CacheSet, Flag, KeySet, LONGEST, Policy, Refusal, RequiredClaim, Salt,
    SignatureCache, Token, TokenType, Verified, inspect, json_value, verify,
};
use serde_json::{Map, Value, json};

pub use random::Random;
pub use raw_rsa::{RawRsa, sign_encoded};
pub use signer::{Pair, Signer};

/// The time at which tests take place.
pub const NOW: i64 = 1_700_000_000;
/// The issuer that [`policy`] accepts.
pub const ISSUER: &str = "https://issuer.example/";

/// The key that signs unless a test says otherwise.
pub static ES256: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::ES256, "key-1"));
pub static ES384: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::ES384, "key-384"));
pub static EDDSA: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::EdDSA, "key-ed"));
pub static ML_DSA_44: LazyLock<Signer> =
    LazyLock::new(|| Signer::new(Algorithm::MlDsa44, "key-lattice"));
pub static RS256: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::RS256, "key-rsa"));

static KEYS: LazyLock<KeySet> = LazyLock::new(|| key_set(&[ES256.jwk()]));

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signed claims that everything accepts.
pub fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "user-1", "aud": "app", "iat": NOW, "exp": NOW + 600})
}

/// [`claims`] with one of them replaced.
pub fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

/// [`claims`] without one of them.
pub fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().map(|members| members.remove(name));
    claims
}

pub fn policy() -> Policy {
    Policy {
        issuers: vec![ISSUER.to_owned()],
        issuer_templates: vec![],
        audiences: vec!["app".to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        typ: TokenType::Access,
        max_lifetime: None,
        leeway: 30,
        required_claims: vec![],
        anonymous: Flag::claim(Policy::IS_ANONYMOUS),
        allow_anonymous: false,
        allow_restricted: false,
        stack: None,
    }
}

/// Required claims as a provider writes them.
pub fn required(json: Value) -> Vec<RequiredClaim> {
    RequiredClaim::parse_all(&exact(&json)).expect("required claims")
}

/// A value as the crate reads it.
pub fn exact(json: &Value) -> neon_auth_token::Value {
    json_value(&json.to_string()).expect("JSON")
}

/// A parsed set of these JWKs.
pub fn key_set(jwks: &[Value]) -> KeySet {
    let json = json!({ "keys": jwks }).to_string();
    match KeySet::parse(json.as_bytes()) {
        Ok(keys) => keys,
        Err(error) => panic!("{error}: {}", error.detail()),
    }
}

/// The good key in the sets of [`left_out`].
static GOOD: LazyLock<Signer> = LazyLock::new(|| Signer::new(Algorithm::EdDSA, "the good one"));

/// The code with which a key is left out of a set, wherever it stands. Its neighbour's tokens
/// verify, its own are refused with the reason, and a set of only this key is refused.
#[track_caller]
pub fn left_out(jwk: Value) -> &'static str {
    let mut code = "";
    let mut secret = jwk.clone();
    if let Some(members) = secret.as_object_mut() {
        members.retain(|name, _| !["kty", "kid", "alg", "crv"].contains(&name.as_str()));
    }
    let secret = secret.to_string();
    for (place, jwks) in [
        (1, [jwk.clone(), GOOD.jwk()]),
        (2, [GOOD.jwk(), jwk.clone()]),
    ] {
        let text = json!({ "keys": jwks }).to_string();
        let stored = KeySet::storable(text.as_bytes()).expect("a set can be stored");
        assert_no_secret(&stored, &secret);
        for set in [&text, &stored] {
            let keys = KeySet::parse(set.as_bytes()).expect("a good key is left");
            assert_eq!(keys.len(), 1);
            assert!(judge_by(&GOOD.token(&claims()), &keys, &policy(), NOW).is_ok());
            let [left_out] = keys.left_out() else {
                panic!("{:?}", keys.left_out());
            };
            assert_eq!(left_out.place(), place);
            assert_no_secret(&left_out.to_string(), &secret);
            assert!(left_out.reason().chars().count() < 300 && !left_out.reason().is_empty());
            code = left_out.code();
            if let Some(kid) = left_out.key_id() {
                assert!(keys.contains(kid));
                let header = json!({"alg": "EdDSA", "kid": kid}).to_string();
                let token = GOOD.raw_token(header, claims().to_string());
                let refusal = judge_by(&token, &keys, &policy(), NOW).expect_err("another key");
                assert_eq!(refusal.code(), "left_out_key");
                assert!(refusal.detail().contains(left_out.reason()), "{refusal:?}");
                assert!(!refusal.is_unknown_key());
            }
        }
    }
    assert_eq!(bad_set(&[jwk]), "no_usable_key");
    code
}

/// The code with which a set of these JWKs is refused.
pub fn bad_set(jwks: &[Value]) -> &'static str {
    bad_set_text(&json!({ "keys": jwks }).to_string())
}

/// The code with which this document is refused as a set.
pub fn bad_set_text(json: &str) -> &'static str {
    let error = KeySet::parse(json.as_bytes()).expect_err("the set must be refused");
    assert_no_secret(&format!("{error} {} {error:?}", error.detail()), json);
    error.code()
}

/// The cache of signatures that all tests share.
pub fn cache() -> SignatureCache<'static> {
    static SETS: LazyLock<Vec<CacheSet>> = LazyLock::new(|| cache_of(1_000));
    const SALT: &Salt = &[7; 32];
    SignatureCache::new(&SETS, SALT, 1)
}

/// An empty cache of so many sets.
pub fn cache_of(sets: usize) -> Vec<CacheSet> {
    std::iter::repeat_with(CacheSet::default)
        .take(sets)
        .collect()
}

/// Judges a token with `verify`, without a cache of signatures, with one, and with that of the first
/// time, and with `inspect`: all must agree and show no secret.
pub fn judge_by(
    token: &str,
    keys: &KeySet,
    policy: &Policy,
    now: i64,
) -> Result<Verified, Refusal> {
    let by = |cache: Option<&SignatureCache>| {
        Token::parse(token, LONGEST).and_then(|token| verify(&token, keys, policy, now, cache))
    };
    let verdict = by(None);
    let first = by(Some(&cache()));
    assert_eq!(first.as_ref().err(), verdict.as_ref().err());
    if verdict.is_ok() {
        let again = cache();
        assert!(by(Some(&again)).is_ok() && again.was_hit());
    }
    let steps = inspect(token, LONGEST, |_| Some((Some(keys), policy)), now);
    let failed = steps.iter().find(|step| !step.ok);
    match (&verdict, failed) {
        (Ok(_), None) => {}
        (Err(refusal), Some(step)) => {
            assert!(
                step.detail.starts_with(&refusal.to_string()),
                "{step:?} {refusal:?}"
            );
            let texts = [
                refusal.to_string(),
                refusal.detail(),
                format!("{refusal:?}"),
            ];
            assert_no_secret(&texts.concat(), token);
            assert!(refusal.detail().chars().count() < 1000);
            assert!(!refusal.detail().contains(char::is_control));
        }
        (verdict, step) => panic!("verify says {verdict:?}, inspect says {step:?}"),
    }
    for step in &steps {
        assert_no_secret(&step.detail, token);
    }
    verdict
}

/// No twelve characters in a row of `secret` appear in `text`.
fn assert_no_secret(text: &str, secret: &str) {
    const RUN: usize = 12;
    let encoded = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    let runs = text.as_bytes().windows(RUN);
    let runs: HashSet<&[u8]> = runs.filter(|run| run.iter().all(encoded)).collect();
    let mut secret = secret.as_bytes().windows(RUN);
    if let Some(run) = secret.find(|run| runs.contains(run)) {
        panic!("{:?} appears in {text:?}", str::from_utf8(run));
    }
}

/// Judges a token by the usual key, policy and time.
pub fn judge(token: &str) -> Result<Verified, Refusal> {
    judge_by(token, &KEYS, &policy(), NOW)
}

/// The code with which the usual judge refuses a token.
pub fn refusal(token: &str) -> &'static str {
    judge(token).expect_err("the token must be refused").code()
}

/// The code with which this set and policy refuse a token.
pub fn refusal_by(token: &str, keys: &KeySet, policy: &Policy) -> &'static str {
    judge_by(token, keys, policy, NOW)
        .expect_err("the token must be refused")
        .code()
}

/// The code with which a signed token with these claims is refused.
pub fn refusal_of_claims(claims: &Value) -> &'static str {
    refusal(&ES256.token(claims))
}

/// The code with which a signed token with this payload is refused.
pub fn refusal_of_payload(payload: impl AsRef<[u8]>) -> &'static str {
    refusal(&ES256.raw_token(ES256.header().to_string(), payload))
}

/// The code with which a signed token with this header is refused.
pub fn refusal_of_header(header: impl AsRef<[u8]>) -> &'static str {
    refusal(&ES256.raw_token(header, claims().to_string()))
}

/// The usual header with further members, which replace those of the same name.
pub fn header_with(members: Value) -> String {
    let mut header: Map<String, Value> = match ES256.header() {
        Value::Object(header) => header,
        other => panic!("{other} is no header"),
    };
    header.extend(members.as_object().cloned().unwrap_or_default());
    Value::Object(header).to_string()
}
