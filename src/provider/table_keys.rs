//! The keys of Better Auth, read from its table `jwks` at each verification.
//!
//! The key of a token is the row whose id is the token's `kid`. A row that was deleted or changed
//! counts at once, also for a token that this session has verified before: its key set is another
//! one then. A parsed key is cached together with the row's content.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;
use neon_auth_token::{KeySet, Refusal};
use pgrx::prelude::*;

use super::tables::{self, Bound, What};
use crate::clock::{self, SECOND};
use crate::error::{Problem, quoted};
use crate::pg::others::OthersRow;
use crate::process_local::process_local;

/// Number of cached keys; the least recently used one is evicted.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// The time after `expiresAt` for which a key is still accepted: Better Auth's `gracePeriod`, which
/// no table contains, has this default.
const GRACE: i64 = 30 * 24 * 60 * 60 * SECOND;
/// The most skipped keys that a report describes.
const MOST_DESCRIBED: usize = 4;

/// What verification needs of a row.
#[derive(Clone, PartialEq, Eq)]
struct Content {
    public_key: Option<String>,
    algorithm: Option<String>,
}

process_local! {
    /// Parsed keys by the ids of their rows.
    static PARSED: RefCell<LruCache<String, (Content, Rc<KeySet>)>> =
        RefCell::new(LruCache::new(CAPACITY));
}

/// The keys for a token: that of the row with its `kid`, which may be left out; none if there is no
/// row. The same object as the last time, if the row is unchanged.
pub fn keys_for(kid: Option<&str>, now: i64) -> Result<Rc<KeySet>, Problem> {
    let Some(kid) = kid else {
        return Ok(Rc::new(KeySet::without_keys()));
    };
    let table = table_of_keys()?;
    let found = table.find(table.required("id"), kid, |row| {
        Some(read(&table, row, now))
    });
    Ok(match found {
        None => Rc::new(KeySet::without_keys()),
        Some(None) => Rc::new(KeySet::of_expired_row(kid)),
        Some(Some(content)) => parsed(kid, content),
    })
}

/// The refusal of a token whose key the table does not have.
pub fn unknown_key(refusal: Refusal) -> Problem {
    match table_of_keys() {
        Ok(table) => Problem::UnknownTableKey {
            refusal,
            has_rows: has_rows(&table),
        },
        Err(problem) => problem,
    }
}

/// A description of the keys of a token, for `inspect_jwt`.
pub fn describe(keys: &KeySet) -> String {
    match keys.left_out() {
        [left_out, ..] => format!(
            "The row of the table jwks is skipped: {}.",
            left_out.reason()
        ),
        [] if keys.is_empty() => "The table jwks has no row with this id.".to_owned(),
        [] => format!("The row of the table jwks: kid {}.", keys.describe()),
    }
}

/// `None` if the key has expired.
fn read(table: &Bound, row: &OthersRow, now: i64) -> Option<Content> {
    let expires_at = table
        .column("expiresAt")
        .and_then(|column| row.microseconds(column));
    if expires_at.is_some_and(|at| at.saturating_add(GRACE) <= now.saturating_mul(SECOND)) {
        return None;
    }
    let text = |canonical| table.column(canonical).and_then(|column| row.text(column));
    Some(Content {
        public_key: text("publicKey"),
        algorithm: text("alg"),
    })
}

fn parsed(kid: &str, content: Content) -> Rc<KeySet> {
    PARSED.with_borrow_mut(|cache| {
        if let Some((known, keys)) = cache.get(kid)
            && *known == content
        {
            return Rc::clone(keys);
        }
        let keys = Rc::new(parse(kid, &content));
        cache.put(kid.to_owned(), (content, Rc::clone(&keys)));
        keys
    })
}

fn parse(kid: &str, content: &Content) -> KeySet {
    let jwk = content.public_key.as_deref().unwrap_or_default();
    KeySet::of_row(kid, jwk, content.algorithm.as_deref())
}

fn has_rows(table: &Bound) -> bool {
    let mut has_rows = false;
    table.table().each(|_| has_rows = true);
    has_rows
}

/// The table of keys. The tables may have been found without it: then the plugin that signs JWTs is
/// not in use.
fn table_of_keys() -> Result<Bound, Problem> {
    if let Some(keys) = tables::bound_if_any(What::Jwks)? {
        return Ok(keys);
    }
    tables::bound(What::Session)?;
    Err(Problem::NoTableOfKeys)
}

/// `neon_auth_internal.table_keys()`: whether the table of keys can be read and has no unusable
/// row, and a description of it. It reads no private key.
#[pg_extern(sql = false)]
fn table_keys() -> TableIterator<'static, (name!(ok, bool), name!(detail, String))> {
    let table = match table_of_keys() {
        Ok(table) => table,
        Err(Problem::NoTableOfKeys) => {
            let detail = "Better Auth has no table of keys here: only session tokens sign in.";
            return TableIterator::once((true, detail.to_owned()));
        }
        Err(problem) => return TableIterator::once((false, problem.advice())),
    };
    let now = clock::seconds();
    let (mut rows, mut usable, mut expired, mut exposed) = (0, 0, 0, false);
    let mut skipped = Vec::new();
    table.table().each(|row| {
        rows += 1;
        let id = row.text(table.required("id"));
        let Some(content) = read(&table, row, now) else {
            expired += 1;
            return;
        };
        let keys = parse(id.as_deref().unwrap_or_default(), &content);
        usable += keys.len();
        exposed |= keys.left_out().iter().any(|key| key.exposes_secret());
        let named = keys.left_out().iter().map(|key| {
            let id = key.key_id().unwrap_or_default();
            format!("row {}: {}", quoted(id), key.reason())
        });
        skipped.extend(named);
    });
    let mut detail = match rows {
        0 => "In a table of this database, without rows: Better Auth creates the first key with the first token.".to_owned(),
        _ => format!("In a table of this database. Rows: {rows}; usable keys: {usable}; expired: {expired}."),
    };
    if exposed {
        detail.push_str(
            " A private key is in the column of the public keys: every reader of the table can sign tokens.",
        );
    }
    if !skipped.is_empty() {
        let more = skipped.len().saturating_sub(MOST_DESCRIBED);
        skipped.truncate(MOST_DESCRIBED);
        detail.push_str(&format!(" Skipped: {}", skipped.join("; ")));
        detail.push_str(&match more {
            0 => ".".to_owned(),
            more => format!("; and {more} more."),
        });
    }
    TableIterator::once((rows == 0 || usable > 0 && skipped.is_empty(), detail))
}
