//! Applies events of users that are created or updated, by far the most frequent ones.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{IntoDatum, pg_sys};
use serde_json::Value;

use super::outcome::{applied, ignored, unchanged};
use super::standing::{self, Standing, Version};
use crate::mirror;
use crate::mirror::object::{AUTH_ISSUER, AUTH_PROVIDER, id};
use crate::pg::jsonb::JsonbPart;
use crate::pg::kept_plan::Statement;

/// Entries of the queue, as VALUES.
macro_rules! queue {
    ($entries:literal) => {
        concat!(
            "INSERT INTO neon_auth_internal.sync_queue (user_id, kind, reason) VALUES ",
            $entries,
            " ON CONFLICT (team_id, user_id, kind) DO UPDATE
                 SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL"
        )
    };
}

thread_local! {
    static INSERT: Statement = const { Statement::new(
        "INSERT INTO neon_auth_internal.users_sync (raw_json, updated_at) VALUES ($1, clock_timestamp())
             ON CONFLICT (id) DO NOTHING",
        &[pg_sys::JSONBOID],
    ) };
    static REPLACE_FIRST_SEEN: Statement = const { Statement::new(
        "UPDATE neon_auth_internal.users_sync SET raw_json = $1, updated_at = clock_timestamp()
          WHERE id = $2 AND deleted_at IS NULL AND raw_json ? 'auth_provider'",
        &[pg_sys::JSONBOID, pg_sys::TEXTOID],
    ) };
    static UPDATE: Statement = const { Statement::new(
        "UPDATE neon_auth_internal.users_sync SET raw_json = $1, updated_at = clock_timestamp()
          WHERE id = $2 AND coalesce(updated_at, '-infinity') = $3",
        &[pg_sys::JSONBOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
    ) };
    static LOCK: Statement = const { Statement::new(
        "SELECT FROM neon_auth_internal.users_sync WHERE id = $1 FOR NO KEY UPDATE",
        &[pg_sys::TEXTOID],
    ) };
    static QUEUE: Statement = const { Statement::new(
        queue!("($1, $2, $3)"),
        &[pg_sys::TEXTOID; 3],
    ) };
    static QUEUE_TWO: Statement = const { Statement::new(
        queue!("($1, $2, $3), ($1, $4, $5)"),
        &[pg_sys::TEXTOID; 5],
    ) };
    static QUEUE_UPGRADE: Statement = const { Statement::new(
        "SELECT neon_auth_internal.queue_upgrade($1)",
        &[pg_sys::JSONBOID],
    ) };
    static QUEUE_UNKNOWN_TEAM: Statement = const { Statement::new(
        "SELECT neon_auth_internal.queue_unknown_team($1)",
        &[pg_sys::JSONBOID],
    ) };
}

const NEW_PERMISSIONS: [&str; 2] = [
    "project_permissions",
    "No event reports the permissions of a new user.",
];
const NEW_TEAM: [&str; 2] = ["user", "No event reports the first selected team."];
const UNKNOWN_ORDER: [&str; 2] = ["user", "The order of the updates is unknown."];

/// A user's object, in the forms in which statements take it.
struct User {
    object: pg_sys::Datum,
    id: pg_sys::Datum,
    has_selected_team: bool,
}

/// Writes the row, and queues what the event leaves open.
///
/// # Safety
/// Between `SPI_connect` and `SPI_finish`, as the owner of the tables, with a pinned `search_path`.
pub unsafe fn apply(action: &str, given: JsonbPart) -> Result<Value, ErrorReport> {
    let id = id(&given, "id").expect("it was checked");
    let id = id.text().expect("an id is a string");
    mirror::lock_mirror("user", id, true)?;
    // Only sign-ins say of which provider a user is.
    let object = given.without(&[AUTH_PROVIDER, AUTH_ISSUER]);
    // SAFETY: it lives until SPI_finish.
    let given = unsafe { JsonbPart::of_datum(object) };
    let user = User {
        object,
        id: id.into_datum().expect("text is never NULL"),
        has_selected_team: given
            .member("selected_team_id")
            .is_some_and(|team| team.kind() != "null"),
    };
    let (mut standing, mut version) = standing::of_user(id, &given);
    if matches!(standing, Standing::Unknown | Standing::FirstSeen) {
        // SAFETY: as the caller promises.
        if unsafe { user.insert() } {
            return Ok(applied(true));
        }
        (standing, version) = standing::of_user(id, &given);
    }
    let mut is_locked = false;
    loop {
        let is_upgrade = match standing {
            Standing::Deleted => return Ok(ignored("The user is deleted.", false)),
            Standing::Equal => return Ok(unchanged()),
            _ if action == "created" => {
                return Ok(ignored("The row is newer than this event.", false));
            }
            Standing::Older => {
                // SAFETY: as the caller promises.
                unsafe { user.queue(UNKNOWN_ORDER) };
                return Ok(ignored("The row looks newer than this event.", true));
            }
            Standing::Newer { is_upgrade } | Standing::Unclear { is_upgrade } => is_upgrade,
            // A trigger on the table has kept the row out, or as it is.
            Standing::Unknown | Standing::FirstSeen => false,
        };
        let is_unclear = matches!(standing, Standing::Unclear { .. });
        // SAFETY: as the caller promises.
        unsafe {
            // The row before the queue, as everybody who writes both.
            let is_upgraded = is_upgrade && user.queue_upgrade();
            if !user.update(version) && !is_locked {
                // A trigger has kept the row, or a writer who does not take the lock of the user has changed
                // it, whom the update has waited for.
                user.lock();
                is_locked = true;
                let compared = version;
                (standing, version) = standing::of_user(id, &given);
                if version != compared {
                    continue;
                }
            }
            if is_unclear {
                user.queue(UNKNOWN_ORDER);
            }
            return Ok(applied(is_upgraded || is_unclear));
        }
    }
}

/// # Safety
/// As for `apply`.
impl User {
    /// Writes the row of a user who has none, or one made at a sign-in. Sign-ins and writers of arrays
    /// do not take the lock, and may be first.
    unsafe fn insert(&self) -> bool {
        // SAFETY: as `apply` promises.
        unsafe {
            let mut is_written = INSERT.with(|insert| insert.execute(&mut [self.object])) > 0;
            if !is_written {
                self.queue_upgrade();
                is_written = REPLACE_FIRST_SEEN
                    .with(|replace| replace.execute(&mut [self.object, self.id]))
                    > 0;
            }
            // An update may be the first event of a user to arrive.
            if is_written {
                self.queue_new();
            }
            is_written
        }
    }

    /// Queues what no event reports about a new user. The personal team of a new user is created after
    /// the object of the event.
    unsafe fn queue_new(&self) {
        // SAFETY: as `apply` promises.
        unsafe {
            if self.has_selected_team {
                self.queue(NEW_PERMISSIONS);
                QUEUE_UNKNOWN_TEAM.with(|queue| queue.execute(&mut [self.object]));
            } else {
                let [one, two] = [NEW_PERMISSIONS, NEW_TEAM].map(texts);
                QUEUE_TWO
                    .with(|queue| queue.execute(&mut [self.id, one[0], one[1], two[0], two[1]]));
            }
        }
    }

    unsafe fn queue(&self, entry: [&str; 2]) {
        let [kind, reason] = texts(entry);
        // SAFETY: as `apply` promises.
        unsafe { QUEUE.with(|queue| queue.execute(&mut [self.id, kind, reason])) };
    }

    unsafe fn queue_upgrade(&self) -> bool {
        // SAFETY: as `apply` promises.
        let queued = unsafe { QUEUE_UPGRADE.with(|queue| queue.value(&mut [self.object])) };
        queued.as_deref() == Some("t")
    }

    /// Replaces the row if it is still of this version; returns whether it was.
    unsafe fn update(&self, version: Version) -> bool {
        let version = pg_sys::Datum::from(version);
        // SAFETY: as `apply` promises.
        UPDATE.with(|update| unsafe { update.execute(&mut [self.object, self.id, version]) }) > 0
    }

    unsafe fn lock(&self) {
        // SAFETY: as `apply` promises.
        unsafe { LOCK.with(|lock| lock.execute(&mut [self.id])) };
    }
}

fn texts(entry: [&str; 2]) -> [pg_sys::Datum; 2] {
    entry.map(|text| text.into_datum().expect("text is never NULL"))
}
