//! A run: compares everything in the auth service with the mirror.

use std::cell::Cell;
use std::time::{Duration, Instant};

use neon_auth_wire::items::{self, Reader};
use serde::Deserialize;

use super::all_teams::{self, AllTeams};
use super::erase::erase_deleted;
use super::objects::{self, Found, Resource, TEAMS, USERS};
use super::queue::{self, every_page};
use super::team_list;
use super::teams::Teams;
use super::user_list::{self, Whole};
use crate::background::steps::{Steps, Stop};
use crate::clock;
use crate::error::Problem;
use crate::pg::spi;
use crate::service::runs::{RunLock, note_problem, recorded};
use crate::service::stack::rest::api::{Access, Api, Chunk};

/// How often all users are listed again because a list was incomplete.
const RESCANS: u32 = 3;
/// How many users may exist that a list did not contain, before all users are listed again.
const MISSED: u32 = 10;
/// Number of attempts for an object, after the service could not return another one.
const FEW_ATTEMPTS: u32 = 2;
/// How many objects in a row the service may be unable to return before no more are requested.
const FAILURES: u32 = 20;
/// How many objects are requested by id because a list has a gap.
const MOST_IN_GAP: usize = 5000;
/// After how many requests of single objects the queue is confirmed, which must not wait for all.
const BETWEEN: usize = 100;
/// The gap in the list of teams if all of it is missing.
const ALL_TEAMS: &str = "all_teams";
/// Time between two notices about the progress.
const NOTICE_INTERVAL: Duration = Duration::from_secs(5);

/// Makes the mirror equal to the auth service, or resumes the interrupted run.
pub fn sync(steps: Steps) -> Result<(), Stop> {
    let _lock = RunLock::take(steps)?.of_a_run(steps);
    let called_at = clock::microseconds();
    recorded(steps, || {
        // Whatever the outcome of the run.
        erase_deleted(steps)?;
        // A resumed run has not seen the changes since its beginning; a second one picks them up,
        // and finds most of the work done.
        while run_once(steps, called_at)? {}
        Ok(())
    })
}

/// Finishes one run, and returns whether it was an interrupted one.
fn run_once(steps: Steps, called_at: i64) -> Result<bool, Stop> {
    let api = open(steps)?;
    let begun = begin(&api, steps);
    let run = Run {
        api,
        steps,
        id: begun.id,
        called_at,
        told_at: Cell::new(Instant::now()),
    };
    let goes_on = begun.goes_on;
    let outcome = run.from(begun);
    note_problem(steps, run.id, &outcome);
    outcome.map(|()| goes_on)
}

/// Confirms the queue, and does nothing else.
pub fn drain(steps: Steps) -> Result<(), Stop> {
    let _lock = RunLock::take(steps)?;
    queue::drain(&open(steps)?, steps, 0)
}

fn open(steps: Steps) -> Result<Api, Problem> {
    let access =
        steps.transaction(|| spi::read("SELECT neon_auth_internal.sync_access()::text", &[]));
    let access: Access = match access {
        Some(access) => serde_json::from_str(&access).expect("sync_access() returns valid JSON"),
        None => {
            return Err(Problem::CannotSync {
                reason: "There is no provider of kind stack.".to_owned(),
            });
        }
    };
    Api::new(access, steps)
}

/// A run as in its row.
#[derive(Deserialize)]
struct Begun {
    id: i64,
    goes_on: bool,
    phase: String,
    cursor: Option<String>,
}

fn begin(api: &Api, steps: Steps) -> Begun {
    let begun = steps.transaction(|| {
        spi::write(
            "SELECT neon_auth_internal.begin_sync('stack', $1)::text",
            &[api.project()],
        )
        .expect("begin_sync() returns a value")
    });
    serde_json::from_str(&begun).expect("begin_sync() returns valid JSON")
}

struct Run {
    api: Api,
    steps: Steps,
    id: i64,
    /// When the synchronisation was called, which may be several runs.
    called_at: i64,
    told_at: Cell<Instant>,
}

type Phase = fn(&Run, Option<String>) -> Result<(), Stop>;

const PHASES: [(&str, Phase); 6] = [
    ("users", Run::users),
    ("deleted_users", Run::deleted_users),
    ("teams", Run::teams),
    ("deleted_teams", Run::deleted_teams),
    ("members", Run::members),
    ("permissions", Run::permissions),
];

