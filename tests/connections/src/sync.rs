//! `CALL neon_auth.sync()`, and whether the mirror then is what the service has.

use std::collections::BTreeMap;
use std::thread;

use neon_auth_stack::{Everything, Options, Simulator};
use postgres::error::{DbError, SqlState};
use serde_json::Value;

use crate::world::World;

pub const SYNC: &str = "CALL neon_auth.sync()";

/// What is living in the mirror, and what is queued.
const MIRROR: &str = "
SELECT json_build_array('user ' || id, raw_json)::text
  FROM neon_auth.users_sync WHERE deleted_at IS NULL
UNION ALL
SELECT json_build_array('team ' || id, raw_json)::text
  FROM neon_auth.teams_sync WHERE deleted_at IS NULL
UNION ALL
SELECT json_build_array(concat_ws(' ', 'member', team_id, user_id), true)::text
  FROM neon_auth.team_members_sync
UNION ALL
SELECT json_build_array(concat_ws(' ', 'team permission', team_id, user_id, permission_id), inherited)::text
  FROM neon_auth.team_permissions_sync
UNION ALL
SELECT json_build_array(concat_ws(' ', 'project permission', user_id, permission_id), inherited)::text
  FROM neon_auth.project_permissions_sync
UNION ALL
SELECT json_build_array(concat_ws(' ', 'queued', kind, team_id, user_id), reason)::text
  FROM neon_auth.sync_queue";

/// Objects by a name; permissions with whether they are inherited.
type Facts = BTreeMap<String, Value>;

impl World {
    /// Puts the service of another project in the place of the one that there is, and answers that.
    /// The database is configured for the one that there was.
    pub fn enter_another_project(&mut self) -> Simulator {
        let options = Options {
            project_id: "0f2f7a52-6a40-4f5e-8b39-2d6f1f4d7a11".to_owned(),
            ..Options::default()
        };
        let another = Simulator::start(options).expect("a port is free");
        std::mem::replace(&mut self.stack, another)
    }

    #[track_caller]
    pub fn sync(&self) {
        self.superuser().run(SYNC);
    }

    /// The error of a synchronisation that must fail.
    #[track_caller]
    pub fn sync_refused(&self) -> DbError {
        self.superuser().run_refused(SYNC)
    }

    /// Synchronises in a session of its own, does something meanwhile with that session's pid at
    /// hand, and returns how the synchronisation ended.
    pub fn beside_sync<R>(
        &self,
        meanwhile: impl FnOnce(i32) -> R,
    ) -> (Result<(), postgres::Error>, R) {
        let mut session = self.superuser();
        let pid = session.pid();
        thread::scope(|scope| {
            let syncing = scope.spawn(move || session.batch_execute(SYNC));
            let result = meanwhile(pid);
            (syncing.join().expect("the thread ends"), result)
        })
    }

    /// The same, with only the SQLSTATE of an error, or none where the connection broke.
    pub fn while_syncing<R>(
        &self,
        meanwhile: impl FnOnce(i32) -> R,
    ) -> (Result<(), Option<SqlState>>, R) {
        let (outcome, result) = self.beside_sync(meanwhile);
        (outcome.map_err(|error| error.code().cloned()), result)
    }

    /// An expression over the last row of `neon_auth.sync_runs`.
    #[track_caller]
    pub fn last_run(&self, expression: &str) -> Option<String> {
        let query = format!(
            "SELECT ({expression})::text FROM neon_auth.sync_runs ORDER BY id DESC LIMIT 1"
        );
        self.superuser().value(&query, &[])
    }

    /// The first ten differences between the mirror, with what is left to be confirmed, and what the service has.
    #[track_caller]
    pub fn mirror_differences(&self) -> Vec<String> {
        let (mirror, source) = (self.mirror(), facts(&self.stack.everything()));
        let differing = mirror
            .keys()
            .chain(source.keys())
            .filter(|name| !is_mirrored(mirror.get(*name), source.get(*name)));
        differing
            .take(10)
            .map(|name| {
                let (here, there) = (mirror.get(name), source.get(name));
                format!("{name}: here {here:?}, there {there:?}")
            })
            .collect()
    }

