//! Tokens and secrets stay out of logs, statistics, errors and tables that others read.

use neon_auth_connections::{Cluster, ServerLog, Session, World, eventually};
use neon_auth_stack::Fault;

/// Fails where a text holds a token's payload or signature, or any longer piece of them.
#[track_caller]
fn assert_lacks_token(text: &str, token: &str) {
    for part in token.split('.').skip(1) {
        let mut rest = part;
        while rest.len() >= 24 {
            let (piece, after) = rest.split_at(24);
            assert!(!text.contains(piece), "a piece of a token is in {text}");
            rest = after;
        }
    }
}

/// What other sessions can see of this database's sessions.
fn activity(session: &mut Session) -> String {
    let rows = session.values(
        "SELECT pg_stat_activity::text FROM pg_stat_activity WHERE datname = current_database()",
        &[],
    );
    rows.into_iter().flatten().collect()
}

/// Tokens that are refused, each in another way.
fn bad_tokens(world: &World) -> Vec<String> {
    let user = world.sign_up("bad");
    let claim = |name: &str, value: serde_json::Value| {
        world.token_with(&user, |claims, _| {
            claims.insert(name.to_owned(), value);
        })
    };
    let good = world.token_of(&user);
    let parts: Vec<&str> = good.split('.').collect();
    vec![
        world.forged_token(),
        claim("exp", 1.into()),
        claim("exp", "soon".into()),
        claim("iss", "https://elsewhere.example".into()),
        claim("aud", "another".into()),
        claim("sub", "".into()),
        claim("is_anonymous", true.into()),
        world.token_with(&user, |_, header| {
            header.insert("kid".to_owned(), "unknown".into());
        }),
        world.token_with(&user, |_, header| {
            header.insert("alg".to_owned(), "none".into());
        }),
        format!("Bearer {good}"),
        format!("{good}\n"),
        format!("{good}.{}", parts[1]),
        format!("{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[1], parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[2], parts[1]),
        format!("{}.{}.{}=", parts[0], parts[1], parts[2]),
        format!("{}.{}{}.{}", parts[0], parts[1], parts[1], parts[2]),
    ]
}

#[test]
fn a_good_token_is_nowhere_to_be_seen() {
    let log = ServerLog::from_here();
    let world = World::new();
    world.database.set("neon_auth.log_authentication", "all");
    let (token, mut app) = (world.token(), world.app());
    let user = app.sign_in_for_session(&token);
    let mut superuser = world.superuser();
    assert_lacks_token(&activity(&mut superuser), &token);
    assert_lacks_token(&superuser.everything_stored(), &token);
    // An error while somebody is signed in.
    app.run_refused("SELECT 1/0");
    // What the session itself is shown, with and without a superuser's rights.
    superuser.sign_in_for_session(&token);
    for session in [&mut app, &mut superuser] {
        for shown in ["SHOW neon_auth.identity", "SHOW ALL"] {
            let rows = session.simple_query(shown);
            assert_lacks_token(&format!("{rows:?}"), &token);
        }
        let claims = session.value("SELECT concat(auth.jwt(), auth.actor())", &[]);
        assert_lacks_token(&claims.unwrap_or_default(), &token);
    }
    let lines = lines_of(&log, &world);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains(&user), "{lines:#?}");
    assert_lacks_token(&log.text(), &token);
}

#[test]
fn a_refused_token_is_nowhere_to_be_seen() {
    let log = ServerLog::from_here();
    let world = World::with_keys();
    world
        .database
        .set("neon_auth.log_authentication", "failures");
    let (mut app, mut superuser) = (world.app(), world.superuser());
    let tokens = bad_tokens(&world);
    for token in &tokens {
        for call in [
            "SELECT auth.authenticate($1)",
            "SELECT auth.jwt_session_init($1)",
            "SELECT neon_auth.verify_jwt($1)::text",
        ] {
            let refusal = app.refused(call, &[token]);
            assert_lacks_token(&format!("{refusal:?}"), token);
        }
        assert_lacks_token(&activity(&mut superuser), token);
    }
    // authenticate and jwt_session_init log one line each.
    assert_eq!(lines_of(&log, &world).len(), 2 * tokens.len());
    let everywhere = superuser.everything_stored() + &log.text();
    for token in &tokens {
        assert_lacks_token(&everywhere, token);
    }
}

