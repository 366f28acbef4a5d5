-- Rows made at sign-ins, beside a service that fills the mirror: it neither deletes the users of other providers nor counts
-- them, and its own objects replace rows.
\set SHOW_CONTEXT never
\pset null '-'
\set jwks `"$STACK" jwks`
\set google `"$STACK" token --sub google --name Google --email g@example.com --claim 'iss="https://idp.example.com"'`
\set early `"$STACK" token --sub early --name Early --email e@example.com`
\set unlisted `"$STACK" token --sub unlisted --name Unlisted --email n@example.com`
CREATE VIEW users AS
    SELECT id, name, deleted_at IS NOT NULL AS deleted, raw_json ->> 'auth_provider' AS auth_provider FROM neon_auth.users_sync ORDER BY id COLLATE "C";
CREATE VIEW queue AS SELECT kind, user_id, reason FROM neon_auth.sync_queue ORDER BY kind, user_id;
BEGIN;
UPDATE neon_auth.providers SET create_users = true;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
SELECT auth.authenticate(:'google'), auth.authenticate(:'early'), auth.authenticate(:'unlisted');
SELECT auth.logout();
TABLE users;
SAVEPOINT s;
-- The first event of a user replaces the row as it would create it, whichever event arrives first.
SELECT deliver('user.created', '{"id": "early", "display_name": "Early Bird", "last_active_at_millis": 1}');
TABLE users;
TABLE queue;
SELECT deliver('user.created', '{"id": "early", "display_name": "Stale"}');
ROLLBACK TO s;
SELECT deliver('user.updated', '{"id": "early", "display_name": "Early Bird", "selected_team_id": "t1"}');
TABLE users;
TABLE queue;
ROLLBACK TO s;
-- A deletion ends a user of the service, not one of another provider.
SELECT deliver('user.deleted', '{"id": "early"}');
SELECT deliver('user.deleted', '{"id": "google"}');
SELECT deliver('user.deleted', '{"id": "google"}');
TABLE users;
-- An administrator deletes either.
SELECT neon_auth.delete_user('google');
TABLE users;
ROLLBACK TO s;
-- A full run asks only for the service's users, and a confirmation deletes only them.
INSERT INTO neon_auth.sync_runs (kind, source) SELECT kind, source FROM neon_auth_internal.source RETURNING id AS run \gset
UPDATE neon_auth.users_sync SET updated_at = '2020-01-01';
SELECT neon_auth_internal.find_unseen(:run, 'user');
SELECT neon_auth_internal.unseen('user', '');
SELECT neon_auth_internal.confirm_deleted(:run, 'user', 'google'), neon_auth_internal.confirm_deleted(:run, 'user', 'unlisted');
TABLE users;
SELECT deleted FROM neon_auth.sync_runs WHERE id = :run;
UPDATE neon_auth.sync_runs SET finished_at = now();
SELECT neon_auth_internal.begin_sync(kind, source) -> 'total' AS expected FROM neon_auth_internal.source;
-- An object of the service replaces any row.
SELECT neon_auth_internal.sync_page(:run, 'user', ARRAY['{"id": "google", "display_name": "Not Google"}'], extract(epoch FROM clock_timestamp())::bigint * 1000000 + 5000000);
TABLE users;
ROLLBACK TO s;
-- The mirror of another project: its users are those of no other provider.
INSERT INTO neon_auth.sync_source VALUES ('stack', 'another');
SELECT * FROM neon_auth_internal.other_source;
DELETE FROM neon_auth.users_sync WHERE id <> 'google';
SELECT * FROM neon_auth_internal.other_source;
DELETE FROM neon_auth.sync_source;
-- A mirror without users of the service is not remembered as its own.
SELECT neon_auth.drop_provider('stack');
SELECT * FROM neon_auth.sync_source;
ROLLBACK TO s;
-- A renamed provider keeps its users. Those of a dropped one that filled the mirror become the service's.
UPDATE neon_auth.providers SET name = name || '2';
TABLE users;
SELECT neon_auth.drop_provider('idp2');
SELECT neon_auth.drop_provider('stack2');
TABLE users;
SELECT * FROM neon_auth.sync_source;
ROLLBACK TO s;

