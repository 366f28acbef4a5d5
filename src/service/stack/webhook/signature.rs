//! The signature of a webhook's delivery, as Svix and standard-webhooks make it.
//!
//! It is an HMAC-SHA256 over id, time and body, in base64, under each of the endpoint's secrets. No
//! secret or signature ever leaves this file.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, Context, HMAC_SHA256, Key};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::clock;
use crate::error::Problem;
use crate::pg::index::Table;
use crate::pg::jsonb::JsonbPart;
use crate::shared::{self, Counter};

/// Optional prefix of a secret; the rest is the key in base64.
const SECRET_PREFIX: &str = "whsec_";
/// A shorter key could be guessed; with an empty one anyone could sign.
const SHORTEST_KEY: usize = 16;
/// The version of the checked signatures; others are ignored.
const VERSION: &str = "v1";
/// Maximum difference between the timestamp and the clock in seconds, either way.
const TOLERANCE: u64 = 300;
const LONGEST_ID: usize = 255;
/// The two families of headers: Svix's own names and those of standard-webhooks.
const FAMILIES: [&str; 2] = ["svix", "webhook"];
const PADDING_OR_NOT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The id of a delivery's message, verified with the stored secrets and the server's clock. The
/// secret is never passed to SQL, which could log it.
pub fn verify_now(body: Option<&str>, headers: Option<AnyElement>) -> Result<String, Problem> {
    let secrets = Table::Secrets.find(&["webhook_secret"], |row| {
        row.text(c"value").map(str::to_owned)
    });
    let outcome = verify(body, headers, secrets.as_deref(), clock::seconds());
    shared::count(match outcome {
        Ok(_) => Counter::DeliveriesVerified,
        Err(_) => Counter::DeliveriesRefused,
    });
    outcome
}

/// `neon_auth_internal.verify_webhook(body, headers, secrets, at_epoch)`: the message's id, if one
/// of its signatures matches one of the secrets.
#[pg_extern(sql = false)]
fn verify_webhook(
    body: Option<&str>,
    headers: Option<AnyElement>,
    secrets: Option<&str>,
    at_epoch: i64,
) -> Result<String, ErrorReport> {
    Ok(verify(body, headers, secrets, at_epoch)?)
}

/// `neon_auth_internal.webhook_secret_defect(secrets)`: why no delivery could be verified with
/// these secrets.
#[pg_extern(sql = false)]
fn webhook_secret_defect(secrets: &str) -> Option<String> {
    let report = ErrorReport::from(keys(secrets).err()?);
    report.detail().map(str::to_owned)
}

fn verify(
    body: Option<&str>,
    headers: Option<AnyElement>,
    secrets: Option<&str>,
    at_epoch: i64,
) -> Result<String, Problem> {
    let keys = keys(secrets.unwrap_or_default())?;
    // SAFETY: the parts that are kept are copied.
    let headers = Headers::find(headers.map(|headers| unsafe { JsonbPart::whole(&headers) }))?;
    let body = body.ok_or_else(|| refused("the body is missing", "The body is NULL."))?;
    headers.check_id()?;
    headers.check_time(at_epoch)?;
    headers.check_signature(&keys, body)?;
    Ok(headers.id)
}

/// The keys of the secrets: more than one, separated by spaces, while a new one replaces the old
/// one.
fn keys(secrets: &str) -> Result<Vec<Key>, Problem> {
    let keys: Vec<Key> = secrets
        .split_ascii_whitespace()
        .enumerate()
        .map(|(index, secret)| {
            let unusable = |reason: String| Problem::UnusableWebhookSecret {
                number: index + 1,
                reason,
            };
            let key = PADDING_OR_NOT
                .decode(secret.strip_prefix(SECRET_PREFIX).unwrap_or(secret))
                .map_err(|_| unusable(format!("is not valid base64 after {SECRET_PREFIX}")))?;
            if key.len() < SHORTEST_KEY {
                return Err(unusable(format!("has fewer than {SHORTEST_KEY} bytes")));
            }
            Ok(Key::new(HMAC_SHA256, &key))
        })
        .collect::<Result<_, Problem>>()?;
    if keys.is_empty() {
        return Err(Problem::NoWebhookSecret);
    }
    Ok(keys)
}

/// The three headers of one family.
struct Headers {
    id: String,
    timestamp: String,
    signature: String,
}

/// The headers of one family.
enum Family {
    Whole(Headers),
    /// The name of the first missing header.
    Lacks(String),
}

