//! PostgreSQL's list of relcache callbacks, which has ten places in each process. A process that
//! needs an eleventh ends.

use neon_auth_connections::{BetterAuth, Cluster, Session, library, run_program};

const PLACES: usize = 10;

/// Fills PostgreSQL's own caches that have a place.
const WARM_UP: &str = "SELECT DISTINCT relname FROM pg_class";

/// How many processes have ended because they needed one more place. The client may not get the
/// error.
fn ended(cluster: &Cluster) -> usize {
    let error = "FATAL:  out of relcache_callback_list slots";
    cluster.log().matches(error).count()
}

/// How many places are free in a session, which ends by this.
fn free(cluster: &Cluster, session: &mut Session) -> usize {
    let before = ended(cluster);
    let takes = |taken: &usize| {
        let outcome = session.batch_execute(&format!("SET slots.taken = {taken}"));
        outcome.is_ok()
    };
    let free = (1..=PLACES + 1).take_while(takes).count();
    assert_eq!(ended(cluster), before + 1);
    free
}

/// How many places are free in a session that uses nothing of the extension.
fn free_in_session(cluster: &Cluster, world: &BetterAuth) -> usize {
    let mut session = world.app();
    session.run(WARM_UP);
    free(cluster, &mut session)
}

/// How many places are free in a walsender that sends changes of Better Auth's tables and of the
/// mirror.
fn free_in_walsender(cluster: &Cluster, world: &BetterAuth) -> usize {
    let sends = |taken: &usize| sends_changes(cluster, world, *taken);
    let free = (0..=PLACES).rev().find(sends);
    free.expect("it sends changes when no place is taken")
}

/// Whether it does so when others have taken so many places.
fn sends_changes(cluster: &Cluster, world: &BetterAuth, taken: usize) -> bool {
    let mut superuser = world.superuser();
    let user = superuser.value("SELECT gen_random_uuid()::text", &[]);
    let user = user.expect("a UUID is never NULL");
    superuser.run(&insert(&user));
    let end = superuser.value("SELECT pg_current_wal_insert_lsn()::text", &[]);
    let server = "SELECT format('host=%s port=%s user=postgres dbname=%s',
                     current_setting('unix_socket_directories'), current_setting('port'), current_database())";
    let server = superuser.value(server, &[]).expect("it listens");
    let before = ended(cluster);
    let sent = run_program(
        "pg_recvlogical",
        &[
            &format!("--dbname={server} options='-c slots.taken={taken}'"),
            "--slot=sent",
            "--start",
            "--no-loop",
            "--option=proto_version=1",
            "--option=publication_names=sent",
            &format!("--endpos={}", end.expect("the WAL has an end")),
            "--file=-",
        ],
    );
    match sent {
        Ok(changes) => {
            for table in ["user\0", "users_sync\0"] {
                assert!(changes.contains(table), "{table} in {changes:?}");
            }
            assert!(changes.contains(&user), "{user} in {changes:?}");
            true
        }
        Err(errors) => {
            assert_eq!(ended(cluster), before + 1, "{errors}");
            false
        }
    }
}

fn insert(user: &str) -> String {
    format!(
        r#"INSERT INTO ba."user" VALUES ('{user}', 'Name', '{user}@example.com', true);
           INSERT INTO ba.session VALUES ('of {user}', now() + interval '1 hour', md5('{user}'), '{user}');
           INSERT INTO ba.member VALUES ('{user}', 'o', '{user}', 'admin')"#
    )
}

#[test]
fn a_process_needs_one_place_if_it_uses_the_extension_and_otherwise_none() {
    let slots = library("slots");
    let cluster = Cluster::start(&format!(
        "wal_level = logical\nshared_preload_libraries = '{slots}'"
    ));
    let world = BetterAuth::in_server(cluster.server());
    world.superuser().run(
        r#"INSERT INTO ba.organization VALUES ('o', 'Organization');
           CREATE PUBLICATION sent FOR TABLE ba."user", neon_auth.users_sync"#,
    );
    let slot = "SELECT pg_create_logical_replication_slot('sent', 'pgoutput')";
    world.superuser().run(slot);
    world.superuser().run(&insert("user"));
    let in_session = free_in_session(&cluster, &world);
    let in_walsender = free_in_walsender(&cluster, &world);

    cluster.set("shared_preload_libraries", &format!("{slots}', 'neon_auth"));
    cluster.stop("fast");
    cluster.start_again();
    assert_eq!(free_in_session(&cluster, &world), in_session);
    assert_eq!(free_in_walsender(&cluster, &world), in_walsender);

    let mut app = world.app();
    app.run(WARM_UP);
    app.run(&format!("SET slots.taken = {}", in_session - 1));
    app.run("SELECT auth.authenticate(md5('user'), is_local => false)");
    let reads = "SELECT concat_ws(' ', auth.user_id(), auth.is_team_member('o'), auth.has_permission('admin', 'o'))";
    assert_eq!(app.value(reads, &[]), Some("user t t".to_owned()));
    app.run(&insert("another"));
    assert_eq!(world.differences(), [] as [String; 0]);
    let before = ended(&cluster);
    let full = app.batch_execute(&format!("SET slots.taken = {in_session}"));
    assert!(full.is_err(), "no place of the library's");
    assert_eq!(ended(&cluster), before + 1);
}
