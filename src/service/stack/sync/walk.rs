//! Reads an ordered list page by page in one direction, although its objects move.
//!
//! A cursor is the id of an object. A page begins at the place that this object has at the time of
//! the request. A user who was anonymous and signs up moves to the end of the list of users: a page
//! that begins there leaves out all users in between, and nothing in it shows that. So each page
//! overlaps the one before: it must begin with an object that was read before, and at the same
//! place. Otherwise, the list is read again from an earlier object.

use std::collections::VecDeque;

use neon_auth_wire::id;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pages::Pages;
use crate::background::steps::Stop;
use crate::clock;
use crate::error::Problem;
use crate::service::stack::rest::api::{Api, Chunk};
use crate::service::stack::rest::users::LONGEST_PAGE;

/// Number of attempts for a request that searches for the object at which a page fails.
const SEARCH_ATTEMPTS: u32 = 2;
/// How often a list is read again from its beginning, because too many of its objects moved.
const RESTARTS: u32 = 10;
/// How often a list is read again from an earlier object.
const GOINGS_BACK: u32 = 300;
/// From which of the last objects a list may be read again, counted from the last one.
const BACK: [usize; 5] = [0, 1, 8, 64, 512];

/// An object of a list.
#[derive(Clone, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Listed {
    /// The time by which the list is ordered, and then by the ids.
    pub at: Option<i64>,
    pub id: String,
}

impl Listed {
    pub fn of(object: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Object {
            id: String,
            #[serde(default)]
            signed_up_at_millis: Value,
            #[serde(default)]
            created_at_millis: Value,
        }
        let object: Object = serde_json::from_str(object).ok()?;
        id::is_id(&object.id).then(|| Self {
            at: (object.signed_up_at_millis.as_i64()).or(object.created_at_millis.as_i64()),
            id: object.id,
        })
    }
}

/// Where a page begins.
#[derive(Clone, Serialize, Deserialize)]
pub struct Anchor {
    /// Without one the list begins.
    cursor: Option<String>,
    /// The first object of the page, which was read before.
    pub first: Option<Listed>,
}

impl Anchor {
    /// The beginning of the list.
    pub const START: Self = Self {
        cursor: None,
        first: None,
    };

    fn is_confirmed_by(&self, page: &Page) -> bool {
        match &self.first {
            Some(first) => page.first.as_ref() == Some(first),
            // An empty page may be that of a cursor whose object does not exist any more.
            None => self.cursor.is_none() || page.number > 0,
        }
    }
}

/// Where a list continues after the objects that were read last; the next page has the cursor
/// `next`. Older servers begin a page with the object of its cursor, newer ones after it.
fn anchors(read: &VecDeque<Option<Listed>>, next: String) -> Vec<Anchor> {
    let id = |object: &Option<Listed>| object.as_ref().map(|object| object.id.clone());
    let is_after_cursor = read.back().and_then(id).as_ref() == Some(&next);
    let anchor = |back: &usize| {
        let index = read.len().checked_sub(back + 1)?;
        let cursor = match index.checked_sub(1) {
            _ if !is_after_cursor => id(&read[index]),
            Some(before) => Some(id(&read[before])?),
            None => None,
        };
        let first = Some(read[index].clone()?);
        Some(Anchor { cursor, first })
    };
    let mut anchors: Vec<Anchor> = match is_id(&next) {
        true => BACK.iter().filter_map(anchor).collect(),
        false => Vec::new(),
    };
    if anchors.is_empty() {
        anchors.push(Anchor {
            cursor: Some(next),
            first: None,
        });
    }
    anchors.push(Anchor::START);
    anchors
}

/// Whether a cursor is an id; another one is used as it is.
fn is_id(cursor: &str) -> bool {
    let is_uuid = |(index, byte): (usize, u8)| match index {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    cursor.len() == 36 && cursor.bytes().enumerate().all(is_uuid)
}

/// A page to request.
pub struct Request<'a> {
    pub cursor: Option<&'a str>,
    pub limit: u32,
    pub descending: bool,
}

/// Requests a page, and returns the cursor of the next one.
pub type Reader<'a> = dyn Fn(&Request, &mut dyn FnMut(Chunk) -> Result<(), Stop>) -> Result<Option<String>, Stop>
    + 'a;

/// A list in one direction.
pub struct Walk<'a> {
    pub api: &'a Api,
    /// The name of the list in messages.
    pub name: &'static str,
    pub page: &'a Reader<'a>,
    pub descending: bool,
    /// In descending order: the object at which the walk ends.
    pub until: Option<Listed>,
}

/// How a walk ended.
pub enum Walked {
    /// At the end of the list, or at the object where it had to end.
    Through,
    /// Before an object that the service cannot return.
    Stuck(Problem),
}

/// What a page contained.
#[derive(Default)]
struct Page {
    attempt: u32,
    /// The number of its objects, which may be any, whatever the service was asked for.
    number: usize,
    /// The first object, if it has a valid id.
    first: Option<Listed>,
    /// The last objects; `None` for one that has no valid id.
    last: VecDeque<Option<Listed>>,
    /// Whether the object at which the walk ends was on it, or one beyond it.
    is_last: bool,
    next: Option<String>,
}

