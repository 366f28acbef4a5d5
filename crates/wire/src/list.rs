//! Responses of the REST API, parsed while they arrive: a list may be larger than memory.

use std::cell::Cell;
use std::fmt;
use std::io::{BufReader, ErrorKind, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::items::Reader;

/// Maximum number of items in a part of a list.
pub const CHUNK: usize = 1000;
/// Maximum size of a part of a list in bytes; a single item may be larger.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;

/// Maximum size in bytes of one item, or of anything else that must be in memory as a whole.
const LONGEST_ITEM: usize = 64 * 1024 * 1024;
/// Time after which the collected items are handed over, even if they are few, so that the receiver
/// sees progress.
const LONGEST_COLLECTING: Duration = Duration::from_millis(250);
/// Maximum length of a cursor in bytes; it becomes a part of a URL.
const LONGEST_CURSOR: usize = 1024;

/// A part of a list.
pub struct Part {
    pub items: Vec<String>,
    /// Why other items could not be parsed.
    pub defects: Vec<String>,
}

/// Parses a list and hands its items over in parts, for as long as `receive` returns true. Returns the cursor
/// of the next page, if there is one.
///
/// # Errors
/// Why the response is not a list, as a sentence.
pub fn read_list(
    body: impl Read,
    item: Reader,
    receive: &dyn Fn(Part) -> bool,
) -> Result<Option<String>, String> {
    let left = Rc::new(Cell::new(LONGEST_ITEM));
    let mut parts = Parts {
        receive,
        item,
        items: Vec::new(),
        defects: Vec::new(),
        bytes: 0,
        left: Rc::clone(&left),
        flushed_at: Instant::now(),
    };
    let mut json = serde_json::Deserializer::from_reader(Bounded::new(body, left));
    let next_cursor = ListOf(&mut parts)
        .deserialize(&mut json)
        .and_then(|next_cursor| json.end().map(|()| next_cursor))
        .map_err(|error| describe(&error))?;
    parts.flush();
    let is_cursor = |cursor: &String| cursor.len() <= LONGEST_CURSOR && !cursor.contains('\0');
    if !next_cursor.as_ref().is_none_or(is_cursor) {
        return Err("The response contains an invalid cursor.".to_owned());
    }
    Ok(next_cursor)
}

/// Parses one object.
///
/// # Errors
/// Why the response is not JSON, as a sentence.
pub fn read_object(body: impl Read) -> Result<String, String> {
    let body = Bounded::new(body, Rc::new(Cell::new(LONGEST_ITEM)));
    let object: Box<RawValue> = serde_json::from_reader(body).map_err(|error| describe(&error))?;
    Ok(object.get().to_owned())
}

fn describe(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Io if error.io_error_kind() == Some(ErrorKind::FileTooLarge) => {
            format!("The response contains an item of more than {LONGEST_ITEM} bytes.")
        }
        Category::Io | Category::Eof => "The response ended too early.".to_owned(),
        Category::Syntax => "The response is not JSON.".to_owned(),
        Category::Data => "The response does not have the documented form.".to_owned(),
    }
}

/// A response, of which at most `left` bytes are read before `left` is set again.
struct Bounded<R> {
    body: BufReader<R>,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Bounded<R> {
    fn new(body: R, left: Rc<Cell<usize>>) -> Self {
        let body = BufReader::with_capacity(1 << 16, body);
        Self { body, left }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let read = self.body.read(bytes)?;
        match self.left.get().checked_sub(read) {
            Some(left) => self.left.set(left),
            None => return Err(ErrorKind::FileTooLarge.into()),
        }
        Ok(read)
    }
}

/// The items that are not handed over yet.
struct Parts<'a> {
    receive: &'a dyn Fn(Part) -> bool,
    item: Reader,
    items: Vec<String>,
    defects: Vec<String>,
    bytes: usize,
    left: Rc<Cell<usize>>,
    flushed_at: Instant,
}

impl Parts<'_> {
    /// False if the receiver has ended.
    fn take(&mut self, item: &RawValue) -> bool {
        self.left.set(LONGEST_ITEM);
        match (self.item)(item) {
            Ok(item) => {
                self.bytes += item.len();
                self.items.push(item);
            }
            Err(defect) => self.defects.push(defect),
        }
        let is_full = self.items.len() + self.defects.len() >= CHUNK
            || self.bytes >= CHUNK_BYTES
            || self.flushed_at.elapsed() >= LONGEST_COLLECTING;
        !is_full || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.bytes = 0;
        let items = std::mem::take(&mut self.items);
        let defects = std::mem::take(&mut self.defects);
        let is_wanted =
            (items.is_empty() && defects.is_empty()) || (self.receive)(Part { items, defects });
        // After the wait for room, which does not mean that the service is slow.
        self.flushed_at = Instant::now();
        is_wanted
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
                return Err(serde::de::Error::custom("the receiver has ended"));
            }
        }
        Ok(())
    }
}
