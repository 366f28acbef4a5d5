//! Servers that die in the course of a synchronisation, and disks that fill up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use neon_auth_connections::{Cluster, Random, SYNC, Session, World};
use neon_auth_stack::NewTeam;
use postgres::NoTls;
use postgres::error::SqlState;
use serde_json::json;

/// Of each of two servers.
const KILLS: usize = 10;

/// They kill the postmaster at random moments; what a delivery was answered for is there afterwards,
/// and one synchronisation makes the mirror equal.
#[test]
fn a_killed_server_loses_nothing_that_it_answered_for() {
    kill_often(3);
}

#[test]
fn another_killed_server_loses_nothing_that_it_answered_for() {
    kill_often(4);
}

fn kill_often(seed: u64) {
    let cluster = Cluster::start("");
    let world = World::in_server(cluster.server());
    world.accept_webhooks();
    world.stack.populate(2000, true);
    let config = world.database.config("postgres");
    let mut random = Random::seeded(seed);
    let mut told: Vec<String> = Vec::new();
    for round in 0..KILLS {
        // Both have something to do at every time.
        let mut session = world.superuser();
        session.run("UPDATE neon_auth.users_sync SET raw_json = raw_json || '{\"has_password\": null}' WHERE deleted_at IS NULL AND hashtext(id) % 4 = 0");
        let user = world.sign_up("user").parse().expect("ids are UUIDs");
        world.stack.create_team(NewTeam {
            creator_user_id: Some(user),
            ..NewTeam::named("Team")
        });
        for number in 0..30 {
            world
                .stack
                .update_user(user, json!({ "display_name": format!("{round} {number}") }));
        }
        if round % 3 == 0 {
            world.stack.delete_user(user);
        }
        let messages = world.stack.messages();
        let (stack, is_over) = (&world.stack, AtomicBool::new(false));
        let answered = thread::scope(|scope| {
            let delivering = scope.spawn(|| {
                let mut answered = Vec::new();
                let Ok(client) = config.connect(NoTls) else {
                    return answered;
                };
                let mut session = Session::from(client);
                for message in &messages[messages.len() - 32..] {
                    let delivery = stack.delivery(&message.id);
                    if session.try_deliver(&delivery).is_err() {
                        break;
                    }
                    answered.push(message.id.clone());
                    // So that deliveries are still under way when the server is killed.
                    thread::sleep(Duration::from_millis(5));
                }
                answered
            });
            let syncing = scope.spawn(|| {
                while !is_over.load(Ordering::Acquire) {
                    if session.batch_execute(SYNC).is_err() {
                        break;
                    }
                }
            });
            // Killed at any moment of it, whichever that is.
            thread::sleep(Duration::from_millis(random.below(700) as u64));
            cluster.kill();
            is_over.store(true, Ordering::Release);
            syncing.join().expect("the thread ends");
            delivering.join().expect("the thread ends")
        });
        told.extend(answered);
        cluster.start_again();
        let mut session = world.superuser();
        let missing = session.value(
            "SELECT count(*)::text FROM jsonb_array_elements_text($1::text::jsonb) AS told(id)
              WHERE NOT EXISTS (SELECT FROM neon_auth.webhook_deliveries d WHERE d.id = told.id)",
            &[&json!(told).to_string()],
        );
        assert_eq!(missing.as_deref(), Some("0"), "after kill {round}");
        if round % 5 == 4 {
            session.run(SYNC);
            world.assert_mirrored();
        }
    }
    assert!(told.len() > KILLS, "{}", told.len());
    world.sync();
    world.assert_mirrored();
}

/// A limit on the size of files stands for a full disk: it needs no privilege, and a write beyond
/// it fails in the same place, for good reason and with another word.
#[test]
fn a_disk_that_is_full_ends_it_and_the_next_goes_on() {
    let cluster = Cluster::start_limited(2 * 2048);
    let world = World::in_server(cluster.server());
    world.stack.populate(4500, false);
    let refusal = world.sync_refused();
    let is_full =
        refusal.code() == &SqlState::DISK_FULL || refusal.message().contains("File too large");
    assert!(is_full, "{refusal:?}");
    let mut session = world.superuser();
    let count =
        "SELECT (count(*) / 1000)::integer FROM neon_auth.users_sync WHERE deleted_at IS NULL";
    let pages: i32 = session.query_one(count, &[]).expect("a number").get(0);
    assert!((1..4).contains(&pages), "{pages}");
    let progress = "SELECT concat_ws(' ', phase, running) FROM neon_auth.sync_progress";
    assert_eq!(session.value(progress, &[]).as_deref(), Some("users f"));
    drop(session);
    cluster.stop("fast");
    cluster.start_again();
    world.stack.forget_requests();
    world.sync();
    world.assert_mirrored();
    // What was left, and all of it once more.
    assert_eq!(world.asked("users"), 5 - pages as usize + 5);
}
