//! A provider whose private key is public: the one of RFC 8037 appendix A.

mod judge;

use std::sync::LazyLock;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use neon_auth_token::{Algorithm, Flag, KeySet, Policy, StackRules, TokenType};

pub use judge::is_acceptable;

/// The time at which all tokens are judged.
pub const NOW: i64 = 1_700_000_000;
/// The Stack Auth project of the provider.
const PROJECT: &str = "p1";
/// The issuers of its normal, restricted and anonymous users.
const ISSUERS: [&str; 3] = [
    "https://a.example/api/v1/projects/p1",
    "https://a.example/api/v1/projects-restricted-users/p1",
    "https://a.example/api/v1/projects-anonymous-users/p1",
];

const KEY_SET: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

/// The provider's one key.
pub static KEYS: LazyLock<KeySet> =
    LazyLock::new(|| KeySet::parse(KEY_SET.as_bytes()).expect("a key set"));
/// The provider's policy without the rules of a Stack Auth project.
pub static PLAIN: LazyLock<Policy> = LazyLock::new(|| policy(None));
/// The provider's policy with the rules of a Stack Auth project.
pub static STACK: LazyLock<Policy> = LazyLock::new(|| {
    policy(Some(StackRules {
        project_id: PROJECT.to_owned(),
    }))
});
/// A policy with an audience and a longest lifetime, for normal users only.
pub static NARROW: LazyLock<Policy> = LazyLock::new(|| Policy {
    audiences: vec!["a".to_owned(), "p1".to_owned()],
    max_lifetime: Some(600),
    allow_anonymous: false,
    allow_restricted: false,
    ..policy(None)
});

static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
    let seed = URL_SAFE_NO_PAD.decode(SEED).expect("a seed");
    Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key pair")
});

/// A token of these bytes, signed by the provider's key.
pub fn sign(header: &[u8], payload: &[u8]) -> String {
    let [header, payload] = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part));
    let signed = format!("{header}.{payload}");
    let signature = URL_SAFE_NO_PAD.encode(PAIR.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fn policy(stack: Option<StackRules>) -> Policy {
    Policy {
        issuers: ISSUERS.map(str::to_owned).to_vec(),
        issuer_templates: vec![],
        audiences: vec![],
        algorithms: Algorithm::ALL.to_vec(),
        typ: TokenType::Access,
        max_lifetime: None,
        leeway: 30,
        required_claims: vec![],
        anonymous: Flag::claim(Policy::IS_ANONYMOUS),
        allow_anonymous: true,
        allow_restricted: true,
        stack,
    }
}
