//! What events leave undecided is confirmed, and no answer undoes what came after its question.

use std::thread;

use neon_auth_connections::{Session, World, await_lock, grant, membership, parsed};
use neon_auth_stack::permissions::{Definition, Scope};
use neon_auth_stack::{Endpoint, Fault, NewTeam};
use serde_json::json;

/// A world with a user in a team, all of it mirrored.
fn settled() -> (World, String, String) {
    let world = World::with_webhooks();
    let user = world.sign_up("user");
    let team = world.stack.create_team(NewTeam::named("Team"));
    let team = team["id"].as_str().expect("an id is a string").to_owned();
    world.stack.join_team(membership(&team, &user));
    world.sync();
    world.assert_mirrored();
    world.stack.forget_requests();
    (world, user, team)
}

fn permissions(world: &World) -> Vec<String> {
    let rows = world.superuser().values(
        "SELECT permission_id FROM neon_auth.team_permissions_sync ORDER BY 1",
        &[],
    );
    rows.into_iter().flatten().collect()
}

#[test]
fn what_is_queued_is_confirmed_before_anything_else() {
    let (world, user, team) = settled();
    world
        .stack
        .update_user(parsed(&user), json!({ "display_name": "Another" }));
    world.queue("user", "", &user);
    world.queue("team", &team, "");
    world.queue("team_member", &team, &user);
    world.queue("project_permissions", "", &user);
    let (outcome, ()) = world.while_syncing(|_| {
        world.stack.hold(Endpoint::Users, 0);
        world.stack.wait_until_held(Endpoint::Users);
        let left = world
            .superuser()
            .values("SELECT kind FROM neon_auth.sync_queue", &[]);
        assert!(left.is_empty(), "{left:?}");
        let name = world
            .superuser()
            .value("SELECT name FROM neon_auth.users_sync", &[]);
        assert_eq!(name.as_deref(), Some("Another"));
        world.stack.release(Endpoint::Users);
    });
    assert_eq!(outcome, Ok(()));
    world.assert_mirrored();
}

#[test]
fn a_deleted_team_is_confirmed_by_one_question() {
    let (world, _, team) = settled();
    world.stack.delete_team(parsed(&team));
    world.queue("team", &team, "");
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.deleted("teams_sync"), [team]);
    assert_eq!(world.asked("teams/"), 1);
    assert_eq!(world.asked("team-member-profiles"), 1);
    assert_eq!(world.asked("team-permissions"), 2);
}

/// The service has no list of memberships for whom it does not know.
#[test]
fn what_is_of_nobody_that_the_service_knows_is_removed() {
    let nobody = "00000000-0000-4000-8000-000000000000";
    for of_team in [true, false] {
        let (world, user, team) = settled();
        let (team, user) = if of_team {
            (nobody, user.as_str())
        } else {
            (team.as_str(), nobody)
        };
        let held = json!({ "team_id": team, "user_id": user, "id": "read" });
        for event in [
            "team_membership.created",
            "team_permission.created",
            "project_permission.created",
        ] {
            let delivery = world.signed(&event.replace('.', "_"), event, held.clone());
            assert_eq!(world.superuser().deliver(&delivery), "applied");
        }
        world.sync();
        world.assert_mirrored();
        assert!(world.status("sync queue").0);
        // Nothing says that they were deleted.
        assert!(world.deleted("users_sync").is_empty());
        assert!(world.deleted("teams_sync").is_empty());
    }
}

