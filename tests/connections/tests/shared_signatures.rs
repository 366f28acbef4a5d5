//! A signature that one session has verified is known to the others, and nothing but the signature is.

use std::process::Command;
use std::thread;

use neon_auth_connections::{Cluster, Database, Server, Session, World, eventually};
use postgres::error::SqlState;
use serde_json::{Value, json};

const REFUSED: &SqlState = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;

/// How many tokens of this database were found in the server's cache.
fn shared(database: &Database) -> u64 {
    let query = "SELECT value::text FROM neon_auth.stats WHERE counter = 'tokens_shared'";
    let value = database.superuser().value(query, &[]);
    value.expect("it is counted").parse().expect("a number")
}

/// Signs in by a session that has verified nothing, and returns whether the signature was known.
#[track_caller]
fn is_shared(database: &Database, token: &str) -> bool {
    let before = shared(database);
    database.app().sign_in_for_session(token);
    shared(database) > before
}

/// The refusal of a token by a session that has verified nothing; it is never counted as shared.
#[track_caller]
fn refusal(database: &Database, token: &str) -> String {
    let before = shared(database);
    let refused = database.app().sign_in_refused(token);
    assert_eq!(refused.code(), REFUSED, "{refused:?}");
    assert_eq!(shared(database), before, "{refused:?}");
    refused.message().to_owned()
}

/// A world whose keys are in the cache, and a token that a session there has verified.
fn world_with_token(server: Server) -> (World, String) {
    let world = World::in_server(server);
    world.fetch_keys();
    let token = world.token();
    assert!(!is_shared(&world.database, &token));
    assert!(is_shared(&world.database, &token));
    (world, token)
}

/// The claims of one token with the signature of another.
fn forged(token: &str, other: &str) -> String {
    let (signed, _) = token.rsplit_once('.').expect("a token has dots");
    let (_, signature) = other.rsplit_once('.').expect("a token has dots");
    format!("{signed}.{signature}")
}

/// Pins keys in the place of those that are fetched.
fn pin(world: &World, keys: &Value) {
    let pin = "UPDATE neon_auth.providers SET jwks_url = NULL, jwks = $1::text::jsonb";
    let keys = keys.to_string();
    let pinned = world.superuser().execute(pin, &[&keys]);
    pinned.expect("the keys are usable");
}

#[test]
fn what_one_session_verified_is_judged_by_the_others_as_ever() {
    let cluster = Cluster::with_workers("");
    a_session_counts_its_own_tokens_as_remembered(cluster.server());
    a_forged_token_is_refused_after_the_true_one(cluster.server());
    a_removed_or_replaced_key_verifies_nothing(cluster.server());
    a_token_belongs_to_the_provider_that_has_its_issuer_now(cluster.server());
    rules_and_revocations_apply_at_once(cluster.server());
    an_expired_token_is_refused(cluster.server());
    another_database_verifies_for_itself(cluster.server());
    a_key_of_better_auth_is_read_each_time(cluster.server());
    sessions_sign_in_at_the_same_time(cluster.server());
    a_crash_leaves_an_empty_cache(&cluster);
}

fn a_session_counts_its_own_tokens_as_remembered(server: Server) {
    let (world, token) = world_with_token(server);
    let mut app = world.app();
    for _ in 0..3 {
        app.sign_in_for_session(&token);
    }
    let state =
        "SELECT concat_ws(' ', ok, detail) FROM neon_auth.status WHERE component = 'token cache'";
    let state = world.superuser().value(state, &[]).expect("it is there");
    let used = state.strip_prefix("t Of 229369 entries, about ");
    assert_eq!(used, Some("0 % were used in the last hour."), "{state}");
    let counted = "SELECT string_agg(counter || ' ' || value, ', ' ORDER BY counter COLLATE \"C\")
                     FROM neon_auth.stats WHERE counter ~ '^tokens_'";
    let counted = world.superuser().value(counted, &[]);
    let expected = "tokens_accepted 5, tokens_refused 0, tokens_remembered 2, tokens_shared 2";
    assert_eq!(counted.as_deref(), Some(expected));
}

fn a_forged_token_is_refused_after_the_true_one(server: Server) {
    let (world, token) = world_with_token(server);
    let other = world.token();
    assert!(!is_shared(&world.database, &other));
    for bad in [
        forged(&token, &other),
        forged(&other, &token),
        forged(&token, "."),
    ] {
        for _ in 0..2 {
            let message = refusal(&world.database, &bad);
            assert_eq!(message, "JWT refused: the token's signature is wrong");
        }
    }
    assert!(is_shared(&world.database, &token));
}

fn a_removed_or_replaced_key_verifies_nothing(server: Server) {
    let (world, token) = world_with_token(server);
    let former = world.stack.jwks();
    world.stack.rotate_keys();
    let mut replaced = world.stack.jwks();
    pin(&world, &replaced);
    let message = refusal(&world.database, &token);
    assert_eq!(
        message,
        "JWT refused: the token's key is not in the provider's key set"
    );
    for (key, old) in replaced["keys"]
        .as_array_mut()
        .expect("a set")
        .iter_mut()
        .zip(former["keys"].as_array().expect("a set"))
    {
        key["kid"] = old["kid"].clone();
    }
    pin(&world, &replaced);
    let message = refusal(&world.database, &token);
    assert_eq!(message, "JWT refused: the token's signature is wrong");
    pin(&world, &former);
    assert!(is_shared(&world.database, &token));
}

