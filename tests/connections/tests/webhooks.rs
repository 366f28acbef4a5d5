//! Deliveries that come at once, and deliveries that come in any order.

use std::collections::{BTreeMap, BTreeSet};

use neon_auth_connections::{
    Random, Session, World, await_lock, grant, id_of, membership, parsed, together,
};
use neon_auth_stack::webhooks::Delivery;
use neon_auth_stack::{NewTeam, NewUser};
use postgres::NoTls;
use postgres::error::SqlState;
use serde_json::{Value, json};

const SESSIONS: usize = 8;

fn count(session: &mut Session, table: &str) -> String {
    let query = format!("SELECT count(*)::text FROM {table}");
    session.value(&query, &[]).expect("a count is a number")
}

#[test]
fn a_delivery_that_comes_many_times_at_once_counts_once() {
    let world = World::with_webhooks();
    for round in 0..10 {
        let id = format!("msg_{round}");
        let user = json!({ "id": format!("u{round}") });
        let delivery = world.signed(&id, "user.created", user);
        let mut outcomes = together(
            vec![(); SESSIONS],
            |()| world.superuser(),
            |mut session| session.deliver(&delivery),
        );
        outcomes.sort();
        assert_eq!(outcomes[0], "applied");
        assert!(outcomes[1..].iter().all(|outcome| outcome == "duplicate"));
    }
    assert_eq!(
        count(&mut world.superuser(), "neon_auth.webhook_deliveries"),
        "10"
    );
}

#[test]
fn a_delivery_whose_first_attempt_fails_is_applied_by_the_second() {
    let world = World::with_webhooks();
    let delivery = world.signed("msg_1", "user.created", json!({ "id": "u1" }));
    let (mut first, mut second) = (world.superuser(), world.superuser());
    first.run("BEGIN");
    assert_eq!(first.deliver(&delivery), "applied");
    // The second waits for the first, and finds that it came to nothing.
    let pid = second.pid();
    let outcome = std::thread::scope(|scope| {
        let second = scope.spawn(|| second.deliver(&delivery));
        await_lock(&mut world.superuser(), pid);
        first.run("ROLLBACK");
        second.join().expect("the thread ends")
    });
    assert_eq!(outcome, "applied");
    assert_eq!(count(&mut first, "neon_auth.users_sync"), "1");
}

/// An event is compared with what another one wrote while it waited.
#[test]
fn events_of_one_user_are_applied_one_after_the_other() {
    let world = World::with_webhooks();
    let user = json!({ "id": "u1", "display_name": "Alice", "last_active_at_millis": 2 });
    let created = world.signed("msg_1", "user.created", user);
    let older = json!({ "id": "u1", "display_name": "A.", "last_active_at_millis": 1 });
    let updated = world.signed("msg_2", "user.updated", older);
    let (mut first, mut second) = (world.superuser(), world.superuser());
    first.run("BEGIN");
    assert_eq!(first.deliver(&created), "applied");
    let pid = second.pid();
    let outcome = std::thread::scope(|scope| {
        let second = scope.spawn(|| second.deliver(&updated));
        await_lock(&mut world.superuser(), pid);
        first.run("COMMIT");
        second.join().expect("the thread ends")
    });
    assert_eq!(outcome, "ignored");
    let name = first.value("SELECT name FROM neon_auth.users_sync", &[]);
    assert_eq!(name.as_deref(), Some("Alice"));
}

#[test]
fn a_delivery_that_waits_for_another_can_be_cancelled() {
    let world = World::with_webhooks();
    let delivery = world.signed("msg_1", "user.created", json!({ "id": "u1" }));
    let (mut first, mut second) = (world.superuser(), world.superuser());
    first.run("BEGIN");
    assert_eq!(first.deliver(&delivery), "applied");
    let (pid, canceller) = (second.pid(), second.canceller());
    let outcome = std::thread::scope(|scope| {
        let second = scope.spawn(|| second.try_deliver(&delivery));
        await_lock(&mut world.superuser(), pid);
        canceller.cancel_query(NoTls).expect("the request is taken");
        second.join().expect("the thread ends")
    });
    let error = outcome.expect_err("it is cancelled");
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
}

