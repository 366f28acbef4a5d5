//! Any document as an issuer's discovery document, and any issuer: the input is the issuer in a line, then
//! the document.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_token::jwks_uri;
use neon_auth_wire::discovery::{Origin, is_document, url};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(bytes.len());
    let (issuer, document) = bytes.split_at(end);
    let Ok(issuer) = str::from_utf8(issuer) else {
        return;
    };
    if let Some(url) = url(issuer) {
        assert!(is_document(&url) && url.starts_with(issuer.strip_suffix('/').unwrap_or(issuer)));
        assert_eq!(Origin::discovered(issuer).expect("an origin").url(), url);
        assert!(!url.contains(['{', '}', '?', '#']));
    } else {
        assert!(Origin::discovered(issuer).is_none() && issuer.contains(['{', '}', '?', '#']));
    }
    match jwks_uri(document, issuer) {
        Ok(url) => {
            let members: Value = serde_json::from_slice(document).expect("JSON");
            assert_eq!(members["issuer"], issuer);
            assert_eq!(members["jwks_uri"], url);
        }
        Err(reason) => assert!(!reason.is_empty() && reason.len() < 4_000),
    }
});
