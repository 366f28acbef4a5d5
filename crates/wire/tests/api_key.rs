use neon_auth_wire::api_key::{KeyText, random};

#[test]
fn a_new_key_is_of_the_right_form_until_a_character_changes() {
    let key = random();
    let parsed = KeyText::parse(&key).expect("a key");
    assert_eq!(parsed.shown(), &key[..8]);
    for at in 0..key.len() {
        let mut other = key.clone();
        let digit = if key[at..].starts_with('0') { "1" } else { "0" };
        other.replace_range(at..=at, digit);
        assert!(KeyText::parse(&other).is_err(), "{other}");
    }
    assert!(KeyText::parse(&key[1..]).is_err());
}

/// A text of the length of a key that is none, with a character over the place where the checksum begins.
#[test]
fn refuses_a_text_that_cannot_be_split() {
    for prefix in ["nak_", "xxxx"] {
        let text = format!("{prefix}{}é{}", "x".repeat(42), "x".repeat(5));
        assert_eq!(text.len(), random().len());
        assert!(KeyText::parse(&text).is_err());
    }
}
