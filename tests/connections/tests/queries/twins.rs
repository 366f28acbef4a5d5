//! Two schemas that differ in one thing: where one asks a reader, its twin has a literal.

use std::cell::RefCell;
use std::collections::HashMap;

use neon_auth_connections::{Session, World};
use postgres::SimpleQueryMessage;
use postgres::error::SqlState;
use serde_json::json;

use crate::case::Case;
use crate::schema::BASE;

/// What compares and runs, apart from the twins.
const ORACLE: &str = "
CREATE SCHEMA oracle;
GRANT USAGE ON SCHEMA oracle TO PUBLIC;
CREATE FUNCTION oracle.state() RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY '{members,docs,notes,parted,parent}'::text[] LOOP
        RETURN QUERY EXECUTE format('SELECT %L || t FROM %s AS t ORDER BY t::text', name || ' ', name);
    END LOOP;
END
$$;
CREATE FUNCTION oracle.in_function(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE query;
END
$$;";

/// What a reader is to the twin where a literal will not do: with an argument that differs by row,
/// and where PostgreSQL takes constants for another thing than functions. The schema is named for
/// who is signed in.
const FUNCTIONS: &str = "
CREATE SCHEMA {who};
GRANT USAGE ON SCHEMA {who} TO PUBLIC;
CREATE FUNCTION {who}.user_id() RETURNS text LANGUAGE plpgsql STABLE
AS $f$ BEGIN RETURN {me}; END $f$;
CREATE FUNCTION {who}.is_team_member(team text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT
AS $f$ SELECT team = ANY ({teams}) $f$;
CREATE FUNCTION {who}.has_permission(permission text, team text) RETURNS boolean LANGUAGE sql IMMUTABLE
AS $f$ SELECT CASE WHEN team IS NULL THEN {project} WHEN {signed_in} THEN permission = 'read' AND team = 't1' END $f$;
CREATE FUNCTION {who}.claim(VARIADIC path text[]) RETURNS text LANGUAGE sql IMMUTABLE STRICT
AS $f$ SELECT {claims} #>> path $f$;";

/// How many choices of a set-up or query it takes to differ.
pub struct Twins {
    world: World,
    superuser: Session,
    user: Session,
    me: String,
    token: String,
    setup: Option<Vec<String>>,
    literals: RefCell<HashMap<(bool, String), String>>,
    pub major: u32,
}

/// What came of a case: the rows of each statement, or an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Rows(Vec<Vec<String>>),
    Error(String),
    TookTooLong,
}

/// The two outcomes of a case that should be one.
pub struct Difference {
    pub readers: Outcome,
    pub literals: Outcome,
}

impl Twins {
    pub fn new() -> Self {
        let world = World::with_keys();
        let me = world.sign_up("alice");
        let token = world.token_with(&me, |claims, _| {
            let more = json!({
                "email": "alice@example.com", "role": "authenticated", "selected_team_id": "t2",
                "o": {"id": "22222222-2222-4222-8222-222222222222", "slug": "acme"},
                "path": "sub", "limit": 3, "teams": ["t1", "t2"], "is_anonymous": false,
            });
            let more = more.as_object().expect("it is an object").clone();
            claims.extend(more);
        });
        let mut superuser = world.superuser();
        superuser.run(ORACLE);
        superuser.run(&format!(
            "INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', '{me}'), ('t2', '{me}');
             INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', '{me}', 'read')"
        ));
        let mut user = world.app();
        user.sign_in_for_session(&token);
        let version = superuser.value("SHOW server_version_num", &[]);
        let version: u32 = version.expect("it is set").parse().expect("it is a number");
        let mut twins = Self {
            world,
            superuser,
            user,
            me,
            token,
            setup: None,
            literals: RefCell::default(),
            major: version / 10_000,
        };
        let claims = twins.literal("auth.jwt()", false);
        let me = format!("'{}'", twins.me);
        twins.define("lit", &[&me, "'{t1,t2}'::text[]", "false", "true", &claims]);
        let nobody = [
            "NULL",
            "NULL::text[]",
            "NULL::boolean",
            "NULL::boolean",
            "NULL::jsonb",
        ];
        twins.define("lit_nobody", &nobody);
        twins
    }

    /// Defines the twin's functions for somebody, with what they return.
    fn define(&mut self, who: &str, [me, teams, project, signed_in, claims]: &[&str; 5]) {
        let functions = FUNCTIONS
            .replace("{who}", who)
            .replace("{me}", me)
            .replace("{teams}", teams)
            .replace("{project}", project)
            .replace("{signed_in}", signed_in)
            .replace("{claims}", claims);
        self.superuser.run(&functions);
    }

    /// Runs a case on both. `None` where they agree, with what came of it otherwise.
    pub fn compare(&mut self, case: &Case) -> Result<Outcome, Difference> {
        self.set_up(case);
        let readers = self.outcome(case, "ours");
        let literals = self.outcome(case, "twin");
        // How long it takes is another matter.
        if let Outcome::TookTooLong = literals {
            return Ok(literals);
        }
        if readers == literals || readers == Outcome::TookTooLong {
            Ok(readers)
        } else {
            Err(Difference { readers, literals })
        }
    }

    fn set_up(&mut self, case: &Case) {
        // The twin's literals depend on who is signed in: nobody has a set-up of its own.
        let mut wanted = case.setup.clone();
        wanted.push(case.is_nobody.to_string());
        if self.setup.as_ref() == Some(&wanted) {
            return;
        }
        for schema in ["ours", "twin"] {
            self.superuser.run(&format!(
                "DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema};
                 GRANT USAGE ON SCHEMA {schema} TO app; SET search_path = {schema}, public"
            ));
            self.superuser.run(&BASE.replace(":me", &self.me));
            for statement in &case.setup {
                let statement = self.rendered(statement, schema, case.is_nobody);
                self.superuser.run(&statement);
            }
        }
        self.setup = Some(wanted);
    }

    fn outcome(&mut self, case: &Case, schema: &str) -> Outcome {
        let run = self.rendered(&case.run, schema, case.is_nobody);
        let run = format!(
            "BEGIN;\nSET LOCAL statement_timeout = '5s';\nSET LOCAL search_path = {schema}, public;\n{run};\nROLLBACK"
        );
        let mut fresh = case.is_nobody.then(|| self.world.app());
        let session = fresh.as_mut().unwrap_or(&mut self.user);
        let outcome = match session.simple_query(&run) {
            Ok(messages) => Outcome::Rows(rows(messages, case.is_ordered)),
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => Outcome::TookTooLong,
            Err(error) => Outcome::Error(error.as_db_error().map_or_else(
                || format!("{error:?}"),
                |error| format!("{} {}", error.code().code(), message(error.message())),
            )),
        };
        if !matches!(outcome, Outcome::Rows(_))
            && fresh.is_none()
            && self.user.batch_execute("ROLLBACK; DEALLOCATE ALL").is_err()
        {
            self.reconnect();
        }
        outcome
    }

    /// The server has ended the connection.
    fn reconnect(&mut self) {
        let config = self.world.database.config("app");
        neon_auth_connections::eventually("the server takes connections again", || {
            let session = config.connect(postgres::NoTls);
            session.is_ok_and(|session| {
                self.user = Session::from(session);
                true
            })
        });
        self.user.sign_in_for_session(&self.token);
        self.superuser = self.world.superuser();
        self.setup = None;
    }

    /// The text for one of the twins.
    fn rendered(&self, text: &str, schema: &str, is_nobody: bool) -> String {
        let mut rendered = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('⟦') {
            let (reader, after) = after.split_once('⟧').expect("a reader ends");
            rendered += before;
            if schema == "twin" {
                rendered += &self.literal(reader, is_nobody);
            } else {
                rendered += reader;
            }
            rest = after;
        }
        rendered + rest
    }

    /// What the twin has in the place of a reader: its value, or its name's own function.
    fn literal(&self, reader: &str, is_nobody: bool) -> String {
        if !reader.ends_with(')') && !reader.contains(").") {
            let schema = if is_nobody { "lit_nobody" } else { "lit" };
            return reader.replace("auth.", &format!("{schema}."));
        }
        let key = (is_nobody, reader.to_owned());
        if let Some(literal) = self.literals.borrow().get(&key) {
            return literal.clone();
        }
        let mut session = self.world.app();
        if !is_nobody {
            session.sign_in_for_session(&self.token);
        }
        let query =
            format!("SELECT format('CAST(%L AS %s)', ({reader})::text, pg_typeof({reader}))");
        let literal = session.value(&query, &[]).expect("format returns a text");
        self.literals.borrow_mut().insert(key, literal.clone());
        literal
    }
}

/// The rows of each statement that returns some.
fn rows(messages: Vec<SimpleQueryMessage>, is_ordered: bool) -> Vec<Vec<String>> {
    let mut statements = vec![Vec::new()];
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) => {
                let values: Vec<_> = (0..row.len())
                    .map(|n| row.get(n).unwrap_or("NULL"))
                    .collect();
                let last = statements.last_mut().expect("there is one");
                last.push(values.join("|"));
            }
            SimpleQueryMessage::CommandComplete(count) => {
                let last = statements.last_mut().expect("there is one");
                if !is_ordered {
                    last.sort();
                }
                last.push(format!("({count})"));
                statements.push(Vec::new());
            }
            _ => {}
        }
    }
    statements
}

/// Which row violates a policy first, and which of a table's policies, is a matter of the plan.
fn message(message: &str) -> String {
    let violation = "violates row-level security policy";
    match message.split_once(" for table ") {
        Some((before, table)) if before.contains(violation) => format!("{violation} for {table}"),
        _ => message.to_owned(),
    }
}
