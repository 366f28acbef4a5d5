-- A dump of a Neon project comes into a database with the extension: by the commands of docs/adopt.md.
\set SHOW_CONTEXT never
CREATE ROLE neondb_owner;
CREATE DATABASE neon_auth_project TEMPLATE template0;
\c neon_auth_project
GRANT CREATE ON DATABASE neon_auth_project TO neondb_owner;
GRANT USAGE, CREATE ON SCHEMA public TO neondb_owner;
SET ROLE neondb_owner;
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth.users_sync (
    raw_json   jsonb NOT NULL,
    id         text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL,
    name       text GENERATED ALWAYS AS (raw_json ->> 'display_name') STORED,
    email      text GENERATED ALWAYS AS (raw_json ->> 'primary_email') STORED,
    created_at timestamptz GENERATED ALWAYS AS
               (to_timestamp(trunc((raw_json ->> 'signed_up_at_millis')::bigint::double precision) / 1000::double precision)) STORED,
    updated_at timestamptz,
    deleted_at timestamptz);
ALTER TABLE neon_auth.users_sync ADD CONSTRAINT users_sync_pkey PRIMARY KEY (id);
CREATE INDEX users_sync_deleted_at_idx ON neon_auth.users_sync (deleted_at);
GRANT USAGE ON SCHEMA neon_auth TO app;
GRANT SELECT (id, name, deleted_at) ON neon_auth.users_sync TO app;
INSERT INTO neon_auth.users_sync (raw_json, updated_at, deleted_at) VALUES
    ('{"id": "u1", "display_name": "Alice Example", "signed_up_at_millis": 1700000000123}', '2025-01-02 03:04:05+00', NULL),
    ('{"id": "u2", "display_name": null}', '2025-01-02 03:04:05+00', '2025-01-03 00:00:00+00');
CREATE TABLE todos (id int PRIMARY KEY, user_id text REFERENCES neon_auth.users_sync (id));
INSERT INTO todos VALUES (1, 'u1'), (2, 'u2');
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY living ON todos USING (EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = user_id AND u.deleted_at IS NULL));
CREATE VIEW names AS SELECT id, name FROM neon_auth.users_sync;
GRANT SELECT ON todos, names TO app;
-- A table of Better Auth
CREATE TABLE neon_auth."user" (id uuid PRIMARY KEY, email text UNIQUE);
CREATE INDEX ON neon_auth."user" (lower(email));
INSERT INTO neon_auth."user" VALUES ('a0e3ac20-26e4-411a-8620-1ebeb7345212', 'alice@example.com');
RESET ROLE;
CREATE TABLE users_before AS SELECT * FROM neon_auth.users_sync;
CREATE FUNCTION public.outcome() RETURNS TABLE (what text, count bigint) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT 'users', count(*) FROM neon_auth.users_sync u JOIN users_before b ON b::text = u::text
    UNION ALL SELECT 'foreign keys', count(*) FROM pg_constraint WHERE contype = 'f' AND confrelid = 'neon_auth.users_sync'::regclass
    UNION ALL SELECT 'Better Auth''s', count(*) FROM neon_auth."user"
    UNION ALL SELECT 'its indexes', count(*) FROM pg_index WHERE indrelid = 'neon_auth."user"'::regclass
    UNION ALL SELECT 'of the extension', count(*) FROM pg_depend WHERE deptype = 'e' AND objid = 'neon_auth.users_sync'::regclass;
    SET LOCAL ROLE app;
    RETURN QUERY SELECT 'todos', count(*) FROM todos UNION ALL SELECT 'names', count(*) FROM names;
    RESET ROLE;
END
$$;
\! pg_dump --format custom --file "$PGHOST/neon.dump" --dbname neon_auth_project
\! pg_dump --file "$PGHOST/neon.sql" --dbname neon_auth_project

-- Into an empty database, and adopted there: any format.
CREATE DATABASE neon_auth_adopted TEMPLATE template0;
\! psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null --dbname neon_auth_adopted --file "$PGHOST/neon.sql"
\! psql --no-psqlrc --quiet --dbname neon_auth_adopted --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //'
\c neon_auth_adopted
SELECT * FROM outcome();
SET ROLE app;
SELECT id, name FROM neon_auth.users_sync ORDER BY id;
SELECT email FROM neon_auth.users_sync;
\echo :SQLSTATE
RESET ROLE;

-- Into one that has the extension: all but what the extension brings.
CREATE DATABASE neon_auth_filtered TEMPLATE template0;
\c neon_auth_filtered
CREATE EXTENSION neon_auth;
\! pg_restore --list "$PGHOST/neon.dump" >"$PGHOST/all.list"
\! grep -vE ' (SCHEMA - neon_auth |(TABLE|CONSTRAINT) neon_auth users_sync |INDEX neon_auth users_sync_)' "$PGHOST/all.list" >"$PGHOST/neon.list"
\! pg_restore --exit-on-error --no-owner --use-list "$PGHOST/neon.list" --dbname neon_auth_filtered "$PGHOST/neon.dump"
SELECT * FROM outcome();
SELECT relowner::regrole FROM pg_class WHERE oid = 'neon_auth.users_sync'::regclass;

\c neon_auth_regress
DROP DATABASE neon_auth_filtered;
DROP DATABASE neon_auth_adopted;
DROP DATABASE neon_auth_project;
DROP ROLE neondb_owner;
