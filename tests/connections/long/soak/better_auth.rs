//! The application with Better Auth: writers on its tables, and members who sign in with its session tokens.

use neon_auth_connections::{BETTER_AUTH_DIFFERENCES, Random, better_auth_transaction};
use postgres::error::SqlState;

use crate::client::{Connection, Lifetime, is_refused, sign_in, visit};
use crate::site::Site;
use crate::watch::{Tally, Trouble, promise};

/// Errors that an application's own statements have: they are random.
fn is_own(code: &SqlState) -> bool {
    [
        SqlState::FOREIGN_KEY_VIOLATION,
        SqlState::UNIQUE_VIOLATION,
        SqlState::T_R_DEADLOCK_DETECTED,
    ]
    .contains(code)
}

/// Writes on a few rows, so that transactions meet.
pub struct Writer {
    connection: Connection,
    random: Random,
}

impl Writer {
    pub fn new(site: &Site, seed: u64) -> Self {
        Self {
            connection: Connection::new(site.better_auth.database.config("app")),
            random: Random::seeded(seed),
        }
    }

    pub fn act(&mut self, tally: &Tally) {
        let statements = better_auth_transaction(&mut self.random);
        tally.attempt("a transaction on Better Auth's tables", is_own, || {
            self.connection.attempt(|client| {
                statements
                    .iter()
                    .try_for_each(|statement| client.batch_execute(statement))
                    .map_err(Trouble::from)
            })
        });
    }
}

/// The tables that the mirror follows.
const FOLLOWED: &str =
    r#"ba."user", ba.organization, ba.member, ba.team, ba."teamMember", ba."organizationRole""#;

/// Compares the mirror with the tables: what the triggers have left, and then as an administrator does.
pub struct Comparison(Connection);

impl Comparison {
    pub fn new(site: &Site) -> Self {
        Self(Connection::new(
            site.better_auth.database.config("postgres"),
        ))
    }

    pub fn act(&mut self, tally: &Tally) {
        let deadlock = |code: &SqlState| *code == SqlState::T_R_DEADLOCK_DETECTED;
        let compared = tally.attempt("what the triggers wrote", deadlock, || {
            self.0.attempt(is_followed)
        });
        if compared == Some(true) {
            tally.checked("the triggers lose no change without recording a gap");
        }
        tally.attempt("sync() of Better Auth", deadlock, || {
            self.0.attempt(|client| {
                client
                    .batch_execute("CALL neon_auth.sync()")
                    .map_err(Trouble::from)
            })
        });
    }
}

/// Fails if the mirror differs from the tables and nothing says so, before sync() repairs it; false if a gap is
/// recorded. Meanwhile nobody writes the tables.
fn is_followed(client: &mut postgres::Client) -> Result<bool, Trouble> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&format!("LOCK TABLE {FOLLOWED} IN SHARE MODE"))?;
    let has_gaps = transaction.query_one("SELECT neon_auth_internal.has_gaps()", &[])?;
    if has_gaps.get(0) {
        return Ok(false);
    }
    let differences = transaction.query(BETTER_AUTH_DIFFERENCES, &[])?;
    let differences: Vec<String> = differences.iter().map(|row| row.get(0)).collect();
    promise(differences.is_empty(), || {
        format!("the mirror of Better Auth differs without a gap: {differences:#?}")
    })?;
    Ok(true)
}

/// Members who begin a session, use it and end it.
pub struct Members {
    application: Connection,
    client: Connection,
    random: Random,
    sessions: u64,
}

impl Members {
    pub fn new(site: &Site, seed: u64) -> Self {
        let database = &site.better_auth.database;
        let mut superuser = database.superuser();
        superuser.run(
            r#"INSERT INTO ba."user" (id, name, email, "emailVerified")
               SELECT 'member-' || n, 'Member', 'member-' || n || '@example.com', true FROM generate_series(0, 4) AS n;
               INSERT INTO notes (user_id, body)
               SELECT 'member-' || n, 'first' FROM generate_series(0, 4) AS n"#,
        );
        Self {
            application: Connection::new(database.config("app")),
            client: Connection::new(database.config("app")),
            random: Random::seeded(seed),
            sessions: 0,
        }
    }

    pub fn act(&mut self, tally: &Tally) {
        const BEGIN: &str =
            r#"INSERT INTO ba.session VALUES ($1, now() + interval '1 day', $1, $2)"#;
        const END: &str = "DELETE FROM ba.session WHERE id = $1";
        let user = format!("member-{}", self.random.below(5));
        self.sessions += 1;
        let token = format!("{:0>32}", self.sessions);
        let never = |_: &SqlState| false;
        let begun = tally.attempt("a new session of Better Auth", never, || {
            self.application
                .attempt(|client| Ok(client.execute(BEGIN, &[&token, &user])?))
        });
        if begun.is_none() {
            return;
        }
        let random = &mut self.random;
        for lifetime in [Lifetime::Transaction, Lifetime::Session] {
            tally.attempt("a session token and its owner's rows", never, || {
                self.client
                    .attempt(|client| visit(client, &token, &user, lifetime, random))
            });
        }
        let ended = tally.attempt("the end of a session of Better Auth", never, || {
            self.client
                .attempt(|client| sign_in(client, &token, &user, Lifetime::Session))?;
            self.application
                .attempt(|client| Ok(client.execute(END, &[&token])?))
        });
        if ended.is_none() {
            // The user may still be signed in.
            return self.client.close();
        }
        let refused = tally.attempt("a session token after its session's end", never, || {
            self.client.attempt(|client| {
                let open = client.query("SELECT auth.user_id() FROM notes", &[]);
                if open.is_ok_and(|rows| !rows.is_empty()) {
                    return Err(Trouble::Broken(format!(
                        "{user} stays signed in after the session's end"
                    )));
                }
                is_refused(client, &token, "the session's end")?;
                Ok(client.batch_execute("SELECT auth.logout()")?)
            })
        });
        if refused.is_some() {
            tally.checked("an ended session of Better Auth is refused");
        }
    }
}
