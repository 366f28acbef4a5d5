-- CVE-2026-2004, CVE-2026-14680: an object creator makes PostgreSQL call C functions with values of another type. Which
-- functions of the extension take or return a pseudo-type, who may execute them, and what mallory, who may create
-- objects, reaches by attaching functions to objects of her own.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
CREATE VIEW functions AS
    SELECT p.*, p.oid::regprocedure::text COLLATE "C" AS signature, p.prorettype::regtype AS returns,
           has_function_privilege('stranger', p.oid, 'EXECUTE') AS everybody
      FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
      JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'neon_auth';
-- Pseudo-types, except for results that PostgreSQL itself describes: void, and record with the columns below.
SELECT signature, returns, everybody FROM functions
 WHERE prorettype IN (SELECT oid FROM pg_type WHERE typtype = 'p' AND typname NOT IN ('void', 'record'))
    OR proargtypes::oid[] && ARRAY(SELECT oid FROM pg_type WHERE typtype = 'p')
 ORDER BY everybody DESC, signature;
-- The caller never chooses the columns of a result: each function that returns record names them.
SELECT signature FROM functions WHERE prorettype = 'record'::regtype AND proallargtypes IS NULL;
-- Names of the internal schema are nobody's, also where EXECUTE is not revoked because a view needs it.
SELECT has_schema_privilege('stranger', 'neon_auth_internal', 'USAGE') AS stranger, has_schema_privilege('app', 'neon_auth_internal', 'USAGE') AS app;

