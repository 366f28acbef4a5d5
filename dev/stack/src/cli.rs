//! The arguments of `stack` and what they ask for.

mod issuer;

use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand, ValueEnum};
use neon_auth_stack::credentials::Credentials;
use neon_auth_stack::keys::{Audience, Key, KeySet};
use neon_auth_stack::test_keys::TestKey;
use neon_auth_stack::tokens::{self, Subject};
use neon_auth_stack::webhooks::Delivery;
use neon_auth_stack::{
    DEFAULT_PROFILES_CAP, DEFAULT_PROJECT_ID, DEFAULT_SEED, HOSTED_BASE_URL, Options,
};
use serde_json::{Value, json};

use issuer::Issuer;

/// A simulator of the Stack Auth service.
#[derive(Parser)]
#[command(name = "stack")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Serve on 127.0.0.1; the first line printed is the base URL
    Serve(Serve),
    /// Print the key set that tokens verify with
    Jwks(Jwks),
    /// Print a signed access token
    Token(Box<Token>),
    /// Print the answer of the Neon console's keys call
    Keys(Keys),
    /// Print all of a project's credentials
    Credentials(Project),
    /// Print a signed webhook delivery
    Webhook(Webhook),
    /// Print the keys or a token of another issuer, in a given shape
    Issuer(Issuer),
}

/// What keys and credentials are derived from.
#[derive(Args)]
pub struct Project {
    /// Stands for the server's secret
    #[arg(long, default_value = DEFAULT_SEED)]
    seed: String,
    /// The project's id
    #[arg(long, value_name = "ID", default_value = DEFAULT_PROJECT_ID)]
    project: String,
}

impl Project {
    pub fn credentials(&self) -> Credentials {
        Credentials::derive(&self.seed, &self.project)
    }
}

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    project: Project,
    /// The port; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The most memberships that a list of profiles may have
    #[arg(long, value_name = "NUMBER", default_value_t = DEFAULT_PROFILES_CAP)]
    profiles_cap: usize,
    /// Stop when standard input ends
    #[arg(long)]
    pub until_eof: bool,
}

