//! Requests to which the service always responds with status 500: what they are about is set aside,
//! and everything else goes on.

use std::collections::BTreeSet;
use std::thread;

use neon_auth_connections::{Random, World, grant, membership, parsed};
use neon_auth_stack::permissions::{Definition, Scope};
use neon_auth_stack::{Age, Endpoint, Fault, NewTeam};
use postgres::error::SqlState;
use serde_json::{Value, json};

const PEOPLE: usize = 1300;
const SET_ASIDE: &str = "SELECT count(*)::text FROM neon_auth.sync_queue WHERE last_error LIKE '%status 500 at each attempt%'";

fn world(is_exclusive: bool) -> World {
    let world = World::with_webhooks();
    world.stack.set_exclusive_cursors(is_exclusive);
    world.stack.populate(PEOPLE as u64, false);
    world
}

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id is a string").to_owned()
}

fn list(world: &World) -> Vec<String> {
    world.stack.everything().users.iter().map(id).collect()
}

fn mirrored(world: &World) -> BTreeSet<String> {
    let living = "SELECT id FROM neon_auth.users_sync WHERE deleted_at IS NULL";
    let ids = world.superuser().values(living, &[]);
    ids.into_iter().flatten().collect()
}

fn poison(world: &World, ids: &[String]) {
    for id in ids {
        world.stack.poison(parsed(id));
    }
}

fn cure(world: &World, ids: &[String]) {
    for id in ids {
        world.stack.cure(parsed(id));
    }
}

/// Tries all cases side by side: most of the time they wait for the next attempt of a request.
fn side_by_side<T: Send>(cases: impl IntoIterator<Item = T>, try_case: impl Fn(T) + Sync) {
    let try_case = &try_case;
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || try_case(case));
        }
    });
}

/// A team with a member who has a permission there, and another one in the project.
fn settle(world: &World, member: &str) -> String {
    let team = id(&world.stack.create_team(NewTeam::named("Team")));
    world.stack.join_team(membership(&team, member));
    world.stack.grant(grant(Some(&team), member, "team_admin"));
    world.stack.define_permission(Definition {
        scope: Scope::Project,
        id: "tester".to_owned(),
        contained_permission_ids: Vec::new(),
    });
    world.stack.grant(grant(None, member, "tester"));
    team
}

/// The phases after those of users have done their work.
#[track_caller]
fn assert_went_on(world: &World, team: &str) {
    let mut session = world.superuser();
    for table in ["team_members_sync", "team_permissions_sync"] {
        let rows = format!("SELECT count(*) > 0 FROM neon_auth.{table} WHERE team_id = '{team}'");
        let rows = session.value(&format!("SELECT ({rows})::text"), &[]);
        assert_eq!(rows.as_deref(), Some("true"), "{table}");
    }
    let ended = world.last_run("concat_ws(' ', phase, error)");
    assert_eq!(ended.as_deref(), Some("done"));
}

/// The status says that something is missing, and what.
#[track_caller]
fn assert_told(world: &World, what: &str) {
    let (_, detail) = world.status("synchronisation");
    assert!(detail.contains("skipped: "), "{detail}");
    let reason = world.last_run("last_skip_reason").expect("it is noted");
    assert!(reason.contains("status 500"), "{reason}");
    assert!(reason.contains(what), "{reason}");
    assert!(detail.contains(&reason), "{detail}");
}