impl Run {
    fn from(&self, begun: Begun) -> Result<(), Stop> {
        let first = PHASES
            .iter()
            .position(|(name, _)| *name == begun.phase)
            .expect("a run is in one of the phases");
        let mut cursor = begun.cursor;
        for (number, (name, work)) in PHASES.iter().enumerate().skip(first) {
            if number > first {
                self.write(
                    "SELECT neon_auth_internal.enter_phase($1::bigint, $2)::text",
                    &[name],
                );
            }
            self.drain()?;
            work(self, cursor.take())?;
        }
        let forget = "SELECT neon_auth_internal.forget_deleted()::text";
        self.steps.transaction(|| spi::write(forget, &[]));
        self.drain()?;
        self.write(
            "SELECT neon_auth_internal.enter_phase($1::bigint, $2)::text",
            &["done"],
        );
        self.write("SELECT neon_auth_internal.end_scan($1::bigint)::text", &[]);
        Ok(())
    }

    /// All users, page by page.
    fn users(&self, place: Option<String>) -> Result<(), Stop> {
        let place = place.and_then(|place| serde_json::from_str(&place).ok());
        let whole = user_list::read(
            &self.api,
            None,
            place,
            |chunk, asked_at| {
                self.objects(&USERS, chunk, asked_at);
                Ok(())
            },
            |place| {
                let place = serde_json::to_string(place).expect("a place is JSON");
                self.write(
                    "SELECT neon_auth_internal.set_cursor($1::bigint, $2)::text",
                    &[&place],
                );
                self.drain()
            },
        )?;
        self.note_gap("user", whole);
        Ok(())
    }

    /// Users that were on no page: deleted, if the service confirms it for each.
    fn deleted_users(&self, _: Option<String>) -> Result<(), Stop> {
        // If the service cannot return a part of the list, another reading is as incomplete.
        if !self.has_gap("user") {
            for _ in 0..RESCANS {
                if let None | Some(0) = self.confirm_missing(&USERS, MISSED)? {
                    return Ok(());
                }
                // Pages were missing, which may have contained users that the mirror does not have.
                self.users(None)?;
            }
        }
        self.confirm_missing(&USERS, u32::MAX)?;
        Ok(())
    }

    fn teams(&self, _: Option<String>) -> Result<(), Stop> {
        self.reset_scan("team");
        self.reset_scan(ALL_TEAMS);
        let teams = all_teams::read(&self.api, |chunk, asked_at| {
            self.objects(&TEAMS, chunk, asked_at);
            Ok(())
        })?;
        match teams {
            AllTeams::Read(whole) => self.note_gap("team", whole),
            AllTeams::Unread(reason) => self.note_gap(ALL_TEAMS, Whole::WithGap(reason)),
        }
        Ok(())
    }

    fn deleted_teams(&self, _: Option<String>) -> Result<(), Stop> {
        // Without the list, each team would be requested by its id.
        if !self.has_gap(ALL_TEAMS) {
            self.confirm_missing(&TEAMS, u32::MAX)?;
        }
        Ok(())
    }

    fn members(&self, cursor: Option<String>) -> Result<(), Stop> {
        if cursor.is_none() && self.all_members()? {
            return Ok(());
        }
        let teams = Teams {
            api: &self.api,
            steps: self.steps,
            run: self.id,
            between: &|| {
                self.tell();
                self.drain()
            },
        };
        teams.compare(cursor.as_deref(), self.called_at)
    }

    /// Compares the list of all memberships. The service does not return it if it is too long,
    /// however often it is requested; false then, and for a time.
    fn all_members(&self) -> Result<bool, Stop> {
        let is_limited = "SELECT neon_auth_internal.are_members_limited()::text";
        let is_limited = self.steps.transaction(|| spi::read(is_limited, &[]));
        if is_limited.as_deref() == Some("true") {
            return Ok(false);
        }
        let asked_at = clock::microseconds().to_string();
        let path = "team-member-profiles";
        let listed = self
            .api
            .with_attempts(1, || self.scan("member", path, &[], items::membership));
        match listed {
            Err(Stop::Problem(problem))
                if problem.is_of_one_request()
                    || matches!(problem, Problem::ServiceUnreachable { status: None, .. }) =>
            {
                // Otherwise an outage would count as a limit.
                team_list::check(&self.api)?;
                self.reset_scan("member");
                self.write(
                    "SELECT neon_auth_internal.limit_members($1::bigint)::text",
                    &[],
                );
                return Ok(false);
            }
            listed => listed?,
        }
        self.write(
            "SELECT neon_auth_internal.sync_members($1::bigint, $2::bigint)::text",
            &[&asked_at],
        );
        self.withdraw(&asked_at);
        let lift = "SELECT neon_auth_internal.lift_limit('all_memberships')::text";
        self.steps.transaction(|| spi::write(lift, &[]));
        Ok(true)
    }

