//! A provider without `jwks_url` and `jwks`: its issuer says where the keys are.

use neon_auth_connections::{Database, Issuer, Server};
use postgres::error::SqlState;
use serde_json::json;

const DOCUMENT: &str = "/.well-known/openid-configuration";

/// A database that trusts issuers by their names only.
fn trusting(issuers: &[(&str, &Issuer, &str)]) -> Database {
    let database = Database::create_in(Server::shared());
    for (name, issuer, audiences) in issuers {
        database.superuser().run(&format!(
            "SELECT neon_auth.add_provider('{name}', '{{{}}}', '{audiences}')",
            issuer.url
        ));
    }
    database
}

fn cached(database: &Database, expression: &str) -> Option<String> {
    let query = format!("SELECT ({expression})::text FROM neon_auth.jwks_cache");
    database.superuser().value(&query, &[])
}

#[test]
fn the_first_token_discovers_and_fetches() {
    let issuer = Issuer::start();
    issuer.discover(&format!("{}/keys", issuer.url));
    issuer.serve("/keys", &json!({"keys": [issuer.jwk("ES256", Some("a"))]}));
    let database = trusting(&[("idp", &issuer, "{}")]);
    assert_eq!(issuer.requests(DOCUMENT), 0);
    let token = issuer.token("ES256", Some("a"));
    database.app().sign_in_for_session(&token);
    database.app().sign_in_for_session(&token);
    assert_eq!(
        (issuer.requests(DOCUMENT), issuer.requests("/keys")),
        (1, 1)
    );
    let url = format!("{}/keys", issuer.url);
    assert_eq!(cached(&database, "jwks_url"), Some(url.clone()));
    let document = format!("{}{DOCUMENT}", issuer.url);
    assert_eq!(cached(&database, "discovery_url"), Some(document));
    let status = database
        .superuser()
        .value(
            "SELECT detail FROM neon_auth.status WHERE component = 'keys of idp'",
            &[],
        )
        .unwrap_or_default();
    assert!(status.contains(&format!("Their URL is {url}.")), "{status}");
}

#[test]
fn an_issuer_may_move_its_keys() {
    let issuer = Issuer::start();
    issuer.discover(&format!("{}/old", issuer.url));
    issuer.serve("/old", &json!({"keys": [issuer.jwk("ES256", Some("a"))]}));
    let database = trusting(&[("idp", &issuer, "{}")]);
    let mut app = database.app();
    app.sign_in_for_session(&issuer.token("ES256", Some("a")));
    issuer.discover(&format!("{}/new", issuer.url));
    issuer.serve("/new", &json!({"keys": [issuer.jwk("EdDSA", Some("b"))]}));
    app.sign_in_for_session(&issuer.token("EdDSA", Some("b")));
    assert_eq!(
        cached(&database, "jwks_url"),
        Some(format!("{}/new", issuer.url))
    );
}

#[test]
fn another_first_issuer_is_asked_anew() {
    let (one, other) = (Issuer::start(), Issuer::start());
    for issuer in [&one, &other] {
        issuer.discover(&format!("{}/keys", issuer.url));
    }
    one.serve("/keys", &json!({"keys": [one.jwk("ES256", Some("a"))]}));
    other.serve("/keys", &json!({"keys": [one.jwk("EdDSA", Some("b"))]}));
    let database = trusting(&[("idp", &one, "{}")]);
    let mut app = database.app();
    app.sign_in_for_session(&one.token("ES256", Some("a")));
    database.superuser().run(&format!(
        "UPDATE neon_auth.providers SET issuers = '{{{},{}}}'",
        other.url, one.url
    ));
    app.sign_in_for_session(&one.token("EdDSA", Some("b")));
    app.sign_in_refused(&one.token("ES256", Some("a")));
}

