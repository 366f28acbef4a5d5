//! Cache of the tokens that this session has verified, so that a repeated token costs a hash.
//!
//! A cached result is valid only while the provider's row and its key set are the same objects as
//! at the verification: any change of the tables replaces them, and so invalidates the result.
//! Times are checked at each use. A refused token is never cached.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use aws_lc_rs::digest::{SHA256, digest};
use lru::LruCache;
use neon_auth_token::{KeySet, LONGEST, Verified};

use super::admitted::{Admitted, Proof};
use super::table_keys;
use super::trust::{self, KeySource, Provider};
use crate::clock;
use crate::error::Problem;
use crate::process_local::process_local;

/// Number of cached results; the least recently used one is evicted.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(64).unwrap();
/// Maximum total size of their tokens in bytes: as many tokens of the default maximum size.
const MOST_BYTES: usize = 64 * LONGEST;

/// The SHA-256 of a token.
pub type Digest = [u8; 32];

struct Verdict {
    admitted: Rc<Admitted>,
    keys: Rc<KeySet>,
    /// Size of the token.
    bytes: usize,
}

/// The cached results, and the total size of their tokens.
struct Seen {
    verdicts: LruCache<Digest, Verdict>,
    bytes: usize,
}

process_local! {
    static SEEN: RefCell<Seen> = RefCell::new(Seen {
        verdicts: LruCache::new(CAPACITY),
        bytes: 0,
    });
}

/// The cached result for the token with this digest, if nothing that it depends on has changed. Raises the error of
/// `judge_time`.
pub fn before(digest: &Digest) -> Result<Option<Rc<Admitted>>, Problem> {
    let Some((admitted, keys)) = SEEN.with_borrow_mut(|seen| {
        seen.verdicts
            .get(digest)
            .map(|verdict| (Rc::clone(&verdict.admitted), Rc::clone(&verdict.keys)))
    }) else {
        return Ok(None);
    };
    let now = clock::seconds();
    // Sessions are looked up each time.
    let Proof::Jwt(verified) = &admitted.proof else {
        return Ok(None);
    };
    let provider = trust::current()?.provider_for(verified.issuer(), verified.audiences())?;
    let is_same = |of_then: &Rc<Provider>| Rc::ptr_eq(&provider, of_then);
    let unchanged = admitted.provider.as_ref().is_some_and(is_same)
        && keys_now(&provider, verified, now).is_some_and(|now| Rc::ptr_eq(&now, &keys));
    if !unchanged {
        return Ok(None);
    }
    verified.judge_time(&provider.policy, now)?;
    Ok(Some(admitted))
}

/// The keys that would verify the token now, unless they must be fetched first.
fn keys_now(provider: &Provider, verified: &Verified, now: i64) -> Option<Rc<KeySet>> {
    if let KeySource::Table = provider.source {
        return table_keys::keys_for(verified.key_id(), now).ok();
    }
    let freshness = provider.key_freshness(now);
    if freshness.is_due(now) || freshness.is_due_soon(now) {
        return None;
    }
    freshness.keys(&provider.name, now).ok()
}

/// Caches the result for a token of so many bytes, with the keys that were used.
pub fn remember(digest: Digest, bytes: usize, admitted: &Rc<Admitted>, keys: Rc<KeySet>) {
    let verdict = Verdict {
        admitted: Rc::clone(admitted),
        keys,
        bytes,
    };
    SEEN.with_borrow_mut(|seen| {
        seen.bytes += bytes;
        // Another result for the same token, or the oldest one.
        if let Some((_, evicted)) = seen.verdicts.push(digest, verdict) {
            seen.bytes -= evicted.bytes;
        }
        while seen.bytes > MOST_BYTES
            && let Some((_, oldest)) = seen.verdicts.pop_lru()
        {
            seen.bytes -= oldest.bytes;
        }
    });
}

pub fn digest_of(text: &str) -> Digest {
    digest(&SHA256, text.as_bytes())
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}
