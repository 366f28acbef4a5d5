-- docs/adopt.sql in a schema neon_auth that contains the tables of Better Auth as well as users_sync: only
-- users_sync is replaced. The other tables stay where their server looks for them, under their owner.
\set SHOW_CONTEXT never
CREATE ROLE adopted_owner;
CREATE DATABASE neon_auth_beside TEMPLATE template0;
\c neon_auth_beside
GRANT CREATE ON DATABASE neon_auth_beside TO adopted_owner;
GRANT USAGE, CREATE ON SCHEMA public TO adopted_owner;
SET ROLE adopted_owner;
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth.users_sync (
    raw_json   jsonb NOT NULL,
    id         text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL PRIMARY KEY,
    name       text GENERATED ALWAYS AS (raw_json ->> 'display_name') STORED,
    updated_at timestamptz,
    deleted_at timestamptz);
INSERT INTO neon_auth.users_sync (raw_json) VALUES ('{"id": "a0e3ac20-26e4-411a-8620-1ebeb7345212", "display_name": "Alice"}');
CREATE TABLE neon_auth."user" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, email text NOT NULL UNIQUE,
    "emailVerified" boolean NOT NULL, image text, "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(), role text);
CREATE TABLE neon_auth.session (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE,
    "createdAt" timestamptz NOT NULL DEFAULT now(), "updatedAt" timestamptz NOT NULL, "ipAddress" text,
    "userAgent" text, "userId" uuid NOT NULL REFERENCES neon_auth."user" ON DELETE CASCADE);
CREATE TABLE neon_auth.jwks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "publicKey" text NOT NULL, "privateKey" text NOT NULL,
    "createdAt" timestamptz NOT NULL, "expiresAt" timestamptz);
INSERT INTO neon_auth."user" VALUES ('a0e3ac20-26e4-411a-8620-1ebeb7345212', 'Alice', 'alice@example.com', true);
CREATE VIEW neon_auth.names AS SELECT u.name, s.id FROM neon_auth.users_sync s JOIN neon_auth."user" u ON u.id::text = s.id;
CREATE FUNCTION neon_auth.name_of(id text) RETURNS text LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT s.name FROM neon_auth.users_sync s WHERE s.id = name_of.id; END;
CREATE TABLE public.todos (id int PRIMARY KEY, user_id text REFERENCES neon_auth.users_sync (id));
INSERT INTO public.todos VALUES (1, 'a0e3ac20-26e4-411a-8620-1ebeb7345212');
GRANT USAGE ON SCHEMA neon_auth TO app;
GRANT SELECT ON neon_auth.names TO app;
RESET ROLE;
CREATE TEMP VIEW objects AS
SELECT c.relname, c.oid, c.relowner::regrole::text AS owner FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = 'neon_auth' AND c.relkind IN ('r', 'v') AND c.relname <> 'users_sync';
CREATE TABLE before AS SELECT * FROM objects;
CREATE EXTENSION neon_auth;
-- A name that is taken is listed, and nothing has happened.
CREATE TABLE neon_auth.providers ();
\! psql --no-psqlrc --quiet --dbname neon_auth_beside --file "$DOCS/adopt.sql" 2>&1 | sed -nE 's/^psql:[^ ]*: //;/^(ERROR|DETAIL|HINT):/p'
DROP TABLE neon_auth.providers;
\! psql --no-psqlrc --quiet --dbname neon_auth_beside --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //'
TABLE before EXCEPT TABLE objects;
SELECT nspowner::regrole, has_schema_privilege('app', oid, 'USAGE') AS app FROM pg_namespace WHERE nspname = 'neon_auth';
SELECT relname FROM pg_class WHERE relnamespace = 'neon_auth_before'::regnamespace AND relkind = 'r';
SELECT confrelid::regclass, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'public.todos'::regclass AND contype = 'f';
SELECT neon_auth.upsert_user('{"id": "a0e3ac20-26e4-411a-8620-1ebeb7345212", "display_name": "Alice Example"}');
SELECT neon_auth.name_of(id), name FROM neon_auth.names;
-- The server of Better Auth works on.
SET ROLE adopted_owner;
INSERT INTO neon_auth.session ("expiresAt", token, "updatedAt", "userId") SELECT now(), 't', now(), id FROM neon_auth."user";
DELETE FROM neon_auth."user";
SELECT count(*) FROM neon_auth.session;
RESET ROLE;
\c neon_auth_regress
DROP DATABASE neon_auth_beside;
DROP ROLE adopted_owner;