/// Of an API key only the prefix may be seen, of 8 characters.
#[track_caller]
fn assert_lacks_key(text: &str, key: &str) {
    for from in 8..key.len() - 8 {
        let piece = &key[from..from + 8];
        assert!(!text.contains(piece), "a piece of an API key is in {text}");
    }
}

#[test]
fn an_api_key_is_only_in_the_result_that_creates_it() {
    let cluster = Cluster::start(
        "session_preload_libraries = 'auto_explain'
         auto_explain.log_min_duration = 0
         auto_explain.log_nested_statements = on
         log_min_duration_statement = 0
         log_parameter_max_length = 0
         log_statement = 'all'",
    );
    let world = World::in_server(cluster.server());
    world.database.set("neon_auth.log_authentication", "all");
    let user = world.sign_up("owner");
    let (mut superuser, mut app) = (world.superuser(), world.app());
    let mirror = "SELECT neon_auth.upsert_user(jsonb_build_object('id', $1::text))::text";
    superuser.value(mirror, &[&user]);
    let create = "SELECT neon_auth.create_api_key($1, 'test')";
    let key = superuser
        .value(create, &[&user])
        .expect("a key is never NULL");
    let everywhere = |superuser: &mut Session| {
        let rows = superuser.values(
            "SELECT k::text FROM neon_auth_internal.api_keys k
             UNION ALL SELECT u::text FROM neon_auth_internal.api_key_uses u
             UNION ALL SELECT k::text FROM neon_auth.api_keys k
             UNION ALL SELECT s::text FROM pg_stats s WHERE tablename ~ '^api_key'",
            &[],
        );
        let rows: String = rows.into_iter().flatten().collect();
        format!("{rows} {} {}", activity(superuser), cluster.log())
    };
    app.sign_in_for_session(&key);
    superuser.run("ANALYZE");
    assert_lacks_key(&everywhere(&mut superuser), &key);
    assert!(
        cluster
            .log()
            .contains(&format!("sub=\"{user}\" api_key=\""))
    );
    for shown in ["SHOW neon_auth.identity", "SHOW ALL"] {
        let rows = superuser.simple_query(shown);
        assert_lacks_key(&format!("{rows:?}"), &key);
    }
    let identity = app.value("SELECT auth.jwt()::text || auth.actor()::text", &[]);
    assert_lacks_key(&format!("{identity:?}"), &key);
    // Refused, in each way.
    let mut refused = |app: &mut Session, key: &str| {
        for call in [
            "SELECT auth.authenticate($1)",
            "SELECT auth.jwt_session_init($1)",
            "SELECT neon_auth.verify_jwt($1)::text",
        ] {
            assert_lacks_key(&format!("{:?}", app.refused(call, &[&key])), key);
        }
        let report = superuser.values(
            "SELECT step || detail FROM neon_auth.inspect_jwt($1)",
            &[&key],
        );
        assert_lacks_key(&format!("{report:?}"), key);
        assert_lacks_key(&everywhere(&mut superuser), key);
    };
    let (begin, last) = key.split_at(key.len() - 1);
    refused(
        &mut app,
        &format!("{begin}{}", if last == "0" { '1' } else { '0' }),
    );
    refused(&mut app, &format!("{key}\n"));
    for change in [
        "UPDATE neon_auth_internal.api_keys SET expires_at = '2000-01-01'",
        "SELECT neon_auth.revoke_api_key(id) FROM neon_auth.api_keys",
        "DELETE FROM neon_auth_internal.api_keys",
    ] {
        world.superuser().run(change);
        refused(&mut app, &key);
    }
    assert!(cluster.log().contains(&format!("prefix=\"{}\"", &key[..8])));
}

