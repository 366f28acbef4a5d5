//! Many sessions that want the same keys at once.

use std::thread;

use neon_auth_connections::{World, eventually, together};
use neon_auth_stack::Fault;

const SESSIONS: usize = 30;

fn all_sign_in(world: &World) {
    let token = world.token();
    let users = together(
        vec![(); SESSIONS],
        |()| world.app(),
        |mut app| app.sign_in_for_session(&token),
    );
    assert_eq!(users.len(), SESSIONS);
}

/// One session causes a fetch, and another arrives while it is under way.
fn sign_in_during_a_fetch(world: &World, token: &str) {
    thread::scope(|scope| {
        scope.spawn(|| world.app().sign_in_for_session(token));
        eventually("the fetch is under way", || world.fetches() == 1);
        world.app().sign_in_for_session(token);
    });
}

#[test]
fn sessions_that_arrive_together_cause_one_fetch() {
    let world = World::new();
    all_sign_in(&world);
    assert_eq!(world.fetches(), 1);
}

#[test]
fn sessions_that_arrive_together_wait_for_a_slow_key_server() {
    let world = World::new();
    world.break_key_server(Fault::Delay { millis: 500 });
    all_sign_in(&world);
    assert_eq!(world.fetches(), 1);
}

#[test]
fn sessions_that_arrive_together_after_a_rotation_cause_one_fetch() {
    let world = World::with_keys();
    world.stack.rotate_keys();
    world.end_cooldown();
    all_sign_in(&world);
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_session_that_arrives_during_the_first_fetch_waits_for_it() {
    let world = World::new();
    world.break_key_server(Fault::Delay { millis: 1000 });
    sign_in_during_a_fetch(&world, &world.token());
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_session_that_arrives_during_the_fetch_after_a_rotation_waits_for_it() {
    let world = World::with_keys();
    world.stack.rotate_keys();
    world.end_cooldown();
    world.break_key_server(Fault::Delay { millis: 1000 });
    sign_in_during_a_fetch(&world, &world.token());
    assert_eq!(world.fetches(), 1);
}
