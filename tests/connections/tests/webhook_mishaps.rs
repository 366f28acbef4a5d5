//! Events that are lost, that arrive twice under two ids, and that arrive in any order, in a small
//! world where each soon meets every state: no removal that was reported is undone by an event,
//! and one synchronisation makes the mirror equal.

use std::collections::{BTreeMap, BTreeSet};

use neon_auth_connections::{Random, SYNC, Session, World, id_of};
use neon_auth_stack::permissions::{Definition, Grant, Scope};
use neon_auth_stack::teams::Membership;
use neon_auth_stack::webhooks::{Message, Mishaps};
use neon_auth_stack::{Everything, NewTeam, NewUser, Simulator};
use serde_json::{Value, json};

/// What is living in the mirror, in words.
const SHOWN: &str = "
SELECT concat_ws(' ', 'user', id) FROM neon_auth.users_sync WHERE deleted_at IS NULL
UNION ALL
SELECT concat_ws(' ', 'team', id) FROM neon_auth.teams_sync WHERE deleted_at IS NULL
UNION ALL
SELECT concat_ws(' ', 'member', team_id, user_id) FROM neon_auth.team_members_sync
UNION ALL
SELECT concat_ws(' ', CASE WHEN inherited THEN 'inherited' ELSE 'direct' END, permission_id, team_id, user_id)
  FROM neon_auth.team_permissions_sync
UNION ALL
SELECT concat_ws(' ', CASE WHEN inherited THEN 'inherited' ELSE 'direct' END, permission_id, 'project', user_id)
  FROM neon_auth.project_permissions_sync";

/// The state of an object before an event about it.
const STATE: &str = "
WITH given(team_id, user_id, permission_id) AS (VALUES ($1, $2, $3)),
tombstone AS (
    SELECT FROM given g JOIN neon_auth_internal.tombstones t
        ON t.team_id = g.team_id AND t.user_id = g.user_id AND t.permission_id IN ('', g.permission_id)
), ended AS (
    SELECT FROM given g JOIN neon_auth.users_sync u ON u.id = g.user_id AND u.deleted_at IS NOT NULL
    UNION ALL
    SELECT FROM given g JOIN neon_auth.teams_sync t ON t.id = g.team_id AND t.deleted_at IS NOT NULL
), living AS (
    SELECT FROM given g JOIN neon_auth.users_sync u ON u.id = g.user_id WHERE $4 = 'user'
    UNION ALL
    SELECT FROM given g JOIN neon_auth.teams_sync t ON t.id = g.team_id WHERE $4 = 'team'
    UNION ALL
    SELECT FROM given g JOIN neon_auth.team_members_sync m USING (team_id, user_id) WHERE $4 = 'team_membership'
    UNION ALL
    SELECT FROM given g JOIN neon_auth.team_permissions_sync p USING (team_id, user_id, permission_id)
     WHERE $4 = 'team_permission'
    UNION ALL
    SELECT FROM given g JOIN neon_auth.project_permissions_sync p USING (user_id, permission_id)
     WHERE $4 = 'project_permission'
)
SELECT CASE WHEN EXISTS (SELECT FROM ended) THEN 'deleted'
            WHEN EXISTS (SELECT FROM living) THEN CASE WHEN EXISTS (SELECT FROM tombstone) THEN 'back' ELSE 'known' END
            ELSE CASE WHEN EXISTS (SELECT FROM tombstone) THEN 'removed' ELSE 'unknown' END END";

type Words = BTreeSet<String>;

/// What the service has, in the same words, and what a row may therefore show.
struct Truth {
    has: Words,
    shows: Words,
}

fn truth(stack: &Simulator) -> Truth {
    let everything = stack.everything();
    let text = |object: &Value, key: &str| object[key].as_str().unwrap_or("project").to_owned();
    let held = |kind: &str, grant: &Value| {
        let [id, team, user] = ["id", "team_id", "user_id"].map(|key| text(grant, key));
        format!("{kind} {id} {team} {user}")
    };
    let mut has: Words = everything
        .memberships
        .iter()
        .map(|member| format!("member {} {}", member.team_id, member.user_id))
        .collect();
    has.extend(
        everything
            .users
            .iter()
            .map(|user| format!("user {}", text(user, "id"))),
    );
    has.extend(
        everything
            .teams
            .iter()
            .map(|team| format!("team {}", text(team, "id"))),
    );
    let mut shows = has.clone();
    let Everything {
        direct_team_permissions,
        direct_project_permissions,
        team_permissions,
        project_permissions,
        ..
    } = everything;
    for grant in direct_team_permissions
        .iter()
        .chain(&direct_project_permissions)
    {
        has.insert(held("direct", grant));
    }
    for grant in team_permissions.iter().chain(&project_permissions) {
        has.insert(held("inherited", grant));
        shows.insert(held("inherited", grant));
        shows.insert(held("direct", grant));
    }
    Truth { has, shows }
}

