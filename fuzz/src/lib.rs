//! A provider whose private key is public: the one of RFC 8037 appendix A.

use neon_auth_token::{Algorithm, Flag, KeySet, Policy, StackRules, TokenType};

/// The time at which all tokens are judged.
pub const NOW: i64 = 1_700_000_000;
/// The Stack Auth project of the provider.
pub const PROJECT: &str = "p1";

const KEYS: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// The provider's one key.
pub fn keys() -> KeySet {
    KeySet::parse(KEYS.as_bytes()).expect("a key set")
}

/// The provider's policy, with or without the rules of a Stack Auth project.
pub fn policy(stack: Option<StackRules>) -> Policy {
    let families = [
        "projects",
        "projects-restricted-users",
        "projects-anonymous-users",
    ];
    Policy {
        issuers: families
            .map(|family| format!("https://a.example/api/v1/{family}/{PROJECT}"))
            .to_vec(),
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
