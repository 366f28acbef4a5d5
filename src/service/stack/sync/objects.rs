//! Users and teams, on their way from the REST API into the mirror.

use serde::Deserialize;

use crate::background::steps::{Steps, Stop};
use crate::pg::spi;
use crate::service::stack::rest::api::Api;

/// What is mirrored as an object, and how the REST API speaks of it.
pub struct Resource {
    pub name: &'static str,
    /// Where the REST API has them.
    pub path: &'static str,
    /// How it says that there is none with an id.
    pub gone: &'static str,
}

pub const USERS: Resource = Resource {
    name: "user",
    path: "users",
    gone: "USER_NOT_FOUND",
};
pub const TEAMS: Resource = Resource {
    name: "team",
    path: "teams",
    gone: "TEAM_NOT_FOUND",
};

/// What the service answered about an id.
pub enum Found {
    There,
    Gone,
    /// Something that is not what was asked for, or cannot be a row.
    Else,
}

/// Takes over one user or team as the service answers for its id, deleted if it knows none.
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

/// Writes objects as the service answered them when it was asked at `asked_at`. Those that cannot
/// be rows are found by halves, and skipped; answers how many they are.
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
    let page = format!("[{}]", objects.join(","));
    let defect = steps.transaction(|| {
        spi::write(
            "SELECT neon_auth_internal.sync_page($1::bigint, $2, $3, $4::bigint)",
            &[
                &run.to_string(),
                resource.name,
                &page,
                &asked_at.to_string(),
            ],
        )
    });
    drop(page);
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

/// Counts what cannot be rows.
pub fn skip(steps: Steps, run: i64, number: usize, defect: &str) {
    let number = number.to_string();
    steps.transaction(|| {
        spi::write(
            "SELECT neon_auth_internal.count_sync($1::bigint, $2::bigint, 0, 0, $2::bigint, $3)::text",
            &[&run.to_string(), &number, defect],
        )
    });
}
