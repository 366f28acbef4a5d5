//! Ways to an identity without a token, all of them closed.

use neon_auth_connections::{
    Cluster, FORGED_USER, Session, World, forged_identity, unguarded_user,
};
use postgres::error::SqlState;

/// The start-up option that sets a setting to a value with quotes and spaces in it.
fn option(setting: &str, value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace(' ', "\\ ");
    format!("-c {setting}={escaped}")
}

/// Opens a connection with the forged identity among its start-up options.
fn forger(world: &World, role: &str) -> Result<Session, postgres::Error> {
    let mut config = world.database.config(role);
    config.options(&option("neon_auth.identity", &forged_identity(world)));
    config.connect(postgres::NoTls).map(Session::from)
}

#[test]
fn a_start_up_option_makes_no_identity_before_the_library_is_loaded() {
    let world = World::new();
    for role in ["app", "postgres"] {
        let mut session = forger(&world, role).expect("an unknown setting is let pass");
        assert_eq!(session.user(), None, "{role}");
        let user = session.sign_in_for_session(&world.token());
        assert_eq!(session.user(), Some(user));
        session.run("DISCARD ALL");
        assert_eq!(session.user(), None, "{role}");
    }
}

#[test]
fn a_start_up_option_makes_no_identity_when_the_library_loads_with_the_session() {
    let world = World::new();
    world.database.set("session_preload_libraries", "neon_auth");
    for role in ["app", "postgres"] {
        let mut session = forger(&world, role).expect("an unknown setting is let pass");
        assert_eq!(session.user(), None, "{role}");
    }
}

#[test]
fn a_start_up_option_is_refused_when_the_library_is_loaded_with_the_server() {
    let cluster = Cluster::start("shared_preload_libraries = 'neon_auth'");
    let world = World::in_server(cluster.server());
    for role in ["app", "postgres"] {
        let Err(refusal) = forger(&world, role) else {
            panic!("{role} may not connect with an identity")
        };
        assert_eq!(
            refusal.code(),
            Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{role}"
        );
    }
    let mut app = world.app();
    let user = app.sign_in_for_session(&world.token());
    assert_eq!(app.user(), Some(user));
}

#[test]
fn no_statement_sets_an_identity() {
    let world = World::new();
    let forged = forged_identity(&world);
    for mut session in [world.app(), world.superuser()] {
        session.run("SELECT auth.user_id()");
        for sql in [
            format!("SET neon_auth.identity = '{forged}'"),
            format!("SET LOCAL neon_auth.identity = '{forged}'"),
            format!("SELECT set_config('neon_auth.identity', '{forged}', false)"),
            format!("SELECT set_config('neon_auth.identity', '{forged}', true)"),
        ] {
            let refusal = session.run_refused(&sql);
            assert_eq!(refusal.code(), &SqlState::INSUFFICIENT_PRIVILEGE, "{sql}");
        }
        assert_eq!(session.user(), None);
    }
}

#[test]
fn a_setting_made_before_the_library_is_loaded_makes_no_identity() {
    let world = World::new();
    let forged = forged_identity(&world);
    for mut session in [world.app(), world.superuser()] {
        session.run(&format!("SET neon_auth.identity = '{forged}'"));
        assert_eq!(session.user(), None);
        session.run("RESET ALL");
        assert_eq!(session.user(), None);
    }
}

#[test]
fn settings_of_a_role_or_a_database_make_no_identity() {
    let world = World::new();
    let forged = forged_identity(&world);
    let database = world.database.name();
    for target in [
        format!("ROLE app IN DATABASE {database}"),
        format!("DATABASE {database}"),
    ] {
        // Before and after the library is known to the session that alters.
        for load in ["SELECT 1", "SELECT auth.user_id()"] {
            let mut superuser = world.superuser();
            superuser.run(load);
            let sql = format!("ALTER {target} SET neon_auth.identity = '{forged}'");
            let stored = superuser.batch_execute(&sql).is_ok();
            assert_eq!(stored, load == "SELECT 1", "{target} after {load}");
            assert_eq!(world.app().user(), None, "{target}");
            superuser.run(&format!("ALTER {target} RESET neon_auth.identity"));
        }
    }
}

#[test]
fn an_application_cannot_give_its_own_role_an_identity() {
    let world = World::new();
    let forged = forged_identity(&world);
    // Before the library is loaded PostgreSQL 14 stores it.
    for load in ["SELECT 1", "SELECT auth.user_id()"] {
        let mut app = world.app();
        app.run(load);
        let sql = format!("ALTER ROLE app SET neon_auth.identity = '{forged}'");
        if let Err(refusal) = app.batch_execute(&sql) {
            assert_eq!(refusal.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
        }
        assert_eq!(world.app().user(), None, "after {load}");
    }
    world
        .superuser()
        .run("ALTER ROLE app RESET neon_auth.identity");
}

#[test]
fn a_functions_set_clause_makes_no_identity() {
    let world = World::new();
    let forged = forged_identity(&world);
    let mut superuser = world.superuser();
    superuser.run(&format!(
        "CREATE FUNCTION forge() RETURNS text LANGUAGE sql
         SET neon_auth.identity = '{forged}' AS 'SELECT auth.user_id()'"
    ));
    for mut session in [world.app(), world.superuser()] {
        for load in ["SELECT 1", "SELECT auth.user_id()"] {
            session.run(load);
            match session.query_one("SELECT forge()", &[]) {
                Ok(row) => assert_eq!(row.get::<_, Option<String>>(0), None),
                Err(refusal) => {
                    assert_eq!(refusal.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE));
                }
            }
            assert_eq!(session.user(), None);
        }
    }
}

#[test]
fn resetting_all_settings_signs_out_and_never_in() {
    let world = World::new();
    let mut app = world.app();
    app.run("BEGIN");
    app.sign_in(&world.token());
    app.run("RESET ALL");
    assert_eq!(app.user(), None);
    app.run("COMMIT");
    assert_eq!(app.user(), None);
    // One that may not set it may not reset it by its name either, and stays who it was.
    let user = app.sign_in_for_session(&world.token());
    let refusal = app.batch_execute("RESET neon_auth.identity");
    let code = refusal.expect_err("it is protected").code().cloned();
    assert_eq!(code, Some(SqlState::INSUFFICIENT_PRIVILEGE));
    assert_eq!(app.user(), Some(user));
    for reset in ["RESET ALL", "DISCARD ALL"] {
        app.sign_in_for_session(&world.token());
        app.run(reset);
        assert_eq!(app.user(), None, "{reset}");
    }
}

/// The texts that a page sets `neon_auth.identity` to.
fn forged_in(page: &str) -> Vec<&str> {
    let after_name = |(at, name): (usize, &str)| page[at + name.len()..].split('\'').nth(1);
    ["neon_auth.identity = ", "'neon_auth.identity', "]
        .into_iter()
        .flat_map(|name| page.match_indices(name))
        .filter_map(after_name)
        .collect()
}

#[test]
fn what_the_guide_forges_would_count() {
    let world = World::new();
    let texts = forged_in(include_str!("../../../docs/security.md"));
    assert_eq!(texts.len(), 3);
    for text in texts {
        let user = unguarded_user(&world, text);
        assert_eq!(user.as_deref(), Some("alice"), "{text}");
    }
}

#[test]
fn not_every_text_would_count() {
    let world = World::new();
    let forged = forged_identity(&world);
    let (_, without_epoch) = forged.split_once(' ').expect("the epoch comes first");
    assert!(without_epoch.contains(FORGED_USER));
    assert_eq!(unguarded_user(&world, without_epoch), None);
}