/// Longer lists are on their way in parts, of which none is lost and none left behind.
#[test]
fn a_team_of_thousands_is_confirmed() {
    let world = World::with_webhooks();
    world.stack.populate(3300, false);
    let team = world.stack.create_team(NewTeam::named("Team"));
    let team = team["id"].as_str().expect("an id is a string").to_owned();
    let users = world.stack.everything().users;
    let users: Vec<&str> = users
        .iter()
        .filter_map(|user| user["id"].as_str())
        .collect();
    for user in &users[..3000] {
        world.stack.join_team(membership(&team, user));
    }
    world.sync();
    world.assert_mirrored();
    for user in &users[..1500] {
        world.stack.leave_team(membership(&team, user));
    }
    for user in &users[3000..] {
        world.stack.join_team(membership(&team, user));
    }
    // With the last question refused, what has been listed does not count.
    world
        .stack
        .set_fault_after(Endpoint::TeamPermissions, 1, Fault::status(400), None);
    world.queue("team", &team, "");
    let pages = world.asked("users");
    drain(&world);
    // Two pages of members after the request for an unknown team; then users are refused.
    assert_eq!(world.asked("users"), pages + 1 + 2 + 1);
    world.stack.clear_fault(Endpoint::TeamPermissions);
    let mut session = world.superuser();
    let rows = |session: &mut Session, table: &str| {
        session.value(&format!("SELECT count(*)::text FROM {table}"), &[])
    };
    assert_eq!(
        rows(&mut session, "neon_auth.team_members_sync").as_deref(),
        Some("3000")
    );
    // Some leave meanwhile who were listed then.
    for user in &users[1500..1600] {
        world.stack.leave_team(membership(&team, user));
    }
    world.queue("team", &team, "");
    drain(&world);
    world.assert_mirrored();
    assert_eq!(
        rows(&mut session, "neon_auth.team_members_sync").as_deref(),
        Some("1700")
    );
    assert_eq!(
        rows(&mut session, "neon_auth_internal.sync_listed").as_deref(),
        Some("0")
    );
}

/// Confirms what is queued, and nothing more: the service refuses to list users.
fn drain(world: &World) {
    world.stack.set_fault(Endpoint::Users, Fault::status(403));
    world.sync_refused();
    world.stack.clear_fault(Endpoint::Users);
}

/// A proxy that answers for the service, say.
#[test]
fn a_404_of_another_kind_removes_no_membership() {
    let (world, user, team) = settled();
    let not_found = Fault::status(404);
    world
        .stack
        .set_fault(Endpoint::TeamMemberProfiles, not_found);
    world.queue("team_member", &team, &user);
    // Neither for the queue nor for the list of all, which is then made from those of teams.
    world.sync();
    world.assert_mirrored();
    world.stack.clear_fault(Endpoint::TeamMemberProfiles);
    world.sync();
    world.assert_mirrored();
}

#[test]
fn an_update_while_a_page_is_under_way_is_not_overwritten() {
    for by_webhook in [true, false] {
        let (world, user, _) = settled();
        let old = world.stack.everything().users[0].clone();
        world.stack.hold(Endpoint::Users, 0);
        let (outcome, ()) = world.while_syncing(|_| {
            world.stack.wait_until_held(Endpoint::Users);
            // The page that was asked for shows a state of the past.
            let mut new = world.stack.update_user(
                parsed(&user),
                json!({ "display_name": "New", "last_active_at_millis": 9_999_999_999_999_u64 }),
            );
            if by_webhook {
                assert_eq!(world.deliver_last(), "applied");
            } else {
                let new = new.to_string();
                let upsert = "SELECT neon_auth.upsert_user($1::text::jsonb)::text";
                world.superuser().value(upsert, &[&new]);
            }
            new = old.clone();
            new["display_name"] = "Old".into();
            world.stack.put_raw_user(parsed(&user), new);
            world.stack.hold(Endpoint::User, 0);
            world.stack.release(Endpoint::Users);
            // It is asked for by itself, by what the page has queued.
            world.stack.wait_until_held(Endpoint::User);
            let row = "SELECT concat_ws(' ', u.name, q.kind, q.reason) FROM neon_auth.users_sync u, neon_auth.sync_queue q WHERE q.user_id = u.id";
            let row = world.superuser().value(row, &[]);
            let queued = "New user It changed while the auth service was being read.";
            assert_eq!(row.as_deref(), Some(queued));
            world.stack.release(Endpoint::User);
        });
        assert_eq!(outcome, Ok(()));
        world.assert_mirrored();
    }
}

/// An answer that comes too late to be written has confirmed nothing.
#[test]
fn an_update_while_its_own_confirmation_is_under_way_is_confirmed_again() {
    let (world, user, _) = settled();
    // The last thing that a run asks for is the first that no list makes up for.
    world.stack.hold(Endpoint::ProjectPermissions, 0);
    let (outcome, ()) = world.while_syncing(|_| {
        world.stack.wait_until_held(Endpoint::ProjectPermissions);
        world.queue("user", "", &user);
        world.stack.hold(Endpoint::User, 0);
        world.stack.release(Endpoint::ProjectPermissions);
        world.stack.wait_until_held(Endpoint::User);
        let upsert = "SELECT neon_auth.upsert_user(raw_json || '{\"display_name\": \"Late\"}')::text FROM neon_auth.users_sync";
        world.superuser().value(upsert, &[]);
        world.stack.release(Endpoint::User);
    });
    assert_eq!(outcome, Ok(()));
    world.assert_mirrored();
    assert_eq!(world.asked("users/"), 2);
}

