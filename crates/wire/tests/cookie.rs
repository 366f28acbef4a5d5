use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use neon_auth_wire::cookie::{BadToken, Presented};

#[test]
fn reads_a_token_bare_signed_and_encoded() {
    let tag = sign(&Key::new(HMAC_SHA256, b"secret"), b"token");
    let signed = format!("token.{}", BASE64_STANDARD.encode(tag));
    let encoded = signed
        .replace('+', "%2B")
        .replace('/', "%2f")
        .replace('=', "%3D");
    for text in [&signed, &encoded] {
        let presented = Presented::parse(text).expect("a token");
        assert!(presented.token == "token" && presented.is_signed());
        assert!(presented.may_be_ours(["other", "secret"]));
        assert!(presented.may_be_ours([]));
        assert!(!presented.may_be_ours(["other"]));
    }
    let bare = Presented::parse("token").expect("a token");
    assert!(!bare.is_signed() && bare.may_be_ours(["other"]));
}

#[test]
fn refuses_what_is_not_a_token() {
    let long = "t".repeat(256);
    for text in [
        "",
        "to ken",
        "token\n",
        "token.c2hvcnQ=",
        "token.",
        "%",
        "%4",
        "%zz",
        "%ff",
        &long,
    ] {
        assert!(
            matches!(Presented::parse(text), Err(BadToken::Malformed(_))),
            "{text}"
        );
    }
    assert!(Presented::parse(&long[1..]).is_ok());
    let named = Presented::parse("better-auth.session_token=token");
    assert_eq!(named.err(), Some(BadToken::NamedCookie));
}