/// What a document must be; with anything else the tokens are refused, and the DETAIL says why.
#[test]
fn a_document_that_does_not_do_is_named() {
    let issuer = Issuer::start();
    issuer.serve("/keys", &json!({"keys": [issuer.jwk("ES256", Some("a"))]}));
    let database = trusting(&[("idp", &issuer, "{}")]);
    let keys = format!("{}/keys", issuer.url);
    let foreign = json!({"issuer": format!("{}/", issuer.url), "jwks_uri": keys});
    let plain = json!({"issuer": issuer.url, "jwks_uri": "http://keycloak:8080/keys?secret=1"});
    let file = json!({"issuer": issuer.url, "jwks_uri": "file:///etc/passwd"});
    let none = json!({"issuer": issuer.url});
    let set = json!({"keys": [issuer.jwk("ES256", Some("a"))]});
    for (document, reason) in [
        (None, "The issuer returned status 404."),
        (Some(foreign), "Its issuer is \"http://"),
        (
            Some(plain),
            "The jwks_uri http://keycloak:8080/keys must be https",
        ),
        (Some(file), "must be https"),
        (Some(none), "Its jwks_uri is absent."),
        (Some(set), "Its issuer is absent"),
        (Some(json!([])), "an array instead of an object"),
    ] {
        match document {
            Some(document) => issuer.serve(DOCUMENT, &document),
            None => issuer.withdraw(DOCUMENT),
        }
        let refusal = database
            .superuser()
            .run_refused("SELECT neon_auth.refresh_jwks()");
        assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
        let detail = refusal.detail().unwrap_or_default();
        assert!(detail.contains(reason), "{detail:?} lacks {reason:?}");
        assert!(detail.contains(DOCUMENT), "{detail}");
        assert!(!detail.contains("secret=1"), "{detail}");
    }
    assert_eq!(issuer.requests("/keys"), 0);
    issuer.discover(&keys);
    database.superuser().run("SELECT neon_auth.refresh_jwks()");
    database
        .app()
        .sign_in_for_session(&issuer.token("ES256", Some("a")));
}

/// Whoever's document names the keys of another provider gets no further than that: their audiences
/// must tell the tokens apart, and the other's tokens are as good as before.
#[test]
fn discovered_keys_of_another_provider_need_audiences() {
    let (one, other) = (Issuer::start(), Issuer::start());
    one.serve("/keys", &json!({"keys": [one.jwk("ES256", Some("a"))]}));
    let shared = format!("{}/keys", one.url);
    other.discover(&shared);
    let database = trusting(&[("other", &other, "{}")]);
    let mut superuser = database.superuser();
    superuser.run(&format!(
        "SELECT neon_auth.add_provider('one', '{{{}}}', jwks_url => '{shared}')",
        one.url
    ));
    let (own, foreign) = (
        one.token("ES256", Some("a")),
        other.token("ES256", Some("a")),
    );
    let mut app = database.app();
    app.sign_in_for_session(&own);
    let mut refused = |why: &str| {
        let refusal = app.sign_in_refused(&foreign);
        let detail = refusal.detail().unwrap_or_default();
        assert!(
            detail.contains("do not distinguish them"),
            "{why}: {detail}"
        );
        app.sign_in_for_session(&own);
    };
    refused("neither has audiences");
    superuser.run("UPDATE neon_auth.providers SET audiences = '{app}' WHERE name = 'other'");
    refused("one has no audiences");
    superuser.run("UPDATE neon_auth.providers SET audiences = '{app}' WHERE name = 'one'");
    app.sign_in_for_session(&foreign);
    app.sign_in_for_session(&own);
    // A third that names the URL outright is held to the same.
    let third = superuser.run_refused(&format!(
        "SELECT neon_auth.drop_provider('one'); SELECT neon_auth.add_provider('third', '{{https://third.example}}', jwks_url => '{shared}')"
    ));
    assert_eq!(third.code(), &SqlState::CHECK_VIOLATION);
}

/// What needs no key is judged where there is none, and the provider is named.
#[test]
fn inspect_judges_what_needs_no_key() {
    let issuer = Issuer::start();
    let database = trusting(&[("idp", &issuer, "{shop}")]);
    let token = issuer.token("ES256", Some("a"));
    let query = "SELECT string_agg(step || '=' || ok, ' ' ORDER BY n)
                   FROM neon_auth.inspect_jwt($1) WITH ORDINALITY AS i(step, ok, detail, n)";
    let steps = database
        .superuser()
        .value(query, &[&token])
        .unwrap_or_default();
    for judged in [
        "provider=true",
        "keys=false",
        "issuer=true",
        "expiry=true",
        "key=false",
        "signature=false",
        "audience=false",
        "outcome=false",
    ] {
        assert!(steps.contains(judged), "{steps} lacks {judged}");
    }
    let detail = |step: &str| {
        let query = "SELECT detail FROM neon_auth.inspect_jwt($1) WHERE step = $2";
        let mut superuser = database.superuser();
        superuser.value(query, &[&token, &step]).unwrap_or_default()
    };
    let provider = detail("provider");
    assert_eq!(provider, format!("\"idp\": iss is \"{}\"", issuer.url));
    let keys = detail("keys");
    assert!(
        keys.contains("no keys to verify tokens of provider \"idp\""),
        "{keys}"
    );
}
