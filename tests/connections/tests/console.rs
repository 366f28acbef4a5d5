//! The Neon console's calls: keys made and stored by one call, and the URL to claim a project.

use neon_auth_connections::{Database, Server, ServerLog, Session, World};
use neon_auth_stack::{DEFAULT_NEON_PROJECT_ID, Endpoint, Fault};
use postgres::error::{DbError, SqlState};

const CREATE: &str = "SELECT neon_auth.create_keys($1, $2)";
const TRANSFER: &str = "SELECT neon_auth.claim_url($1, $2)";

/// A world whose console is the simulator's, and whose database has nothing configured yet.
fn unconfigured() -> World {
    let world = World::new();
    world
        .superuser()
        .run("DELETE FROM neon_auth.providers; DELETE FROM neon_auth_internal.secrets");
    let url = format!("{}/api/v2", world.stack.base_url());
    world.database.set("neon_auth.neon_api_url", &url);
    world
}

/// An administrator who was granted the two calls and nothing else.
fn administrator(database: &Database) -> Session {
    Server::shared().ensure_role("console_admin", "LOGIN");
    database.superuser().run(
        "GRANT EXECUTE ON FUNCTION neon_auth.create_keys, neon_auth.claim_url TO console_admin",
    );
    Session::open(&database.config("console_admin"))
}

fn refused(session: &mut Session, call: &str, key: &str, project: &str) -> DbError {
    session.refused(call, &[&key, &project])
}

#[test]
fn keys_are_made_stored_and_answered_for_the_environment() {
    let world = unconfigured();
    let credentials = world.stack.credentials();
    let mut administrator = administrator(&world.database);
    let arguments: [&(dyn postgres::types::ToSql + Sync); 2] =
        [&credentials.neon_api_key, &DEFAULT_NEON_PROJECT_ID];
    let client_key = credentials.pub_client_key.expect("the project has one");
    let named = |name: &str| {
        [
            format!("NEXT_PUBLIC_{name}_PROJECT_ID={}", credentials.project_id),
            format!("NEXT_PUBLIC_{name}_PUBLISHABLE_CLIENT_KEY={client_key}"),
            format!("{name}_SECRET_SERVER_KEY={}", credentials.secret_server_key),
        ]
    };
    let all = [named("STACK"), named("HEXCLAVE")].concat();
    let environment = administrator.value(CREATE, &arguments);
    assert_eq!(environment, Some(all.join("\n")));
    // A project without a publishable client key has no such variable.
    world.stack.withdraw_client_key();
    let environment = administrator.value(CREATE, &arguments);
    let without = [&all[..1], &all[2..4], &all[5..]].concat();
    assert_eq!(environment, Some(without.join("\n")));
    // And it is configured: a token of that project signs in.
    let user = world.sign_up("first");
    let mut app = world.app();
    app.run("BEGIN");
    assert_eq!(app.sign_in(&world.token_of(&user)), user);
}

#[test]
fn a_url_to_claim_the_project_is_answered() {
    let world = unconfigured();
    let key = world.stack.credentials().neon_api_key;
    let mut administrator = administrator(&world.database);
    let mut claim_url = || {
        let url = administrator.value(TRANSFER, &[&key, &DEFAULT_NEON_PROJECT_ID]);
        url.expect("the console answers a URL")
    };
    let page = "/integrations/neon/projects/transfer/confirm?code=";
    let start = format!("{}{page}", world.stack.base_url());
    let url = claim_url();
    assert!(url.starts_with(&start), "{url}");
    // A URL works once, so each call gets a new one.
    assert_ne!(claim_url(), url);
}

#[test]
fn refusals_of_the_console_are_told_and_nothing_is_stored() {
    let world = unconfigured();
    let key = world.stack.credentials().neon_api_key;
    let mut administrator = administrator(&world.database);
    for call in [CREATE, TRANSFER] {
        let error = refused(
            &mut administrator,
            call,
            "napi_wrong",
            DEFAULT_NEON_PROJECT_ID,
        );
        assert_eq!(error.code().code(), "08004");
        assert!(
            error.detail().unwrap_or_default().contains("401"),
            "{error:?}"
        );
        let error = refused(&mut administrator, call, &key, "another-project");
        assert!(
            error.detail().unwrap_or_default().contains("404"),
            "{error:?}"
        );
        let error = refused(&mut administrator, call, "", DEFAULT_NEON_PROJECT_ID);
        assert_eq!(error.code(), &SqlState::INVALID_PARAMETER_VALUE);
        let error = refused(
            &mut administrator,
            call,
            "with\nnewline",
            DEFAULT_NEON_PROJECT_ID,
        );
        assert_eq!(error.code(), &SqlState::CONNECTION_FAILURE);
        assert!(!format!("{error:?}").contains("newline"), "{error:?}");
    }
    let mut superuser = world.superuser();
    let stored = superuser.values(
        "SELECT name FROM neon_auth.providers UNION ALL SELECT name FROM neon_auth_internal.secrets",
        &[],
    );
    assert!(stored.is_empty(), "{stored:?}");
}

