//! Key sets as issuers really publish them: over a real connection, through a rotation.

use neon_auth_connections::{Database, Issuer, Server, Session};
use postgres::error::SqlState;
use serde_json::{Value, json};

const REFUSED: &SqlState = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;

/// A database that trusts an issuer by its `jwks_url`.
struct Trusting {
    issuer: Issuer,
    database: Database,
}

impl Trusting {
    fn with(keys: &[Value]) -> Self {
        let trusting = Self {
            issuer: Issuer::start(),
            database: Database::create_in(Server::shared()),
        };
        trusting.publish(keys);
        trusting.superuser().run(&format!(
            "SELECT neon_auth.add_provider('idp', '{{{0}}}', jwks_url => '{0}/keys')",
            trusting.issuer.url
        ));
        trusting
    }

    fn publish(&self, keys: &[Value]) {
        self.issuer.serve("/keys", &json!({ "keys": keys }));
    }

    fn superuser(&self) -> Session {
        self.database.superuser()
    }

    fn app(&self) -> Session {
        self.database.app()
    }

    fn value(&self, query: &str) -> String {
        self.superuser().value(query, &[]).unwrap_or_default()
    }
}

/// One of each kind that issuers publish beside the key that they sign with.
fn unusable(issuer: &Issuer) -> Vec<Value> {
    let rsa = issuer.jwk("RS256", Some("rsa"));
    let with = |name: &str, value: Value| {
        let mut key = rsa.clone();
        key[name] = value;
        key["kid"] = name.into();
        key
    };
    let modulus = rsa["n"].as_str().expect("a modulus");
    vec![
        json!({"kty": "RSA", "kid": "weak", "e": "AQAB", "n": format!("{}E", &modulus[..170])}),
        json!({"kty": "RSA", "kid": "x5c alone", "x5c": ["MIIB"]}),
        json!({"kid": "no kty"}),
        with("use", json!("enc")),
        with("alg", json!("RSA-OAEP-256")),
        with("key_ops", json!(["encrypt"])),
        with("d", json!("c2VjcmV0IGV4cG9uZW50")),
        json!({"kty": "EC", "crv": "P-256", "kid": "no y", "x": "AQ"}),
        json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0IG9mIHRoZSBrZXkgc2V0"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "new", "pub": "AA"}),
        json!({"kty": "RSA", "kid": 7, "n": modulus, "e": "AQAB"}),
        json!("a string"),
    ]
}

#[test]
fn a_rotation_arrives_among_keys_that_cannot_be_used() {
    let trusting = Trusting::with(&[json!(null)]);
    let (issuer, bad) = (&trusting.issuer, unusable(&trusting.issuer));
    let set = |good: Value, place: usize| {
        let mut keys = bad.clone();
        keys.insert(place, good);
        keys
    };
    trusting.publish(&set(issuer.jwk("ES256", Some("first")), 0));
    let mut app = trusting.app();
    app.sign_in_for_session(&issuer.token("ES256", Some("first")));
    trusting.publish(&set(issuer.jwk("EdDSA", Some("second")), bad.len()));
    app.sign_in_for_session(&issuer.token("EdDSA", Some("second")));
    assert_eq!(issuer.requests("/keys"), 2);
    let old = app.sign_in_refused(&issuer.token("ES256", Some("first")));
    assert_eq!(old.code(), REFUSED);
    // Each has its reason in the cache, and no secret is there.
    let reasons =
        trusting.value("SELECT cardinality(skipped_keys)::text FROM neon_auth.jwks_cache");
    assert_eq!(reasons, bad.len().to_string());
    let row = trusting.value("SELECT c::text FROM neon_auth.jwks_cache c");
    assert!(!row.contains("c2VjcmV0"), "{row}");
    assert!(row.contains("its n has 1024 bits"), "{row}");
    let status = trusting
        .value("SELECT ok || ' ' || detail FROM neon_auth.status WHERE component = 'keys of idp'");
    assert!(status.starts_with("false "), "{status}");
    assert!(status.contains("number of keys: 1."), "{status}");
    assert!(
        status.contains("kid \"d\": it is a private key"),
        "{status}"
    );
}

#[test]
fn a_token_that_asks_for_a_key_that_is_left_out_is_told_why_and_fetches_nothing() {
    let trusting = Trusting::with(&[json!(null)]);
    let issuer = &trusting.issuer;
    let mut broken = issuer.jwk("ES256", Some("broken"));
    broken["y"] = Value::Null;
    trusting.publish(&[broken, issuer.jwk("EdDSA", Some("good"))]);
    trusting.superuser().run("SELECT neon_auth.refresh_jwks()");
    let token = issuer.token("ES256", Some("broken"));
    for _ in 0..3 {
        let refusal = trusting.app().sign_in_refused(&token);
        assert_eq!(refusal.code(), REFUSED);
        let detail = refusal.detail().unwrap_or_default();
        assert!(detail.contains("left out because y is absent"), "{detail}");
    }
    assert_eq!(issuer.requests("/keys"), 1);
    // What has been mended arrives with the next refresh.
    trusting.publish(&[issuer.jwk("ES256", Some("broken"))]);
    trusting.superuser().run("SELECT neon_auth.refresh_jwks()");
    trusting.app().sign_in_for_session(&token);
}

#[test]
fn a_set_without_a_usable_key_leaves_the_last_good_one_serving() {
    let trusting = Trusting::with(&[json!(null)]);
    let issuer = &trusting.issuer;
    trusting.publish(&[issuer.jwk("ES256", Some("good"))]);
    let token = issuer.token("ES256", Some("good"));
    trusting.app().sign_in_for_session(&token);
    trusting.publish(&unusable(issuer));
    let refusal = trusting
        .superuser()
        .run_refused("SELECT neon_auth.refresh_jwks()");
    let detail = refusal.detail().unwrap_or_default();
    assert!(
        detail.contains("no usable key: keys: 12; key 1, kid \"weak\""),
        "{detail}"
    );
    trusting.app().sign_in_for_session(&token);
}

#[test]
fn tokens_and_keys_without_a_kid_are_matched_by_the_algorithm() {
    let trusting = Trusting::with(&[json!(null)]);
    let issuer = &trusting.issuer;
    trusting.publish(&[
        issuer.jwk("ES256", None),
        issuer.jwk("EdDSA", Some("ed")),
        issuer.jwk("EdDSA", Some("ed")),
    ]);
    for (alg, kid) in [("ES256", None), ("EdDSA", None), ("EdDSA", Some("ed"))] {
        let user = trusting.app().sign_in_for_session(&issuer.token(alg, kid));
        assert_eq!(user, "alice");
    }
    assert_eq!(issuer.requests("/keys"), 1);
    // A new key without a name is found as one with a new name is.
    trusting.publish(&[issuer.jwk("ES384", None)]);
    let token = issuer.token("ES384", None);
    trusting.app().sign_in_for_session(&token);
    assert_eq!(issuer.requests("/keys"), 2);
}
