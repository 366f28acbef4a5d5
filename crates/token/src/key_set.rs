//! A provider's published keys.

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::bad_key_set::{self, BadKeySet};
use crate::header::is_key_id;
use crate::jwk::{self, Key};
use crate::left_out::{self, LeftOut, Reason};
use crate::public_key::PublicKey;
use crate::refusal::Kind;
use crate::value::{Map, Value};
use crate::{Algorithm, document, json, shown};

/// The members by which a stored set names a key that was left out when the set was fetched.
const LEFT_OUT: &str = "neon_auth_left_out";
const LEFT_OUT_CODE: &str = "neon_auth_left_out_code";
/// Most keys of one name that a report describes.
const MOST_DESCRIBED: usize = 4;

/// The key of a token, with its thumbprint (RFC 7638).
#[derive(Clone, Copy)]
pub(crate) struct Chosen<'k> {
    pub(crate) thumbprint: &'k str,
    pub(crate) key: &'k PublicKey,
}

/// A JWK Set (RFC 7517 section 5), every usable key checked and ready for use.
pub struct KeySet {
    keys: Vec<Key>,
    left_out: Vec<LeftOut>,
}

impl KeySet {
    /// Reads a JWK Set: at most 256 KiB and 100 keys.
    ///
    /// A key that cannot be used is left out, see [`left_out`](Self::left_out), and affects no
    /// other key (RFC 7517 section 5). Spellings that do not change a value are accepted: a member
    /// that is null, padding, leading zero bytes of an integer, and the same key listed again.
    ///
    /// # Errors
    /// Refuses the document if it is not a JWK Set, or if it has no usable key.
    pub fn parse(json: &[u8]) -> Result<Self, BadKeySet> {
        let published = document::keys(json)?;
        let mut set = Self {
            keys: Vec::new(),
            left_out: Vec::new(),
        };
        for (index, text) in published.iter().enumerate() {
            match read(index, text) {
                Ok((key, _)) => set.add(key),
                Err(left_out) => set.left_out.push(left_out),
            }
        }
        if set.keys.is_empty() {
            let detail = set.why_unusable(published.len());
            return Err(BadKeySet::new(bad_key_set::Kind::NoUsableKey, detail));
        }
        Ok(set)
    }

    /// A set of at most one key, which may be left out.
    pub(crate) fn of(key: Option<Result<Key, LeftOut>>) -> Self {
        let mut set = Self {
            keys: Vec::new(),
            left_out: Vec::new(),
        };
        match key {
            Some(Ok(key)) => set.add(key),
            Some(Err(left_out)) => set.left_out.push(left_out),
            None => {}
        }
        set
    }

    /// The document as it may be stored: [`parse`](Self::parse) returns the same set for it, but it
    /// contains no secret, and of a usable key only the members that are read.
    ///
    /// # Errors
    /// Refuses a document that is not a JWK Set.
    pub fn storable(json: &[u8]) -> Result<String, BadKeySet> {
        let published = document::keys(json)?;
        let stored = published.iter().enumerate().map(|(index, text)| {
            Value::Object(match read(index, text) {
                Ok((_, jwk)) => jwk::essence(&jwk),
                Err(left_out) => stub(&left_out),
            })
        });
        let keys = Value::Array(stored.collect());
        Ok(Value::Object(Map::from([("keys".to_owned(), keys)])).to_string())
    }

    /// Adds a key; the same key under the same name becomes one, with the algorithms of both.
    fn add(&mut self, key: Key) {
        let is_same = |own: &&mut Key| own.id == key.id && own.thumbprint == key.thumbprint;
        match self.keys.iter_mut().find(is_same) {
            Some(own) => {
                for served in key.serves {
                    if own.serving(served.algorithm()).is_none() {
                        own.serves.push(served);
                    }
                }
            }
            None => self.keys.push(key),
        }
    }

    /// How many keys can verify a token.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can verify a token; never true of a set that [`parse`](Self::parse) returned.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether the set names a key `kid`, usable or not. If it does not, a token that
    /// asks for it is refused as [an unknown key](crate::Refusal::is_unknown_key).
    pub fn contains(&self, kid: &str) -> bool {
        self.key_ids().any(|id| id == kid) || self.left_out_as(kid).next().is_some()
    }

