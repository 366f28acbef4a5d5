//! The outer form of a token and the strictness of its encodings.

use neon_auth_token::{LONGEST, Token};
use serde_json::json;

use crate::common::*;

fn good() -> String {
    ES256.token(&claims())
}

/// The good token, taken apart.
fn parts() -> [String; 3] {
    let token = good();
    let parts: Vec<_> = token.split('.').map(str::to_owned).collect();
    parts.try_into().expect("three parts")
}

/// The good token with one part changed.
fn changed(index: usize, change: impl FnOnce(&str) -> String) -> String {
    let mut parts = parts();
    parts[index] = change(&parts[index]);
    parts.join(".")
}

/// A token of exactly `length` bytes with a right signature.
fn of_length(length: usize) -> String {
    for in_header in 0..4 {
        let header = header_with(json!({"x": "x".repeat(in_header)}));
        let mut filler = length * 3 / 4 - 400;
        loop {
            let payload = claims_with("filler", json!("x".repeat(filler))).to_string();
            let total = encode(&header).len() + encode(&payload).len() + 86 + 2;
            if total == length {
                return ES256.raw_token(&header, payload);
            }
            if total > length {
                break;
            }
            filler += 1;
        }
    }
    panic!("no token of {length} bytes");
}

#[test]
fn refuses_an_empty_token() {
    assert_eq!(refusal(""), "empty");
}

#[test]
fn refuses_another_number_of_parts() {
    let [header, payload, signature] = parts();
    assert_eq!(refusal(&header), "malformed");
    assert_eq!(refusal(&format!("{header}.{payload}")), "malformed");
    assert_eq!(refusal(&format!("{}.{signature}", good())), "malformed");
    assert_eq!(
        refusal(&format!("{}.{signature}.{signature}", good())),
        "encrypted"
    );
    assert_eq!(refusal(&format!("{}.", good())), "malformed");
    assert_eq!(refusal(&format!(".{}", good())), "malformed");
    assert_eq!(refusal("."), "malformed");
    assert_eq!(refusal(".."), "bad_json");
    // Only such a text may be another kind of credential.
    for (text, is_malformed) in [(&*header, true), ("..", false)] {
        let refused = Token::parse(text, LONGEST).expect_err("no token");
        assert_eq!(refused.is_malformed(), is_malformed, "{text}");
    }
}

#[test]
fn refuses_a_million_dots() {
    assert_eq!(refusal(&".".repeat(1_000_000)), "too_large");
    assert_eq!(refusal(&".".repeat(16 * 1024)), "malformed");
}

#[test]
fn refuses_a_token_of_one_byte_too_many() {
    assert!(judge(&of_length(16 * 1024)).is_ok());
    assert!(judge(&of_length(16 * 1024 - 1)).is_ok());
    assert_eq!(refusal(&of_length(16 * 1024 + 1)), "too_large");
}

#[test]
fn refuses_padded_base64url() {
    for index in 0..3 {
        for padding in ["=", "==", "%3D"] {
            assert_eq!(
                refusal(&changed(index, |part| format!("{part}{padding}"))),
                "bad_base64"
            );
        }
    }
}

#[test]
fn refuses_the_standard_alphabet() {
    for index in 0..3 {
        for character in ["+", "/"] {
            assert_eq!(
                refusal(&changed(index, |part| format!("{character}{}", &part[1..]))),
                "bad_base64"
            );
        }
    }
}

#[test]
fn refuses_white_space_anywhere() {
    for space in [" ", "\n", "\r\n", "\t", "\u{a0}", "\u{200b}"] {
        for index in 0..3 {
            let codes = [
                refusal(&changed(index, |part| format!("{space}{part}"))),
                refusal(&changed(index, |part| format!("{part}{space}"))),
                refusal(&changed(index, |part| {
                    format!("{}{space}{}", &part[..4], &part[4..])
                })),
            ];
            assert_eq!(codes, ["bad_base64"; 3]);
        }
    }
}

#[test]
fn refuses_trailing_bits_that_are_not_zero() {
    // 64 bytes make 86 characters, the last of which has four bits to spare.
    let spoilt = changed(2, |signature| {
        let (rest, last) = signature.split_at(85);
        let next = match last {
            "A" => "B",
            "Q" => "R",
            "g" => "h",
            "w" => "x",
            other => panic!("{other} has bits in the wrong place"),
        };
        format!("{rest}{next}")
    });
    assert_eq!(refusal(&spoilt), "bad_base64");
    // "{}" is e30; e31 decodes to the same bytes for whoever ignores the spare bits.
    assert_eq!(refusal(&changed(0, |_| "e31".to_owned())), "bad_base64");
    assert_eq!(refusal(&changed(1, |_| "e31".to_owned())), "bad_base64");
}

#[test]
fn refuses_an_impossible_length() {
    for index in 0..3 {
        let spoilt = changed(index, |part| {
            let whole = &part[..part.len() / 4 * 4];
            format!("{whole}A")
        });
        assert_eq!(refusal(&spoilt), "bad_base64");
    }
}

