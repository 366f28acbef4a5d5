//! The verdict of `neon_auth.explain_policy` is what happens, and the counts of `neon_auth.access_report` are how many
//! rows it happens to: tables with policies, grants and rows are made at random, and each answer is compared with an
//! attempt, which is rolled back.
//!
//! EXPLAIN_SEED and EXPLAIN_TABLES make other tables, and more of them.

use std::collections::BTreeMap;
use std::env;

use neon_auth_connections::{Random, Session, World};

const SEED: u64 = 5_000;
const TABLES: usize = 30;
/// How many questions are asked about each table.
const QUESTIONS: usize = 20;

const ROLES: [&str; 4] = [
    "authenticated",
    "explain_member",
    "explain_holder",
    "explain_bypass",
];
const COMMANDS: [&str; 6] = [
    "SELECT",
    "SELECT FOR UPDATE",
    "INSERT",
    "INSERT RETURNING",
    "UPDATE",
    "DELETE",
];
const EXPRESSIONS: [&str; 27] = [
    "owner = auth.user_id()",
    "owner = auth.user_id()",
    "owner = auth.user_id()",
    "owner = auth.user_id()",
    "owner IS DISTINCT FROM 'bob'",
    "flag",
    "true",
    "true",
    "true",
    "false",
    "NULL",
    "n > 2",
    "twice > 4",
    "team = auth.claim('team')",
    "auth.user_id() IS NULL",
    "auth.user_id() IS NOT NULL",
    "current_user = 'authenticated'",
    "10 / (n - 1) > 2",
    "10 / (n - 2) > 2",
    "10 / (n - 5) > 2",
    "EXISTS (SELECT FROM world.shares s WHERE s.doc = docs.id AND s.user_id = auth.user_id())",
    "id IN (SELECT doc FROM world.shares)",
    "hidden.is_even(n)",
    "world.guarded(n)",
    "docs IS NOT NULL",
    "NOT EXISTS (SELECT FROM world.docs other WHERE other.id > docs.id)",
    "(SELECT count(*) FROM world.docs) > 1",
];

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// An expression of a policy.
fn expression(random: &mut Random, depth: usize) -> String {
    match random.below(10) {
        0 | 1 if depth > 0 => {
            let joint = random.pick(&["AND", "OR"]);
            let parts = [expression(random, depth - 1), expression(random, depth - 1)];
            format!("({})", parts.join(&format!(" {joint} ")))
        }
        2 if depth > 0 => format!("NOT ({})", expression(random, depth - 1)),
        _ => (*random.pick(&EXPRESSIONS)).to_owned(),
    }
}

