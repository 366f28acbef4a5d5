//! Parses a delivery's body: the event and its object.

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder};

use crate::error::Problem;
use crate::mirror::object::{TEAM, USER, id};
use crate::pg::jsonb::JsonbPart;

/// An event's envelope.
pub struct Event {
    name: JsonbPart,
    data: JsonbPart,
}

/// The data of an event, checked so far that it can be applied.
pub struct Change {
    pub subject: &'static str,
    pub action: &'static str,
    pub data: JsonbPart,
}

impl Event {
    pub fn parse(body: &str) -> Result<Self, Problem> {
        let event = parse(body, "body")?;
        let name = id(&event, "type").map_err(no_event)?;
        let data = event
            .member("data")
            .ok_or_else(|| no_event(r#"It has no member "data"."#.to_owned()))?;
        Ok(Self { name, data })
    }

    pub fn name(&self) -> &str {
        self.name.text().expect("an id is a string")
    }

    /// `None` for an event that no table mirrors.
    pub fn change(&self) -> Result<Option<Change>, Problem> {
        let Some((subject, action, check)) = KNOWN
            .iter()
            .find(|(subject, action, _)| self.is(subject, action))
        else {
            return Ok(None);
        };
        check(&self.data).map_err(no_event)?;
        Ok(Some(Change {
            subject,
            action,
            data: self.data,
        }))
    }

    fn is(&self, subject: &str, action: &str) -> bool {
        self.name().split_once('.') == Some((subject, action))
    }
}

/// Why the data of an event cannot be applied, as a sentence.
type Check = fn(&JsonbPart) -> Result<(), String>;

const KNOWN: [(&str, &str, Check); 12] = [
    ("user", "created", |user| USER.check(user).map(drop)),
    ("user", "updated", |user| USER.check(user).map(drop)),
    ("user", "deleted", |user| ids(user, &["id"])),
    ("team", "created", |team| TEAM.check(team).map(drop)),
    ("team", "updated", |team| TEAM.check(team).map(drop)),
    ("team", "deleted", |team| ids(team, &["id"])),
    ("team_membership", "created", membership),
    ("team_membership", "deleted", membership),
    ("team_permission", "created", team_permission),
    ("team_permission", "deleted", team_permission),
    ("project_permission", "created", project_permission),
    ("project_permission", "deleted", project_permission),
];

fn membership(data: &JsonbPart) -> Result<(), String> {
    ids(data, &["team_id", "user_id"])
}

fn team_permission(data: &JsonbPart) -> Result<(), String> {
    ids(data, &["team_id", "user_id", "id"])
}

fn project_permission(data: &JsonbPart) -> Result<(), String> {
    ids(data, &["user_id", "id"])
}

fn ids(data: &JsonbPart, members: &[&str]) -> Result<(), String> {
    members
        .iter()
        .try_for_each(|member| id(data, member).map(drop))
}

fn no_event(defect: String) -> Problem {
    Problem::NoEvent { defect }
}

/// JSON text as PostgreSQL parses it. An error gets our own message, because the context of
/// PostgreSQL's error quotes the text.
pub fn parse(given: &str, what: &'static str) -> Result<JsonbPart, Problem> {
    PgTryBuilder::new(|| Ok(JsonbPart::parse(given)))
        .catch_others(|caught| match caught {
            CaughtError::PostgresError(error) if is_of_data(error.sql_error_code()) => {
                Err(Problem::UnusableJson {
                    what,
                    code: error.sql_error_code(),
                    said: error.message().to_owned(),
                })
            }
            // A cancel or lack of memory is not an error of the text.
            other => other.rethrow(),
        })
        .execute()
}

/// Whether an error is of a class about a value, as PL/pgSQL's conditions data_exception and
/// program_limit_exceeded are.
fn is_of_data(code: PgSqlErrorCode) -> bool {
    // A code has five characters of six bits; the class is the first two.
    let class = |code: PgSqlErrorCode| code as i32 & 0xfff;
    class(code) == class(PgSqlErrorCode::ERRCODE_DATA_EXCEPTION)
        || class(code) == class(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED)
}
