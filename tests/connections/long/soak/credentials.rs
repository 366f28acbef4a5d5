//! An administrator who adds and drops providers, and creates and revokes API keys.

use neon_auth_connections::{Issuer, Random};
use postgres::error::SqlState;
use serde_json::json;

use crate::client::{Connection, Lifetime, is_refused, visit};
use crate::site::Site;
use crate::watch::Tally;

const KEY: &str = "key-1";

pub struct Administrator<'a> {
    site: &'a Site,
    superuser: Connection,
    client: Connection,
    issuer: Issuer,
    random: Random,
    keys: u64,
}

impl<'a> Administrator<'a> {
    pub fn new(site: &'a Site, seed: u64) -> Self {
        let database = &site.stack.database;
        // The issuer's tokens are of alice.
        let note = "INSERT INTO notes (user_id, body) VALUES ('alice', 'first')";
        database.superuser().run(note);
        Self {
            site,
            superuser: Connection::new(database.config("postgres")),
            client: Connection::new(database.config("app")),
            issuer: Issuer::start(),
            random: Random::seeded(seed),
            keys: 0,
        }
    }

    pub fn act(&mut self, tally: &Tally) {
        match self.random.below(3) {
            0 => self.provider_comes_and_goes(tally),
            1 => self.api_key_comes_and_goes(tally),
            _ => self.maintains(tally),
        }
    }

    fn provider_comes_and_goes(&mut self, tally: &Tally) {
        let never = |_: &SqlState| false;
        let keys = json!({ "keys": [self.issuer.jwk("ES256", Some(KEY))] }).to_string();
        let added = tally.attempt("add_provider()", never, || {
            self.superuser.attempt(|client| {
                client.batch_execute("BEGIN")?;
                client.batch_execute(
                    "SELECT neon_auth.drop_provider(p.name) FROM neon_auth.providers p WHERE p.name = 'extra'",
                )?;
                client.execute(
                    "SELECT neon_auth.add_provider('extra', ARRAY[$1], '{app}', jwks => $2::text::jsonb,
                        create_users => false)",
                    &[&self.issuer.url, &keys],
                )?;
                Ok(client.batch_execute("COMMIT")?)
            })
        });
        if added.is_none() {
            return;
        }
        let token = self.issuer.token("ES256", Some(KEY));
        let random = &mut self.random;
        tally.attempt("a JWT of an added provider", never, || {
            self.client
                .attempt(|client| visit(client, &token, "alice", Lifetime::Transaction, random))
        });
        let dropped = tally.attempt("drop_provider()", never, || {
            self.superuser.attempt(|client| {
                Ok(client.batch_execute("SELECT neon_auth.drop_provider('extra')")?)
            })
        });
        if dropped.is_none() {
            return;
        }
        let refused = tally.attempt("a JWT of a dropped provider", never, || {
            self.client
                .attempt(|client| is_refused(client, &token, "its provider was dropped"))
        });
        if refused.is_some() {
            tally.checked("a token of a dropped provider is refused");
        }
    }

    fn api_key_comes_and_goes(&mut self, tally: &Tally) {
        let never = |_: &SqlState| false;
        let user = &self.random.pick(&self.site.people).id;
        self.keys += 1;
        let name = format!("soak {}", self.keys);
        let created: Option<(String, String)> = tally.attempt("create_api_key()", never, || {
            self.superuser.attempt(|client| {
                let create = "SELECT neon_auth.create_api_key($1, $2)";
                let key = client.query_one(create, &[user, &name])?.get(0);
                let id = "SELECT id FROM neon_auth.api_keys WHERE name = $1";
                Ok((key, client.query_one(id, &[&name])?.get(0)))
            })
        });
        let Some((key, id)) = created else { return };
        let random = &mut self.random;
        tally.attempt("an API key and its owner's rows", never, || {
            self.client
                .attempt(|client| visit(client, &key, user, Lifetime::Transaction, random))
        });
        let revoked = tally.attempt("revoke_api_key()", never, || {
            self.superuser.attempt(|client| {
                Ok(client.execute("SELECT neon_auth.revoke_api_key($1)", &[&id])?)
            })
        });
        if revoked.is_none() {
            return;
        }
        let refused = tally.attempt("an API key after its revocation", never, || {
            self.client
                .attempt(|client| is_refused(client, &key, "its revocation"))
        });
        if refused.is_some() {
            tally.checked("a revoked API key is refused");
        }
    }

    fn maintains(&mut self, tally: &Tally) {
        let statement = *self.random.pick(&[
            "SELECT neon_auth.refresh_jwks()",
            "VACUUM neon_auth.users_sync",
            "REINDEX TABLE neon_auth.team_members_sync",
            "ANALYZE notes",
            "SELECT * FROM neon_auth.status",
            "SELECT * FROM neon_auth.stats",
        ]);
        let locked = |code: &SqlState| *code == SqlState::T_R_DEADLOCK_DETECTED;
        tally.attempt("maintenance", locked, || {
            self.superuser
                .attempt(|client| Ok(client.batch_execute(statement)?))
        });
    }
}