#[test]
fn a_console_that_fails_is_told_without_its_answer() {
    let world = unconfigured();
    world.database.set("neon_auth.api_timeout", "500");
    let key = world.stack.credentials().neon_api_key;
    let secret = world.stack.credentials().secret_server_key;
    let mut administrator = administrator(&world.database);
    let not_json = Fault::Body {
        content_type: "application/json".to_owned(),
        body: format!("{{\"secret_server_key\": \"{secret}\", "),
    };
    for (fault, code) in [
        (Fault::Hang, "08006"),
        (Fault::Reset, "08006"),
        (Fault::Truncate, "08006"),
        (not_json, "08P01"),
        (Fault::Html, "08P01"),
        (
            Fault::Redirect {
                location: "https://elsewhere.example/".to_owned(),
            },
            "08004",
        ),
        (Fault::status(500), "08004"),
    ] {
        let named = format!("{fault:?}");
        world.stack.set_fault(Endpoint::ConsoleKeys, fault);
        let error = refused(&mut administrator, CREATE, &key, DEFAULT_NEON_PROJECT_ID);
        assert_eq!(error.code().code(), code, "{named}: {error:?}");
        let told = format!("{error:?}");
        assert!(!told.contains(&key) && !told.contains(&secret), "{told}");
    }
}

#[test]
fn keys_reach_no_log_and_no_table_but_that_of_secrets() {
    let world = unconfigured();
    let log = ServerLog::from_here();
    let credentials = world.stack.credentials();
    let mut administrator = administrator(&world.database);
    let arguments: [&(dyn postgres::types::ToSql + Sync); 2] =
        [&credentials.neon_api_key, &DEFAULT_NEON_PROJECT_ID];
    administrator.value(CREATE, &arguments);
    refused(
        &mut administrator,
        CREATE,
        &credentials.neon_api_key,
        "another-project",
    );
    let mut superuser = world.superuser();
    let (text, stored) = (log.text(), superuser.everything_stored());
    for secret in [
        &credentials.neon_api_key,
        credentials
            .pub_client_key
            .as_ref()
            .expect("the project has one"),
        &credentials.secret_server_key,
    ] {
        assert!(!text.contains(secret.as_str()), "a key is in the log");
        assert!(!stored.contains(secret.as_str()), "a key is in a table");
    }
    // The project's keys are in the table of secrets; the key of Neon's API is stored nowhere.
    let secrets = "SELECT string_agg(name, ' ' ORDER BY name) FROM neon_auth_internal.secrets";
    let secrets = superuser.value(secrets, &[]);
    assert_eq!(
        secrets.as_deref(),
        Some("publishable_client_key secret_server_key")
    );
    let api_key = "SELECT count(*)::text FROM neon_auth_internal.secrets WHERE value = $1";
    let api_key = superuser.value(api_key, &[&credentials.neon_api_key]);
    assert_eq!(api_key.as_deref(), Some("0"));
}

#[test]
fn others_are_kept_out_and_only_loopback_is_spoken_to_in_the_clear() {
    let world = unconfigured();
    let key = world.stack.credentials().neon_api_key;
    let mut app = world.app();
    for call in [CREATE, TRANSFER] {
        let error = refused(&mut app, call, &key, DEFAULT_NEON_PROJECT_ID);
        assert_eq!(error.code(), &SqlState::INSUFFICIENT_PRIVILEGE);
    }
    // Before the library is loaded a setting of that name is a placeholder; it does not last.
    app.run("SET neon_auth.neon_api_url = 'https://elsewhere.example'");
    assert_eq!(app.user(), None);
    let url = app.value("SHOW neon_auth.neon_api_url", &[]);
    assert_eq!(url, Some(format!("{}/api/v2", world.stack.base_url())));
    let error = app.run_refused("SET neon_auth.neon_api_url = 'https://elsewhere.example'");
    assert_eq!(error.code(), &SqlState::INSUFFICIENT_PRIVILEGE);
    world
        .database
        .set("neon_auth.neon_api_url", "http://192.0.2.1/api/v2");
    let mut administrator = administrator(&world.database);
    let error = refused(&mut administrator, CREATE, &key, DEFAULT_NEON_PROJECT_ID);
    assert_eq!(error.code(), &SqlState::CONNECTION_FAILURE);
    assert!(
        error.detail().unwrap_or_default().contains("https"),
        "{error:?}"
    );
}
