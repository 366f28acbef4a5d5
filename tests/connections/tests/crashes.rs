//! A test fails if a process of its own server crashes, also if the test does not notice.

use std::process::Command;

use neon_auth_connections::{Cluster, eventually};

#[test]
#[should_panic(expected = "was terminated by signal 6")]
fn a_crash_that_no_test_notices_is_a_failure() {
    let cluster = Cluster::start("");
    let mut session = cluster.administrator();
    let pid = session.pid().to_string();
    // The signal of a failed assertion, which no sanitizer catches.
    let kill = Command::new("kill").args(["-6", &pid]).status();
    assert!(kill.expect("kill runs").success(), "{pid}");
    eventually("the server has seen it", || {
        cluster.log().contains("terminated by signal")
    });
}
