-- Whoever owns one of Better Auth's tables can sign in as anybody, so the tables that are bound have one owner, and a
-- repeated call does not move to tables of another role. mallory may create tables in the schema, and schemas.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
DELETE FROM neon_auth.providers;
CREATE ROLE shop;
CREATE ROLE mallory;
CREATE SCHEMA shop AUTHORIZATION shop;
CREATE SCHEMA mallory AUTHORIZATION mallory;
GRANT CREATE, USAGE ON SCHEMA shop TO mallory;
CREATE FUNCTION pg_temp.make(owner text, schema text, prefix text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', owner);
    EXECUTE format(E'CREATE TABLE %1$I.%2$I (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL, "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL);
        CREATE TABLE %1$I.%3$I (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "userId" text NOT NULL)',
        schema, prefix || 'user', prefix || 'session');
    RESET ROLE;
END
$$;
CREATE FUNCTION pg_temp.make_jwks(owner text, called text DEFAULT 'jwks') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', owner);
    EXECUTE format('CREATE TABLE shop.%I (id text PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL)', called);
    RESET ROLE;
END
$$;
SELECT pg_temp.make('shop', 'shop');
INSERT INTO shop."user" VALUES ('alice', 'Alice', 'alice@example.com', true, '2026-01-01 UTC');
SAVEPOINT s;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');

-- Keys of another role.
SELECT pg_temp.make_jwks('mallory');
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com', names => '{"jwks": {"alg": null}}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT pg_temp.make_jwks('mallory');
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com', names => '{"jwks": "jwks"}');
-- Again without the name: they are bound, so they are not left out silently.
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
\echo :SQLSTATE
ROLLBACK TO s;
-- They do not hide those of the owner.
SELECT pg_temp.make_jwks('mallory'), pg_temp.make_jwks('shop', 'shop_jwks');
SELECT "table", relation, owner FROM neon_auth.add_better_auth('https://shop.example.com');
-- And a table that only a superuser can write is one of any owner.
ALTER TABLE shop.shop_jwks OWNER TO CURRENT_USER;
SELECT "table", relation, owner = current_user AS own FROM neon_auth.add_better_auth('https://shop.example.com');
ROLLBACK TO s;

-- Required tables of two roles.
ALTER TABLE shop.session OWNER TO mallory;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
\echo :SQLSTATE
ROLLBACK TO s;
ALTER TABLE shop.session OWNER TO mallory;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com', names => '{"session": "session"}');
ROLLBACK TO s;
ALTER TABLE shop."user" OWNER TO CURRENT_USER;
DO $$ BEGIN PERFORM neon_auth.add_better_auth('https://shop.example.com'); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', sqlerrm; END $$;
ROLLBACK TO s;
-- As under the locks.
CREATE TEMP TABLE found AS SELECT * FROM neon_auth_internal.find_better_auth('shop', '{}');
ALTER TABLE shop.session OWNER TO mallory;
SELECT neon_auth_internal.bind_tables(ARRAY(SELECT (f.what, f.relation, f.columns)::neon_auth_internal.better_auth_tables FROM found AS f), '{}');
\echo :SQLSTATE
ROLLBACK TO s;

-- Tables with better names than those that are bound.
ALTER TABLE shop."user" RENAME TO auth_user;
ALTER TABLE shop.session RENAME TO auth_session;
SELECT "table", relation, owner FROM neon_auth.add_better_auth('https://shop.example.com');
SELECT pg_temp.make('mallory', 'shop');
SAVEPOINT planted;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
SELECT "table", relation, owner FROM neon_auth.add_better_auth('https://shop.example.com', 'shop');
SELECT id, deleted_at FROM neon_auth.users_sync;
-- Those of the same owner do not count either.
ALTER TABLE shop."user" OWNER TO shop;
ALTER TABLE shop.session OWNER TO shop;
SELECT "table", relation, owner FROM neon_auth.add_better_auth('https://shop.example.com');
SELECT "table", relation, owner FROM neon_auth.add_better_auth('https://shop.example.com', names => '{"user": "user", "session": "session"}');
ROLLBACK TO planted;
-- Named, they are accepted.
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com', names => '{"user": "user"}');
\echo :SQLSTATE
ROLLBACK TO planted;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com', names => '{"user": "user", "session": "session"}');
ROLLBACK TO planted;
-- A bound table that is gone: the owner of the others still decides.
DROP TABLE shop.auth_user;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
\echo :SQLSTATE
ROLLBACK TO planted;
-- A bound table that became unfit is not replaced.
ALTER TABLE shop.auth_session RENAME token TO bearer;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT pg_temp.make_jwks('shop');
SELECT count(*) FROM neon_auth.add_better_auth('https://shop.example.com');
ALTER TABLE shop.jwks RENAME "publicKey" TO key;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
\echo :SQLSTATE
ROLLBACK TO s;

-- A schema of another role with such tables.
SELECT count(*) FROM neon_auth.add_better_auth('https://shop.example.com');
SELECT pg_temp.make('mallory', 'mallory');
SAVEPOINT planted;
SELECT "table", relation, owner FROM neon_auth.add_better_auth('https://shop.example.com');
ALTER TABLE shop."user" RENAME "emailVerified" TO is_verified;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
\echo :SQLSTATE
ROLLBACK TO planted;
-- The administrator moves to it.
SELECT "table", relation, owner FROM neon_auth.add_better_auth('https://shop.example.com', 'mallory');
ROLLBACK TO planted;
-- In the first call, nobody knows which is the right one.
SELECT neon_auth.drop_provider('better_auth');
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');
\echo :SQLSTATE
ROLLBACK;