/// The statements that make a table with rows, grants and policies.
fn table(random: &mut Random) -> Vec<String> {
    let mut made = vec!["DROP TABLE IF EXISTS world.docs, world.shares, world.people".to_owned()];
    let one_in = |random: &mut Random, many: usize| random.below(many) == 0;
    let partitioned = one_in(random, 4);
    made.push("CREATE TABLE world.people (id text PRIMARY KEY)".to_owned());
    made.push("INSERT INTO world.people VALUES ('ann'), ('bob')".to_owned());
    made.push(format!(
        "CREATE TABLE world.docs (id int PRIMARY KEY, gone int, owner text{}{}{}, team text, n int DEFAULT 3,
            flag boolean, twice int GENERATED ALWAYS AS (n * 2) STORED{}){}",
        random.pick(&["", " NOT NULL"]),
        random.pick(&["", " DEFAULT auth.user_id()"]),
        random.pick(&["", "", " REFERENCES world.people (id)"]),
        random.pick(&["", "", ", CHECK (n < 9)"]),
        if partitioned { " PARTITION BY RANGE (id)" } else { "" },
    ));
    if partitioned {
        made.push(
            "CREATE TABLE world.docs_a PARTITION OF world.docs FOR VALUES FROM (0) TO (3)"
                .to_owned(),
        );
        made.push("CREATE TABLE world.docs_b PARTITION OF world.docs DEFAULT".to_owned());
    }
    made.push("ALTER TABLE world.docs DROP COLUMN gone".to_owned());
    for id in 1..=4 {
        made.push(format!(
            "INSERT INTO world.docs (id, owner, team, n, flag) VALUES ({id}, '{}', {}, {}, {})",
            random.pick(&["ann", "bob"]),
            random.pick(&["'red'", "'blue'", "NULL"]),
            random.pick(&["1", "2", "4", "5", "NULL"]),
            random.pick(&["true", "false", "NULL"]),
        ));
    }
    made.push("CREATE TABLE world.shares (doc int, user_id text)".to_owned());
    made.push("INSERT INTO world.shares VALUES (1, 'ann'), (2, 'bob'), (3, 'ann')".to_owned());
    made.push("ALTER TABLE world.docs OWNER TO explain_holder".to_owned());
    if !one_in(random, 8) {
        made.push("ALTER TABLE world.docs ENABLE ROW LEVEL SECURITY".to_owned());
    }
    if one_in(random, 2) {
        made.push("ALTER TABLE world.docs FORCE ROW LEVEL SECURITY".to_owned());
    }
    for (privilege, columns) in [
        ("SELECT", "(id, owner)"),
        ("INSERT", "(id, owner, n)"),
        ("UPDATE", "(n, flag)"),
        ("DELETE", ""),
    ] {
        let columns = match random.below(12) {
            0 => continue,
            1 => columns,
            _ => "",
        };
        let to = random.pick(&["authenticated", "PUBLIC", "PUBLIC"]);
        made.push(format!("GRANT {privilege} {columns} ON world.docs TO {to}"));
    }
    if !one_in(random, 6) {
        made.push("GRANT SELECT ON world.shares TO PUBLIC".to_owned());
    }
    if one_in(random, 2) {
        made.push("ALTER TABLE world.shares ENABLE ROW LEVEL SECURITY".to_owned());
        made.push("CREATE POLICY own ON world.shares USING (user_id = auth.user_id())".to_owned());
    }
    let grant = match random.below(4) {
        0 => "REVOKE EXECUTE ON FUNCTION world.guarded FROM PUBLIC",
        _ => "GRANT EXECUTE ON FUNCTION world.guarded TO PUBLIC",
    };
    made.push(grant.to_owned());
    let usage = match random.below(12) {
        0 => "REVOKE USAGE ON SCHEMA world FROM PUBLIC",
        _ => "GRANT USAGE ON SCHEMA world TO PUBLIC",
    };
    made.push(usage.to_owned());
    for policy in 0..random.below(6) {
        let kind = random.pick(&["PERMISSIVE", "PERMISSIVE", "PERMISSIVE", "RESTRICTIVE"]);
        let command = *random.pick(&[
            "ALL", "ALL", "SELECT", "SELECT", "INSERT", "UPDATE", "DELETE",
        ]);
        let to = random.pick(&[
            "PUBLIC",
            "PUBLIC",
            "authenticated",
            "explain_member",
            "explain_other",
        ]);
        let (uses, checks) = match command {
            "INSERT" => (false, true),
            "SELECT" | "DELETE" => (true, false),
            _ => (!one_in(random, 8), one_in(random, 3)),
        };
        let mut clauses = String::new();
        if uses {
            clauses.push_str(&format!(" USING ({})", expression(random, 2)));
        }
        if checks || !uses {
            clauses.push_str(&format!(" WITH CHECK ({})", expression(random, 2)));
        }
        let name = random.pick(&["alpha", "beta", "gamma", "delta"]);
        made.push(format!(
            "CREATE POLICY {name}_{policy} ON world.docs AS {kind} FOR {command} TO {to}{clauses}"
        ));
    }
    made
}

/// A question, and the statement that does what it asks about.
struct Question {
    command: &'static str,
    row: String,
    statement: String,
    user: Option<&'static str>,
    role: &'static str,
}

