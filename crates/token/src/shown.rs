//! How untrusted values appear in a report: bounded and escaped.

use crate::value::Value;

/// Longest piece of a foreign value that a report repeats, in characters.
const LIMIT: usize = 100;

/// The text in double quotes, control and invisible characters escaped.
pub(crate) fn text(text: &str) -> String {
    let mut shown = String::from('"');
    for (index, character) in text.chars().enumerate() {
        if index == LIMIT {
            shown.push('…');
            break;
        }
        shown.extend(character.escape_debug());
    }
    shown.push('"');
    shown
}

/// The text in double quotes, if there is one.
pub(crate) fn optional(value: Option<&str>) -> String {
    value.map_or_else(|| "absent".to_owned(), text)
}

/// The text, bounded and without control characters.
pub(crate) fn line(line: &str) -> String {
    let mut shown: String = line.chars().take(3 * LIMIT).collect();
    shown.retain(|character| !character.is_control());
    shown
}

/// A comma-separated list of quoted texts, cut when it has grown past the limit.
pub(crate) fn list<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let shown = joined(items.into_iter().map(text));
    if shown.is_empty() {
        return "none".to_owned();
    }
    shown
}

/// The same of values: strings, numbers and booleans as they are.
pub(crate) fn values<'a>(items: impl IntoIterator<Item = &'a Value>) -> String {
    joined(items.into_iter().map(|item| match item {
        Value::Number(number) => number.as_str().chars().take(LIMIT).collect(),
        other => value(Some(other)),
    }))
}

fn joined(items: impl Iterator<Item = String>) -> String {
    let mut shown = String::new();
    for item in items {
        if !shown.is_empty() {
            shown.push_str(", ");
        }
        if shown.len() > LIMIT {
            shown.push('…');
            break;
        }
        shown.push_str(&item);
    }
    shown
}

/// Only the type of a value, for values of an unexpected type.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// A member's value: strings and booleans as they are, anything else by its type.
pub(crate) fn value(value: Option<&Value>) -> String {
    match value {
        None => "absent".to_owned(),
        Some(Value::String(string)) => text(string),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(other) => kind(other).to_owned(),
    }
}

/// An optional number of seconds.
pub(crate) fn seconds(value: Option<i64>) -> String {
    value.map_or_else(|| "absent".to_owned(), |seconds| seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Value {
        crate::json::document(json).unwrap_or_else(|_| panic!("{json}"))
    }

    #[test]
    fn a_value_is_shown_by_its_type_unless_it_is_a_string_or_a_boolean() {
        for (json, as_kind, as_value) in [
            ("null", "null", "null"),
            ("false", "a boolean", "false"),
            ("1.50", "a number", "a number"),
            ("\"a\"", "a string", "\"a\""),
            ("[1]", "an array", "an array"),
            ("{}", "an object", "an object"),
        ] {
            let read = read(json);
            assert_eq!((kind(&read), &*value(Some(&read))), (as_kind, as_value));
        }
        assert_eq!(value(None), "absent");
        assert_eq!([None, Some(-1)].map(seconds), ["absent", "-1"]);
        assert_eq!([None, Some("a")].map(optional), ["absent", "\"a\""]);
    }

    #[test]
    fn lists_are_cut_when_they_are_too_long() {
        let values = |json: &[&str]| {
            let read: Vec<Value> = json.iter().copied().map(read).collect();
            super::values(&read)
        };
        assert_eq!(values(&["\"a\"", "1.50", "true"]), "\"a\", 1.50, true");
        assert_eq!(values(&[&"1".repeat(101)]), "1".repeat(LIMIT));
        // With the comma after it the first item has one byte less than the limit, as many, or one more.
        for (length, is_cut) in [(97, false), (98, false), (99, true)] {
            let long = "1".repeat(length);
            let rest = if is_cut { "…" } else { "2" };
            assert_eq!(values(&[&long, "2"]), format!("{long}, {rest}"));
        }
        assert_eq!(list([]), "none");
        assert_eq!(list(["a", "b\n"]), "\"a\", \"b\\n\"");
    }

    #[test]
    fn texts_and_lines_are_bounded() {
        assert_eq!(text(&"x".repeat(LIMIT)).chars().count(), LIMIT + 2);
        assert_eq!(
            text(&"x".repeat(LIMIT + 1)),
            format!("\"{}…\"", "x".repeat(LIMIT))
        );
        assert_eq!(line(&"é\n".repeat(300)), "é".repeat(150));
    }
}
