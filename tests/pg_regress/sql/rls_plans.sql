-- A plan outlives the identity that it was made under; it must not remember it.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
\set bad `"$STACK" token --sub alice --aud other`
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO authenticated;
CREATE TABLE app.notes (id int PRIMARY KEY, user_id text NOT NULL) WITH (parallel_workers = 2);
CREATE INDEX ON app.notes (user_id);
INSERT INTO app.notes SELECT n, CASE WHEN n <= 3 THEN 'alice' ELSE 'bob' END FROM generate_series(1, 5) AS n;
ANALYZE app.notes;
GRANT SELECT ON app.notes TO authenticated;
CREATE TABLE app.others AS TABLE app.notes;
GRANT SELECT ON app.others TO authenticated;
ALTER TABLE app.others ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.others FOR SELECT TO authenticated USING (user_id = (SELECT auth.user_id()));
ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.notes FOR SELECT TO authenticated USING (user_id = auth.user_id());
CREATE FUNCTION app.who() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN auth.user_id(); END';
CREATE FUNCTION app.how_many() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM app.notes); END';
CREATE FUNCTION app.how_many_sql() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM app.notes';

\c - app
SET ROLE authenticated;
-- One plan for all
SET plan_cache_mode = force_generic_plan;
PREPARE notes AS SELECT count(*) FROM app.notes WHERE id > $1;
SELECT auth.authenticate(:'alice', false);
EXECUTE notes(0);
SELECT app.how_many(), app.how_many_sql();
SELECT auth.authenticate(:'bob', false);
EXECUTE notes(0);
SELECT app.how_many(), app.how_many_sql();
SELECT auth.logout();
EXECUTE notes(0);
SELECT app.how_many(), app.how_many_sql();
SELECT auth.authenticate(:'alice', false);
EXECUTE notes(0);
\set VERBOSITY terse
SELECT auth.authenticate(:'bad', false);
\set VERBOSITY default
EXECUTE notes(0);
SELECT app.how_many(), app.how_many_sql();
SELECT generic_plans > 0 AS generic FROM pg_prepared_statements WHERE name = 'notes';
-- Made with nobody signed in
DEALLOCATE notes;
PREPARE notes AS SELECT count(*) FROM app.notes;
EXECUTE notes;
BEGIN;
SELECT auth.authenticate(:'bob');
EXECUTE notes;
COMMIT;
EXECUTE notes;
-- A plan for each
SET plan_cache_mode = force_custom_plan;
SELECT auth.authenticate(:'alice', false);
EXECUTE notes;
SELECT auth.authenticate(:'bob', false);
EXECUTE notes;
SELECT auth.logout();
EXECUTE notes;
RESET plan_cache_mode;

-- Another role than the one that it was planned for
SET ROLE anonymous;
EXECUTE notes;
\echo :SQLSTATE
SET ROLE authenticated;

-- Parallel workers act as the leader does. The reader is evaluated in the leader, where the
-- planner lifts it out of the scan, and in the workers inside a function.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET parallel_leader_participation = off;
DEALLOCATE notes;
PREPARE notes AS SELECT count(*), count(*) FILTER (WHERE app.who() = user_id) AS in_worker FROM app.notes;
SELECT is_parallel('EXECUTE notes');
SET plan_cache_mode = force_generic_plan;
SELECT auth.authenticate(:'alice', false);
EXECUTE notes;
SELECT auth.authenticate(:'bob', false);
EXECUTE notes;
SELECT auth.logout();
EXECUTE notes;
RESET plan_cache_mode;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET parallel_leader_participation;
-- By the index too
SET enable_seqscan = off;
SELECT auth.authenticate(:'alice', false);
SELECT count(*) FROM app.notes;
SELECT auth.authenticate(:'bob', false);
SELECT count(*) FROM app.notes;
SELECT auth.logout();
SELECT count(*) FROM app.notes;
RESET enable_seqscan;

-- A cursor asks once who is signed in, at its first row: what one user has opened never shows
-- the next one's rows.
BEGIN;
SELECT auth.authenticate(:'alice');
DECLARE c CURSOR FOR SELECT user_id FROM app.others;
FETCH 1 FROM c;
SELECT auth.authenticate(:'bob');
FETCH ALL FROM c;
CLOSE c;
-- The same without the SELECT around the reader
SELECT auth.authenticate(:'alice');
DECLARE c CURSOR FOR SELECT user_id FROM app.notes;
FETCH 1 FROM c;
SELECT auth.authenticate(:'bob');
FETCH ALL FROM c;
CLOSE c;
SELECT auth.authenticate(:'alice');
DECLARE c CURSOR FOR SELECT user_id FROM app.notes;
FETCH 1 FROM c;
SELECT auth.logout();
FETCH ALL FROM c;
CLOSE c;
COMMIT;
BEGIN;
SELECT auth.authenticate(:'alice');
DECLARE c CURSOR WITH HOLD FOR SELECT user_id FROM app.others;
COMMIT;
-- WITH HOLD has its rows when the transaction ends, and as its user.
FETCH ALL FROM c;
CLOSE c;

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