/// One user is bad, wherever in the list.
#[test]
fn one_bad_user_costs_nobody_else() {
    side_by_side(
        [
            (0, false),
            (0, true),
            (998, true),
            (999, false),
            (999, true),
            (1000, false),
            (577, false),
            (PEOPLE - 1, false),
            (PEOPLE - 1, true),
        ],
        |(place, is_exclusive)| {
            let world = world(is_exclusive);
            let users = list(&world);
            let team = settle(&world, &users[place.abs_diff(1)]);
            let bad = users[place].clone();
            poison(&world, std::slice::from_ref(&bad));
            world.sync();
            let expected: BTreeSet<String> =
                users.iter().filter(|id| **id != bad).cloned().collect();
            assert!(mirrored(&world) == expected, "{place} {is_exclusive}");
            assert_went_on(&world, &team);
            if (1..PEOPLE - 1).contains(&place) {
                // No other user is in the gap.
                let between = format!("between {} and {}", users[place - 1], users[place + 1]);
                let skipped = "concat_ws(' ', skipped, last_skip_reason)";
                let skipped = world.last_run(skipped).expect("a row");
                assert!(
                    skipped.starts_with("1 The list of users has a gap "),
                    "{skipped}"
                );
                assert!(skipped.contains(&between), "{skipped}");
            }
            assert_told(&world, "The list of users has a gap");
            cure(&world, &[bad]);
            world.sync();
            world.assert_mirrored();
            assert_eq!(world.last_run("skipped").as_deref(), Some("0"));
        },
    );
}

/// Users between two bad ones are in no page that the service can return. Those that the mirror
/// knows are requested one by one, none of them is taken for deleted, and the list is not read again.
#[test]
fn between_two_bad_users_nobody_is_deleted() {
    side_by_side([false, true], |is_exclusive| {
        let world = world(is_exclusive);
        world.sync();
        let users = list(&world);
        let bad = [users[400].clone(), users[430].clone()];
        poison(&world, &bad);
        let changes = json!({ "display_name": "Changed" });
        world.stack.update_user(parsed(&users[410]), changes);
        world.stack.delete_user(parsed(&users[420]));
        world.stack.forget_requests();
        world.sync();
        let existing: BTreeSet<String> = list(&world).into_iter().collect();
        assert!(mirrored(&world) == existing);
        assert_eq!(world.deleted("users_sync"), [users[420].clone()]);
        let name = format!(
            "SELECT name FROM neon_auth.users_sync WHERE id = '{}'",
            users[410]
        );
        let name = world.superuser().value(&name, &[]);
        assert_eq!(name.as_deref(), Some("Changed"));
        let singles = users[400..=430].iter();
        for single in singles {
            assert!(world.asked(&format!("users/{single}")) > 0);
        }
        assert!(world.listed("users") < 70, "{}", world.listed("users"));
        cure(&world, &bad);
        world.sync();
        world.assert_mirrored();
    });
}

#[test]
fn if_all_users_are_bad_nobody_is_deleted() {
    side_by_side([false, true], |is_known| {
        let world = World::with_webhooks();
        let users: Vec<String> = ["a", "b", "c"].map(|name| world.sign_up(name)).into();
        if is_known {
            world.sync();
        }
        poison(&world, &users);
        world.sync();
        assert_eq!(mirrored(&world).len(), if is_known { 3 } else { 0 });
        assert!(world.deleted("users_sync").is_empty());
        assert_told(&world, "");
        cure(&world, &users);
        world.sync();
        world.assert_mirrored();
    });
}

/// The user with which the next page begins becomes bad while nobody reads the list.
#[test]
fn a_run_is_resumed_although_the_user_of_its_cursor_is_bad() {
    let cases = [false, true].map(|is_exclusive| [998, 999, 1000].map(|bad| (is_exclusive, bad)));
    side_by_side(cases.concat(), |(is_exclusive, bad)| {
        {
            let world = world(is_exclusive);
            world.stack.hold(Endpoint::Users, 1);
            let (outcome, ()) = world.while_syncing(|pid| {
                world.stack.wait_until_held(Endpoint::Users);
                let cancel = format!("SELECT pg_cancel_backend({pid})");
                world.superuser().run(&cancel);
            });
            assert_eq!(outcome, Err(Some(SqlState::QUERY_CANCELED)));
            world.stack.release(Endpoint::Users);
            let users = list(&world);
            poison(&world, &users[bad..=bad]);
            world.sync();
            let mirrored = mirrored(&world);
            let missing: Vec<usize> = (0..users.len())
                .filter(|place| !mirrored.contains(&users[*place]))
                .collect();
            // The first page was read before.
            let expected = if bad < 1000 { vec![] } else { vec![bad] };
            assert_eq!(missing, expected, "{is_exclusive}");
            assert!(world.deleted("users_sync").is_empty());
        }
    });
}

