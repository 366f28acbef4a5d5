//! What a payload may say.

use neon_auth_token::{LONGEST, Policy, Refusal, Token, Verified};
use serde_json::{Value, json};

use crate::common::*;

/// The code for signed claims in which `name` has a value written in JSON by hand.
fn refusal_of(name: &str, value: &str) -> &'static str {
    let rest = claims_without(name).to_string();
    refusal_of_payload(format!("{{\"{name}\":{value},{}", &rest[1..]))
}

fn accepts(claims: &Value, policy: &Policy) -> bool {
    judge_by(&ES256.token(claims), &key_set(&[ES256.jwk()]), policy, NOW).is_ok()
}

fn refusal_under(claims: &Value, policy: &Policy) -> &'static str {
    refusal_by(&ES256.token(claims), &key_set(&[ES256.jwk()]), policy)
}

#[test]
fn refuses_exp_that_is_not_a_date() {
    assert_eq!(refusal_of_claims(&claims_without("exp")), "missing_claim");
    for exp in [
        "null",
        "true",
        "\"1700000600\"",
        "[1700000600]",
        "{}",
        "-1",
        "-0.25",
        "-1e-9",
        "1e300",
        "18446744073709551616",
        "18446744073709551615",
        "9223372036854775807",
        "253402300800",
        "253402300799.000001",
        "1700000600000",
    ] {
        assert_eq!(refusal_of("exp", exp), "invalid_claim", "{exp}");
    }
    assert_eq!(refusal_of("exp", "1e999"), "long_number");
    for exp in ["NaN", "Infinity", "+1700000600", "0x6553f100", "1_700"] {
        assert_eq!(refusal_of("exp", exp), "bad_json", "{exp}");
    }
    for long_ago in ["0", "-0", "-0.0e5", "0.9", "1e9"] {
        assert_eq!(refusal_of("exp", long_ago), "expired", "{long_ago}");
    }
    assert!(accepts(
        &claims_with("exp", json!(253_402_300_799_i64)),
        &policy()
    ));
}

/// The verdict on signed claims in which dates are written in JSON by hand.
fn dated(dates: &str) -> Result<Verified, Refusal> {
    let rest = claims_without("exp").to_string();
    let rest = rest.replace(&format!("\"iat\":{NOW},"), "");
    let payload = format!("{{{dates},{}", &rest[1..]);
    judge(&ES256.raw_token(ES256.header().to_string(), payload))
}

#[test]
fn takes_dates_with_a_fraction_or_an_exponent() {
    for (written, seconds) in [
        ("1700000600.0", 1_700_000_600),
        ("1700000600.25", 1_700_000_600),
        ("1700000600.999999999999", 1_700_000_600),
        ("17000006e2", 1_700_000_600),
        ("1.7000006E9", 1_700_000_600),
        ("1.7000006e+09", 1_700_000_600),
        ("17000006000000e-4", 1_700_000_600),
        ("1.70000060099e9", 1_700_000_600),
        ("253402300799.0", 253_402_300_799),
    ] {
        let verified = dated(&format!("\"exp\":{written}")).expect(written);
        assert_eq!(verified.expires_at(), seconds, "{written}");
    }
}

#[test]
fn rounds_dates_so_that_nobody_gains_time() {
    let code = |dates: &str| dated(dates).map_or_else(|refusal| refusal.code(), |_| "ok");
    // With 30 seconds of leeway, until the second in which exp + 30 begins.
    let exp = |fraction: &str| code(&format!("\"exp\":{}{fraction}", NOW - 30));
    assert_eq!(exp(".999"), "expired");
    assert_eq!(code(&format!("\"exp\":{}.0", NOW - 29)), "ok");
    let nbf = |nbf: &str| code(&format!("\"exp\":1800000000,\"nbf\":{nbf}"));
    assert_eq!(nbf(&format!("{}", NOW + 30)), "ok");
    assert_eq!(nbf(&format!("{}.000000001", NOW + 30)), "not_yet_valid");
    // A token is not refused in the second in which it was issued.
    let iat = |iat: &str| code(&format!("\"exp\":1800000000,\"iat\":{iat}"));
    assert_eq!(iat(&format!("{}.9", NOW + 30)), "ok");
    assert_eq!(iat(&format!("{}.0", NOW + 31)), "issued_in_future");
    // A lifetime of 600 seconds between equal fractions is one of 600 seconds.
    let limited = Policy {
        max_lifetime: Some(600),
        ..policy()
    };
    let lasting = |exp: &str| {
        let rest = claims_without("exp").to_string();
        let rest = rest.replace(&format!("\"iat\":{NOW}"), &format!("\"iat\":{NOW}.75"));
        let payload = format!("{{\"exp\":{exp},{}", &rest[1..]);
        let token = ES256.raw_token(ES256.header().to_string(), payload);
        judge_by(&token, &key_set(&[ES256.jwk()]), &limited, NOW).is_ok()
    };
    assert!(lasting(&format!("{}.75", NOW + 600)));
    assert!(!lasting(&format!("{}", NOW + 601)));
}

