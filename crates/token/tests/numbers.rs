//! Numbers, and that the reader of JSON agrees with another one.

use neon_auth_token::{Map, Value, claims_object};

use crate::common::*;

/// One to `most + 1` digits.
fn digits(random: &mut Random, most: usize) -> String {
    (0..=random.below(most + 1))
        .map(|_| char::from(b'0' + random.below(10) as u8))
        .collect()
}

/// A number as JSON may write it.
fn any_number(random: &mut Random) -> String {
    let mut number = ["", "-"][random.below(2)].to_owned();
    let whole = digits(random, 30);
    let whole = whole.trim_start_matches('0');
    number.push_str(if whole.is_empty() { "0" } else { whole });
    if random.below(2) == 0 {
        number.push('.');
        number.push_str(&digits(random, 30));
    }
    if random.below(2) == 0 {
        number.push(['e', 'E'][random.below(2)]);
        number.push_str(["", "+", "-"][random.below(3)]);
        number.push_str(&digits(random, 1));
    }
    number
}

fn read(json: &str) -> Option<Map<String, Value>> {
    claims_object(json)
}

fn number(text: &str) -> Value {
    let members = read(&format!("{{\"n\":{text}}}")).expect(text);
    members["n"].clone()
}

#[test]
fn keeps_numbers_as_they_are_written() {
    let mut random = Random(11);
    for _ in 0..10_000 {
        let text = any_number(&mut random);
        let value = number(&text);
        assert_eq!(value.to_string(), text);
        assert_eq!(
            value.as_number().map(|number| number.as_str()),
            Some(&*text)
        );
    }
}

#[test]
fn tells_large_numbers_apart() {
    assert_ne!(
        number("12345678901234567890123"),
        number("12345678901234567890124")
    );
    assert_ne!(number("9007199254740993"), number("9007199254740992"));
    assert_ne!(
        number("0.1"),
        number("0.1000000000000000055511151231257827")
    );
    assert_ne!(number("1"), number("-1"));
    assert_ne!(number("1e399"), number("1e398"));
    assert_ne!(number("0"), number("1e-400"));
}

#[test]
fn numbers_of_one_value_are_equal() {
    for (left, right) in [
        ("1", "1.0"),
        ("1", "10e-1"),
        ("100", "1E2"),
        ("100", "1e+02"),
        ("0", "-0"),
        ("0", "0.000e7"),
        ("-0.5", "-5e-1"),
        ("12345678901234567890123.0", "1.2345678901234567890123e22"),
    ] {
        assert_eq!(number(left), number(right));
    }
}

#[test]
fn rounds_down_and_up() {
    for (text, floor, ceil) in [
        ("0", Some(0), Some(0)),
        ("-0.0", Some(0), Some(0)),
        ("1.5", Some(1), Some(2)),
        ("-1.5", Some(-2), Some(-1)),
        ("0.001", Some(0), Some(1)),
        ("-1e-9", Some(-1), Some(0)),
        ("15e-1", Some(1), Some(2)),
        ("1.50e1", Some(15), Some(15)),
        ("9223372036854775807", Some(i64::MAX), Some(i64::MAX)),
        ("9223372036854775807.5", Some(i64::MAX), None),
        ("9223372036854775808", None, None),
        ("-9223372036854775808", Some(i64::MIN), Some(i64::MIN)),
        ("-9223372036854775808.5", None, Some(i64::MIN)),
        ("-9223372036854775809", None, None),
        ("1e300", None, None),
    ] {
        let value = number(text);
        let number = value.as_number().expect("a number");
        assert_eq!((number.floor(), number.ceil()), (floor, ceil), "{text}");
        let whole = floor.filter(|_| floor == ceil);
        assert_eq!(number.as_i64(), whole, "{text}");
    }
}

/// What few characters stand for many digits, or are many themselves.
#[test]
fn refuses_numbers_of_too_many_digits() {
    for good in [
        "1.7976931348623157e308",
        "-1.7976931348623157E+308",
        "5e-324",
        "2.2250738585072014e-308",
        &format!("1e{}", 399),
        &format!("1e-{}", 400),
        &"9".repeat(400),
        &format!("0.{}", "9".repeat(400)),
    ] {
        number(good);
    }
    for bad in [
        "1e400",
        "1e-401",
        "1E+131071",
        "0e131072",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        &"9".repeat(401),
        &format!("0.{}", "9".repeat(401)),
    ] {
        let rest = claims().to_string();
        let payload = format!("{{\"n\":{bad},{}", &rest[1..]);
        assert_eq!(refusal_of_payload(payload), "long_number", "{bad}");
    }
}

