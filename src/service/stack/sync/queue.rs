//! Confirms queued objects, whose events may be stale, with the REST API.

use neon_auth_wire::items::{self, Reader};
use neon_auth_wire::list::CHUNK;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;

use super::objects::{self, Found, Resource, TEAMS, USERS};
use super::pages::Pages;
use super::team_list;
use super::user_list::Whole;
use crate::background::steps::{Steps, Stop};
use crate::clock;
use crate::error::Problem;
use crate::pg::spi;
use crate::service::stack::rest::api::{Api, Chunk};

#[derive(Deserialize)]
struct Entry {
    kind: EntryKind,
    team_id: String,
    user_id: String,
    queued_at: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum EntryKind {
    User,
    Team,
    TeamMember,
    ProjectPermissions,
}

impl EntryKind {
    fn name(self) -> &'static str {
        match self {
            EntryKind::User => "user",
            EntryKind::Team => "team",
            EntryKind::TeamMember => "team_member",
            EntryKind::ProjectPermissions => "project_permissions",
        }
    }
}

/// Maximum number of passes over the queue; objects that are queued meanwhile wait for the next
/// run. Events may arrive as fast as they are confirmed, and a run has more to do.
const ROUNDS: u32 = 3;

/// Confirms the queue, for the run of that number (0: none).
pub fn drain(api: &Api, steps: Steps, run: i64) -> Result<(), Stop> {
    let queue = Queue { api, steps, run };
    for _ in 0..ROUNDS {
        let last = "SELECT to_jsonb(max(q.queued_at)) #>> '{}'
                      FROM neon_auth_internal.sync_queue q WHERE q.last_error IS NULL";
        let Some(last) = steps.transaction(|| spi::write(last, &[])) else {
            return Ok(());
        };
        while let Some(entries) = queue.entries(&last) {
            for entry in &entries {
                queue.confirm(entry)?;
            }
        }
    }
    Ok(())
}

/// A list for one entry of the queue.
struct List {
    /// Its name for the function that compares it.
    kind: &'static str,
    path: &'static str,
    item: Reader,
    /// When the entry was requested.
    asked_at: i64,
}

struct Queue<'a> {
    api: &'a Api,
    steps: Steps,
    run: i64,
}

