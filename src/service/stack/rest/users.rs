//! The list of users: of all, or of a team's members.

use neon_auth_wire::items::{self, Reader};

use super::api::{Api, Chunk};
use crate::background::steps::Stop;
use crate::error::Problem;
use crate::old_servers::PARAMETERS;
use crate::pg::spi;

/// Maximum number of users that the service puts on a page.
pub const LONGEST_PAGE: u32 = 1000;

/// A page of the list of users, of all or of a team's members.
pub struct UserPage<'a> {
    pub team: Option<&'a str>,
    /// Where the page begins; without one the list begins.
    pub cursor: Option<&'a str>,
    /// Maximum number of users on the page, up to [`LONGEST_PAGE`].
    pub limit: u32,
    /// From the last user who signed up to the first.
    pub descending: bool,
}

/// The shortest list that shows which parameters the service knows.
const PROBE: UserPage = UserPage {
    team: None,
    cursor: None,
    limit: 1,
    descending: false,
};

/// Reads a page: `each` receives its items as they arrive, some of them more than once if the
/// request is retried. Returns the cursor of the next page.
///
/// An older server refuses `include_restricted` or `include_anonymous`. Lists are then requested
/// without it, and that is noted for `neon_auth.status`. A list of all users begins with both
/// parameters again, since the server may be a newer one by then. A server that has accepted them
/// is not asked without them: users would be missing.
pub fn page(
    api: &Api,
    page: &UserPage,
    item: Reader,
    mut each: impl FnMut(Chunk) -> Result<(), Stop>,
) -> Result<Option<String>, Stop> {
    let lists = &api.user_lists;
    let is_beginning = page.team.is_none() && page.cursor.is_none();
    if is_beginning && lists.refused.replace(0) > 0 {
        lists.is_accepted.set(false);
    }
    let listed = list(api, page, lists.refused.get(), item, &mut each);
    if lists.is_accepted.get() {
        return listed;
    }
    let refused = match &listed {
        Ok(_) => 0,
        Err(stop) if is_schema_error(stop) => match refused_parameters(api)? {
            // The cause is another one.
            0 => return listed,
            refused => refused,
        },
        Err(_) => return listed,
    };
    lists.is_accepted.set(true);
    lists.refused.set(refused);
    note(api, refused);
    match refused {
        0 => listed,
        _ => list(api, page, refused, item, &mut each),
    }
}

/// Requests a page without the first `refused` of the [`PARAMETERS`].
fn list(
    api: &Api,
    page: &UserPage,
    refused: usize,
    item: Reader,
    each: impl FnMut(Chunk) -> Result<(), Stop>,
) -> Result<Option<String>, Stop> {
    let limit = page.limit.to_string();
    let mut query = vec![("limit", limit.as_str()), ("order_by", "signed_up_at")];
    query.extend(PARAMETERS[refused..].iter().map(|name| (*name, "true")));
    if page.descending {
        query.push(("desc", "true"));
    }
    query.extend(page.team.map(|team| ("team_id", team)));
    query.extend(page.cursor.map(|cursor| ("cursor", cursor)));
    api.list("users", &query, item, each)
}

/// How many of the [`PARAMETERS`] the service refuses, after it has refused a page with all of them.
/// The page may have had another defect, such as its cursor, and the service may have been
/// disturbed. So the parameters are the cause only if a short list is accepted without them, and
/// after that still refused with one more.
fn refused_parameters(api: &Api) -> Result<usize, Stop> {
    for refused in 1..=PARAMETERS.len() {
        if accepts_without(api, refused)? {
            return Ok(match accepts_without(api, refused - 1)? {
                true => 0,
                false => refused,
            });
        }
    }
    Ok(0)
}

/// Whether the service accepts a short list without the first `refused` of the [`PARAMETERS`].
fn accepts_without(api: &Api, refused: usize) -> Result<bool, Stop> {
    match list(api, &PROBE, refused, items::object, |_| Ok(())) {
        Err(stop) if is_schema_error(&stop) => Ok(false),
        // It accepts the parameters, and fails at the user.
        Err(Stop::Problem(Problem::ServiceFailed { .. })) => Ok(true),
        probed => probed.map(|_| true),
    }
}

fn is_schema_error(stop: &Stop) -> bool {
    matches!(stop, Stop::Problem(Problem::ServiceRefused { status: 400, code: Some(code) })
             if code == "SCHEMA_ERROR")
}

/// Records which parameters the service refuses.
fn note(api: &Api, refused: usize) {
    api.steps.transaction(|| {
        for (number, name) in PARAMETERS.into_iter().enumerate() {
            let note = match number < refused {
                true => "SELECT neon_auth_internal.note_limit($1)::text",
                false => "SELECT neon_auth_internal.lift_limit($1)::text",
            };
            spi::write(note, &[name]);
        }
    });
}
