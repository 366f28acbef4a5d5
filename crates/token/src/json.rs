//! Strict JSON: what two readers could understand differently is refused.
//!
//! Beyond the grammar of RFC 8259 this demands one object at the top, distinct member
//! names at every level (compared after unescaping), at most [`MAX_DEPTH`] nested
//! containers, and no U+0000 anywhere, since `jsonb` cannot hold it. Numbers stay as they are
//! written: serde_json's would pass through a double, or, with its feature `arbitrary_precision`,
//! be told from objects by the name of a member.

use std::collections::btree_map::Entry;

use crate::number::{MAX_DIGITS, Number};
use crate::shown;
use crate::value::{Map, Value};

/// Most containers inside one another, the outermost object included.
const MAX_DEPTH: usize = 32;

/// Why a text is not acceptable JSON.
pub(crate) enum Fault {
    /// It is not JSON in UTF-8.
    Syntax(String),
    /// It is JSON, but not an object.
    NotAnObject(&'static str),
    /// An object has this member more than once.
    Duplicate(String),
    /// Containers are nested too deeply.
    TooDeep,
    /// A string or a member name holds U+0000.
    Nul,
    /// A number has more digits than anything is meant to have.
    LongNumber,
}

impl Fault {
    /// What was found, for a report.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Syntax(what) => what.clone(),
            Self::NotAnObject(what) => format!("{what} instead of an object"),
            Self::Duplicate(name) => format!("the member {} repeats", shown::text(name)),
            Self::TooDeep => format!("more than {MAX_DEPTH} levels"),
            Self::Nul => "U+0000 in a string".to_owned(),
            Self::LongNumber => {
                format!("a number of more than {MAX_DIGITS} digits before or after the point")
            }
        }
    }
}

/// Checks that `bytes` are UTF-8.
pub(crate) fn utf8(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|error| {
        Fault::Syntax(format!(
            "no UTF-8 from byte {}",
            error.utf8_error().valid_up_to()
        ))
    })
}

/// Reads the one object that `text` consists of.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, Fault> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.at < text.len() {
        return Err(reader.unexpected());
    }
    match value {
        Value::Object(members) => Ok(members),
        other => Err(Fault::NotAnObject(shown::kind(&other))),
    }
}

/// A text and how many of its bytes are read.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over the byte, if it is next.
    fn takes(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn unexpected(&self) -> Fault {
        if self.at < self.text.len() {
            self.syntax("an unexpected character")
        } else {
            self.syntax("an unexpected end")
        }
    }

    fn syntax(&self, what: &str) -> Fault {
        Fault::Syntax(format!("{what} at byte {}", self.at))
    }

    /// A value `depth` containers below the top, with the space before it.
    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.members(depth).map(Value::Object),
            Some(b'[') => self.items(depth).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b'n') => self.word("null", Value::Null),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            _ => Err(self.unexpected()),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Fault> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.unexpected());
        }
        self.at += word.len();
        Ok(value)
    }

    fn members(&mut self, depth: usize) -> Result<Map<String, Value>, Fault> {
        let mut members = Map::new();
        self.container(depth, b'}', |reader| {
            reader.skip_space();
            let name = match reader.peek() {
                Some(b'"') => reader.string()?,
                _ => return Err(reader.unexpected()),
            };
            reader.skip_space();
            if !reader.takes(b':') {
                return Err(reader.unexpected());
            }
            match members.entry(name) {
                Entry::Vacant(vacant) => vacant.insert(reader.value(depth + 1)?),
                Entry::Occupied(first) => return Err(Fault::Duplicate(first.key().clone())),
            };
            Ok(())
        })?;
        Ok(members)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Value>, Fault> {
        let mut items = Vec::new();
        self.container(depth, b']', |reader| {
            items.push(reader.value(depth + 1)?);
            Ok(())
        })?;
        Ok(items)
    }

    /// What stands between the bracket that is next and the one that closes it.
    fn container(
        &mut self,
        depth: usize,
        end: u8,
        mut part: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if depth == MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.at += 1;
        self.skip_space();
        if self.takes(end) {
            return Ok(());
        }
        loop {
            part(self)?;
            self.skip_space();
            if self.takes(end) {
                return Ok(());
            }
            if !self.takes(b',') {
                return Err(self.unexpected());
            }
        }
    }

    fn number(&mut self) -> Result<Number, Fault> {
        let start = self.at;
        self.takes(b'-');
        // RFC 8259 section 6: no zero before other digits.
        if !self.takes(b'0') {
            self.digits()?;
        }
        if self.takes(b'.') {
            self.digits()?;
        }
        if self.takes(b'e') || self.takes(b'E') {
            let _sign = self.takes(b'+') || self.takes(b'-');
            self.digits()?;
        }
        Number::new(&self.text[start..self.at]).ok_or(Fault::LongNumber)
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected());
        }
        Ok(())
    }

    /// The string whose opening quote is next.
    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut string = String::new();
        loop {
            string.push_str(self.plain());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => {
                    self.at += 1;
                    string.push(self.escaped()?);
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    /// What stands before the next quote, backslash or control character.
    fn plain(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
        let length = rest.bytes().position(|byte| is_special(&byte));
        // All of these are ASCII, so characters stay whole.
        let plain = &rest[..length.unwrap_or(rest.len())];
        self.at += plain.len();
        plain
    }

    /// The character that the rest of an escape stands for.
    fn escaped(&mut self) -> Result<char, Fault> {
        let character = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(character)
    }

    /// The character of `\uXXXX`, or of two such that are a surrogate pair.
    fn unicode(&mut self) -> Result<char, Fault> {
        let unit = self.unit()?;
        let is_high = (0xd800..0xdc00).contains(&unit);
        let units = if is_high && self.takes(b'\\') && self.takes(b'u') {
            vec![unit, self.unit()?]
        } else {
            vec![unit]
        };
        let mut characters = char::decode_utf16(units);
        match (characters.next(), characters.next()) {
            (Some(Ok('\0')), None) => Err(Fault::Nul),
            (Some(Ok(character)), None) => Ok(character),
            _ => Err(self.syntax("half of a surrogate pair")),
        }
    }

    fn unit(&mut self) -> Result<u16, Fault> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let unit = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.syntax("an escape without four hexadecimal digits"))?;
        self.at += 4;
        Ok(unit)
    }
}
