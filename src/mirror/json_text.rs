//! Compares JSON text with a `jsonb` value without converting the text.
//!
//! Most objects of a response of the REST API equal their row. Converting one to `jsonb` only to find
//! that takes several times as long as reading its text here.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::pg::jsonb::JsonbPart;

/// How many levels of values in values are compared here. Each level reads its text again, and takes
/// stack; PostgreSQL converts deeper ones, and watches its stack.
const LEVELS: u32 = 16;

/// The members of an object, in the order of the text, with the text of each value.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// `None` if the text is not an object.
    pub fn of(object: &'a str) -> Option<Self> {
        serde_json::from_str(object).ok()
    }

    /// The value that `jsonb` keeps of a member: the last one.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        let mut members = self.0.iter().rev();
        members
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
    }

    /// Whether these are the members of a `jsonb`, each with an equal value; `None` if that is not known
    /// without converting the text. Of values that are not equal, or not known to be, `judge` decides by
    /// the member's name.
    pub fn equal(
        &self,
        known: &JsonbPart,
        order: &mut Order,
        judge: impl Fn(&str, &str, &JsonbPart, Option<bool>) -> Option<bool>,
    ) -> Option<bool> {
        self.equal_to(known, order, LEVELS, judge)
    }

    fn equal_to(
        &self,
        known: &JsonbPart,
        order: &mut Order,
        levels: u32,
        judge: impl Fn(&str, &str, &JsonbPart, Option<bool>) -> Option<bool>,
    ) -> Option<bool> {
        let Some(known) = known.object() else {
            return Some(false);
        };
        match self.0.len().cmp(&known.len()) {
            Ordering::Equal => {}
            Ordering::Less => return Some(false),
            // jsonb keeps one of several members of a name.
            Ordering::Greater => return if self.repeats() { None } else { Some(false) },
        }
        let places = &mut order.0;
        places.resize(known.len(), 0);
        let mut found = vec![false; known.len()];
        all(self.0.iter().zip(places).map(|((name, value), place)| {
            match known.place(name, *place) {
                // Another member of this name was found, so one of `known` has not the name of any.
                Some(place) if found[place] => return Some(false),
                Some(at) => {
                    found[at] = true;
                    *place = at;
                }
                None => return Some(false),
            }
            let known = known.value(*place);
            match is_equal(value, &known, levels) {
                Some(true) => Some(true),
                verdict => judge(name, value, &known, verdict),
            }
        }))
    }

    /// Whether several members have one name.
    fn repeats(&self) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_ref()).collect();
        names.sort_unstable();
        names.windows(2).any(|pair| pair[0] == pair[1])
    }
}

/// Where the members of the last compared object were in its `jsonb`, which sorts them. The objects of a
/// response mostly have the same members in the same order.
#[derive(Default)]
pub struct Order(Vec<usize>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(32);
                while let Some((Name(name), value)) = map.next_entry::<Name, &RawValue>()? {
                    members.push((name, value.get()));
                }
                Ok(Members(members))
            }
        }
        json.deserialize_map(InOrder)
    }
}

/// Whether JSON text is the value of a `jsonb`; `None` if that is not known without converting the
/// text, or without looking at more levels of it.
fn is_equal(text: &str, known: &JsonbPart, levels: u32) -> Option<bool> {
    let is = |kind| known.kind() == kind;
    match text.as_bytes().first()? {
        b'"' => match known.text() {
            Some(known) => Some(string(text)? == known),
            None => Some(false),
        },
        b't' | b'f' => Some(known.boolean() == Some(text == "true")),
        b'n' => Some(is("null")),
        b'-' | b'0'..=b'9' if is("number") => is_equal_number(text, known),
        b'{' if is("object") => {
            let levels = levels.checked_sub(1)?;
            let order = &mut Order::default();
            Members::of(text)?.equal_to(known, order, levels, |_, _, _, verdict| verdict)
        }
        b'[' if is("array") => {
            let levels = levels.checked_sub(1)?;
            let given: Vec<&RawValue> = serde_json::from_str(text).ok()?;
            let known = known.elements()?;
            if given.len() != known.len() {
                return Some(false);
            }
            let pairs = given.iter().zip(&known);
            all(pairs.map(|(given, known)| is_equal(given.get(), known, levels)))
        }
        _ => Some(false),
    }
}

fn is_equal_number(text: &str, known: &JsonbPart) -> Option<bool> {
    if let (true, Some(known)) = (is_unsigned(text), known.unsigned()) {
        return Some(text.parse() == Ok(known));
    }
    let known = known.digits()?;
    match [text, &known].map(is_unsigned) {
        [true, true] => Some(text == known),
        // 1, 1.0 and 1e0 are equal.
        _ => (text == known).then_some(true),
    }
}

/// The content of a string; `None` if PostgreSQL has to read its escapes.
pub fn string(text: &str) -> Option<Cow<'_, str>> {
    let content = text.strip_prefix('"')?.strip_suffix('"')?;
    match content.contains('\\') {
        false => Some(Cow::Borrowed(content)),
        true => serde_json::from_str(text).ok().map(Cow::Owned),
    }
}

/// Whether a number consists of digits only. JSON allows no zeros before them.
pub fn is_unsigned(number: &str) -> bool {
    number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether all are equal; if one differs, whatever is not known of the others.
fn all(verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut equal = Some(true);
    for verdict in verdicts {
        match verdict {
            Some(false) => return verdict,
            None => equal = None,
            Some(true) => {}
        }
    }
    equal
}
