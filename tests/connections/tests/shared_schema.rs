//! A schema neon_auth that is renamed, and another one of that name that its hostile owner creates, with tables and functions
//! of all the extension's names: webhooks, runs of `sync()` and background workers do not touch them.

use neon_auth_connections::{Cluster, Session, World, eventually};
use neon_auth_stack::{NewTeam, NewUser};
use postgres::error::SqlState;
use serde_json::json;

/// Everything in it writes to `public.ran` when another role than the owner executes it.
const FAKES: &str = "
CREATE FUNCTION elsewhere.caught(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'mallory' THEN
        INSERT INTO public.ran VALUES (what || ' as ' || current_user);
    END IF;
END $$;
CREATE FUNCTION elsewhere.caught() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM elsewhere.caught(tg_table_name::text);
    RETURN coalesce(new, old);
END $$;
CREATE SCHEMA neon_auth;
DO $fake$
DECLARE
    ours record;
BEGIN
    FOR ours IN
        SELECT DISTINCT ON (c.relname) c.relname,
               (SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ')
                  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0) AS columns
          FROM pg_class c
         WHERE c.relnamespace IN ('elsewhere'::regnamespace, 'neon_auth_internal'::regnamespace)
           AND c.relkind IN ('r', 'v')
    LOOP
        EXECUTE format('CREATE TABLE neon_auth.%I (%s)', ours.relname, ours.columns);
        EXECUTE format('CREATE TRIGGER caught BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth.%I
                            FOR EACH STATEMENT EXECUTE FUNCTION elsewhere.caught()', ours.relname);
    END LOOP;
    FOR ours IN
        SELECT DISTINCT p.proname, oidvectortypes(p.proargtypes) AS arguments
          FROM pg_proc p
         WHERE p.pronamespace IN ('elsewhere'::regnamespace, 'neon_auth_internal'::regnamespace)
           AND p.proowner <> 'mallory'::regrole AND p.prorettype <> 'trigger'::regtype
           AND p.prorettype <> 'event_trigger'::regtype AND oidvectortypes(p.proargtypes) !~ 'internal'
    LOOP
        EXECUTE format('CREATE FUNCTION neon_auth.%I(%s) RETURNS text LANGUAGE plpgsql AS %L',
                       ours.proname, ours.arguments,
                       format('BEGIN PERFORM elsewhere.caught(%L); RETURN NULL; END', ours.proname));
    END LOOP;
END
$fake$;
INSERT INTO neon_auth.users_sync (id, raw_json) VALUES ('forged', '{}');";

#[test]
fn the_fakes_of_a_hostile_owner_are_neither_executed_nor_read() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 1");
    let world = World::with_users(cluster.server(), 2);
    world.accept_webhooks();
    world.await_users(2);
    let mut session = world.superuser();
    let database = world.database.name();
    session.run(&format!(
        "CREATE ROLE mallory LOGIN; GRANT CREATE ON DATABASE {database} TO mallory;
         CREATE TABLE public.ran (what text); GRANT INSERT ON public.ran TO PUBLIC;
         ALTER SCHEMA neon_auth OWNER TO mallory; GRANT USAGE ON SCHEMA neon_auth TO PUBLIC"
    ));
    let mut mallory = Session::open(&cluster.server().config("mallory", database));
    let rename = "ALTER SCHEMA neon_auth RENAME TO elsewhere";
    let refusal = mallory.run_refused(rename);
    assert_eq!(refusal.code(), &SqlState::INSUFFICIENT_PRIVILEGE);
    session.run(rename);
    mallory.run(FAKES);

    // A run by the worker, which no configuration of these sessions began.
    let late = world.sign_up("late");
    let users = "SELECT count(*)::text FROM elsewhere.users_sync WHERE deleted_at IS NULL";
    eventually("a worker mirrors who signed up", || {
        session.value(users, &[]) == Some("3".to_owned())
    });
    // Webhooks: a user's, and a team's, which queues; the worker confirms what is queued.
    world
        .stack
        .sign_up(NewUser::named("Ada", "ada@example.com"));
    let mut team = NewTeam::named("Team");
    team.creator_user_id = Some(late.parse().expect("a UUID"));
    world.stack.create_team(team);
    for message in world.stack.messages() {
        let delivery = world.stack.delivery(&message.id);
        let headers = json!(delivery.headers).to_string();
        let outcome = session.value(
            "SELECT elsewhere.handle_webhook($1, $2::text::jsonb) ->> 'outcome'",
            &[&delivery.body, &headers],
        );
        assert!(outcome.is_some(), "{}", message.event);
    }
    session.run("CALL elsewhere.sync()");
    let members = session.values("SELECT user_id FROM elsewhere.team_members_sync", &[]);
    assert!(members.contains(&Some(late.clone())), "{members:?}");
    assert_eq!(session.value(users, &[]), Some("4".to_owned()));
    let mut app = world.app();
    assert_eq!(app.sign_in_for_session(&world.token_of(&late)), late);
    let teams = app.value("SELECT cardinality(auth.team_ids())::text", &[]);
    assert_eq!(teams, Some("1".to_owned()));
    let runs = "SELECT count(*)::text FROM elsewhere.sync_runs WHERE finished_at IS NOT NULL";
    let finished = session.value(runs, &[]);
    world
        .stack
        .sign_up(NewUser::named("Eve", "eve@example.com"));
    eventually("a worker finishes another run", || {
        session.value(runs, &[]) != finished && session.value(users, &[]) == Some("5".to_owned())
    });
    let ran = session.values("SELECT DISTINCT what FROM public.ran ORDER BY what", &[]);
    assert!(ran.is_empty(), "{ran:?}");
    let fakes = session.value("SELECT count(*)::text FROM neon_auth.users_sync", &[]);
    assert_eq!(fakes, Some("1".to_owned()));
}
