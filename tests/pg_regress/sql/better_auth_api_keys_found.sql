-- add_better_auth finds the table of API keys by its names, of each version of Better Auth; it never needs it.
\set SHOW_CONTEXT never
\set VERBOSITY default
\pset null -
BEGIN;
DELETE FROM neon_auth.providers;
CREATE ROLE shop;
CREATE ROLE mallory;
CREATE SCHEMA shop AUTHORIZATION shop;
GRANT CREATE, USAGE ON SCHEMA shop TO mallory;
SET LOCAL ROLE shop;
CREATE TABLE shop."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL, "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE shop.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "userId" text NOT NULL);
INSERT INTO shop."user" VALUES ('alice', 'Alice', 'alice@example.com', true, '2026-01-01 UTC');
RESET ROLE;
-- The table with these names, and a key of alice; then the columns that were found, and whether the key signs in.
CREATE FUNCTION pg_temp.found(
    owner text, columns text, called text DEFAULT 'apikey', names jsonb DEFAULT '{}', index text DEFAULT 'key') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    bound jsonb;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', owner);
    EXECUTE format('CREATE TABLE shop.%I (%s)', called, columns);
    IF index IS NOT NULL THEN
        EXECUTE format('CREATE INDEX ON shop.%I (%I)', called, index);
    END IF;
    RESET ROLE;
    PERFORM neon_auth.add_better_auth('https://shop.example.com', names => names);
    SELECT b.columns INTO bound FROM neon_auth_internal.better_auth_tables b WHERE b.what = 'apikey';
    IF NOT FOUND THEN
        RETURN 'not bound';
    END IF;
    EXECUTE format('INSERT INTO shop.%I (%I, %I, %I, %I) VALUES (1, %L, true, %L)', called, bound ->> 'id', bound ->> 'key', bound ->> 'enabled',
                   coalesce(bound ->> 'userId', bound ->> 'referenceId'),
                   translate(encode(sha256('a-key'), 'base64'), '+/=', '-_'), 'alice');
    BEGIN
        PERFORM auth.authenticate('a-key');
    EXCEPTION WHEN OTHERS THEN
        RETURN format('%s %s', bound, sqlerrm);
    END;
    RETURN format('%s %s', bound, auth.user_id());
END
$$;
SAVEPOINT s;
-- Versions to 1.4, and since.
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz, permissions text, "createdAt" timestamptz');
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, "configId" text, key text, "referenceId" text, enabled boolean, remaining integer, "expiresAt" timestamptz, permissions text');
ROLLBACK TO s;
-- Names of other tools, and any names.
SELECT pg_temp.found('shop', 'id bigint PRIMARY KEY, key varchar(255), user_id text, enabled boolean, remaining bigint, expires_at timestamp, permissions jsonb, created_at timestamp', 'api_keys');
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, hash text, person text, live boolean, uses smallint, until timestamptz, rights json', 'credentials',
    '{"apikey": {"table": "credentials", "key": "hash", "userId": "person", "enabled": "live", "remaining": "uses", "expiresAt": "until", "permissions": "rights"}}', 'hash');
ROLLBACK TO s;
-- No permissions: none are granted.
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz');
ROLLBACK TO s;

-- What cannot be used is left out, whatever is wrong: an application may have a table of this name.
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, owner text', 'api_keys');
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, enabled boolean, remaining integer, "expiresAt" timestamptz');
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz', index => NULL);
SELECT detail FROM neon_auth.status WHERE detail LIKE '%apikey%';
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key bytea, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz');
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining text, "expiresAt" timestamptz');
ROLLBACK TO s;
SELECT pg_temp.found('mallory', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz');
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz', names => '{"apikey": null}');
SELECT ok, detail FROM neon_auth.status WHERE detail LIKE '%apikey%';
ROLLBACK TO s;
-- If it is named, each is an error.
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz', names => '{"apikey": "apikey"}', index => NULL);
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, enabled boolean, remaining integer, "expiresAt" timestamptz', names => '{"apikey": {}}');
ROLLBACK TO s;
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, "expiresAt" timestamptz', names => '{"apikey": {"remaining": null}}');
ROLLBACK TO s;
SELECT pg_temp.found('mallory', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz', names => '{"apikey": "apikey"}');
ROLLBACK TO s;

-- The owner of the table can remove the trigger, and then nobody signs in by it: a table that somebody puts in its place
-- under the same name does not have one.
SELECT pg_temp.found('shop', 'id text PRIMARY KEY, key text, "userId" text, enabled boolean, remaining integer, "expiresAt" timestamptz') IS NOT NULL AS found;
SAVEPOINT bound;
SET LOCAL ROLE shop;
DROP TRIGGER neon_auth_truncate ON shop.apikey;
RESET ROLE;
SELECT auth.authenticate('a-key');
ROLLBACK TO bound;
SET LOCAL ROLE shop;
ALTER TABLE shop.apikey RENAME TO was;
CREATE TABLE shop.apikey (LIKE shop.was INCLUDING ALL);
INSERT INTO shop.apikey SELECT * FROM shop.was;
DROP TABLE shop.was;
RESET ROLE;
SELECT auth.authenticate('a-key');
ROLLBACK;
