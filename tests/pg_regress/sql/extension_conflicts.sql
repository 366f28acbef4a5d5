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
CREATE SCHEMA auth;
CREATE EXTENSION citext SCHEMA auth;
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
SELECT * FROM leftovers;
DROP SCHEMA auth CASCADE;

-- A schema neon_auth with a table users_sync, as a dump of a Neon database brings it
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
    ('{"id": "u2", "display_name": null}', '2025-01-02 03:04:05+00', '2025-01-03 00:00:00+00');
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
SELECT * FROM leftovers;
SELECT count(*) FROM pg_namespace WHERE nspname = 'auth';
-- docs/adopt.sql goes on with it, see the test adopt; this is to begin anew.
ALTER SCHEMA neon_auth RENAME TO neon_auth_before;
CREATE EXTENSION neon_auth;
SELECT count(*) FROM neon_auth.users_sync;
DROP EXTENSION neon_auth;
SET client_min_messages = warning;
DROP SCHEMA neon_auth_before CASCADE;
RESET client_min_messages;

-- The extension's own parts stand in a schema that nobody else has made. A schema neon_auth may be
-- anybody's, see the test schema_of_others.
CREATE SCHEMA neon_auth_internal AUTHORIZATION app;
CREATE EXTENSION neon_auth;
\echo :SQLSTATE
SELECT * FROM leftovers;
DROP SCHEMA neon_auth_internal;

-- DROP EXTENSION leaves nothing: no schema, no function, no type, no grant, no comment.
CREATE TEMP VIEW everything AS
SELECT pg_describe_object(classid, objid, 0)
  FROM (SELECT 'pg_class'::regclass, oid FROM pg_class WHERE relpersistence = 'p'
        UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc
        UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type
        UNION ALL SELECT 'pg_namespace'::regclass, oid FROM pg_namespace WHERE nspname !~ '^pg_(toast_)?temp_'
        UNION ALL SELECT 'pg_constraint'::regclass, oid FROM pg_constraint
        UNION ALL SELECT 'pg_trigger'::regclass, oid FROM pg_trigger
        UNION ALL SELECT 'pg_policy'::regclass, oid FROM pg_policy
        UNION ALL SELECT 'pg_event_trigger'::regclass, oid FROM pg_event_trigger
        UNION ALL SELECT 'pg_cast'::regclass, oid FROM pg_cast
        UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator
        UNION ALL SELECT 'pg_extension'::regclass, oid FROM pg_extension) AS objects (classid, objid)
UNION ALL SELECT format('comment %s', d) FROM pg_description d
UNION ALL SELECT format('dependency %s', d) FROM pg_depend d
UNION ALL SELECT format('shared dependency %s', d) FROM pg_shdepend d
UNION ALL SELECT format('initial privileges %s', p) FROM pg_init_privs p
UNION ALL SELECT format('setting %s', s) FROM pg_db_role_setting s
UNION ALL SELECT format('role %s', rolname) FROM pg_roles;
CREATE TEMP TABLE at_first (what text);
INSERT INTO at_first SELECT * FROM everything;
CREATE EXTENSION neon_auth;
SELECT count(*) > 100 AS made FROM (TABLE everything EXCEPT TABLE at_first) AS m;
SELECT neon_auth.upsert_user('{"id": "u1"}');
DROP EXTENSION neon_auth;
TABLE everything EXCEPT TABLE at_first;
TABLE at_first EXCEPT TABLE everything;

-- Traps in the caller's search_path: nothing is bound to them.
CREATE SCHEMA trap;
CREATE FUNCTION trap.array_position(text[], text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'caught'; RETURN NULL; END $$;
CREATE FUNCTION trap.cardinality(text[]) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'caught'; RETURN 1; END $$;
CREATE FUNCTION trap.format(text, text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'caught'; RETURN NULL; END $$;
CREATE FUNCTION trap.format(text, text, text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'caught'; RETURN NULL; END $$;
CREATE FUNCTION trap.overlaps(text[], text[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'caught'; RETURN false; END $$;
CREATE OPERATOR trap.&& (LEFTARG = text[], RIGHTARG = text[], FUNCTION = trap.overlaps);
CREATE FUNCTION trap.contained(text[], text[]) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'caught'; RETURN true; END $$;
CREATE OPERATOR trap.<@ (LEFTARG = text[], RIGHTARG = text[], FUNCTION = trap.contained);
CREATE OPERATOR trap.= (LEFTARG = text[], RIGHTARG = text[], FUNCTION = trap.contained);
SET search_path = neon_auth, public, trap;
CREATE EXTENSION neon_auth;
SELECT current_setting('search_path') AS "the caller's, as before";
SELECT pg_describe_object(classid, objid, 0) AS bound
  FROM pg_depend
 WHERE (refclassid, refobjid) IN (SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'trap'::regnamespace
                                  UNION ALL SELECT 'pg_operator'::regclass, oid FROM pg_operator WHERE oprnamespace = 'trap'::regnamespace)
   AND classid NOT IN ('pg_operator'::regclass);
SELECT neon_auth.add_provider('idp', '{NULL}', jwks_url => 'https://idp.example.com/keys');
\echo :SQLSTATE
SELECT neon_auth.add_provider('idp', '{i}', jwks_url => 'https://idp.example.com/keys', algorithms => '{HS256}');
\echo :SQLSTATE
SELECT neon_auth.add_provider('idp', '{i}', jwks_url => 'https://idp.example.com/keys', role_claim => 'r', allowed_roles => '{none}');
\echo :SQLSTATE
SELECT neon_auth.upsert_user('{"id": 7}');
\echo :SQLSTATE
RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA trap CASCADE;
RESET client_min_messages;

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
