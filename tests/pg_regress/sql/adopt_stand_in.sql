-- A stand-in for a Neon database's users_sync, made by hand without raw_json: docs/adopt.sql says what is
-- missing and how to build it, and that is enough.
\set SHOW_CONTEXT never
CREATE DATABASE neon_auth_stand_in TEMPLATE template0;
\c neon_auth_stand_in
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth.users_sync (id text PRIMARY KEY, name text, email text, created_at timestamptz, updated_at timestamptz);
INSERT INTO neon_auth.users_sync VALUES
    ('u1', 'Alice Example', 'alice@example.com', '2023-11-14 22:13:20.123+00', '2025-01-02 03:04:05+00'), ('u2', NULL, NULL, NULL, NULL);
CREATE TABLE todos (id int PRIMARY KEY, user_id text REFERENCES neon_auth.users_sync (id));
INSERT INTO todos VALUES (1, 'u1'), (2, 'u2');
\! psql --no-psqlrc --quiet --dbname neon_auth_stand_in --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //;/^CONTEXT:/d;/^PL\/pgSQL function/d'
-- The HINT, as it stands; deleted_at is a column that nobody has to fill.
ALTER TABLE neon_auth.users_sync ADD raw_json jsonb; UPDATE neon_auth.users_sync SET raw_json = jsonb_strip_nulls(jsonb_build_object('id', id::text, 'display_name', name, 'primary_email', email, 'signed_up_at_millis', (extract(epoch FROM created_at) * 1000)::bigint));
ALTER TABLE neon_auth.users_sync ADD deleted_at timestamptz;
CREATE TABLE before AS SELECT id, name, email, created_at, updated_at FROM neon_auth.users_sync;
\! psql --no-psqlrc --quiet --dbname neon_auth_stand_in --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //;/^CONTEXT:/d;/^PL\/pgSQL function/d'
SELECT u.id, raw_json, (b.name, b.email, b.created_at, b.updated_at) IS NOT DISTINCT FROM (u.name, u.email, u.created_at, u.updated_at) AS same
  FROM neon_auth.users_sync u JOIN before b USING (id) ORDER BY id;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'todos'::regclass AND contype = 'f';
\c neon_auth_regress
DROP DATABASE neon_auth_stand_in WITH (FORCE);
