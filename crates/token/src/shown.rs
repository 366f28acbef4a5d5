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
