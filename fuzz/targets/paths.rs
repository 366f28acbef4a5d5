//! Any text as the path to a claim, and as the template of an issuer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_token::{ClaimPath, IssuerTemplate, Map, Value};

/// An object in which these names lead to a value.
fn nested(names: &[&str]) -> Map<String, Value> {
    let (last, before) = names.split_last().expect("a name");
    let at = |name: &str, value| Map::from([(name.to_owned(), value)]);
    let innermost = at(last, Value::String("here".to_owned()));
    let around = |inner, name: &&str| at(name, Value::Object(inner));
    before.iter().rev().fold(innermost, around)
}

fuzz_target!(|text: &str| {
    if let Ok(path) = text.parse::<ClaimPath>() {
        assert_eq!(path.text(), text);
        assert!(text.len() <= 1000 && !text.contains(char::is_control));
        if !text.contains(['"', ':']) {
            let names: Vec<&str> = text.split('.').collect();
            let claims = nested(&names);
            assert_eq!(path.find(&claims).and_then(Value::as_str), Some("here"));
        }
    }
    // Names in quotes lead to the same place, whatever is in them.
    let names: Vec<&str> = text.split('\n').collect();
    let quoted = names
        .iter()
        .map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    if let Ok(path) = quoted.collect::<Vec<_>>().join(".").parse::<ClaimPath>() {
        assert!(names.iter().all(|name| !name.is_empty()));
        assert_eq!(
            path.find(&nested(&names)).and_then(Value::as_str),
            Some("here")
        );
    }
    let Ok(template) = text.parse::<IssuerTemplate>() else {
        return;
    };
    assert!(IssuerTemplate::is_meant(text));
    assert_eq!(template.to_string(), text);
    for (value, fits) in [
        ("a-1", true),
        ("..", false),
        ("a/b", false),
        ("", false),
        ("{x}", false),
    ] {
        let issuer = template.issuer_of(&Value::String(value.to_owned()));
        assert_eq!(issuer.is_some(), fits, "{value}");
        let names = template.claim().text();
        let claims = Map::from([(names.to_owned(), Value::String(value.to_owned()))]);
        if let Some(issuer) = issuer.filter(|_| !names.contains('.')) {
            assert!(!IssuerTemplate::is_meant(&issuer));
            assert!(template.fits(&issuer, &claims) && !template.fits(text, &claims));
        }
    }
});
