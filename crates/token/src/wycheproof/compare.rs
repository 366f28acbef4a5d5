//! Compares our verdicts with those of a set of vectors.
//!
//! Where they differ, the set lists the cases and why. A case that differs and is not listed fails, and so
//! does a listed one that no longer differs.

use serde_json::Value;

/// A case that was tried.
struct Case {
    id: u64,
    is_valid: bool,
    is_accepted: bool,
}

/// Cases in which our verdict differs.
pub(super) struct Differs {
    pub(super) cases: Cases,
    pub(super) why: &'static str,
}

pub(super) enum Cases {
    These(&'static [u64]),
    /// All that are valid: nothing of the set is accepted.
    EveryValid,
}

/// Tries each case of a set with the keys of its group, and compares the verdicts with those that are
/// expected.
pub(super) fn compare<K>(
    name: &str,
    set: &str,
    differs: &[Differs],
    keys: impl Fn(&Value) -> K,
    accepts: impl Fn(&K, &Value) -> bool,
) {
    let set: Value = serde_json::from_str(set).expect("JSON");
    let mut cases = Vec::new();
    for group in set["testGroups"].as_array().expect("groups") {
        let keys = keys(group);
        for test in group["tests"].as_array().expect("tests") {
            cases.push(Case {
                id: test["tcId"].as_u64().expect("a number"),
                // What is "acceptable" is a leniency that we do not have.
                is_valid: test["result"] == "valid",
                is_accepted: accepts(&keys, test),
            });
        }
    }
    assert_eq!(set["numberOfTests"], cases.len(), "{name}");
    let found = cases
        .iter()
        .filter(|case| case.is_valid != case.is_accepted);
    let found: Vec<u64> = found.map(|case| case.id).collect();
    let mut listed = Vec::new();
    for Differs { cases: ids, why } in differs {
        assert!(!why.is_empty());
        match ids {
            Cases::These(ids) => listed.extend_from_slice(ids),
            Cases::EveryValid => {
                let valid = cases.iter().filter(|case| case.is_valid);
                listed.extend(valid.map(|case| case.id));
            }
        }
    }
    listed.sort_unstable();
    assert_eq!(found, listed, "{name}: found, and listed");
}