fn question(random: &mut Random) -> Question {
    let command = *random.pick(&COMMANDS);
    let mut given = BTreeMap::new();
    let is_insert = command.starts_with("INSERT");
    let id = match is_insert {
        true => 10,
        false => 1 + random.below(5),
    };
    let columns: [(&str, &[&str]); 4] = [
        ("owner", &["\"ann\"", "\"bob\"", "\"eve\"", "null"]),
        ("n", &["1", "2", "5", "null"]),
        ("flag", &["true", "false"]),
        ("team", &["\"red\"", "null"]),
    ];
    if is_insert || command == "UPDATE" {
        for (column, values) in columns {
            if random.below(2) == 0 {
                given.insert(column, *random.pick(values));
            }
        }
        if random.below(25) == 0 {
            given.insert("twice", "7");
        }
        if command == "UPDATE" && given.is_empty() {
            given.insert("n", "5");
        }
    }
    let literal = |json: &str| json.replace('"', "'");
    let statement = match command {
        "SELECT" => format!("SELECT id FROM world.docs WHERE id = {id}"),
        "SELECT FOR UPDATE" => format!("SELECT id FROM world.docs WHERE id = {id} FOR UPDATE"),
        "DELETE" => format!("DELETE FROM world.docs WHERE id = {id}"),
        "UPDATE" => {
            let set: Vec<_> = given
                .iter()
                .map(|(column, value)| format!("{column} = {}", literal(value)))
                .collect();
            format!("UPDATE world.docs SET {} WHERE id = {id}", set.join(", "))
        }
        _ => {
            let names: Vec<_> = given.keys().map(|column| format!(", {column}")).collect();
            let values: Vec<_> = given
                .values()
                .map(|value| format!(", {}", literal(value)))
                .collect();
            let returning = if command == "INSERT" {
                ""
            } else {
                " RETURNING id"
            };
            format!(
                "INSERT INTO world.docs (id{}) VALUES ({id}{}){returning}",
                names.concat(),
                values.concat()
            )
        }
    };
    let id = id.to_string();
    given.insert("id", &id);
    let members: Vec<_> = given
        .iter()
        .map(|(column, value)| format!("\"{column}\": {value}"))
        .collect();
    Question {
        command,
        row: format!("{{{}}}", members.join(", ")),
        statement,
        user: *random.pick(&[Some("ann"), Some("ann"), Some("bob"), None]),
        role: ROLES[*random.pick(&[0, 0, 0, 1, 2, 3])],
    }
}

/// How many rows a statement finds or writes, or its SQLSTATE and message.
fn attempt(
    session: &mut Session,
    user: Option<&str>,
    claims: &str,
    role: &str,
    statement: &str,
) -> Result<u64, (String, String)> {
    session.run("BEGIN; SET LOCAL enable_seqscan = off");
    if let Some(user) = user {
        session.run(&format!("SELECT auth.impersonate('{user}', '{claims}')"));
    }
    session.run(&format!("SET LOCAL ROLE {role}"));
    let outcome = session.execute(statement, &[]);
    session.run("ROLLBACK");
    outcome.map_err(|error| {
        let error = error.as_db_error().expect("an error of the server");
        (error.code().code().to_owned(), error.message().to_owned())
    })
}

/// The verdict and its reason.
fn verdict(session: &mut Session, question: &Question) -> (Option<bool>, String) {
    let row = session
        .query_one(
            "SELECT result, reason FROM neon_auth.explain_policy('world.docs', $1, $2::text::jsonb, $3,
                                                                 $4::text::name, '{\"team\": \"red\"}')
              WHERE step = 'verdict'",
            &[&question.command, &question.row, &question.user, &question.role],
        )
        .unwrap_or_else(|error| panic!("{}: {error:?}", question.statement));
    (row.get(0), row.get(1))
}

/// What is wrong with a verdict.
fn disagreement(
    outcome: &Result<u64, (String, String)>,
    result: Option<bool>,
    reason: &str,
) -> Option<&'static str> {
    let works = matches!(outcome, Ok(rows) if *rows > 0);
    match result {
        None => return Some("there is no verdict"),
        Some(result) if result != works => return Some("the verdict is wrong"),
        _ => {}
    }
    let state = outcome.as_ref().err().map(|(state, _)| state.as_str());
    // A value for a generated column is refused before all else.
    let is_explained = state == Some("428C9")
        || if reason.starts_with("no row has this key") {
            // Policies are not evaluated then, but privileges that they lack are missing all the same.
            *outcome == Ok(0) || state == Some("42501")
        } else if reason.starts_with("the row is not found") {
            *outcome == Ok(0)
        } else if let Some(raised) = reason.split_once(" raises ") {
            // PostgreSQL may choose another policy to evaluate first, which refuses the row.
            state == raised.1.get(..5) || *outcome == Ok(0)
        } else if reason.starts_with("42501") || reason.starts_with("42P17") {
            state == reason.get(..5)
        } else if reason.starts_with("NOT NULL") {
            state == Some("23502")
        } else if reason.starts_with("FOREIGN KEY") {
            state == Some("23503")
        } else if reason.starts_with("CHECK") {
            state == Some("23514")
        } else {
            result == Some(true)
        };
    (!is_explained).then_some("the reason is wrong")
}

