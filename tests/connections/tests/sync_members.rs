//! Memberships of a project that has more of them than the service lists at once.

use neon_auth_connections::{Cluster, SYNC, World, eventually, id_of};
use neon_auth_stack::teams::Membership;
use neon_auth_stack::{Endpoint, Fault, NewTeam, NewUser, Uuid};
use postgres::error::SqlState;
use serde_json::json;

const NOTED: &str =
    "SELECT count(*)::text FROM neon_auth_internal.service_limits WHERE name = 'all_memberships'";
const MEMBERS: &str = "SELECT count(*)::text FROM neon_auth.team_members_sync";

/// A project with a personal team for each user and one of `members`, and a service that lists no
/// more than 50 memberships.
fn large(world: &World, users: u64, members: u64) -> Uuid {
    world.stack.populate_teams(users, true, &[members]);
    world.stack.set_profiles_cap(50);
    id_of(world.stack.everything().teams.last().expect("a team"))
}

/// The queries of the requests for the members of teams.
fn of_teams(world: &World) -> Vec<String> {
    let received = world.stack.received("/api/v1/users");
    let queries = received.into_iter().filter_map(|request| request.query);
    queries.filter(|query| query.contains("team_id=")).collect()
}

/// How often the list of all memberships was asked for.
fn whole_lists(world: &World) -> usize {
    let received = world.stack.received("/api/v1/team-member-profiles");
    let queries = received.iter().map(|request| request.query.as_deref());
    queries
        .filter(|query| query.is_none_or(str::is_empty))
        .count()
}

fn count(world: &World, query: &str) -> usize {
    let count = world.superuser().value(query, &[]).expect("a count");
    count.parse().expect("a number")
}

#[test]
fn a_project_above_the_cap_is_mirrored_from_the_first_sync_on() {
    let world = World::new();
    let team_id = large(&world, 60, 60);
    world.sync();
    world.assert_mirrored();
    assert_eq!(count(&world, MEMBERS), 120);
    assert_eq!((whole_lists(&world), count(&world, NOTED)), (1, 1));
    // One of a team that nobody has.
    assert_eq!(of_teams(&world).len(), 61 + 1);
    let run = "concat_ws(' ', skipped, total, done, cursor, coalesce(error, 'no error'))";
    assert_eq!(world.last_run(run).as_deref(), Some("0 0 no error"));
    let (ok, detail) = world.status("synchronisation");
    assert!(ok && detail.contains("compared team by team"), "{detail}");

    // Everything that can happen to memberships, unreported.
    let everything = world.stack.everything();
    let users: Vec<Uuid> = everything.users.iter().map(id_of).collect();
    let teams: Vec<Uuid> = everything.teams.iter().map(id_of).collect();
    world.stack.delete_user(users[0]);
    world.stack.delete_team(teams[1]);
    world.stack.leave_team(Membership {
        team_id,
        user_id: users[2],
    });
    let user_id = id_of(&world.stack.sign_up(NewUser::anonymous()));
    world.stack.join_team(Membership { team_id, user_id });
    world.stack.create_team(NewTeam {
        creator_user_id: Some(user_id),
        ..NewTeam::named("Another")
    });
    world.stack.create_team(NewTeam::named("Nobody's"));
    world.stack.forget_requests();
    world.sync();
    world.assert_mirrored();
    // Neither the list that fails nor a team that is gone is asked for again.
    assert_eq!(whole_lists(&world), 0);
    assert_eq!(of_teams(&world).len(), 61 - 1 + 2 + 1);
    // Nor does what is as it was change.
    world.sync();
    assert_eq!(world.last_run("changed + deleted").as_deref(), Some("0"));
}