CREATE ROLE mallory LOGIN;
CREATE SCHEMA mallory AUTHORIZATION mallory;
CREATE FUNCTION mallory.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END
$$;
\c - mallory
SET search_path = mallory;
CREATE TABLE t (id text, created_by text);
CREATE TYPE pair AS (a text);
CREATE TYPE word AS ENUM ('a');
CREATE FUNCTION plain() RETURNS text LANGUAGE sql STABLE AS 'SELECT NULL::text';
CREATE VIEW tries AS SELECT statement, attempt(statement) AS outcome FROM unnest(ARRAY[
    -- as estimators of operators, as planner support, as the functions of types, of casts and of aggregates
    'SELECT neon_auth_internal.once_per_query(NULL)',
    'CREATE OPERATOR @@@ (RIGHTARG = text, FUNCTION = auth.is_team_member, RESTRICT = neon_auth_internal.once_per_query)',
    'CREATE OPERATOR @@@ (RIGHTARG = text, FUNCTION = auth.is_team_member, RESTRICT = auth.user_id)',
    'ALTER FUNCTION plain() SUPPORT neon_auth_internal.once_per_query',
    'ALTER FUNCTION plain() SUPPORT auth.user_id',
    'CREATE FUNCTION mine(internal) RETURNS internal LANGUAGE c AS ''neon_auth'', ''once_per_query_wrapper''',
    'CREATE FUNCTION mine(text) RETURNS internal LANGUAGE internal AS ''textin''',
    'CREATE TYPE odd (INPUT = auth.is_team_member, OUTPUT = auth.user_id)',
    'CREATE CAST (pair AS boolean) WITH FUNCTION auth.is_team_member(text)',
    'CREATE CAST (word AS boolean) WITH FUNCTION auth.is_team_member(text)',
    'CREATE CAST (varchar AS boolean) WITH FUNCTION auth.is_team_member(text)',
    'CREATE CAST (pair AS text) WITHOUT FUNCTION',
    'CREATE AGGREGATE a (text) (SFUNC = auth.has_permission, STYPE = text)',
    'CREATE AGGREGATE a (*) (SFUNC = neon_auth_internal.once_per_query, STYPE = internal)',
    'CREATE OPERATOR CLASS c FOR TYPE pair USING hash AS FUNCTION 1 auth.is_team_member(text)',
    -- as triggers
    'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION auth.stamp()',
    'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION neon_auth_internal.keep_name()',
    'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.better_auth_changed()',
    'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.trust_changed()',
    'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION auth.user_id()',
    'SELECT auth.stamp()',
    -- where only what never changes may be
    'CREATE INDEX ON t (auth.user_id())',
    'CREATE INDEX ON t (auth.is_team_member(id))',
    'ALTER TABLE t ADD generated text GENERATED ALWAYS AS (auth.user_id()) STORED',
    'CREATE TABLE p (id text) PARTITION BY LIST (auth.is_team_member(id))',
    -- with columns of her own
    'SELECT * FROM auth.profile() AS p(id int)',
    'SELECT * FROM neon_auth_internal.counters() AS c(a text)'
]) AS statement;
SELECT * FROM tries;
-- What can be attached is called as itself, with arguments of its types: operators, aggregates and window functions.
CREATE OPERATOR |> (LEFTARG = text, RIGHTARG = boolean, FUNCTION = auth.authenticate);
CREATE OPERATOR ?> (LEFTARG = text, RIGHTARG = text, FUNCTION = auth.has_permission, RESTRICT = eqsel, JOIN = eqjoinsel);
CREATE AGGREGATE signed_in (boolean) (SFUNC = auth.authenticate, STYPE = text);
CREATE AGGREGATE signed_in_as (boolean) (SFUNC = auth.authenticate, STYPE = text, INITCOND = 'no token');
BEGIN;
SELECT :'alice' |> true;
SELECT auth.user_id(), count(*) FROM pg_class WHERE relname::text ?> 'team' GROUP BY 1;
COMMIT;
SELECT auth.user_id() IS NULL AS nobody;
SELECT auth.authenticate(:'alice', false);
-- An aggregate over NULL signs out, as auth.authenticate(NULL) does; with another state the text is refused.
SELECT signed_in(true), signed_in(true) OVER () FROM generate_series(1, 2) GROUP BY ();
SELECT auth.user_id() IS NULL AS nobody;
SELECT auth.authenticate(:'alice', false);
\set VERBOSITY terse
SELECT signed_in_as(true) FROM generate_series(1, 2);
\set VERBOSITY default
SELECT auth.user_id() IS NULL AS nobody;
-- auth.stamp() in each kind of trigger that she can create: it stamps, or says that it is misused.
CREATE TABLE parent (id int PRIMARY KEY, created_by text);
CREATE TABLE child (id int REFERENCES parent ON DELETE CASCADE ON UPDATE CASCADE, created_by text);
CREATE VIEW seen AS SELECT * FROM parent;
CREATE FUNCTION with_trigger(called text, trigger text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome text;
BEGIN
    EXECUTE format('CREATE %s EXECUTE FUNCTION auth.stamp(%s)', trigger, called);
    EXECUTE statement;
    SET CONSTRAINTS ALL IMMEDIATE;
    RAISE SQLSTATE '99999';
EXCEPTION WHEN SQLSTATE '99999' THEN RETURN 'done';
    WHEN OTHERS THEN RETURN sqlstate;
END
$$;
INSERT INTO parent VALUES (1, 'x');
INSERT INTO child VALUES (1, 'x');
SELECT t.trigger, with_trigger(t.called, t.trigger, t.statement) AS outcome FROM (VALUES
    ('''a'', ''b''', 'TRIGGER x BEFORE INSERT ON parent FOR EACH ROW', 'INSERT INTO parent VALUES (2)'),
    ('', 'TRIGGER x BEFORE UPDATE OF id ON child FOR EACH ROW', 'UPDATE parent SET id = 3'),
    ('', 'TRIGGER x BEFORE DELETE ON child FOR EACH ROW', 'DELETE FROM parent'),
    ('', 'TRIGGER x BEFORE TRUNCATE ON child', 'TRUNCATE child'),
    ('', 'TRIGGER x BEFORE INSERT ON parent', 'INSERT INTO parent VALUES (2)'),
    ('', 'TRIGGER x AFTER INSERT ON parent FOR EACH ROW', 'INSERT INTO parent VALUES (2)'),
    ('', 'TRIGGER x AFTER UPDATE ON parent REFERENCING OLD TABLE AS o NEW TABLE AS n', 'UPDATE parent SET id = 3'),
    ('', 'CONSTRAINT TRIGGER x AFTER INSERT ON parent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW', 'INSERT INTO parent VALUES (2)'),
    ('', 'TRIGGER x INSTEAD OF UPDATE ON seen FOR EACH ROW', 'UPDATE seen SET id = 3'),
    ('', 'TRIGGER x INSTEAD OF DELETE ON seen FOR EACH ROW', 'DELETE FROM seen')) AS t(called, trigger, statement);

-- A superuser cannot call the planner's function either. Attached to another function, it leaves the requests alone that
-- are not its own, and calls with columns of a row.
\set VERBOSITY terse
\c - postgres
-- The second expected file is of minor releases without the cure of CVE-2026-14680.
SELECT neon_auth_internal.once_per_query(NULL);
\echo :SQLSTATE
SELECT neon_auth_internal.once_per_query(NULL::internal);
\echo :SQLSTATE
CREATE FUNCTION mallory.compare(text, text) RETURNS boolean LANGUAGE plpgsql STABLE SUPPORT neon_auth_internal.once_per_query AS 'BEGIN RETURN $1 = $2; END';
SELECT count(*) FROM pg_class c JOIN pg_class d ON mallory.compare(c.relname, d.relname) WHERE mallory.compare(c.relname, 'pg_class');
SET client_min_messages = warning;
DROP SCHEMA mallory CASCADE;
DROP ROLE mallory;
DROP VIEW functions;
