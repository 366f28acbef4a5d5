//! What events could not decide, confirmed by the REST API.

use serde::Deserialize;

use super::api::{Api, Chunk};
use super::items::{self, Reader};
use super::steps::{Steps, Stop};
use crate::error::Problem;
use crate::{provider, spi};

#[derive(Deserialize)]
struct Entry {
    kind: Kind,
    team_id: String,
    user_id: String,
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

/// Confirms all that is queued, for the run of that number (0: none).
pub fn drain(api: &Api, steps: Steps, run: i64) -> Result<(), Stop> {
    let queue = Queue { api, steps, run };
    loop {
        let entries = steps.transaction(|| spi::write("SELECT neon_auth.queued()::text", &[]));
        let Some(entries) = entries else {
            return Ok(());
        };
        let entries: Vec<Entry> =
            serde_json::from_str(&entries).expect("queued() answers its own form");
        for entry in &entries {
            queue.confirm(entry)?;
        }
    }
}

struct Queue<'a> {
    api: &'a Api,
    steps: Steps,
    run: i64,
}

impl Queue<'_> {
    fn confirm(&self, entry: &Entry) -> Result<(), Stop> {
        let asked_at = provider::now_in_microseconds();
        let outcome = match entry.kind {
            Kind::User => self.object("user", "users", &entry.user_id, "USER_NOT_FOUND", asked_at),
            Kind::Team => self
                .object("team", "teams", &entry.team_id, "TEAM_NOT_FOUND", asked_at)
                .and_then(|()| self.team(entry, asked_at)),
            Kind::TeamMember => self.team(entry, asked_at),
            Kind::ProjectPermissions => self.project_permissions(&entry.user_id, asked_at),
        };
        match outcome {
            // Asking for this again would be answered the same; the next full run compares all.
            Err(Stop::Problem(Problem::ServiceRefused { status, code })) => {
                pgrx::warning!(
                    "neon_auth: the auth service answers {status} ({}) about what was queued as {}; it is left to the next full synchronisation",
                    code.as_deref().unwrap_or("no code"),
                    entry.kind.name()
                );
            }
            outcome => outcome?,
        }
        self.steps.transaction(|| {
            spi::write(
                "SELECT neon_auth.confirmed($1, $2, $3, $4::bigint)::text",
                &[
                    entry.kind.name(),
                    &entry.team_id,
                    &entry.user_id,
                    &asked_at.to_string(),
                ],
            );
        });
        Ok(())
    }

    fn object(
        &self,
        kind: &str,
        path: &str,
        id: &str,
        gone: &str,
        asked_at: i64,
    ) -> Result<(), Stop> {
        confirm_object(
            self.api, self.steps, self.run, kind, path, id, gone, asked_at,
        )?;
        Ok(())
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

    /// A whole list as a JSON array.
    fn all(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        recursive: &str,
        item: Reader,
    ) -> Result<String, Stop> {
        let mut query = filter.to_vec();
        if !recursive.is_empty() {
            query.push(("recursive", recursive));
        }
        let mut all = Vec::new();
        every_page(self.api, path, &query, item, |chunk| {
            all.extend(chunk.items);
            Ok(())
        })?;
        Ok(format!("[{}]", all.join(",")))
    }

    fn count(&self, gone: Option<String>) {
        spi::write(
            "SELECT neon_auth.count_sync($1::bigint, 0, 0, $2::bigint, 0, NULL)::text",
            &[&self.run.to_string(), &gone.unwrap_or_default()],
        );
    }
}

/// Takes over one user or team as the service answers for its id, deleted if it knows none.
/// Answers whether it knows one.
#[expect(clippy::too_many_arguments)]
pub fn confirm_object(
    api: &Api,
    steps: Steps,
    run: i64,
    kind: &str,
    path: &str,
    id: &str,
    gone: &str,
    asked_at: i64,
) -> Result<bool, Stop> {
    let object = api.object(path, id, gone)?;
    steps.transaction(|| match &object {
        Some(object) => spi::write(
            "SELECT neon_auth.sync_page($1::bigint, $2, $3, $4::bigint)::text",
            &[
                &run.to_string(),
                kind,
                &format!("[{object}]"),
                &asked_at.to_string(),
            ],
        ),
        None => spi::write(
            "SELECT neon_auth.confirm_deleted($1::bigint, $2, $3)::text",
            &[&run.to_string(), kind, id],
        ),
    });
    Ok(object.is_some())
}

/// Reads a list to its end, should it be paginated or not.
pub fn every_page(
    api: &Api,
    path: &str,
    query: &[(&str, &str)],
    item: Reader,
    mut each: impl FnMut(Chunk) -> Result<(), Stop>,
) -> Result<(), Stop> {
    let mut cursor: Option<String> = None;
    loop {
        let mut query = query.to_vec();
        if let Some(cursor) = &cursor {
            query.push(("cursor", cursor));
        }
        let next = api.list(path, &query, item, &mut each)?;
        if next.is_none() {
            return Ok(());
        }
        if next == cursor {
            return Err(Stop::Problem(Problem::ServiceUnreachable {
                reason: format!("The pages of the list {path} do not come to an end."),
            }));
        }
        cursor = next;
    }
}