/// A list of so few memberships fails because of a passing trouble.
#[test]
fn a_small_project_tries_the_list_of_all_memberships_soon_again() {
    let world = World::new();
    large(&world, 60, 10);
    world.sync();
    let lists_after = |age: &str| {
        world.superuser().run(&format!(
            "UPDATE neon_auth_internal.service_limits SET noted_at = clock_timestamp() - interval '{age}'"
        ));
        world.stack.forget_requests();
        world.sync();
        world.assert_mirrored();
        whole_lists(&world)
    };
    assert_eq!(lists_after("29 minutes"), 0);
    // It still fails, which is noted anew.
    assert_eq!(lists_after("31 minutes"), 1);
    assert_eq!(lists_after("1 minute"), 0);
    world.stack.set_profiles_cap(1000);
    assert_eq!(lists_after("31 minutes"), 1);
    assert!(of_teams(&world).is_empty());
    assert_eq!(count(&world, NOTED), 0);
    let (_, detail) = world.status("synchronisation");
    assert!(!detail.contains("team by team"), "{detail}");
}

/// Whatever the way in which the list fails, the rest of it counts for nothing.
#[test]
fn a_list_that_breaks_off_is_left_as_one_that_fails() {
    for fault in [
        Fault::Truncate,
        Fault::Close,
        Fault::Html,
        Fault::status(500),
    ] {
        let world = World::new();
        world.stack.populate_teams(20, true, &[20]);
        let profiles = Endpoint::TeamMemberProfiles;
        world.stack.set_fault(profiles, fault.clone());
        world.sync();
        world.assert_mirrored();
        assert_eq!(whole_lists(&world), 1, "{fault:?}");
        assert_eq!(count(&world, NOTED), 1, "{fault:?}");
    }
}

#[test]
fn an_outage_is_not_taken_for_a_limit() {
    let world = World::new();
    large(&world, 3, 3);
    world
        .stack
        .set_fault(Endpoint::TeamMemberProfiles, Fault::Close);
    world.stack.set_fault(Endpoint::TeamUsers, Fault::Close);
    let error = world.sync_refused();
    assert_eq!(error.code(), &SqlState::CONNECTION_FAILURE);
    assert_eq!((count(&world, NOTED), count(&world, MEMBERS)), (0, 0));
    // A key that is refused is no limit either.
    let refused = Fault::status(401);
    world.stack.set_fault(Endpoint::TeamMemberProfiles, refused);
    world.stack.clear_fault(Endpoint::TeamUsers);
    world.sync_refused();
    assert_eq!((count(&world, NOTED), count(&world, MEMBERS)), (0, 0));
}

/// The service asks to wait, so the run waits, and ends if that takes too long.
#[test]
fn a_service_that_asks_to_wait_is_not_taken_for_a_limit() {
    for status in [429, 503] {
        let world = World::new();
        large(&world, 3, 3);
        let busy = Fault::Status {
            status,
            retry_after: Some(3600),
        };
        world.stack.set_fault(Endpoint::TeamMemberProfiles, busy);
        let error = world.sync_refused();
        assert_eq!(error.code(), &SqlState::CONNECTION_FAILURE);
        assert_eq!((count(&world, NOTED), of_teams(&world).len()), (0, 0));
    }
}

#[test]
fn a_team_is_resumed_where_it_was_interrupted() {
    let world = World::new();
    world.stack.populate_teams(3500, false, &[3500]);
    world.stack.set_profiles_cap(50);
    let team_id = id_of(&world.stack.everything().teams[0]);
    let members = world.stack.everything().users;
    let user = |at: usize| Membership {
        team_id,
        user_id: id_of(&members[at]),
    };
    // A request for an unknown team, and two pages of the team.
    world.stack.hold(Endpoint::TeamUsers, 1 + 2);
    let (outcome, ()) = world.while_syncing(|pid| {
        world.stack.wait_until_held(Endpoint::TeamUsers);
        let terminate = format!("SELECT pg_terminate_backend({pid})");
        world.superuser().run(&terminate);
    });
    outcome.expect_err("it was ended early");
    eventually("the lock is free", || {
        let progress =
            "SELECT concat_ws(' ', phase, running, done, total) FROM neon_auth.sync_progress";
        world.superuser().value(progress, &[]).as_deref() == Some("members f 0 1")
    });
    // Each page begins with the last of the one before.
    assert_eq!(count(&world, MEMBERS), 1999);
    // In a page that was read, and in one that was not.
    world.stack.leave_team(user(10));
    world.stack.leave_team(user(3000));
    let everybody = id_of(
        &world
            .stack
            .sign_up(NewUser::named("Late", "late@example.com")),
    );
    world.stack.join_team(Membership {
        team_id,
        user_id: everybody,
    });
    world.stack.release(Endpoint::TeamUsers);
    world.stack.forget_requests();
    world.sync();
    world.assert_mirrored();
    let first = of_teams(&world);
    let continued = format!("team_id={team_id}&cursor={}", user(1998).user_id);
    assert!(first[1].contains(&continued), "{first:?}");
    // The rest of it, and all of it once more for what had changed before the place.
    let pages = first
        .iter()
        .filter(|query| query.contains(&team_id.to_string()));
    assert_eq!(pages.count(), 2 + 4);
    assert_eq!(
        count(
            &world,
            "SELECT count(*)::text FROM neon_auth_internal.sync_team_members"
        ),
        0
    );
}