/// With serde_json's `arbitrary_precision` such objects would be numbers.
#[test]
fn an_object_is_never_taken_for_a_number() {
    for name in [
        "$serde_json::private::Number",
        "$serde_json::private::RawValue",
    ] {
        for content in ["\"1\"", "\"admin\"", "1"] {
            let text = format!("{{\"{name}\":{content}}}");
            let value = number(&text);
            assert!(value.as_object().is_some_and(|members| members.len() == 1));
            assert_eq!(value.to_string(), text);
            assert_ne!(value, number("1"));
        }
    }
}

/// Pieces of which texts are put together, good and bad.
const PIECES: [&str; 42] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "\t",
    "\"",
    "\"a\"",
    "\"b\"",
    "\"a\":",
    "\"b\":1",
    "\"\\n\"",
    "\"\\u00e9\"",
    "\"\\ud83d\\ude00\"",
    "\"\\ud800\"",
    "\"\\udc00\\ud800\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"é\"",
    "\u{1}",
    "\u{feff}",
    "null",
    "true",
    "false",
    "nul",
    "0",
    "1",
    "-",
    "-1",
    "01",
    "1.5",
    "1.",
    ".5",
    "1e5",
    "1e",
    "1E+2",
    "+1",
    "{\"c\":[]}",
    "[1,\"x\"]",
];

#[test]
fn reads_what_serde_json_reads() {
    let mut random = Random(7);
    let mut good = 0;
    for round in 0..200_000 {
        let mut text = String::from(["{", "{\"a\":", "{\"a\":[", ""][random.below(4)]);
        for _ in 0..random.below(6) {
            text.push_str(PIECES[random.below(PIECES.len())]);
        }
        text.push_str(["}", "]}", ""][random.below(3)]);
        let ours = read(&text);
        let theirs = serde_json::from_str::<serde_json::Value>(&text).ok();
        let theirs = theirs.filter(serde_json::Value::is_object);
        match (ours, theirs) {
            (Some(ours), Some(theirs)) => {
                good += 1;
                let again = Value::Object(ours).to_string();
                let again = serde_json::from_str::<serde_json::Value>(&again).ok();
                assert_eq!(again, Some(theirs), "{text:?}");
            }
            (None, None) => {}
            // Ours refuses what is there twice.
            (None, Some(_)) => {
                let twice = text.matches("\"a\"").count() > 1
                    || text.matches("\"b\"").count() > 1
                    || text.matches("\"c\"").count() > 1;
                assert!(twice, "round {round}: {text:?}");
            }
            (Some(_), None) => panic!("round {round}: {text:?}"),
        }
    }
    assert!(good > 1_000, "only {good} texts were good");
}

#[test]
fn writes_strings_as_json() {
    for text in [
        "",
        "\"\\/",
        "\u{1}\u{1f}\t\n\r\u{8}\u{c}",
        "é😀\u{7f}\u{2028}",
    ] {
        let json = serde_json::json!({ text: text }).to_string();
        let ours = Value::Object(read(&json).expect("an object")).to_string();
        let again: serde_json::Value = serde_json::from_str(&ours).expect("JSON");
        assert_eq!(again[text].as_str(), Some(text));
    }
}

#[test]
fn only_a_boolean_is_one_and_texts_of_one_are_true_or_false() {
    for (json, as_bool, truth, restricts) in [
        ("true", Some(true), Some(true), Some(true)),
        ("false", Some(false), Some(false), Some(false)),
        ("\"true\"", None, Some(true), Some(true)),
        ("\"false\"", None, Some(false), Some(false)),
        ("\"no\"", None, None, Some(true)),
        ("1", None, None, Some(true)),
        ("null", None, None, None),
    ] {
        let claims = read(&format!("{{\"flag\": {json}}}")).expect("an object");
        let flag = claims.get("flag").expect("it is there");
        assert_eq!(
            (flag.as_bool(), flag.truth(), flag.restricts()),
            (as_bool, truth, restricts),
            "{json}"
        );
    }
}

#[test]
fn members_and_elements_are_found_in_objects_and_arrays_only() {
    let claims = read(r#"{"o": {"a": [1]}, "t": "a"}"#).expect("an object");
    let found = claims["o"].get("a").and_then(Value::as_array);
    assert_eq!(found, Some(&vec![number("1")]));
    assert_eq!((claims["o"].as_array(), claims["o"].get("b")), (None, None));
    assert_eq!((claims["t"].as_array(), claims["t"].get("a")), (None, None));
}
