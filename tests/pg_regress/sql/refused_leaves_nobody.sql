-- After a refused token nobody is signed in, though the error takes back everything else: an
-- application that goes on must not act as the user before.
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
\set bad `"$STACK" token --sub bob --aud other`
\set VERBOSITY terse
\c - app
CREATE TEMP VIEW who AS SELECT auth.user_id(), auth.uid(), auth.jwt(), auth.claim('sub'), auth.expires_at();

-- By itself
SELECT auth.authenticate(:'alice', false);
SELECT auth.authenticate(:'bad', false);
SELECT * FROM who;
-- By its local form, too
SELECT auth.authenticate(:'alice', false);
SELECT auth.authenticate(:'bad');
SELECT * FROM who;

-- In a transaction that is rolled back, and in one that is committed in vain
SELECT auth.authenticate(:'alice', false);
BEGIN;
SELECT auth.authenticate(:'bad');
ROLLBACK;
SELECT * FROM who;
SELECT auth.authenticate(:'alice', false);
BEGIN;
SELECT auth.authenticate(:'bad');
COMMIT;
SELECT * FROM who;

-- In a savepoint, under identities of both scopes
SELECT auth.authenticate(:'alice', false);
BEGIN;
SELECT auth.authenticate(:'bob');
SAVEPOINT a;
SAVEPOINT b;
SELECT auth.authenticate(:'bad');
ROLLBACK TO b;
SELECT * FROM who;
ROLLBACK TO a;
SELECT * FROM who;
COMMIT;
SELECT * FROM who;

-- In an exception block, which hides the error from the client
SELECT auth.authenticate(:'alice', false);
SELECT set_config('test.bad', :'bad', false) IS NOT NULL AS token_at_hand;
CREATE FUNCTION pg_temp.try() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN auth.authenticate(current_setting('test.bad'));
EXCEPTION WHEN invalid_authorization_specification THEN
    RETURN 'refused, and signed in: ' || coalesce(auth.user_id(), 'nobody');
END
$$;
SELECT pg_temp.try();
SELECT * FROM who;
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT pg_temp.try();
SELECT * FROM who;
COMMIT;

-- pg_session_jwt's name promises the same, and so does impersonate.
SELECT auth.authenticate(:'alice', false);
SELECT auth.jwt_session_init(:'bad');
SELECT * FROM who;
\c - postgres
CREATE TEMP VIEW who AS SELECT auth.user_id(), auth.uid(), auth.jwt(), auth.claim('sub'), auth.expires_at();
SELECT auth.impersonate('alice', is_local => false);
SELECT auth.impersonate('bob', '[]', is_local => false);
SELECT * FROM who;

-- A good token after it signs in as ever, with all that belongs to it.
SELECT auth.authenticate(:'bob', false);
SELECT auth.user_id();
BEGIN;
SELECT auth.authenticate(:'alice');
SAVEPOINT s;
SELECT auth.authenticate(:'bob');
ROLLBACK TO s;
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id();

-- What rolls back past the refusal brings back nobody either.
BEGIN;
SAVEPOINT s;
SELECT auth.authenticate(:'bad');
ROLLBACK TO s;
SELECT auth.authenticate(:'alice', false);
SELECT auth.user_id();
ROLLBACK;
SELECT * FROM who;

-- Parallel workers inherit the session's settings: they must find nobody as well.
SELECT auth.authenticate(:'alice', false);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET parallel_leader_participation = off;
CREATE SCHEMA refused;
CREATE TABLE refused.t WITH (parallel_workers = 2) AS SELECT n, 'alice'::text AS owner FROM generate_series(1, 1000) AS n;
ANALYZE refused.t;
-- Keeps the reader inside the worker, whatever the planner makes of the reader.
CREATE FUNCTION refused.who() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN auth.user_id(); END';
SELECT is_parallel('SELECT count(*) FROM refused.t WHERE owner = auth.user_id()'),
       is_parallel('SELECT count(*) FROM refused.t WHERE owner = refused.who()');
SELECT count(*) FROM refused.t WHERE owner = refused.who();
SELECT count(*) FROM refused.t WHERE owner = auth.user_id();
SELECT auth.authenticate(:'bad');
SELECT count(*) FROM refused.t WHERE owner = auth.user_id();
SELECT count(*) FROM refused.t WHERE auth.user_id() IS NULL;
SELECT count(*) FROM refused.t WHERE refused.who() IS NULL;
SELECT auth.authenticate(:'alice', false);
SELECT count(*) FROM refused.t WHERE owner = auth.user_id();
-- Also where the refusal and the query are in one function.
SELECT pg_catalog.set_config('test.bad', :'bad', false) IS NOT NULL AS token_at_hand;
DO $$
DECLARE
    rows bigint;
BEGIN
    BEGIN
        PERFORM auth.authenticate(current_setting('test.bad'));
    EXCEPTION WHEN invalid_authorization_specification THEN
        SELECT count(*) INTO rows FROM refused.t WHERE owner = refused.who();
        RAISE NOTICE 'rows after the refusal: %', rows;
    END;
END
$$;
SET client_min_messages = warning;
DROP SCHEMA refused CASCADE;
