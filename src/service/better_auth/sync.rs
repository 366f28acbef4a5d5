//! Makes the mirror equal to Better Auth's tables: finds what differs, and writes that.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::background::steps::{Steps, Stop};
use crate::error::Problem;
use crate::pg::spi;
use crate::service::erase_deleted;
use crate::service::runs::{RunLock, note_problem, recorded};

const PARTS: [&str; 3] = ["users", "teams", "members"];
/// How many ids one query returns.
const PAGE: usize = 500_000;
/// How much one transaction writes: what it has locked delays writers.
const CHUNK: usize = 1000;
/// After so many objects of a team that others have locked, the team's others are not tried.
const TRIES: u32 = 3;
/// How many objects that are left are recorded by id, for each part.
const RECORDED: usize = 100;
/// How long transactions that had changed something before the run are waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Makes the mirror equal to the tables, and forgets the gaps that it has repaired.
pub fn sync(steps: Steps) -> Result<(), Stop> {
    whole(steps).map(drop)
}

/// The same. Fails if other transactions were in the way, so that the worker tries again, less and less
/// often.
pub fn drain(steps: Steps) -> Result<(), Stop> {
    if whole(steps)?.was_busy {
        let reason = "Other transactions hold locks on rows of the mirror.".to_owned();
        return Err(Problem::CannotSync { reason }.into());
    }
    Ok(())
}

fn whole(steps: Steps) -> Result<Remaining, Stop> {
    let _lock = RunLock::take(steps)?.of_a_run(steps);
    recorded(steps, || {
        erase_deleted(steps)?;
        run(steps)
    })
}

/// A run as it begins.
#[derive(Deserialize)]
struct Begun {
    id: i64,
    /// The value of `mirror_gaps_unrecorded`, if it has risen.
    unrecorded: Option<i64>,
    /// The transactions that are writing the tables.
    writers: Value,
}

/// What differs in one part.
#[derive(Deserialize)]
struct Differing {
    /// Ids, or pairs of a team and a user.
    ids: Vec<Value>,
    skipped: i64,
}

/// Why nothing was written.
#[derive(Clone, Deserialize)]
struct Obstacle {
    /// Another transaction has a lock, and ends some day.
    is_busy: bool,
    reason: String,
}

/// What a run has not written.
#[derive(Default)]
struct Remaining {
    was_busy: bool,
    /// Rows of mirror_gaps.
    gaps: Vec<Value>,
}

impl Remaining {
    fn add(&mut self, part: &str, objects: &[(Value, Obstacle)]) {
        let what = match part {
            "users" => "user",
            "teams" => "organization",
            _ => "member",
        };
        for (id, obstacle) in objects.iter().take(RECORDED) {
            let gap = json!({"what": what, "id": first(id), "reason": obstacle.reason});
            self.gaps.push(gap);
        }
        if let Some((_, obstacle)) = objects.get(RECORDED) {
            self.gaps
                .push(json!({"what": what, "reason": obstacle.reason}));
        }
        self.was_busy |= objects.iter().any(|(_, obstacle)| obstacle.is_busy);
    }
}

/// The id, or the team of a pair.
fn first(id: &Value) -> &str {
    let first = id.get(0).unwrap_or(id);
    first.as_str().unwrap_or_default()
}

fn run(steps: Steps) -> Result<Remaining, Stop> {
    if let Some(of_another) = text(steps, "SELECT neon_auth_internal.other_service()", &[]) {
        return Err(Problem::OtherService { of_another }.into());
    }
    let begun: Begun = answer(
        steps,
        "SELECT neon_auth_internal.begin_comparison()::text",
        &[],
    );
    let id = begun.id.to_string();
    let outcome = compare(steps, &id, &begun);
    note_problem(steps, begun.id, &outcome);
    outcome
}

fn compare(steps: Steps, id: &str, begun: &Begun) -> Result<Remaining, Stop> {
    // A count that a transaction has raised is visible before its change.
    let unrecorded = match begun.unrecorded {
        Some(unrecorded) if have_ended(steps, &begun.writers)? => unrecorded.to_string(),
        _ => "0".to_owned(),
    };
    let mut remaining = Remaining::default();
    for part in PARTS {
        let enter = "SELECT neon_auth_internal.enter_phase($1::bigint, $2)::text";
        text(steps, enter, &[id, part]);
        remaining.add(part, &Part { steps, id, part }.settle()?);
    }
    let end = "SELECT neon_auth_internal.end_comparison($1::bigint, $2::bigint, $3::jsonb)::text";
    let gaps = Value::from(remaining.gaps.clone()).to_string();
    text(steps, end, &[id, &unrecorded, &gaps]);
    Ok(remaining)
}

