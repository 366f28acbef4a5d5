//! Which answers of the REST API rewrite a user's row, of random objects against plain SQL.

use std::num::NonZeroUsize;

use neon_auth_connections::{Random, World, id_of};
use neon_auth_stack::NewUser;
use serde_json::{Value, json};

const ACTIVE: &str = "last_active_at_millis";
const PROVIDERS: &str = "oauth_providers";
const DAY: i64 = 86_400_000;
const USERS: usize = 2_000;

/// Whether a row is not to be rewritten, from values alone: `jsonb - text[]`, `=` and sorting.
const ORACLE: &str = "
CREATE FUNCTION pg_temp.same_time(known jsonb, given jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF jsonb_typeof(known) <> 'number' OR jsonb_typeof(given) <> 'number' THEN
        RETURN false;
    END IF;
    RETURN abs((known #>> '{}')::bigint::numeric - (given #>> '{}')::bigint::numeric) < 86400000;
EXCEPTION WHEN invalid_text_representation OR numeric_value_out_of_range THEN
    RETURN false;
END $$;
CREATE FUNCTION pg_temp.sorted(list jsonb) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(e ORDER BY e) FROM jsonb_array_elements(list) AS e
$$;
CREATE FUNCTION pg_temp.same_elements(known jsonb, given jsonb) RETURNS boolean LANGUAGE sql AS $$
    SELECT CASE WHEN jsonb_typeof(known) = 'array' AND jsonb_typeof(given) = 'array'
                THEN pg_temp.sorted(known) IS NOT DISTINCT FROM pg_temp.sorted(given) ELSE false END
$$;
CREATE FUNCTION pg_temp.is_same(known jsonb, given jsonb) RETURNS boolean LANGUAGE sql AS $$
    SELECT known - '{last_active_at_millis,oauth_providers}'::text[] = given - '{last_active_at_millis,oauth_providers}'::text[]
       AND (known -> 'last_active_at_millis' IS NOT DISTINCT FROM given -> 'last_active_at_millis'
            OR pg_temp.same_time(known -> 'last_active_at_millis', given -> 'last_active_at_millis') IS TRUE)
       AND (known -> 'oauth_providers' IS NOT DISTINCT FROM given -> 'oauth_providers'
            OR pg_temp.same_elements(known -> 'oauth_providers', given -> 'oauth_providers') IS TRUE)
$$";

/// JSON text, because some numbers are beyond what Rust's types hold.
type Members = Vec<(String, String)>;

fn set(members: &mut Members, name: &str, value: String) {
    members.retain(|(known, _)| known != name);
    members.push((name.to_owned(), value));
}

fn object(members: &Members) -> String {
    let members: Vec<_> = members
        .iter()
        .map(|(name, value)| format!(r#""{name}":{value}"#))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn time(random: &mut Random) -> String {
    const ODD: [&str; 14] = [
        "null",
        "true",
        r#""1700000000000""#,
        r#""soon""#,
        "[]",
        "{}",
        "-1",
        "-1700000000000",
        "1e30",
        "-1e30",
        "9223372036854775807",
        "-9223372036854775808",
        "1700000000000.5",
        "1.7e12",
    ];
    match random.below(3) {
        0 => (*random.pick(&ODD)).to_owned(),
        _ => (1_700_000_000_000 + random.below(3) as i64 * DAY).to_string(),
    }
}

fn provider(random: &mut Random) -> String {
    const ODD: [&str; 9] = [
        "null",
        "1",
        "1.0",
        r#""github""#,
        "[]",
        "{}",
        "[1, 2]",
        "[1.0, 2]",
        "false",
    ];
    match random.below(5) {
        0 => (*random.pick(&ODD)).to_owned(),
        _ => format!(
            r#"{{"id":"{}","account_id":"{}","email":{}}}"#,
            random.pick(&["github", "google"]),
            random.below(3),
            random.pick(&["null", r#""a@example.com""#]),
        ),
    }
}

fn providers(random: &mut Random) -> Vec<String> {
    (0..random.below(6)).map(|_| provider(random)).collect()
}

fn list(elements: &[String]) -> String {
    format!("[{}]", elements.join(","))
}

fn value(random: &mut Random) -> String {
    const VALUES: [&str; 21] = [
        r#""t\u0065xt""#,
        r#""\ud83d\ude00""#,
        r#""😀""#,
        r#""a\"b""#,
        "1e0",
        "-0",
        "0",
        "-1",
        r#"{"a":[2],"a":[1,{"b":null}]}"#,
        "null",
        "true",
        "false",
        "1",
        "1.0",
        "1.00",
        "2",
        r#""""#,
        r#""text""#,
        r#"{"a":[1,{"b":null}]}"#,
        r#"{"a":[1.0,{"b":null}]}"#,
        r#"[2,1]"#,
    ];
    (*random.pick(&VALUES)).to_owned()
}

/// A user, and what the service answers about the same one later.
fn pair(random: &mut Random, number: usize) -> (String, String) {
    const NAMES: [&str; 5] = [
        "display_name",
        "client_metadata",
        "a",
        "z",
        "primary_email_verified",
    ];
    let mut known: Members = vec![("id".to_owned(), format!(r#""u{number}""#))];
    for name in NAMES {
        if random.below(3) > 0 {
            set(&mut known, name, value(random));
        }
    }
    if random.below(8) > 0 {
        set(&mut known, ACTIVE, time(random));
    }
    let mut elements = providers(random);
    match random.below(8) {
        0 => {}
        1 => set(&mut known, PROVIDERS, value(random)),
        _ => set(&mut known, PROVIDERS, list(&elements)),
    }
    let mut given = known.clone();
    for _ in 0..random.below(4) {
        match random.below(12) {
            0..=3 => {
                const STEPS: [i64; 9] = [0, 1, -1, DAY - 1, DAY, DAY + 1, 1 - DAY, -DAY, -DAY - 1];
                let known = known.iter().find(|(name, _)| name == ACTIVE);
                let known = known.and_then(|(_, text)| text.parse::<i64>().ok());
                let step = *random.pick(&STEPS);
                if let Some(later) = known.and_then(|known| known.checked_add(step)) {
                    set(&mut given, ACTIVE, later.to_string());
                }
            }
            4 => set(&mut given, ACTIVE, time(random)),
            5 | 6 => {
                random.shuffle(&mut elements);
                set(&mut given, PROVIDERS, list(&elements));
            }
            7 => {
                // One element instead of another, which may be there twice then.
                if elements.len() > 1 {
                    let other = random.pick(&elements).clone();
                    let place = random.below(elements.len());
                    elements[place] = other;
                }
                set(&mut given, PROVIDERS, list(&elements));
            }
            8 => {
                elements = providers(random);
                set(&mut given, PROVIDERS, list(&elements));
            }
            9 => set(&mut given, PROVIDERS, value(random)),
            10 => {
                let name = *random.pick(&NAMES);
                set(&mut given, name, value(random));
            }
            _ => {
                let names = [ACTIVE, PROVIDERS, NAMES[0], NAMES[2]];
                let name = *random.pick(&names);
                given.retain(|(known, _)| known != name);
            }
        }
    }
    random.shuffle(&mut given);
    // Of members with one name, jsonb keeps the last.
    if random.below(8) == 0 {
        let name = *random.pick(&["id", ACTIVE, NAMES[0], NAMES[1]]);
        given.insert(0, (name.to_owned(), value(random)));
    }
    let space = *random.pick(&["", " ", "\n\t"]);
    let spaced = object(&given).replace(':', &format!("{space}:{space}"));
    (object(&known), spaced)
}

#[test]
fn a_row_is_rewritten_exactly_if_more_than_activity_and_an_order_differ() {
    let world = World::new();
    let mut session = world.superuser();
    session.run(ORACLE);
    session.run("CREATE TEMP TABLE pairs (known jsonb, given jsonb)");
    for seed in 1..=4 {
        let mut random = Random::seeded(seed);
        let (known, given): (Vec<_>, Vec<_>) =
            (0..USERS).map(|number| pair(&mut random, number)).unzip();
        session.run("TRUNCATE pairs; TRUNCATE neon_auth.users_sync CASCADE");
        let fill = "WITH filled AS (
                        INSERT INTO pairs SELECT known::jsonb, given::jsonb FROM unnest($1::text[], $2::text[]) AS p(known, given)
                        RETURNING known)
                    SELECT neon_auth.upsert_users(jsonb_agg(known))::text FROM filled";
        let filled = session.value(fill, &[&known, &given]);
        assert_eq!(filled, Some(USERS.to_string()), "seed {seed}");
        session
            .run("CREATE TEMP TABLE before AS SELECT id, ctid AS place FROM neon_auth.users_sync");
        session.run("SET search_path = pg_catalog, pg_temp");
        session.value(
            "SELECT neon_auth_internal.write_page('user', $1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)::text",
            &[&given],
        );
        session.run("RESET search_path");
        let wrong = session.values(
            "SELECT format('known %s, given %s: %s', p.known, p.given, CASE WHEN u.ctid = b.place THEN 'not written' ELSE 'written' END)
               FROM pairs p JOIN before b ON b.id = p.known ->> 'id' JOIN neon_auth.users_sync u USING (id)
              WHERE (u.ctid = b.place) <> pg_temp.is_same(p.known, p.given)
                 OR u.raw_json <> CASE WHEN u.ctid = b.place THEN p.known ELSE p.given END
                 OR neon_auth_internal.is_alike('user', p.known, p.given) <> (u.ctid = b.place)
              LIMIT 10",
            &[],
        );
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        // There are many of each kind, so that the comparison says something.
        for kind in [
            "known = given",
            "known <> given AND pg_temp.is_same(known, given)",
            "NOT pg_temp.is_same(known, given)",
        ] {
            let query = format!("SELECT count(*)::text FROM pairs WHERE {kind}");
            let count = session.value(&query, &[]).expect("a count");
            let count: usize = count.parse().expect("a number");
            assert!(count > USERS / 20, "seed {seed}: {kind}: {count}");
        }
        session.run("DROP TABLE before");
    }
}

/// The versions of the users' rows.
fn versions(world: &World) -> Vec<Option<String>> {
    let query = "SELECT concat_ws(' ', id, ctid, updated_at) FROM neon_auth.users_sync ORDER BY id";
    world.superuser().values(query, &[])
}

/// Users of two providers, whose order differs between lists and single answers.
fn sign_up(world: &World, name: &str) -> Value {
    let other = json!({ "oauth_providers": [{ "id": "github" }, { "id": "google" }] });
    world.stack.sign_up(NewUser {
        other: other.as_object().expect("an object").clone(),
        ..NewUser::named(name, "somebody@example.com")
    })
}

#[test]
fn activity_rewrites_no_row_from_a_list_or_a_single_answer() {
    let world = World::new();
    let users = ["a", "b", "c"].map(|name| sign_up(&world, name));
    world.sync();
    let before = versions(&world);
    assert_eq!(before.len(), users.len());
    let service = world.stack.everything().users;
    world
        .stack
        .refresh_tokens(NonZeroUsize::new(1).expect("not 0"));
    assert_ne!(world.stack.everything().users, service);
    let queue = "INSERT INTO neon_auth.sync_queue (kind, user_id, reason) VALUES ('user', $1, 'test') RETURNING kind";
    let queued = users[0]["id"].as_str().expect("a text");
    world.superuser().value(queue, &[&queued]);
    world.stack.forget_requests();
    world.sync();
    assert!(world.asked(&format!("users/{queued}")) > 0);
    assert_eq!(versions(&world), before);
    // A change of anything else brings the time along.
    world
        .stack
        .update_user(id_of(&users[1]), json!({ "display_name": "new" }));
    world.sync();
    let after = versions(&world);
    let rewritten = before.iter().filter(|row| !after.contains(row)).count();
    assert_eq!(rewritten, 1);
    world.assert_mirrored();
}

#[test]
fn a_late_event_is_confirmed_if_an_answer_may_have_shown_a_later_state() {
    const HOUR: i64 = 3_600_000;
    let world = World::with_webhooks();
    let user = sign_up(&world, "now");
    let active = user["last_active_at_millis"].as_i64().expect("a number");
    world.sync();
    let before = versions(&world);
    let rename = |name: &str, hours: i64| {
        let changes =
            json!({ "display_name": name, "last_active_at_millis": active + hours * HOUR });
        world.stack.update_user(id_of(&user), changes);
        world.stack.messages().pop().expect("a message").id
    };
    let late = rename("then", 1);
    rename("now", 2);
    world.sync();
    assert_eq!(versions(&world), before);
    let mut session = world.superuser();
    session.deliver(&world.stack.delivery(&late));
    let queue = "SELECT user_id FROM neon_auth.sync_queue WHERE kind = 'user'";
    assert_eq!(session.value(queue, &[]).as_deref(), user["id"].as_str());
    world.sync();
    let name = "SELECT name FROM neon_auth.users_sync";
    assert_eq!(session.value(name, &[]).as_deref(), Some("now"));
    world.assert_mirrored();
}
