//! Delivering messages over HTTP, again and again until one arrives.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::clock::now_millis;
use crate::state::Shared;
use crate::webhooks::{Attempt, Delivery};

/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The waits before the second and every further attempt.
pub const RETRIES: [Duration; 7] = [
    Duration::from_secs(5),
    Duration::from_secs(5 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(2 * 3600),
    Duration::from_secs(5 * 3600),
    Duration::from_secs(10 * 3600),
    Duration::from_secs(10 * 3600),
];

/// Delivers every message whose id comes out of the queue, each on its own:
/// messages overtake each other.
pub async fn run(shared: Shared, mut queue: UnboundedReceiver<String>) {
    while let Some(id) = queue.recv().await {
        tokio::spawn(deliver(shared.clone(), id));
    }
}

/// Attempts to deliver a message until an attempt succeeds or none is left.
async fn deliver(shared: Shared, id: String) {
    let mut waits = shared.lock().options.webhook_retries.clone().into_iter();
    while let Some((url, delivery)) = prepare(&shared, &id) {
        let status = spawn_blocking(move || post(&url, &delivery)).await;
        let attempt = Attempt {
            at_millis: now_millis(),
            status: status.unwrap_or_default(),
        };
        shared.lock().outbox.record(&id, attempt);
        if attempt.succeeded() {
            return;
        }
        let Some(wait) = waits.next() else {
            return;
        };
        sleep(wait).await;
    }
}

/// The next attempt, while there is an endpoint and the message is remembered.
fn prepare(shared: &Shared, id: &str) -> Option<(String, Delivery)> {
    let state = shared.lock();
    let url = state.outbox.url.clone()?;
    Some((url, state.delivery(id)?))
}

/// The status that an endpoint answers; a redirect is an answer like others.
fn post(url: &str, delivery: &Delivery) -> Option<u16> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(None)
        .build()
        .into();
    let mut request = agent.post(url);
    for (name, value) in &delivery.headers {
        request = request.header(*name, value);
    }
    let answer = request.send(&delivery.body).ok()?;
    Some(answer.status().as_u16())
}
