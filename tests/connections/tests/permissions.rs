//! What is given or taken away counts at the next statement, whoever did it and however it ended.

use neon_auth_connections::{Database, Session};

const HAS: &str = "SELECT (auth.has_permission('editor', 't1') AND auth.is_team_member('t1')
                           AND auth.has_permission('beta'))::text";

/// Alice is a member of t1 and an editor there, and has "beta" in the project.
fn database() -> Database {
    let database = Database::create();
    database.superuser().run(
        "INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'alice');
         INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', 'alice', 'editor');
         INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('alice', 'beta');
         SELECT neon_auth.upsert_user('{\"id\": \"alice\"}');
         CREATE TABLE public.unrelated (body text);",
    );
    database
}

/// A session that has asked before.
fn alice(database: &Database) -> Session {
    let mut session = database.superuser();
    session.run("SELECT auth.impersonate('alice', is_local => false)");
    assert!(has(&mut session));
    session
}

fn has(session: &mut Session) -> bool {
    session.value(HAS, &[]).as_deref() == Some("true")
}

/// Each of these takes away something that `HAS` asks for.
const REVOCATIONS: [&str; 6] = [
    "DELETE FROM neon_auth.team_members_sync",
    "DELETE FROM neon_auth.team_permissions_sync",
    "DELETE FROM neon_auth.project_permissions_sync",
    "INSERT INTO neon_auth.teams_sync (raw_json, deleted_at) VALUES ('{\"id\": \"t1\"}', now())",
    "UPDATE neon_auth.users_sync SET deleted_at = now()",
    "INSERT INTO neon_auth.permission_definitions (id, retired) VALUES ('editor', true)",
];

#[test]
fn what_another_session_revokes_counts_at_the_next_statement() {
    for revocation in REVOCATIONS {
        let database = database();
        let mut session = alice(&database);
        session.run("BEGIN");
        assert!(has(&mut session));
        let mut other = database.superuser();
        other.run("BEGIN");
        other.run(revocation);
        assert!(has(&mut session), "{revocation}");
        other.run("COMMIT");
        assert!(!has(&mut session), "{revocation}");
    }
}

#[test]
fn a_transaction_sees_what_its_snapshot_holds() {
    for revocation in REVOCATIONS {
        let database = database();
        let mut session = alice(&database);
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
        assert!(has(&mut session));
        database.superuser().run(revocation);
        assert!(has(&mut session), "{revocation}");
        session.run("COMMIT");
        assert!(!has(&mut session), "{revocation}");
    }
}

#[test]
fn what_a_transaction_revokes_itself_counts_at_once() {
    for revocation in REVOCATIONS {
        let database = database();
        let mut session = alice(&database);
        session.run("BEGIN");
        assert!(has(&mut session));
        session.run(revocation);
        assert!(!has(&mut session), "{revocation}");
        session.run("ROLLBACK");
        assert!(has(&mut session), "{revocation}");
    }
}

/// Numbers of transactions are such that the snapshot afterwards is the very one of before.
#[test]
fn what_is_rolled_back_never_was() {
    let end = |own: &[&str], after: &[&str]| {
        let database = database();
        let mut session = alice(&database);
        let mut oldest = database.superuser();
        oldest.run("BEGIN; SELECT pg_current_xact_id()");
        for statement in own {
            session.run(statement);
        }
        database.superuser().run("SELECT pg_current_xact_id()");
        assert!(!has(&mut session));
        for statement in after {
            session.run(statement);
        }
        assert!(has(&mut session));
    };
    end(
        &["BEGIN", "DELETE FROM neon_auth.team_members_sync"],
        &[
            "ROLLBACK",
            "BEGIN",
            "INSERT INTO unrelated VALUES ('one command')",
        ],
    );
    end(
        &[
            "BEGIN",
            "SAVEPOINT s",
            "DELETE FROM neon_auth.team_members_sync",
        ],
        &["ROLLBACK TO s"],
    );
    end(
        &[
            "BEGIN",
            "SAVEPOINT s",
            "SAVEPOINT t",
            "DELETE FROM neon_auth.team_members_sync",
            "RELEASE t",
        ],
        &["ROLLBACK TO s"],
    );
}

/// A function that writes sees each of its own commands, and what asks within one sees the same.
#[test]
fn each_command_of_a_function_counts() {
    let database = database();
    let mut session = alice(&database);
    let query = format!(
        "CREATE FUNCTION public.asked() RETURNS text LANGUAGE plpgsql AS $$
         DECLARE
             answers text[];
         BEGIN
             answers := answers || ({HAS});
             DELETE FROM neon_auth.team_permissions_sync;
             answers := answers || ({HAS});
             INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', 'alice', 'editor');
             answers := answers || ({HAS});
             BEGIN
                 DELETE FROM neon_auth.team_permissions_sync;
                 answers := answers || ({HAS});
                 RAISE division_by_zero;
             EXCEPTION WHEN division_by_zero THEN
                 answers := answers || ({HAS});
             END;
             RETURN answers::text;
         END
         $$"
    );
    session.run(&query);
    let answers = session.value("SELECT public.asked()", &[]);
    assert_eq!(answers.as_deref(), Some("{true,false,true,false,true}"));
    let at_once = "WITH gone AS (DELETE FROM neon_auth.team_permissions_sync RETURNING 1)
                   SELECT (bool_and(auth.has_permission('editor', 't1')))::text FROM gone";
    assert_eq!(session.value(at_once, &[]).as_deref(), Some("true"));
    assert!(!has(&mut session));
}

/// More are asked about than answers are kept, in one statement and by users in turn.
#[test]
fn answers_are_those_of_the_user_and_team_asked_about() {
    let database = database();
    let mut session = database.superuser();
    session.run(
        "TRUNCATE neon_auth.team_members_sync, neon_auth.team_permissions_sync;
         INSERT INTO neon_auth.team_members_sync (team_id, user_id)
         SELECT 't' || t, 'u' || u FROM generate_series(1, 1500) AS t, generate_series(1, 2) AS u WHERE t % (u + 1) = 0;
         INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id)
         SELECT team_id, user_id, 'editor' FROM neon_auth.team_members_sync WHERE team_id LIKE '%0'",
    );
    for user in [1, 2, 1] {
        session.run(&format!(
            "SELECT auth.impersonate('u{user}', is_local => false)"
        ));
        let wrong = format!(
            "SELECT count(*)::text FROM generate_series(1, 1500) AS t, generate_series(1, 2) AS turn
              WHERE auth.is_team_member('t' || t) <> (t % ({user} + 1) = 0)
                 OR auth.has_permission('editor', 't' || t) <> (t % ({user} + 1) = 0 AND t % 10 = 0)"
        );
        assert_eq!(session.value(&wrong, &[]).as_deref(), Some("0"));
    }
}
