-- What an upgrade has to keep: a row of every table that holds data, and what an application builds
-- on them. Nothing here calls the library, which is of a later version than the SQL objects then.
\set ON_ERROR_STOP on
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks_url => 'https://idp.example.com/keys');
INSERT INTO neon_auth.jwks_cache (provider, jwks_url, jwks, etag, fetched_at, fresh_until, attempted_at)
VALUES ('idp', 'https://idp.example.com/keys', :'jwks', '"1"', now(), now() + interval '1 h', now());
SELECT neon_auth.set_secret('webhook_secret', 'whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=');
INSERT INTO neon_auth.users_sync (raw_json, updated_at)
SELECT u, now()
  FROM jsonb_array_elements('[{"id": "alice", "display_name": "Alice Example", "signed_up_at_millis": 1700000000123}, {"id": "bob"}, {"id": "carol"}]') AS u;
UPDATE neon_auth.users_sync SET deleted_at = now() WHERE id = 'bob';
INSERT INTO neon_auth.teams_sync (raw_json, updated_at) VALUES ('{"id": "red", "display_name": "Red"}', now());
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('red', 'alice'), ('red', 'carol');
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('editor', '{publish}');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('red', 'alice', 'editor');
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('alice', 'beta');
INSERT INTO neon_auth_internal.tombstones (kind, team_id, user_id) VALUES ('team_member', 'red', 'dan');
INSERT INTO neon_auth.sync_queue (kind, user_id, reason) VALUES ('user', 'alice', 'To see that it stays.');
INSERT INTO neon_auth.webhook_deliveries (id, event, outcome, received_at) VALUES ('msg_1', 'user.created', '{"outcome": "applied"}', now());
SELECT neon_auth.setup_roles();
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN
        CREATE ROLE app LOGIN IN ROLE authenticated, anonymous;
    END IF;
END $$;
CREATE TABLE todos (
    id int PRIMARY KEY,
    user_id text NOT NULL DEFAULT auth.user_id() REFERENCES neon_auth.users_sync (id),
    team_id text REFERENCES neon_auth.teams_sync (id));
INSERT INTO todos VALUES (1, 'alice', NULL), (2, 'bob', NULL), (3, 'carol', 'red'), (4, 'carol', NULL);
-- It refers to a table by OID.
INSERT INTO neon_auth_internal.better_auth_tables (what, relation, columns) VALUES ('user', 'todos', '{"id": "user_id"}');
CREATE INDEX ON todos (user_id);
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON todos TO authenticated USING (user_id = auth.user_id());
CREATE POLICY of_team ON todos FOR SELECT TO authenticated USING (auth.has_permission('publish', team_id) AND team_id = ANY (auth.team_ids()));
GRANT SELECT, INSERT ON todos TO authenticated;
CREATE VIEW living AS SELECT id, name FROM neon_auth.users_sync WHERE deleted_at IS NULL;
GRANT SELECT ON living TO app;
GRANT SELECT (id, name) ON neon_auth.users_sync TO authenticated;
GRANT EXECUTE ON FUNCTION auth.impersonate(text, jsonb, boolean) TO app;
