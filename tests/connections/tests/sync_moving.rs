//! Users who move to the end of the list while it is being read, or leave it: nobody is lost, with
//! cursors of either form.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use neon_auth_connections::{Random, World, parsed};
use neon_auth_stack::{Endpoint, Fault, NewUser};
use postgres::error::SqlState;
use serde_json::{Value, json};

const PEOPLE: u64 = 2100;

fn world(is_exclusive: bool) -> World {
    let world = World::new();
    world.stack.set_exclusive_cursors(is_exclusive);
    world.stack.populate(PEOPLE, false);
    world
}

fn id(user: &Value) -> String {
    user["id"].as_str().expect("an id is a string").to_owned()
}

fn list(world: &World) -> Vec<String> {
    world.stack.everything().users.iter().map(id).collect()
}

/// What happens to the place of an anonymous user who signs up.
fn move_to_the_end(world: &World, user: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.expect("it is later than 1970").as_millis();
    let moved = json!({ "signed_up_at_millis": u64::try_from(now).expect("it is soon") });
    world.stack.update_user(parsed(user), moved);
}

fn mirrored(world: &World) -> BTreeSet<String> {
    let living = "SELECT id FROM neon_auth.users_sync WHERE deleted_at IS NULL";
    let ids = world.superuser().values(living, &[]);
    ids.into_iter().flatten().collect()
}

/// Nobody who exists is missing in the mirror, or deleted there.
#[track_caller]
fn assert_nobody_is_lost(world: &World, case: &str) {
    let mirrored = mirrored(world);
    let lost = list(world).into_iter().filter(|id| !mirrored.contains(id));
    let lost = lost.count();
    assert_eq!(lost, 0, "{case}");
}

/// Requests of single users.
fn singles(world: &World) -> usize {
    world.asked("users/")
}

/// The users before the cursor of the page that is held, the last one first, and two after it.
fn near_cursor(world: &World) -> Vec<String> {
    let requests = world.stack.received("/api/v1/users");
    let query = requests.last().and_then(|request| request.query.as_deref());
    let mut parameters = query.unwrap_or_default().split('&');
    let cursor = parameters.find_map(|parameter| parameter.strip_prefix("cursor="));
    let list = list(world);
    let place = list.iter().position(|id| Some(id.as_str()) == cursor);
    // A list that begins anew has none.
    let place = place.unwrap_or_default();
    let end = list.len().min(place + 3);
    let mut near = list[place.saturating_sub(520)..end].to_vec();
    near.reverse();
    near
}

#[test]
fn inclusive_cursors_whose_users_move_lose_nobody() {
    assert_moved_cursors_lose_nobody(false);
}

#[test]
fn exclusive_cursors_whose_users_move_lose_nobody() {
    assert_moved_cursors_lose_nobody(true);
}

fn assert_moved_cursors_lose_nobody(is_exclusive: bool) {
    for is_first in [true, false] {
        // Alone, with the neighbours, and with all others from which a list could go on.
        for (moved, after) in [(1, 1), (1, 2), (4, 1), (523, 2)] {
            let case = format!("{is_first} {moved} {after}");
            let world = world(is_exclusive);
            if !is_first {
                world.sync();
            }
            world.stack.forget_requests();
            world.stack.hold(Endpoint::Users, after);
            let (outcome, ()) = world.while_syncing(|_| {
                world.stack.wait_until_held(Endpoint::Users);
                for user in near_cursor(&world).iter().take(moved) {
                    move_to_the_end(&world, user);
                }
                world.stack.release(Endpoint::Users);
            });
            assert_eq!(outcome, Ok(()), "{case}");
            world.assert_mirrored();
            // The list itself shows it.
            assert_eq!(singles(&world), 0, "{case}");
        }
    }
}

/// The real event that moves a user.
#[test]
fn an_anonymous_user_who_signs_up_in_mid_scan_loses_nobody() {
    for is_exclusive in [false, true] {
        let world = World::new();
        world.stack.set_exclusive_cursors(is_exclusive);
        for _ in 0..2100 {
            world.stack.sign_up(NewUser::anonymous());
        }
        world.stack.hold(Endpoint::Users, 1);
        let (outcome, ()) = world.while_syncing(|_| {
            world.stack.wait_until_held(Endpoint::Users);
            for user in near_cursor(&world).iter().take(3) {
                world
                    .stack
                    .update_user(parsed(user), json!({ "is_anonymous": false }));
            }
            world.stack.release(Endpoint::Users);
        });
        assert_eq!(outcome, Ok(()));
        world.assert_mirrored();
    }
}

/// What an interrupted run has stored may be out of date when it is resumed.
#[test]
fn a_run_is_resumed_although_its_cursor_moved_or_is_gone() {
    for is_exclusive in [false, true] {
        for is_deleted in [false, true] {
            for number in [1, 523] {
                let world = world(is_exclusive);
                world.stack.hold(Endpoint::Users, 1);
                let (outcome, users) = world.while_syncing(|pid| {
                    world.stack.wait_until_held(Endpoint::Users);
                    let users = near_cursor(&world);
                    let cancel = format!("SELECT pg_cancel_backend({pid})");
                    world.superuser().run(&cancel);
                    users
                });
                assert_eq!(outcome, Err(Some(SqlState::QUERY_CANCELED)));
                for user in &users[..number] {
                    if is_deleted {
                        world.stack.delete_user(parsed(user));
                    } else {
                        move_to_the_end(&world, user);
                    }
                }
                world.stack.release(Endpoint::Users);
                // The second run of the call must not hide what the first one has missed.
                world.stack.hold(Endpoint::Teams, 0);
                let (outcome, ()) = world.while_syncing(|_| {
                    world.stack.wait_until_held(Endpoint::Teams);
                    let case = format!("{is_exclusive} {is_deleted} {number}");
                    assert_nobody_is_lost(&world, &case);
                    world.stack.release(Endpoint::Teams);
                });
                assert_eq!(outcome, Ok(()));
                world.assert_mirrored();
            }
        }
    }
}

