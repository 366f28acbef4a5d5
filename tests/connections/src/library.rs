//! The libraries of tests/libraries.

use std::path::Path;
use std::process::Command;

/// Builds one, and answers its path.
#[track_caller]
pub fn library(name: &str) -> String {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../libraries/build");
    let output = Command::new(build).arg(name).output();
    let output = output.expect("the script runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let path = String::from_utf8(output.stdout).expect("a path is text");
    path.trim().to_owned()
}
