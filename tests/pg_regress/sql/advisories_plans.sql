-- CVE-2016-2193, CVE-2023-2455, CVE-2024-10976: a plan that was made for one role is executed for another, with the
-- policies of the first. Here the role comes with the token, and the readers are in policies of each role. A query reads
-- the table in every place where the planner puts one query into another.
\set SHOW_CONTEXT never
\pset null -
CREATE ROLE reviewer NOLOGIN;
CREATE ROLE gateway LOGIN NOINHERIT;
GRANT authenticated, reviewer TO gateway;
UPDATE neon_auth.providers SET role_claim = 'pg_role', allowed_roles = '{authenticated,reviewer}';
\set alice `"$STACK" token --sub alice --claim 'pg_role="authenticated"'`
\set bob `"$STACK" token --sub bob --claim 'pg_role="authenticated"'`
\set rita `"$STACK" token --sub rita --claim 'pg_role="reviewer"'`
\set bad `"$STACK" token --sub rita --claim 'pg_role="reviewer"' --aud other`
CREATE SCHEMA plans;
GRANT USAGE ON SCHEMA plans TO PUBLIC;
SET search_path = plans;
CREATE TABLE notes (id int PRIMARY KEY, user_id text NOT NULL, in_review boolean NOT NULL);
INSERT INTO notes SELECT n, CASE WHEN n <= 3 THEN 'alice' ELSE 'bob' END, n % 2 = 0 FROM generate_series(1, 10) AS n;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes TO authenticated USING (user_id = auth.user_id());
CREATE POLICY in_review ON notes TO reviewer USING (in_review AND auth.user_id() = 'rita');
-- Also the login role, and whoever is nobody, may ask.
GRANT SELECT ON notes TO PUBLIC;
CREATE FUNCTION in_sql() RETURNS SETOF int LANGUAGE sql STABLE AS 'SELECT id FROM plans.notes';
CREATE FUNCTION in_plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM plans.notes); END';
CREATE FUNCTION as_argument(bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT $1 + (SELECT count(*) FROM plans.notes)';
\c - gateway
SET search_path = plans;
SET plan_cache_mode = force_generic_plan;
PREPARE places AS
    WITH in_with AS MATERIALIZED (SELECT id FROM notes), from_with AS (SELECT id FROM notes)
    SELECT (SELECT count(*) FROM notes) AS directly, (SELECT count(*) FROM in_with) AS in_with, (SELECT count(*) FROM from_with) AS from_with,
           (SELECT count(*) FROM in_sql()) AS in_sql, in_plpgsql(), as_argument(0),
           (SELECT count(*) FROM generate_series(1, 10) AS n WHERE EXISTS (SELECT FROM notes WHERE id = n)) AS in_exists,
           (SELECT count(*) FROM (SELECT id FROM notes UNION ALL SELECT id FROM notes) AS u) / 2 AS in_union,
           (SELECT count(*) FROM generate_series(1, 10) AS n WHERE n IN (SELECT id FROM notes)) AS in_list,
           (SELECT sum(x.c) FROM (VALUES (1)) AS v(one) CROSS JOIN LATERAL (SELECT count(*) FROM notes WHERE id > v.one - 1) AS x(c)) AS in_lateral,
           current_user AS role;
CREATE PROCEDURE pg_temp.ask(token text) LANGUAGE plpgsql AS $$ BEGIN PERFORM auth.authenticate(token, false); END $$;
-- Made for one role, executed for the next, and back.
CALL pg_temp.ask(:'rita');
EXECUTE places;
CALL pg_temp.ask(:'alice');
EXECUTE places;
CALL pg_temp.ask(:'bob');
EXECUTE places;
CALL pg_temp.ask(:'rita');
EXECUTE places;
SELECT auth.logout();
EXECUTE places;
-- After a refused token, the role that was planned for does not come back.
CALL pg_temp.ask(:'rita');
EXECUTE places;
\set VERBOSITY terse
CALL pg_temp.ask(:'bad');
\set VERBOSITY default
SELECT auth.logout();
EXECUTE places;
-- Within one transaction, also if the role changes by SET ROLE.
BEGIN;
CALL pg_temp.ask(:'alice');
EXECUTE places;
SET LOCAL ROLE reviewer;
EXECUTE places;
SAVEPOINT s;
CALL pg_temp.ask(:'rita');
EXECUTE places;
ROLLBACK TO s;
EXECUTE places;
ROLLBACK;
EXECUTE places;
SELECT generic_plans > 5 AND custom_plans = 0 AS generic FROM pg_prepared_statements WHERE name = 'places';
\c - postgres
UPDATE neon_auth.providers SET role_claim = NULL, allowed_roles = '{}';
SET client_min_messages = warning;
DROP SCHEMA plans CASCADE;
DROP ROLE reviewer, gateway;
