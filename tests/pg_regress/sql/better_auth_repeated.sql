-- add_better_auth again: what an administrator has set stays, and what is lost or new is said.
\set SHOW_CONTEXT never
\pset null -
\set here `echo "$DOCS/../tests/better_auth"`
CREATE DATABASE better_auth_repeated;
\c better_auth_repeated
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\set ECHO all
CREATE FUNCTION pg_temp.again(base_url text, schema text DEFAULT NULL, name text DEFAULT 'better_auth', names jsonb DEFAULT '{}')
RETURNS TABLE (provider text, issuers text[], audiences text[]) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM neon_auth.add_better_auth($1, $2, $3, NULL, $4);
    RETURN QUERY SELECT p.name, p.issuers, p.audiences FROM neon_auth.providers p;
END
$$;
CREATE VIEW pg_temp.status AS
    SELECT component, ok, detail FROM neon_auth.status WHERE component ~ '^(tables|secret|workers)' ORDER BY component COLLATE "C";
\set url https://app.example.com/api/auth
-- A plugin that is added later has tables that nobody has bound yet; its reader needs no right on anything else.
SELECT "table" FROM neon_auth.add_better_auth(:'url', names => '{"jwks": null, "organization": null, "team": null}');
SELECT * FROM pg_temp.status;
CREATE ROLE better_auth_monitoring;
GRANT SELECT ON neon_auth.status TO better_auth_monitoring;
SET ROLE better_auth_monitoring;
SELECT ok, detail LIKE '%shop.jwks as jwks,%' AS jwks FROM neon_auth.status WHERE component LIKE 'tables of %';
RESET ROLE;
-- One of two tables is not of the plugin, neither is one of another role or without the columns.
BEGIN;
DROP TABLE shop.member CASCADE;
ALTER TABLE shop.jwks DROP "publicKey";
CREATE ROLE better_auth_other;
ALTER TABLE shop."teamMember" OWNER TO better_auth_other;
SELECT detail FROM pg_temp.status WHERE component LIKE 'tables of %';
ROLLBACK;
SELECT * FROM pg_temp.again(:'url');
SELECT neon_auth.set_secret('better_auth_secret', 'a-made-up-secret-for-tests-only-0123456789');
SELECT * FROM pg_temp.status;
-- A secret that is too short, of one that is replaced too
SELECT neon_auth.set_secret('better_auth_secret', repeat('x', 32)), neon_auth.set_secret('better_auth_secret', E' \n' || repeat('x', 32) || E'\r\n' || repeat('y', 16) || ' ' || repeat('y', 16) || E'\n');
SELECT neon_auth.set_secret('better_auth_secret', repeat('x', 31));
SELECT neon_auth.set_secret('better_auth_secret', repeat('x', 32) || E'\n' || repeat('y', 31));
SELECT count(*) FROM neon_auth.add_better_auth(:'url', secret => 'short');
SELECT neon_auth.set_secret('BETTER_AUTH_SECRET', 'x');
SELECT neon_auth.sdk_env();
\echo :SQLSTATE

-- Issuers and audiences stay, unless the URL is another one.
SELECT * FROM pg_temp.again(:'url');
UPDATE neon_auth.providers SET issuers = '{https://app.example.com,https://issuer.example.com}';
SELECT * FROM pg_temp.again(:'url');
SELECT * FROM pg_temp.again('https://new.example.com');
UPDATE neon_auth.providers SET issuers = '{https://issuer.example.com}';
SELECT * FROM pg_temp.again('https://new.example.com');
UPDATE neon_auth.providers SET audiences = '{shop}';
SELECT * FROM pg_temp.again('https://new.example.com');
UPDATE neon_auth.providers SET issuers = '{https://new.example.com}', audiences = '{https://new.example.com,shop}', default_role = 'app', claim_map = '{"role": "rank"}';
SELECT * FROM pg_temp.again(:'url');
SELECT default_role, claim_map FROM neon_auth.providers;
SELECT * FROM pg_temp.again(:'url', name => 'shop');
SELECT * FROM pg_temp.again(:'url', name => 'shop');
SELECT * FROM pg_temp.again(:'url');

-- The table of users is another one than before: users whom it lacks would be marked as deleted.
SELECT count(*) AS living FROM neon_auth.users_sync WHERE deleted_at IS NULL;
CREATE SCHEMA copy;
CREATE TABLE copy."user" (LIKE shop."user" INCLUDING ALL);
CREATE TABLE copy.session (LIKE shop.session INCLUDING ALL);
INSERT INTO copy."user" SELECT * FROM shop."user" WHERE email <> 'alice@example.com';
-- It is not looked at, while the bound ones are there.
SELECT * FROM pg_temp.again(:'url');
BEGIN;
SELECT relation FROM neon_auth.add_better_auth(:'url', 'copy') WHERE "table" = 'user';
SELECT email FROM neon_auth.users_sync WHERE deleted_at IS NOT NULL;
ROLLBACK;
BEGIN;
CREATE TABLE shop.people (LIKE shop."user" INCLUDING ALL);
ALTER TABLE shop.people OWNER TO shop_owner;
INSERT INTO shop.people SELECT * FROM copy."user";
SELECT relation FROM neon_auth.add_better_auth(:'url', names => '{"user": "people"}') WHERE "table" = 'user';
ROLLBACK;
BEGIN;
DROP SCHEMA shop CASCADE;
SAVEPOINT s;
SELECT * FROM pg_temp.again(:'url');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT relation FROM neon_auth.add_better_auth(:'url', 'copy') WHERE "table" = 'user';
ROLLBACK;
-- Nobody is lost: no question.
INSERT INTO copy."user" SELECT * FROM shop."user" WHERE email = 'alice@example.com';
DROP SCHEMA shop CASCADE;
SELECT relation FROM neon_auth.add_better_auth(:'url') WHERE "table" = 'user';
SELECT count(*) AS living FROM neon_auth.users_sync WHERE deleted_at IS NULL;
\c neon_auth_regress
DROP DATABASE better_auth_repeated;
DROP ROLE better_auth_monitoring, shop_owner;
