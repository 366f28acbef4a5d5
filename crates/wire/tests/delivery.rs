use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use neon_auth_wire::delivery::{BadDelivery, Headers, Keys};

const NOW: i64 = 1_700_000_000;
const SECRET: [u8; 24] = [7; 24];

fn keys(secrets: &[&[u8]]) -> Keys {
    let texts: Vec<String> = secrets
        .iter()
        .map(|secret| format!("whsec_{}", BASE64_STANDARD.encode(secret)))
        .collect();
    Keys::parse(&texts.join(" ")).expect("secrets")
}

fn verify(id: &str, time: i64, now: i64, keys: &Keys) -> Result<String, BadDelivery> {
    let text = format!("{id}.{time}.body");
    let tag = sign(&Key::new(HMAC_SHA256, &SECRET), text.as_bytes());
    let values = [
        id.to_owned(),
        time.to_string(),
        format!("v1,AAAA v2,x v1,{}", BASE64_STANDARD.encode(tag)),
    ];
    let names = ["Svix-Id", "svix-timestamp", "svix-signature"];
    Headers::find(&names, |number| Some(values[number].clone()))?.verify(keys, "body", now)
}

#[test]
fn accepts_a_delivery_that_one_of_the_secrets_signed_within_five_minutes() {
    let both = keys(&[&[8; 24], &SECRET]);
    for time in [NOW - 300, NOW, NOW + 300] {
        assert_eq!(verify("msg", time, NOW, &both), Ok("msg".to_owned()));
    }
    for time in [NOW - 301, NOW + 301] {
        let refused = verify("msg", time, NOW, &both);
        assert!(matches!(refused, Err(BadDelivery::Untimely { .. })));
    }
    let other = verify("msg", NOW, NOW, &keys(&[&[8; 24]]));
    assert!(matches!(other, Err(BadDelivery::Mismatch { .. })));
}

/// With a dot in the id, other parts can be joined to the same text.
#[test]
fn refuses_an_ambiguous_id() {
    let long = "m".repeat(256);
    for id in ["", "msg.1", &long] {
        let refused = verify(id, NOW, NOW, &keys(&[&SECRET]));
        assert!(matches!(refused, Err(BadDelivery::Refused { .. })), "{id}");
    }
}

#[test]
fn refuses_headers_that_are_missing_twice_or_no_strings() {
    let complete = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let value = |_| Some("x".to_owned());
    assert!(Headers::find(&complete, value).is_ok());
    assert!(Headers::find(&complete, |_| None).is_err());
    assert!(Headers::find(&complete[1..], value).is_err());
    let twice = [&complete[..], &["Webhook-ID"]].concat();
    assert!(Headers::find(&twice, value).is_err());
}

#[test]
fn refuses_secrets_that_can_be_guessed() {
    assert!(matches!(Keys::parse(" "), Err(BadDelivery::NoSecret)));
    for short in [
        "whsec_",
        "whsec_AAAA",
        "whsec_!",
        &BASE64_STANDARD.encode([7; 15]),
    ] {
        let refused = Keys::parse(short).err();
        assert!(matches!(
            refused,
            Some(BadDelivery::UnusableSecret { number: 1, .. })
        ));
    }
}