fn a_token_belongs_to_the_provider_that_has_its_issuer_now(server: Server) {
    let (world, token) = world_with_token(server);
    let keys = world.stack.jwks();
    let mut administrator = world.superuser();
    let issuers = administrator.value("SELECT issuers::text FROM neon_auth.providers", &[]);
    let audiences = administrator.value("SELECT audiences::text FROM neon_auth.providers", &[]);
    let mut add = |name: &str, keys: &Value| {
        let add =
            "SELECT neon_auth.add_provider($1, $2::text::text[], audiences => $3::text::text[],
                          jwks => $4::text::jsonb)";
        let keys = keys.to_string();
        let added = administrator.execute(add, &[&name, &issuers, &audiences, &keys]);
        added.expect("a provider can be added");
    };
    let others = {
        world.stack.rotate_keys();
        let mut others = world.stack.jwks();
        for key in others["keys"].as_array_mut().expect("a set") {
            key["kid"] = keys["keys"][0]["kid"].clone();
        }
        json!({ "keys": [others["keys"][0]] })
    };
    let mut superuser = world.superuser();
    superuser.run(
        "SELECT neon_auth.add_provider('other', '{https://other.example}',
                                       jwks => (SELECT jwks FROM neon_auth.jwks_cache))",
    );
    superuser.run("SELECT neon_auth.drop_provider('stack')");
    let message = refusal(&world.database, &token);
    assert_eq!(
        message,
        "JWT refused: no provider trusts the token's issuer"
    );
    add("thief", &others);
    let message = refusal(&world.database, &token);
    assert_eq!(message, "JWT refused: the token's signature is wrong");
    superuser.run("SELECT neon_auth.drop_provider('thief')");
    add("heir", &keys);
    assert!(is_shared(&world.database, &token));
    let mut app = world.app();
    app.sign_in_for_session(&token);
    let provider = app.value("SELECT auth.provider()", &[]);
    assert_eq!(provider.as_deref(), Some("heir"));
}

fn rules_and_revocations_apply_at_once(server: Server) {
    let (world, token) = world_with_token(server);
    let mut superuser = world.superuser();
    let mut app = world.app();
    let user = app.sign_in_for_session(&token);
    superuser.run("UPDATE neon_auth.providers SET algorithms = '{RS256}'");
    refusal(&world.database, &token);
    superuser.run(
        "UPDATE neon_auth.providers SET algorithms = '{ES256}', required_claims = '[\"absent\"]'",
    );
    refusal(&world.database, &token);
    superuser.run("UPDATE neon_auth.providers SET required_claims = '{}'");
    assert!(is_shared(&world.database, &token));
    superuser.run(&format!("SELECT neon_auth.revoke_tokens('{user}')"));
    refusal(&world.database, &token);
    assert_eq!(app.sign_in_refused(&token).code(), REFUSED);
}

fn an_expired_token_is_refused(server: Server) {
    let world = World::in_server(server);
    world.fetch_keys();
    let mut superuser = world.superuser();
    superuser.run("UPDATE neon_auth.providers SET leeway = '0'");
    let token = world.token_for(&world.sign_up("brief"), 2);
    assert!(!is_shared(&world.database, &token));
    eventually("the token has expired", || {
        let mut app = world.app();
        app.query("SELECT auth.authenticate($1, false)", &[&token])
            .is_err()
    });
    let message = refusal(&world.database, &token);
    assert_eq!(message, "JWT refused: the token has expired");
}

fn another_database_verifies_for_itself(server: Server) {
    let (world, token) = world_with_token(server.clone());
    let other = Database::create_in(server);
    world.configure(&mut other.superuser());
    other.superuser().run("SELECT neon_auth.refresh_jwks()");
    assert!(!is_shared(&other, &token));
    assert!(is_shared(&other, &token));
}

fn a_key_of_better_auth_is_read_each_time(server: Server) {
    let database = Database::create_in(server);
    let mut owner = database.superuser();
    owner.run(include_str!("../../better_auth/text_ids.sql"));
    owner.run("SELECT FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop')");
    let credentials: Value =
        serde_json::from_str(include_str!("../../better_auth/credentials.json")).expect("JSON");
    let token = credentials["tokens"]["text"]["alice_long"].as_str();
    let token = token.expect("the credential exists");
    assert!(!is_shared(&database, token));
    assert!(is_shared(&database, token));
    owner.run("UPDATE shop.jwks SET id = 'former ' || id");
    refusal(&database, token);
    // Another key of the same id.
    owner.run(
        "UPDATE shop.jwks SET id = replace(id, 'former ', ''),
                \"publicKey\" = '{\"kty\":\"OKP\",\"crv\":\"Ed25519\",
                    \"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}'
          WHERE \"publicKey\" ~ 'Ed25519'",
    );
    let message = refusal(&database, token);
    assert_eq!(message, "JWT refused: the token's signature is wrong");
}