/// A project with a team for each of its users must not cost a request for each of them every hour.
#[test]
fn a_worker_compares_a_team_once_a_day() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 1");
    let world = World::in_server(cluster.server());
    let team_id = large(&world, 55, 20);
    let runs = "SELECT count(*)::text FROM neon_auth.sync_runs WHERE finished_at IS NOT NULL";
    let complete = |more: usize| {
        let before = count(&world, runs);
        eventually("runs are finished", || count(&world, runs) >= before + more);
    };
    eventually("all is mirrored", || count(&world, MEMBERS) == 75);
    complete(2);
    world.stack.forget_requests();
    complete(2);
    assert!(of_teams(&world).is_empty());
    // A day later; only one of the teams.
    world.superuser().run(
        "UPDATE neon_auth_internal.compared_teams SET compared_at = compared_at - interval '25 hours'
          WHERE team_id IN (SELECT team_id FROM neon_auth.team_members_sync GROUP BY 1 HAVING count(*) > 1)",
    );
    complete(2);
    let asked = of_teams(&world);
    let of_team = |query: &&String| query.contains(&team_id.to_string());
    assert_eq!(asked.iter().filter(of_team).count(), 1, "{asked:?}");
    assert_eq!(asked.len(), 2, "{asked:?}");

    // What a direct permission proves does not wait.
    let user_id = id_of(
        &world
            .stack
            .sign_up(NewUser::named("Late", "late@example.com")),
    );
    world.stack.join_team(Membership { team_id, user_id });
    world.stack.forget_requests();
    eventually("the membership is there", || count(&world, MEMBERS) == 76);
    assert!(of_teams(&world).is_empty());
    world.await_empty_queue();
    // What a list lacks waits for the day, and for nobody who calls.
    let user_id = id_of(&world.stack.everything().users[0]);
    world.stack.leave_team(Membership { team_id, user_id });
    eventually("nobody else is synchronising", || {
        world.superuser().batch_execute(SYNC).is_ok()
    });
    world.assert_mirrored();
    let asked = of_teams(&world);
    assert_eq!(asked.iter().filter(of_team).count(), 1, "{asked:?}");
}

/// Every user would become a member of every team.
#[test]
fn a_service_that_ignores_the_team_is_refused() {
    let world = World::new();
    let team_id = large(&world, 60, 10);
    world.stack.set_fault(Endpoint::TeamUsers, Fault::AnyTeam);
    let error = world.sync_refused();
    assert_eq!(error.code(), &SqlState::PROTOCOL_VIOLATION);
    assert!(error.message().contains("users of other teams"), "{error}");
    assert_eq!((count(&world, NOTED), count(&world, MEMBERS)), (0, 0));
    // Nor is an entry of the queue confirmed by such a list.
    world.queue("team", &team_id.to_string(), "");
    let error = world.sync_refused();
    assert!(error.message().contains("users of other teams"), "{error}");
    assert_eq!(count(&world, MEMBERS), 0);
    world.stack.clear_fault(Endpoint::TeamUsers);
    world.sync();
    world.assert_mirrored();
}

