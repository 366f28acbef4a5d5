//! Webhooks: messages about changes, and the signatures that Svix gives them.

use std::collections::{BTreeMap, VecDeque};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

use crate::derive;

/// How many messages are remembered; older ones are forgotten.
const MAX_MESSAGES: usize = 10_000;

/// What a secret begins with; the rest is the key in base64.
pub const SECRET_PREFIX: &str = "whsec_";

/// One event, delivered as often as it takes.
#[derive(Clone, Debug)]
pub struct Message {
    /// The same for every attempt.
    pub id: String,
    /// The number of the event, which two messages have where it is doubled.
    pub number: u64,
    pub event: &'static str,
    pub body: String,
    /// What came of each attempt so far, the oldest first.
    pub attempts: Vec<Attempt>,
}

/// One attempt to deliver a message.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    pub at_millis: i64,
    /// The answer's status; none came, where it is not given.
    pub status: Option<u16>,
}

impl Attempt {
    pub fn succeeded(&self) -> bool {
        self.status
            .is_some_and(|status| (200..300).contains(&status))
    }
}

/// The headers and the body of one signed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    pub headers: BTreeMap<&'static str, String>,
    pub body: String,
}

impl Delivery {
    /// Signs a message for an attempt at `timestamp` (seconds). None: the
    /// secret is not a valid one.
    pub fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> Option<Self> {
        let signature = sign(secret, id, timestamp, body)?;
        Some(Self {
            headers: BTreeMap::from([
                ("content-type", "application/json".to_owned()),
                ("svix-id", id.to_owned()),
                ("svix-timestamp", timestamp.to_string()),
                ("svix-signature", signature),
            ]),
            body: body.to_owned(),
        })
    }
}

/// The `v1` signature of a message. None: the secret is not a valid one.
pub fn sign(secret: &str, id: &str, timestamp: i64, body: &str) -> Option<String> {
    let key = secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret);
    let key = EncodingKey::from_secret(&STANDARD.decode(key).ok()?).ok()?;
    let content = format!("{id}.{timestamp}.{body}");
    // HS256 is HMAC-SHA256; only the alphabet of its base64 is another one.
    let mac = crypto::sign(content.as_bytes(), &key, Algorithm::HS256).ok()?;
    let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
    Some(format!("v1,{}", STANDARD.encode(mac)))
}

/// How unreliably the service hands its events over to the one that delivers
/// them: both are percentages, and the same `seed` loses the same events.
#[derive(Clone, Debug)]
pub struct Mishaps {
    pub seed: String,
    /// Events that become no message.
    pub lost: u8,
    /// Events that become two messages, with an id each.
    pub doubled: u8,
}

/// The messages of one run of the service.
pub struct Outbox {
    /// Tells this run's message ids from another's.
    run: String,
    sent: u64,
    messages: VecDeque<Message>,
    /// Where messages are delivered to; nowhere, where it is not given.
    pub url: Option<String>,
    /// Takes the ids of messages that are to be delivered.
    queue: UnboundedSender<String>,
    events: u64,
    /// None happen, where they are not given.
    pub mishaps: Option<Mishaps>,
    /// The types of the events that became no message.
    pub lost: Vec<&'static str>,
}

impl Outbox {
    pub fn new(run: String, url: Option<String>, queue: UnboundedSender<String>) -> Self {
        Self {
            run,
            sent: 0,
            messages: VecDeque::new(),
            url,
            queue,
            events: 0,
            mishaps: None,
            lost: Vec::new(),
        }
    }

    /// Sends a message about an event, unless a mishap is due.
    pub fn send(&mut self, event: &'static str, data: &Value) {
        self.events += 1;
        let copies = self.copies();
        if copies == 0 {
            self.lost.push(event);
        }
        for _ in 0..copies {
            self.add(event, data);
        }
    }

    /// How many messages the event becomes that is the last one so far.
    fn copies(&self) -> u8 {
        let Some(mishaps) = &self.mishaps else {
            return 1;
        };
        let number = self.events.to_string();
        let digest = derive::digest(&["mishap", &mishaps.seed, &number]);
        let percent = u16::from_be_bytes([digest[0], digest[1]]) % 100;
        let lost = u16::from(mishaps.lost);
        match percent {
            percent if percent < lost => 0,
            percent if percent < lost + u16::from(mishaps.doubled) => 2,
            _ => 1,
        }
    }

    fn add(&mut self, event: &'static str, data: &Value) {
        self.sent += 1;
        let number = self.sent.to_string();
        let id = format!("msg_{}", derive::text(&["message", &self.run, &number], 27));
        if self.messages.len() == MAX_MESSAGES {
            self.messages.pop_front();
        }
        self.messages.push_back(Message {
            id: id.clone(),
            number: self.events,
            event,
            body: json!({ "type": event, "data": data }).to_string(),
            attempts: Vec::new(),
        });
        self.deliver(id);
    }

    fn deliver(&self, id: String) {
        if self.url.is_some() {
            // Nobody takes it any more while the service stops.
            let _ = self.queue.send(id);
        }
    }

    /// All messages, the oldest first.
    pub fn messages(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter()
    }

    pub fn find(&self, id: &str) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.id == id)
    }

    /// Remembers what came of an attempt.
    pub fn record(&mut self, id: &str, attempt: Attempt) {
        let mut latest_first = self.messages.iter_mut().rev();
        if let Some(message) = latest_first.find(|message| message.id == id) {
            message.attempts.push(attempt);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";

    #[test]
    fn the_signature_is_that_of_the_public_test_vector() {
        assert_eq!(
            sign(SECRET, ID, 1_614_265_330, r#"{"test": 2432232314}"#).unwrap(),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn the_prefix_of_a_secret_is_optional() {
        let bare = SECRET.strip_prefix(SECRET_PREFIX).unwrap();
        assert_eq!(sign(bare, ID, 0, ""), sign(SECRET, ID, 0, ""));
    }

    #[test]
    fn what_is_no_base64_is_no_secret() {
        assert_eq!(sign("whsec_?", ID, 0, ""), None);
    }
}
