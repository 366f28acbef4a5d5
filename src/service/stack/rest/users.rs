//! The list of users: of all, or of a team's members.

use super::api::{Api, Chunk};
use super::items::Reader;
use crate::background::steps::Stop;

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

/// Reads a page: `each` receives its items as they arrive, some of them more than once if the
/// request is retried. Returns the cursor of the next page.
pub fn page(
    api: &Api,
    page: &UserPage,
    item: Reader,
    each: impl FnMut(Chunk) -> Result<(), Stop>,
) -> Result<Option<String>, Stop> {
    let limit = page.limit.to_string();
    let mut query = vec![
        ("limit", limit.as_str()),
        ("include_anonymous", "true"),
        ("include_restricted", "true"),
        ("order_by", "signed_up_at"),
    ];
    if page.descending {
        query.push(("desc", "true"));
    }
    query.extend(page.team.map(|team| ("team_id", team)));
    query.extend(page.cursor.map(|cursor| ("cursor", cursor)));
    api.list("users", &query, item, each)
}
