//! The members of all teams, team by team, for services that do not return the list of all
//! memberships.

use std::cell::{Cell, RefCell};

use neon_auth_wire::list::CHUNK;
use serde::{Deserialize, Serialize};

use super::objects::{self, Found, TEAMS};
use super::team_list;
use super::user_list::{Place, Whole};
use crate::background::steps::{Steps, Stop};
use crate::clock;
use crate::pg::spi;
use crate::service::stack::rest::api::Api;

/// Number of teams after which the progress is recorded.
const BATCH: usize = 100;

/// A comparison of all teams.
pub struct Teams<'a> {
    pub api: &'a Api,
    pub steps: Steps,
    pub run: i64,
    /// What is done between two batches of teams.
    pub between: &'a dyn Fn() -> Result<(), Stop>,
}

/// A team of which some pages are compared, as in the cursor of a run.
#[derive(Deserialize, Serialize)]
struct Begun {
    team: String,
    /// When its first page was requested.
    asked_at: i64,
    /// Where its next page begins.
    place: Place,
}

/// The members of a team, as they arrive.
struct Reading<'a> {
    team: &'a str,
    /// When the first page was requested.
    asked_at: i64,
    /// When the members that are not written yet were requested, the first of them.
    page_asked_at: Cell<i64>,
    /// Members that are not written yet, as JSON.
    members: RefCell<Vec<String>>,
    is_empty: Cell<bool>,
    /// Whether the run has a cursor in this team.
    is_long: Cell<bool>,
}