/// A service that ends its list too early: after ten users that exist nevertheless, all are listed.
#[test]
fn users_are_listed_again_as_soon_as_ten_were_missed() {
    let world = world(false);
    world.sync();
    let users = world.stack.everything().users;
    let page = json!({ "items": [users[999]], "pagination": { "next_cursor": null } });
    let early_end = Fault::json(page.to_string());
    world
        .stack
        .set_fault_after(Endpoint::Users, 1, early_end, Some(1));
    world.stack.forget_requests();
    world.sync();
    world.assert_mirrored();
    assert_eq!(singles(&world), 10);
    assert!(world.deleted("users_sync").is_empty());

    // With fewer, too: the mirror may lack others.
    world.stack.forget_requests();
    let page = json!({ "items": users[1998..2098], "pagination": { "next_cursor": null } });
    let early_end = Fault::json(page.to_string());
    world
        .stack
        .set_fault_after(Endpoint::Users, 2, early_end, Some(1));
    world.sync();
    world.assert_mirrored();
    assert_eq!(singles(&world), 2);
}

/// If every list ends too early, the users are still found, one by one.
#[test]
fn users_whom_no_list_contains_are_requested_one_by_one() {
    let world = World::new();
    world.stack.populate(60, false);
    world.sync();
    let users = world.stack.everything().users;
    world.stack.delete_user(parsed(&id(&users[7])));
    let empty = Fault::json(r#"{"items":[],"pagination":{"next_cursor":null}}"#);
    world.stack.set_fault(Endpoint::Users, empty);
    world.stack.forget_requests();
    world.sync();
    world.stack.clear_fault(Endpoint::Users);
    assert_nobody_is_lost(&world, "all lists are empty");
    assert_eq!(world.deleted("users_sync"), [id(&users[7])]);
    assert_eq!(singles(&world), 60);
}

/// Between any two pages anything may happen to anybody.
#[test]
fn whatever_moves_between_pages_nobody_is_lost() {
    for seed in 0..6 {
        let is_exclusive = seed % 2 == 1;
        let world = world(is_exclusive);
        let mut random = Random::seeded(seed);
        if random.below(2) == 0 {
            world.sync();
        }
        world.stack.hold(Endpoint::Users, 1);
        let (outcome, ()) = world.while_syncing(|_| {
            for page in 1..3 {
                world.stack.wait_until_held(Endpoint::Users);
                let near = near_cursor(&world);
                let far = list(&world);
                let mut chosen: BTreeSet<String> =
                    near[..random.below(5)].iter().cloned().collect();
                for _ in 0..random.below(30) {
                    chosen.insert(random.pick(&near).clone());
                    chosen.insert(random.pick(&far).clone());
                }
                for user in chosen {
                    if random.below(3) == 0 {
                        world.stack.delete_user(parsed(&user));
                    } else {
                        move_to_the_end(&world, &user);
                    }
                }
                // Sometimes more than a page of newcomers.
                world.stack.populate([0, 5, 1200][random.below(3)], false);
                if page < 2 {
                    world.stack.hold(Endpoint::Users, 0);
                } else {
                    world.stack.release(Endpoint::Users);
                }
            }
        });
        assert_eq!(outcome, Ok(()), "seed {seed}");
        assert_nobody_is_lost(&world, &format!("seed {seed}"));
        world.sync();
        world.assert_mirrored();
        let existing: BTreeSet<String> = list(&world).into_iter().collect();
        let deleted = world.deleted("users_sync");
        assert!(
            deleted.iter().all(|id| !existing.contains(id)),
            "seed {seed}"
        );
    }
}

/// A cursor that is not an id is used as it is.
#[test]
fn an_opaque_cursor_is_used_as_it_is() {
    let world = World::new();
    world.stack.populate(1500, false);
    let users = world.stack.everything().users;
    let page = |users: &[Value], next: Value| {
        let page = json!({ "items": users, "pagination": { "next_cursor": next } });
        Fault::json(page.to_string())
    };
    world.stack.hold(Endpoint::Users, 0);
    let (outcome, ()) = world.while_syncing(|_| {
        for (users, next) in [
            (&users[..1000], json!("page two")),
            (&users[1000..], Value::Null),
        ] {
            world.stack.wait_until_held(Endpoint::Users);
            world.stack.set_fault(Endpoint::Users, page(users, next));
            world.stack.hold(Endpoint::Users, 0);
        }
        world.stack.release(Endpoint::Users);
    });
    assert_eq!(outcome, Ok(()));
    let requests = world.stack.received("/api/v1/users");
    let queries = requests
        .iter()
        .filter_map(|request| request.query.as_deref());
    assert_eq!(
        queries
            .filter(|query| query.contains("cursor=page%20two"))
            .count(),
        1
    );
    world.stack.clear_fault(Endpoint::Users);
    assert_nobody_is_lost(&world, "opaque");
}
