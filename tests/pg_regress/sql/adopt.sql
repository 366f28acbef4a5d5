-- docs/adopt.sql: a neon_auth.users_sync that belongs to no extension, as a Neon project has it,
-- is adopted with its rows and all that refers to it.
\set SHOW_CONTEXT never
CREATE ROLE neondb_owner;
CREATE DATABASE neon_auth_adopt TEMPLATE template0;
\c neon_auth_adopt
-- As a Neon database has it: all of it belongs to a role that is no superuser.
GRANT CREATE ON DATABASE neon_auth_adopt TO neondb_owner;
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
INSERT INTO neon_auth.users_sync (raw_json, updated_at, deleted_at) VALUES
    ('{"id": "u1", "display_name": "Alice Example", "primary_email": "alice@example.com", "signed_up_at_millis": 1700000000123}', '2025-01-02 03:04:05+00', NULL),
    ('{"id": "u2", "display_name": null}', '2025-01-02 03:04:05+00', '2025-01-03 00:00:00+00'),
    ('{"id": "u3", "display_name": "Carol Example"}', NULL, NULL);
-- What an application builds on it
CREATE TABLE todos (
    id int PRIMARY KEY,
    user_id text NOT NULL CONSTRAINT "to whom" REFERENCES neon_auth.users_sync (id) ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
COMMENT ON CONSTRAINT "to whom" ON todos IS 'Whose todo it is';
INSERT INTO todos VALUES (1, 'u1'), (2, 'u2');
CREATE TABLE events (at date, user_id varchar(40) REFERENCES neon_auth.users_sync) PARTITION BY RANGE (at);
CREATE TABLE events_2025 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO events VALUES ('2025-06-01', 'u3');
CREATE TABLE old_notes (user_id text);
INSERT INTO old_notes VALUES ('nobody');
ALTER TABLE old_notes ADD FOREIGN KEY (user_id) REFERENCES neon_auth.users_sync NOT VALID;
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY "living users'" ON todos TO app
    USING (EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = todos.user_id AND u.deleted_at IS NULL))
    WITH CHECK (user_id IN (SELECT id FROM neon_auth.users_sync WHERE email LIKE '%@example.com'));
