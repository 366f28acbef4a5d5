//! An application's client: signs people in, and sees and writes only what is theirs.

use neon_auth_connections::Random;
use postgres::error::SqlState;
use postgres::{Config, NoTls};

use crate::site::Site;
use crate::watch::{Tally, Trouble, promise};

/// A connection that is opened again when it was lost.
pub struct Connection {
    config: Config,
    client: Option<postgres::Client>,
}

impl Connection {
    pub fn new(config: Config) -> Self {
        Self {
            config,
            client: None,
        }
    }

    pub fn get(&mut self) -> Result<&mut postgres::Client, Trouble> {
        if self.client.as_ref().is_none_or(postgres::Client::is_closed) {
            self.client = None;
        }
        match &mut self.client {
            Some(client) => Ok(client),
            none => Ok(none.insert(self.config.connect(NoTls)?)),
        }
    }

    pub fn close(&mut self) {
        self.client = None;
    }

    /// Does something in this connection. If that fails, the transaction ends and nobody stays signed in.
    pub fn attempt<R>(
        &mut self,
        act: impl FnOnce(&mut postgres::Client) -> Result<R, Trouble>,
    ) -> Result<R, Trouble> {
        let outcome = self.get().and_then(act);
        if outcome.is_err()
            && let Some(client) = &mut self.client
            && client
                .batch_execute("ROLLBACK; SELECT auth.logout()")
                .is_err()
        {
            self.close();
        }
        outcome
    }
}

/// How long somebody is signed in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    Transaction,
    Session,
}

pub struct Client<'a> {
    site: &'a Site,
    connection: Connection,
    lifetime: Lifetime,
    /// Whether a lost connection of the server is noticed only when it is used next.
    is_pooled: bool,
    random: Random,
}

impl<'a> Client<'a> {
    pub fn new(site: &'a Site, lifetime: Lifetime, is_pooled: bool, seed: u64) -> Self {
        let config = if is_pooled {
            site.pooled()
        } else {
            site.stack.database.config("app")
        };
        Self {
            site,
            connection: Connection::new(config),
            lifetime,
            is_pooled,
            random: Random::seeded(seed),
        }
    }

    pub fn act(&mut self, tally: &Tally) {
        let person = self.random.pick(&self.site.people);
        let (lifetime, random) = (self.lifetime, &mut self.random);
        let token = self.site.stack.token_of(&person.id);
        // Two clients write the rows of one person; a pooler finds a lost connection when it uses it.
        let is_expected = |code: &SqlState| {
            *code == SqlState::T_R_DEADLOCK_DETECTED
                || self.is_pooled && *code == SqlState::PROTOCOL_VIOLATION
        };
        let done = tally.attempt("a JWT and its owner's rows", is_expected, || {
            self.connection
                .attempt(|client| visit(client, &token, &person.id, lifetime, random))
        });
        if done.is_some() {
            tally.checked("nobody sees or writes another's rows");
        }
    }
}

/// Signs somebody in with a credential, works as that user, and leaves.
pub fn visit(
    client: &mut postgres::Client,
    credential: &str,
    user: &str,
    lifetime: Lifetime,
    random: &mut Random,
) -> Result<(), Trouble> {
    if lifetime == Lifetime::Session {
        sees_nobody(client)?;
        sign_in(client, credential, user, lifetime)?;
    }
    // Behind a pooler only a transaction has one connection of the server to itself.
    client.batch_execute("BEGIN")?;
    if lifetime == Lifetime::Transaction {
        sees_nobody(client)?;
        sign_in(client, credential, user, lifetime)?;
    }
    sees_own(client, user)?;
    match random.below(5) {
        0 => {
            client.execute("INSERT INTO notes (body) VALUES ('another')", &[])?;
        }
        1 => {
            // Whatever is seen can be written: all of it is the user's own.
            let rows = client.query("UPDATE notes SET body = body RETURNING user_id", &[])?;
            owns(user, rows.iter().map(|row| row.get(0)))?;
        }
        2 => {
            let rows = client.query(
                "DELETE FROM notes WHERE body <> 'first' RETURNING user_id",
                &[],
            )?;
            owns(user, rows.iter().map(|row| row.get(0)))?;
        }
        3 => {
            client.batch_execute("SAVEPOINT s")?;
            let stolen = client.execute("INSERT INTO notes (user_id, body) VALUES ('x', 'x')", &[]);
            let Err(error) = stolen else {
                return Err(Trouble::Broken(format!("{user} writes for another")));
            };
            if error.code() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                return Err(error.into());
            }
            client.batch_execute("ROLLBACK TO s")?;
        }
        _ => {}
    }
    sees_own(client, user)?;
    let end = random.pick(&["COMMIT", "ROLLBACK"]);
    client.batch_execute(end)?;
    if lifetime == Lifetime::Session {
        sees_own(client, user)?;
        client.batch_execute("SELECT auth.logout()")?;
    }
    client.batch_execute("BEGIN")?;
    sees_nobody(client)?;
    Ok(client.batch_execute("COMMIT")?)
}

pub fn sign_in(
    client: &mut postgres::Client,
    credential: &str,
    user: &str,
    lifetime: Lifetime,
) -> Result<(), Trouble> {
    let is_local = lifetime == Lifetime::Transaction;
    let row = client.query_one(
        "SELECT auth.authenticate($1, $2)",
        &[&credential, &is_local],
    )?;
    let found: Option<String> = row.get(0);
    promise(found.as_deref() == Some(user), || {
        format!("{user} is signed in as {found:?}")
    })
}

/// Fails unless a credential is refused.
pub fn is_refused(
    client: &mut postgres::Client,
    credential: &str,
    why: &str,
) -> Result<(), Trouble> {
    match client.query_one("SELECT auth.authenticate($1)", &[&credential]) {
        Ok(_) => Err(Trouble::Broken(format!(
            "a credential is accepted after {why}"
        ))),
        Err(error) => match error.code() {
            // No key server, or no provider at all, is a reason too.
            Some(
                &(SqlState::INVALID_AUTHORIZATION_SPECIFICATION
                | SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE),
            ) => Ok(()),
            _ => Err(error.into()),
        },
    }
}

fn sees_nobody(client: &mut postgres::Client) -> Result<(), Trouble> {
    let rows = client.query("SELECT user_id FROM notes", &[])?;
    promise(rows.is_empty(), || {
        "a session without an identity sees rows".to_owned()
    })
}

fn sees_own(client: &mut postgres::Client, user: &str) -> Result<(), Trouble> {
    let rows = client.query(
        "SELECT user_id FROM notes WHERE body LIKE '%' OR body = auth.email()",
        &[],
    )?;
    promise(!rows.is_empty(), || format!("{user} sees nothing"))?;
    owns(user, rows.iter().map(|row| row.get(0)))
}

fn owns(user: &str, owners: impl Iterator<Item = String>) -> Result<(), Trouble> {
    for owner in owners {
        promise(owner == user, || {
            format!("{user} sees or writes a row of {owner}")
        })?;
    }
    Ok(())
}
