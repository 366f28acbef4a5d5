//! The signature of a webhook's delivery, as Svix and standard-webhooks make it.
//!
//! It is an HMAC-SHA256 over id, time and body, in base64, under each of the endpoint's secrets. No
//! secret or signature is part of an error.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, Context, HMAC_SHA256, Key};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

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

/// Why a delivery is refused, or none can be verified.
#[derive(Debug, PartialEq, Eq)]
pub enum BadDelivery {
    NoSecret,
    UnusableSecret {
        /// Its number, counted from 1.
        number: usize,
        /// The rest of a sentence.
        reason: String,
    },
    Refused {
        why: &'static str,
        detail: String,
    },
    /// Times in seconds since 1970.
    Untimely {
        signed_at: i64,
        now: i64,
        tolerance: u64,
    },
    Mismatch {
        detail: String,
    },
}

/// The keys that may have signed deliveries.
pub struct Keys(Vec<Key>);

impl Keys {
    /// The keys of the secrets: more than one, separated by spaces, while a new one replaces the old
    /// one.
    ///
    /// # Errors
    /// Why no delivery can be verified with them.
    pub fn parse(secrets: &str) -> Result<Self, BadDelivery> {
        let keys: Vec<Key> = secrets
            .split_ascii_whitespace()
            .enumerate()
            .map(|(index, secret)| {
                let unusable = |reason: String| BadDelivery::UnusableSecret {
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
            .collect::<Result<_, BadDelivery>>()?;
        if keys.is_empty() {
            return Err(BadDelivery::NoSecret);
        }
        Ok(Self(keys))
    }
}

/// The three headers of one family.
pub struct Headers {
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
    /// The headers of a delivery among those of a request: their names, and the values by their numbers,
    /// `None` for one that is not a string.
    ///
    /// # Errors
    /// Which header is missing, not a string, or there twice.
    pub fn find(
        names: &[&str],
        value: impl Fn(usize) -> Option<String>,
    ) -> Result<Self, BadDelivery> {
        let mut missing = None;
        for family in FAMILIES {
            match Self::of_family(family, names, &value)? {
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

    fn of_family(
        family: &str,
        names: &[&str],
        value: &impl Fn(usize) -> Option<String>,
    ) -> Result<Family, BadDelivery> {
        let mut values = Vec::with_capacity(3);
        for part in ["id", "timestamp", "signature"] {
            let name = format!("{family}-{part}");
            match header(&name, names, value)? {
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

    /// The id of the message, if one of the keys signed it with the body, at a time that is close to
    /// `now`, in seconds since 1970.
    ///
    /// # Errors
    /// Why the delivery is refused.
    pub fn verify(self, keys: &Keys, body: &str, now: i64) -> Result<String, BadDelivery> {
        self.check_id()?;
        self.check_time(now)?;
        self.check_signature(&keys.0, body)?;
        Ok(self.id)
    }

    /// The signed text joins id, time and body with dots, so a dot in the id would make it
    /// ambiguous.
    fn check_id(&self) -> Result<(), BadDelivery> {
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

    fn check_time(&self, now: i64) -> Result<(), BadDelivery> {
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
            return Err(BadDelivery::Untimely {
                signed_at,
                now,
                tolerance: TOLERANCE,
            });
        }
        Ok(())
    }

    /// Each key makes one signature, however many are sent: a long list costs no more hashing.
    fn check_signature(&self, keys: &[Key], body: &str) -> Result<(), BadDelivery> {
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
            return Err(BadDelivery::Mismatch {
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
fn header(
    name: &str,
    names: &[&str],
    value: &impl Fn(usize) -> Option<String>,
) -> Result<Option<String>, BadDelivery> {
    let mut found = names
        .iter()
        .enumerate()
        .filter(|(_, other)| other.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some((number, _)), None) => value(number).map(Some).ok_or_else(|| {
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

fn refused(why: &'static str, detail: &str) -> BadDelivery {
    BadDelivery::Refused {
        why,
        detail: detail.to_owned(),
    }
}