/// Whether an event alone ends something, told in the words above.
fn ends(event: &Value, words: &str) -> bool {
    let data = &event["data"];
    let id = |key: &str| data[key].as_str().unwrap_or("project");
    let parts: Vec<&str> = words.split(' ').collect();
    let is_of = |key: &str, place: usize| parts.get(place).is_some_and(|part| *part == id(key));
    let is_permission = parts[0] == "direct" || parts[0] == "inherited";
    match event["type"].as_str().unwrap_or_default() {
        "user.deleted" => parts.last() == Some(&id("id")) && parts[0] != "team",
        "team.deleted" => is_of("id", if is_permission { 2 } else { 1 }) && parts[0] != "user",
        "team_membership.deleted" if is_permission => is_of("team_id", 2) && is_of("user_id", 3),
        "team_membership.deleted" => {
            parts[0] == "member" && is_of("team_id", 1) && is_of("user_id", 2)
        }
        // What followed from a permission is removed with it, as far as it is known.
        "team_permission.deleted" | "project_permission.deleted" => {
            is_permission
                && is_of("team_id", 2)
                && is_of("user_id", 3)
                && (parts[0] == "inherited" || is_of("id", 1))
        }
        _ => false,
    }
}

/// A world, its events that are still under way, and what the mirror must not show any more.
struct Mishap<'a> {
    world: &'a World,
    session: Session,
    random: Random,
    under_way: Vec<Message>,
    /// Ids of the messages that report the last end of something.
    ended: BTreeMap<String, Vec<String>>,
    /// Of those, what the mirror knows to have ended.
    told: Words,
    delivered: Vec<Message>,
    /// The types of the events, with the states that they met and how they came.
    met: BTreeSet<(String, String)>,
}

impl<'a> Mishap<'a> {
    fn new(world: &'a World, seed: u64) -> Self {
        let stack = &world.stack;
        for (scope, id, contained) in [
            (Scope::Team, "editor", "$update_team"),
            (Scope::Project, "tester", "beta"),
            (Scope::Project, "beta", "news"),
            (Scope::Project, "news", "news"),
        ] {
            stack.define_permission(Definition {
                scope,
                id: id.to_owned(),
                contained_permission_ids: vec![contained.to_owned()],
            });
        }
        stack.grant_at_sign_up(&["tester"]);
        stack.give_personal_teams(true);
        stack.set_mishaps(Some(Mishaps {
            seed: seed.to_string(),
            lost: 20,
            doubled: 40,
        }));
        Self {
            world,
            session: world.superuser(),
            random: Random::seeded(seed),
            under_way: Vec::new(),
            ended: BTreeMap::new(),
            told: Words::new(),
            delivered: Vec::new(),
            met: BTreeSet::new(),
        }
    }

    /// Something happens at the service.
    fn act(&mut self) {
        self.keep_account(change);
    }

    /// Everybody and every team is deleted, some right after the sign-up.
    fn end_all(&mut self) {
        for _ in 0..3 {
            self.keep_account(|stack, _| drop(stack.sign_up(NewUser::anonymous())));
        }
        let Everything { users, teams, .. } = self.world.stack.everything();
        for user in &users {
            self.keep_account(|stack, _| stack.delete_user(id_of(user)));
        }
        for team in &teams {
            self.keep_account(|stack, _| stack.delete_team(id_of(team)));
        }
    }