/// One part of a run.
struct Part<'a> {
    steps: Steps,
    id: &'a str,
    part: &'a str,
}

impl Part<'_> {
    /// Writes what differs, and returns what could not be written.
    fn settle(&self) -> Result<Vec<(Value, Obstacle)>, Stop> {
        let mut left = Vec::new();
        let mut after = Value::Null;
        loop {
            let is_first = after.is_null();
            let find = "SELECT neon_auth_internal.find_differing($1, $2::jsonb, $3::integer)::text";
            let arguments = [self.part, &after.to_string(), &PAGE.to_string()];
            let found: Differing = answer(self.steps, find, &arguments);
            if is_first && found.skipped > 0 {
                let skip = "SELECT neon_auth_internal.count_sync($1::bigint, 0, 0, 0, $2::bigint, $3)::text";
                let reason = "A row has no id, or one of more than 255 bytes.";
                text(
                    self.steps,
                    skip,
                    &[self.id, &found.skipped.to_string(), reason],
                );
            }
            for ids in found.ids.chunks(CHUNK) {
                if self.write(ids)?.is_some() {
                    left.extend(self.write_each(ids.to_vec())?);
                }
            }
            match found.ids.last() {
                Some(last) if found.ids.len() == PAGE => after = last.clone(),
                _ => break,
            }
        }
        // Last, because the transactions that have locks may have ended.
        let (busy, mut left): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|(_, obstacle)| obstacle.is_busy);
        left.extend(self.write_each(busy.into_iter().map(|(id, _)| id).collect())?);
        Ok(left)
    }

    /// Writes objects one by one, so that nothing is locked while it waits for another transaction.
    fn write_each(&self, ids: Vec<Value>) -> Result<Vec<(Value, Obstacle)>, Stop> {
        let mut left = Vec::new();
        let mut busy: HashMap<String, (u32, Obstacle)> = HashMap::new();
        for id in ids {
            let known = busy.get(first(&id)).filter(|(tries, _)| *tries >= TRIES);
            let obstacle = match known {
                Some((_, obstacle)) => Some(obstacle.clone()),
                None => self.write(std::slice::from_ref(&id))?,
            };
            let Some(obstacle) = obstacle else {
                continue;
            };
            if obstacle.is_busy {
                let of_team = busy.entry(first(&id).to_owned());
                of_team.or_insert((0, obstacle.clone())).0 += 1;
            }
            left.push((id, obstacle));
        }
        Ok(left)
    }

    /// Writes all of the ids, or none.
    fn write(&self, ids: &[Value]) -> Result<Option<Obstacle>, Stop> {
        let write = "SELECT neon_auth_internal.write_differing($1::bigint, $2, $3::jsonb)::text";
        let ids = Value::from(ids.to_vec()).to_string();
        let obstacle = text(self.steps, write, &[self.id, self.part, &ids]);
        self.steps.tick()?;
        Ok(obstacle.map(|obstacle| {
            serde_json::from_str(&obstacle).expect("the function returns valid JSON")
        }))
    }
}

/// Waits for the end of transactions.
fn have_ended(steps: Steps, writers: &Value) -> Result<bool, Stop> {
    let began = Instant::now();
    let writers = writers.to_string();
    let are_there = "SELECT nullif(neon_auth_internal.are_writing($1::jsonb), false)::text";
    while text(steps, are_there, &[&writers]).is_some() {
        if began.elapsed() > PATIENCE {
            return Ok(false);
        }
        steps.pause(PAUSE)?;
    }
    Ok(true)
}

/// Runs one statement in its own transaction.
fn text(steps: Steps, statement: &str, arguments: &[&str]) -> Option<String> {
    steps.transaction(|| spi::write(statement, arguments))
}

fn answer<T: for<'de> Deserialize<'de>>(steps: Steps, statement: &str, arguments: &[&str]) -> T {
    let answer = text(steps, statement, arguments).expect("the function returns a value");
    serde_json::from_str(&answer).expect("the function returns valid JSON")
}