#[test]
fn hints_at_dates_in_other_units() {
    for (written, unit) in [
        ("1700000600000", "milliseconds"),
        ("1.7000006e12", "milliseconds"),
        ("1700000600000.5", "milliseconds"),
        ("1700000600000000", "microseconds"),
        ("1700000600000000000", "nanoseconds"),
    ] {
        for name in ["exp", "nbf", "iat"] {
            let mut dates = format!("\"{name}\":{written}");
            if name != "exp" {
                dates.push_str(",\"exp\":1800000000");
            }
            let hint = dated(&dates).expect_err(written).hint();
            assert!(hint.contains(unit), "{hint}");
        }
    }
    let negative = dated("\"exp\":-1").expect_err("negative").hint();
    assert!(!negative.contains("seconds"), "{negative}");
}

#[test]
fn refuses_another_issuer() {
    assert_eq!(refusal_of_claims(&claims_without("iss")), "missing_claim");
    for iss in [json!(1), json!(null), json!([ISSUER]), json!({}), json!("")] {
        assert_eq!(refusal_of_claims(&claims_with("iss", iss)), "invalid_claim");
    }
    for iss in [
        "https://issuer.example",
        "https://issuer.example//",
        "https://issuer.example/x",
        "HTTPS://issuer.example/",
        "https://Issuer.example/",
        "https://issuer.example/ ",
        "https://issuer.example.attacker.example/",
        "https://issuer.example:443/",
        "https://issuer.exаmple/",
        "issuer.example",
    ] {
        assert_eq!(
            refusal_of_claims(&claims_with("iss", json!(iss))),
            "wrong_issuer"
        );
    }
    let long = |length: usize| claims_with("iss", json!("i".repeat(length)));
    assert_eq!(refusal_of_claims(&long(2048)), "wrong_issuer");
    assert_eq!(refusal_of_claims(&long(2049)), "invalid_claim");
    let nobody = Policy {
        issuers: vec![],
        ..policy()
    };
    assert_eq!(refusal_under(&claims(), &nobody), "wrong_issuer");
    let several = Policy {
        issuers: vec!["https://a.example".to_owned(), ISSUER.to_owned()],
        ..policy()
    };
    assert!(accepts(&claims(), &several));
}

#[test]
fn refuses_another_audience() {
    assert_eq!(
        refusal_of_claims(&claims_without("aud")),
        "missing_audience"
    );
    for nobody in [json!([]), json!(null)] {
        assert_eq!(
            refusal_of_claims(&claims_with("aud", nobody)),
            "missing_audience"
        );
    }
    for aud in [
        json!(1),
        json!([null]),
        json!({}),
        json!(["app", 1]),
        json!(["app", null]),
        json!([["app"]]),
        json!({"app": true}),
    ] {
        assert_eq!(refusal_of_claims(&claims_with("aud", aud)), "invalid_claim");
    }
    for aud in [
        json!("ap"),
        json!("app2"),
        json!("App"),
        json!(" app"),
        json!(""),
        json!(["other", "another"]),
        json!(["app,other"]),
    ] {
        assert_eq!(
            refusal_of_claims(&claims_with("aud", aud)),
            "wrong_audience"
        );
    }
    assert!(accepts(
        &claims_with("aud", json!(["other", "app"])),
        &policy()
    ));
    let anyone = Policy {
        audiences: vec![],
        ..policy()
    };
    assert!(accepts(&claims_without("aud"), &anyone));
    assert!(accepts(&claims_with("aud", json!("other")), &anyone));
    assert!(accepts(&claims_with("aud", json!([])), &anyone));
    assert!(accepts(&claims_with("aud", json!(null)), &anyone));
    for aud in [json!(1), json!([null]), json!({}), json!([[]])] {
        assert_eq!(
            refusal_under(&claims_with("aud", aud), &anyone),
            "invalid_claim"
        );
    }
}