#[test]
fn what_is_queued_again_after_the_question_is_asked_again() {
    let (world, user, team) = settled();
    let last_lists = Endpoint::ProjectPermissions;
    for (kind, endpoint, path) in [
        ("user", Endpoint::User, "users/"),
        ("team", Endpoint::Team, "teams/"),
        (
            "team_member",
            Endpoint::TeamMemberProfiles,
            "team-member-profiles",
        ),
        (
            "project_permissions",
            Endpoint::ProjectPermissions,
            "project-permissions",
        ),
    ] {
        let (of_team, of_user) = match kind {
            "team" => (team.as_str(), ""),
            "team_member" => (team.as_str(), user.as_str()),
            _ => ("", user.as_str()),
        };
        world.stack.hold(last_lists, 1);
        let (outcome, asked) = world.while_syncing(|_| {
            world.stack.wait_until_held(last_lists);
            world.queue(kind, of_team, of_user);
            world.stack.forget_requests();
            if endpoint == last_lists {
                // What is held now goes on, and what comes next waits.
                world.stack.hold(endpoint, 0);
            } else {
                world.stack.hold(endpoint, 0);
                world.stack.release(last_lists);
            }
            world.stack.wait_until_held(endpoint);
            let before = world.asked(path);
            world.queue(kind, of_team, of_user);
            world.stack.release(endpoint);
            before
        });
        assert_eq!(outcome, Ok(()), "{kind}");
        assert!(world.asked(path) > asked, "{kind}");
        world.assert_mirrored();
    }
}

/// An entry whose time is still to come, after the clock was set back, say.
#[test]
fn an_entry_of_the_future_is_confirmed_once() {
    let (world, user, _) = settled();
    let mut session = world.superuser();
    session.run("SET statement_timeout = '20s'");
    session
        .execute(
            "INSERT INTO neon_auth.sync_queue (kind, user_id, reason, queued_at)
             VALUES ('user', $1, 'It was queued tomorrow.', now() + interval '1 day')",
            &[&user],
        )
        .expect("the queue can be written");
    session.run("CALL neon_auth.sync()");
    world.assert_mirrored();
    assert_eq!(world.asked("users/"), 1);
}

/// Rows from the future are not newer than what the service answers now.
#[test]
fn a_row_of_the_future_is_brought_up_to_date() {
    let (world, user, team) = settled();
    let mut session = world.superuser();
    session.run(
        "UPDATE neon_auth.users_sync SET raw_json = raw_json || '{\"display_name\": \"Ahead\"}', updated_at = now() + interval '1 day';
         UPDATE neon_auth.teams_sync SET raw_json = raw_json || '{\"display_name\": \"Ahead\"}', updated_at = now() + interval '1 day';
         UPDATE neon_auth.team_members_sync SET created_at = now() + interval '1 day';
         UPDATE neon_auth.team_permissions_sync SET created_at = now() + interval '1 day';
         SET statement_timeout = '20s'",
    );
    world.stack.leave_team(membership(&team, &user));
    session.run("CALL neon_auth.sync()");
    world.assert_mirrored();
    session.run("UPDATE neon_auth.users_sync SET updated_at = now() + interval '1 day'");
    world.stack.delete_user(parsed(&user));
    session.run("CALL neon_auth.sync()");
    assert_eq!(world.deleted("users_sync"), [user]);
}

#[test]
fn a_revoked_permission_takes_along_what_followed_until_that_is_confirmed() {
    let (world, user, team) = settled();
    let grant = grant(Some(&team), &user, "team_admin");
    world.stack.grant(grant.clone());
    world.sync();
    world.assert_mirrored();
    assert_eq!(permissions(&world).len(), 8);
    world.stack.revoke(&grant);
    assert_eq!(world.deliver_last(), "applied");
    assert_eq!(permissions(&world), ["team_member"]);
    // What the other permission contains comes back, and nothing else.
    world.sync();
    world.assert_mirrored();
    assert_eq!(
        permissions(&world),
        ["$invite_members", "$read_members", "team_member"]
    );
}

