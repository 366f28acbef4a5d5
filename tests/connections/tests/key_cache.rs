//! What the key server says about keeping its answer.

use neon_auth_connections::{Cluster, World, eventually};
use neon_auth_stack::Fault;
use postgres::error::SqlState;

/// The time for which the keys are kept, with this `Cache-Control`.
fn lifetime(world: &World, cache_control: Option<&str>) -> String {
    world.break_key_server(Fault::Header {
        name: "cache-control".to_owned(),
        value: cache_control.map(str::to_owned),
    });
    world.fetch_keys();
    let seconds = "extract(epoch FROM fresh_until - fetched_at)::bigint";
    world.cached(seconds).expect("the keys have been fetched")
}

#[test]
fn cache_control_counts_between_the_cooldown_and_a_day() {
    let world = World::new();
    for (cache_control, seconds) in [
        (Some("public, max-age=3600"), "3600"),
        (Some("max-age=\"900\""), "900"),
        (Some("MAX-AGE=900"), "900"),
        (Some("max-age=86401"), "86400"),
        (Some("max-age=99999999999"), "86400"),
        (Some("max-age=31"), "31"),
        (Some("max-age=3"), "30"),
        (Some("max-age=0"), "30"),
        (Some("max-age=-5"), "30"),
        (Some("no-store"), "30"),
        (Some("no-cache, max-age=3600"), "30"),
        (Some("max-age=soon"), "600"),
        (Some("public"), "600"),
        (None, "600"),
    ] {
        assert_eq!(
            lifetime(&world, cache_control),
            seconds,
            "{cache_control:?}"
        );
    }
}

#[test]
fn the_settings_of_the_database_reach_the_background_worker() {
    let world = World::new();
    world.database.set("neon_auth.jwks_cache_time", "77s");
    world.database.set("neon_auth.jwks_cooldown", "5s");
    assert_eq!(lifetime(&world, None), "77");
    assert_eq!(lifetime(&world, Some("max-age=1")), "5");
}

#[test]
fn an_etag_is_sent_back_and_304_confirms_the_keys() {
    let world = World::new();
    world.stack.set_etags(true);
    world.fetch_keys();
    let etag = world.cached("etag").expect("the key server sent one");
    let jwks = world.cached("jwks");
    world.outdate_keys(1);
    world.app().sign_in_for_session(&world.token());
    let requests = world.stack.received("/api/v1/projects/");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].headers.get("if-none-match"), Some(&etag));
    assert_eq!(world.cached("jwks"), jwks);
    assert_eq!(world.cached("etag"), Some(etag.clone()));
    let confirmed = "fresh_until > now() AND fetched_at > now() - interval '1 minute'";
    assert_eq!(world.cached(confirmed), Some("true".to_owned()));

    world.stack.rotate_keys();
    world.outdate_keys(1);
    world.app().sign_in_for_session(&world.token());
    assert_ne!(world.cached("jwks"), jwks);
    assert_ne!(world.cached("etag"), Some(etag));
}

#[test]
fn a_304_to_no_etag_is_a_failure() {
    let world = World::new();
    world.break_key_server(Fault::status(304));
    let refusal = world.app().sign_in_refused(&world.token());
    assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
    assert_eq!(world.cached("jwks"), None);
}

/// Lets nine tenths of the keys' time be over.
fn enter_last_fifth(world: &World) {
    world.superuser().run(
        "UPDATE neon_auth.jwks_cache
            SET fetched_at = now() - interval '90 minutes', attempted_at = now() - interval '90 minutes',
                fresh_until = now() + interval '10 minutes'",
    );
}

#[test]
fn keys_in_their_last_fifth_are_refreshed_behind_the_sessions_back() {
    let world = World::with_keys();
    enter_last_fifth(&world);
    world.app().sign_in_for_session(&world.token());
    eventually("the keys are refreshed", || world.fetches() == 1);
    eventually("they are stored", || {
        world.cached("fetched_at > now() - interval '1 minute'") == Some("true".to_owned())
    });
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_session_does_not_wait_for_a_refresh_behind_its_back() {
    let world = World::with_keys();
    enter_last_fifth(&world);
    world.break_key_server(Fault::Hang);
    let mut app = world.app();
    app.run("SET statement_timeout = '2s'");
    app.sign_in_for_session(&world.token());
    app.sign_in_for_session(&world.token());
}

#[test]
fn many_sign_ins_start_one_refresh_behind_their_backs() {
    // Background workers log without the name of their database: a server of its own tells whose it is.
    let cluster = Cluster::start("");
    let world = World::in_server(cluster.server());
    world.fetch_keys();
    let mut sessions = [world.app(), world.app()];
    for session in &mut sessions {
        session.sign_in_for_session(&world.token());
    }
    enter_last_fifth(&world);
    world.break_key_server(Fault::Delay { millis: 3000 });
    sessions[0].sign_in_for_session(&world.token());
    eventually("the refresh has begun", || world.fetches() == 1);
    for _ in 0..3 {
        for session in &mut sessions {
            session.sign_in_for_session(&world.token());
        }
    }
    let workers = "SELECT count(*)::text FROM pg_stat_activity
                    WHERE datname = current_database() AND backend_type = 'neon_auth JWKS refresh'";
    let mut superuser = world.superuser();
    assert_eq!(superuser.value(workers, &[]), Some("1".to_owned()));
    eventually("the keys are refreshed", || {
        superuser.value(workers, &[]) == Some("0".to_owned())
    });
    assert_eq!(world.fetches(), 1);
    let log = cluster.log();
    let loud = ["ERROR:", "FATAL:", "exited with exit code"];
    let is_loud = |line: &&str| loud.iter().any(|word| line.contains(word));
    assert_eq!(log.lines().find(is_loud), None, "{log}");
}