#[test]
fn no_lock_of_a_user_holds_up_a_delivery() {
    let world = World::with_webhooks();
    let mut app = world.app();
    app.run(
        "SELECT pg_advisory_lock(n), pg_advisory_lock(n, n) FROM generate_series(0, 1023) AS n",
    );
    let mut session = world.superuser();
    session.run("SET statement_timeout = '5s'");
    let delivery = world.signed("msg_1", "user.deleted", json!({ "id": "u1" }));
    assert_eq!(session.deliver(&delivery), "applied");
}

/// Two who write a user's row and queue something do not deadlock.
#[test]
fn the_row_of_a_user_is_locked_before_the_queue() {
    let world = World::with_webhooks();
    let mut other = world.superuser();
    for (was_anonymous, is_page) in [(false, false), (false, true), (true, false), (true, true)] {
        let id = format!("u {was_anonymous} {is_page}");
        let team = format!("of {id}");
        let row = json!({ "id": id, "is_anonymous": was_anonymous });
        other.run(&format!(
            "SELECT neon_auth.upsert_user('{row}');
             INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('{team}', '{id}')"
        ));
        let update = json!({ "id": id, "is_anonymous": false, "display_name": "Alice", "selected_team_id": team });
        let page = format!(
            "SET search_path = pg_catalog, pg_temp;
             SELECT neon_auth_internal.write_page('user', ARRAY['{update}'],
                        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
        );
        let delivery = world.signed(&format!("msg_{id}"), "user.updated", update);
        other.run(&format!(
            "BEGIN; UPDATE neon_auth.users_sync SET updated_at = clock_timestamp() WHERE id = '{id}'"
        ));
        let mut writing = world.superuser();
        let pid = writing.pid();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| match is_page {
                true => writing.run(&page),
                false => assert_eq!(writing.deliver(&delivery), "applied"),
            });
            await_lock(&mut world.superuser(), pid);
            other.run("LOCK TABLE neon_auth.sync_queue IN EXCLUSIVE MODE; COMMIT");
            writer.join().expect("the thread ends");
        });
        let queued = format!(
            "SELECT count(*)::text FROM neon_auth.sync_queue WHERE user_id = '{id}' OR team_id = '{team}'"
        );
        assert_ne!(other.value(&queued, &[]).as_deref(), Some("0"), "{id}");
    }
}