#[test]
fn refuses_nul_bom_and_invalid_utf8() {
    for index in 0..3 {
        assert_eq!(
            refusal(&changed(index, |part| format!("{part}\0"))),
            "bad_base64"
        );
    }
    assert_eq!(refusal(&format!("\u{feff}{}", good())), "bad_base64");
    let claims = claims().to_string();
    assert_eq!(refusal_of_payload(format!("\u{feff}{claims}")), "bad_json");
    assert_eq!(
        refusal_of_header(format!("\u{feff}{}", ES256.header())),
        "bad_json"
    );
    assert_eq!(refusal_of_payload(format!("{claims}\0")), "bad_json");
    for invalid in [
        b"\xff".as_slice(),
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
    ] {
        let mut payload = claims.clone().into_bytes();
        payload.splice(2..2, invalid.iter().copied());
        assert_eq!(refusal_of_payload(payload), "bad_json");
    }
    // UTF-16 is no JSON either (RFC 8259 section 8.1).
    let wide: Vec<u8> = claims.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(refusal_of_payload(wide), "bad_json");
}

#[test]
fn refuses_the_json_serialization() {
    let [protected, payload, signature] = parts();
    let flattened =
        json!({"protected": protected, "payload": payload, "signature": signature}).to_string();
    assert_eq!(refusal(&flattened), "malformed");
    let general = json!({
        "payload": payload,
        "signatures": [{"protected": protected, "signature": signature}],
    });
    assert_eq!(refusal(&general.to_string()), "malformed");
}

#[test]
fn refuses_a_bearer_prefix() {
    for prefix in ["Bearer ", "bearer ", "BEARER  "] {
        assert_eq!(refusal(&format!("{prefix}{}", good())), "bearer_prefix");
    }
    let error = Token::parse("Bearer x", LONGEST).expect_err("a scheme is not a token");
    assert_eq!(
        error.to_string(),
        "the token carries an authorization scheme"
    );
    assert_eq!(error.detail(), "it begins with \"Bearer\"");
    assert_eq!(error.hint(), "Pass only the token, without \"Bearer \".");
}

/// Padding has a hint of its own; other refusals have that of their kind.
#[test]
fn hints_at_the_cure() {
    let hint = |token: &str| Token::parse(token, LONGEST).expect_err("refused").hint();
    let padded = hint("e30=.e30.AA");
    assert!(padded.contains("padding"), "{padded}");
    let spaced = hint("e30 .e30.AA");
    assert!(spaced.contains("line breaks"), "{spaced}");
    let not_json = hint("AA.e30.AA");
    assert!(not_json.contains("JSON"), "{not_json}");
}

#[test]
fn refuses_trailing_json() {
    for tail in ["{}", " {}", ",", "x", "]", "//", "\u{0}"] {
        assert_eq!(
            refusal_of_payload(format!("{}{tail}", claims())),
            "bad_json"
        );
        assert_eq!(
            refusal_of_header(format!("{}{tail}", ES256.header())),
            "bad_json"
        );
    }
    // White space around JSON is JSON, and signed.
    let spaced = format!(" {}\n", claims());
    assert!(judge(&ES256.raw_token(ES256.header().to_string(), spaced)).is_ok());
}

#[test]
fn refuses_deep_nesting() {
    let payload = |levels: usize| {
        let (open, close) = ("[".repeat(levels), "]".repeat(levels));
        let rest = claims().to_string();
        format!("{{\"deep\":{open}{close},{}", &rest[1..])
    };
    let token = |levels| ES256.raw_token(ES256.header().to_string(), payload(levels));
    assert!(judge(&token(31)).is_ok(), "32 levels with the outermost");
    assert_eq!(refusal(&token(32)), "too_deep");
    assert_eq!(refusal(&token(200)), "too_deep");
    assert_eq!(refusal(&token(5_000)), "too_deep");
    assert_eq!(refusal(&token(100_000)), "too_large");
    let nested = |open: &str, close: &str, levels| open.repeat(levels) + &close.repeat(levels);
    assert_eq!(refusal_of_payload(nested("[", "]", 5_500)), "too_deep");
    assert_eq!(
        refusal_of_payload(nested("{\"a\":", "}", 1_500).replace(":}", ":1}")),
        "too_deep"
    );
    assert_eq!(
        refusal_of_header(format!("{{\"alg\":{}}}", nested("[", "]", 200))),
        "too_deep"
    );
    // What does not end is not JSON, however deep it is.
    assert_eq!(refusal_of_payload("[".repeat(11_000)), "bad_json");
}

#[test]
fn refuses_a_payload_that_is_no_object() {
    for payload in ["[]", "\"text\"", "null", "true", "1", "1.5"] {
        assert_eq!(refusal_of_payload(payload), "not_an_object");
    }
    for payload in ["", "nil", "{", "{'a':1}", "{\"a\":1,}", "{\"a\":01}", "NaN"] {
        assert_eq!(refusal_of_payload(payload), "bad_json");
    }
    assert_eq!(
        refusal_of_payload(format!("[{}]", claims())),
        "not_an_object"
    );
}

#[test]
fn refuses_a_header_that_is_no_object() {
    for header in ["[]", "[{\"alg\":\"ES256\"}]", "\"ES256\"", "null", "7"] {
        assert_eq!(refusal_of_header(header), "not_an_object");
    }
    assert_eq!(refusal_of_header(""), "bad_json");
}
