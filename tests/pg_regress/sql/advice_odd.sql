-- Odd policies and functions: advice reports the others, and runs nobody's code with its own rights.
BEGIN;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO PUBLIC;
CREATE PROCEDURE advised.make(name text, condition text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE advised.%I (owner text NOT NULL)', name);
    EXECUTE format('CREATE INDEX ON advised.%I (owner)', name);
    EXECUTE format('ALTER TABLE advised.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY p ON advised.%I FOR SELECT USING (%s)', name, condition);
    EXECUTE format('GRANT SELECT ON advised.%I TO authenticated', name);
END
$$;
-- PostgreSQL runs an IMMUTABLE function while it plans. It runs as a role of the application, in its limits.
CREATE FUNCTION advised.told(who text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE NOTICE 'run as %', current_user;
    RETURN true;
END
$$;
CREATE FUNCTION advised.resets(who text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RESET ROLE;
    EXECUTE 'RESET SESSION AUTHORIZATION';
    RAISE NOTICE 'reset to %', current_user;
    RETURN true;
END
$$;
CREATE FUNCTION advised.writes(who text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT advised.told($1)';
CREATE FUNCTION advised.raises(who text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RAISE 'an error of its own' USING ERRCODE = 'query_canceled';
END
$$;
CREATE FUNCTION advised.recurses(who text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT auth.user_id() IS NULL';
CREATE OR REPLACE FUNCTION advised.recurses(who text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT advised.recurses(who)';
CREATE DOMAIN advised.checked AS text CHECK (advised.told(VALUE));
CREATE FUNCTION advised.answers(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RAISE NOTICE ''operator as %'', current_user; RETURN true; END';
CREATE OPERATOR advised.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = advised.answers);

CALL advised.make('told', 'advised.told(''x'') AND owner = auth.user_id()');
CALL advised.make('told_sql', 'advised.writes(''x'') AND owner = auth.user_id()');
CALL advised.make('told_nobody', 'advised.told(auth.user_id()) AND owner = auth.user_id()');
CALL advised.make('resets', 'advised.resets(''x'') AND owner = auth.user_id()');
CALL advised.make('raises', 'advised.raises(''x'') OR owner = auth.user_id()');
CALL advised.make('raises_open', 'auth.user_id() IS NULL OR advised.raises(''x'')');
CALL advised.make('recurses', 'advised.recurses(owner)');
CALL advised.make('domain', 'coalesce(auth.user_id()::advised.checked, ''x'') = owner');
CALL advised.make('operator', 'auth.user_id() OPERATOR(advised.===) ''x'' AND owner = auth.user_id()');
CALL advised.make('divides', '1 / (length(''a'') - 1) > 0 OR owner = auth.user_id()');
CALL advised.make('itself', 'owner IN (SELECT i.owner FROM advised.told i)');
CALL advised.make('"Od'' d"; --', 'auth.user_id() IS NULL');
SELECT severity, code, object FROM neon_auth.advice WHERE object LIKE '%advised.%' AND severity <> 'info';
-- Without such a role, or if it is a superuser, nothing is run.
ALTER ROLE authenticated SUPERUSER;
REVOKE authenticated FROM app;
GRANT SELECT ON ALL TABLES IN SCHEMA advised TO PUBLIC;
DROP OWNED BY anonymous;
DROP ROLE anonymous;
SELECT severity, code, object FROM neon_auth.advice WHERE object LIKE '%advised.%' AND severity <> 'info';
ALTER ROLE authenticated NOSUPERUSER;
SELECT object, remedy, outcome FROM public.follow_advice('%Od%') WHERE code = 'passes_without_user';
ROLLBACK;

-- A policy that is nested too deeply for a walk through it gives no finding, and the others are found.
BEGIN;
CREATE TABLE deep (owner text);
CREATE TABLE beside (id int);
ALTER TABLE deep ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON deep, beside TO authenticated;
SET LOCAL max_stack_depth = '6MB';
DO $$BEGIN EXECUTE format('CREATE POLICY p ON deep USING (owner%s = auth.user_id())', repeat(' || owner', 1500)); END$$;
SET LOCAL max_stack_depth = '200kB';
SELECT code, object FROM neon_auth.advice WHERE object ~ 'deep|beside';
ROLLBACK;

-- A cancel is not taken for an error of a policy.
BEGIN;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO PUBLIC;
CREATE FUNCTION advised.sleeps(who text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(60); RETURN true; END';
CREATE TABLE advised.slow (owner text NOT NULL);
ALTER TABLE advised.slow ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON advised.slow FOR SELECT USING (advised.sleeps('x'));
GRANT SELECT ON advised.slow TO authenticated;
\set SHOW_CONTEXT never
SET LOCAL statement_timeout = '200ms';
SELECT count(*) FROM neon_auth.advice;
ROLLBACK;
