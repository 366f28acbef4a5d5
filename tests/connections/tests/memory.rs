//! What a session remembers of the questions that policies ask is bounded, in number and in length.

use neon_auth_connections::{World, peak};

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
