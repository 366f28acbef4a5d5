-- What is in the way of CREATE EXTENSION is named, with what to do about it, and nothing is left half done.
\set SHOW_CONTEXT never
CREATE DATABASE neon_auth_conflicts TEMPLATE template0;
\c neon_auth_conflicts
CREATE VIEW leftovers AS
SELECT (SELECT count(*) FROM pg_extension WHERE extname = 'neon_auth') AS extensions,
       (SELECT count(*) FROM pg_namespace WHERE nspname = 'neon_auth') AS schemas,
       (SELECT count(*) FROM pg_proc WHERE probin LIKE '%neon_auth%') AS functions;

-- A schema auth of somebody's own
CREATE SCHEMA auth;
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
SELECT * FROM leftovers;
-- As the HINT says
ALTER SCHEMA auth RENAME TO auth_before;
CREATE EXTENSION neon_auth;
SELECT auth.user_id() IS NULL AS works;
DROP EXTENSION neon_auth;
SELECT count(*) FROM pg_namespace WHERE nspname = 'auth';

-- With the functions of another extension in it, as pg_session_jwt has it
DROP SCHEMA neon_auth;
CREATE SCHEMA auth;
CREATE EXTENSION citext SCHEMA auth;
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
SELECT * FROM leftovers;
DROP SCHEMA auth CASCADE;

-- A table users_sync, as a dump of a Neon database brings it
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth.users_sync (
    raw_json jsonb NOT NULL,
    id text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL,
    updated_at timestamptz,
    deleted_at timestamptz);
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
SELECT * FROM leftovers;
SELECT count(*) FROM pg_namespace WHERE nspname = 'auth';
DROP TABLE neon_auth.users_sync;
-- The empty schema is none in the way.
CREATE EXTENSION neon_auth;
SELECT count(*) FROM neon_auth.users_sync;

-- Dropped and made again in the same session: the library is still loaded, and finds the new tables.
\set alice `"$STACK" token --sub alice`
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';
SELECT neon_auth.verify_jwt(:'alice') ->> 'sub' AS sub;
DROP EXTENSION neon_auth;
CREATE EXTENSION neon_auth;
SELECT neon_auth.verify_jwt(:'alice') ->> 'sub' AS sub;
\echo :SQLSTATE
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';
SELECT neon_auth.verify_jwt(:'alice') ->> 'sub' AS sub;
-- What refers to users keeps the extension, unless all of it is to go.
CREATE TABLE orders (user_id text REFERENCES neon_auth.users_sync (id));
DROP EXTENSION neon_auth;
\echo :SQLSTATE
DROP TABLE orders;
-- Nor can it be moved, or be put elsewhere.
ALTER EXTENSION neon_auth SET SCHEMA public;
\echo :SQLSTATE
DROP EXTENSION neon_auth;
CREATE EXTENSION neon_auth SCHEMA public;
\echo :SQLSTATE
-- It is for superusers.
CREATE SCHEMA own AUTHORIZATION app;
GRANT CREATE ON DATABASE neon_auth_conflicts TO app;
SET SESSION AUTHORIZATION app;
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
RESET SESSION AUTHORIZATION;

\c neon_auth_regress
DROP DATABASE neon_auth_conflicts WITH (FORCE);

-- Claims are UTF-8, and so must the database be.
CREATE DATABASE neon_auth_latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
\c neon_auth_latin
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
SELECT count(*) FROM pg_namespace WHERE nspname IN ('auth', 'neon_auth');
\c neon_auth_regress
DROP DATABASE neon_auth_latin WITH (FORCE);