impl Headers {
    fn find(headers: Option<JsonbPart>) -> Result<Self, Problem> {
        let Some(headers) = headers.and_then(|headers| headers.members()) else {
            return Err(refused(
                "the headers are not a JSON object",
                r#"Pass an object of names and values: {"svix-id": "...", "svix-timestamp": "...", "svix-signature": "..."}."#,
            ));
        };
        let mut missing = None;
        for family in FAMILIES {
            match Self::of_family(family, &headers)? {
                Family::Whole(found) => return Ok(found),
                Family::Lacks(name) => missing = missing.or(Some(name)),
            }
        }
        Err(refused(
            "a header is missing",
            &format!(
                "The header {} is missing; webhook-id, webhook-timestamp and webhook-signature are accepted as well.",
                missing.unwrap_or_default()
            ),
        ))
    }

    fn of_family(family: &str, headers: &[(JsonbPart, JsonbPart)]) -> Result<Family, Problem> {
        let mut values = Vec::with_capacity(3);
        for part in ["id", "timestamp", "signature"] {
            let name = format!("{family}-{part}");
            match header(&name, headers)? {
                Some(value) => values.push(value),
                None => return Ok(Family::Lacks(name)),
            }
        }
        let [id, timestamp, signature] = values.try_into().expect("three parts, three values");
        Ok(Family::Whole(Self {
            id,
            timestamp,
            signature,
        }))
    }

    /// The signed text joins id, time and body with dots, so a dot in the id would make it
    /// ambiguous.
    fn check_id(&self) -> Result<(), Problem> {
        if self.id.is_empty() || self.id.len() > LONGEST_ID || self.id.contains('.') {
            return Err(refused(
                "the message id is malformed",
                &format!(
                    "It has {} bytes; 1 to {LONGEST_ID} bytes without a dot are allowed.",
                    self.id.len()
                ),
            ));
        }
        Ok(())
    }

    fn check_time(&self, now: i64) -> Result<(), Problem> {
        let digits =
            !self.timestamp.is_empty() && self.timestamp.bytes().all(|b| b.is_ascii_digit());
        let signed_at = self.timestamp.parse::<i64>().ok().filter(|_| digits);
        let Some(signed_at) = signed_at else {
            return Err(refused(
                "the timestamp is malformed",
                "It is not a number of seconds since 1970.",
            ));
        };
        if now.abs_diff(signed_at) > TOLERANCE {
            return Err(Problem::WebhookUntimely {
                signed_at,
                now,
                tolerance: TOLERANCE,
            });
        }
        Ok(())
    }

    /// Each key makes one signature, however many are sent: a long list costs no more hashing.
    fn check_signature(&self, keys: &[Key], body: &str) -> Result<(), Problem> {
        let offered: Vec<Vec<u8>> = self
            .signature
            .split_ascii_whitespace()
            .filter_map(|entry| entry.split_once(','))
            .filter(|(version, _)| *version == VERSION)
            .filter_map(|(_, signature)| PADDING_OR_NOT.decode(signature).ok())
            .collect();
        let fits = keys.iter().any(|key| {
            let expected = self.sign(key, body);
            offered
                .iter()
                .any(|signature| verify_slices_are_equal(expected.as_ref(), signature).is_ok())
        });
        if !fits {
            return Err(Problem::SignatureMismatch {
                detail: format!(
                    "Signatures of version {VERSION}: {}; secrets: {}.",
                    offered.len(),
                    keys.len()
                ),
            });
        }
        Ok(())
    }

    fn sign(&self, key: &Key, body: &str) -> hmac::Tag {
        let mut context = Context::with_key(key);
        for part in [&self.id, ".", &self.timestamp, ".", body] {
            context.update(part.as_bytes());
        }
        context.sign()
    }
}

/// A header by its name, ignoring case.
fn header(name: &str, headers: &[(JsonbPart, JsonbPart)]) -> Result<Option<String>, Problem> {
    let mut found = headers
        .iter()
        .filter(|(other, _)| {
            other
                .text()
                .is_some_and(|other| other.eq_ignore_ascii_case(name))
        })
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => text_of(value).map(Some).ok_or_else(|| {
            refused(
                "a header is not a string",
                &format!(
                    "The value of {name} is neither a JSON string nor an array of one string."
                ),
            )
        }),
        (Some(_), Some(_)) => Err(refused(
            "a header occurs twice",
            &format!("The name {name} occurs twice, in different case."),
        )),
    }
}

/// A header's value: a string, or an array of one string, as some servers pass all headers.
fn text_of(value: &JsonbPart) -> Option<String> {
    match value.elements().as_deref() {
        Some([only]) => only.text().map(str::to_owned),
        _ => value.text().map(str::to_owned),
    }
}

fn refused(why: &'static str, detail: &str) -> Problem {
    Problem::WebhookRefused {
        why,
        detail: detail.to_owned(),
    }
}
