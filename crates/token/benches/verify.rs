//! What verification costs beyond the signature: `cargo bench --locked -p neon_auth_token`.
//!
//! Every round times the bare signature check of aws-lc, that of `jsonwebtoken`'s own verifier and
//! the whole of [`Token::parse`] and [`verify`] next to each other, so that a change of the
//! processor's speed meets all of them.

#[path = "../tests/common/signer.rs"]
mod signer;

use std::hint::black_box;
use std::time::Instant;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, KeyPair,
    ML_DSA_44, ML_DSA_65, ML_DSA_87, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::JwtVerifier;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::jwk::Jwk;
use neon_auth_token::{
    Algorithm, Flag, KeySet, LONGEST, Policy, StackRules, Token, TokenType, verify,
};
use serde_json::{Value, json};
use signer::{Pair, Signer};

const ROUNDS: usize = 5_000;
const NOW: i64 = 1_700_000_000;
const PROJECT: &str = "5f1c1f6e-9f0a-4c0e-8a52-1d2f3a4b5c6d";

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn issuer() -> String {
    format!("https://api.stack-auth.com/api/v1/projects/{PROJECT}")
}

/// The claims of a Stack Auth access token.
fn claims() -> Value {
    json!({
        "sub": "0c5f7f0e-5a3c-4b0e-9d55-6f6f0b2f9b11",
        "iat": NOW,
        "exp": NOW + 600,
        "iss": issuer(),
        "aud": PROJECT,
        "project_id": PROJECT,
        "branch_id": "main",
        "refresh_token_id": "77f0a1a4-3f0f-4d0c-b8e1-0d6ad19ee1a4",
        "role": "authenticated",
        "name": "A User",
        "email": "user@example.com",
        "selected_team_id": "3d7a0ce5-9f1a-4f3c-8c7d-2f1f0c1b7f10",
        "email_verified": true,
        "is_anonymous": false,
        "is_restricted": false,
        "requires_totp_mfa": false,
        "signed_up_at": NOW - 1000,
        "restricted_reason": null,
    })
}

fn policy() -> Policy {
    Policy {
        issuers: vec![issuer()],
        issuer_templates: vec![],
        audiences: vec![PROJECT.to_owned()],
        algorithms: Algorithm::ALL.to_vec(),
        typ: TokenType::Access,
        max_lifetime: Some(3600),
        leeway: 30,
        required_claims: vec![],
        anonymous: Flag::claim(Policy::IS_ANONYMOUS),
        allow_anonymous: false,
        allow_restricted: false,
        stack: Some(StackRules {
            project_id: PROJECT.to_owned(),
        }),
    }
}

/// The key as aws-lc itself keeps it.
fn bare_key(signer: &Signer) -> ParsedPublicKey {
    let lattice = match signer.algorithm {
        Algorithm::MlDsa44 => &ML_DSA_44,
        Algorithm::MlDsa65 => &ML_DSA_65,
        _ => &ML_DSA_87,
    };
    let curve = match signer.algorithm {
        Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &ECDSA_P384_SHA384_FIXED,
        _ => &ECDSA_P521_SHA512_FIXED,
    };
    let key = match &signer.pair {
        Pair::Ec(pair) => ParsedPublicKey::new(curve, pair.public_key()),
        Pair::Ed(pair) => ParsedPublicKey::new(&ED25519, pair.public_key()),
        Pair::Lattice(pair) => ParsedPublicKey::new(lattice, pair.public_key()),
        Pair::Rsa(pair) => RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key())
            .to_parsed_public_key(rsa_parameters(signer.algorithm)),
    };
    key.expect("a key")
}

fn rsa_parameters(algorithm: Algorithm) -> &'static RsaParameters {
    match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &RSA_PSS_2048_8192_SHA384,
        _ => &RSA_PSS_2048_8192_SHA512,
    }
}

/// The verifier that `jsonwebtoken` makes of a JWK, where it knows the algorithm.
fn stock_verifier(signer: &Signer) -> Option<Box<dyn JwtVerifier>> {
    let algorithm = signer.algorithm.name().parse().ok()?;
    let jwk: Jwk = serde_json::from_value(signer.jwk()).expect("a JWK");
    let key = DecodingKey::from_jwk(&jwk).expect("a key");
    Some((DEFAULT_PROVIDER.verifier_factory)(&algorithm, &key).expect("a verifier"))
}

