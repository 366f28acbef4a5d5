-- What is wrong with the tables of Better Auth is said, with its cure.
\set SHOW_CONTEXT never
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION pg_temp.try(schema text DEFAULT NULL, names jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
    found text := (SELECT string_agg(f.what, ' ') FROM neon_auth_internal.find_better_auth(schema, names) AS f);
BEGIN
    RETURN 'found: ' || found;
END
$$;
CREATE FUNCTION pg_temp.refusal(schema text DEFAULT NULL, names jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    RETURN pg_temp.try(schema, names);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN format(E'%s %s\n  %s\n  %s', sqlstate, sqlerrm, detail, hint);
END
$$;
-- Tries it after a change, which is undone.
CREATE FUNCTION pg_temp.after(change text, schema text DEFAULT NULL, names jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    EXECUTE change;
    outcome := pg_temp.refusal(schema, names);
    RAISE EXCEPTION USING ERRCODE = 'UNDO0', MESSAGE = outcome;
EXCEPTION WHEN SQLSTATE 'UNDO0' THEN
    RETURN sqlerrm;
END
$$;

-- Nothing there; schemas of PostgreSQL and of the extension are not looked at.
SELECT pg_temp.refusal();
SELECT pg_temp.refusal('no such schema');
SELECT pg_temp.refusal('public');
SELECT pg_temp.refusal('neon_auth_internal');
SELECT pg_temp.after('CREATE TEMP TABLE "user" (id text PRIMARY KEY, name text, email text, "emailVerified" boolean, "createdAt" timestamptz);
    CREATE TEMP TABLE session (id text, token text UNIQUE, "userId" text, "expiresAt" timestamptz)');
-- With a fixed name in place of that of the session's temporary schema.
SELECT regexp_replace(pg_temp.after('CREATE TEMP TABLE "user" (id text PRIMARY KEY, name text, email text, "emailVerified" boolean, "createdAt" timestamptz);
    CREATE TEMP TABLE session (id text, token text UNIQUE, "userId" text, "expiresAt" timestamptz)',
    (SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema())), 'pg_temp_\d+', 'pg_temp_N', 'g');

BEGIN;
CREATE SCHEMA app;
SET LOCAL search_path = app;
CREATE TABLE "user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, "emailVerified" boolean NOT NULL, image text,
    "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL, role text, banned boolean, "banReason" text, "banExpires" timestamptz);
CREATE TABLE session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "createdAt" timestamptz NOT NULL,
    "updatedAt" timestamptz NOT NULL, "ipAddress" text, "userAgent" text, "userId" text NOT NULL);
CREATE TABLE jwks (id text PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE organization (id text PRIMARY KEY, name text NOT NULL, slug text NOT NULL);
CREATE TABLE member (id text PRIMARY KEY, "organizationId" text NOT NULL, "userId" text NOT NULL, role text NOT NULL);
SELECT pg_temp.refusal();

-- A table that is missing, or has another name.
SELECT pg_temp.after('DROP TABLE session', 'app');
SELECT pg_temp.after('DROP TABLE session');
SELECT pg_temp.after('DROP TABLE session; CREATE SCHEMA other CREATE TABLE users (LIKE app."user")');
SELECT pg_temp.after('DROP TABLE "user"', 'app');
SELECT pg_temp.refusal(names => '{"user": "people"}');
SELECT pg_temp.refusal('app', '{"user": "people"}');
SELECT pg_temp.refusal(names => '{"jwks": "keys"}');
SELECT pg_temp.refusal(names => '{"team": {"name": "title"}}');
SELECT pg_temp.after('DROP TABLE member', 'app', '{"organization": "organization"}');
SELECT pg_temp.after('DROP TABLE member');
SELECT pg_temp.after('DROP TABLE organization');
SELECT pg_temp.after('DROP TABLE organization', names => '{"member": "member"}');
SELECT pg_temp.after('ALTER TABLE jwks RENAME TO keys');
SELECT pg_temp.after('ALTER TABLE jwks RENAME TO keys', names => '{"jwks": null}');
SELECT pg_temp.refusal(names => '{"user": "user", "session": "user"}');

-- A column that is missing, or has another name.
SELECT pg_temp.after('ALTER TABLE "user" RENAME "emailVerified" TO verified');
SELECT pg_temp.after('ALTER TABLE "user" RENAME "emailVerified" TO verified', 'app');
SELECT pg_temp.refusal(names => '{"user": {"emailVerified": "verified"}}');
SELECT pg_temp.refusal(names => '{"user": {"isAnonymous": "is_guest"}}');
SELECT pg_temp.after('ALTER TABLE session DROP token');
SELECT pg_temp.after('ALTER TABLE jwks RENAME "publicKey" TO key');
SELECT pg_temp.after('ALTER TABLE member RENAME role TO rank');
SELECT pg_temp.after('ALTER TABLE member RENAME role TO rank', names => '{"member": {}}');
SELECT pg_temp.after('ALTER TABLE "user" RENAME "emailVerified" TO email_verified; ALTER TABLE "user" ADD emailverified boolean');

-- A table that is named, but lacks a column: wherever it is, and whatever else is missing.
SELECT pg_temp.after('CREATE TABLE people (id text PRIMARY KEY, full_name text)', names => '{"user": "people"}');
SELECT pg_temp.after('CREATE TABLE people (id text PRIMARY KEY, full_name text); DROP TABLE session', names => '{"user": "people"}');
SELECT pg_temp.after('CREATE TABLE people (id text PRIMARY KEY, full_name text); CREATE SCHEMA other; CREATE TABLE other.people (LIKE people);
    CREATE TABLE other.session (LIKE session)', names => '{"user": "people"}');

-- A type that cannot be read, required or not: a ban that is not read would not count.
SELECT pg_temp.after('ALTER TABLE "user" DROP id, ADD id numeric PRIMARY KEY');
SELECT pg_temp.after('ALTER TABLE "user" ALTER banned TYPE int USING 0');
SELECT pg_temp.after('ALTER TABLE "user" ALTER banned TYPE int USING 0', names => '{"user": {"banned": null}}');
SELECT pg_temp.after('ALTER TABLE "user" ALTER "banExpires" TYPE bigint USING 0');
SELECT pg_temp.after('ALTER TABLE "user" ALTER "createdAt" TYPE date');
SELECT pg_temp.after('ALTER TABLE "user" ALTER role TYPE text[] USING ARRAY[role]');
SELECT pg_temp.after('CREATE DOMAIN a AS text; CREATE DOMAIN token AS a; ALTER TABLE session ALTER token TYPE token; CREATE DOMAIN day AS timestamp; ALTER TABLE session ALTER "expiresAt" TYPE day');
SELECT pg_temp.after('CREATE DOMAIN day AS date; ALTER TABLE session ALTER "expiresAt" TYPE day');
SELECT pg_temp.after('ALTER TABLE session DROP token, ADD token uuid UNIQUE');
SELECT pg_temp.after('ALTER TABLE jwks ALTER "publicKey" TYPE bytea USING NULL');
SELECT pg_temp.after('ALTER TABLE member ALTER "userId" TYPE char(32)');

-- An index that is missing, or that cannot be used without running code of the table's owner.
SELECT pg_temp.after('ALTER TABLE session DROP CONSTRAINT session_token_key');
SELECT pg_temp.after('ALTER TABLE "user" DROP CONSTRAINT user_pkey; CREATE INDEX ON "user" (email, id)');
SELECT pg_temp.after('ALTER TABLE jwks DROP CONSTRAINT jwks_pkey; CREATE INDEX ON jwks USING hash (id)');
SELECT pg_temp.after('ALTER TABLE session DROP CONSTRAINT session_token_key; CREATE INDEX ON session (token) WHERE token > ''a''');
SELECT pg_temp.after('ALTER TABLE session DROP CONSTRAINT session_token_key; CREATE INDEX ON session (token, lower("userAgent"))');
SELECT pg_temp.after('ALTER TABLE session DROP CONSTRAINT session_token_key; CREATE INDEX ON session (token text_pattern_ops)');
SELECT pg_temp.after('ALTER TABLE session DROP CONSTRAINT session_token_key; CREATE INDEX ON session (token COLLATE "C")');
SELECT pg_temp.after('ALTER TABLE session DROP CONSTRAINT session_token_key; CREATE INDEX ON session (token DESC, id)');

-- Not an ordinary table.
SELECT pg_temp.after('ALTER TABLE "user" RENAME TO people; CREATE VIEW "user" AS TABLE people');
SELECT pg_temp.after('ALTER TABLE "user" RENAME TO people; CREATE VIEW "user" AS TABLE people', names => '{"user": "user"}');
SELECT pg_temp.after('ALTER TABLE session RENAME TO s; CREATE MATERIALIZED VIEW session AS SELECT id, token FROM s; DROP TABLE "user"; CREATE VIEW "user" AS TABLE s', 'app');
SELECT pg_temp.after('DROP TABLE jwks; CREATE FOREIGN DATA WRAPPER fdw; CREATE SERVER server FOREIGN DATA WRAPPER fdw; CREATE FOREIGN TABLE jwks (id text, "publicKey" text) SERVER server');
SELECT pg_temp.after('DROP TABLE session; CREATE TABLE session (id text, "expiresAt" timestamptz, token text PRIMARY KEY, "userId" text) PARTITION BY RANGE (token)');
SELECT pg_temp.after('CREATE ACCESS METHOD other TYPE TABLE HANDLER heap_tableam_handler; DROP TABLE session; CREATE TABLE session (id text, "expiresAt" timestamptz, token text PRIMARY KEY, "userId" text) USING other');
SELECT pg_temp.after('CREATE TABLE old_user () INHERITS ("user")');
SELECT pg_temp.after('CREATE TABLE base (extra int); ALTER TABLE session ADD extra int; ALTER TABLE session INHERIT base');

-- Several of them.
SELECT pg_temp.after('CREATE TABLE users (LIKE "user" INCLUDING ALL)');
SELECT pg_temp.after('CREATE TABLE users (LIKE "user" INCLUDING ALL)', names => '{"user": "users"}');
SELECT pg_temp.after('CREATE TABLE members (LIKE member)');
SELECT pg_temp.after('ALTER TABLE session RENAME TO logins; CREATE TABLE visits (LIKE logins INCLUDING ALL)');
SELECT pg_temp.after('CREATE SCHEMA other CREATE TABLE "user" (LIKE app."user" INCLUDING ALL) CREATE TABLE session (LIKE app.session INCLUDING ALL)');
SELECT pg_temp.after('CREATE SCHEMA other CREATE TABLE "user" (LIKE app."user" INCLUDING ALL) CREATE TABLE session (LIKE app.session INCLUDING ALL)', 'other');
SELECT pg_temp.after('CREATE SCHEMA other CREATE TABLE "user" (id text) CREATE TABLE session (id text)');
-- Tables of an extension do not count.
SELECT pg_temp.after('CREATE SCHEMA other CREATE TABLE "user" (LIKE app."user" INCLUDING ALL) CREATE TABLE session (LIKE app.session INCLUDING ALL);
    ALTER EXTENSION neon_auth ADD TABLE other."user"; ALTER EXTENSION neon_auth ADD TABLE other.session');

-- Names that are malformed.
SELECT pg_temp.refusal(names => NULL);
SELECT pg_temp.refusal(names => names) FROM unnest(ARRAY['[]', '"user"', '{"users": "people"}', '{"user": null}', '{"session": null}', '{"user": 1}', '{"user": ""}',
    '{"user": ["people"]}', '{"user": {"table": null}}', '{"user": {"table": ""}}', '{"user": {"email": 1}}', '{"user": {"email": null}}', '{"user": {"email": ""}}',
    '{"user": {"email_verified": "x"}}', '{"jwks": {"privateKey": "x"}}', '{"session": {"table": {}}}']::jsonb[]) AS names;
ROLLBACK;