impl Serve {
    pub fn options(self) -> Options {
        Options {
            seed: self.project.seed,
            project_id: self.project.project,
            port: self.port,
            profiles_cap: self.profiles_cap,
            ..Options::default()
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Alg {
    #[value(name = "ES256")]
    Es256,
    #[value(name = "RS256")]
    Rs256,
    #[value(name = "PS256")]
    Ps256,
    #[value(name = "ES384")]
    Es384,
    #[value(name = "EdDSA")]
    EdDsa,
    #[value(name = "ML-DSA-44")]
    MlDsa44,
}

impl Alg {
    /// The published test key, for every algorithm but Stack Auth's own.
    fn test_key(self) -> Option<Key> {
        let key = match self {
            Self::Es256 => return None,
            Self::Rs256 => TestKey::Rs256,
            Self::Ps256 => TestKey::Ps256,
            Self::Es384 => TestKey::Es384,
            Self::EdDsa => TestKey::EdDsa,
            Self::MlDsa44 => TestKey::MlDsa44,
        };
        Some(Key::test(key))
    }
}

#[derive(Args)]
pub struct Jwks {
    #[command(flatten)]
    project: Project,
    /// The algorithm that the tokens are signed with
    #[arg(long, value_enum, default_value = "ES256")]
    alg: Alg,
}

impl Jwks {
    pub fn document(&self) -> Value {
        match self.alg.test_key() {
            Some(key) => json!({ "keys": [key.jwk()] }),
            None => KeySet::derive(&self.project.seed, &self.project.project).jwks(&Audience::ALL),
        }
    }
}

#[derive(Args)]
pub struct Keys {
    #[command(flatten)]
    project: Project,
    /// Where the key server is
    #[arg(long, value_name = "URL", default_value = HOSTED_BASE_URL)]
    base_url: String,
}

impl Keys {
    pub fn document(&self) -> Value {
        self.project.credentials().keys_response(&self.base_url)
    }
}

#[derive(Args)]
pub struct Webhook {
    #[command(flatten)]
    project: Project,
    /// The event, such as user.created
    #[arg(long = "type", value_name = "EVENT")]
    event: String,
    /// The event's data
    #[arg(long, value_name = "JSON", value_parser = json_value)]
    data: Value,
    /// The message's id
    #[arg(long, default_value = "msg_example")]
    id: String,
    /// The time of signing in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIX")]
    now: Option<i64>,
    /// Another secret than the project's
    #[arg(long)]
    secret: Option<String>,
}

impl Webhook {
    /// The headers and the body; none, if the secret is not a valid one.
    pub fn delivery(self) -> Option<Delivery> {
        let secret = self
            .secret
            .unwrap_or_else(|| self.project.credentials().webhook_secret);
        let now = self.now.unwrap_or_else(unix_time);
        let body = json!({ "type": self.event, "data": self.data }).to_string();
        Delivery::sign(&secret, &self.id, now, &body)
    }
}

#[derive(Args)]
pub struct Token {
    #[command(flatten)]
    project: Project,
    /// The user's id
    #[arg(long)]
    sub: String,
    #[arg(long)]
    name: Option<String>,
    /// The e-mail address
    #[arg(long)]
    email: Option<String>,
    /// The e-mail address is not verified [default: it is, where one is given]
    #[arg(long)]
    email_unverified: bool,
    /// The selected team's id
    #[arg(long, value_name = "UUID")]
    team: Option<String>,
    /// An anonymous user's token
    #[arg(long)]
    anonymous: bool,
    /// A restricted user's token
    #[arg(long)]
    restricted: bool,
    /// Issued two lifetimes ago
    #[arg(long, conflicts_with = "exp_in")]
    expired: bool,
    /// Seconds from now to exp
    #[arg(long, allow_negative_numbers = true, value_name = "SECONDS")]
    exp_in: Option<i64>,
    /// Another aud
    #[arg(long)]
    aud: Option<String>,
    /// The base URL in iss
    #[arg(long, value_name = "URL", default_value = HOSTED_BASE_URL)]
    iss_base: String,
    /// Set a claim to a JSON value, whatever else says; repeatable
    #[arg(long, value_name = "KEY=JSON", value_parser = member)]
    claim: Vec<(String, Value)>,
    /// Leave a claim out; repeatable
    #[arg(long, value_name = "KEY")]
    without: Vec<String>,
    /// Set a header member to a JSON value; repeatable
    #[arg(long, value_name = "KEY=JSON", value_parser = member)]
    header: Vec<(String, Value)>,
    /// The algorithm to sign with; all but ES256 use a published test key
    #[arg(long, value_enum, default_value = "ES256")]
    alg: Alg,
    /// The time of issue in seconds since 1970 [default: now]
    #[arg(long, value_name = "UNIX")]
    now: Option<i64>,
}

impl Token {
    pub fn sign(self) -> String {
        let now = self.now.unwrap_or_else(unix_time);
        let subject = self.subject(now);
        let issued_at = if self.expired {
            now.saturating_sub(2 * tokens::LIFETIME_SECONDS)
        } else {
            now
        };
        let project_id = &self.project.project;
        let mut claims = tokens::claims(&subject, &self.iss_base, project_id, issued_at);
        if let Some(seconds) = self.exp_in {
            claims.insert("exp".to_owned(), now.saturating_add(seconds).into());
        }
        if let Some(aud) = self.aud {
            claims.insert("aud".to_owned(), aud.into());
        }
        claims.extend(self.claim);
        claims.retain(|key, _| !self.without.contains(key));

        let keys = KeySet::derive(&self.project.seed, project_id);
        let key = self
            .alg
            .test_key()
            .unwrap_or_else(|| keys.signing(subject.audience()).clone());
        let mut header = tokens::header(&key);
        header.extend(self.header);
        tokens::encode(&header, &claims, &key)
    }

    fn subject(&self, now: i64) -> Subject {
        let is_restricted = self.restricted || self.anonymous;
        let reason = if self.anonymous {
            "anonymous"
        } else {
            "restricted_by_administrator"
        };
        Subject {
            id: self.sub.clone(),
            name: self.name.clone(),
            email: self.email.clone(),
            email_verified: self.email.is_some() && !self.email_unverified,
            selected_team_id: self.team.clone(),
            signed_up_at: now,
            is_anonymous: self.anonymous,
            is_restricted,
            restricted_reason: is_restricted.then(|| reason.to_owned()),
            requires_totp_mfa: false,
        }
    }
}

/// Reads `key=json`.
fn member(text: &str) -> Result<(String, Value), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=JSON")?;
    Ok((key.to_owned(), json_value(value)?))
}

fn json_value(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn unix_time() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_secs()).ok())
        .unwrap_or_default()
}
