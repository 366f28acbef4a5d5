//! Valid signatures that were checked before, in memory that several processes may share.
//!
//! # Why it is safe
//!
//! An entry states one fact that never changes: *this very text, as a token, has a valid signature of this
//! algorithm by this very public key*. It does not say that the token is accepted. Which provider has the
//! issuer, which key of its set the token names, the algorithms and rules of the provider, and the time are
//! judged at each verification, from what is valid then. So the removal of a key, a changed rule, a
//! revocation or the end of a token's time need not remove anything here.
//!
//! * **Only the verifier makes an entry**: [`verify`](crate::verify()), of a token that it has accepted and whose
//!   signature it has checked. A refused token leaves nothing, so nobody can fill the memory with tokens that
//!   are meant for others.
//! * **An entry is a fingerprint**: SHA-256 of a salt, a scope, the algorithm, the thumbprint of the key
//!   (RFC 7638) and the token's text. It reveals no token, claim or key. Without the salt nobody can compute
//!   one, so nobody can choose tokens that share a set.
//! * **There are no locks.** The words of an entry are read and written one by one, so a reader may see a
//!   mixture of two fingerprints, and two concurrent writers may leave one. A lookup succeeds only if each of
//!   the four words is the one that is looked for. Either the fingerprint that is looked for was written here,
//!   and then its fact is true; or four words of other digests agree with it by chance, 256 bits in all. This
//!   also covers empty entries (zeros), and any content from before the salt was drawn. No other data
//!   depends on an entry, so relaxed atomics are enough.
//! * **A crash leaves nothing wrong**: a process that dies while it writes leaves such a mixture.

use std::cell::Cell;
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use aws_lc_rs::digest::{Context, SHA256};

/// Number of entries in a set.
const WAYS: usize = 7;
/// Number of words in a fingerprint.
const WORDS: usize = 4;

/// The bytes that make fingerprints unpredictable; drawn anew whenever the memory is.
pub type Salt = [u8; 32];

type Fingerprint = [u64; WORDS];

/// The entries among which a fingerprint is looked for; four lines of the processor's cache.
#[repr(C, align(64))]
#[derive(Default)]
pub struct CacheSet {
    fingerprints: [[AtomicU64; WORDS]; WAYS],
    /// When each entry was last used, in seconds; 0 while it is empty.
    used_at: [AtomicU32; WAYS],
}

impl CacheSet {
    /// How many entries a set has.
    pub const ENTRIES: usize = WAYS;

    /// How many of its entries were used in this number of seconds before now.
    pub fn used_within(&self, seconds_ago: i64, now: i64) -> usize {
        let is_recent = |used_at: &&AtomicU32| {
            let used_at = used_at.load(Relaxed);
            used_at != 0 && age(used_at, seconds(now)) <= seconds_ago
        };
        self.used_at.iter().filter(is_recent).count()
    }
}

/// The memory, for one verification.
pub struct SignatureCache<'a> {
    sets: &'a [CacheSet],
    salt: &'a Salt,
    scope: u32,
    lookup: Cell<Lookup>,
}

/// What this verification has found out about the signature.
#[derive(Clone, Copy)]
enum Lookup {
    Nothing,
    Hit,
    /// It was not found, and is valid.
    Checked(Fingerprint),
}

impl<'a> SignatureCache<'a> {
    /// Entries of one salt and scope are not found by another.
    pub fn new(sets: &'a [CacheSet], salt: &'a Salt, scope: u32) -> Self {
        Self {
            sets,
            salt,
            scope,
            lookup: Cell::new(Lookup::Nothing),
        }
    }

    /// Whether the signature was found here, and so was not checked again.
    pub fn was_hit(&self) -> bool {
        matches!(self.lookup.get(), Lookup::Hit)
    }

    /// Whether the signature of a token is valid: because it is found here, or by `check`.
    pub(crate) fn is_valid(
        &self,
        algorithm: &str,
        thumbprint: &str,
        token: &str,
        now: i64,
        check: impl FnOnce() -> bool,
    ) -> bool {
        let fingerprint = self.fingerprint(algorithm, thumbprint, token);
        let lookup = if self.contains(fingerprint, seconds(now)) {
            Lookup::Hit
        } else if check() {
            Lookup::Checked(fingerprint)
        } else {
            Lookup::Nothing
        };
        self.lookup.set(lookup);
        !matches!(lookup, Lookup::Nothing)
    }

