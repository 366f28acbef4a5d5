//! A dump that is restored by several jobs at once, which load tables in any order.

use std::{env, fs};

use neon_auth_connections::{Database, Dump, World, eventually, run_program};

/// The tables that a dump carries.
const TABLES: &str = "
SELECT relation::text
  FROM (SELECT c::regclass AS relation FROM pg_extension e, unnest(e.extconfig) AS c WHERE e.extname = 'neon_auth'
        UNION ALL
        SELECT c.oid FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace) AS tables
 ORDER BY relation::text COLLATE \"C\"";

/// The foreign keys of the application's tables.
const FOREIGN_KEYS: &str = "
SELECT string_agg(c.conrelid::regclass || pg_get_constraintdef(c.oid), E'\n' ORDER BY c.conrelid::regclass::text, c.conname)
  FROM pg_constraint c WHERE c.contype = 'f' AND c.convalidated";

/// Rows in every table that a dump carries.
const FILL: &str = "
SELECT neon_auth.upsert_users((SELECT jsonb_agg(jsonb_build_object('id', 'u' || n, 'display_name', 'User ' || n, 'signed_up_at_millis', n))
                                 FROM generate_series(1, 3000) n));
SELECT neon_auth.delete_user('u3');
SELECT neon_auth.upsert_teams((SELECT jsonb_agg(jsonb_build_object('id', 't' || n)) FROM generate_series(1, 100) n));
INSERT INTO neon_auth.team_members_sync (team_id, user_id) SELECT 't' || n % 100 + 1, 'u' || n FROM generate_series(1, 3000) n;
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id)
SELECT 't' || n % 100 + 1, 'u' || n, 'team_member' FROM generate_series(1, 3000) n;
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) SELECT 'u' || n, 'beta' FROM generate_series(1, 1000) n;
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('editor', '{$read_members,team_member}');
UPDATE neon_auth.permission_definitions SET retired = true WHERE id = '$read_members';
SELECT neon_auth_internal.queue_sync('user', '', 'u' || n, 'To be confirmed.') FROM generate_series(1, 100) n;
SELECT neon_auth_internal.note_removal('team_member', 't1', 'u' || n, '') FROM generate_series(1, 100) n;
SELECT neon_auth.create_api_key('u' || n, 'backup', permissions => '{beta}') FROM generate_series(11, 100) n;
SELECT neon_auth.revoke_api_key(id) FROM neon_auth.api_keys WHERE user_id ~ '^u2';
INSERT INTO neon_auth.webhook_deliveries (id, event, outcome) SELECT 'msg_' || n, 'user.created', '{}' FROM generate_series(1, 100) n;
INSERT INTO neon_auth.sync_source (kind, source) SELECT kind, source FROM neon_auth_internal.source;
SELECT neon_auth.add_provider('idp' || n, ARRAY['https://idp' || n || '.example.com'], '{shop}', 'https://idp' || n || '.example.com/jwks')
  FROM generate_series(1, 200) n;
INSERT INTO neon_auth.jwks_cache (provider, jwks_url, jwks, fetched_at, fresh_until, attempted_at)
SELECT p.name, p.jwks_url, c.jwks, now(), now() + interval '1 h', now()
  FROM neon_auth.providers p, neon_auth.jwks_cache c WHERE p.name ~ '^idp' AND c.provider = 'stack';";

/// Tables of an application that refer to those of the extension.
const REFERENCES: &str = "
CREATE TABLE todos (id int PRIMARY KEY, user_id text NOT NULL REFERENCES neon_auth.users_sync (id), team_id text REFERENCES neon_auth.teams_sync (id));
INSERT INTO todos SELECT n, 'u' || n % 3000 + 1, 't' || n % 100 + 1 FROM generate_series(1, 5000) n;
CREATE TABLE memberships (team_id text, user_id text, PRIMARY KEY (team_id, user_id),
    FOREIGN KEY (team_id, user_id) REFERENCES neon_auth.team_members_sync (team_id, user_id));
INSERT INTO memberships SELECT team_id, user_id FROM neon_auth.team_members_sync;";

/// A world with rows in every table that a dump carries.
fn world() -> World {
    let world = World::with_keys();
    world.superuser().run(FILL);
    world
}

/// A copy is compared with its source by this: the rows of every table, and foreign keys.
#[track_caller]
fn fingerprint(database: &Database) -> Vec<String> {
    let mut superuser = database.superuser();
    let mut found: Vec<String> = superuser
        .values(TABLES, &[])
        .into_iter()
        .map(|table| {
            let table = table.expect("tables have names");
            let rows = format!(
                "SELECT count(*) || ' ' || md5(string_agg(t::text, chr(10) ORDER BY t::text COLLATE \"C\")) FROM {table} t"
            );
            format!("{table} {:?}", superuser.value(&rows, &[]))
        })
        .collect();
    found.extend(superuser.value(FOREIGN_KEYS, &[]));
    found
}

/// Fails unless a dump is whole after each of eight restores.
#[track_caller]
fn assert_restored(world: &World, calls: &[&[&str]]) {
    let before = fingerprint(&world.database);
    let dump = Dump::of(&world.database);
    for attempt in 0..8 {
        let copy = dump.restore(calls);
        let copy = copy.unwrap_or_else(|reason| panic!("restore {attempt}: {reason}"));
        assert_eq!(fingerprint(&copy), before, "restore {attempt}");
    }
}

#[test]
fn what_the_extension_keeps_is_restored_by_several_jobs() {
    assert_restored(&world(), &[&["--jobs=4"]]);
}

