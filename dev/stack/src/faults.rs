//! What goes wrong, where, and for how many requests.

use std::collections::BTreeMap;

use crate::endpoint::Endpoint;

/// What a request meets instead of the right answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Never answers: for ten minutes, or until the client gives up.
    Hang,
    /// Answers as it should, but late.
    Delay { millis: u64 },
    /// Resets the connection instead of answering.
    Reset,
    /// Closes the connection instead of answering.
    Close,
    /// Closes the connection in the middle of the body.
    Truncate,
    /// Sends the body a byte at a time.
    Trickle { interval_millis: u64 },
    /// Sends the client elsewhere.
    Redirect { location: String },
    /// Answers what the endpoint answered last, with its status and headers.
    Repeat,
    /// Answers a page of users with half as many as asked for, and with the
    /// cursor that goes on after them.
    ShortPage,
    /// Answers a page of a team's members with users whose team does not matter.
    AnyTeam,
    /// Answers as it should, but with these cursors in place of the right one, in turn and round
    /// and round.
    Cursors { cursors: Vec<String> },
    /// Answers with this status and no document.
    Status {
        status: u16,
        retry_after: Option<u64>,
    },
    /// Answers with this status and a known error's code, which only this header has.
    Refuse {
        status: u16,
        header: String,
        code: String,
    },
    /// Answers 503, and in `Retry-After` the date so many seconds from now.
    BusyUntil { seconds: u64 },
    /// Answers 200 with a web page.
    Html,
    /// Answers 200 with this body.
    Body { content_type: String, body: String },
    /// Answers with a set of no keys.
    EmptySet,
    /// Answers with the first half of the key set, as if it were all.
    Malformed,
    /// Answers with a key set that holds the private signing key.
    PrivateKey,
    /// Answers with the key set and this many keys more.
    ManyKeys { count: u32 },
    /// Answers with the key set, made this long with white space.
    Huge { bytes: u64 },
    /// Sets a header of the right answer, or takes it away.
    Header { name: String, value: Option<String> },
}

impl Fault {
    /// A status without a document and without `Retry-After`.
    pub fn status(status: u16) -> Self {
        Self::Status {
            status,
            retry_after: None,
        }
    }

    /// A known error, as a refusal whose text is lost.
    pub fn refusal(status: u16, code: &str) -> Self {
        Self::Refuse {
            status,
            header: "x-stack-known-error".to_owned(),
            code: code.to_owned(),
        }
    }

    /// Another document than was asked for, as JSON.
    pub fn json(body: impl Into<String>) -> Self {
        Self::Body {
            content_type: "application/json".to_owned(),
            body: body.into(),
        }
    }
}

/// The faults that are set.
#[derive(Debug, Default)]
pub struct Faults {
    of: BTreeMap<Endpoint, Active>,
    /// An outage, and the request with which it begins: to which endpoint, after how many.
    outage: Option<(Endpoint, u32)>,
}

#[derive(Debug)]
struct Active {
    fault: Fault,
    /// How many more requests do not meet it.
    after: u32,
    /// For how many more requests then; always, where it is not given.
    times: Option<u32>,
    /// How many have met it.
    met: usize,
}

impl Faults {
    /// Sets an endpoint's fault: `after` so many requests, for some requests
    /// or until it is cleared.
    pub fn set(&mut self, endpoint: Endpoint, fault: Fault, after: u32, times: Option<u32>) {
        let active = Active {
            fault,
            after,
            times,
            met: 0,
        };
        self.of.insert(endpoint, active);
    }

    /// Lets every request to every endpoint fail, from the one on that comes
    /// to an endpoint `after` so many others.
    pub fn set_outage(&mut self, endpoint: Endpoint, after: u32) {
        self.outage = Some((endpoint, after));
    }

    pub fn end_outage(&mut self) {
        self.outage = None;
    }

    /// Whether a request to an endpoint meets the outage.
    fn is_out(&mut self, endpoint: Endpoint) -> bool {
        match &mut self.outage {
            Some((_, 0)) => true,
            Some((first, after)) if *first == endpoint => {
                *after -= 1;
                *after == 0
            }
            _ => false,
        }
    }

    pub fn clear(&mut self, endpoint: Endpoint) {
        self.of.remove(&endpoint);
    }

    /// The fault that the next request to an endpoint meets, and how many have met it before.
    pub fn take(&mut self, endpoint: Endpoint) -> Option<(Fault, usize)> {
        if self.is_out(endpoint) {
            return Some((Fault::status(500), 0));
        }
        let active = self.of.get_mut(&endpoint)?;
        if active.after > 0 {
            active.after -= 1;
            return None;
        }
        match &mut active.times {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        active.met += 1;
        Some((active.fault.clone(), active.met - 1))
    }
}