-- Better Auth
CREATE ROLE shop;
CREATE SCHEMA shop AUTHORIZATION shop;
SET LOCAL ROLE shop;
CREATE TABLE shop."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, "emailVerified" boolean NOT NULL, image text, "createdAt" timestamptz NOT NULL DEFAULT '2024-01-01 00:00+00', auth_provider text);
CREATE TABLE shop.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "userId" text NOT NULL REFERENCES shop."user" ON DELETE CASCADE);
RESET ROLE;
SAVEPOINT tables;
-- The migration takes the users of Stack Auth along, not those of other providers.
SELECT object, id, outcome, reason FROM neon_auth.migrate_to_better_auth(false, 'https://shop.example.com') WHERE object = 'user';
TABLE users;
SELECT object, id, outcome FROM neon_auth.migrate_to_better_auth() WHERE object = 'user';
ROLLBACK TO tables;
-- One that was not migrated is marked as deleted, as the report says.
UPDATE neon_auth.users_sync SET raw_json = raw_json - 'primary_email';
SELECT object, id, outcome, reason FROM neon_auth.migrate_to_better_auth(false, 'https://shop.example.com') WHERE object = 'user';
TABLE users;
ROLLBACK TO tables;
-- A mirror with users of other providers only is not one of another service.
DELETE FROM neon_auth.providers WHERE name = 'stack';
DELETE FROM neon_auth.sync_source;
SAVEPOINT t;
SELECT rows FROM neon_auth.add_better_auth('https://shop.example.com') WHERE "table" = 'user';
\echo :SQLSTATE
ROLLBACK TO t;
DELETE FROM neon_auth.users_sync WHERE id <> 'google';
-- A column of the application does not make a user one of another provider.
INSERT INTO shop."user" (id, name, email, "emailVerified", auth_provider) VALUES ('gone', 'Gone', 'gone@example.com', true, 'idp'), ('stays', 'Stays', 'stays@example.com', true, NULL);
SELECT rows FROM neon_auth.add_better_auth('https://shop.example.com') WHERE "table" = 'user';
TABLE users;
DELETE FROM shop."user" WHERE id = 'gone';
TABLE users;
SELECT neon_auth_internal.differing_users();
SELECT neon_auth_internal.is_refreshed('users', '{}', '{}') AS all, neon_auth_internal.is_refreshed('users', '{google,stays}', '{}') AS some;
SELECT neon_auth_internal.refresh_users('{google}', false), neon_auth_internal.refresh_all('users');
TABLE users;
-- Permissions in the project are Better Auth's; a row of its own replaces that of a sign-in.
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('google', 'admin');
SELECT neon_auth_internal.differing_users();
INSERT INTO shop."user" VALUES ('google', 'Not Google', 'other@example.com', true);
TABLE users;
DELETE FROM shop."user" WHERE id = 'google';
TABLE users;
SELECT component, ok, detail FROM neon_auth.status WHERE component = 'mirror';
ROLLBACK TO tables;
-- Another table of users than before lacks only users of Better Auth.
DELETE FROM neon_auth.providers WHERE name = 'stack';
DELETE FROM neon_auth.sync_source;
DELETE FROM neon_auth.users_sync WHERE id <> 'google';
SELECT rows FROM neon_auth.add_better_auth('https://shop.example.com') WHERE "table" = 'user';
ALTER SCHEMA shop RENAME TO before;
CREATE SCHEMA shop AUTHORIZATION shop;
SET LOCAL ROLE shop;
CREATE TABLE shop."user" (LIKE before."user" INCLUDING ALL);
CREATE TABLE shop.session (LIKE before.session INCLUDING ALL);
RESET ROLE;
DROP TABLE before.session, before."user";
SELECT rows FROM neon_auth.add_better_auth('https://shop.example.com') WHERE "table" = 'user';
TABLE users;
ROLLBACK;
DROP VIEW users, queue;
