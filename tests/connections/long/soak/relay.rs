//! The relay of webhooks: delivers each message until it is acknowledged, in almost any order and some of them twice.

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use neon_auth_connections::Random;
use postgres::error::SqlState;
use serde_json::{Value, json};

use crate::client::Connection;
use crate::site::Site;
use crate::watch::{Tally, Trouble, lock, promise};

pub struct Relay<'a> {
    site: &'a Site,
    connection: Connection,
    random: Random,
    /// How many of the service's messages are known, and which are not acknowledged.
    seen: usize,
    pending: VecDeque<String>,
}

impl<'a> Relay<'a> {
    pub fn new(site: &'a Site, seed: u64) -> Self {
        Self {
            site,
            connection: Connection::new(site.stack.database.config("postgres")),
            random: Random::seeded(seed),
            seen: 0,
            pending: VecDeque::new(),
        }
    }

    /// Delivers what is left.
    pub fn finish(&mut self) {
        self.look();
        for id in std::mem::take(&mut self.pending) {
            let delivered = deliver(&mut self.connection, self.site, &id);
            assert!(delivered.is_ok(), "{delivered:?}");
            lock(&self.site.acknowledged).push(id);
        }
    }

    fn look(&mut self) {
        let new = self.site.stack.stack.messages_after(self.seen);
        self.seen += new.len();
        self.pending
            .extend(new.into_iter().map(|message| message.id));
    }

    pub fn act(&mut self, tally: &Tally) {
        self.look();
        let Some(id) = self.pending.pop_front() else {
            return thread::sleep(Duration::from_millis(20));
        };
        // Some are late.
        if self.random.below(5) == 0 && !self.pending.is_empty() {
            return self.pending.push_back(id);
        }
        let never = |_: &SqlState| false;
        let connection = &mut self.connection;
        let site = self.site;
        let outcome = tally.attempt("a webhook", never, || deliver(connection, site, &id));
        if outcome.is_none() {
            return self.pending.push_back(id);
        }
        lock(&site.acknowledged).push(id.clone());
        if self.random.below(4) == 0 {
            let repeated = tally.attempt("a webhook that was acknowledged", never, || {
                let outcome = deliver(connection, site, &id)?;
                promise(outcome == "duplicate", || {
                    format!("a delivery is {outcome} after it was acknowledged: {id}")
                })
            });
            if repeated.is_some() {
                tally.checked("an acknowledged delivery is applied once");
            }
        }
    }
}

/// Delivers a message, and returns the outcome.
fn deliver(connection: &mut Connection, site: &Site, id: &str) -> Result<String, Trouble> {
    let delivery = site.stack.stack.delivery(id);
    let headers = json!(delivery.headers).to_string();
    let report: String = connection.attempt(|client| {
        let handle = "SELECT neon_auth.handle_webhook($1, $2::text::jsonb)::text";
        Ok(client
            .query_one(handle, &[&delivery.body, &headers])?
            .get(0))
    })?;
    let report: Value = serde_json::from_str(&report).expect("jsonb is JSON");
    let outcome = report["outcome"].as_str();
    Ok(outcome.expect("a delivery has an outcome").to_owned())
}