#[test]
fn a_token_that_met_an_outage_is_nowhere_to_be_seen() {
    let log = ServerLog::from_here();
    let world = World::new();
    world.break_key_server(Fault::Reset);
    world.database.set("neon_auth.log_authentication", "all");
    let token = world.token();
    let refusal = world.app().sign_in_refused(&token);
    assert_lacks_token(&format!("{refusal:?}"), &token);
    assert_lacks_token(&world.superuser().everything_stored(), &token);
    assert_eq!(lines_of(&log, &world).len(), 1);
    assert_lacks_token(&log.text(), &token);
}

#[test]
fn no_token_is_among_the_statements_that_pg_stat_statements_keeps() {
    let cluster = Cluster::start("shared_preload_libraries = 'pg_stat_statements'");
    let world = World::in_server(cluster.server());
    let mut superuser = world.superuser();
    superuser.run("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()");
    superuser.run("SET pg_stat_statements.track = 'all'");
    let (token, forged) = (world.token(), world.forged_token());
    superuser.sign_in_for_session(&token);
    superuser.sign_in_refused(&forged);
    // As a constant too, which is not the way to do it: by itself and inside PL/pgSQL.
    superuser.run(&format!("SELECT auth.authenticate('{token}', false)"));
    superuser.run_refused(&format!("SELECT auth.authenticate('{forged}', false)"));
    superuser.run("CREATE FUNCTION sign_in(token text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN auth.authenticate(token, false); END'");
    superuser
        .execute("SELECT sign_in($1)", &[&token])
        .expect("the token is good");
    let kept = "SELECT query FROM pg_stat_statements WHERE query ~ 'authenticate|sign_in'";
    let kept = superuser.values(kept, &[]);
    assert!(kept.len() >= 3, "{kept:?}");
    for query in kept.into_iter().flatten() {
        assert_lacks_token(&query, &token);
        assert_lacks_token(&query, &forged);
    }
}

#[test]
fn secrets_given_as_parameters_are_nowhere_to_be_seen() {
    let log = ServerLog::from_here();
    let world = World::new();
    let mut superuser = world.superuser();
    let secret = world.stack.credentials().secret_server_key;
    let another = "ssk_another_secret_that_nobody_may_see";
    let set = "SELECT neon_auth.set_secret($1, $2)";
    superuser
        .execute(set, &[&"secret_server_key", &another])
        .expect("there is such a secret");
    // Refused, with the secrets at hand.
    let mut errors = vec![superuser.refused(set, &[&"no_such_secret", &another])];
    let mut keys = world.stack.keys_response();
    keys["jwks_url"] = "https://elsewhere.example/".into();
    let configure = "SELECT neon_auth.configure($1::text::jsonb)";
    errors.push(superuser.refused(configure, &[&keys.to_string()]));
    errors.push(superuser.refused(configure, &[&format!("[{keys}]")]));
    errors.push(superuser.refused(configure, &[&format!("{keys}}}")]));
    errors.push(world.app().refused(set, &[&"secret_server_key", &another]));
    let seen = [
        format!("{errors:?}"),
        activity(&mut superuser),
        superuser.everything_stored(),
        log.text(),
    ]
    .concat();
    assert!(!seen.contains(&secret), "{seen}");
    assert!(!seen.contains(another), "{seen}");
}

#[test]
fn log_authentication_off_logs_nothing() {
    let log = ServerLog::from_here();
    let world = World::new();
    let user = world.sign_up("quiet");
    let mut app = world.app();
    app.sign_in_for_session(&world.token_of(&user));
    app.sign_in_refused(&world.forged_token());
    assert!(lines_of(&log, &world).is_empty());
}