/// What a report says that is not what happens.
fn wrong_counts(session: &mut Session, role: &str) -> Vec<String> {
    let reported = session
        .query(
            "SELECT user_id, selects, updates, deletes, coalesce(note, '')
               FROM neon_auth.access_report('{ann,bob}', $1::text::name, '{world}') WHERE \"table\" = 'world.docs'",
            &[&role],
        )
        .expect("the report does not fail");
    assert_eq!(reported.len(), 3, "ann, bob and nobody");
    let mut wrong = Vec::new();
    for row in reported {
        let (user, note): (Option<String>, String) = (row.get(0), row.get(4));
        for (column, command, statement) in [
            (1, "SELECT", "SELECT FROM world.docs"),
            (2, "UPDATE", "SELECT FROM world.docs FOR UPDATE"),
            (3, "DELETE", "DELETE FROM world.docs WHERE id IS NOT NULL"),
        ] {
            let counted: Option<i64> = row.get(column);
            let outcome = attempt(session, user.as_deref(), "{}", role, statement);
            let raises = |state: &str| note.contains(&format!("{command} raises {state}"));
            let is_right = match (&outcome, counted) {
                (Ok(rows), Some(counted)) => *rows as i64 == counted,
                // A recursion is found before a missing privilege.
                (Err((state, _)), Some(0)) if state == "42501" || state == "42P17" => true,
                (Err((state, _)), None) if raises(state) => true,
                // Which of two conditions is evaluated first is PostgreSQL's choice.
                (Err((state, _)), Some(_)) => state == "22012",
                (_, None) => raises("22012"),
            };
            if !is_right {
                wrong.push(format!(
                    "{statement} as {role}, {user:?}: {outcome:?}, but {counted:?} {note}"
                ));
            }
        }
    }
    wrong
}

#[test]
fn each_verdict_is_what_happens() {
    let world = World::new();
    let mut session = world.superuser();
    session.run(
        "DO $$
         DECLARE
             name text;
         BEGIN
             FOREACH name IN ARRAY '{explain_holder,explain_member,explain_other,explain_bypass}'::text[] LOOP
                 IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
                     EXECUTE format('CREATE ROLE %I', name);
                 END IF;
             END LOOP;
             ALTER ROLE explain_bypass BYPASSRLS;
             GRANT authenticated, explain_other TO explain_member;
         END
         $$;
         CREATE SCHEMA world;
         GRANT USAGE ON SCHEMA world TO explain_holder;
         CREATE SCHEMA hidden;
         CREATE FUNCTION hidden.is_even(n int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN n % 2 = 0; END';
         CREATE FUNCTION world.guarded(n int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN n > 2; END'",
    );
    let seed = number("EXPLAIN_SEED").unwrap_or(SEED);
    let tables = number("EXPLAIN_TABLES").unwrap_or(TABLES as u64);
    let mut failures = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for number in 0..tables {
        let mut random = Random::seeded(seed.wrapping_add(number));
        let made = table(&mut random);
        for statement in &made {
            session.run(statement);
        }
        let wrong: Vec<String> = ROLES
            .iter()
            .flat_map(|role| wrong_counts(&mut session, role))
            .collect();
        if !wrong.is_empty() {
            let seed = seed.wrapping_add(number);
            failures.push(format!(
                "counts are wrong: seed {seed}\n{};\n{}",
                made.join(";\n"),
                wrong.join("\n")
            ));
        }
        for _ in 0..QUESTIONS {
            let question = question(&mut random);
            let outcome = attempt(
                &mut session,
                question.user,
                r#"{"team": "red"}"#,
                question.role,
                &question.statement,
            );
            let (result, reason) = verdict(&mut session, &question);
            let kind = match &outcome {
                Ok(0) => "nothing",
                Ok(_) => "works",
                Err((state, _)) => state,
            };
            *seen.entry(kind.to_owned()).or_default() += 1;
            if let Some(wrong) = disagreement(&outcome, result, &reason) {
                failures.push(format!(
                    "{wrong}: seed {}\n{};\nas {} {:?}: {} {}\n{}\nhappens: {outcome:?}\nverdict: {result:?} {reason}",
                    seed.wrapping_add(number),
                    made.join(";\n"),
                    question.role,
                    question.user,
                    question.command,
                    question.row,
                    question.statement,
                ));
            }
        }
    }
    eprintln!("{seen:?}, {} differ", failures.len());
    assert!(
        failures.is_empty(),
        "verdicts differ:\n{}",
        failures.join("\n\n")
    );
    // A comparison in which everything is refused, or nothing, would prove nothing.
    for kind in ["works", "nothing", "42501", "22012", "42P17", "23502"] {
        assert!(
            seen.get(kind).is_some_and(|count| *count > 2),
            "{kind} is too rare: {seen:?}"
        );
    }
}
