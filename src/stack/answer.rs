//! What the REST API answers, read as it comes: a list may be longer than memory.

use std::fmt;
use std::io::{BufReader, Read};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::items::Reader;
use crate::http::Outlet;

/// Most items in a part of a list.
pub const CHUNK: usize = 1000;
/// Most bytes in a part of a list; one item may have more.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// A part of an answer, in the order in which they come.
pub enum Part {
    /// Items of a list, and why others could not be read.
    Items {
        items: Vec<String>,
        defects: Vec<String>,
    },
    /// The list is whole; where its next page begins, if there is one.
    End { next_cursor: Option<String> },
    /// One object.
    Object(String),
    /// An answer that is no success.
    Refused(Refusal),
    /// The answer did not come, or not whole.
    Broken(String),
}

/// An answer that is no success.
pub struct Refusal {
    pub status: u16,
    /// The service's name for what is wrong, where it knows one.
    pub code: Option<String>,
    /// Seconds to wait before the next attempt.
    pub retry_after: Option<u64>,
}

/// Reads a list and hands its items over in parts, but for its end, which it answers.
pub fn read_list(body: impl Read, item: Reader, outlet: &Outlet<Part>) -> Result<Part, String> {
    let mut parts = Parts {
        outlet,
        item,
        items: Vec::new(),
        defects: Vec::new(),
        bytes: 0,
    };
    let mut json = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, body));
    let next_cursor = ListOf(&mut parts)
        .deserialize(&mut json)
        .and_then(|next_cursor| json.end().map(|()| next_cursor))
        .map_err(|error| describe(&error))?;
    parts.flush();
    Ok(Part::End { next_cursor })
}

/// Reads one object.
pub fn read_object(body: impl Read) -> Result<Part, String> {
    let object: Box<RawValue> = serde_json::from_reader(BufReader::with_capacity(1 << 16, body))
        .map_err(|error| describe(&error))?;
    Ok(Part::Object(object.get().to_owned()))
}

fn describe(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Io | Category::Eof => "The answer broke off.".to_owned(),
        Category::Syntax => "The answer is not JSON.".to_owned(),
        Category::Data => "The answer is not of the form that the REST API promises.".to_owned(),
    }
}

/// The items that are not yet handed over.
struct Parts<'a> {
    outlet: &'a Outlet<Part>,
    item: Reader,
    items: Vec<String>,
    defects: Vec<String>,
    bytes: usize,
}

impl Parts<'_> {
    /// False when nobody wants any more.
    fn take(&mut self, item: &RawValue) -> bool {
        match (self.item)(item) {
            Ok(item) => {
                self.bytes += item.len();
                self.items.push(item);
            }
            Err(defect) => self.defects.push(defect),
        }
        let is_full = self.items.len() + self.defects.len() >= CHUNK || self.bytes >= CHUNK_BYTES;
        !is_full || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.bytes = 0;
        let items = std::mem::take(&mut self.items);
        let defects = std::mem::take(&mut self.defects);
        (items.is_empty() && defects.is_empty()) || self.outlet.send(Part::Items { items, defects })
    }
}

/// `{"items": […], "is_paginated": …, "pagination": {"next_cursor": …}}`
struct ListOf<'a, 'b>(&'a mut Parts<'b>);

impl<'de> DeserializeSeed<'de> for ListOf<'_, '_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ListOf<'_, '_> {
    type Value = Option<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list of items")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        #[derive(Deserialize)]
        struct Pagination {
            next_cursor: Option<String>,
        }
        let mut has_items = false;
        let mut next_cursor = None;
        while let Some(member) = map.next_key::<String>()? {
            match member.as_str() {
                "items" => {
                    has_items = true;
                    map.next_value_seed(ItemsOf(self.0))?;
                }
                "pagination" => {
                    next_cursor = map
                        .next_value::<Option<Pagination>>()?
                        .and_then(|pagination| pagination.next_cursor);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !has_items {
            return Err(serde::de::Error::missing_field("items"));
        }
        Ok(next_cursor)
    }
}

struct ItemsOf<'a, 'b>(&'a mut Parts<'b>);

impl<'de> DeserializeSeed<'de> for ItemsOf<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ItemsOf<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an array of items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            if !self.0.take(&item) {
                return Err(serde::de::Error::custom("nobody listens any more"));
            }
        }
        Ok(())
    }
}