fn key_set(jwks: &[Value]) -> KeySet {
    let json = json!({ "keys": jwks }).to_string();
    KeySet::parse(json.as_bytes()).expect("a key set")
}

/// Microseconds that one call takes.
fn time(call: impl FnOnce()) -> f64 {
    let start = Instant::now();
    call();
    start.elapsed().as_secs_f64() * 1e6
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn verify_whole(token: &str, keys: &KeySet, policy: &Policy) {
    let token = Token::parse(black_box(token), LONGEST).expect("a token");
    black_box(verify(&token, keys, policy, NOW, None).expect("a good token"));
}

fn compare(signer: &Signer) {
    let token = signer.token(&claims());
    let (signed, signature) = token.rsplit_once('.').expect("a token");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("a signature");
    let bare = bare_key(signer);
    let stock = stock_verifier(signer);
    let (keys, policy) = (key_set(&[signer.jwk()]), policy());
    let (mut bare_times, mut stock_times) = (vec![], vec![]);
    let (mut parse_times, mut whole_times) = (vec![], vec![]);
    for _ in 0..ROUNDS {
        bare_times.push(time(|| {
            bare.verify_sig(black_box(signed.as_bytes()), &signature)
                .expect("a good signature");
        }));
        if let Some(stock) = &stock {
            stock_times.push(time(|| {
                stock
                    .verify(black_box(signed.as_bytes()), &signature)
                    .expect("a good signature");
            }));
        }
        whole_times.push(time(|| verify_whole(&token, &keys, &policy)));
        parse_times.push(time(|| {
            black_box(Token::parse(black_box(&token), LONGEST).expect("a token"));
        }));
    }
    let (bare, whole) = (median(bare_times), median(whole_times));
    let stock = stock.map(|_| format!("{:.3}", median(stock_times) / bare));
    println!(
        "{:<6} signature {bare:7.1}   parse + verify {whole:7.1}   ratio {:.3}   (parse alone {:.1}; \
         jsonwebtoken's verifier, ratio: {})",
        signer.algorithm.name(),
        whole / bare,
        median(parse_times),
        stock.as_deref().unwrap_or("none"),
    );
}

fn by_size_of_set(signer: &Signer) {
    let token = signer.token(&claims());
    let policy = policy();
    let sets = [1, 10, 100].map(|size| {
        let others = (1..size).map(|index| signer.jwk_with("kid", json!(format!("other-{index}"))));
        key_set(&others.chain([signer.jwk()]).collect::<Vec<_>>())
    });
    let mut times = [vec![], vec![], vec![]];
    for _ in 0..ROUNDS {
        for (keys, times) in sets.iter().zip(&mut times) {
            times.push(time(|| verify_whole(&token, keys, &policy)));
        }
    }
    let [one, ten, hundred] = times.map(median);
    println!(
        "{} with 1 key {one:.1}, 10 keys {ten:.1}, 100 keys {hundred:.1}",
        signer.algorithm
    );
}

/// What it costs to read a set, which a session does once per version of the set.
fn reading_a_set() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let signer = Signer::new(algorithm, "k0a1b2c3d4e5");
        let jwks: Vec<Value> = (0..10)
            .map(|index| signer.jwk_with("kid", json!(format!("key-{index}"))))
            .collect();
        let set = json!({ "keys": jwks }).to_string();
        let times = (0..ROUNDS / 10).map(|_| {
            time(|| {
                black_box(KeySet::parse(black_box(set.as_bytes())).expect("a key set"));
            })
        });
        println!(
            "{algorithm}, a set of 10 keys read: {:.1}",
            median(times.collect())
        );
    }
}

fn main() {
    println!("medians of {ROUNDS} rounds, in microseconds");
    for algorithm in Algorithm::ALL {
        compare(&Signer::new(algorithm, "k0a1b2c3d4e5"));
    }
    by_size_of_set(&Signer::new(Algorithm::ES256, "k0a1b2c3d4e5"));
    reading_a_set();
}
