//! Which of an array of objects change a mirror's table.
//!
//! SQL did this with a sort, a window over the array and a comparison of every member, and took
//! as long as the writing itself. Here each object is looked at once and in place, the ids are
//! sorted in memory, and the table is asked for each by its index. SQL is left with a bare
//! `INSERT … ON CONFLICT` of what has changed.

use pgrx::iter::SetOfIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{AnyElement, PgLogLevel, PgSqlErrorCode, pg_extern};

use super::object::Kind;
use crate::error::Problem;
use crate::jsonb::Part;

/// `neon_auth.changed_objects(kind, given)`: those objects of an array of users or teams that are
/// new or differ from their row.
///
/// One that is malformed is an error. Of several for one id the last counts. They come in the
/// order of their ids' bytes, so that two calls at once lock rows in the same order. Objects of
/// the deleted are left out, and a NOTICE says so.
#[pg_extern(sql = false)]
fn changed_objects(
    kind: &str,
    given: AnyElement,
) -> Result<SetOfIterator<'static, Part>, ErrorReport> {
    let kind = Kind::named(kind);
    // SAFETY: it lives as long as the call, in whose memory context a set is begun.
    let given = unsafe { Part::whole(&given) };
    let mut objects = checked(kind, &given)?;
    last_of_each(&mut objects);
    let deleted = leave_out_unchanged(kind, &mut objects);
    if deleted > 0 {
        let name = kind.name;
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
            format!("updates of deleted {name}s were ignored"),
            "neon_auth",
        )
        .set_detail(format!(
            "{deleted} of the {name}s given are deleted, and a deletion is final."
        ))
        .report(PgLogLevel::NOTICE);
    }
    Ok(SetOfIterator::new(
        objects.into_iter().map(|object| object.whole),
    ))
}

struct Object {
    id: Part,
    whole: Part,
}

impl Object {
    fn id(&self) -> &str {
        self.id.text().expect("an id is a string")
    }
}

fn checked(kind: &Kind, given: &Part) -> Result<Vec<Object>, Problem> {
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
            id.map(|id| Object { id, whole })
                .map_err(|defect| Problem::MalformedElement {
                    of: kind.name,
                    index,
                    defect,
                })
        })
        .collect()
}

fn last_of_each(objects: &mut Vec<Object>) {
    // Stable, so the last given comes last.
    objects.sort_by(|one, other| one.id().cmp(other.id()));
    objects.dedup_by(|later, kept| {
        let same = later.id() == kept.id();
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// Answers how many were left out because their row is that of something deleted.
fn leave_out_unchanged(kind: &Kind, objects: &mut Vec<Object>) -> usize {
    let mut deleted = 0;
    let mut lookups = kind.table.lookups(1);
    objects.retain(|object| {
        pgrx::check_for_interrupts!();
        let is_news = lookups.find(&[object.id()], |row| {
            let is_deleted = !row.is_null(c"deleted_at");
            deleted += usize::from(is_deleted);
            Some(!is_deleted && !row.equals(c"raw_json", &object.whole))
        });
        is_news.unwrap_or(true)
    });
    lookups.close();
    deleted
}
