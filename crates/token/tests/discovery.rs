//! What is taken from a discovery document.

use neon_auth_token::jwks_uri;
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.example/realms/app";

fn refusal(document: impl AsRef<[u8]>) -> String {
    jwks_uri(document.as_ref(), ISSUER).expect_err("the document must be refused")
}

fn document(issuer: Value, jwks_uri: Value) -> String {
    json!({"issuer": issuer, "jwks_uri": jwks_uri, "scopes_supported": ["openid"]}).to_string()
}

#[test]
fn names_the_url_of_the_keys() {
    let document = document(json!(ISSUER), json!("https://keys.example/jwks"));
    assert_eq!(
        jwks_uri(document.as_bytes(), ISSUER),
        Ok("https://keys.example/jwks".to_owned())
    );
}

#[test]
fn must_be_of_the_very_issuer() {
    for issuer in [
        json!("https://issuer.example/realms/app/"),
        json!("https://issuer.example/realms/APP"),
        json!("https://issuer.example/realms"),
        json!([ISSUER]),
        json!(null),
        json!(""),
    ] {
        let refusal = refusal(document(issuer, json!("https://keys.example/jwks")));
        assert!(refusal.starts_with("Its issuer is "), "{refusal}");
        assert!(refusal.contains(ISSUER), "{refusal}");
    }
}

#[test]
fn must_name_a_url() {
    for url in [json!(null), json!(1), json!(["https://keys.example"])] {
        let refusal = refusal(document(json!(ISSUER), url));
        assert!(refusal.starts_with("Its jwks_uri is "), "{refusal}");
    }
}

#[test]
fn says_what_else_it_is() {
    let twice = format!(r#"{{"issuer":"{ISSUER}","issuer":"{ISSUER}","jwks_uri":"x"}}"#);
    for (document, what) in [
        (b"".as_slice(), "it is empty"),
        (b"<html>", "web page"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"[]", "an array instead of an object"),
        (b"{\"issuer\": ", "EOF"),
        (twice.as_bytes(), "is repeated"),
    ] {
        let refusal = refusal(document);
        assert!(refusal.contains(what), "{refusal:?} lacks {what:?}");
        assert!(refusal.starts_with("It is not a discovery document: "));
    }
}