/// During an outage of its database the service returns 500 for everything: nothing is set aside.
#[test]
fn an_outage_sets_nothing_aside_in_any_phase() {
    side_by_side(
        [
            (Endpoint::User, 0),
            (Endpoint::User, 1),
            (Endpoint::Team, 0),
            (Endpoint::Users, 0),
            (Endpoint::Users, 1),
            (Endpoint::Teams, 0),
            (Endpoint::TeamMemberProfiles, 0),
            (Endpoint::TeamPermissions, 0),
            (Endpoint::TeamPermissions, 1),
            (Endpoint::ProjectPermissions, 1),
        ],
        |(endpoint, after)| {
            let world = world(false);
            let users = list(&world);
            let team = settle(&world, &users[3]);
            world.sync();
            world.assert_mirrored();
            let changes = json!({ "display_name": "Changed" });
            world.stack.update_user(parsed(&users[0]), changes);
            world.stack.delete_user(parsed(&users[1]));
            world.stack.begin_outage(endpoint, after);
            if matches!(endpoint, Endpoint::User | Endpoint::Team) {
                world.queue("user", "", &users[0]);
                world.queue("user", "", &users[2]);
                world.queue("team", &team, "");
            }
            let refusal = world.sync_refused();
            let case = format!("{endpoint:?} {after}");
            assert_eq!(refusal.code(), &SqlState::CONNECTION_FAILURE, "{case}");
            let detail = Some("The service returned status 500.");
            assert_eq!(refusal.detail(), detail, "{case}");
            let set_aside = world.superuser().value(SET_ASIDE, &[]);
            assert_eq!(set_aside.as_deref(), Some("0"), "{case}");
            let skipped = world.last_run("concat_ws(' ', skipped, finished_at IS NULL)");
            assert_eq!(skipped.as_deref(), Some("0 t"), "{case}");
            world.stack.end_outage();
            world.sync();
            world.assert_mirrored();
            assert_eq!(world.deleted("users_sync"), [users[1].clone()]);
        },
    );
}

/// Overloads and proxies pass, so the run waits for them and does not go around them.
#[test]
fn other_statuses_end_the_run() {
    side_by_side([429, 502, 503, 504], |status| {
        for endpoint in [Endpoint::Users, Endpoint::User] {
            let world = World::with_webhooks();
            let user = world.sign_up("user");
            world.queue("user", "", &user);
            world.stack.set_fault(endpoint, Fault::status(status));
            let refusal = world.sync_refused();
            assert_eq!(refusal.code(), &SqlState::CONNECTION_FAILURE);
            let set_aside =
                "SELECT count(*)::text FROM neon_auth.sync_queue WHERE last_error IS NOT NULL";
            let set_aside = world.superuser().value(set_aside, &[]);
            assert_eq!(set_aside.as_deref(), Some("0"), "{status} {endpoint:?}");
        }
    });
}

