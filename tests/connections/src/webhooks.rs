//! Webhooks, and what they leave to be confirmed.

use std::time::UNIX_EPOCH;

use neon_auth_stack::webhooks::Delivery;
use serde_json::{Value, json};

use crate::session::Session;
use crate::wait::eventually;
use crate::world::World;

impl Session {
    /// Delivers a webhook and returns what `handle_webhook()` reports.
    pub fn try_deliver(&mut self, delivery: &Delivery) -> Result<Value, postgres::Error> {
        let headers = json!(delivery.headers).to_string();
        let handled = self.query_one(
            "SELECT neon_auth.handle_webhook($1, $2::text::jsonb)::text",
            &[&delivery.body, &headers],
        );
        let report: String = handled?.get(0);
        Ok(serde_json::from_str(&report).expect("jsonb is JSON"))
    }

    /// Delivers a webhook that must be accepted, and returns its outcome: `applied`, `unchanged`,
    /// `ignored` or `duplicate`.
    #[track_caller]
    pub fn deliver(&mut self, delivery: &Delivery) -> String {
        match self.try_deliver(delivery) {
            Ok(report) => {
                let outcome = report["outcome"].as_str();
                outcome.expect("a delivery has an outcome").to_owned()
            }
            Err(error) => panic!("{}: {error:?}", delivery.body),
        }
    }
}

impl World {
    /// A world whose database knows the secret of the webhook endpoint.
    pub fn with_webhooks() -> Self {
        let world = Self::new();
        world.accept_webhooks();
        world
    }

    #[track_caller]
    pub fn accept_webhooks(&self) {
        let secret = self.stack.credentials().webhook_secret;
        self.superuser().value(
            "SELECT neon_auth.set_secret('webhook_secret', $1)::text",
            &[&secret],
        );
    }

    /// A webhook that the service never sent.
    #[track_caller]
    pub fn signed(&self, id: &str, event: &str, data: Value) -> Delivery {
        let secret = self.stack.credentials().webhook_secret;
        let now = UNIX_EPOCH.elapsed().expect("it is after 1970").as_secs();
        let body = json!({ "type": event, "data": data }).to_string();
        let delivery = Delivery::sign(&secret, id, now.cast_signed(), &body);
        delivery.expect("the simulator's secret is one")
    }

    /// The service's last message, as it delivers it.
    #[track_caller]
    pub fn last_delivery(&self) -> Delivery {
        let messages = self.stack.messages();
        let last = messages.last().expect("the service has sent something");
        self.stack.delivery(&last.id)
    }

    /// Delivers the service's last message.
    #[track_caller]
    pub fn deliver_last(&self) -> String {
        self.superuser().deliver(&self.last_delivery())
    }

    /// Queues something to be confirmed, such as a user, who is in no team.
    #[track_caller]
    pub fn queue(&self, kind: &str, team: &str, user: &str) {
        self.superuser().value(
            "SELECT neon_auth_internal.queue_sync($1, $2, $3, 'A test wants to know.')::text",
            &[&kind, &team, &user],
        );
    }

    #[track_caller]
    pub fn await_empty_queue(&self) {
        eventually("the queue is empty", || {
            self.status("sync queue").1 == "Nothing waits for confirmation."
        });
    }
}
