//! Any text as a session token, and as one that is signed.

#![no_main]

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use libfuzzer_sys::fuzz_target;
use neon_auth_wire::cookie::{BadToken, Presented, is_named};

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn signed(token: &str, secret: &str) -> String {
    let key = Key::new(HMAC_SHA256, secret.as_bytes());
    let signature = BASE64_STANDARD.encode(sign(&key, token.as_bytes()));
    format!("{token}.{signature}")
}

fuzz_target!(|text: &str| {
    let presented = match Presented::parse(text) {
        Ok(presented) => presented,
        Err(BadToken::NamedCookie) => return assert!(is_named(text)),
        Err(BadToken::Malformed(defect)) => {
            return assert!(!defect.is_empty() && defect.len() < 100);
        }
    };
    let token = presented.token.as_str();
    assert!((1..=255).contains(&token.len()));
    assert!(!token.contains(char::is_whitespace) && !token.contains(char::is_control));
    assert!(presented.may_be_ours([]));
    // Its signature, if it has one, is not by a secret that nobody knew.
    assert_eq!(presented.may_be_ours(["a secret"]), !presented.is_signed());
    if is_named(token) {
        return;
    }
    let ours = signed(token, "one");
    for ours in [ours.clone(), percent_encoded(&ours)] {
        let Ok(again) = Presented::parse(&ours) else {
            // The token has a percent sign, which is not an escape in a text without escapes.
            assert!(token.contains('%'));
            continue;
        };
        if ours.starts_with('%') || !token.contains('%') {
            assert!(again.token == token && again.is_signed());
            assert!(again.may_be_ours(["other", "one"]) && again.may_be_ours([]));
            assert!(!again.may_be_ours(["other"]));
        }
    }
});
