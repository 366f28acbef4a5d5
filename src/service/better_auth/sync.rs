//! Makes the mirror equal to Better Auth's tables: finds what differs, and writes that.

use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use crate::background::steps::{Steps, Stop};
use crate::error::Problem;
use crate::pg::spi;
use crate::service::erase_deleted;
use crate::service::runs::{RunLock, note_problem, recorded};

const PARTS: [&str; 3] = ["users", "teams", "members"];
/// How much one transaction writes: what it has locked delays writers.
const CHUNK: usize = 1000;
/// How long transactions that had changed something before the run are waited for.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);

/// Makes the mirror equal to the tables, and forgets the gaps that it has repaired.
pub fn sync(steps: Steps) -> Result<(), Stop> {
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
    /// Whether there may be more.
    is_full: bool,
}

fn run(steps: Steps) -> Result<(), Stop> {
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

fn compare(steps: Steps, id: &str, begun: &Begun) -> Result<(), Stop> {
    // A count that a transaction has raised is visible before its change.
    let unrecorded = match begun.unrecorded {
        Some(unrecorded) if have_ended(steps, &begun.writers)? => unrecorded.to_string(),
        _ => "0".to_owned(),
    };
    for part in PARTS {
        let enter = "SELECT neon_auth_internal.enter_phase($1::bigint, $2)::text";
        text(steps, enter, &[id, part]);
        let mut is_first = true;
        loop {
            let find = "SELECT neon_auth_internal.find_differing($1)::text";
            let found: Differing = answer(steps, find, &[part]);
            if is_first && found.skipped > 0 {
                let skip = "SELECT neon_auth_internal.count_sync($1::bigint, 0, 0, 0, $2::bigint, $3)::text";
                let reason = "A row has no id, or one of more than 255 bytes.";
                text(steps, skip, &[id, &found.skipped.to_string(), reason]);
            }
            for ids in found.ids.chunks(CHUNK) {
                let write =
                    "SELECT neon_auth_internal.write_differing($1::bigint, $2, $3::jsonb)::text";
                let ids = Value::from(ids.to_vec()).to_string();
                text(steps, write, &[id, part, &ids]);
                steps.tick()?;
            }
            if !found.is_full {
                break;
            }
            is_first = false;
        }
    }
    let end = "SELECT neon_auth_internal.end_comparison($1::bigint, $2::bigint)::text";
    text(steps, end, &[id, &unrecorded]);
    Ok(())
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
