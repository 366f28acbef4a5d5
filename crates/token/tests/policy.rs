//! What a provider may demand of claims: paths, values, flags, and issuers with a tenant in them.

use neon_auth_token::{
    ClaimPath, Flag, IssuerTemplate, Map, Policy, RequiredClaim, claims_object, json_value,
    judge_claims,
};
use serde_json::{Value, json};

use crate::common::*;

fn code(claims: &Value, policy: &Policy) -> &'static str {
    judge_by(&ES256.token(claims), &key_set(&[ES256.jwk()]), policy, NOW)
        .map_or_else(|refusal| refusal.code(), |_| "ok")
}

/// [`claims`] with those of an object as well.
fn claims_and(more: Value) -> Value {
    let mut claims = claims();
    if let (Some(claims), Value::Object(more)) = (claims.as_object_mut(), more) {
        claims.extend(more);
    }
    claims
}

fn members(json: Value) -> Map<String, neon_auth_token::Value> {
    claims_object(&json.to_string()).expect("an object")
}

#[test]
fn a_path_leads_to_one_value_whatever_the_token() {
    let claims = members(json!({
        "role": "outer",
        "app_metadata": {"role": "inner", "roles": ["a", "b"], "none": null},
        // A user who may choose the names of claims gains nothing by a name with a dot.
        "app_metadata.role": "trap",
        "https://shop.example/role": "namespaced",
        "https://hasura.io/jwt/claims": {"x-hasura-default-role": "nested"},
        "a\"b": {"c.d": "quoted"},
        "cognito:groups": ["g"],
        "$": {"a": "dollar"},
        "emails[0]": "bracketed",
        "groups[]": ["h"],
    }));
    for (path, expected) in [
        ("role", Some(json!("outer"))),
        ("app_metadata.role", Some(json!("inner"))),
        (r#""app_metadata.role""#, Some(json!("trap"))),
        ("app_metadata.roles.1", Some(json!("b"))),
        ("app_metadata.roles.2", None),
        ("app_metadata.none", None),
        ("app_metadata.none.more", None),
        ("role.more", None),
        ("absent", None),
        ("https://shop.example/role", Some(json!("namespaced"))),
        (
            r#""https://hasura.io/jwt/claims".x-hasura-default-role"#,
            Some(json!("nested")),
        ),
        (r#""a""b"."c.d""#, Some(json!("quoted"))),
        ("cognito:groups.0", Some(json!("g"))),
        // In quotes a name is a name.
        (r#""$".a"#, Some(json!("dollar"))),
        (r#""emails[0]""#, Some(json!("bracketed"))),
        ("groups[].0", Some(json!("h"))),
    ] {
        let parsed: ClaimPath = path.parse().expect(path);
        assert_eq!(
            parsed.find(&claims),
            expected.map(|value| exact(&value)).as_ref(),
            "{path}"
        );
        assert_eq!(parsed.text(), path);
    }
    let long = "x".repeat(1001);
    for bad in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "\"",
        "\"a",
        "\"\"",
        "a\"b",
        "\"a\"b",
        " a",
        "a. b",
        "a\nb",
        "$",
        "$.role",
        "$[0]",
        "emails[0]",
        "a.emails[10].b",
        "emails[*]",
        "a[0][1]",
        &long,
    ] {
        assert!(bad.parse::<ClaimPath>().is_err(), "{bad:?}");
    }
    let too_long = long.parse::<ClaimPath>().expect_err("a limit");
    assert!(too_long.to_string().contains("1000 bytes"));
    assert!(long[1..].parse::<ClaimPath>().is_ok());
}

#[test]
fn a_required_claim_has_one_of_the_values_of_its_type() {
    let cases = [
        (json!({"client_id": "a"}), json!({"client_id": "a"}), "ok"),
        (
            json!({"client_id": ["a", "b"]}),
            json!({"client_id": "b"}),
            "ok",
        ),
        (
            json!({"client_id": ["a", "b"]}),
            json!({"client_id": "c"}),
            "wrong_claim",
        ),
        (
            json!({"client_id": "a"}),
            json!({"client_id": "A"}),
            "wrong_claim",
        ),
        (
            json!({"client_id": "a"}),
            json!({"client_id": "ab"}),
            "wrong_claim",
        ),
        (json!({"client_id": "a"}), json!({}), "missing_claim"),
        (
            json!({"client_id": "a"}),
            json!({"client_id": null}),
            "missing_claim",
        ),
        (
            json!({"client_id": "a"}),
            json!({"client_id": {"a": "a"}}),
            "wrong_claim",
        ),
        // An array of the token is satisfied by any of its items.
        (json!({"groups": "a"}), json!({"groups": ["b", "a"]}), "ok"),
        (
            json!({"groups": ["x", "a"]}),
            json!({"groups": ["b", "a"]}),
            "ok",
        ),
        (json!({"groups": "a"}), json!({"groups": []}), "wrong_claim"),
        (
            json!({"groups": "a"}),
            json!({"groups": [["a"]]}),
            "wrong_claim",
        ),
        (json!({"aud": "app"}), json!({}), "ok"),
        // Types are not mixed.
        (json!({"n": 1}), json!({"n": "1"}), "wrong_claim"),
        (json!({"n": "1"}), json!({"n": 1}), "wrong_claim"),
        (json!({"n": true}), json!({"n": "true"}), "wrong_claim"),
        (json!({"n": true}), json!({"n": 1}), "wrong_claim"),
        (json!({"n": false}), json!({"n": false}), "ok"),
        (json!({"n": 1}), json!({"n": 1.0}), "ok"),
        (
            json!({"n": 9007199254740993_i64}),
            json!({"n": 9007199254740992_i64}),
            "wrong_claim",
        ),
        (
            json!({"n": u64::MAX}),
            json!({"n": u64::MAX - 1}),
            "wrong_claim",
        ),
        // Null asks for no value in particular, and every member is asked for.
        (json!({"email": null}), json!({"email": false}), "ok"),
        (
            json!({"email": null}),
            json!({"email": null}),
            "missing_claim",
        ),
        (
            json!({"a": "1", "b": "2"}),
            json!({"a": "1", "b": "3"}),
            "wrong_claim",
        ),
        (
            json!({"a": "1", "b": "2"}),
            json!({"a": "1"}),
            "missing_claim",
        ),
        (json!({"o.id": "x"}), json!({"o": {"id": "x"}}), "ok"),
        (json!({"o.id": "x"}), json!({"o.id": "x"}), "missing_claim"),
    ];
    for (demand, given, expected) in cases {
        let strict = Policy {
            required_claims: required(demand.clone()),
            ..policy()
        };
        assert_eq!(
            code(&claims_and(given.clone()), &strict),
            expected,
            "{demand} {given}"
        );
    }
    for bad in [
        json!(null),
        json!("email"),
        json!(["a", null]),
        json!(["a", 1]),
        json!([["a"]]),
        json!([""]),
        json!({"a": []}),
        json!({"a": [null]}),
        json!({"a": ["b", ["c"]]}),
        json!({"a": {"b": "c"}}),
        json!({"": "a"}),
        json!({"a..b": "a"}),
    ] {
        assert!(RequiredClaim::parse_all(&exact(&bad)).is_err(), "{bad}");
    }
}

#[test]
fn a_required_number_is_compared_to_its_last_digit() {
    let claims = claims().to_string();
    let rest = claims.strip_prefix('{').expect("an object");
    let keys = key_set(&[ES256.jwk()]);
    for (demand, given, expected) in [
        ("12345678901234567890123", "12345678901234567890123", true),
        ("12345678901234567890123", "12345678901234567890124", false),
        (
            "[1, 12345678901234567890123]",
            "12345678901234567890123.0",
            true,
        ),
        ("0.1", "0.10000000000000000001", false),
        ("100", "1e2", true),
        (
            "12345678901234567890123",
            "\"12345678901234567890123\"",
            false,
        ),
    ] {
        let demanded = json_value(&format!(r#"{{"tenant": {demand}}}"#)).expect("JSON");
        let strict = Policy {
            required_claims: RequiredClaim::parse_all(&demanded).expect("required claims"),
            ..policy()
        };
        let payload = format!(r#"{{"tenant":{given},{rest}"#);
        let token = ES256.raw_token(ES256.header().to_string(), payload);
        let verdict = judge_by(&token, &keys, &strict, NOW);
        assert_eq!(verdict.is_ok(), expected, "{demand} {given}");
    }
}

#[test]
fn refuses_anonymous_and_restricted_users_of_every_issuer() {
    let open = Policy {
        allow_anonymous: true,
        allow_restricted: true,
        ..policy()
    };
    for (given, expected) in [
        (json!({"is_anonymous": true}), "anonymous_refused"),
        (json!({"is_anonymous": "true"}), "anonymous_refused"),
        (json!({"is_anonymous": "True"}), "anonymous_refused"),
        // What is neither yes nor no must not pass for no.
        (json!({"is_anonymous": 1}), "anonymous_refused"),
        (json!({"is_anonymous": "yes"}), "anonymous_refused"),
        (json!({"is_anonymous": []}), "anonymous_refused"),
        (json!({"is_anonymous": {}}), "anonymous_refused"),
        (json!({"is_anonymous": false}), "ok"),
        (json!({"is_anonymous": "false"}), "ok"),
        (json!({"is_anonymous": null}), "ok"),
        (json!({}), "ok"),
        (json!({"is_restricted": true}), "restricted_refused"),
        (json!({"is_restricted": "true"}), "restricted_refused"),
        (json!({"is_restricted": 0}), "restricted_refused"),
        (json!({"is_restricted": false}), "ok"),
        (
            json!({"is_anonymous": true, "is_restricted": true}),
            "anonymous_refused",
        ),
    ] {
        assert_eq!(
            code(&claims_and(given.clone()), &policy()),
            expected,
            "{given}"
        );
        assert_eq!(code(&claims_and(given.clone()), &open), "ok", "{given}");
    }
    // Anonymous users are restricted as well, and judged as anonymous alone.
    let anonymous = Policy {
        allow_anonymous: true,
        ..policy()
    };
    let both = claims_and(json!({"is_anonymous": true, "is_restricted": true}));
    assert_eq!(code(&both, &anonymous), "ok");
}

#[test]
fn an_anonymous_user_is_known_by_any_claim() {
    let firebase = Policy {
        anonymous: Flag::parse(&exact(&json!({"firebase.sign_in_provider": "anonymous"})))
            .expect("a flag"),
        ..policy()
    };
    let nested = Policy {
        anonymous: Flag::parse(&exact(&json!("o.guest"))).expect("a flag"),
        ..policy()
    };
    for (policy, given, expected) in [
        (
            &firebase,
            json!({"firebase": {"sign_in_provider": "anonymous"}}),
            "anonymous_refused",
        ),
        (
            &firebase,
            json!({"firebase": {"sign_in_provider": ["anonymous"]}}),
            "anonymous_refused",
        ),
        (
            &firebase,
            json!({"firebase": {"sign_in_provider": {}}}),
            "anonymous_refused",
        ),
        (
            &firebase,
            json!({"firebase": {"sign_in_provider": "google.com"}}),
            "ok",
        ),
        (&firebase, json!({"firebase": {}}), "ok"),
        (
            &nested,
            json!({"o": {"guest": "true"}}),
            "anonymous_refused",
        ),
        (&nested, json!({"o": {"guest": false}}), "ok"),
        (&nested, json!({"o": "guest"}), "ok"),
    ] {
        assert_eq!(
            code(&claims_and(given.clone()), policy),
            expected,
            "{given}"
        );
    }
    for bad in [
        json!(null),
        json!(1),
        json!(""),
        json!({}),
        json!({"a": null}),
        json!({"a": 1, "b": 1}),
    ] {
        assert!(Flag::parse(&exact(&bad)).is_err(), "{bad}");
    }
}

#[test]
fn an_issuer_contains_a_claim_of_the_token() {
    const ISSUERS: &str = "https://login.example/{tid}/v2.0";
    let policy = Policy {
        issuers: vec![],
        issuer_templates: vec![ISSUERS.parse().expect("a template")],
        ..policy()
    };
    for (issuer, tid, expected) in [
        ("https://login.example/t1/v2.0", json!("t1"), "ok"),
        ("https://login.example/t1/v2.0", json!("t2"), "wrong_issuer"),
        ("https://login.example/t1/v2.0", json!("T1"), "wrong_issuer"),
        ("https://login.example/t1/v2.0", json!(null), "wrong_issuer"),
        (
            "https://login.example/t1/v2.0",
            json!(["t1"]),
            "wrong_issuer",
        ),
        ("https://login.example/1/v2.0", json!(1), "wrong_issuer"),
        (
            "https://login.example/t1/v2.0/",
            json!("t1"),
            "wrong_issuer",
        ),
        ("https://login.example/t1/v1.0", json!("t1"), "wrong_issuer"),
        (
            "https://login.example/{tid}/v2.0",
            json!("{tid}"),
            "wrong_issuer",
        ),
        // A claim that would lead elsewhere.
        (
            "https://login.example/a/b/v2.0",
            json!("a/b"),
            "wrong_issuer",
        ),
        ("https://login.example/../v2.0", json!(".."), "wrong_issuer"),
        ("https://login.example//v2.0", json!(""), "wrong_issuer"),
        ("https://login.example/t?/v2.0", json!("t?"), "wrong_issuer"),
        (
            "https://login.example/t%2F/v2.0",
            json!("t%2F"),
            "wrong_issuer",
        ),
    ] {
        let claims = claims_and(json!({"iss": issuer, "tid": tid}));
        assert_eq!(code(&claims, &policy), expected, "{issuer} {tid}");
    }
    for bad in [
        "https://login.example/{}/v2.0",
        "https://login.example/{tid/v2.0",
        "https://login.example/tid}/v2.0",
        "https://login.example/}tid{/v2.0",
        "https://login.example/}/{tid}/v2.0",
        "https://login.example/{tid}/}",
        "https://login.example/{{tid}}/v2.0",
        "https://login.example/{tid}{oid}/v2.0",
        "https://login.example/{tid}-{oid}/v2.0",
        "https://login.example/{tid}/{oid}",
        "https://login.example/x{tid}/v2.0",
        "https://login.example/{tid}x/v2.0",
        "https://login.example/{t id}/v2.0",
        "https://login.example/{a/b}/v2.0",
        "https://{tid}.login.example/v2.0",
        "https://{tid}/v2.0",
        "https:///{tid}",
        "login.example/{tid}",
        "{tid}",
    ] {
        assert!(bad.parse::<IssuerTemplate>().is_err(), "{bad}");
    }
    for good in [
        ISSUERS,
        "https://sts.example/{tid}/",
        "https://idp.example/{org.id}",
    ] {
        let template: IssuerTemplate = good.parse().expect(good);
        assert_eq!(template.to_string(), good);
        assert!(IssuerTemplate::is_meant(good));
    }
    assert!(!IssuerTemplate::is_meant("https://idp.example/org.id"));
}

/// The same rules for a session, which has claims but no signature.
#[test]
fn claims_alone_are_judged_by_required_claims_and_kinds_of_users() {
    let code = |claims: Value, policy: &Policy| {
        let judged = judge_claims(&members(claims), policy);
        judged.map_or_else(|refusal| refusal.code(), |()| "ok")
    };
    let demanding = Policy {
        required_claims: required(json!({"emailVerified": true})),
        anonymous: Flag::claim("isAnonymous"),
        ..policy()
    };
    for (claims, expected) in [
        (json!({"emailVerified": true}), "ok"),
        (json!({"emailVerified": false}), "wrong_claim"),
        (json!({}), "missing_claim"),
        (json!({"emailVerified": true, "isAnonymous": null}), "ok"),
        (json!({"emailVerified": true, "isAnonymous": false}), "ok"),
        (
            json!({"emailVerified": true, "isAnonymous": true}),
            "anonymous_refused",
        ),
        (
            json!({"emailVerified": true, "isAnonymous": 0}),
            "anonymous_refused",
        ),
        (
            json!({"emailVerified": true, "is_restricted": true}),
            "restricted_refused",
        ),
    ] {
        assert_eq!(code(claims.clone(), &demanding), expected, "{claims}");
    }
    let lenient = Policy {
        allow_anonymous: true,
        ..demanding
    };
    let anonymous = json!({"emailVerified": true, "isAnonymous": true});
    assert_eq!(code(anonymous, &lenient), "ok");
}