/// pg_restore may add a foreign key to an extension's table before it loads that table, as pg_dump
/// notes no such dependency. So foreign keys have to wait for all data.
#[test]
fn an_application_with_foreign_keys_is_restored_by_several_jobs() {
    let world = world();
    world.superuser().run(REFERENCES);
    assert_restored(
        &world,
        &[
            &["--jobs=4", "--section=pre-data", "--section=data"],
            &["--jobs=4", "--section=post-data"],
        ],
    );
}

/// Each order in which two tables can be loaded is that of the dump or of its reverse.
#[test]
fn tables_are_restored_in_any_order() {
    let world = world();
    let before = fingerprint(&world.database);
    let dump = Dump::of(&world.database);
    let contents =
        run_program("pg_restore", &["--list", dump.path()]).expect("a dump has contents");
    let is_kept = |line: &&str| line.contains(" TABLE DATA neon_auth ");
    let mut kept: Vec<&str> = contents.lines().filter(is_kept).collect();
    assert!(kept.len() > 10, "{contents}");
    for order in ["as dumped", "reversed"] {
        let mut next = kept.iter();
        let mut ordered = contents.lines().map(|line| match is_kept(&line) {
            true => next.next().expect("as many as before"),
            false => line,
        });
        let ordered: Vec<&str> = ordered.by_ref().collect();
        let list = env::temp_dir().join(format!("{}.list", world.database.name()));
        fs::write(&list, ordered.join("\n")).expect("a file can be written");
        let path = list.to_str().expect("temporary files have plain names");
        let copy = dump.restore(&[&["--use-list", path]]);
        let _ = fs::remove_file(&list);
        let copy = copy.unwrap_or_else(|reason| panic!("{order}: {reason}"));
        assert_eq!(fingerprint(&copy), before, "{order}");
        kept.reverse();
    }
}

/// A foreign key would demand an order of loading that pg_restore does not keep.
#[test]
fn no_foreign_key_joins_tables_that_a_dump_carries() {
    let database = Database::create();
    let joining = database.superuser().values(
        "SELECT c.conname::text
           FROM pg_constraint c, pg_extension e
          WHERE e.extname = 'neon_auth' AND c.contype = 'f' AND c.conrelid = ANY (e.extconfig)",
        &[],
    );
    assert_eq!(joining, [] as [Option<String>; 0]);
}

/// A worker fetches keys as soon as a restore has committed a provider, and the rest of the restore
/// goes on all the same.
#[test]
fn keys_that_are_fetched_during_a_restore_give_way_to_those_of_the_dump() {
    let world = world();
    let before = fingerprint(&world.database);
    let dump = Dump::of(&world.database);
    let copy = dump.restore(&[&["--section=pre-data"]]);
    let copy = copy.expect("it is restored");
    copy.superuser().run(
        "INSERT INTO neon_auth.jwks_cache (provider, jwks_url, attempted_at)
         SELECT 'idp' || n, 'https://idp' || n || '.example.com/jwks', now() FROM generate_series(1, 5) n",
    );
    let target = ["--exit-on-error", "--dbname", copy.name()];
    let rest = ["--section=data", "--section=post-data", dump.path()];
    let outcome = run_program("pg_restore", &[&target[..], &rest].concat());
    assert!(outcome.is_ok(), "{outcome:?}");
    assert_eq!(fingerprint(&copy), before);
}

#[test]
fn cached_keys_go_with_their_provider() {
    let world = world();
    let mut session = world.superuser();
    let mut cached = || {
        let providers = "SELECT string_agg(provider, ' ' ORDER BY provider)
                           FROM neon_auth.jwks_cache WHERE provider !~ '^idp..'";
        session.value(providers, &[])
    };
    assert_eq!(
        cached().as_deref(),
        Some("idp1 idp2 idp3 idp4 idp5 idp6 idp7 idp8 idp9 stack")
    );
    let mut writer = world.superuser();
    writer.run("SELECT neon_auth.drop_provider('idp1')");
    writer.run("DELETE FROM neon_auth.providers WHERE name IN ('idp2', 'idp3', 'idp4')");
    writer.run("UPDATE neon_auth.providers SET name = 'other' WHERE name = 'idp9'");
    assert_eq!(cached().as_deref(), Some("idp5 idp6 idp7 idp8 other stack"));
    writer.run("TRUNCATE neon_auth.providers");
    assert_eq!(cached(), None);
}

/// A fetch that begins while its provider is being dropped leaves nothing behind.
#[test]
fn no_cached_key_outlives_its_provider() {
    let world = World::with_keys();
    let (mut dropping, mut fetching) = (world.superuser(), world.superuser());
    world.outdate_keys(1);
    dropping.run("BEGIN; SELECT neon_auth.drop_provider('stack')");
    let pid = fetching.pid();
    std::thread::scope(|scope| {
        let refresh =
            scope.spawn(move || fetching.batch_execute("SELECT neon_auth.refresh_jwks('stack')"));
        let waits = "SELECT count(*)::text FROM pg_stat_activity
                      WHERE backend_type = 'neon_auth JWKS refresh' AND wait_event_type = 'Lock' AND datname = current_database()";
        let mut observer = world.superuser();
        eventually("the fetch waits for the provider", || {
            observer.value(waits, &[]).as_deref() == Some("1")
        });
        dropping.run("COMMIT");
        assert!(pid > 0);
        // What it answers is another matter.
        let _ = refresh.join().expect("the thread ends");
    });
    assert_eq!(world.cached("count(*)").as_deref(), Some("0"));
}
