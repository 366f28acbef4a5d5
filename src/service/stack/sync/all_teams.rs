//! Reads the list of all teams.

use neon_auth_wire::items;

use super::list::{List, Whole};
use super::queue::every_page;
use super::walk::Request;
use crate::background::steps::Stop;
use crate::clock;
use crate::error::Problem;
use crate::service::stack::rest::api::{Api, Chunk};

/// Whether the list was read.
pub enum AllTeams {
    Read(Whole),
    /// The service cannot return it: why.
    Unread(String),
}

/// Reads the list. `each` receives teams as the service returns them and the time of the request,
/// some teams more than once. Servers return all teams in one response; if a server cannot, newer
/// ones return them in pages.
pub fn read(
    api: &Api,
    mut each: impl FnMut(&Chunk, i64) -> Result<(), Stop>,
) -> Result<AllTeams, Stop> {
    let asked_at = clock::microseconds();
    let whole = every_page(api, "teams", &[], items::object, |chunk| {
        each(&chunk, asked_at)
    });
    let problem = match whole {
        Err(Stop::Problem(problem @ Problem::ServiceFailed { .. })) => problem,
        whole => return whole.map(|()| AllTeams::Read(Whole::Complete)),
    };
    let page = |request: &Request, each: &mut dyn FnMut(Chunk) -> Result<(), Stop>| {
        let limit = request.limit.to_string();
        let mut query = vec![("limit", limit.as_str()), ("order_by", "created_at")];
        if request.descending {
            query.push(("desc", "true"));
        }
        query.extend(request.cursor.map(|cursor| ("cursor", cursor)));
        api.list("teams", &query, items::object, each)
    };
    let list = List {
        api,
        name: "teams",
        page: &page,
    };
    let mut is_missing = true;
    let read = list.read(
        None,
        |chunk, asked_at| {
            is_missing &= chunk.items.is_empty();
            each(chunk, asked_at)
        },
        |_| Ok(()),
    );
    match read {
        Ok(Whole::WithGap(reason)) if is_missing => Ok(AllTeams::Unread(reason)),
        // An older server, which has no pages of teams.
        Err(Stop::Problem(Problem::ServiceRefused { .. })) => {
            let reason = problem.sentence();
            let reason = format!("The list of teams is missing: {reason}");
            Ok(AllTeams::Unread(reason))
        }
        read => read.map(AllTeams::Read),
    }
}
