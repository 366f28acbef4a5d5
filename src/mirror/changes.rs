//! Which objects of an array change a table of the mirror.
//!
//! In SQL this took a sort, a window over the array and a comparison of every member, as long as
//! the write itself. Here each object is read once and in place, the ids are sorted in memory, and
//! each is looked up in the table's index. SQL only runs a plain `UPDATE` of the changed rows and
//! an `INSERT` of the new ones.

use std::borrow::Cow;

use neon_auth_wire::id::is_id;
use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{AnyElement, Array, PgLogLevel, PgMemoryContexts, PgSqlErrorCode, name, pg_extern};

use super::json_text::{Members, Order, string};
use super::object::{ObjectType, USER};
use super::response::Answer;
use crate::error::Problem;
use crate::pg::append::append;
use crate::pg::jsonb::JsonbPart;
use crate::pg::row::Row;
use crate::pg::tables::{SYNC_SCAN, SYNC_SCAN_USERS};

/// `neon_auth_internal.changed_objects(kind, given)`: the positions in an array of users or teams of
/// those that differ from their row, and of those that have none; NULL for no positions. Arrays of the
/// objects themselves would be copied six times.
///
/// A malformed object is an error. Of several objects with one id, the last is used. They are
/// sorted by the bytes of their ids, so that concurrent calls lock rows in the same order. Objects
/// of deleted users or teams are ignored, with a NOTICE.
#[pg_extern(sql = false)]
fn changed_objects(
    kind: &str,
    given: AnyElement,
) -> Result<TableIterator<'static, (name!(known, Places), name!(new, Places))>, ErrorReport> {
    let kind = ObjectType::named(kind);
    // SAFETY: it lives as long as the call, in whose memory context the set is built.
    let given = unsafe { JsonbPart::whole(&given) };
    let mut objects = checked(kind, &given)?;
    last_of_each(&mut objects);
    compare_with_rows(kind, &mut objects, |object, row| {
        row.equals(c"raw_json", &object.whole)
    });
    let places = |is_new| {
        let places = objects.iter().filter(|object| object.is_new == is_new);
        some(places.map(|object| object.content.place))
    };
    Ok(TableIterator::once((places(false), places(true))))
}

/// `neon_auth_internal.changed_in_page(kind, objects)`: the same for JSON texts of the REST API, of which
/// small differences do not count (`alike`), and the ids of all; and all texts if one of them is not to be
/// written as it is.
#[pg_extern(sql = false)]
fn changed_in_page(
    kind: &str,
    objects: Array<&str>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(ids, Texts),
            name!(known, Places),
            name!(new, Places),
            name!(cleaned, Texts),
        ),
    >,
    ErrorReport,
> {
    let kind = ObjectType::named(kind);
    let mut scratch = PgMemoryContexts::new("an object of a response");
    let mut answers = Vec::with_capacity(objects.len());
    for (index, object) in objects.iter_deny_null().enumerate() {
        pgrx::check_for_interrupts!();
        let answer = Answer::read(kind, index, object, &mut scratch);
        answers.push(Object::from(answer.map_err(|defect| {
            Problem::MalformedElement {
                of: kind.name,
                index,
                defect,
            }
        })?));
    }
    let all = |text: fn(&Answer) -> String| some(answers.iter().map(|it| text(&it.content)));
    let ids = all(|answer| answer.id.clone().into_owned());
    let is_cleaned = answers
        .iter()
        .any(|it| matches!(it.content.text, Cow::Owned(_)));
    let cleaned = is_cleaned.then(|| all(|answer| answer.text.clone().into_owned()));
    last_of_each(&mut answers);
    let mut order = Order::default();
    compare_with_rows(kind, &mut answers, |answer, row| {
        answer.is_alike(kind, row, &mut order, &mut scratch)
    });
    let places = |is_new| {
        let places = answers.iter().filter(|object| object.is_new == is_new);
        some(places.map(|object| place(object.content.index)))
    };
    let found = (ids, places(false), places(true), cleaned.flatten());
    Ok(TableIterator::once(found))
}