#[test]
fn a_permission_proves_a_membership() {
    let world = World::new();
    let team_id = large(&world, 60, 10);
    world.sync();
    let users = world.stack.everything().users;
    let [joined, left] = [20, 5].map(|at| id_of(&users[at]));
    // Every team has just been compared, as it is for a worker within a day.
    world.stack.hold(Endpoint::TeamPermissions, 0);
    let (outcome, ()) = world.while_syncing(|_| {
        world.stack.wait_until_held(Endpoint::TeamPermissions);
        world.stack.join_team(Membership {
            team_id,
            user_id: joined,
        });
        world.stack.leave_team(Membership {
            team_id,
            user_id: left,
        });
        world.stack.forget_requests();
        world.stack.release(Endpoint::TeamPermissions);
    });
    outcome.expect("it ends well");
    world.assert_mirrored();
    assert!(of_teams(&world).is_empty());
}

#[test]
fn a_team_that_is_deleted_meanwhile_is_asked_for_by_its_id() {
    let world = World::new();
    let team_id = large(&world, 60, 10);
    world.sync();
    // After the request for an unknown team.
    world.stack.hold(Endpoint::TeamUsers, 1);
    let (outcome, ()) = world.while_syncing(|_| {
        world.stack.wait_until_held(Endpoint::TeamUsers);
        world.stack.delete_team(team_id);
        world.stack.forget_requests();
        world.stack.release(Endpoint::TeamUsers);
    });
    outcome.expect("it ends well");
    world.assert_mirrored();
    assert_eq!(world.deleted("teams_sync"), [team_id.to_string()]);
    // The members of a team that is gone are not asked about one by one.
    assert_eq!(world.asked(&format!("teams/{team_id}")), 1);
    assert_eq!(world.asked("team-member-profiles"), 0);
}

/// What the pages lack is not there: nobody is asked about one by one.
#[test]
fn a_queued_team_is_read_in_pages() {
    let world = World::new();
    let team_id = large(&world, 1500, 1500);
    world.sync();
    let users = world.stack.everything().users;
    let leave = |at: usize| {
        let user_id = id_of(&users[at]);
        world.stack.leave_team(Membership { team_id, user_id });
    };
    leave(3);
    leave(1400);
    world.queue("team", &team_id.to_string(), "");
    world.stack.forget_requests();
    world.sync();
    world.assert_mirrored();
    let of_team = of_teams(&world)
        .into_iter()
        .filter(|query| query.contains(&team_id.to_string()));
    // For the queue, and for the run.
    assert_eq!(of_team.count(), 2 + 2);
    assert_eq!(world.asked("team-member-profiles"), 0);
}

/// Of a team that exists no more, only the event of a membership arrives; and of a user, that the
/// selected team has an id that no team can have.
#[test]
fn members_of_a_team_without_a_row_are_compared() {
    for is_limited in [false, true] {
        let world = World::with_webhooks();
        world.stack.populate_teams(5, true, &[5]);
        if is_limited {
            world.stack.set_profiles_cap(2);
        }
        world.sync();
        assert_eq!(count(&world, NOTED), usize::from(is_limited));
        let user: Uuid = id_of(&world.stack.everything().users[0]);
        let gone = "00000000-0000-4000-8000-000000000000";
        let mut session = world.superuser();
        let joined = json!({ "team_id": gone, "user_id": user });
        let joined = world.signed("msg_1", "team_membership.created", joined);
        assert_eq!(session.deliver(&joined), "applied");
        let odd = json!({ "id": user, "selected_team_id": "x" });
        let newcomer = json!({ "id": "someone", "selected_team_id": "y" });
        for (id, user) in [("msg_2", odd), ("msg_3", newcomer)] {
            session.deliver(&world.signed(id, "user.updated", user));
        }
        world.sync();
        world.sync();
        let members = "SELECT count(*)::text FROM neon_auth.team_members_sync WHERE team_id = $1";
        assert_eq!(session.value(members, &[&gone]).as_deref(), Some("0"));
        assert_eq!(
            count(&world, "SELECT count(*)::text FROM neon_auth.sync_queue"),
            0
        );
    }
}