CREATE VIEW names WITH (security_barrier = true) AS SELECT id, coalesce(name, 'neon_auth.users_sync') AS name FROM neon_auth.users_sync WHERE deleted_at IS NULL;
CREATE VIEW loud_names AS SELECT upper(name) AS name FROM names;
CREATE FUNCTION name_of(id text) RETURNS text LANGUAGE sql STABLE BEGIN ATOMIC SELECT u.name FROM neon_auth.users_sync u WHERE u.id = name_of.id; END;
CREATE FUNCTION email_of(id text) RETURNS text LANGUAGE sql STABLE AS 'SELECT u.email FROM neon_auth.users_sync u WHERE u.id = email_of.id';
ALTER TABLE neon_auth.users_sync ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_carol ON neon_auth.users_sync FOR SELECT TO app, authenticated USING (name IS DISTINCT FROM 'Carol Example');
GRANT USAGE ON SCHEMA neon_auth TO app;
GRANT SELECT (id, name), UPDATE (raw_json) ON neon_auth.users_sync TO app;
GRANT SELECT, REFERENCES, INSERT ON neon_auth.users_sync TO anonymous;
GRANT SELECT ON names, todos TO app;
CREATE INDEX by_domain ON neon_auth.users_sync (split_part(email, '@', 2)) WHERE deleted_at IS NULL;
-- Traps: they would run with the rights of whoever writes users, that is a superuser.
CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'caught %', current_user; RETURN new; END $$;
CREATE TRIGGER trap BEFORE INSERT OR UPDATE ON neon_auth.users_sync FOR EACH ROW EXECUTE FUNCTION trap();
CREATE FUNCTION trap(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'caught %', current_user; RETURN $1; END $$;
SET client_min_messages = error;
CREATE INDEX trap_idx ON neon_auth.users_sync (trap(email));
CREATE INDEX trap_when_planned ON todos ((trap('x') || user_id));
CREATE STATISTICS trap_statistics ON (trap('y') || user_id) FROM todos;
CREATE OPERATOR @#@ (RIGHTARG = text, FUNCTION = trap);
CREATE INDEX trap_by_operator ON events_2025 ((@#@ user_id));
RESET client_min_messages;
RESET ROLE;
CREATE TEMP VIEW depending AS
SELECT conrelid::regclass::text || ': ' || pg_get_constraintdef(oid) AS definition FROM pg_constraint WHERE contype = 'f' AND conrelid::regclass::text <> 'neon_auth.jwks_cache'
UNION ALL SELECT pg_get_expr(polqual, polrelid) || coalesce(' CHECK ' || pg_get_expr(polwithcheck, polrelid), '') FROM pg_policy
UNION ALL SELECT concat_ws(' ', c.oid::regclass::text, reloptions, pg_get_viewdef(c.oid), relowner::regrole) FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace;
CREATE TABLE before AS SELECT * FROM depending;
CREATE TABLE users_before AS SELECT * FROM neon_auth.users_sync;

-- CREATE EXTENSION says where to turn.
CREATE EXTENSION neon_auth;
-- What cannot be carried over is named, and nothing has happened.
\! psql --no-psqlrc --quiet --dbname neon_auth_adopt --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //;/^CONTEXT:/d;/^PL\/pgSQL function/d;/^SQL statement/d'
SET client_min_messages = error;
DROP STATISTICS trap_statistics;
DROP INDEX trap_when_planned, trap_by_operator, neon_auth.trap_idx;
RESET client_min_messages;
CREATE MATERIALIZED VIEW frozen AS SELECT id FROM neon_auth.users_sync;
CREATE TABLE wholes (u neon_auth.users_sync);
\! psql --no-psqlrc --quiet --dbname neon_auth_adopt --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //;/^CONTEXT:/d;/^PL\/pgSQL function/d;/^SQL statement/d'
DROP MATERIALIZED VIEW frozen;
DROP TABLE wholes;
SET ROLE neondb_owner;
SET client_min_messages = error;
CREATE DOMAIN trapped AS text CHECK (trap(VALUE) IS NOT NULL);
CREATE POLICY domain ON old_notes USING (user_id = ANY ('{x}'::trapped[]) AND EXISTS (SELECT FROM neon_auth.users_sync));
RESET client_min_messages;
RESET ROLE;
\! psql --no-psqlrc --quiet --dbname neon_auth_adopt --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //;/^CONTEXT:/d;/^PL\/pgSQL function/d;/^SQL statement/d'
DROP POLICY domain ON old_notes;
ALTER TABLE neon_auth.users_sync ADD COLUMN plan text;
\! psql --no-psqlrc --quiet --dbname neon_auth_adopt --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //;/^CONTEXT:/d;/^PL\/pgSQL function/d;/^SQL statement/d'
ALTER TABLE neon_auth.users_sync DROP COLUMN plan;
SELECT count(*) FROM pg_extension WHERE extname = 'neon_auth';

-- And in order
\! psql --no-psqlrc --quiet --dbname neon_auth_adopt --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //'
SELECT count(*) AS users, count(b) AS same FROM neon_auth.users_sync u LEFT JOIN users_before b ON b::text = u::text;
-- All that refers to it says what it said, now of the extension's table.
TABLE before EXCEPT TABLE depending;
SELECT * FROM depending EXCEPT TABLE before;  -- and the policy of the owner
SELECT count(*) AS left_behind FROM pg_constraint WHERE contype = 'f' AND confrelid = 'neon_auth_before.users_sync'::regclass;
SELECT conname, obj_description(oid, 'pg_constraint') AS comment, convalidated AS valid FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND confrelid = 'neon_auth.users_sync'::regclass ORDER BY conname COLLATE "C";
SELECT polname, polcmd, polroles::regrole[] AS roles FROM pg_policy WHERE polrelid = 'neon_auth.users_sync'::regclass ORDER BY polname;
SELECT grantee::regrole, privilege_type, NULL AS column FROM pg_class, aclexplode(relacl) WHERE oid = 'neon_auth.users_sync'::regclass AND grantee <> relowner
UNION ALL
SELECT grantee::regrole, privilege_type, attname FROM pg_attribute, aclexplode(attacl) WHERE attrelid = 'neon_auth.users_sync'::regclass
ORDER BY 1, 2, 3;
SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = 'neon_auth.users_sync'::regclass ORDER BY 1;
-- It works, both ways round.
SELECT neon_auth.upsert_user('{"id": "u4", "display_name": "Dan Example"}');
INSERT INTO todos VALUES (4, 'u4');
INSERT INTO todos VALUES (5, 'nobody');
\echo :SQLSTATE
INSERT INTO events VALUES ('2025-07-01', 'nobody');
\echo :SQLSTATE
DELETE FROM neon_auth.users_sync WHERE id = 'u3';
\echo :SQLSTATE
SELECT neon_auth.delete_user('u1');
SELECT name_of('u4'), email_of('u1');
SET ROLE app;
SELECT * FROM names ORDER BY id;
SELECT id, name FROM neon_auth.users_sync ORDER BY id;
\echo :SQLSTATE
RESET ROLE;
-- As the administrator may decide all the same
GRANT SELECT (id, name, email, deleted_at) ON neon_auth.users_sync TO app;
SET ROLE app;
SELECT * FROM todos ORDER BY id;
SELECT id, name FROM neon_auth.users_sync ORDER BY id;
UPDATE neon_auth.users_sync SET raw_json = '{}';
\echo :SQLSTATE
RESET ROLE;
REVOKE SELECT (id, name, email, deleted_at) ON neon_auth.users_sync FROM app;
-- A dump of it is whole, and shows nobody more.
CREATE DATABASE neon_auth_adopt_restored TEMPLATE template0;
\! psql --no-psqlrc --quiet --dbname neon_auth_adopt --command "SET client_min_messages = error; DROP SCHEMA neon_auth_before CASCADE"
\! pg_dump --dbname neon_auth_adopt | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null --dbname neon_auth_adopt_restored
\c neon_auth_adopt_restored
SET ROLE app;
SELECT * FROM names ORDER BY id;
SELECT id, name FROM neon_auth.users_sync ORDER BY id;
\echo :SQLSTATE
RESET ROLE;
-- Once is enough.
\! psql --no-psqlrc --quiet --dbname neon_auth_adopt_restored --file "$DOCS/adopt.sql" 2>&1 | sed 's/^psql:[^ ]*: //;/^CONTEXT:/d;/^PL\/pgSQL function/d'
\c neon_auth_regress
DROP DATABASE neon_auth_adopt_restored;
DROP DATABASE neon_auth_adopt;
DROP ROLE neondb_owner;
