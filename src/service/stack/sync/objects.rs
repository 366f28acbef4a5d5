//! Users and teams, from the REST API into the mirror.

use serde::Deserialize;

use crate::background::steps::{Steps, Stop};
use crate::pg::spi;
use crate::service::stack::rest::api::{self, Api};

/// A kind of object, and its names in the REST API.
pub struct Resource {
    pub name: &'static str,
    /// Its path in the REST API.
    pub path: &'static str,
    /// The error code for an id that does not exist.
    pub gone: &'static str,
}

pub const USERS: Resource = Resource {
    name: "user",
    path: api::USERS,
    gone: api::USER_NOT_FOUND,
};
pub const TEAMS: Resource = Resource {
    name: "team",
    path: "teams",
    gone: "TEAM_NOT_FOUND",
};

/// The response for an id.
pub enum Found {
    There,
    Gone,
    /// A response with another object, or one that cannot become a row.
    Else,
}

/// Writes one user or team as the service returns it for its id, or marks it as deleted if the
/// service does not have it.
pub fn confirm(
    api: &Api,
    steps: Steps,
    run: i64,
    resource: &Resource,
    id: &str,
    asked_at: i64,
) -> Result<Found, Stop> {
    #[derive(Deserialize)]
    struct Identified {
        id: String,
    }
    let Some(object) = api.object(resource.path, id, resource.gone)? else {
        let deleted = "SELECT neon_auth_internal.confirm_deleted($1::bigint, $2, $3)::text";
        steps.transaction(|| spi::write(deleted, &[&run.to_string(), resource.name, id]));
        return Ok(Found::Gone);
    };
    match serde_json::from_str(&object) {
        Ok(Identified { id: answered }) if answered == id => {
            Ok(match write(steps, run, resource, &[object], asked_at) {
                0 => Found::There,
                _ => Found::Else,
            })
        }
        _ => {
            let defect = format!(
                "The response to the request for a {} contains a different object or none.",
                resource.name
            );
            skip(steps, run, 1, &defect);
            Ok(Found::Else)
        }
    }
}

/// Writes objects as the service returned them for a request at `asked_at`. Objects that cannot
/// become rows are found by bisection, and skipped; returns how many they are.
pub fn write(
    steps: Steps,
    run: i64,
    resource: &Resource,
    objects: &[String],
    asked_at: i64,
) -> usize {
    if objects.is_empty() {
        return 0;
    }
    let texts: Vec<&str> = objects.iter().map(String::as_str).collect();
    let defect = steps.transaction(|| {
        spi::write_list(
            "SELECT neon_auth_internal.sync_page($1::bigint, $2, $4, $3::bigint)",
            &[&run.to_string(), resource.name, &asked_at.to_string()],
            &texts,
        )
    });
    let Some(defect) = defect else {
        return 0;
    };
    if objects.len() == 1 {
        skip(steps, run, 1, &defect);
        return 1;
    }
    let (first, second) = objects.split_at(objects.len() / 2);
    [first, second]
        .map(|half| write(steps, run, resource, half, asked_at))
        .iter()
        .sum()
}

/// Counts skipped objects.
pub fn skip(steps: Steps, run: i64, number: usize, defect: &str) {
    let number = number.to_string();
    steps.transaction(|| {
        spi::write(
            "SELECT neon_auth_internal.count_sync($1::bigint, $2::bigint, 0, 0, $2::bigint, $3)::text",
            &[&run.to_string(), &number, defect],
        )
    });
}
