-- A schema neon_auth that was there before, as on hosted Neon, where Better Auth has its tables in it under an
-- owner of its own. Here the owner, mallory, puts into it whatever looks like ours, before and after: none of
-- it is executed by anybody who does not name it, and nothing is read from it.
\set SHOW_CONTEXT never
\set VERBOSITY default
\set alice `"$STACK" token --sub alice`
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
\set others `"$STACK" jwks --seed mallory`
\set forged `"$STACK" token --seed mallory --sub alice --claim 'iss="https://mallory.example"'`
CREATE ROLE mallory LOGIN;
CREATE DATABASE neon_auth_shared TEMPLATE template0;
GRANT CREATE ON DATABASE neon_auth_shared TO mallory;
\c neon_auth_shared mallory
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth."user" (id uuid PRIMARY KEY, email text NOT NULL);
CREATE TABLE neon_auth.jwks (id uuid PRIMARY KEY, "publicKey" text NOT NULL);
INSERT INTO neon_auth."user" VALUES ('6f1c9c2e-52a7-4d39-9a39-0d9d2f1f7a01', 'ada@example.com');
-- Whatever of mallory's is executed by somebody else says so.
CREATE FUNCTION neon_auth.caught(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'mallory' THEN
        RAISE WARNING '% was executed as %', what, current_user;
    END IF;
END
$$;
CREATE FUNCTION neon_auth.caught() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_user <> 'mallory' THEN
        RAISE WARNING 'a trigger on % was executed as %', TG_TABLE_NAME, current_user;
    END IF;
    RETURN coalesce(new, old);
END
$$;

-- Names that are taken are an error, each of them, and nothing is left half done.
CREATE TABLE neon_auth.providers (name text);
CREATE VIEW neon_auth.status AS SELECT 1;
CREATE FUNCTION neon_auth.handle_webhook(text, jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT NULL::jsonb';
CREATE FUNCTION neon_auth.configure(text) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE TYPE neon_auth.sync_queue AS ENUM ();
CREATE DOMAIN neon_auth.sync_source AS text;
CREATE SEQUENCE neon_auth.sync_runs_id_seq;
CREATE TABLE neon_auth.teams_sync_pkey (id text);
\c - postgres
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
SELECT nspname, nspowner::regrole FROM pg_namespace WHERE nspname !~ '^pg_|information_schema|public' ORDER BY 1;
\c - mallory
DROP TABLE neon_auth.providers, neon_auth.teams_sync_pkey;
DROP VIEW neon_auth.status;
DROP FUNCTION neon_auth.handle_webhook(text, jsonb), neon_auth.configure(text);
DROP TYPE neon_auth.sync_queue;
DROP DOMAIN neon_auth.sync_source;
DROP SEQUENCE neon_auth.sync_runs_id_seq;

-- What may be there before: names of PostgreSQL's own, and of functions that nobody is offered.
CREATE FUNCTION neon_auth.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS $$ SELECT neon_auth.caught('jsonb_typeof'); SELECT 'object' $$;
CREATE FUNCTION neon_auth.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT neon_auth.caught('now'); SELECT pg_catalog.now() $$;
CREATE FUNCTION neon_auth.equal(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT neon_auth.caught('='); SELECT true $$;
CREATE OPERATOR neon_auth.= (LEFTARG = text, RIGHTARG = text, FUNCTION = neon_auth.equal);
CREATE TABLE neon_auth.secrets (name text, value text, service text);
CREATE TRIGGER caught BEFORE INSERT OR UPDATE OR DELETE ON neon_auth.secrets FOR EACH STATEMENT EXECUTE FUNCTION neon_auth.caught();
CREATE FUNCTION neon_auth.apply_event(text, text, jsonb, text) RETURNS jsonb LANGUAGE sql AS $$ SELECT neon_auth.caught('apply_event'); SELECT NULL::jsonb $$;
ALTER DEFAULT PRIVILEGES IN SCHEMA neon_auth GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
\c - postgres
SET search_path = neon_auth, public;
CREATE EXTENSION neon_auth;
RESET search_path;
-- The schema is mallory's, and so are the grants on it; what is ours is ours.
SELECT nspname, nspowner::regrole, nspacl, obj_description(oid, 'pg_namespace') AS comment,
       EXISTS (SELECT FROM pg_depend WHERE objid = n.oid AND deptype = 'e') AS is_member
  FROM pg_namespace n WHERE nspname ~ 'auth' ORDER BY 1;
SELECT o.owner, count(*) > 0 AS has_objects, bool_and(o.is_member) AS all_members, bool_or(o.is_member) AS any_member
  FROM (SELECT relowner::regrole AS owner, EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND deptype = 'e') AS is_member
          FROM pg_class c WHERE relnamespace = 'neon_auth'::regnamespace AND relkind IN ('r', 'v')
        UNION ALL
        SELECT proowner::regrole, EXISTS (SELECT FROM pg_depend WHERE objid = p.oid AND deptype = 'e')
          FROM pg_proc p WHERE pronamespace = 'neon_auth'::regnamespace) AS o
 GROUP BY 1 ORDER BY 1;
SELECT has_table_privilege('mallory', 'neon_auth.users_sync', 'SELECT') AS may_read,
       has_table_privilege('mallory', 'neon_auth.providers', 'INSERT') AS may_write;

-- Every function that the administrator may call, each with the arguments that it is made for. It is called
-- where the extension's functions are, whatever that schema is called by then.
CREATE FUNCTION public.tour(place text, keys jsonb, jwks jsonb) RETURNS TABLE (step text, answer text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    user_object constant text := '''{"id": "alice", "display_name": "Alice", "signed_up_at_millis": 0}''::jsonb';
    members constant text[] := ARRAY[
        'configure(' || quote_literal(keys) || '::jsonb)',
        'set_secret(''webhook_secret''::text, ''whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=''::text)',
        'sdk_env()',
        'add_provider(name => ''idp''::text, issuers => ''{https://idp.example.com}''::text[], jwks => ' || quote_literal(jwks) || '::jsonb)',
        'drop_provider(''idp''::text)',
        'upsert_user(' || user_object || ')',
        'upsert_users(jsonb_build_array(' || user_object || ', ''{"id": "bob"}''::jsonb))',
        'upsert_teams(''[{"id": "board"}]''::jsonb)',
        'delete_user(''bob''::text)',
        'erase_user(''carol''::text)',
        'prune_webhook_deliveries(''90 days''::interval)',
        'setup_roles()',
        'handle_webhook(''{}''::text, ''{}''::jsonb)',
        'refresh_jwks(NULL::text)'];
    member text;
BEGIN
    FOREACH member IN ARRAY members LOOP
        step := split_part(member, '(', 1);
        BEGIN
            EXECUTE format('SELECT %I.%s::text', place, member) INTO answer;
            answer := left(answer, 30);
        EXCEPTION WHEN OTHERS THEN
            answer := sqlstate || ' ' || sqlerrm;
        END;
        RETURN NEXT;
        IF step = 'configure' THEN
            EXECUTE format('UPDATE %I.providers SET jwks_url = NULL, jwks = $1', place) USING jwks;
        END IF;
    END LOOP;
END
$$;
SELECT * FROM public.tour('neon_auth', :'keys', :'jwks');
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM neon_auth.users_sync ORDER BY id;
SELECT component, ok FROM neon_auth.status ORDER BY component COLLATE "C";

-- Afterwards: overloads of every name that is offered, better matches for the literals that callers write.
\c - mallory
DO $$
DECLARE
    offered record;
BEGIN
    FOR offered IN
        SELECT DISTINCT p.proname, a.given
          FROM pg_proc p, unnest('{text,"text, text",json,"text, json"}'::text[]) AS a(given)
         WHERE p.pronamespace = 'neon_auth'::regnamespace AND p.proowner <> 'mallory'::regrole
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION neon_auth.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', offered.proname, offered.given,
                           format('BEGIN PERFORM neon_auth.caught(%L); RETURN NULL; END', offered.proname));
        EXCEPTION WHEN duplicate_function THEN
            NULL;
        END;
    END LOOP;
END
$$;
\c - postgres
SELECT * FROM public.tour('neon_auth', :'keys', :'jwks');
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.user_id(), (auth.profile()).name, auth.team_ids(), auth.is_team_member('board'), auth.has_permission('any', 'board');
ROLLBACK;
-- Whoever calls by name, with literals of no type, calls what PostgreSQL finds: docs/security.md says so.
SELECT neon_auth.configure('{}');

-- What the schema's owner can do to what is in it: not change it, not replace it.
\c - mallory
DROP TABLE neon_auth.providers;
DROP TABLE neon_auth.providers CASCADE;
DROP FUNCTION neon_auth.upsert_user(jsonb) CASCADE;
CREATE OR REPLACE FUNCTION neon_auth.upsert_user(raw_json jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT true';
ALTER TABLE neon_auth.users_sync RENAME TO users;
CREATE TRIGGER caught BEFORE INSERT ON neon_auth.users_sync FOR EACH ROW EXECUTE FUNCTION neon_auth.caught();
CREATE INDEX ON neon_auth.users_sync (neon_auth.equal(id, id));
CREATE TABLE neon_auth.child () INHERITS (neon_auth.providers);
SELECT * FROM neon_auth.users_sync;
-- An index that is of no constraint can go, and one of its name may belong to another table: an error.
DROP INDEX neon_auth.team_members_sync_user_id_idx;
CREATE TABLE neon_auth.memberships (user_id text, team_id text);
INSERT INTO neon_auth.memberships VALUES ('alice', 'forged');
CREATE INDEX team_members_sync_user_id_idx ON neon_auth.memberships (user_id, team_id);
\c - postgres
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.is_team_member('forged');
\echo :SQLSTATE
ROLLBACK;
DROP TABLE neon_auth.memberships;
-- As the HINT says
CREATE INDEX team_members_sync_user_id_idx ON neon_auth.team_members_sync (user_id, team_id);

-- Another schema of that name, with tables, indexes and functions of all our names, those included that nobody
-- is offered. First all relations are tables with forged rows.
\c - mallory
ALTER SCHEMA neon_auth RENAME TO elsewhere;
\echo :SQLSTATE
-- A superuser can.
\c - postgres
ALTER SCHEMA neon_auth RENAME TO elsewhere;
\c - mallory
CREATE FUNCTION elsewhere.fake(kind text) RETURNS void LANGUAGE plpgsql AS $fake$
DECLARE
    ours record;
BEGIN
    CREATE SCHEMA neon_auth;
    FOR ours IN
        -- A view of schema neon_auth may have the name of an internal table.
        SELECT DISTINCT ON (c.relname) c.relname, string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) AS columns,
               string_agg(format('NULL::%s AS %I', format_type(a.atttypid, a.atttypmod), a.attname), ', ' ORDER BY a.attnum) AS nothing
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
         WHERE c.relnamespace IN ('elsewhere'::regnamespace, 'neon_auth_internal'::regnamespace) AND c.relkind IN ('r', 'v')
           AND c.relowner <> 'mallory'::regrole AND NOT (c.relnamespace = 'neon_auth_internal'::regnamespace AND c.relkind = 'v')
         GROUP BY c.oid, c.relname
         ORDER BY c.relname, c.relnamespace = 'elsewhere'::regnamespace DESC
    LOOP
        IF kind = 'table' THEN
            EXECUTE format('CREATE TABLE neon_auth.%I (%s)', ours.relname, ours.columns);
            EXECUTE format('CREATE TRIGGER caught BEFORE INSERT OR UPDATE OR DELETE ON neon_auth.%I '
                           'FOR EACH STATEMENT EXECUTE FUNCTION elsewhere.caught()', ours.relname);
        ELSE
            EXECUTE format('CREATE VIEW neon_auth.%I AS SELECT v.* FROM elsewhere.caught(%L) AS c, LATERAL (SELECT %s) AS v',
                           ours.relname, 'view ' || ours.relname, ours.nothing);
        END IF;
    END LOOP;
    FOR ours IN
        SELECT p.proname, oidvectortypes(p.proargtypes) AS arguments
          FROM pg_proc p
         WHERE p.pronamespace IN ('elsewhere'::regnamespace, 'neon_auth_internal'::regnamespace) AND p.proowner <> 'mallory'::regrole
           AND oidvectortypes(p.proargtypes) !~ 'internal|neon_auth' AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
         GROUP BY 1, 2
    LOOP
        EXECUTE format('CREATE FUNCTION neon_auth.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', ours.proname, ours.arguments,
                       format('BEGIN PERFORM elsewhere.caught(%L); RETURN NULL; END', ours.proname));
    END LOOP;
END
$fake$;
SELECT elsewhere.fake('table');
INSERT INTO neon_auth.providers (name, kind, issuers, jwks, algorithms, audiences, leeway, claim_map, required_claims, allowed_roles)
VALUES ('mallory', 'oidc', '{https://mallory.example}', :'others', '{ES256}', '{}', '0', '{}', '{}', '{}');
INSERT INTO neon_auth.users_sync (id, raw_json, name) VALUES ('alice', '{"id": "alice"}', 'forged');
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('forged', 'alice');
CREATE INDEX team_members_sync_user_id_idx ON neon_auth.team_members_sync (user_id, team_id);
CREATE UNIQUE INDEX users_sync_pkey ON neon_auth.users_sync (id);
-- A session that has everything yet to look up, and one rights alone of the application
\set signed_in 'BEGIN; SELECT auth.authenticate(:\'alice\'); SELECT auth.user_id(), (auth.profile()).name, auth.team_ids(), auth.is_team_member(\'forged\') AS in_forged, auth.is_team_member(\'board\') AS in_board, auth.has_permission(\'any\', \'board\'); ROLLBACK; SELECT auth.authenticate(:\'forged\');'
\c - app
:signed_in
\c - postgres
SELECT * FROM public.tour('elsewhere', :'keys', :'jwks');
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM elsewhere.users_sync ORDER BY id;
SELECT component, ok FROM elsewhere.status ORDER BY component COLLATE "C";
UPDATE elsewhere.providers SET reject_deleted_users = true;
SELECT auth.authenticate(:'alice') = 'alice' AS accepted;
-- Then views, which tell of reading too.
\c - mallory
SET client_min_messages = warning;
DROP SCHEMA neon_auth CASCADE;
RESET client_min_messages;
SELECT elsewhere.fake('view');
\c - app
:signed_in
\c - postgres
SELECT * FROM public.tour('elsewhere', :'keys', :'jwks');
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM elsewhere.users_sync ORDER BY id;

-- An update of the extension must not take the fakes for ours.
SELECT neon_auth_internal.hold_schema();
\echo :SQLSTATE

-- DROP EXTENSION drops what is ours, wherever it is, and nothing else.
DROP EXTENSION neon_auth;
SELECT nspname, nspowner::regrole FROM pg_namespace WHERE nspname ~ 'auth|elsewhere' ORDER BY 1;
SELECT count(*) AS "of ours" FROM pg_proc WHERE probin ~ 'neon_auth' OR proname = 'upsert_user' AND proowner <> 'mallory'::regrole;
SELECT relname FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace AND relkind = 'r' ORDER BY 1;
SET client_min_messages = warning;
DROP SCHEMA neon_auth, elsewhere CASCADE;
RESET client_min_messages;

-- Dumped and restored, all is there. The schema is that of CREATE EXTENSION, unless there is one before.
CREATE SCHEMA neon_auth AUTHORIZATION mallory;
SET SESSION AUTHORIZATION mallory;
CREATE TABLE neon_auth."user" (id uuid PRIMARY KEY);
GRANT USAGE ON SCHEMA neon_auth TO PUBLIC;
RESET SESSION AUTHORIZATION;
CREATE EXTENSION neon_auth;
SELECT neon_auth.upsert_user('{"id": "alice"}'::jsonb);
\! psql --no-psqlrc --quiet --dbname postgres --command 'CREATE DATABASE neon_auth_shared_copy TEMPLATE template0'
\! pg_dump --dbname neon_auth_shared | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null --dbname neon_auth_shared_copy
\c neon_auth_shared_copy
SELECT nspname, nspowner::regrole FROM pg_namespace WHERE nspname ~ 'auth' ORDER BY 1;
SELECT (SELECT count(*) FROM neon_auth.users_sync) AS mirrored, (SELECT count(*) FROM neon_auth."user") AS of_better_auth;
\c neon_auth_shared
\! psql --no-psqlrc --quiet --dbname postgres --command 'DROP DATABASE neon_auth_shared_copy' --command 'CREATE DATABASE neon_auth_shared_copy TEMPLATE template0'
\! psql --no-psqlrc --quiet --dbname neon_auth_shared_copy --command 'CREATE SCHEMA neon_auth AUTHORIZATION mallory'
\! pg_dump --dbname neon_auth_shared | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null --dbname neon_auth_shared_copy 2>&1 | grep -v 'NOTICE\|DETAIL\|HINT'
\c neon_auth_shared_copy
SELECT nspname, nspowner::regrole FROM pg_namespace WHERE nspname ~ 'auth' ORDER BY 1;
SELECT (SELECT count(*) FROM neon_auth.users_sync) AS mirrored, (SELECT count(*) FROM neon_auth."user") AS of_better_auth;
\c neon_auth_shared

-- The schema's owner cannot drop it, and DROP EXTENSION of another extension leaves all as it is.
\c - mallory
DROP SCHEMA neon_auth CASCADE;
\echo :SQLSTATE
DROP EXTENSION IF EXISTS nowhere;
\c - postgres
GRANT USAGE ON SCHEMA neon_auth TO app;
CREATE EXTENSION citext;
DROP EXTENSION citext;
\! pg_dump --schema-only --dbname neon_auth_shared | grep 'ON SCHEMA neon_auth TO app'
CREATE EXTENSION citext;
DROP EXTENSION citext CASCADE;
SELECT count(*) AS member FROM pg_depend
 WHERE classid = 'pg_namespace'::regclass AND objid = 'neon_auth'::regnamespace AND deptype = 'e';
DROP EXTENSION neon_auth;
SELECT nspname, nspowner::regrole FROM pg_namespace WHERE nspname ~ 'auth' ORDER BY 1;
DROP SCHEMA neon_auth CASCADE;

-- A schema that the extension has made is dropped with it, unless others have objects in it by then.
\c - postgres
CREATE EXTENSION neon_auth;
DROP EXTENSION neon_auth;
SELECT count(*) AS schemas FROM pg_namespace WHERE nspname ~ 'auth';
CREATE EXTENSION neon_auth;
GRANT CREATE ON SCHEMA neon_auth TO mallory;
SET SESSION AUTHORIZATION mallory;
CREATE TABLE neon_auth."user" (id uuid PRIMARY KEY);
RESET SESSION AUTHORIZATION;
CREATE TABLE orders (user_id text REFERENCES neon_auth.users_sync (id));
-- Refused for what refers to users, as ever, and the schema is the extension's still.
DROP EXTENSION neon_auth;
SELECT count(*) AS member FROM pg_depend
 WHERE classid = 'pg_namespace'::regclass AND objid = 'neon_auth'::regnamespace AND deptype = 'e';
\! psql --no-psqlrc --quiet --dbname postgres --command 'DROP DATABASE neon_auth_shared_copy' --command 'CREATE DATABASE neon_auth_shared_copy TEMPLATE template0'
\! pg_dump --dbname neon_auth_shared | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null --dbname neon_auth_shared_copy
\c neon_auth_shared_copy
SELECT c.oid::regclass AS restored FROM pg_class c WHERE relname IN ('user', 'orders') ORDER BY 1;
\c neon_auth_shared
DROP EXTENSION neon_auth CASCADE;
SELECT nspname FROM pg_namespace WHERE nspname ~ 'auth';
SELECT relname FROM pg_class WHERE relnamespace = 'neon_auth'::regnamespace AND relkind = 'r';
-- Nor are objects lost that depend on others of their owner, or on another extension.
CREATE EXTENSION neon_auth;
CREATE EXTENSION citext;
CREATE TABLE parts (id int, of_citext citext) PARTITION BY LIST (id);
SET SESSION AUTHORIZATION mallory;
DROP TABLE neon_auth."user";
RESET SESSION AUTHORIZATION;
CREATE TABLE neon_auth.part PARTITION OF parts DEFAULT;
INSERT INTO parts VALUES (1, 'a');
ALTER FUNCTION citext_eq(citext, citext) SET SCHEMA neon_auth;
SET session_replication_role = replica;
DROP EXTENSION neon_auth CASCADE;
RESET session_replication_role;
SELECT * FROM parts;
DROP EXTENSION citext CASCADE;
DROP TABLE parts;
SELECT nspname FROM pg_namespace WHERE nspname ~ 'auth';
-- A type of the name of one of ours would take calls.
CREATE DOMAIN neon_auth.configure AS text;
CREATE EXTENSION neon_auth;
DROP DOMAIN neon_auth.configure;
CREATE EXTENSION neon_auth;
SELECT neon_auth.upsert_user('{"id": "alice"}');
\c neon_auth_regress
DROP DATABASE neon_auth_shared WITH (FORCE);
DROP DATABASE neon_auth_shared_copy WITH (FORCE);
DROP ROLE mallory;
