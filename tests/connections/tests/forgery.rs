//! Ways to an identity without a token, all of them closed.

use neon_auth_connections::{Cluster, Session, World};
use postgres::error::SqlState;

const FORGED: &str =
    r#"{"epoch":99,"provider":null,"valid_until":null,"claims":{"sub":"somebody"}}"#;

/// The start-up option that sets a setting to a value with quotes and spaces in it.
fn option(setting: &str, value: &str) -> String {
    let escaped = value.replace('\\', "\\\\").replace(' ', "\\ ");
    format!("-c {setting}={escaped}")
}

/// Opens a connection with the forged identity among its start-up options.
fn forger(world: &World, role: &str) -> Result<Session, postgres::Error> {
    let mut config = world.database.config(role);
    config.options(&option("neon_auth.identity", FORGED));
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
    for mut session in [world.app(), world.superuser()] {
        session.run("SELECT auth.user_id()");
        for sql in [
            format!("SET neon_auth.identity = '{FORGED}'"),
            format!("SET LOCAL neon_auth.identity = '{FORGED}'"),
            format!("SELECT set_config('neon_auth.identity', '{FORGED}', false)"),
            format!("SELECT set_config('neon_auth.identity', '{FORGED}', true)"),
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
    for mut session in [world.app(), world.superuser()] {
        session.run(&format!("SET neon_auth.identity = '{FORGED}'"));
        assert_eq!(session.user(), None);
        session.run("RESET ALL");
        assert_eq!(session.user(), None);
    }
}

#[test]
fn settings_of_a_role_or_a_database_make_no_identity() {
    let world = World::new();
    let database = world.database.name();
    for target in [
        format!("ROLE app IN DATABASE {database}"),
        format!("DATABASE {database}"),
    ] {
        // Before and after the library is known to the session that alters.
        for load in ["SELECT 1", "SELECT auth.user_id()"] {
            let mut superuser = world.superuser();
            superuser.run(load);
            let sql = format!("ALTER {target} SET neon_auth.identity = '{FORGED}'");
            let stored = superuser.batch_execute(&sql).is_ok();
            assert_eq!(world.app().user(), None, "{target}");
            if stored {
                superuser.run(&format!("ALTER {target} RESET neon_auth.identity"));
            }
        }
    }
}

#[test]
fn an_application_cannot_give_its_own_role_an_identity() {
    let world = World::new();
    let mut app = world.app();
    let sql = format!("ALTER ROLE app SET neon_auth.identity = '{FORGED}'");
    let _ = app.batch_execute(&sql);
    assert_eq!(world.app().user(), None);
    world
        .superuser()
        .run("ALTER ROLE app RESET neon_auth.identity");
}

#[test]
fn a_functions_set_clause_makes_no_identity() {
    let world = World::new();
    let mut superuser = world.superuser();
    superuser.run(&format!(
        "CREATE FUNCTION forge() RETURNS text LANGUAGE sql
         SET neon_auth.identity = '{FORGED}' AS 'SELECT auth.user_id()'"
    ));
    for mut session in [world.app(), world.superuser()] {
        for load in ["SELECT 1", "SELECT auth.user_id()"] {
            session.run(load);
            if let Ok(row) = session.query_one("SELECT forge()", &[]) {
                assert_eq!(row.get::<_, Option<String>>(0), None);
            }
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
