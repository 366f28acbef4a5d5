//! What happens at the service all the time.

use std::thread::Scope;
use std::time::Duration;

use neon_auth_connections::{Activity, Random};

use crate::site::Site;
use crate::watch::Watch;

/// How many users and how many teams the service has at most.
const MOST: usize = 300;
/// The time between two changes.
const PAUSE: Duration = Duration::from_millis(100);

pub fn run<'scope>(
    scope: &'scope Scope<'scope, '_>,
    site: &'scope Site,
    watch: &'scope Watch,
    seed: u64,
) {
    scope.spawn(move || {
        watch.guard("the service", || {
            let mut random = Random::seeded(seed);
            let activity = Activity {
                most: MOST,
                kept: site.kept(),
            };
            while !watch.is_over() {
                activity.act(&site.stack.stack, &mut random);
                watch.pause(PAUSE);
            }
        });
    });
}
