//! What a session takes of memory is bounded, whatever policies ask and however much the service lists.

use neon_auth_connections::{Cluster, SYNC, World, id_of, peak};
use neon_auth_stack::teams::Membership;
use neon_auth_stack::{Endpoint, Fault, NewTeam};

/// Kilobytes that a session may take for a question of a megabyte and its copies.
const SOME: u64 = 64 * 1024;

/// Asks about ids, each made of `n`, as a role without any right does; all answers are no.
#[track_caller]
fn assert_forgotten(ids: &str, count: u32) {
    let world = World::with_keys();
    for question in [
        "auth.has_permission(id)",
        "auth.has_permission(id, 't1')",
        "auth.has_permission('editor', id)",
        "auth.is_team_member(id)",
    ] {
        let mut app = world.app();
        app.sign_in_for_session(&world.token());
        app.run("SELECT auth.has_permission('editor', 't1')");
        let before = peak(&mut app);
        let asked = format!(
            "SELECT count(*)::text
               FROM generate_series(1, {count}) AS n, LATERAL (SELECT {ids} AS id OFFSET 0) AS i
              WHERE NOT {question}"
        );
        assert_eq!(app.value(&asked, &[]), Some(count.to_string()));
        let grown = peak(&mut app) - before;
        assert!(grown < SOME, "{question}: {grown} kB");
    }
}

#[test]
fn long_questions_are_not_remembered() {
    assert_forgotten("repeat('x', 1000000) || n", 1000);
}

#[test]
fn many_questions_are_forgotten() {
    assert_forgotten("repeat('x', 200) || n", 300_000);
}

/// The memory that it takes to confirm a queued team of so many members.
fn peak_of_a_team(world: &World, members: usize) -> u64 {
    let team_id = id_of(&world.stack.create_team(NewTeam::named("Team")));
    for user in &world.stack.everything().users[..members] {
        let user_id = id_of(user);
        world.stack.join_team(Membership { team_id, user_id });
    }
    let team_id = team_id.to_string();
    world.queue("team", &team_id, "");
    let mut session = world.superuser();
    session.run_refused(SYNC);
    let count = "SELECT count(*)::text FROM neon_auth.team_members_sync WHERE team_id = $1";
    let count = session.value(count, &[&team_id]);
    assert_eq!(count, Some(members.to_string()));
    peak(&mut session)
}

#[test]
fn a_queued_team_takes_as_much_memory_however_large_it_is() {
    // Buffers that several sessions share would count for each.
    let cluster = Cluster::start("shared_buffers = 2MB");
    let world = World::with_users(cluster.server(), 60_000);
    // What is queued is confirmed, and then the run ends.
    let refusal = Fault::status(403);
    world.stack.set_fault(Endpoint::Users, refusal);
    let few = peak_of_a_team(&world, 2_000);
    let many = peak_of_a_team(&world, 60_000);
    assert!(many < few + 12 * 1024, "{few} kB, {many} kB");
}