    /// Fails unless the mirror is what the service has, with nothing left to be confirmed.
    #[track_caller]
    pub fn assert_mirrored(&self) {
        let differences = self.mirror_differences();
        assert!(differences.is_empty(), "{differences:#?}");
        for table in ["users_sync", "teams_sync"] {
            let unmarked = format!(
                "SELECT count(*)::text FROM neon_auth.{table} WHERE deleted_at > clock_timestamp() OR updated_at IS NULL"
            );
            let unmarked = self.superuser().value(&unmarked, &[]);
            assert_eq!(unmarked.as_deref(), Some("0"), "{table}");
        }
    }

    #[track_caller]
    fn mirror(&self) -> Facts {
        let rows = self.superuser().values(MIRROR, &[]);
        rows.into_iter()
            .map(|row| serde_json::from_str::<(String, Value)>(&row.expect("a row")))
            .collect::<Result<_, _>>()
            .expect("as the query builds them")
    }

    /// Which users, teams and so on the mirror holds as deleted.
    #[track_caller]
    pub fn deleted(&self, table: &str) -> Vec<String> {
        let query =
            format!("SELECT id FROM neon_auth.{table} WHERE deleted_at IS NOT NULL ORDER BY id");
        let ids = self.superuser().values(&query, &[]);
        ids.into_iter().flatten().collect()
    }

    /// How often the REST API has been asked for a path, or what begins with it.
    pub fn asked(&self, path: &str) -> usize {
        self.stack.requests(&format!("/api/v1/{path}"))
    }

    /// How often a list was asked for.
    pub fn listed(&self, path: &str) -> usize {
        let path = format!("/api/v1/{path}");
        let received = self.stack.received(&path);
        received
            .iter()
            .filter(|request| request.path == path)
            .count()
    }
}

/// Whether a row is what the service has. The time of a user's last activity is accurate to a day,
/// and a user's providers have no order.
fn is_mirrored(here: Option<&Value>, there: Option<&Value>) -> bool {
    const ACTIVE: &str = "last_active_at_millis";
    const DAY: u64 = 24 * 60 * 60 * 1000;
    let at = |fact: &Value| fact.get(ACTIVE).and_then(Value::as_i64);
    let unordered = |fact: &Value| {
        let mut fact = fact.clone();
        if let Some(Value::Array(providers)) = fact.get_mut("oauth_providers") {
            providers.sort_by_key(Value::to_string);
        }
        fact
    };
    let [Some(mut here), Some(there)] = [here, there].map(|fact| fact.map(unordered)) else {
        return here == there;
    };
    if let (Some(here_at), Some(there_at)) = (at(&here), at(&there))
        && here_at.abs_diff(there_at) < DAY
    {
        here[ACTIVE] = there_at.into();
    }
    here == there
}

fn facts(everything: &Everything) -> Facts {
    let text = |object: &Value, member: &str| -> String {
        let text = object[member].as_str();
        text.expect("ids are strings").to_owned()
    };
    let mut facts = Facts::new();
    for user in &everything.users {
        facts.insert(format!("user {}", text(user, "id")), user.clone());
    }
    for team in &everything.teams {
        facts.insert(format!("team {}", text(team, "id")), team.clone());
    }
    for member in &everything.memberships {
        facts.insert(
            format!("member {} {}", member.team_id, member.user_id),
            true.into(),
        );
    }
    // What is given directly comes last, for it is among what follows from all that is given.
    for (permissions, inherited) in [
        (&everything.team_permissions, true),
        (&everything.direct_team_permissions, false),
    ] {
        for held in permissions {
            let (team, user) = (text(held, "team_id"), text(held, "user_id"));
            let name = format!("team permission {team} {user} {}", text(held, "id"));
            facts.insert(name, inherited.into());
        }
    }
    for (permissions, inherited) in [
        (&everything.project_permissions, true),
        (&everything.direct_project_permissions, false),
    ] {
        for held in permissions {
            let name = format!(
                "project permission {} {}",
                text(held, "user_id"),
                text(held, "id")
            );
            facts.insert(name, inherited.into());
        }
    }
    facts
}
