//! Requests that wait until a test has done something in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::endpoint::Endpoint;

/// How long somebody waits for a request to be held.
const WAIT: Duration = Duration::from_secs(60);

/// The endpoints whose requests are held.
#[derive(Clone)]
pub struct Holds(Arc<watch::Sender<Watched>>);

#[derive(Default)]
struct Watched {
    holds: BTreeMap<Endpoint, Hold>,
    /// How many holds there have been.
    count: u64,
}

struct Hold {
    /// Tells this hold from those before and after it.
    number: u64,
    /// How many more requests pass.
    after: u32,
    /// How many requests wait now.
    held: u32,
}

impl Watched {
    fn hold(&mut self, endpoint: Endpoint, number: u64) -> Option<&mut Hold> {
        let hold = self.holds.get_mut(&endpoint);
        hold.filter(|hold| hold.number == number)
    }
}

impl Default for Holds {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Watched::default())))
    }
}

impl Holds {
    /// Holds all requests to an endpoint but the next `after`. Whatever an
    /// earlier hold of it holds goes on.
    pub fn set(&self, endpoint: Endpoint, after: u32) {
        self.0.send_modify(|watched| {
            watched.count += 1;
            let hold = Hold {
                number: watched.count,
                after,
                held: 0,
            };
            watched.holds.insert(endpoint, hold);
        });
    }

    /// Lets an endpoint's requests go on.
    pub fn release(&self, endpoint: Endpoint) {
        self.0.send_modify(|watched| {
            watched.holds.remove(&endpoint);
        });
    }

    /// Waits until a request to an endpoint is held; answers whether one is.
    pub async fn wait(&self, endpoint: Endpoint) -> bool {
        let mut watched = self.0.subscribe();
        let held = watched.wait_for(|watched| {
            let hold = watched.holds.get(&endpoint);
            hold.is_some_and(|hold| hold.held > 0)
        });
        timeout(WAIT, held).await.is_ok_and(|held| held.is_ok())
    }

    /// Whether a request to an endpoint is held now.
    pub fn is_held(&self, endpoint: Endpoint) -> bool {
        let watched = self.0.borrow();
        let hold = watched.holds.get(&endpoint);
        hold.is_some_and(|hold| hold.held > 0)
    }

    /// Lets a request pass, at once or when nothing holds it any more.
    pub async fn pass(&self, endpoint: Endpoint) {
        let mut watched = self.0.subscribe();
        let Some(held) = self.arrive(endpoint) else {
            return;
        };
        let over = watched.wait_for(|watched| {
            let hold = watched.holds.get(&endpoint);
            hold.is_none_or(|hold| hold.number != held.number)
        });
        // The sender outlives this call, so that there is no other end.
        let _ = over.await;
    }

    /// Counts a request in, if it has to wait.
    fn arrive(&self, endpoint: Endpoint) -> Option<Held> {
        let mut number = None;
        self.0.send_if_modified(|watched| {
            let Some(hold) = watched.holds.get_mut(&endpoint) else {
                return false;
            };
            if hold.after > 0 {
                hold.after -= 1;
                return false;
            }
            hold.held += 1;
            number = Some(hold.number);
            true
        });
        number.map(|number| Held {
            holds: self.clone(),
            endpoint,
            number,
        })
    }
}

/// A request that waits, for as long as its client does.
struct Held {
    holds: Holds,
    endpoint: Endpoint,
    number: u64,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.holds.0.send_if_modified(|watched| {
            let hold = watched.hold(self.endpoint, self.number);
            hold.map(|hold| hold.held -= 1).is_some()
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn a_request_that_gives_up_is_held_no_longer() {
        let holds = Holds::default();
        holds.set(Endpoint::Users, 0);
        let held = || holds.0.borrow().holds[&Endpoint::Users].held;
        let runtime = Builder::new_current_thread().enable_time().build();
        runtime.unwrap().block_on(async {
            let mut request = Box::pin(holds.pass(Endpoint::Users));
            let moment = Duration::from_millis(1);
            assert!(timeout(moment, &mut request).await.is_err());
            assert_eq!(held(), 1);
            drop(request);
            assert_eq!(held(), 0);
        });
    }
}
