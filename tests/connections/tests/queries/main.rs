//! A reader is what a literal in its place would be, in every shape of query.
//!
//! Policies, functions, views and queries are generated from a seed, run with readers and again
//! with what these return, and compared: rows, errors, and what was written. A case that differs is
//! made smaller and kept in `cases/`, from where it is run again for ever.
//!
//! `make fuzz-queries` runs many: QUERIES or QUERIES_SECONDS, from QUERIES_SEED on.

mod case;
mod choices;
mod expressions;
mod schema;
mod selects;
mod shrink;
mod twins;
mod writes;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use case::Case;
use choices::Choices;
use twins::{Difference, Outcome, Twins};

/// How many queries the suite runs.
const QUERIES: usize = 400;
/// How many queries share a set-up.
const PER_SETUP: usize = 25;
/// Errors that neither twin may have: syntax, names, types, and faults of the server.
const INVALID: [&str; 7] = ["42601", "42P01", "42703", "42883", "42804", "25", "XX"];
const SEED: u64 = 20_261_127;

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok().filter(|text| !text.is_empty())?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is not a number")),
    )
}

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/queries/cases")
}

#[test]
fn kept_cases_agree() {
    let mut twins = Twins::new();
    let mut files: Vec<_> = fs::read_dir(cases())
        .expect("cases can be listed")
        .map(|entry| entry.expect("a case can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no case was kept");
    for file in files {
        let text = fs::read_to_string(&file).expect("a case can be read");
        let case = Case::from_text(&text);
        match twins.compare(&case) {
            Ok(Outcome::Rows(_)) => {}
            Ok(outcome) => panic!("{}: {outcome:?}", file.display()),
            Err(difference) => panic!(
                "{}",
                report(&file.display().to_string(), &case, &difference)
            ),
        }
    }
}

#[test]
fn generated_queries_agree() {
    let mut twins = Twins::new();
    let seed = number("QUERIES_SEED").unwrap_or(SEED);
    let seconds = number("QUERIES_SECONDS").map(Duration::from_secs);
    let queries = match number("QUERIES") {
        Some(queries) => queries as usize,
        None if seconds.is_some() => usize::MAX,
        None => QUERIES,
    };
    let start = Instant::now();
    let (mut ran, mut with_rows, mut failed, mut errors, mut slow) = (0, 0, 0, 0, 0);
    let mut setup = Vec::new();
    let mut setup_choices = Vec::new();
    while ran < queries && seconds.is_none_or(|seconds| start.elapsed() < seconds) {
        let seed = seed.wrapping_add(ran as u64);
        if ran.is_multiple_of(PER_SETUP) {
            let choices = Choices::at_random(seed.wrapping_mul(31));
            (setup, setup_choices) = case::setup(choices, twins.major);
        }
        let (case, choices) = case::run(&setup, Choices::at_random(seed), twins.major);
        ran += 1;
        match twins.compare(&case) {
            Ok(Outcome::Rows(statements)) => {
                let rows = statements.iter().map(|rows| rows.len().saturating_sub(1));
                with_rows += usize::from(rows.sum::<usize>() > 0);
            }
            Ok(Outcome::TookTooLong) => slow += 1,
            Ok(Outcome::Error(error)) => {
                errors += 1;
                // Rows may violate policies and constraints, and PostgreSQL may not offer what was
                // made; what is not even a statement, or a fault of a server, proves nothing.
                let is_expected = !INVALID.iter().any(|code| error.starts_with(code));
                assert!(is_expected, "seed {seed}: {error}\n{}", case.to_text());
            }
            Err(difference) => {
                failed += 1;
                keep(
                    &mut twins,
                    seed,
                    &setup_choices,
                    &choices,
                    &case,
                    &difference,
                );
                assert!(failed < 5, "more than enough queries differ");
            }
        }
    }
    eprintln!(
        "{ran} queries in {:?}: {with_rows} with rows, {errors} with errors, {slow} took too long, {failed} differ",
        start.elapsed()
    );
    assert_eq!(
        failed,
        0,
        "queries differ; they are kept in {}",
        cases().display()
    );
    // Comparing nothing with nothing would prove nothing.
    assert!(
        with_rows * 5 > ran * 2,
        "{with_rows} of {ran} queries have rows"
    );
}

/// Makes a failing case smaller and keeps it.
fn keep(
    twins: &mut Twins,
    seed: u64,
    setup: &[usize],
    choices: &[usize],
    case: &Case,
    difference: &Difference,
) {
    eprintln!("{}", report(&format!("seed {seed}"), case, difference));
    let major = twins.major;
    let made = |setup: &[usize], choices: &[usize]| {
        let (setup, _) = case::setup(Choices::again(setup), major);
        case::run(&setup, Choices::again(choices), major).0
    };
    let choices = shrink::shrunk(choices.to_vec(), |choices| {
        twins.compare(&made(setup, choices)).is_err()
    });
    let setup = shrink::shrunk(setup.to_vec(), |setup| {
        twins.compare(&made(setup, &choices)).is_err()
    });
    let case = made(&setup, &choices);
    if let Err(difference) = twins.compare(&case) {
        eprintln!("{}", report("the same, smaller", &case, &difference));
    }
    let file = cases().join(format!("seed_{seed}_pg{major}.sql"));
    fs::write(&file, case.to_text()).expect("a case can be kept");
}

fn report(name: &str, case: &Case, difference: &Difference) -> String {
    format!(
        "{name}: readers and literals differ\n{}\nreaders:  {:?}\nliterals: {:?}\n",
        case.to_text(),
        difference.readers,
        difference.literals
    )
}