    /// The names of the keys that can verify a token, in the order of the set; a key may lack one.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().filter_map(|key| key.id.as_deref())
    }

    /// The algorithms that the keys serve, each once, in the order of [`Algorithm::ALL`].
    pub fn algorithms(&self) -> impl Iterator<Item = Algorithm> {
        let serves = |algorithm| move |key: &Key| key.serving(algorithm).is_some();
        let all = Algorithm::ALL.into_iter();
        all.filter(move |algorithm| self.keys.iter().any(serves(*algorithm)))
    }

    /// The keys of the document that cannot be used, in its order, with the reasons.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    fn left_out_as(&self, kid: &str) -> impl Iterator<Item = &LeftOut> {
        let named = move |key: &&LeftOut| key.key_id() == Some(kid);
        self.left_out.iter().filter(named)
    }

    /// The one key of that name that serves the algorithm. A token without a name gets the one
    /// key of the set that serves its algorithm, named or not. A token with a name never gets a
    /// key without one, as elsewhere: nothing says that it is the key that the token means.
    pub(crate) fn choose(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Chosen<'_>, Kind> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| id.is_none() || key.id.as_deref() == id)
            .filter_map(|key| Some((&key.thumbprint, key.serving(algorithm)?)));
        match (fitting.next(), id) {
            (Some((thumbprint, key)), _) => {
                // One key may be listed under two names.
                if fitting.all(|(other, _)| other == thumbprint) {
                    return Ok(Chosen { thumbprint, key });
                }
                Err(match id {
                    Some(_) => Kind::AmbiguousKey,
                    None => Kind::MissingKeyId,
                })
            }
            (None, Some(id)) if self.key_ids().any(|own| own == id) => Err(Kind::UnusableKey),
            (None, Some(id)) if self.contains(id) => Err(Kind::LeftOutKey),
            (None, _) => Err(Kind::UnknownKey),
        }
    }

    /// What keys of the name `id` are there for, for a report.
    pub(crate) fn purposes(&self, id: &str) -> String {
        let named = self.keys.iter().filter(|key| key.id.as_deref() == Some(id));
        let usable = named.map(|key| {
            let names: Vec<_> = key
                .serves
                .iter()
                .map(|key| key.algorithm().name())
                .collect();
            format!("one for {}", names.join(" "))
        });
        let left_out = self
            .left_out_as(id)
            .map(|key| format!("one left out because {}", key.reason()));
        let purposes: Vec<String> = usable.chain(left_out).take(MOST_DESCRIBED).collect();
        if purposes.is_empty() {
            return "none".to_owned();
        }
        purposes.join(", ")
    }

    /// The names of the usable keys, for a report.
    pub fn describe(&self) -> String {
        let named = shown::list(self.key_ids());
        match self.keys.iter().filter(|key| key.id.is_none()).count() {
            0 => named,
            nameless if nameless == self.keys.len() => format!("{nameless} without kid"),
            nameless => format!("{named}, and {nameless} without kid"),
        }
    }

    fn why_unusable(&self, total: usize) -> String {
        match self.left_out.as_slice() {
            [] => "it lists no keys".to_owned(),
            [only] => format!("its only key: {}", only.reason()),
            [first, ..] => format!("keys: {total}; {first}"),
        }
    }
}

/// Reads one element of "keys": a usable key and its JWK, or why it is left out.
fn read(index: usize, text: &RawValue) -> Result<(Key, Map<String, Value>), LeftOut> {
    let jwk = json::object(text.get()).map_err(|fault| {
        let detail = match &fault {
            json::Fault::NotAnObject(_) => format!("it is {}", fault.detail()),
            fault => format!("it is not strict JSON: {}", fault.detail()),
        };
        let reason = Reason::new(left_out::Kind::Malformed, detail);
        LeftOut::new(index, only_key_id(text), reason)
    })?;
    let key = match left_out_before(&jwk) {
        Some(reason) => Err(reason),
        None => Key::parse(&jwk),
    };
    match key {
        Ok(key) => Ok((key, jwk)),
        Err(reason) => Err(LeftOut::new(index, jwk::key_id(&jwk), reason)),
    }
}

/// The `kid` of a key that is not strict JSON otherwise, where it has exactly one.
fn only_key_id(text: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        kid: String,
    }

    let named: Named = serde_json::from_str(text.get()).ok()?;
    is_key_id(&named.kid).then_some(named.kid)
}

/// What stands for a key that is left out.
fn stub(left_out: &LeftOut) -> Map<String, Value> {
    let text = |text: &str| Value::String(text.to_owned());
    let mut stub = Map::from([
        (LEFT_OUT.to_owned(), text(left_out.reason())),
        (LEFT_OUT_CODE.to_owned(), text(left_out.code())),
    ]);
    if let Some(key_id) = left_out.key_id() {
        stub.insert("kid".to_owned(), text(key_id));
    }
    stub
}

/// The reason that [`KeySet::storable`] wrote in the place of a key.
fn left_out_before(jwk: &Map<String, Value>) -> Option<Reason> {
    let text = jwk.get(LEFT_OUT)?.as_str()?;
    let code = jwk.get(LEFT_OUT_CODE).and_then(Value::as_str);
    let kinds = left_out::Kind::ALL.into_iter();
    let kind = kinds.into_iter().find(|kind| Some(kind.code()) == code);
    Some(Reason::new(
        kind.unwrap_or(left_out::Kind::Malformed),
        shown::line(text),
    ))
}

/// Shows the names of the usable keys, never key material.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySet ")?;
        f.debug_list().entries(self.key_ids()).finish()
    }
}
