//! What events could not decide, confirmed by the REST API.

use serde::Deserialize;

use super::api::{Api, Chunk};
use super::items::{self, Reader};
use super::objects::{self, Found, Resource, TEAM, USER};
use super::pages::Pages;
use super::steps::{Steps, Stop};
use crate::error::Problem;
use crate::{provider, spi};

#[derive(Deserialize)]
struct Entry {
    kind: Kind,
    team_id: String,
    user_id: String,
    queued_at: String,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Kind {
    User,
    Team,
    TeamMember,
    ProjectPermissions,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::User => "user",
            Kind::Team => "team",
            Kind::TeamMember => "team_member",
            Kind::ProjectPermissions => "project_permissions",
        }
    }
}

/// How often the queue is gone through; what is queued meanwhile waits for the next time. Events
/// may come as fast as they can be confirmed, and a run has more to do.
const ROUNDS: u32 = 3;

/// Confirms what is queued, for the run of that number (0: none).
pub fn drain(api: &Api, steps: Steps, run: i64) -> Result<(), Stop> {
    let queue = Queue { api, steps, run };
    for _ in 0..ROUNDS {
        let last = "SELECT to_jsonb(max(q.queued_at)) #>> '{}'
                      FROM neon_auth.sync_queue q WHERE q.refusal IS NULL";
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

struct Queue<'a> {
    api: &'a Api,
    steps: Steps,
    run: i64,
}

impl Queue<'_> {
    /// The oldest entries, of those queued until `last`.
    fn entries(&self, last: &str) -> Option<Vec<Entry>> {
        let query = "SELECT neon_auth.queued($1::timestamptz)::text";
        let entries = self.steps.transaction(|| spi::write(query, &[last]))?;
        Some(serde_json::from_str(&entries).expect("queued() answers its own form"))
    }

    fn confirm(&self, entry: &Entry) -> Result<(), Stop> {
        let asked_at = provider::now_in_microseconds();
        let outcome = match entry.kind {
            Kind::User => self.object(&USER, &entry.user_id, asked_at).map(drop),
            Kind::Team => match self.object(&TEAM, &entry.team_id, asked_at) {
                // With a team goes all that is in it.
                Ok(Found::Gone) => Ok(()),
                found => found.and_then(|_| self.team(entry, asked_at)),
            },
            Kind::TeamMember => self.team(entry, asked_at),
            Kind::ProjectPermissions => self.project_permissions(&entry.user_id, asked_at),
        };
        let kind = entry.kind.name();
        let entry = [kind, &entry.team_id, &entry.user_id, &entry.queued_at];
        match outcome {
            // Asking for this again soon would be answered the same.
            Err(Stop::Problem(problem @ Problem::ServiceRefused { .. })) => {
                let refusal = problem.sentence();
                pgrx::warning!(
                    "neon_auth: what was queued as {kind} is left to the next full synchronisation: {refusal}"
                );
                let arguments = [&entry[..], &[&refusal]].concat();
                let refused = "SELECT neon_auth.refused($1, $2, $3, $4::timestamptz, $5)::text";
                self.steps.transaction(|| spi::write(refused, &arguments));
            }
            outcome => {
                outcome?;
                let confirmed = "SELECT neon_auth.confirmed($1, $2, $3, $4::timestamptz)::text";
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
        let memberships = self.all("team-member-profiles", &filter, "", items::membership)?;
        let direct = self.all("team-permissions", &filter, "false", items::team_permission)?;
        let effective = self.all("team-permissions", &filter, "true", items::team_permission)?;
        self.steps.transaction(|| {
            let gone = spi::write(
                "SELECT neon_auth.confirm_team($1, $2, $3, $4, $5, $6::bigint)::text",
                &[
                    &entry.team_id,
                    &entry.user_id,
                    &memberships,
                    &direct,
                    &effective,
                    &asked_at.to_string(),
                ],
            );
            self.count(gone);
        });
        Ok(())
    }

    fn project_permissions(&self, user: &str, asked_at: i64) -> Result<(), Stop> {
        let filter = [("user_id", user)];
        let path = "project-permissions";
        let direct = self.all(path, &filter, "false", items::project_permission)?;
        let effective = self.all(path, &filter, "true", items::project_permission)?;
        self.steps.transaction(|| {
            let gone = spi::write(
                "SELECT neon_auth.confirm_project_permissions($1, $2, $3, $4::bigint)::text",
                &[user, &direct, &effective, &asked_at.to_string()],
            );
            self.count(gone);
        });
        Ok(())
    }

    /// A whole list as a JSON array. Of a team or a user that the service does not have there is
    /// nothing; whether they are deleted is another question.
    fn all(
        &self,
        path: &'static str,
        filter: &[(&str, &str)],
        recursive: &str,
        item: Reader,
    ) -> Result<String, Stop> {
        let mut query = filter.to_vec();
        if !recursive.is_empty() {
            query.push(("recursive", recursive));
        }
        let mut all = Vec::new();
        let read = every_page(self.api, path, &query, item, |chunk| {
            all.extend(chunk.items);
            Ok(())
        });
        match read {
            Err(Stop::Problem(problem)) if is_of_nobody(&problem) => Ok("[]".to_owned()),
            read => read.map(|()| format!("[{}]", all.join(","))),
        }
    }

    fn count(&self, gone: Option<String>) {
        spi::write(
            "SELECT neon_auth.count_sync($1::bigint, 0, 0, $2::bigint, 0, NULL)::text",
            &[&self.run.to_string(), &gone.unwrap_or_default()],
        );
    }
}

/// Whether a list was refused because its team or its user is not there.
fn is_of_nobody(problem: &Problem) -> bool {
    matches!(problem, Problem::ServiceRefused { status: 404, code: Some(code) }
             if [USER.gone, TEAM.gone].contains(&code.as_str()))
}

/// Reads a list to its end, should it be paginated or not.
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
