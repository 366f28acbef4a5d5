//! A connection, and what tests ask of it.

use std::ops::{Deref, DerefMut};

use postgres::error::DbError;
use postgres::types::ToSql;
use postgres::{CancelToken, Client, Config, NoTls};

/// One connection. Statements with parameters go through the extended protocol, `run` through
/// the simple one.
pub struct Session(Client);

type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Session {
    #[track_caller]
    pub fn open(config: &Config) -> Self {
        Self(config.connect(NoTls).expect("the server takes connections"))
    }

    /// Runs statements without results.
    #[track_caller]
    pub fn run(&mut self, sql: &str) {
        if let Err(error) = self.0.batch_execute(sql) {
            panic!("{sql}: {error:?}");
        }
    }

    /// Has workers read whatever the session reads from now on, if there are any.
    #[track_caller]
    pub fn go_parallel(&mut self) {
        self.run(
            "SET parallel_setup_cost = 0;
             SET parallel_tuple_cost = 0;
             SET min_parallel_table_scan_size = 0;
             SET max_parallel_workers_per_gather = 2;
             SET parallel_leader_participation = off",
        );
    }

    /// Runs statements of which one must fail.
    #[track_caller]
    pub fn run_refused(&mut self, sql: &str) -> DbError {
        server_error(sql, self.0.batch_execute(sql))
    }

    /// The text in the first column of the only row.
    #[track_caller]
    pub fn value(&mut self, sql: &str, parameters: Parameters) -> Option<String> {
        match self.0.query_one(sql, parameters) {
            Ok(row) => row.get(0),
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }

    /// The texts in the first column of all rows.
    #[track_caller]
    pub fn values(&mut self, sql: &str, parameters: Parameters) -> Vec<Option<String>> {
        match self.0.query(sql, parameters) {
            Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
            Err(error) => panic!("{sql}: {error:?}"),
        }
    }

    /// The error of a statement that must fail.
    #[track_caller]
    pub fn refused(&mut self, sql: &str, parameters: Parameters) -> DbError {
        server_error(sql, self.0.query(sql, parameters))
    }

    /// Signs in until the transaction ends, and answers the user.
    #[track_caller]
    pub fn sign_in(&mut self, token: &str) -> String {
        self.value("SELECT auth.authenticate($1)", &[&token])
            .expect("a token has a user")
    }

    /// Signs in until the session ends, and answers the user.
    #[track_caller]
    pub fn sign_in_for_session(&mut self, token: &str) -> String {
        self.value("SELECT auth.authenticate($1, is_local => false)", &[&token])
            .expect("a token has a user")
    }

    /// The error of a token that must be refused.
    #[track_caller]
    pub fn sign_in_refused(&mut self, token: &str) -> DbError {
        self.refused("SELECT auth.authenticate($1)", &[&token])
    }

    /// Who is signed in.
    #[track_caller]
    pub fn user(&mut self) -> Option<String> {
        self.value("SELECT auth.user_id()", &[])
    }

    /// All rows of the extension's tables and views, except the secrets, as text.
    #[track_caller]
    pub fn everything_stored(&mut self) -> String {
        let relations = self.values(
            "SELECT format('SELECT r::text FROM %s AS r', c.oid::regclass) FROM pg_class c
              WHERE c.relnamespace IN ('neon_auth'::regnamespace, 'neon_auth_internal'::regnamespace)
                AND c.relkind IN ('r', 'v') AND c.oid <> 'neon_auth_internal.secrets'::regclass",
            &[],
        );
        assert!(relations.len() > 20, "{relations:?}");
        let rows = relations.into_iter().flatten();
        rows.flat_map(|query| self.values(&query, &[]))
            .flatten()
            .collect()
    }

    /// The process that serves this connection.
    #[track_caller]
    pub fn pid(&mut self) -> i32 {
        let row = self.0.query_one("SELECT pg_backend_pid()", &[]);
        row.expect("a backend has a pid").get(0)
    }

    /// Sends a cancel request of its own accord, as a client's driver does.
    pub fn canceller(&self) -> CancelToken {
        self.0.cancel_token()
    }
}

impl From<Client> for Session {
    fn from(client: Client) -> Self {
        Self(client)
    }
}

impl Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.0
    }
}

#[track_caller]
fn server_error<T>(sql: &str, outcome: Result<T, postgres::Error>) -> DbError {
    let Err(error) = outcome else {
        panic!("{sql}: it was expected to fail");
    };
    match error.as_db_error() {
        Some(error) => error.clone(),
        None => panic!("{sql}: {error:?}"),
    }
}