    fn keep_account(&mut self, change: impl FnOnce(&Simulator, &mut Random)) {
        let stack = &self.world.stack;
        let (before, sent) = (truth(stack), stack.messages().len());
        change(stack, &mut self.random);
        let after = truth(stack);
        let messages = stack.messages().split_off(sent);
        for words in before.has.difference(&after.has) {
            let reports = messages.iter().filter(|message| {
                let event = serde_json::from_str(&message.body).expect("a message is JSON");
                ends(&event, words)
            });
            let ids = reports.map(|message| message.id.clone()).collect();
            self.ended.insert(words.clone(), ids);
        }
        for words in &after.has {
            self.ended.remove(words);
            self.told.remove(words);
        }
        self.under_way.extend(messages);
    }

    /// Delivers some of what is under way, in any order.
    fn deliver(&mut self, of_ten: usize) {
        let mut last = None;
        for message in self.in_any_order() {
            // The second of a doubled one comes right after the first, or mostly much later.
            let twin = |other: &Message| other.number == message.number;
            let is_second = self.delivered.iter().any(twin);
            let of_ten = if is_second {
                of_ten * of_ten / 10
            } else {
                of_ten
            };
            if last != Some(message.number) && self.random.below(10) >= of_ten {
                self.under_way.push(message);
                continue;
            }
            last = Some(message.number);
            self.meet(&message);
            self.session
                .deliver(&self.world.stack.delivery(&message.id));
            for (words, ids) in &self.ended {
                if ids.contains(&message.id) {
                    self.told.insert(words.clone());
                }
            }
            self.check(&format!("{} {}", message.event, message.body));
            self.delivered.push(message);
        }
    }

    /// What is under way; some of the doubled ones are one right after the other, and some
    /// deletions overtake the rest.
    fn in_any_order(&mut self) -> Vec<Message> {
        self.random.shuffle(&mut self.under_way);
        let mut messages: Vec<Message> = Vec::new();
        for message in self.under_way.drain(..) {
            let twin = |other: &Message| other.number == message.number;
            match messages.iter().position(twin) {
                Some(place) if self.random.below(2) == 0 => messages.insert(place + 1, message),
                _ => messages.push(message),
            }
        }
        let early = self.random.below(2) == 0;
        messages.sort_by_key(|message| {
            let is_final = ["user.deleted", "team.deleted"].contains(&message.event);
            !(early && is_final)
        });
        messages
    }

    fn meet(&mut self, message: &Message) {
        let event: Value = serde_json::from_str(&message.body).expect("a message is JSON");
        let (subject, _) = message.event.split_once('.').expect("subject and action");
        let id = |key: &str| event["data"][key].as_str().unwrap_or_default();
        let (team, user, permission) = match subject {
            "user" => ("", id("id"), ""),
            "team" => (id("id"), "", ""),
            "team_membership" => (id("team_id"), id("user_id"), ""),
            _ => (id("team_id"), id("user_id"), id("id")),
        };
        let row = self
            .session
            .query_one(STATE, &[&team, &user, &permission, &subject]);
        let state: String = row.expect("a state").get(0);
        let twin = |other: &Message| other.number == message.number;
        let mishap = match self.delivered.iter().rposition(twin) {
            None => "first",
            Some(place) if place + 1 == self.delivered.len() => "doubled",
            Some(_) => "doubled and reordered",
        };
        for met in [state, mishap.to_owned()] {
            self.met.insert((message.event.to_owned(), met));
        }
    }

    fn shown(&mut self) -> Words {
        self.session
            .values(SHOWN, &[])
            .into_iter()
            .flatten()
            .collect()
    }

    /// Fails if the mirror shows something of which it knows that it has ended.
    #[track_caller]
    fn check(&mut self, after: &str) {
        let shows = truth(&self.world.stack).shows;
        let excess: Vec<String> = self
            .shown()
            .into_iter()
            .filter(|words| self.told.contains(words) && !shows.contains(words))
            .collect();
        assert!(excess.is_empty(), "after {after}: {excess:#?}");
    }

    /// What a synchronisation removes, no event brings back either.
    fn synchronise(&mut self) {
        let before = self.shown();
        self.session.run(SYNC);
        let (after, shows) = (self.shown(), truth(&self.world.stack).shows);
        let removed = before
            .difference(&after)
            .filter(|words| !shows.contains(*words));
        self.told.extend(removed.cloned());
        self.check("a synchronisation");
    }
}