/// The oldest entry of the queue is about an object that the service cannot return.
#[test]
fn a_bad_object_does_not_block_the_queue() {
    let world = World::with_webhooks();
    let (bad, good) = (world.sign_up("bad"), world.sign_up("good"));
    let team = settle(&world, &good);
    let bad_team = id(&world.stack.create_team(NewTeam::named("Bad")));
    world.sync();
    poison(&world, &[bad.clone(), bad_team.clone()]);
    let changes = json!({ "display_name": "Changed" });
    world.stack.update_user(parsed(&good), changes.clone());
    world.stack.update_team(parsed(&team), changes);
    world.queue("user", "", &bad);
    world.queue("team", &bad_team, "");
    world.queue("user", "", &good);
    world.queue("team", &team, "");
    // Nothing but the queue is worked on.
    world.stack.set_fault(Endpoint::Users, Fault::status(403));
    world.sync_refused();
    world.stack.clear_fault(Endpoint::Users);
    let left = "SELECT string_agg(kind, ' ' ORDER BY kind) FROM neon_auth.sync_queue WHERE last_error IS NOT NULL";
    let left = |world: &World| world.superuser().value(left, &[]);
    assert_eq!(left(&world).as_deref(), Some("team user"));
    let (ok, detail) = world.status("sync queue");
    assert!(!ok && detail.contains("status 500"), "{detail}");
    let changed = "SELECT count(*)::text FROM neon_auth.users_sync WHERE name = 'Changed'";
    let changed = world.superuser().value(changed, &[]);
    assert_eq!(changed.as_deref(), Some("1"));
    // A run with gaps has not compared them.
    world.sync();
    assert_eq!(left(&world).as_deref(), Some("team user"));
    assert!(world.deleted("users_sync").is_empty());
    assert!(world.deleted("teams_sync").is_empty());
    cure(&world, &[bad, bad_team]);
    world.sync();
    world.assert_mirrored();
}

/// A list that fails as a whole removes nothing, adds nothing and keeps nothing else from being
/// compared.
#[test]
fn a_list_that_always_fails_is_left_out() {
    side_by_side(
        [
            (Endpoint::Users, "The list of users is missing"),
            (Endpoint::Teams, "The list of teams is missing"),
            (Endpoint::TeamPermissions, "team-permissions"),
            (Endpoint::ProjectPermissions, "project-permissions"),
        ],
        |(endpoint, name)| {
            let world = World::with_webhooks();
            let users = ["a", "b", "c"].map(|name| world.sign_up(name));
            let team = settle(&world, &users[0]);
            let other = id(&world.stack.create_team(NewTeam::named("Other")));
            world.stack.join_team(membership(&team, &users[1]));
            world.sync();
            world.assert_mirrored();
            world.stack.leave_team(membership(&team, &users[1]));
            world.stack.join_team(membership(&other, &users[2]));
            world.stack.delete_user(parsed(&users[1]));
            world.stack.forget_requests();
            world.stack.set_fault(endpoint, Fault::status(500));
            world.sync();
            assert_told(&world, name);
            assert_went_on(&world, &team);
            // Each is known to exist or not.
            assert_eq!(world.deleted("users_sync"), [users[1].clone()]);
            assert!(world.deleted("teams_sync").is_empty());
            let permissions =
                "SELECT count(*)::text FROM neon_auth.team_permissions_sync WHERE user_id = $1";
            let permissions = world.superuser().value(permissions, &[&users[2]]);
            let is_compared = endpoint != Endpoint::TeamPermissions;
            assert_eq!(permissions.as_deref() != Some("0"), is_compared, "{name}");
            let queued = "SELECT count(*)::text FROM neon_auth.sync_queue WHERE reason LIKE '%permissions lacks one%'";
            let queued = world.superuser().value(queued, &[]);
            assert_eq!(queued.as_deref(), Some("0"), "{name}");
            if endpoint == Endpoint::Teams {
                // Not one by one either.
                assert_eq!(world.asked("teams/"), 0);
            }
            world.stack.clear_fault(endpoint);
            world.sync();
            world.assert_mirrored();
            assert!(world.status("synchronisation").0);
        },
    );
}

/// Newer servers return teams in pages, so only the bad team is missing.
#[test]
fn a_newer_server_lists_the_teams_around_a_bad_one() {
    let world = World::with_webhooks();
    world.stack.set_age(Age::Newer);
    let teams: Vec<String> = (0..40)
        .map(|n| {
            id(&world
                .stack
                .create_team(NewTeam::named(&format!("Team {n}"))))
        })
        .collect();
    let bad = world.stack.everything().teams.iter().map(id).nth(17);
    let bad = bad.expect("there are forty");
    poison(&world, std::slice::from_ref(&bad));
    world.sync();
    let living = "SELECT id FROM neon_auth.teams_sync WHERE deleted_at IS NULL";
    let living = |world: &World| world.superuser().values(living, &[]).len();
    assert_eq!(living(&world), teams.len() - 1);
    assert_told(&world, "The list of teams has a gap");
    cure(&world, std::slice::from_ref(&bad));
    world.sync();
    world.assert_mirrored();
    // A team that is known and becomes bad is not taken for deleted; one that is deleted is.
    poison(&world, std::slice::from_ref(&bad));
    let deleted = teams.iter().find(|team| **team != bad).expect("one");
    world.stack.delete_team(parsed(deleted));
    world.sync();
    assert_eq!(living(&world), teams.len() - 1);
    assert_eq!(world.deleted("teams_sync"), std::slice::from_ref(deleted));
}