/// Whoever writes a user without the lock, such as a page of the REST API, an event that has waited for the row is
/// compared with what was written, not with what was there before.
#[test]
fn an_event_is_compared_with_the_row_that_it_has_waited_for() {
    const DAY: u64 = 86_400_000;
    let world = World::with_webhooks();
    let (mut other, mut delivering) = (world.superuser(), world.superuser());
    let pid = delivering.pid();
    for is_page in [false, true] {
        let id = format!("u {is_page}");
        let [first, event, latest] = [1, 3, 5].map(
            |days| json!({ "id": id, "display_name": days.to_string(), "last_active_at_millis": days * DAY }),
        );
        let delivery = world.signed(&format!("msg_{id}"), "user.updated", event);
        other.run(&format!("SELECT neon_auth.upsert_user('{first}')"));
        other.run(&match is_page {
            true => format!(
                "BEGIN; SET LOCAL search_path = pg_catalog, pg_temp;
                 SELECT neon_auth_internal.write_page('user', ARRAY['{latest}'],
                            (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)"
            ),
            false => format!("BEGIN; SELECT neon_auth.upsert_user('{latest}')"),
        });
        let outcome = std::thread::scope(|scope| {
            let delivering = scope.spawn(|| delivering.deliver(&delivery));
            await_lock(&mut world.superuser(), pid);
            other.run("COMMIT");
            delivering.join().expect("the thread ends")
        });
        assert_eq!(outcome, "ignored");
        let row = format!(
            "SELECT u.name || ' ' || q.reason FROM neon_auth.users_sync u JOIN neon_auth.sync_queue q ON q.user_id = u.id WHERE u.id = '{id}'"
        );
        let row = other.value(&row, &[]);
        assert_eq!(
            row.as_deref(),
            Some("5 The order of the updates is unknown.")
        );
    }
}

/// Whoever is first, nothing of a user or team is left once the user or the team is deleted.
#[test]
fn nothing_slips_past_a_deletion_beside_it() {
    let world = World::with_webhooks();
    for round in 0..20 {
        let (user, team) = (format!("u{round}"), format!("t{round}"));
        let membership = json!({ "team_id": team, "user_id": user });
        let permission = json!({ "team_id": team, "user_id": user, "id": "team_admin" });
        let (event, ended) = if round % 2 == 0 {
            ("user.deleted", json!({ "id": user }))
        } else {
            ("team.deleted", json!({ "id": team }))
        };
        let deliveries = [
            world.signed(&format!("m{round}"), "team_membership.created", membership),
            world.signed(&format!("p{round}"), "team_permission.created", permission),
            world.signed(&format!("d{round}"), event, ended),
        ];
        together(
            deliveries.to_vec(),
            |delivery| (world.superuser(), delivery),
            |(mut session, delivery)| session.deliver(&delivery),
        );
    }
    let mut session = world.superuser();
    for table in [
        "neon_auth.team_members_sync",
        "neon_auth.team_permissions_sync",
        "neon_auth_internal.tombstones",
        "neon_auth.sync_queue",
    ] {
        assert_eq!(count(&mut session, table), "0", "{table}");
    }
}

/// What the auth service knows.
#[derive(Default)]
struct Truth {
    /// The objects; `None` once deleted.
    users: BTreeMap<String, Option<Value>>,
    teams: BTreeMap<String, Option<Value>>,
    /// Team, user and, for permissions, the permission.
    members: BTreeSet<(String, String)>,
    team_permissions: BTreeSet<(String, String, String)>,
    project_permissions: BTreeSet<(String, String)>,
    /// No event tells of these.
    creators: BTreeSet<(String, String)>,
}

const PERMISSIONS: [&str; 3] = ["team_admin", "$read_members", "$update_team"];

impl Truth {
    /// Does something at random at the service, and keeps account of it.
    fn act(&mut self, world: &World, random: &mut Random) {
        let stack = &world.stack;
        let users = living(&self.users);
        let teams = living(&self.teams);
        if users.len() < 3 || random.below(8) == 0 {
            let user = stack.sign_up(NewUser::named("somebody", "somebody@example.com"));
            self.users.insert(id_of(&user), Some(user));
            return;
        }
        let user = random.pick(&users).clone();
        if teams.len() < 2 || random.below(10) == 0 {
            let mut new = NewTeam::named("Team");
            let created = random.below(2) == 0;
            if created {
                new.creator_user_id = Some(parsed(&user));
            }
            let team = stack.create_team(new);
            let id: String = id_of(&team);
            if created {
                self.creators.insert((id.clone(), user.clone()));
                self.members.insert((id.clone(), user.clone()));
                self.team_permissions
                    .insert((id.clone(), user, "team_admin".to_owned()));
            }
            self.teams.insert(id, Some(team));
            return;
        }
        let team = random.pick(&teams).clone();
        let pair = (team.clone(), user.clone());
        let membership = membership(&team, &user);
        let permission = (*random.pick(&PERMISSIONS)).to_owned();
        match random.below(12) {
            0 => {
                let name = format!("name {}", random.below(1000));
                let changed = stack.update_user(parsed(&user), json!({ "display_name": name }));
                self.users.insert(user, Some(changed));
            }
            1 => {
                let name = format!("name {}", random.below(1000));
                let changed = stack.update_team(parsed(&team), json!({ "display_name": name }));
                self.teams.insert(team, Some(changed));
            }
            2 if random.below(3) == 0 => {
                stack.delete_user(parsed(&user));
                self.users.insert(user.clone(), None);
                self.members.retain(|(_, member)| *member != user);
                self.team_permissions
                    .retain(|(_, member, _)| *member != user);
                self.project_permissions
                    .retain(|(member, _)| *member != user);
            }
            3 if random.below(3) == 0 => {
                stack.delete_team(parsed(&team));
                self.teams.insert(team.clone(), None);
                self.members.retain(|(other, _)| *other != team);
                self.team_permissions.retain(|(other, _, _)| *other != team);
            }
            4..=6 if !self.members.contains(&pair) => {
                stack.join_team(membership);
                self.members.insert(pair);
                self.team_permissions
                    .insert((team, user, "team_member".to_owned()));
            }
            4..=6 => {
                stack.leave_team(membership);
                self.members.remove(&pair);
                self.team_permissions
                    .retain(|(other, member, _)| (other, member) != (&team, &user));
            }
            7..=9 if self.members.contains(&pair) => {
                let held = (team.clone(), user.clone(), permission.clone());
                if self.team_permissions.remove(&held) {
                    stack.revoke(&grant(Some(&team), &user, &permission));
                } else {
                    stack.grant(grant(Some(&team), &user, &permission));
                    self.team_permissions.insert(held);
                }
            }
            10 => {
                let held = (user.clone(), "beta".to_owned());
                if self.project_permissions.remove(&held) {
                    stack.revoke(&grant(None, &user, "beta"));
                } else {
                    stack.grant(grant(None, &user, "beta"));
                    self.project_permissions.insert(held);
                }
            }
            _ => {}
        }
    }
}

fn living(objects: &BTreeMap<String, Option<Value>>) -> Vec<String> {
    let living = objects.iter().filter(|(_, object)| object.is_some());
    living.map(|(id, _)| id.clone()).collect()
}

/// Rows as JSON arrays of texts.
fn rows(session: &mut Session, query: &str) -> BTreeSet<Vec<String>> {
    session
        .values(&format!("SELECT to_json(ARRAY[{query}"), &[])
        .into_iter()
        .map(|row| serde_json::from_str(&row.expect("a row")).expect("texts"))
        .collect()
}

/// Compares the mirror with the truth, but for what it has queued for confirmation.
#[track_caller]
fn check(session: &mut Session, truth: &Truth) {
    // The simulator gives a new user nothing that no event reports.
    let queued = rows(
        session,
        "kind, team_id, user_id])::text FROM neon_auth.sync_queue
          WHERE team_id <> '' OR reason NOT LIKE 'No event reports%'",
    );
    let is_queued = |kind: &str, team: &str, user: &str| {
        queued.contains(&vec![kind.to_owned(), team.to_owned(), user.to_owned()])
    };
    for (kind, table, objects) in [
        ("user", "users_sync", &truth.users),
        ("team", "teams_sync", &truth.teams),
    ] {
        let query = format!(
            "SELECT json_build_array(id, deleted_at IS NULL, raw_json)::text FROM neon_auth.{table}"
        );
        let mirrored: BTreeMap<String, Option<Value>> = session
            .values(&query, &[])
            .into_iter()
            .map(|row| {
                let row: (String, bool, Value) =
                    serde_json::from_str(&row.expect("a row")).expect("as built");
                (row.0, row.1.then_some(row.2))
            })
            .collect();
        assert!(mirrored.keys().eq(objects.keys()), "{table}");
        for (id, object) in objects {
            let key = if kind == "user" {
                ("", id.as_str())
            } else {
                (id.as_str(), "")
            };
            assert_eq!(mirrored[id].is_some(), object.is_some(), "{table} {id}");
            if !is_queued(kind, key.0, key.1) {
                assert_eq!(&mirrored[id], object, "{table} {id}");
            }
        }
    }

    let is_known = |team: &str, user: &str| {
        !is_queued("team_member", team, user)
            && !truth.creators.contains(&(team.to_owned(), user.to_owned()))
    };
    let keep = |row: &Vec<String>| is_known(&row[0], &row[1]);
    let members = rows(
        session,
        "team_id, user_id])::text FROM neon_auth.team_members_sync",
    );
    let expected = truth
        .members
        .iter()
        .map(|(t, u)| vec![t.clone(), u.clone()]);
    assert_eq!(
        members.into_iter().filter(keep).collect::<Vec<_>>(),
        expected.filter(keep).collect::<Vec<_>>()
    );
    let permissions = rows(
        session,
        "team_id, user_id, permission_id])::text FROM neon_auth.team_permissions_sync",
    );
    let expected = truth.team_permissions.iter();
    let expected = expected.map(|(t, u, p)| vec![t.clone(), u.clone(), p.clone()]);
    assert_eq!(
        permissions.into_iter().filter(keep).collect::<Vec<_>>(),
        expected.filter(keep).collect::<Vec<_>>()
    );
    let keep = |row: &Vec<String>| !is_queued("project_permissions", "", &row[0]);
    let permissions = rows(
        session,
        "user_id, permission_id])::text FROM neon_auth.project_permissions_sync",
    );
    let expected = truth.project_permissions.iter();
    let expected = expected.map(|(u, p)| vec![u.clone(), p.clone()]);
    assert_eq!(
        permissions.into_iter().filter(keep).collect::<Vec<_>>(),
        expected.filter(keep).collect::<Vec<_>>()
    );
}

/// Confirms what is queued, as whoever asks the REST API does: the service's word takes the place
/// of what is here.
fn confirm(session: &mut Session, truth: &Truth) {
    for row in rows(
        session,
        "kind, team_id, user_id])::text FROM neon_auth.sync_queue",
    ) {
        let [kind, team, user] = row.try_into().expect("three columns");
        match kind.as_str() {
            "user" => {
                if let Some(object) = &truth.users[&user] {
                    let object = object.to_string();
                    session.value(
                        "SELECT neon_auth.upsert_user($1::text::jsonb)::text",
                        &[&object],
                    );
                } else {
                    session.value("SELECT neon_auth.delete_user($1)::text", &[&user]);
                }
            }
            "team" => {
                if let Some(object) = &truth.teams[&team] {
                    let object = object.to_string();
                    session
                        .execute("UPDATE neon_auth.teams_sync SET raw_json = $1::text::jsonb WHERE id = $2", &[&object, &team])
                        .expect("teams_sync can be written");
                }
            }
            "team_member" => {
                for table in ["team_members_sync", "team_permissions_sync"] {
                    let delete = format!(
                        "DELETE FROM neon_auth.{table} WHERE team_id = $1 AND user_id = $2"
                    );
                    session
                        .execute(&delete, &[&team, &user])
                        .expect("it can be written");
                }
                if truth.members.contains(&(team.clone(), user.clone())) {
                    let insert = "INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ($1, $2)";
                    session
                        .execute(insert, &[&team, &user])
                        .expect("it can be written");
                }
                for (_, _, permission) in truth
                    .team_permissions
                    .iter()
                    .filter(|(t, u, _)| (t, u) == (&team, &user))
                {
                    let insert = "INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ($1, $2, $3)";
                    session
                        .execute(insert, &[&team, &user, permission])
                        .expect("it can be written");
                }
            }
            _ => {
                let delete = "DELETE FROM neon_auth.project_permissions_sync WHERE user_id = $1";
                session
                    .execute(delete, &[&user])
                    .expect("it can be written");
                for (_, permission) in truth.project_permissions.iter().filter(|(u, _)| *u == user)
                {
                    let insert = "INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ($1, $2)";
                    session
                        .execute(insert, &[&user, permission])
                        .expect("it can be written");
                }
            }
        }
    }
    session.run("DELETE FROM neon_auth.sync_queue");
}

/// Deliveries in the order of the service, each as often as chance will have it.
fn history(seed: u64, actions: usize) -> (World, Truth, Vec<Delivery>) {
    let world = World::with_webhooks();
    world
        .stack
        .define_permission(neon_auth_stack::permissions::Definition {
            scope: neon_auth_stack::permissions::Scope::Project,
            id: "beta".to_owned(),
            contained_permission_ids: Vec::new(),
        });
    let mut truth = Truth::default();
    let mut random = Random::seeded(seed);
    for _ in 0..actions {
        truth.act(&world, &mut random);
    }
    let messages = world.stack.messages();
    let deliveries = messages
        .iter()
        .map(|message| world.stack.delivery(&message.id));
    let mut deliveries: Vec<_> = deliveries.collect();
    for _ in 0..deliveries.len() / 4 {
        let again = random.pick(&deliveries).clone();
        deliveries.push(again);
    }
    (world, truth, deliveries)
}

fn forget(session: &mut Session) {
    session.run(
        "TRUNCATE neon_auth.users_sync, neon_auth.teams_sync, neon_auth.team_members_sync,
                  neon_auth.team_permissions_sync, neon_auth.project_permissions_sync,
                  neon_auth.webhook_deliveries, neon_auth_internal.tombstones, neon_auth.sync_queue",
    );
}

/// Delivers all, some of them only after a failed attempt; the failed ones come last.
fn deliver_all(session: &mut Session, deliveries: &[Delivery], random: &mut Random) {
    let mut later = Vec::new();
    for delivery in deliveries {
        if random.below(5) == 0 {
            session.run("BEGIN");
            session.deliver(delivery);
            session.run("ROLLBACK");
            later.push(delivery);
        } else {
            session.deliver(delivery);
        }
    }
    for delivery in later {
        session.deliver(delivery);
    }
}

#[test]
fn deliveries_in_order_leave_the_truth() {
    let (world, truth, deliveries) = history(1, 150);
    let mut session = world.superuser();
    for delivery in &deliveries {
        session.deliver(delivery);
    }
    check(&mut session, &truth);
}

#[test]
fn deliveries_in_any_order_leave_the_truth() {
    for seed in 0..4 {
        let (world, truth, mut deliveries) = history(seed, 120);
        let mut session = world.superuser();
        let mut random = Random::seeded(seed);
        for _ in 0..4 {
            forget(&mut session);
            random.shuffle(&mut deliveries);
            deliver_all(&mut session, &deliveries, &mut random);
            check(&mut session, &truth);
        }
    }
}

/// A confirmation is the truth of its moment, and the deliveries that are still under way may tell
/// of earlier ones.
#[test]
fn confirmations_in_between_leave_the_truth() {
    for seed in 10..14 {
        let (world, truth, mut deliveries) = history(seed, 120);
        let mut session = world.superuser();
        let mut random = Random::seeded(seed);
        for _ in 0..4 {
            forget(&mut session);
            random.shuffle(&mut deliveries);
            let (early, late) = deliveries.split_at(random.below(deliveries.len()));
            deliver_all(&mut session, early, &mut random);
            confirm(&mut session, &truth);
            deliver_all(&mut session, late, &mut random);
            check(&mut session, &truth);
        }
    }
}

#[test]
fn deliveries_side_by_side_leave_the_truth() {
    for seed in 20..23 {
        let (world, truth, mut deliveries) = history(seed, 120);
        Random::seeded(seed).shuffle(&mut deliveries);
        let parts: Vec<Vec<Delivery>> = deliveries
            .chunks(deliveries.len().div_ceil(SESSIONS))
            .map(<[Delivery]>::to_vec)
            .collect();
        together(
            parts,
            |part| (world.superuser(), part),
            |(mut session, part)| {
                for delivery in part {
                    // Who loses a deadlock is delivered again, as all that fails is.
                    while let Err(error) = session.try_deliver(&delivery) {
                        assert_eq!(error.code(), Some(&SqlState::T_R_DEADLOCK_DETECTED));
                    }
                }
            },
        );
        check(&mut world.superuser(), &truth);
    }
}
