//! Reads the list of users, of all or of a team's members.

use neon_auth_wire::items;

use super::list::List;
pub use super::list::{Place, Whole};
use super::walk::Request;
use crate::background::steps::Stop;
use crate::service::stack::rest::api::{Api, Chunk};
use crate::service::stack::rest::users::{self, UserPage};

/// Reads the list to its end. `each` receives users as the service returns them and the time of the
/// request, some users more than once; `passed` the place from which an interrupted run resumes.
pub fn read(
    api: &Api,
    team: Option<&str>,
    from: Option<Place>,
    each: impl FnMut(&Chunk, i64) -> Result<(), Stop>,
    passed: impl FnMut(&Place) -> Result<(), Stop>,
) -> Result<Whole, Stop> {
    let page = |request: &Request, each: &mut dyn FnMut(Chunk) -> Result<(), Stop>| {
        let page = UserPage {
            team,
            cursor: request.cursor,
            limit: request.limit,
            descending: request.descending,
        };
        users::page(api, &page, items::object, each)
    };
    let list = List {
        api,
        name: "users",
        page: &page,
    };
    list.read(from, each, passed)
}
