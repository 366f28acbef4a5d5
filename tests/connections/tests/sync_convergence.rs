//! Whatever happens at the service, whichever of its events are lost or come twice under two ids,
//! and in whatever order the rest arrives: once it is quiet, one synchronisation makes the mirror
//! equal.

use neon_auth_connections::{Random, SYNC, Session, World, id_of};
use neon_auth_stack::permissions::{Definition, Grant, Scope};
use neon_auth_stack::teams::Membership;
use neon_auth_stack::webhooks::Mishaps;
use neon_auth_stack::{Everything, NewTeam, NewUser, Simulator};
use serde_json::{Value, json};

const TEAM_PERMISSIONS: [&str; 4] = ["team_admin", "team_member", "$read_members", "editor"];
const PROJECT_PERMISSIONS: [&str; 2] = ["tester", "beta"];

/// A project with definitions and defaults, some of whose events are lost or doubled.
fn begin(stack: &Simulator, seed: u64) {
    stack.grant_at_sign_up(&["tester"]);
    stack.give_personal_teams(true);
    stack.set_mishaps(Some(Mishaps {
        seed: seed.to_string(),
        lost: 10,
        doubled: 20,
    }));
    for (scope, id, contained) in [
        (Scope::Team, "editor", "$update_team"),
        (Scope::Project, "tester", "beta"),
        (Scope::Project, "beta", "news"),
        (Scope::Project, "news", "tester"),
    ] {
        stack.define_permission(Definition {
            scope,
            id: id.to_owned(),
            contained_permission_ids: vec![contained.to_owned()],
        });
    }
}

/// Something happens at the service.
fn act(stack: &Simulator, random: &mut Random) {
    let Everything {
        users,
        teams,
        memberships,
        ..
    } = stack.everything();
    if users.len() < 4 || random.below(7) == 0 {
        let new = match random.below(4) {
            0 => NewUser::anonymous(),
            1 => NewUser {
                restricted_by_admin: true,
                ..NewUser::named("Restricted", "r@example.com")
            },
            _ => NewUser::named("Somebody", "somebody@example.com"),
        };
        stack.sign_up(new);
        return;
    }
    let user = id_of(random.pick(&users));
    if teams.len() < 2 || random.below(9) == 0 {
        stack.create_team(NewTeam {
            creator_user_id: Some(user).filter(|_| random.below(2) == 0),
            ..NewTeam::named("Team")
        });
        return;
    }
    let team = id_of(random.pick(&teams));
    let membership = Membership {
        team_id: team,
        user_id: user,
    };
    let is_member = memberships.contains(&membership);
    let changes = json!({ "display_name": format!("name {}", random.below(100)) });
    match random.below(14) {
        // Some of what a user does is told of by no event's order.
        0 if random.below(3) == 0 => drop(stack.update_user(user, json!({ "is_anonymous": false }))),
        0 => drop(stack.update_user(user, changes)),
        1 => drop(stack.update_user(user, json!({ "last_active_at_millis": 1_700_000_000_000_u64 + random.below(1000) as u64, "selected_team_id": team }))),
        2 => drop(stack.update_team(team, changes)),
        3 if random.below(3) == 0 => stack.delete_user(user),
        4 if random.below(3) == 0 => stack.delete_team(team),
        5..=7 if is_member => stack.leave_team(membership),
        5..=7 => stack.join_team(membership),
        8..=11 if is_member => {
            let grant = Grant { team_id: Some(team), user_id: user, id: (*random.pick(&TEAM_PERMISSIONS)).to_owned() };
            toggle(stack, grant, |everything| &everything.direct_team_permissions);
        }
        12 | 13 => {
            let grant = Grant { team_id: None, user_id: user, id: (*random.pick(&PROJECT_PERMISSIONS)).to_owned() };
            toggle(stack, grant, |everything| &everything.direct_project_permissions);
        }
        _ => {}
    }
}

/// Grants what is not granted, and revokes what is.
fn toggle(stack: &Simulator, grant: Grant, list: impl Fn(&Everything) -> &Vec<Value>) {
    if list(&stack.everything()).contains(&json!(grant)) {
        stack.revoke(&grant);
    } else {
        stack.grant(grant);
    }
}

/// Delivers what was sent since, in any order, and some of it twice under one id; what is late comes
/// another time.
struct Post {
    seen: usize,
    late: Vec<String>,
}

impl Post {
    fn deliver(&mut self, world: &World, session: &mut Session, random: &mut Random) {
        let messages = world.stack.messages();
        let mut ids: Vec<String> = std::mem::take(&mut self.late);
        for message in &messages[self.seen..] {
            match random.below(5) {
                0 => self.late.push(message.id.clone()),
                1 => ids.extend([message.id.clone(), message.id.clone()]),
                _ => ids.push(message.id.clone()),
            }
        }
        self.seen = messages.len();
        random.shuffle(&mut ids);
        for id in ids {
            session.deliver(&world.stack.delivery(&id));
        }
    }
}

#[test]
fn one_sync_after_all_has_happened_leaves_the_truth() {
    for seed in 0..6 {
        let world = World::with_webhooks();
        begin(&world.stack, seed);
        let mut random = Random::seeded(seed);
        let mut session = world.superuser();
        let mut post = Post {
            seen: 0,
            late: Vec::new(),
        };
        for _ in 0..5 {
            for _ in 0..40 {
                act(&world.stack, &mut random);
            }
            post.deliver(&world, &mut session, &mut random);
            if random.below(2) == 0 {
                session.run(SYNC);
            }
        }
        session.run(SYNC);
        world.assert_mirrored();
        assert_eq!(
            world.last_run("skipped").as_deref(),
            Some("0"),
            "seed {seed}"
        );
        // Late ones tell of nothing new, but some of them cannot be told from what is new.
        while !post.late.is_empty() {
            post.deliver(&world, &mut session, &mut random);
        }
        session.run(SYNC);
        world.assert_mirrored();
    }
}

#[test]
fn what_happens_during_a_sync_is_there_after_the_next() {
    for seed in 10..14 {
        let world = World::with_webhooks();
        begin(&world.stack, seed);
        let mut random = Random::seeded(seed);
        let mut session = world.superuser();
        let mut post = Post {
            seen: 0,
            late: Vec::new(),
        };
        for _ in 0..3 {
            let (outcome, ()) = world.while_syncing(|_| {
                for _ in 0..6 {
                    for _ in 0..10 {
                        act(&world.stack, &mut random);
                    }
                    post.deliver(&world, &mut session, &mut random);
                }
            });
            assert_eq!(outcome, Ok(()));
        }
        session.run(SYNC);
        world.assert_mirrored();
    }
}
