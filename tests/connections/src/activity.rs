//! What happens at a Stack Auth service: users and teams that are created, change and end.

use neon_auth_stack::permissions::{Definition, Grant, Scope};
use neon_auth_stack::teams::Membership;
use neon_auth_stack::webhooks::Mishaps;
use neon_auth_stack::{Everything, NewTeam, NewUser, Simulator, Uuid};
use serde_json::{Value, json};

use crate::ids::id_of;
use crate::random::Random;

const TEAM_PERMISSIONS: [&str; 4] = ["team_admin", "team_member", "$read_members", "editor"];
const PROJECT_PERMISSIONS: [&str; 2] = ["tester", "beta"];

/// A project with definitions and defaults, some of whose events are lost or doubled.
pub fn begin_activity(stack: &Simulator, seed: u64) {
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

/// Limits of what happens.
pub struct Activity {
    /// Nobody signs up while there are so many users, and no team is created while there are so many teams.
    pub most: usize,
    /// Users who are not deleted.
    pub kept: Vec<Uuid>,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            most: usize::MAX,
            kept: Vec::new(),
        }
    }
}

impl Activity {
    /// Something happens at the service.
    pub fn act(&self, stack: &Simulator, random: &mut Random) {
        let Everything {
            users,
            teams,
            memberships,
            ..
        } = stack.everything();
        if users.len() < 4 || random.below(7) == 0 && users.len() < self.most {
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
        if teams.len() < 2 || random.below(9) == 0 && teams.len() < self.most {
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
        3 if random.below(3) == 0 && !self.kept.contains(&user) => stack.delete_user(user),
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
}

/// Grants what is not granted, and revokes what is.
fn toggle(stack: &Simulator, grant: Grant, list: impl Fn(&Everything) -> &Vec<Value>) {
    if list(&stack.everything()).contains(&json!(grant)) {
        stack.revoke(&grant);
    } else {
        stack.grant(grant);
    }
}