#[test]
fn refuses_a_bad_subject() {
    assert_eq!(refusal_of_claims(&claims_without("sub")), "missing_claim");
    for sub in [
        json!(1),
        json!(null),
        json!(["user-1"]),
        json!({}),
        json!(""),
        json!("a\nb"),
        json!("\u{7f}"),
        json!("\u{9f}"),
        json!("s".repeat(256)),
        json!("é".repeat(128)),
        json!("s".repeat(10 * 1024)),
    ] {
        assert_eq!(refusal_of_claims(&claims_with("sub", sub)), "invalid_claim");
    }
    assert_eq!(refusal_of("sub", r#""user-1\u0000""#), "nul_character");
    let longest = "s".repeat(255);
    let verified = judge(&ES256.token(&claims_with("sub", json!(longest))));
    assert_eq!(verified.expect("accepted").subject(), longest);
}

#[test]
fn refuses_repeated_claims() {
    let rest = claims().to_string();
    let rest = &rest[1..];
    for twice in [
        r#""sub":"admin","#,
        r#""exp":9,"#,
        r#""iss":"x","#,
        r#""aud":"x","#,
        r#""role":"a","role":"b","#,
        r#""role":"a","role":"a","#,
        r#""\u0073ub":"admin","#,
        r#""s\u0075b":"admin","#,
        r#""o":{"id":1,"id":2},"#,
        r#""o":[{"a":{"b":1,"\u0062":2}}],"#,
        r#""":1,"":2,"#,
    ] {
        assert_eq!(
            refusal_of_payload(format!("{{{twice}{rest}")),
            "duplicate_member",
            "{twice}"
        );
    }
    // Names that only look alike are different names.
    let alike = format!("{{\"Sub\":1,\"sub \":2,\"ѕub\":3,{rest}");
    assert!(judge(&ES256.raw_token(ES256.header().to_string(), alike)).is_ok());
}

#[test]
fn refuses_null_characters() {
    let rest = claims().to_string();
    let rest = &rest[1..];
    for member in [
        r#""name":"\u0000""#,
        r#""name":"a\u0000b""#,
        r#""\u0000":1"#,
        r#""na\u0000me":1"#,
        r#""o":{"a":["\u0000"]}"#,
        r#""o":[{"\u0000":1}]"#,
    ] {
        assert_eq!(
            refusal_of_payload(format!("{{{member},{rest}")),
            "nul_character",
            "{member}"
        );
    }
    for member in [
        "\"name\":\"a\0b\"",
        r#""name":"\ud800""#,
        r#""name":"\udc00\ud800""#,
    ] {
        assert_eq!(
            refusal_of_payload(format!("{{{member},{rest}")),
            "bad_json",
            "{member:?}"
        );
    }
    // A backslash before the escape makes it plain text.
    let plain = format!("{{\"name\":\"\\\\u0000\",{rest}");
    assert!(judge(&ES256.raw_token(ES256.header().to_string(), plain)).is_ok());
}

#[test]
fn refuses_claims_that_the_policy_requires() {
    let strict = Policy {
        required_claims: required(json!(["email", "o"])),
        ..policy()
    };
    let mut claims = claims();
    assert_eq!(refusal_under(&claims, &strict), "missing_claim");
    claims["email"] = json!("a@b.example");
    claims["o"] = json!(null);
    assert_eq!(refusal_under(&claims, &strict), "missing_claim");
    claims["o"] = json!(false);
    assert!(accepts(&claims, &strict));
}

#[test]
fn tells_what_was_signed() {
    let mut claims = claims();
    claims["nested"] = json!({"list": [1, -2, 2.5, "é", null, true], "empty": {}});
    claims["nbf"] = json!(NOW - 5);
    claims["aud"] = json!(["other", "app"]);
    let payload = serde_json::to_string_pretty(&claims).expect("JSON");
    let token = ES256.raw_token(ES256.header().to_string(), &payload);
    let unverified = Token::parse(&token, LONGEST).expect("a sound form");
    assert_eq!(unverified.issuer(), ISSUER);
    assert_eq!(unverified.subject(), "user-1");
    assert!(unverified.audiences().eq(["other", "app"]));
    assert_eq!(unverified.key_id(), Some("key-1"));
    assert_eq!(unverified.algorithm().name(), "ES256");
    let verified = judge(&token).expect("accepted");
    assert_eq!(verified.subject(), "user-1");
    assert_eq!(verified.issuer(), ISSUER);
    assert!(verified.audiences().eq(["other", "app"]));
    assert_eq!(verified.key_id(), Some("key-1"));
    assert_eq!(verified.algorithm().name(), "ES256");
    assert_eq!(verified.issued_at(), Some(NOW));
    assert_eq!(verified.not_before(), Some(NOW - 5));
    assert_eq!(verified.expires_at(), NOW + 600);
    let told = neon_auth_token::Value::Object(verified.claims().clone()).to_string();
    assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON"), claims);
    assert_eq!(verified.claims_json(), payload);
}

#[test]
fn shows_no_claims_by_accident() {
    let token = ES256.token(&claims_with("email", json!("a@b.example")));
    let unverified = Token::parse(&token, LONGEST).expect("a sound form");
    let shown = format!("{unverified:?} {:?}", judge(&token));
    for secret in [
        "user-1",
        "a@b.example",
        token.split('.').next().expect("a part"),
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn escapes_and_bounds_foreign_values() {
    let hostile = format!("\u{1b}[31m\"'\u{202e}\n{}", "x".repeat(1500));
    let refusal = judge(&ES256.token(&claims_with("iss", json!(hostile))));
    let detail = refusal.expect_err("another issuer").detail();
    assert!(detail.contains(r#"\u{1b}[31m\""#), "{detail}");
    assert!(!detail.contains('\u{202e}'), "{detail}");
    assert!(detail.chars().count() < 250, "{detail}");
}