impl Page {
    fn add(&mut self, object: Option<Listed>) {
        if self.number == 0 {
            self.first.clone_from(&object);
        }
        self.number += 1;
        append(&mut self.last, object);
    }
}

/// Adds an object to the last ones of a list, of which only those are kept that a page may contain.
fn append(last: &mut VecDeque<Option<Listed>>, object: Option<Listed>) {
    if last.len() == LONGEST_PAGE as usize {
        last.pop_front();
    }
    last.push_back(object);
}

impl Walk<'_> {
    /// Reads the list from the first of `anchors` that is still at its place. `each` receives the
    /// objects and the time of their request, some objects more than once; `passed` the anchors of
    /// the next page.
    pub fn read(
        &self,
        mut anchors: Vec<Anchor>,
        mut each: impl FnMut(&Chunk, i64) -> Result<(), Stop>,
        mut passed: impl FnMut(&[Anchor]) -> Result<(), Stop>,
    ) -> Result<Walked, Stop> {
        let mut pages = Pages::of(self.name);
        let mut recent = VecDeque::new();
        let (mut restarts, mut goings_back) = (0, 0);
        // Until a page has an anchor of this process.
        let mut is_resumed = true;
        // The cursor of an empty page, which may have been the last one.
        let mut empty_at: Option<String> = None;
        // The service cannot return one of so many next objects.
        let mut suspects: Option<u32> = None;
        loop {
            let anchor = anchors.first().cloned().unwrap_or(Anchor::START);
            let overlap = u32::from(anchor.first.is_some());
            let fresh = suspects.map_or(LONGEST_PAGE - overlap, |suspects| suspects.div_ceil(2));
            let mut request = || self.page(&anchor, fresh + overlap, &mut each);
            let page = match suspects {
                Some(_) => self.api.with_attempts(SEARCH_ATTEMPTS, request),
                None => request(),
            };
            let page = match page {
                Err(Stop::Problem(Problem::ServiceFailed { .. })) if fresh > 1 => {
                    suspects = Some(fresh);
                    continue;
                }
                Err(Stop::Problem(problem @ Problem::ServiceFailed { .. })) => {
                    return Ok(Walked::Stuck(problem));
                }
                // The server that returned this cursor may have been another version.
                Err(Stop::Problem(Problem::ServiceRefused { .. }))
                    if is_resumed && anchor.cursor.is_some() =>
                {
                    None
                }
                page => Some(page?),
            };
            let Some(page) = page.filter(|page| anchor.is_confirmed_by(page)) else {
                // The service would not return the cursor of an object again that does not exist.
                if anchor.first.is_none() && empty_at.is_some() && empty_at == anchor.cursor {
                    return Ok(Walked::Through);
                }
                empty_at = anchor.cursor.filter(|_| anchor.first.is_none());
                anchors.remove(0);
                goings_back += 1;
                if goings_back > GOINGS_BACK {
                    return Err(pages.endless());
                }
                if anchors.len() <= 1 {
                    restarts += 1;
                    if restarts > RESTARTS {
                        return Err(pages.endless());
                    }
                }
                pages.begin_again();
                recent.clear();
                suspects = None;
                continue;
            };
            is_resumed = false;
            let new = page.number - overlap as usize;
            suspects = suspects
                .and_then(|suspects| suspects.checked_sub(new.try_into().unwrap_or(u32::MAX)))
                .filter(|suspects| *suspects > 0);
            let known = if recent.is_empty() {
                0
            } else {
                overlap as usize
            };
            let dropped = page.number - page.last.len();
            for object in page.last.into_iter().skip(known.saturating_sub(dropped)) {
                append(&mut recent, object);
            }
            let Some(next) = page.next.filter(|_| !page.is_last) else {
                return Ok(Walked::Through);
            };
            if new == 0 {
                return Err(pages.endless());
            }
            anchors = self::anchors(&recent, next);
            pages.enter(anchors[0].cursor.as_deref().unwrap_or_default())?;
            passed(&anchors)?;
        }
    }

    /// Reads a page, and hands over its objects that were not read before.
    fn page(
        &self,
        anchor: &Anchor,
        limit: u32,
        each: &mut impl FnMut(&Chunk, i64) -> Result<(), Stop>,
    ) -> Result<Page, Stop> {
        let asked_at = clock::microseconds();
        let request = Request {
            cursor: anchor.cursor.as_deref(),
            limit,
            descending: self.descending,
        };
        let mut page = Page::default();
        page.next = (self.page)(&request, &mut |mut chunk: Chunk| {
            if chunk.attempt != page.attempt {
                page = Page {
                    attempt: chunk.attempt,
                    ..Page::default()
                };
            }
            chunk.items.retain(|item| {
                let object = Listed::of(item);
                let is_overlap = page.number == 0 && object.is_some() && object == anchor.first;
                let is_beyond = object.as_ref().is_some_and(|object| self.is_beyond(object));
                page.is_last |= is_beyond;
                page.add(object);
                !is_overlap && !is_beyond
            });
            each(&chunk, asked_at)
        })?;
        Ok(page)
    }

    fn is_beyond(&self, object: &Listed) -> bool {
        (self.until.as_ref()).is_some_and(|until| object == until || object.at < until.at)
    }
}
