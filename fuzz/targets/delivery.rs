//! Any headers and body as a webhook's delivery: it is accepted if a second implementation says so. The
//! input is lines: secrets, id, time, signatures, and the body.

#![no_main]

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use libfuzzer_sys::fuzz_target;
use neon_auth_fuzz::NOW;
use neon_auth_wire::delivery::{BadDelivery, Headers, Keys};

fn verify(keys: &Keys, values: [&str; 3], body: &str) -> Result<String, BadDelivery> {
    let names = [
        "Content-Type",
        "Svix-Id",
        "svix-timestamp",
        "SVIX-SIGNATURE",
    ];
    let value = |number: usize| {
        number
            .checked_sub(1)
            .map(|number| values[number].to_owned())
    };
    Headers::find(&names, value)?.verify(keys, body, NOW)
}

/// The secrets as keys, if all are.
fn secrets(text: &str) -> Option<Vec<Vec<u8>>> {
    let key = |secret: &str| {
        let secret = secret.strip_prefix("whsec_").unwrap_or(secret);
        decoded(secret).filter(|key| key.len() >= 16)
    };
    text.split_ascii_whitespace().map(key).collect()
}

/// Base64 with all of its padding, or with less.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let bare = text.trim_end_matches('=');
    let most = bare.len().next_multiple_of(4);
    let bytes = BASE64_STANDARD_NO_PAD.decode(bare).ok();
    bytes.filter(|_| text.len() <= most)
}

fn is_signed(secrets: &[Vec<u8>], [id, time, signatures]: [&str; 3], body: &str) -> bool {
    let is_digits = !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit());
    let is_timely = is_digits
        && time
            .parse::<i64>()
            .is_ok_and(|time| (NOW - 300..=NOW + 300).contains(&time));
    let has_id = !id.is_empty() && id.len() <= 255 && !id.contains('.');
    let text = format!("{id}.{time}.{body}");
    let offered: Vec<_> = signatures
        .split_ascii_whitespace()
        .filter_map(|entry| decoded(entry.strip_prefix("v1,")?))
        .collect();
    let fits = |secret: &Vec<u8>| {
        let tag = sign(&Key::new(HMAC_SHA256, secret), text.as_bytes());
        offered.iter().any(|offered| offered == tag.as_ref())
    };
    is_timely && has_id && secrets.iter().any(fits)
}

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(5, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (secret, id, time, signatures, body) = (line(), line(), line(), line(), line());
    let keys = Keys::parse(secret);
    let usable = secrets(secret).filter(|secrets| !secrets.is_empty());
    assert_eq!(keys.is_ok(), usable.is_some());
    let (Ok(keys), Some(usable)) = (keys, usable) else {
        return;
    };
    let given = [id, time, signatures];
    let verdict = verify(&keys, given, body);
    assert_eq!(verdict.is_ok(), is_signed(&usable, given, body));
    match verdict {
        Ok(accepted) => assert_eq!(accepted, id),
        Err(refusal) => assert!(format!("{refusal:?}").len() < 400),
    }
    // The same delivery, signed with the last secret, and then altered.
    let (id, time) = ("msg", NOW.to_string());
    let last = usable.last().expect("a secret");
    let tag = sign(
        &Key::new(HMAC_SHA256, last),
        format!("{id}.{time}.{body}").as_bytes(),
    );
    let signatures = format!("v2,x v1,{} {signatures}", BASE64_STANDARD.encode(tag));
    let given = [id, time.as_str(), signatures.as_str()];
    assert_eq!(verify(&keys, given, body).as_deref(), Ok(id));
    assert!(verify(&keys, given, &format!("{body} ")).is_err());
});
