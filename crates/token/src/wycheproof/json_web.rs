//! Signed texts and key sets. Their payloads are not claims, so no text is accepted as a token: what is
//! compared is whether form, header, key and signature are. What these accept, `Token::parse` must refuse
//! for its claims, and nothing earlier.

use jsonwebtoken::signature::Verifier;
use serde_json::{Value, json};

use super::compare::Cases::These;
use super::compare::{Differs, compare};
use crate::header::Header;
use crate::parts::Parts;
use crate::{KeySet, LONGEST, Token};

/// The codes of refusals for a payload that is not an object of claims.
const OF_CLAIMS: [&str; 3] = ["bad_json", "not_an_object", "missing_claim"];

/// A group's key, or its keys, as a set.
fn keys(group: &Value) -> Option<KeySet> {
    let key = &group["key"];
    let set = match key.get("keys") {
        Some(_) => key.clone(),
        None => json!({ "keys": [key] }),
    };
    KeySet::parse(set.to_string().as_bytes()).ok()
}

/// Whether form, header, key and signature of a text are accepted.
fn is_signed(text: &str, keys: &KeySet) -> bool {
    let Ok(parts) = Parts::split(text, LONGEST) else {
        return false;
    };
    let Ok(header) = Header::parse(parts.header) else {
        return false;
    };
    let signed = parts.signed.as_bytes();
    keys.choose(header.key_id.as_deref(), header.algorithm)
        .is_ok_and(|chosen| chosen.key.verify(signed, &parts.signature).is_ok())
}

fn check(name: &str, set: &str, differs: &[Differs]) {
    compare(name, set, differs, keys, |keys, test| {
        let text = test["jws"].as_str().expect("a text");
        let is_signed = keys.as_ref().is_some_and(|keys| is_signed(text, keys));
        let refusal = Token::parse(text, LONGEST).expect_err("it names no user");
        assert!(
            !is_signed || OF_CLAIMS.contains(&refusal.code()),
            "{refusal:?}"
        );
        is_signed
    });
}

#[test]
fn signed_texts() {
    let set = include_str!("../../tests/vectors/wycheproof/json_web_signature.json");
    let differs = [
        Differs {
            cases: These(&[1, 348, 352, 357, 358, 359, 372, 373, 376, 377]),
            why: "HMAC is not supported: keys come from published sets",
        },
        Differs {
            cases: These(&[346, 350]),
            why: "the key is for PS256 by its alg, and the text names PS384",
        },
        Differs {
            cases: These(&[347, 351]),
            why: "the alg of the key is ES521, which is not an algorithm",
        },
    ];
    check("json_web_signature", set, &differs);
}

#[test]
fn key_sets() {
    let set = include_str!("../../tests/vectors/wycheproof/json_web_key.json");
    let differs = [Differs {
        cases: These(&[2, 13, 14, 15]),
        why: "HMAC is not supported: keys come from published sets",
    }];
    check("json_web_key", set, &differs);
}