impl Queue<'_> {
    /// The oldest entries that were queued before `last`.
    fn entries(&self, last: &str) -> Option<Vec<Entry>> {
        let query = "SELECT neon_auth_internal.queued($1::timestamptz)::text";
        let entries = self.steps.transaction(|| spi::write(query, &[last]))?;
        Some(serde_json::from_str(&entries).expect("queued() returns valid JSON"))
    }

    fn confirm(&self, entry: &Entry) -> Result<(), Stop> {
        let asked_at = clock::microseconds();
        let outcome = match entry.kind {
            EntryKind::User => self.object(&USERS, &entry.user_id, asked_at).map(drop),
            EntryKind::Team => match self.object(&TEAMS, &entry.team_id, asked_at) {
                // The memberships and permissions of a team are removed with it.
                Ok(Found::Gone) => Ok(()),
                found => found.and_then(|_| self.team(entry, asked_at)),
            },
            EntryKind::TeamMember => self.team(entry, asked_at),
            EntryKind::ProjectPermissions => self.project_permissions(&entry.user_id, asked_at),
        };
        let kind = entry.kind.name();
        let entry = [kind, &entry.team_id, &entry.user_id, &entry.queued_at];
        match outcome {
            // Another request soon would be rejected too.
            Err(Stop::Problem(problem)) if problem.is_of_one_request() => {
                let refusal = problem.sentence();
                ErrorReport::new(
                    PgSqlErrorCode::ERRCODE_WARNING,
                    format!("neon_auth: queue entry of kind {kind} left to the next full synchronisation: {refusal}"),
                    "neon_auth",
                )
                .set_hint("The entry stays in neon_auth.sync_queue until the next complete run: CALL neon_auth.sync();")
                .report(PgLogLevel::WARNING);
                let arguments = [&entry[..], &[&refusal]].concat();
                let refused =
                    "SELECT neon_auth_internal.refused($1, $2, $3, $4::timestamptz, $5)::text";
                self.steps.transaction(|| spi::write(refused, &arguments));
            }
            outcome => {
                outcome?;
                let confirmed =
                    "SELECT neon_auth_internal.confirmed($1, $2, $3, $4::timestamptz)::text";
                self.steps.transaction(|| spi::write(confirmed, &entry));
            }
        }
        Ok(())
    }

    fn object(&self, resource: &Resource, id: &str, asked_at: i64) -> Result<Found, Stop> {
        objects::confirm(self.api, self.steps, self.run, resource, id, asked_at)
    }

    /// A team's memberships and permissions, or those of one member.
    fn team(&self, entry: &Entry, asked_at: i64) -> Result<(), Stop> {
        let mut filter = vec![("team_id", entry.team_id.as_str())];
        if !entry.user_id.is_empty() {
            filter.push(("user_id", &entry.user_id));
        }
        let members = List {
            kind: "member",
            path: "team-member-profiles",
            item: items::membership,
            asked_at,
        };
        let permissions = |kind| List {
            kind,
            path: "team-permissions",
            item: items::team_permission,
            asked_at,
        };
        let mut failed = None;
        let (memberships, is_whole) = if entry.user_id.is_empty() {
            self.members(&members, &entry.team_id)?
        } else {
            match self.all(&members, &filter, "") {
                // The profile contains the user, of whom the lists of permissions know only the id:
                // a user whom the service cannot return may have lost a permission.
                Err(Stop::Problem(problem)) if problem.is_of_one_request() => {
                    failed = Some(problem);
                    (self.known_membership(entry), true)
                }
                memberships => (memberships?, true),
            }
        };
        let direct = self.all(&permissions("direct"), &filter, "false")?;
        let effective = self.all(&permissions("effective"), &filter, "true")?;
        self.steps.transaction(|| {
            let gone = spi::write(
                "SELECT neon_auth_internal.confirm_team($1, $2, $3, $4, $5, $6::bigint, $7::boolean)::text",
                &[
                    &entry.team_id,
                    &entry.user_id,
                    &memberships,
                    &direct,
                    &effective,
                    &asked_at.to_string(),
                    &is_whole.to_string(),
                ],
            );
            self.count(gone);
        });
        failed.map_or(Ok(()), |problem| Err(problem.into()))
    }

    /// The membership of an entry as the mirror has it: a list without items, or with it.
    fn known_membership(&self, entry: &Entry) -> String {
        let query = "SELECT coalesce(jsonb_agg(to_jsonb(m)), '[]')::text
                       FROM neon_auth_internal.team_members_sync m
                      WHERE m.team_id = $1 AND m.user_id = $2";
        let members = [entry.team_id.as_str(), &entry.user_id];
        let known = self.steps.transaction(|| spi::read(query, &members));
        known.expect("an aggregate returns a row")
    }

    fn project_permissions(&self, user: &str, asked_at: i64) -> Result<(), Stop> {
        let filter = [("user_id", user)];
        let permissions = |kind| List {
            kind,
            path: "project-permissions",
            item: items::project_permission,
            asked_at,
        };
        let direct = self.all(&permissions("direct"), &filter, "false")?;
        let effective = self.all(&permissions("effective"), &filter, "true")?;
        self.steps.transaction(|| {
            let gone = spi::write(
                "SELECT neon_auth_internal.confirm_project_permissions($1, $2, $3, $4::bigint)::text",
                &[user, &direct, &effective, &asked_at.to_string()],
            );
            self.count(gone);
        });
        Ok(())
    }

    /// Reads a whole list. Returns its last items as a JSON array; earlier ones, of which there may
    /// be more than fit into memory, are stored. For a team or a user that the service does not
    /// have, the list is empty; whether it is deleted is checked separately.
    fn all(&self, list: &List, filter: &[(&str, &str)], recursive: &str) -> Result<String, Stop> {
        let mut query = filter.to_vec();
        if !recursive.is_empty() {
            query.push(("recursive", recursive));
        }
        let mut last = Chunk::default();
        let read = every_page(self.api, list.path, &query, list.item, |chunk| {
            self.take(list, &mut last, chunk.items);
            Ok(())
        });
        match read {
            Err(Stop::Problem(problem)) if is_of_nobody(&problem) => {
                self.list(
                    "SELECT neon_auth_internal.unlist_items($1::bigint, $2)::text",
                    list,
                    &[],
                );
                Ok("[]".to_owned())
            }
            read => read.map(|()| last.json()),
        }
    }

    /// The same of the members of a team, which come in pages of users. Returns also whether the
    /// list is complete, so that what it lacks does not exist.
    fn members(&self, list: &List, team: &str) -> Result<(String, bool), Stop> {
        let name = serde_json::to_string(team).expect("a string is JSON");
        let mut last = Chunk::default();
        let each = |members: Vec<String>, _| {
            let member = |user: String| format!(r#"{{"team_id":{name},"user_id":{user}}}"#);
            self.take(list, &mut last, members.into_iter().map(member).collect());
        };
        let read = team_list::read(self.api, team, None, each, |_| Ok(()))?;
        if let Whole::WithGap(reason) = &read {
            objects::skip(self.steps, self.run, 1, reason);
        }
        Ok((last.json(), matches!(read, Whole::Complete)))
    }

    /// Adds items to the last ones of a list, and stores those if they become too many.
    fn take(&self, list: &List, last: &mut Chunk, items: Vec<String>) {
        if last.items.len() + items.len() > CHUNK {
            let items = std::mem::take(last).json();
            self.list(
                "SELECT neon_auth_internal.list_items($1::bigint, $2, $3)::text",
                list,
                &[&items],
            );
        }
        last.items.extend(items);
    }

    /// Runs a statement about the stored items of a list.
    fn list(&self, statement: &str, list: &List, arguments: &[&str]) {
        let asked_at = list.asked_at.to_string();
        let arguments = [&[asked_at.as_str(), list.kind], arguments].concat();
        self.steps.transaction(|| spi::write(statement, &arguments));
    }

    fn count(&self, gone: Option<String>) {
        spi::write(
            "SELECT neon_auth_internal.count_sync($1::bigint, 0, 0, $2::bigint, 0, NULL)::text",
            &[&self.run.to_string(), &gone.unwrap_or_default()],
        );
    }
}

/// Whether a list was refused because its team or its user does not exist.
fn is_of_nobody(problem: &Problem) -> bool {
    matches!(problem, Problem::ServiceRefused { status: 404, code: Some(code) }
             if [USERS.gone, TEAMS.gone].contains(&code.as_str()))
}

/// Reads a list to its end, paginated or not.
pub fn every_page(
    api: &Api,
    path: &'static str,
    query: &[(&str, &str)],
    item: Reader,
    mut each: impl FnMut(Chunk) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut pages = Pages::of(path);
    let mut cursor: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let Some(next) = api.list(path, &query, item, &mut each)? else {
            return Ok(());
        };
        pages.enter(&next)?;
        cursor = Some(next);
    }
}
