//! Any row of Better Auth's table of keys: its id and its algorithm in two lines, then its public key.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_token::{Algorithm, KeySet};

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (id, algorithm, jwk) = (line(), line(), line());
    let algorithm = Some(algorithm).filter(|name| !name.is_empty());
    let row = KeySet::of_row(id, jwk, algorithm);
    assert_eq!(row.len() + row.left_out().len(), 1);
    let served: Vec<Algorithm> = row.algorithms().collect();
    assert_eq!(row.is_empty(), served.is_empty());
    if let [left_out] = row.left_out() {
        assert!(left_out.reason().len() < 1_000 && !left_out.code().is_empty());
        return;
    }
    assert!(row.key_ids().eq([id]));
    // Keys of one kind of signature only, of an RSA key at most the two that Better Auth can mean.
    assert!(served.len() <= 2);
    if let [one, two] = served[..] {
        assert_eq!([one, two], [Algorithm::RS256, Algorithm::PS256]);
    }
    // The same key in a set is also one, unless the set's rules about its members refuse it.
    if let Ok(set) = KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()) {
        let own: Vec<Algorithm> = set.algorithms().collect();
        let is_rsa =
            served[0].name().as_bytes()[1] == b'S' && served[0].name().as_bytes()[0] != b'E';
        assert!(is_rsa || own == served, "{own:?} {served:?}");
    }
});