/// `neon_auth_internal.id_of(object)`: the id of an object, as JSON text; NULL if it has none.
#[pg_extern(sql = false)]
fn id_of(object: &str) -> Option<String> {
    let id = string(Members::of(object)?.value("id")?).filter(|id| is_id(id));
    id.map(Cow::into_owned)
}

/// `neon_auth_internal.see_objects(kind, ids)`: records users or teams as seen by a run.
#[pg_extern(sql = false)]
fn see_objects(kind: &str, ids: Array<&str>) {
    let ids = ids.iter_deny_null();
    if ObjectType::named(kind).name == USER.name {
        let rows: Vec<[&str; 1]> = ids.map(|id| [id]).collect();
        append(&SYNC_SCAN_USERS, &rows);
    } else {
        // kind, team_id, user_id, permission_id
        let rows: Vec<[&str; 4]> = ids.map(|id| [kind, id, "", ""]).collect();
        append(&SYNC_SCAN, &rows);
    }
}

/// Positions of elements, or NULL for none.
type Places = Option<Vec<i32>>;

/// Ids or objects, or NULL for none.
type Texts = Option<Vec<String>>;

/// A list, or NULL instead of an empty one.
fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

fn place(index: usize) -> i32 {
    i32::try_from(index).expect("a value is smaller than 1 GB")
}

struct Object<T> {
    content: T,
    /// Whether it has no row yet.
    is_new: bool,
}

impl<T> From<T> for Object<T> {
    fn from(content: T) -> Self {
        Self {
            content,
            is_new: true,
        }
    }
}

trait Identified {
    fn id(&self) -> &str;
}

impl<T: Identified> Identified for Object<T> {
    fn id(&self) -> &str {
        self.content.id()
    }
}

impl Identified for Answer<'_> {
    fn id(&self) -> &str {
        &self.id
    }
}

/// An element of an array of type jsonb.
struct Element {
    id: JsonbPart,
    whole: JsonbPart,
    /// Its position, counted from 0.
    place: i32,
}

impl Identified for Element {
    fn id(&self) -> &str {
        self.id.text().expect("an id is a string")
    }
}

fn checked(kind: &ObjectType, given: &JsonbPart) -> Result<Vec<Object<Element>>, Problem> {
    let elements = given.elements().ok_or_else(|| Problem::NoArray {
        of: kind.name,
        given: given.kind(),
    })?;
    elements
        .into_iter()
        .enumerate()
        .map(|(index, whole)| {
            pgrx::check_for_interrupts!();
            let id = kind.check(&whole);
            let element = id.map(|id| Element {
                id,
                whole,
                place: place(index),
            });
            element
                .map(Object::from)
                .map_err(|defect| Problem::MalformedElement {
                    of: kind.name,
                    index,
                    defect,
                })
        })
        .collect()
}

fn last_of_each<T: Identified>(objects: &mut Vec<Object<T>>) {
    // Stable, so the last object for an id stays last.
    objects.sort_by(|one, other| one.id().cmp(other.id()));
    objects.dedup_by(|later, kept| {
        let same = later.id() == kept.id();
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// Removes unchanged objects, and those of deleted rows, and marks the new ones.
fn compare_with_rows<T: Identified>(
    kind: &ObjectType,
    objects: &mut Vec<Object<T>>,
    mut is_unchanged: impl FnMut(&T, &Row) -> bool,
) {
    let mut deleted = 0;
    let mut lookups = kind.table.lookups(1);
    objects.retain_mut(|object| {
        pgrx::check_for_interrupts!();
        let differs = lookups.find(&[object.id()], |row| {
            let is_deleted = !row.is_null(c"deleted_at");
            deleted += usize::from(is_deleted);
            Some(!is_deleted && !is_unchanged(&object.content, row))
        });
        object.is_new = differs.is_none();
        differs.unwrap_or(true)
    });
    lookups.close();
    if deleted > 0 {
        let name = kind.name;
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("updates of deleted {name}s were ignored"),
            "neon_auth",
        )
        .set_detail(format!(
            "{deleted} of the given {name}s are deleted, and a deletion is final."
        ))
        .report(PgLogLevel::NOTICE);
    }
}
