//! Which objects of an array change a table of the mirror.
//!
//! In SQL this took a sort, a window over the array and a comparison of every member, as long as
//! the write itself. Here each object is read once and in place, the ids are sorted in memory, and
//! each is looked up in the table's index. SQL only runs a plain `UPDATE` of the changed rows and
//! an `INSERT` of the new ones.

use pgrx::iter::TableIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{AnyElement, PgLogLevel, PgSqlErrorCode, name, pg_extern};

use super::alike::is_alike_to_row;
use super::object::ObjectType;
use crate::error::Problem;
use crate::pg::jsonb::JsonbPart;

/// `neon_auth_internal.changed_objects(kind, given, is_answer)`: the positions in an array of users
/// or teams of those that differ from their row, and of those that have none; NULL for no positions.
/// Arrays of the objects themselves would be copied six times.
///
/// With `is_answer`, the array is from the REST API, and small differences do not count (`alike`).
///
/// A malformed object is an error. Of several objects with one id, the last is used. They are
/// sorted by the bytes of their ids, so that concurrent calls lock rows in the same order. Objects
/// of deleted users or teams are ignored, with a NOTICE.
#[pg_extern(sql = false)]
fn changed_objects(
    kind: &str,
    given: AnyElement,
    is_answer: bool,
) -> Result<TableIterator<'static, (name!(known, Places), name!(new, Places))>, ErrorReport> {
    let kind = ObjectType::named(kind);
    // SAFETY: it lives as long as the call, in whose memory context the set is built.
    let given = unsafe { JsonbPart::whole(&given) };
    let mut objects = checked(kind, &given)?;
    last_of_each(&mut objects);
    let deleted = compare_with_rows(kind, &mut objects, is_answer);
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
    let (new, known): (Vec<Object>, Vec<Object>) =
        objects.into_iter().partition(|object| object.is_new);
    Ok(TableIterator::once((places(&known), places(&new))))
}

/// Positions of elements, or NULL for none.
type Places = Option<Vec<i32>>;

fn places(objects: &[Object]) -> Places {
    let places = objects.iter().map(|object| object.place);
    (places.len() > 0).then(|| places.collect())
}

struct Object {
    id: JsonbPart,
    whole: JsonbPart,
    /// Its position in the array, counted from 0.
    place: i32,
    /// Whether it has no row yet.
    is_new: bool,
}

impl Object {
    fn id(&self) -> &str {
        self.id.text().expect("an id is a string")
    }
}

fn checked(kind: &ObjectType, given: &JsonbPart) -> Result<Vec<Object>, Problem> {
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
            let object = id.map(|id| Object {
                id,
                whole,
                place: i32::try_from(index).expect("a jsonb is smaller than 1 GB"),
                is_new: true,
            });
            object.map_err(|defect| Problem::MalformedElement {
                of: kind.name,
                index,
                defect,
            })
        })
        .collect()
}

fn last_of_each(objects: &mut Vec<Object>) {
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

/// Removes unchanged objects, and marks the new ones. Returns how many others were removed because
/// their row is marked as deleted.
fn compare_with_rows(kind: &ObjectType, objects: &mut Vec<Object>, is_answer: bool) -> usize {
    let mut deleted = 0;
    let mut lookups = kind.table.lookups(1);
    objects.retain_mut(|object| {
        pgrx::check_for_interrupts!();
        let differs = lookups.find(&[object.id()], |row| {
            let is_deleted = !row.is_null(c"deleted_at");
            deleted += usize::from(is_deleted);
            let is_unchanged = if is_answer {
                is_alike_to_row(kind, &object.whole, row)
            } else {
                row.equals(c"raw_json", &object.whole)
            };
            Some(!is_deleted && !is_unchanged)
        });
        object.is_new = differs.is_none();
        differs.unwrap_or(true)
    });
    lookups.close();
    deleted
}