impl Teams<'_> {
    /// Compares the teams that were not compared since the synchronisation was called, or for a
    /// worker those that were not compared for a day. A cursor leads to the team of which some
    /// pages are compared.
    pub fn compare(&self, cursor: Option<&str>, called_at: i64) -> Result<(), Stop> {
        let is_worker = (self.steps == Steps::Worker).to_string();
        let since = self
            .write(
                "SELECT neon_auth_internal.begin_teams($1::bigint, $2::boolean, $3::bigint)",
                &[&self.run.to_string(), &is_worker, &called_at.to_string()],
            )
            .expect("begin_teams() returns a time");
        match cursor.and_then(|cursor| serde_json::from_str(cursor).ok()) {
            Some(begun) => {
                let Begun {
                    team,
                    asked_at,
                    place,
                } = begun;
                self.team(&team, asked_at, Some(place))?;
                self.count(1)?;
            }
            // Of an attempt whose process could not record a cursor.
            None => self.forget_members(),
        }
        let mut after = String::new();
        let next = "SELECT neon_auth_internal.teams_to_compare($1, $2::timestamptz)::text";
        while let Some(teams) = self
            .steps
            .transaction(|| spi::read(next, &[&after, &since]))
        {
            let teams: Vec<String> =
                serde_json::from_str(&teams).expect("teams_to_compare() returns an array of ids");
            for batch in teams.chunks(BATCH) {
                for team in batch {
                    self.team(team, clock::microseconds(), None)?;
                }
                self.count(batch.len())?;
            }
            after = teams.into_iter().next_back().unwrap_or_default();
        }
        Ok(())
    }

    /// Compares a team, from the place at which that was interrupted.
    fn team(&self, team: &str, asked_at: i64, place: Option<Place>) -> Result<(), Stop> {
        let reading = Reading {
            team,
            asked_at,
            page_asked_at: Cell::new(asked_at),
            members: RefCell::default(),
            is_empty: Cell::new(place.is_none()),
            is_long: Cell::new(place.is_some()),
        };
        let each = |members, asked_at| self.take(&reading, members, asked_at);
        let passed = |place: &Place| self.pass(&reading, place);
        match team_list::read(self.api, team, place, each, passed) {
            // The list of an unknown team is empty, too.
            Ok(Whole::Complete) if reading.is_empty.get() && self.is_gone(team)? => {}
            Ok(Whole::Complete) => self.end(&reading, true),
            Ok(Whole::WithGap(reason)) => {
                self.note_gap(&reason);
                self.end(&reading, false);
            }
            Err(Stop::Problem(problem)) if problem.is_of_one_request() => {
                self.note_gap(&problem.sentence());
                self.forget_members();
                // What was seen of the team is forgotten, so that it is not resumed.
                self.steps.transaction(|| self.set_cursor(""));
            }
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    fn take(&self, reading: &Reading, members: Vec<String>, asked_at: i64) {
        reading
            .is_empty
            .set(reading.is_empty.get() && members.is_empty());
        if reading.members.borrow().len() + members.len() > CHUNK {
            self.steps.transaction(|| self.store(reading));
        }
        let mut waiting = reading.members.borrow_mut();
        if waiting.is_empty() {
            reading.page_asked_at.set(asked_at);
        }
        waiting.extend(members);
    }

    /// Stores the members of a page that is followed by another one.
    fn pass(&self, reading: &Reading, place: &Place) -> Result<(), Stop> {
        reading.is_long.set(true);
        let cursor = Begun {
            team: reading.team.to_owned(),
            asked_at: reading.asked_at,
            place: place.clone(),
        };
        let cursor = serde_json::to_string(&cursor).expect("it is JSON");
        self.steps.transaction(|| {
            self.store(reading);
            self.set_cursor(&cursor);
        });
        (self.between)()
    }

    /// Writes the members that have arrived, and records them as seen.
    fn store(&self, reading: &Reading) {
        let members = self.add(reading);
        spi::write(
            "SELECT neon_auth_internal.see_members($1::jsonb)::text",
            &[&members],
        );
    }

    /// Writes the members that have arrived; returns them as a JSON array.
    fn add(&self, reading: &Reading) -> String {
        let members = reading.members.take();
        let array = format!("[{}]", members.join(","));
        if !members.is_empty() {
            spi::write(
                "SELECT neon_auth_internal.add_members($1::bigint, $2, $3::jsonb, $4::bigint)::text",
                &[
                    &self.run.to_string(),
                    reading.team,
                    &array,
                    &reading.page_asked_at.get().to_string(),
                ],
            );
        }
        array
    }

    /// Ends the comparison of a team. If some members cannot be read, the next run repeats it.
    fn end(&self, reading: &Reading, is_whole: bool) {
        self.steps.transaction(|| {
            let members = self.add(reading);
            spi::write(
                "SELECT neon_auth_internal.end_team($1, $2::jsonb, $3::bigint, $4::boolean)::text",
                &[
                    reading.team,
                    &members,
                    &reading.asked_at.to_string(),
                    &is_whole.to_string(),
                ],
            );
            if reading.is_long.get() {
                self.set_cursor("");
            }
        });
    }

    /// Whether a team without members does not exist. It is only requested if the mirror has
    /// members of it.
    fn is_gone(&self, team: &str) -> Result<bool, Stop> {
        let member = "SELECT m.user_id FROM neon_auth_internal.team_members_sync m
                       WHERE m.team_id = $1 LIMIT 1";
        if self
            .steps
            .transaction(|| spi::read(member, &[team]))
            .is_none()
        {
            return Ok(false);
        }
        let asked_at = clock::microseconds();
        let found = objects::confirm(self.api, self.steps, self.run, &TEAMS, team, asked_at)?;
        Ok(matches!(found, Found::Gone))
    }

    fn count(&self, teams: usize) -> Result<(), Stop> {
        self.write(
            "SELECT neon_auth_internal.count_sync($1::bigint, $2::bigint, 0, 0, 0, NULL)::text",
            &[&self.run.to_string(), &teams.to_string()],
        );
        (self.between)()
    }

    /// Counts a team some of whose members are not compared.
    fn note_gap(&self, reason: &str) {
        let note = "SELECT neon_auth_internal.note_gap($1::bigint, 'member', $2)::text";
        self.write(note, &[&self.run.to_string(), reason]);
    }

    fn set_cursor(&self, cursor: &str) {
        spi::write(
            "SELECT neon_auth_internal.set_cursor($1::bigint, $2)::text",
            &[&self.run.to_string(), cursor],
        );
    }

    fn forget_members(&self) {
        self.write("SELECT neon_auth_internal.forget_members()::text", &[]);
    }

    /// Runs one statement in its own transaction.
    fn write(&self, statement: &str, arguments: &[&str]) -> Option<String> {
        self.steps.transaction(|| spi::write(statement, arguments))
    }
}
