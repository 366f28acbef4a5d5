-- The owner of Better Auth's tables gains nothing when add_better_auth runs with a superuser's rights.
\set SHOW_CONTEXT never
BEGIN;
DELETE FROM neon_auth.providers;
CREATE ROLE mallory;
CREATE SCHEMA app AUTHORIZATION mallory;
CREATE SCHEMA evil AUTHORIZATION mallory;
SET LOCAL ROLE mallory;
CREATE TABLE app."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL, "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE app.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "userId" text NOT NULL);
-- Code that says by whom it is run: triggers, a CHECK, a policy, indexes of expressions, a generated column, a cast.
CREATE TABLE app.seen (what text, by_role name);
CREATE FUNCTION app.look(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user <> 'mallory' THEN
        RAISE EXCEPTION '% runs as %', what, current_user;
    END IF;
    RETURN true;
END
$$;
CREATE FUNCTION app.look_at_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM app.look('a trigger'); RETURN new; END $$;
INSERT INTO app."user" VALUES ('u1', 'Alice', 'alice@example.com', true, now());
CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON app."user" FOR EACH ROW EXECUTE FUNCTION app.look_at_row();
ALTER TABLE app."user" ADD CHECK (app.look('a CHECK'));
CREATE INDEX ON app."user" ((app.look('an index')));
CREATE INDEX ON app."user" (email) WHERE app.look('a predicate');
ALTER TABLE app."user" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON app."user" USING (app.look('a policy'));
CREATE TYPE app.odd AS (a int);
CREATE FUNCTION app.odd_to_json(app.odd) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM app.look('a cast'); RETURN '1'; END $$;
CREATE CAST (app.odd AS json) WITH FUNCTION app.odd_to_json(app.odd);
ALTER TABLE app."user" ADD odd app.odd;
-- Functions and operators that the caller's search_path puts before those of PostgreSQL.
CREATE FUNCTION evil.shadow() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed, as %', current_user; END $$;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT evil.shadow()::text $$;
CREATE FUNCTION evil.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT evil.shadow()::text $$;
CREATE FUNCTION evil.format(text, name, regclass) RETURNS text LANGUAGE sql AS $$ SELECT evil.shadow()::text $$;
CREATE FUNCTION evil.equal(name, name) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.shadow() IS NULL $$;
CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.equal);
CREATE FUNCTION evil.equal(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.shadow() IS NULL $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.equal);
CREATE TABLE evil.pg_class (oid oid);
RESET ROLE;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
SAVEPOINT s;
SET LOCAL search_path = evil, app, pg_catalog;
SELECT * FROM neon_auth.add_better_auth('https://app.example.com');
SELECT * FROM neon_auth.add_better_auth('https://app.example.com', 'app', names => '{"user": "user"}');
RESET search_path;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgfoid = 'neon_auth_internal.better_auth_changed'::regproc ORDER BY 1, 2;

-- The owner cannot put the trigger on a table, nor call what is behind it.
SAVEPOINT bound;
SET LOCAL ROLE mallory;
CREATE TABLE app.fake (LIKE app."user");
CREATE TRIGGER neon_auth_insert AFTER INSERT ON app.fake FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.better_auth_changed('user');
\echo :SQLSTATE
ROLLBACK TO bound;
SET LOCAL ROLE mallory;
UPDATE neon_auth_internal.better_auth_tables SET columns = '{}';
\echo :SQLSTATE
ROLLBACK TO bound;
-- Nor can a role that may write all data.
GRANT pg_write_all_data TO mallory;
SET LOCAL ROLE mallory;
INSERT INTO neon_auth_internal.better_auth_tables VALUES ('team', 'app.session', '{}');
\echo :SQLSTATE
ROLLBACK TO bound;
-- A table that takes the place of a bound one is not trusted, also after a restore, which finds it by its name.
SET LOCAL ROLE mallory;
ALTER TABLE app.session RENAME TO old_session;
CREATE TABLE app.session (LIKE app.old_session INCLUDING ALL);
RESET ROLE;
UPDATE neon_auth_internal.better_auth_tables SET relation = 'app.session' WHERE what = 'session';
SELECT neon_auth_internal.better_auth_defect('session');
ROLLBACK TO s;

-- A trigger of the owner's with a name that is needed.
SET LOCAL ROLE mallory;
CREATE FUNCTION app.mine() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER neon_auth_update AFTER UPDATE ON app."user" FOR EACH STATEMENT EXECUTE FUNCTION app.mine();
RESET ROLE;
SELECT * FROM neon_auth.add_better_auth('https://app.example.com');
\echo :SQLSTATE
ROLLBACK TO s;

-- What changes between the search and the locks is noticed, and nothing is done.
CREATE TEMP TABLE found AS SELECT * FROM neon_auth_internal.find_better_auth('app', '{}');
CREATE FUNCTION pg_temp.bind() RETURNS void LANGUAGE sql AS $$
    SELECT neon_auth_internal.bind_tables(ARRAY(SELECT (f.what, f.relation, f.columns)::neon_auth_internal.better_auth_tables FROM found AS f), '{}')
$$;
SAVEPOINT found;
ALTER TABLE app.session RENAME token TO secret;
SELECT pg_temp.bind();
\echo :SQLSTATE
ROLLBACK TO found;
ALTER TABLE app.session ALTER "expiresAt" TYPE text;
SELECT pg_temp.bind();
\echo :SQLSTATE
ROLLBACK TO found;
DROP TABLE app.session;
SELECT pg_temp.bind();
\echo :SQLSTATE
ROLLBACK TO found;
DROP TABLE app.session;
CREATE VIEW app.session AS SELECT 1 AS id;
SELECT pg_temp.bind();
\echo :SQLSTATE
ROLLBACK TO found;
CREATE TABLE app.child () INHERITS (app."user");
SELECT pg_temp.bind();
\echo :SQLSTATE
ROLLBACK TO found;
-- A new name is none of these: the tables are known by their oids.
ALTER TABLE app.session RENAME TO "evil""; DROP TABLE app.seen; --";
SELECT pg_temp.bind();
SELECT relation FROM neon_auth_internal.better_auth_tables WHERE what = 'session';
ROLLBACK;