    fn permissions(&self, _: Option<String>) -> Result<(), Stop> {
        let asked_at = clock::microseconds().to_string();
        let (team, project) = (items::team_permission, items::project_permission);
        let kinds = ["direct_team", "team_permission"];
        self.scan_permissions("team-permissions", kinds, team)?;
        let kinds = ["direct_project", "project_permission"];
        self.scan_permissions("project-permissions", kinds, project)?;
        self.write(
            "SELECT neon_auth_internal.sync_permissions($1::bigint, $2::bigint)::text",
            &[&asked_at],
        );
        self.withdraw(&asked_at);
        Ok(())
    }

    /// Deletes what lists have written of pairs of which an event removed something meanwhile. Each
    /// in a transaction of its own, so that their locks cannot deadlock with those of events.
    fn withdraw(&self, asked_at: &str) {
        let pairs = "SELECT neon_auth_internal.outranked_pairs($1::bigint)::text";
        let pairs = self.steps.transaction(|| spi::write(pairs, &[asked_at]));
        let pairs: Vec<[String; 2]> =
            serde_json::from_str(&pairs.expect("outranked_pairs() returns a value"))
                .expect("outranked_pairs() returns an array of pairs");
        let withdraw = "SELECT neon_auth_internal.withdraw($1, $2, $3::bigint)::text";
        for [team, user] in &pairs {
            self.steps
                .transaction(|| spi::write(withdraw, &[team, user, asked_at]));
        }
    }

    /// The granted permissions of a scope, and all that follow from them. Without one of the lists
    /// the scope is not compared.
    fn scan_permissions(
        &self,
        path: &'static str,
        [direct, effective]: [&str; 2],
        item: Reader,
    ) -> Result<(), Stop> {
        let scan = |kind, recursive| self.scan(kind, path, &[("recursive", recursive)], item);
        let scanned = scan(direct, "false").and_then(|()| scan(effective, "true"));
        let whole = whole_or_gap(path, scanned)?;
        if let Whole::WithGap(_) = whole {
            self.reset_scan(direct);
            self.reset_scan(effective);
        }
        self.note_gap(effective, whole);
        Ok(())
    }

    /// Requests each object that the lists did not contain by its id, until `enough` exist; returns
    /// how many exist, or nothing if too many requests would be needed. What was not requested is
    /// then a gap.
    fn confirm_missing(&self, resource: &Resource, enough: u32) -> Result<Option<u32>, Stop> {
        let has_gap = self.has_gap(resource.name);
        let (mut there, mut asked) = (0, 0);
        let (mut failed, mut failed_in_a_row) = (false, 0);
        let mut after = String::new();
        self.write(
            "SELECT neon_auth_internal.find_unseen($1::bigint, $2)::text",
            &[resource.name],
        );
        loop {
            let query = "SELECT neon_auth_internal.unseen($1, $2)::text";
            let ids = self
                .steps
                .transaction(|| spi::read(query, &[resource.name, &after]));
            let Some(ids) = ids else {
                return Ok(Some(there));
            };
            let ids: Vec<String> =
                serde_json::from_str(&ids).expect("unseen() returns an array of ids");
            for id in &ids {
                if failed_in_a_row == FAILURES || has_gap && asked == MOST_IN_GAP {
                    self.note_unconfirmed(resource, asked, id);
                    return Ok(None);
                }
                let asked_at = clock::microseconds();
                let confirm =
                    || objects::confirm(&self.api, self.steps, self.id, resource, id, asked_at);
                let found = match failed {
                    true => self.api.with_attempts(FEW_ATTEMPTS, confirm),
                    false => confirm(),
                };
                failed_in_a_row = match &found {
                    Err(Stop::Problem(Problem::ServiceFailed { .. })) => failed_in_a_row + 1,
                    _ => 0,
                };
                failed |= failed_in_a_row > 0;
                match found {
                    Ok(found) => there += u32::from(matches!(found, Found::There)),
                    // The service did not create it, so its absence there does not delete it.
                    Err(Stop::Problem(problem)) if problem.is_of_one_request() => {
                        self.skip(1, &problem.sentence());
                    }
                    Err(stop) => return Err(stop),
                }
                asked += 1;
                self.tell();
                if there >= enough {
                    return Ok(Some(there));
                }
                if asked % BETWEEN == 0 {
                    self.drain()?;
                }
            }
            after = ids.into_iter().next_back().unwrap_or_default();
        }
    }