fn sessions_sign_in_at_the_same_time(server: Server) {
    let world = World::in_server(server);
    world.fetch_keys();
    let tokens: Vec<(String, String)> = (0..30)
        .map(|number| {
            let user = world.sign_up(&format!("user-{number}"));
            (world.token_of(&user), user)
        })
        .collect();
    thread::scope(|scope| {
        for first in 0..4 {
            let (world, tokens) = (&world, &tokens);
            scope.spawn(move || {
                let mut app = world.app();
                for turn in 0..tokens.len() {
                    let (token, user) = &tokens[(first * 7 + turn) % tokens.len()];
                    let (other, _) = &tokens[(first + turn * 3 + 1) % tokens.len()];
                    assert_eq!(&app.sign_in_for_session(token), user);
                    if token != other {
                        app.sign_in_refused(&forged(token, other));
                        assert_eq!(app.user(), None);
                    }
                }
            });
        }
    });
    for (token, _) in &tokens {
        assert!(is_shared(&world.database, token));
    }
}

fn a_crash_leaves_an_empty_cache(cluster: &Cluster) {
    let (world, token) = world_with_token(cluster.server());
    let mut witness = world.app();
    let mut doomed = world.app();
    let pid = doomed.pid().to_string();
    let killed = Command::new("sh")
        .args(["-c", "kill -9 \"$0\"", &pid])
        .status();
    assert!(killed.is_ok_and(|status| status.success()));
    eventually("the server ends its sessions", || {
        witness.batch_execute("SELECT 1").is_err()
    });
    cluster.await_recovery();
    assert!(!is_shared(&world.database, &token));
    assert!(is_shared(&world.database, &token));
}

#[test]
fn a_standby_remembers_what_it_verified_itself() {
    let primary = Cluster::with_workers("");
    let (world, token) = world_with_token(primary.server());
    let standby = primary.start_standby();
    let server = standby.server();
    let open = |role| Session::open(&server.config(role, world.database.name()));
    let shared = || {
        let query = "SELECT value::text FROM neon_auth.stats WHERE counter = 'tokens_shared'";
        open("postgres").value(query, &[])
    };
    for expected in ["0", "1", "2"] {
        open("app").sign_in_for_session(&token);
        assert_eq!(shared().as_deref(), Some(expected));
    }
    let refused = open("app").sign_in_refused(&world.forged_token());
    assert_eq!(refused.code(), REFUSED);
}

#[test]
fn a_small_cache_forgets_and_one_without_memory_remembers_nothing() {
    let cluster = Cluster::with_workers("neon_auth.token_cache_size = '1kB'");
    let world = World::in_server(cluster.server());
    world.fetch_keys();
    // More than three sets of seven, and fewer than a session's own cache.
    let tokens: Vec<String> = (0..60).map(|_| world.token()).collect();
    let sign_in = || {
        let mut app = world.app();
        for token in &tokens {
            app.sign_in_for_session(token);
        }
        shared(&world.database)
    };
    assert_eq!(sign_in(), 0);
    let hits = sign_in();
    assert!(hits <= 21, "{hits}");
    let state = || {
        let query = "SELECT concat_ws(' ', ok, detail) FROM neon_auth.status WHERE component = 'token cache'";
        world.superuser().value(query, &[]).expect("it is there")
    };
    let too_small = state();
    assert!(
        too_small.starts_with("f Too small: of 21 entries, about "),
        "{too_small}"
    );
    let latest = tokens.last().expect("there are tokens");
    assert!(is_shared(&world.database, latest));
    cluster.set("neon_auth.token_cache_size", "0");
    cluster.stop("fast");
    cluster.start_again();
    for _ in 0..2 {
        assert_eq!(sign_in(), 0);
    }
    let size = world
        .superuser()
        .value("SHOW neon_auth.token_cache_size", &[]);
    assert_eq!(size.as_deref(), Some("0"));
    assert!(state().starts_with("t None: "), "{}", state());
}

#[test]
fn without_preloading_the_setting_is_known_and_nothing_is_shared() {
    let cluster = Cluster::start("neon_auth.token_cache_size = '2MB'");
    let world = World::in_server(cluster.server());
    world.fetch_keys();
    let token = world.token();
    for _ in 0..2 {
        world.app().sign_in_for_session(&token);
    }
    let mut superuser = world.superuser();
    superuser.run("LOAD 'neon_auth'");
    let size = superuser.value("SHOW neon_auth.token_cache_size", &[]);
    assert_eq!(size.as_deref(), Some("2MB"));
    let refused = superuser.run_refused("SET neon_auth.token_cache_size = '4MB'");
    assert_eq!(refused.code(), &SqlState::CANT_CHANGE_RUNTIME_PARAM);
    let rows = "SELECT count(*)::text FROM neon_auth.status WHERE component = 'token cache'";
    assert_eq!(superuser.value(rows, &[]).as_deref(), Some("0"));
    assert!(!cluster.log().contains("WARNING"), "{}", cluster.log());
}
