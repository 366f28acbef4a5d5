-- A statement of the extension on a table of another role runs with only that role's rights: mallory, who owns
-- the table, attaches code to it, and gains nothing.
\set SHOW_CONTEXT never
\set VERBOSITY default
CREATE ROLE mallory;
CREATE SCHEMA app AUTHORIZATION mallory;
SET SESSION AUTHORIZATION mallory;
CREATE TABLE app.seen (at text, who name, path text);
CREATE TABLE app.users (id text PRIMARY KEY, name text);
CREATE FUNCTION app.look(at text) RETURNS void LANGUAGE sql
AS $$ INSERT INTO app.seen VALUES ($1, current_user, current_setting('search_path')) $$;
CREATE FUNCTION app.look_at_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM app.look(TG_WHEN || ' ' || TG_OP);
    RETURN new;
END
$$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.look_at_row();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.look_at_row();
CREATE FUNCTION app.look_at_name(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM app.look('index');
    RETURN $1;
END
$$;
CREATE INDEX ON app.users (app.look_at_name(name));
RESET SESSION AUTHORIZATION;

-- Rows come back as text, and a NULL stays one.
\pset null '-'
SELECT neon_auth_internal.as_owner('app.users', 'INSERT INTO app.users VALUES ($1, $2) RETURNING id',
                                   ARRAY['alice', NULL]);
SELECT neon_auth_internal.as_owner('app.users', 'UPDATE app.users SET name = $1 RETURNING name', '{Alice}');
SELECT neon_auth_internal.as_owner('app.users', 'SELECT NULL::int UNION ALL SELECT 3 FROM app.users');
SELECT neon_auth_internal.as_owner('app.users', 'DELETE FROM app.users WHERE false');
SELECT count(*) > 0 AS was_called, bool_and(who = 'mallory' AND path = 'pg_catalog, pg_temp') AS as_mallory
  FROM app.seen;
SELECT current_user = session_user AS is_back, current_setting('search_path');

-- Whatever the code tries is refused, and the statement with it.
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE OR REPLACE FUNCTION app.look(at text) RETURNS void LANGUAGE plpgsql AS %L',
                   format('BEGIN EXECUTE %L; END', command));
    PERFORM neon_auth_internal.as_owner('app.users', 'INSERT INTO app.users VALUES ($1)', ARRAY[command]);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN concat_ws(' ', SQLSTATE,
                     CASE WHEN current_user <> session_user THEN '(still another user)' END,
                     CASE WHEN current_setting('search_path') LIKE 'pg_catalog%' THEN '(still another path)' END);
END
$$;
SELECT command, attempt(command)
  FROM (VALUES ('SET ROLE postgres'), ('RESET ROLE'), ('SET SESSION AUTHORIZATION postgres'),
               ('RESET SESSION AUTHORIZATION'), ('SET session_replication_role = replica'),
               ('CREATE TEMPORARY TABLE users_sync ()'), ('COPY app.users TO PROGRAM ''true'''),
               ('INSERT INTO neon_auth.users_sync (raw_json) VALUES (''{"id": "mallory"}'')'),
               ('UPDATE neon_auth.providers SET issuers = ''{https://mallory.example}'''),
               ('SELECT neon_auth_internal.as_owner(''pg_class'', ''SELECT 1'', ''{}'')'),
               ('SELECT value FROM neon_auth_internal.secrets'), ('ALTER ROLE mallory SUPERUSER'),
               ('SET neon_auth.identity = ''{}'''), ('COMMIT')) AS t(command);
-- The user and the path are the caller's again, also after errors, and nothing was written.
SELECT current_user = session_user AS is_back, current_setting('search_path');
SELECT count(*) FROM app.users;

-- Settings that it makes for the session end with the statement.
SELECT attempt('SET statement_timeout = ''1h''; SET search_path = app; SET app.mark = ''mallory''');
SHOW statement_timeout;
SHOW search_path;
SELECT current_setting('app.mark', true);

-- What is to run at the end of the transaction would run with the rights of that moment.
DROP TRIGGER after_row ON app.users;
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON app.users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION app.look_at_row();
SELECT attempt('SELECT 1');
DROP TRIGGER deferred ON app.users;

-- The table that the statement names must be that one, before the statement and after it.
CREATE TABLE app.decoy (LIKE app.users);
SELECT neon_auth_internal.as_owner('app.users', 'INSERT INTO app.decoy VALUES (''mallory'')');
\echo :SQLSTATE
SELECT format('GRANT CREATE ON DATABASE %I TO mallory', current_database()) \gexec
SELECT attempt('ALTER SCHEMA app RENAME TO hidden; CREATE SCHEMA app CREATE TABLE users (LIKE hidden.users); '
               'CREATE FUNCTION app.look(text) RETURNS void LANGUAGE sql AS $f$ SELECT $f$');
SELECT format('REVOKE CREATE ON DATABASE %I FROM mallory', current_database()) \gexec
-- What outlives the statement, as after any function of another role: an advisory lock, until it is released.
SELECT attempt('SELECT pg_advisory_lock(1)');
SELECT count(*) > 0 AS is_locked FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid();
SELECT pg_advisory_unlock_all();

-- Policies that the owner forces upon itself hide nothing.
ALTER TABLE app.users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT attempt('SELECT 2');
SELECT neon_auth_internal.as_owner('app.users', 'SELECT id FROM app.users ORDER BY id COLLATE "C"');

-- Only an ordinary table has an owner whose statement it is.
CREATE VIEW app.a_view AS SELECT 1;
CREATE TABLE app.parted (i int) PARTITION BY LIST (i);
CREATE TABLE app.part PARTITION OF app.parted DEFAULT;
SELECT neon_auth_internal.as_owner('app.a_view', 'SELECT 1');
SELECT neon_auth_internal.as_owner('app.parted', 'SELECT 1');
SELECT neon_auth_internal.as_owner('app.part', 'SELECT 1');
SELECT neon_auth_internal.as_owner(4294967295, 'SELECT 1');
-- A superuser's table is a superuser's.
CREATE TABLE app.ours (who name DEFAULT current_user);
SELECT neon_auth_internal.as_owner('app.ours',
                                   'INSERT INTO app.ours DEFAULT VALUES RETURNING who') = session_user AS own;

-- Nor is a table that another role's table inherits from: a query on it would run code of that role, as the owner. A
-- role that has the owner's rights gains nothing.
CREATE ROLE heir;
CREATE TABLE app.parent (id int);
ALTER TABLE app.parent OWNER TO mallory;
CREATE TABLE app.child () INHERITS (app.parent);
ALTER TABLE app.child OWNER TO heir;
SELECT neon_auth_internal.as_owner('app.parent', 'SELECT id FROM app.parent');
SELECT neon_auth_internal.read_as_owner('app.parent', 'SELECT id FROM app.parent');
GRANT mallory TO heir;
SELECT count(*) FROM neon_auth_internal.read_as_owner('app.parent', 'SELECT id FROM app.parent');

-- It is for the extension's own functions.
SET ROLE mallory;
SELECT neon_auth_internal.as_owner('app.ours', 'SELECT 1');
RESET ROLE;
DROP SCHEMA app CASCADE;
DROP ROLE mallory, heir;