    /// Remembers the signature that this verification has checked, now that every rule is met.
    pub(crate) fn remember(&self, now: i64) {
        if let Lookup::Checked(fingerprint) = self.lookup.get() {
            self.insert(fingerprint, seconds(now));
        }
    }

    fn contains(&self, fingerprint: Fingerprint, now: u32) -> bool {
        let Some(set) = self.set_of(fingerprint) else {
            return false;
        };
        let is_it = |entry: &[AtomicU64; WORDS]| {
            entry
                .iter()
                .zip(fingerprint)
                .all(|(word, of_it)| word.load(Relaxed) == of_it)
        };
        let Some(place) = set.fingerprints.iter().position(is_it) else {
            return false;
        };
        // Written once a second at most: a line that every process writes belongs to none for long.
        let used_at = &set.used_at[place];
        if used_at.load(Relaxed) != now {
            used_at.store(now, Relaxed);
        }
        true
    }

    /// In the place of the entry that was not used for the longest time.
    fn insert(&self, fingerprint: Fingerprint, now: u32) {
        let Some(set) = self.set_of(fingerprint) else {
            return;
        };
        let oldest = set
            .used_at
            .iter()
            .zip(&set.fingerprints)
            .max_by_key(|(used_at, _)| age(used_at.load(Relaxed), now));
        if let Some((used_at, entry)) = oldest {
            for (word, of_it) in entry.iter().zip(fingerprint) {
                word.store(of_it, Relaxed);
            }
            used_at.store(now, Relaxed);
        }
    }

    fn set_of(&self, [first, ..]: Fingerprint) -> Option<&'a CacheSet> {
        // The whole range of 64 bits is scaled down to the number of sets.
        let index = (u128::from(first) * self.sets.len() as u128) >> u64::BITS;
        self.sets.get(index as usize)
    }

    /// The parts that have no fixed length are preceded by theirs; the last one needs none.
    fn fingerprint(&self, algorithm: &str, thumbprint: &str, token: &str) -> Fingerprint {
        let mut context = Context::new(&SHA256);
        context.update(self.salt);
        context.update(&self.scope.to_be_bytes());
        for part in [algorithm, thumbprint] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.update(token.as_bytes());
        let digest = context.finish();
        let (words, _) = digest.as_ref().as_chunks();
        std::array::from_fn(|word| u64::from_be_bytes(words[word]))
    }
}

/// For how long an entry was not used. A process may be a second ahead of another; a use that is far
/// ahead is from before the clock was set back.
fn age(used_at: u32, now: u32) -> i64 {
    const MOST_AHEAD: i64 = 60;

    let age = i64::from(now) - i64::from(used_at);
    if age < -MOST_AHEAD { i64::MAX } else { age }
}

/// The time as entries have it. Its wrapping, after 136 years, can only evict the wrong entry.
fn seconds(now: i64) -> u32 {
    now as u32
}

/// Shows neither the salt nor an entry.
impl fmt::Debug for SignatureCache<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignatureCache")
            .field("sets", &self.sets.len())
            .field("was_hit", &self.was_hit())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mixture_of_two_entries_is_neither() {
        let sets = [CacheSet::default()];
        let cache = SignatureCache::new(&sets, &[0; 32], 0);
        let (one, other) = ([1, 2, 3, 4], [1, 20, 30, 40]);
        for torn in 0..WORDS {
            cache.insert(one, 1);
            assert!(cache.contains(one, 1));
            let written = sets[0]
                .fingerprints
                .iter()
                .find(|entry| entry[1].load(Relaxed) == 2);
            let entry = written.expect("it was inserted");
            for word in 1..=torn {
                entry[word].store(other[word], Relaxed);
            }
            assert_eq!(cache.contains(one, 1), torn == 0);
            assert_eq!(cache.contains(other, 1), torn == WORDS - 1);
            for word in entry {
                word.store(0, Relaxed);
            }
        }
    }

    #[test]
    fn an_entry_from_far_ahead_is_the_oldest() {
        assert_eq!(age(100, 160), 60);
        assert_eq!(age(160, 100), -60);
        assert_eq!(age(161, 100), i64::MAX);
    }
}