/// While the list is read from its other end, a user who has not been read moves to that end.
#[test]
fn a_user_who_moves_to_the_end_that_was_read_is_not_lost() {
    let world = World::with_webhooks();
    world.stack.populate(2100, false);
    let users = list(&world);
    poison(&world, &users[5..=5]);
    let (outcome, ()) = world.while_syncing(|_| {
        loop {
            world.stack.hold(Endpoint::Users, 0);
            world.stack.wait_until_held(Endpoint::Users);
            let requests = world.stack.received("/api/v1/users");
            let query = requests.last().and_then(|request| request.query.clone());
            let query = query.expect("a page has parameters");
            if query.contains("desc=true") && query.contains("cursor=") {
                break;
            }
        }
        let moved = json!({ "signed_up_at_millis": 4_000_000_000_000_u64 });
        world.stack.update_user(parsed(&users[600]), moved);
        world.stack.release(Endpoint::Users);
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(mirrored(&world).len(), users.len() - 1);
    assert!(mirrored(&world).contains(&users[600]));
}

/// Users become bad, are cured, change and are deleted between runs. In the end everybody is in the
/// mirror whom the service can return: by the list from either end, or by the id if the mirror knows
/// the user.
#[test]
fn whoever_can_be_read_is_in_the_mirror() {
    side_by_side(0..4, |seed| {
        let mut random = Random::seeded(seed);
        let world = World::with_webhooks();
        world.stack.set_exclusive_cursors(seed % 2 == 1);
        world.stack.populate(40, false);
        let mut bad: BTreeSet<String> = BTreeSet::new();
        let mut known: BTreeSet<String> = BTreeSet::new();
        for round in 0..3 {
            let users = list(&world);
            for _ in 0..random.below(4) {
                bad.insert(random.pick(&users).clone());
            }
            let cured: Vec<String> = bad
                .iter()
                .filter(|_| random.below(3) == 0)
                .cloned()
                .collect();
            cure(&world, &cured);
            bad.retain(|id| !cured.contains(id));
            poison(&world, &Vec::from_iter(bad.iter().cloned()));
            let gone = random.pick(&users).clone();
            world.stack.delete_user(parsed(&gone));
            bad.remove(&gone);
            let moved = random.pick(&list(&world)).clone();
            let moved_at = json!({ "signed_up_at_millis": 4_000_000_000_000_u64 + round });
            world.stack.update_user(parsed(&moved), moved_at);
            world.stack.populate(random.below(5) as u64, false);
            world.sync();

            let users = list(&world);
            let first = users.iter().position(|id| bad.contains(id));
            let last = users.iter().rposition(|id| bad.contains(id));
            let is_listed = |place: usize| match first.zip(last) {
                Some((first, last)) => place < first || place > last,
                None => true,
            };
            let expected: BTreeSet<String> = (0..users.len())
                .filter(|place| is_listed(*place) || known.contains(&users[*place]))
                .map(|place| users[place].clone())
                .collect();
            let mirrored = mirrored(&world);
            let differing: Vec<_> = mirrored.symmetric_difference(&expected).collect();
            assert!(
                differing.is_empty(),
                "seed {seed} round {round}: {differing:?}"
            );
            known = mirrored;
        }
        cure(&world, &Vec::from_iter(bad));
        world.sync();
        world.assert_mirrored();
    });
}