#[test]
fn what_the_service_takes_for_no_id_blocks_nothing() {
    let (world, user, team) = settled();
    for (kind, team, user) in [
        ("user", "", "no-uuid"),
        ("team", "no-uuid", ""),
        ("team_member", "no-uuid", user.as_str()),
        ("team_member", team.as_str(), "no uuid & no name=value"),
        ("project_permissions", "", "no-uuid"),
        ("user", "", user.as_str()),
    ] {
        world.queue(kind, team, user);
    }
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.last_run("phase").as_deref(), Some("done"));
}

#[test]
fn what_the_service_refuses_is_shown_until_all_is_compared() {
    let (world, _, _) = settled();
    // Every run ends early, once it has confirmed what is queued.
    world.stack.set_fault(Endpoint::Users, Fault::status(400));
    for asked in [1, 2] {
        world.queue("user", "", "no-uuid");
        for _ in 0..2 {
            world.sync_refused();
            let (ok, detail) = world.status("sync queue");
            assert!(!ok, "{detail}");
            let refused = "Left to the next full synchronisation: 1, such as: the REST API";
            assert!(detail.contains(refused), "{detail}");
        }
        assert_eq!(world.asked("users/no-uuid"), asked);
    }
    world.stack.clear_fault(Endpoint::Users);
    world.sync();
    world.assert_mirrored();
    assert!(world.status("sync queue").0);
    assert_eq!(world.asked("users/no-uuid"), 2);
}

/// A deletion that commits between the lists and their writing finds what it could not see.
#[test]
fn nothing_is_left_in_what_is_deleted_while_lists_are_written() {
    for of_team in [true, false] {
        let (world, user, team) = settled();
        let newcomer = world.sign_up("newcomer");
        world.stack.join_team(membership(&team, &newcomer));
        world
            .stack
            .join_team(membership(&team, &world.sign_up("other")));
        let deletion = if of_team {
            world.signed("msg_1", "team.deleted", json!({ "id": team }))
        } else {
            world.signed("msg_1", "user.deleted", json!({ "id": newcomer }))
        };
        world.stack.hold(Endpoint::TeamMemberProfiles, 0);
        let (outcome, ()) = world.while_syncing(|_| {
            world.stack.wait_until_held(Endpoint::TeamMemberProfiles);
            let mut deleting = world.superuser();
            deleting.run("BEGIN");
            assert_eq!(deleting.deliver(&deletion), "applied");
            world.stack.hold(Endpoint::TeamPermissions, 0);
            world.stack.release(Endpoint::TeamMemberProfiles);
            // The memberships are written, and the deletion has not seen them.
            world.stack.wait_until_held(Endpoint::TeamPermissions);
            deleting.run("COMMIT");
            if of_team {
                world.stack.delete_team(parsed(&team));
            } else {
                world.stack.delete_user(parsed(&newcomer));
            }
            world.stack.release(Endpoint::TeamPermissions);
        });
        assert_eq!(outcome, Ok(()));
        world.assert_mirrored();
        assert!(!user.is_empty());
    }
}

/// A page of a list, or an array for upsert_users(), and an event may tell of somebody at once.
#[test]
fn an_event_and_an_array_with_the_same_newcomer_do_not_collide() {
    let (world, _, _) = settled();
    for (kind, event) in [("user", "user.created"), ("team", "team.created")] {
        let object = json!({ "id": format!("new {kind}"), "display_name": "New" });
        let delivery = world.signed(&event.replace('.', "_"), event, object.clone());
        let mut writing = world.superuser();
        let upsert = format!("SELECT neon_auth.upsert_{kind}s('[{object}]')");
        writing.run(&format!("BEGIN; {upsert}"));
        let outcome = thread::scope(|scope| {
            let mut delivering = world.superuser();
            let pid = delivering.pid();
            let delivery = &delivery;
            let delivering = scope.spawn(move || delivering.deliver(delivery));
            // The event waits for the array.
            await_lock(&mut world.superuser(), pid);
            writing.run("COMMIT");
            delivering.join().expect("it is accepted")
        });
        assert_eq!(outcome, "unchanged");
    }
}

