//! The way from page to page of a list, which comes to an end whatever the service answers.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use crate::background::steps::Stop;
use crate::error::Problem;

/// The most pages of a list. It bounds the memory for the cursors to a few megabytes, and a service
/// that makes up another cursor for each page.
const MOST_PAGES: usize = 100_000;

/// The cursors of one reading of a list, as digests.
pub struct Pages {
    list: &'static str,
    digests: RandomState,
    seen: HashSet<u64>,
}

impl Pages {
    /// `list` is how the list is called in a message.
    pub fn of(list: &'static str) -> Self {
        Self {
            list,
            digests: RandomState::new(),
            seen: HashSet::new(),
        }
    }

    /// Takes note of the cursor of a further page. An error, if the list has led there before, or is
    /// too long.
    pub fn enter(&mut self, cursor: &str) -> Result<(), Stop> {
        let is_new = self.seen.insert(self.digests.hash_one(cursor));
        if is_new && self.seen.len() <= MOST_PAGES {
            Ok(())
        } else {
            Err(self.endless())
        }
    }

    /// Lets the list lead once more to a cursor that was of no use.
    pub fn leave(&mut self, cursor: &str) {
        self.seen.remove(&self.digests.hash_one(cursor));
    }

    pub fn endless(&self) -> Stop {
        Stop::Problem(Problem::ServiceUnreachable {
            reason: format!(
                "The list of {} does not end: a cursor leads back to a page that was already read.",
                self.list
            ),
        })
    }
}