    /// Counts the objects that the lists did not contain and that were not requested as a gap.
    fn note_unconfirmed(&self, resource: &Resource, asked: usize, next: &str) {
        let name = resource.name;
        let reason = format!(
            "Of each {name} that the lists did not contain, {asked} were requested by id, and none from {next} on."
        );
        self.note_gap(name, Whole::WithGap(reason));
    }

    fn objects(&self, resource: &Resource, chunk: &Chunk, asked_at: i64) {
        objects::write(self.steps, self.id, resource, &chunk.items, asked_at);
        self.finish(chunk);
    }

    /// Records all items of a list.
    fn scan(
        &self,
        kind: &str,
        path: &'static str,
        query: &[(&str, &str)],
        item: Reader,
    ) -> Result<(), Stop> {
        self.reset_scan(kind);
        every_page(&self.api, path, query, item, |chunk| {
            self.write(
                "SELECT neon_auth_internal.see($1::bigint, $2, $3)::text",
                &[kind, &chunk.json()],
            );
            self.finish(&chunk);
            Ok(())
        })
    }

    /// Records that the service cannot return a part of a list.
    fn note_gap(&self, kind: &str, whole: Whole) {
        if let Whole::WithGap(reason) = whole {
            let note = "SELECT neon_auth_internal.note_gap($1::bigint, $2, $3)::text";
            self.write(note, &[kind, &reason]);
        }
    }

    fn has_gap(&self, kind: &str) -> bool {
        let has_gap = "SELECT neon_auth_internal.has_gap($1)::text";
        let has_gap = self.steps.transaction(|| spi::read(has_gap, &[kind]));
        has_gap.as_deref() == Some("true")
    }

    /// Deletes what an interrupted attempt recorded: it may have changed since.
    fn reset_scan(&self, kind: &str) {
        let reset = "SELECT neon_auth_internal.unsee($1)::text";
        self.steps.transaction(|| spi::write(reset, &[kind]));
    }

    fn finish(&self, chunk: &Chunk) {
        if let Some(defect) = chunk.defects.last() {
            self.skip(chunk.defects.len(), defect);
        }
        self.tell();
    }

    fn skip(&self, number: usize, defect: &str) {
        objects::skip(self.steps, self.id, number, defect);
    }

    /// Reports progress to the caller from time to time.
    fn tell(&self) {
        if self.steps == Steps::Worker || self.told_at.get().elapsed() < NOTICE_INTERVAL {
            return;
        }
        self.told_at.set(Instant::now());
        let progress = self.write(
            "SELECT format('%s: %s%s done', r.phase, r.done, ' of ' || r.total)
               FROM neon_auth_internal.sync_runs r WHERE r.id = $1::bigint",
            &[],
        );
        pgrx::notice!("neon_auth.sync(): {}", progress.unwrap_or_default());
    }

    fn drain(&self) -> Result<(), Stop> {
        queue::drain(&self.api, self.steps, self.id)
    }

    /// Runs one statement in its own transaction; `$1` is the run's number.
    fn write(&self, statement: &str, arguments: &[&str]) -> Option<String> {
        let id = self.id.to_string();
        let arguments: Vec<&str> = std::iter::once(id.as_str())
            .chain(arguments.iter().copied())
            .collect();
        self.steps.transaction(|| spi::write(statement, &arguments))
    }
}

/// A list that the service returns as a whole: if it cannot, all of the list is missing.
fn whole_or_gap(name: &str, read: Result<(), Stop>) -> Result<Whole, Stop> {
    match read {
        Ok(()) => Ok(Whole::Complete),
        Err(Stop::Problem(problem @ Problem::ServiceFailed { .. })) => {
            let problem = problem.sentence();
            Ok(Whole::WithGap(format!(
                "The list {name} was not compared: {problem}"
            )))
        }
        Err(stop) => Err(stop),
    }
}