fn change(stack: &Simulator, random: &mut Random) {
    let Everything {
        users,
        teams,
        memberships,
        ..
    } = stack.everything();
    if users.len() < 2 || users.len() < 3 && random.below(12) == 0 {
        stack.sign_up(match random.below(2) {
            0 => NewUser::anonymous(),
            _ => NewUser::named("Somebody", "somebody@example.com"),
        });
        return;
    }
    let user = id_of(random.pick(&users));
    if teams.len() < 2 {
        stack.create_team(NewTeam {
            creator_user_id: Some(user).filter(|_| random.below(2) == 0),
            ..NewTeam::named("Team")
        });
        return;
    }
    // Mostly about few teams, so that all meets often.
    let few = if random.below(4) == 0 { teams.len() } else { 2 };
    let team = id_of(random.pick(&teams[..few]));
    let membership = Membership {
        team_id: team,
        user_id: user,
    };
    let changes = json!({ "display_name": format!("name {}", random.below(100)) });
    match random.below(16) {
        0 => drop(stack.update_user(user, changes)),
        1 => drop(stack.update_user(user, json!({ "is_anonymous": false }))),
        2 => drop(stack.update_team(team, changes)),
        3 if random.below(3) == 0 => stack.delete_user(user),
        4 if random.below(3) == 0 => stack.delete_team(team),
        5..=8 if memberships.contains(&membership) => stack.leave_team(membership),
        5..=8 => stack.join_team(membership),
        9..=12 if memberships.contains(&membership) => {
            let id = *random.pick(&["team_admin", "editor"]);
            let (team_id, id) = (Some(team), id.to_owned());
            toggle(
                stack,
                Grant {
                    team_id,
                    user_id: user,
                    id,
                },
            );
        }
        13..=15 => {
            let (team_id, id) = (None, (*random.pick(&["tester", "beta"])).to_owned());
            toggle(
                stack,
                Grant {
                    team_id,
                    user_id: user,
                    id,
                },
            );
        }
        _ => {}
    }
}

/// Grants what is not granted, and revokes what is.
fn toggle(stack: &Simulator, grant: Grant) {
    let everything = stack.everything();
    let granted = [
        everything.direct_team_permissions,
        everything.direct_project_permissions,
    ];
    if granted.concat().contains(&json!(grant)) {
        stack.revoke(&grant);
    } else {
        stack.grant(grant);
    }
}

/// Every event, with the states that it can meet and the ways in which it can come.
fn to_be_met() -> BTreeSet<(String, &'static str)> {
    const OBJECTS: &[&str] = &["user", "team"];
    const RIGHTS: &[&str] = &["team_membership", "team_permission", "project_permission"];
    let mut all = BTreeSet::new();
    for (subjects, action, states) in [
        (OBJECTS, "created", &["unknown", "known", "deleted"][..]),
        (OBJECTS, "updated", &["unknown", "known", "deleted"]),
        (OBJECTS, "deleted", &["known", "deleted"]),
        (
            RIGHTS,
            "created",
            &["unknown", "known", "removed", "back", "deleted"],
        ),
        (
            RIGHTS,
            "deleted",
            &["unknown", "known", "removed", "back", "deleted"],
        ),
    ] {
        for subject in subjects {
            for met in ["lost", "doubled", "doubled and reordered"]
                .iter()
                .chain(states)
            {
                all.insert((format!("{subject}.{action}"), *met));
            }
        }
    }
    all
}

#[test]
fn no_removal_is_undone_and_one_sync_leaves_the_truth() {
    let mut missed = to_be_met();
    for seed in 0.. {
        let world = World::with_webhooks();
        let mut mishap = Mishap::new(&world, seed);
        for _ in 0..20 {
            for _ in 0..12 {
                mishap.act();
            }
            mishap.deliver(5);
            if mishap.random.below(3) == 0 {
                mishap.synchronise();
            }
        }
        mishap.synchronise();
        world.assert_mirrored();
        // What is late undoes no removal.
        mishap.deliver(5);
        mishap.synchronise();
        world.assert_mirrored();
        for _ in 0..24 {
            mishap.act();
        }
        mishap.end_all();
        mishap.deliver(10);
        mishap.synchronise();
        world.assert_mirrored();
        for event in world.stack.lost_events() {
            mishap.met.insert((event.to_owned(), "lost".to_owned()));
        }
        missed.retain(|(event, what)| !mishap.met.contains(&(event.clone(), (*what).to_owned())));
        if missed.is_empty() {
            return;
        }
        assert!(seed < 10, "never met: {missed:#?}");
    }
}
