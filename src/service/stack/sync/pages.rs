//! The pages of a list, with an end even if the service returns endless cursors.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::background::steps::Stop;
use crate::error::Problem;

/// Maximum number of pages of a list. It limits the memory for the cursors to a few megabytes, and
/// ends a list whose every page has a new cursor.
const MOST_PAGES: usize = 100_000;

/// The cursors of one reading of a list, as digests.
pub struct Pages {
    list: &'static str,
    digests: RandomState,
    seen: HashSet<u64>,
    number: usize,
}

impl Pages {
    /// `list` names the list in messages.
    pub fn of(list: &'static str) -> Self {
        Self {
            list,
            digests: RandomState::new(),
            seen: HashSet::new(),
            number: 0,
        }
    }

    /// Records the cursor of a further page. An error, if the list had this cursor before, or is
    /// too long.
    pub fn enter(&mut self, cursor: &str) -> Result<(), Stop> {
        let is_new = self.seen.insert(self.digests.hash_one(cursor));
        self.number += 1;
        if is_new && self.number <= MOST_PAGES {
            Ok(())
        } else {
            Err(self.endless())
        }
    }

    /// Allows the cursors again that were recorded: some pages are read again. All of them count.
    pub fn begin_again(&mut self) {
        self.seen.clear();
    }

    pub fn endless(&self) -> Stop {
        Stop::Problem(Problem::ServiceUnreachable {
            reason: format!(
                "The list of {} does not end: a cursor leads back to a page that was already read.",
                self.list
            ),
            status: None,
        })
    }
}