/// The profile of a member contains the user; the lists of permissions do not.
#[test]
fn a_user_whom_the_service_cannot_return_loses_a_permission() {
    let (world, user, team) = settled();
    let admin = grant(Some(&team), &user, "team_admin");
    world.stack.grant(admin.clone());
    world.sync();
    let held = "SELECT string_agg(permission_id, ' ' ORDER BY permission_id COLLATE \"C\")
                  FROM neon_auth.team_permissions_sync WHERE user_id = $1";
    let held = || world.superuser().value(held, &[&user]);
    let all = held().expect("there are some");
    assert!(all.contains("$delete_team"), "{all}");
    world.stack.poison(parsed(&user));
    world.stack.revoke(&admin);
    world.sync();
    assert_eq!(
        held().as_deref(),
        Some("$invite_members $read_members team_member")
    );
    // The membership could not be confirmed, so it stays, and so does the entry.
    let queued = "SELECT last_error FROM neon_auth.sync_queue WHERE kind = 'team_member'";
    let refusal = world.superuser().value(queued, &[]);
    assert!(refusal.is_some_and(|refusal| refusal.contains("500")));
    world.stack.cure(parsed(&user));
    world.stack.leave_team(membership(&team, &user));
    world.sync();
    world.assert_mirrored();
    assert_eq!(held(), None);
}

/// The event of a removal is handled while a list is written that still has what was removed. Then
/// the service refuses everything, so that nothing is confirmed.
#[test]
fn a_list_does_not_restore_what_is_removed_while_it_is_written() {
    for kind in ["team_membership", "team_permission", "project_permission"] {
        let world = World::with_webhooks();
        world.stack.define_permission(Definition {
            scope: Scope::Project,
            id: "tester".to_owned(),
            contained_permission_ids: Vec::new(),
        });
        let [user, other] = ["user", "other"].map(|name| world.sign_up(name));
        let team = world.stack.create_team(NewTeam::named("Team"));
        let team = team["id"].as_str().expect("an id is a string").to_owned();
        let join = |user: &str| world.stack.join_team(membership(&team, user));
        let (table, permission, data) = match kind {
            "team_membership" => ("team_members_sync", "", json!({})),
            "team_permission" => (
                "team_permissions_sync",
                "team_admin",
                json!({ "id": "team_admin" }),
            ),
            _ => (
                "project_permissions_sync",
                "tester",
                json!({ "id": "tester" }),
            ),
        };
        let in_team = (kind != "project_permission").then_some(team.as_str());
        if kind == "team_membership" {
            world.sync();
        }
        join(&user);
        join(&other);
        if kind != "team_membership" {
            world.sync();
            world.stack.grant(grant(in_team, &user, permission));
            world.stack.grant(grant(in_team, &other, permission));
        }
        // The list waits for this row, with the snapshot that it has by then.
        let mut row = json!({ "user_id": other });
        let mut removed = data;
        removed["user_id"] = json!(user);
        if let Some(team) = in_team {
            row["team_id"] = json!(team);
            removed["team_id"] = json!(team);
        }
        if !permission.is_empty() {
            row["permission_id"] = json!(permission);
            row["inherited"] = json!(false);
        }
        row["created_at"] = json!("2020-01-01");
        let mut writing = world.superuser();
        writing.run(&format!(
            "BEGIN; INSERT INTO neon_auth.{table} SELECT * FROM json_populate_record(NULL::neon_auth.{table}, '{row}')"
        ));
        let removal = world.signed("msg_removal", &format!("{kind}.deleted"), removed);
        let (outcome, ()) = world.while_syncing(|pid| {
            await_lock(&mut world.superuser(), pid);
            assert_eq!(world.superuser().deliver(&removal), "unchanged");
            for endpoint in [
                Endpoint::TeamMemberProfiles,
                Endpoint::TeamPermissions,
                Endpoint::ProjectPermissions,
            ] {
                world.stack.set_fault(endpoint, Fault::status(401));
            }
            writing.run("COMMIT");
        });
        assert!(outcome.is_err(), "{kind}");
        let held = match permission {
            "" => format!("SELECT count(*)::text FROM neon_auth.{table} WHERE user_id = $1"),
            _ => format!(
                "SELECT count(*)::text FROM neon_auth.{table} WHERE user_id = $1 AND permission_id = '{permission}'"
            ),
        };
        let held = world.superuser().value(&held, &[&user]);
        let queued = "SELECT count(*)::text FROM neon_auth.sync_queue WHERE user_id = $1 AND last_error IS NULL";
        let queued = world.superuser().value(queued, &[&user]);
        assert_ne!(queued.as_deref(), Some("0"), "{kind}");
        assert_eq!(held.as_deref(), Some("0"), "{kind}");
    }
}