#[test]
fn log_authentication_all_logs_one_line_for_each_call() {
    let log = ServerLog::from_here();
    let world = World::with_keys();
    world.database.set("neon_auth.log_authentication", "all");
    let user = world.sign_up("logged");
    let mut app = world.app();
    for _ in 0..3 {
        app.sign_in_for_session(&world.token_of(&user));
    }
    app.run("INSERT INTO notes (body) SELECT n::text FROM generate_series(1, 500) n");
    app.run("SELECT body FROM notes; SELECT auth.user_id() FROM notes");
    let lines = lines_of(&log, &world);
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let key = world.stack.jwks()["keys"][0]["kid"].clone();
    for line in &lines {
        assert!(line.contains("authenticated"), "{line}");
        assert!(line.contains(&format!("sub={user:?}")), "{line}");
        assert!(line.contains(&format!("kid={key}")), "{line}");
        assert!(line.contains("iss=\"http://127.0.0.1:"), "{line}");
        assert!(line.contains("provider=\"stack\""), "{line}");
    }
    let refused = app.sign_in_refused(&world.forged_token());
    let lines = lines_of(&log, &world);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[3].contains("authentication failed"), "{}", lines[3]);
    assert!(lines[3].contains(refused.message()), "{}", lines[3]);
}

#[test]
fn log_authentication_failures_logs_one_line_for_each_refusal() {
    let log = ServerLog::from_here();
    let world = World::with_keys();
    world
        .database
        .set("neon_auth.log_authentication", "failures");
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    let tokens = bad_tokens(&world);
    for token in &tokens {
        app.sign_in_refused(token);
    }
    let lines = lines_of(&log, &world);
    assert_eq!(lines.len(), tokens.len(), "{lines:#?}");
    for line in &lines {
        assert!(line.contains("authentication failed"), "{line}");
        assert!(line.contains("reason=\""), "{line}");
    }
    // The forged token says whose it claims to be.
    assert!(lines[0].contains(" sub=\""), "{}", lines[0]);
    assert!(lines[0].contains(" kid=\""), "{}", lines[0]);
    assert!(lines[0].contains(" iss=\""), "{}", lines[0]);
}

#[test]
fn no_part_of_a_token_starts_a_line_of_its_own_in_the_log() {
    let log = ServerLog::from_here();
    let world = World::with_keys();
    world.database.set("neon_auth.log_authentication", "all");
    let user = world.sign_up("liar");
    let mark = format!("mark-{}", world.database.name());
    let lie = format!("x\n2026 LOG:  {mark}\r\u{2028}\u{1b}[31m");
    let mut app = world.app();
    for member in ["iss", "sub", "aud", "exp", "project_id"] {
        let token = world.token_with(&user, |claims, _| {
            claims.insert(member.to_owned(), lie.clone().into());
        });
        app.sign_in_refused(&token);
    }
    for member in ["kid", "alg", "typ"] {
        let token = world.token_with(&user, |_, header| {
            header.insert(member.to_owned(), lie.clone().into());
        });
        // A strange typ harms nobody.
        let _ = app.query("SELECT auth.authenticate($1)", &[&token]);
    }
    let lines = log.lines_with(&mark);
    assert!(!lines.is_empty(), "no line shows what was found");
    let genuine = format!("app@{} ", world.database.name());
    for line in lines {
        assert!(line.contains(&genuine), "{line:?}");
        assert!(!line.contains(['\r', '\u{1b}', '\u{2028}']), "{line:?}");
    }
}

#[test]
fn no_role_can_switch_the_log_off_for_itself() {
    let world = World::new();
    let mut app = world.app();
    app.run("SELECT auth.user_id()");
    let refusal = app.run_refused("SET neon_auth.log_authentication = 'off'");
    assert_eq!(
        refusal.code(),
        &postgres::error::SqlState::INSUFFICIENT_PRIVILEGE
    );
}

/// The lines about authentication in this world's database, once the log has them.
fn lines_of(log: &ServerLog, world: &World) -> Vec<String> {
    // A line that comes after all others shows that they are there.
    let mark = format!("the log is complete: {}", world.fetches());
    let database = world.database.name();
    world
        .superuser()
        .run(&format!("DO $$ BEGIN RAISE LOG '{mark}'; END $$"));
    let here = format!("@{database} ");
    let of_database = |fragment: &str| -> Vec<String> {
        let lines = log.lines_with(fragment).into_iter();
        lines.filter(|line| line.contains(&here)).collect()
    };
    eventually("the log is complete", || !of_database(&mark).is_empty());
    of_database("neon_auth: authenticat")
}
