//! Reads a list from both ends, if the service cannot return one of its objects.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use super::walk::{Anchor, Listed, Reader, Walk, Walked};
use crate::background::steps::Stop;
use crate::error::Problem;
use crate::service::stack::rest::api::{Api, Chunk};

/// How often the beginning of a list is read again for objects that moved there meanwhile.
const LATE_READINGS: u32 = 3;

/// Whether a list was read to its end.
pub enum Whole {
    Complete,
    /// The service cannot return some objects: which, and why.
    WithGap(String),
}

/// Where a list is resumed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Place {
    ascending: Vec<Anchor>,
    descent: Option<Descent>,
}

/// Reading from the other end.
#[derive(Clone, Serialize, Deserialize)]
struct Descent {
    anchors: Vec<Anchor>,
    /// The first object that was read from there.
    newest: Option<Listed>,
}

pub struct List<'a> {
    pub api: &'a Api,
    /// Its name in messages.
    pub name: &'static str,
    pub page: &'a Reader<'a>,
}

impl List<'_> {
    /// Reads the list to its end. `each` receives the objects and the time of their request, some
    /// objects more than once; `passed` the place of the next page.
    pub fn read(
        &self,
        from: Option<Place>,
        mut each: impl FnMut(&Chunk, i64) -> Result<(), Stop>,
        mut passed: impl FnMut(&Place) -> Result<(), Stop>,
    ) -> Result<Whole, Stop> {
        let mut place = from.unwrap_or(Place {
            ascending: vec![Anchor::START],
            descent: None,
        });
        if place.descent.is_none() {
            let anchors = place.ascending.clone();
            let walked = self.walk(None, anchors, &mut each, |anchors| {
                place.ascending = anchors.to_vec();
                passed(&place)
            })?;
            if let Walked::Through = walked {
                return Ok(Whole::Complete);
            }
        }
        self.descend(place, each, passed)
    }

    /// Reads the list from its other end to the object that was last read from the first one, or
    /// to the next object that the service cannot return.
    fn descend(
        &self,
        mut place: Place,
        mut each: impl FnMut(&Chunk, i64) -> Result<(), Stop>,
        mut passed: impl FnMut(&Place) -> Result<(), Stop>,
    ) -> Result<Whole, Stop> {
        let bottom = last_read(&place.ascending);
        let descent = place.descent.take().unwrap_or(Descent {
            anchors: vec![Anchor::START],
            newest: None,
        });
        let mut newest = First(Cell::new(descent.newest));
        let mut lowest = last_read(&descent.anchors);
        let until = Some(Until(bottom.clone()));
        let walked = self.walk(
            until,
            descent.anchors,
            |chunk, asked_at| {
                newest.note(chunk);
                each(chunk, asked_at)
            },
            |anchors| {
                lowest = last_read(anchors);
                place.descent = Some(Descent {
                    anchors: anchors.to_vec(),
                    newest: newest.get(),
                });
                passed(&place)
            },
        )?;
        // Objects that moved to this end from places that had not been read.
        let mut stuck_again = None;
        for _ in 0..LATE_READINGS {
            let Some(until) = newest.get() else {
                break;
            };
            let first = First::default();
            let mut is_long = false;
            let late = self.walk(
                Some(Until(Some(until))),
                vec![Anchor::START],
                |chunk, asked_at| {
                    first.note(chunk);
                    each(chunk, asked_at)
                },
                |_| {
                    is_long = true;
                    Ok(())
                },
            )?;
            if let Walked::Stuck(problem) = late {
                stuck_again = Some(problem);
                break;
            }
            if !is_long {
                break;
            }
            newest = first;
        }
        Ok(match (walked, stuck_again) {
            (Walked::Stuck(problem), _) => {
                Whole::WithGap(self.gap(bottom.as_ref(), lowest.as_ref(), &problem))
            }
            (Walked::Through, Some(problem)) => {
                Whole::WithGap(self.gap(newest.get().as_ref(), None, &problem))
            }
            (Walked::Through, None) => Whole::Complete,
        })
    }

    /// Reads the list in ascending order, or in descending order until an object.
    fn walk(
        &self,
        until: Option<Until>,
        anchors: Vec<Anchor>,
        each: impl FnMut(&Chunk, i64) -> Result<(), Stop>,
        passed: impl FnMut(&[Anchor]) -> Result<(), Stop>,
    ) -> Result<Walked, Stop> {
        let walk = Walk {
            api: self.api,
            name: self.name,
            page: self.page,
            descending: until.is_some(),
            until: until.and_then(|until| until.0),
        };
        walk.read(anchors, each, passed)
    }

    fn gap(&self, after: Option<&Listed>, before: Option<&Listed>, problem: &Problem) -> String {
        let gap = match (after, before) {
            (Some(after), Some(before)) => {
                format!("has a gap between {} and {}", after.id, before.id)
            }
            (Some(after), None) => format!("has a gap after {}", after.id),
            (None, Some(before)) => format!("has a gap before {}", before.id),
            (None, None) => "is missing".to_owned(),
        };
        let problem = problem.sentence();
        format!("The list of {} {gap}: {problem}", self.name)
    }
}

/// In descending order: the object at which to end, if there is one.
struct Until(Option<Listed>);

/// The first object of several chunks.
#[derive(Default)]
struct First(Cell<Option<Listed>>);

impl First {
    fn note(&self, chunk: &Chunk) {
        let first = || chunk.items.first().and_then(|item| Listed::of(item));
        self.0.set(self.0.take().or_else(first));
    }

    fn get(&self) -> Option<Listed> {
        let first = self.0.take();
        self.0.set(first.clone());
        first
    }
}

fn last_read(anchors: &[Anchor]) -> Option<Listed> {
    anchors.first().and_then(|anchor| anchor.first.clone())
}
