-- How long an identity lasts: as a SET LOCAL does, or as a SET does.
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
\c - app

-- Local, the default: until the transaction ends, one way or the other.
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id();
BEGIN;
SELECT auth.authenticate(:'alice');
ROLLBACK;
SELECT auth.user_id();
-- COMMIT AND CHAIN begins another transaction.
BEGIN;
SELECT auth.authenticate(:'alice');
COMMIT AND CHAIN;
SELECT auth.user_id();
COMMIT;

-- NULL is taken for the narrower scope, and with it comes the warning outside a block.
BEGIN;
SELECT auth.authenticate(:'alice', NULL);
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id();
SELECT auth.authenticate(:'alice', is_local => NULL);
SELECT auth.user_id();

-- Session: over transactions, but not without the one that it began in.
SELECT auth.authenticate(:'alice', false);
SELECT auth.user_id();
BEGIN;
SELECT auth.user_id();
ROLLBACK;
SELECT auth.user_id();
BEGIN;
SELECT auth.authenticate(:'bob', is_local => false);
SELECT auth.user_id();
ROLLBACK;
SELECT auth.user_id();
-- A local identity covers that of the session while it lasts.
BEGIN;
SELECT auth.authenticate(:'bob');
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id();
-- Signing out is for good, unless it is rolled back.
BEGIN;
SELECT auth.logout();
SELECT auth.user_id();
ROLLBACK;
SELECT auth.user_id();
BEGIN;
SELECT auth.authenticate(:'bob');
SELECT auth.logout();
COMMIT;
SELECT auth.user_id();

-- Savepoints: what is rolled back to one is undone, what is released stays.
BEGIN;
SELECT auth.authenticate(:'alice');
SAVEPOINT s;
SELECT auth.authenticate(:'bob');
ROLLBACK TO s;
SELECT auth.user_id();
SELECT auth.authenticate(:'bob');
RELEASE s;
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id();
-- Any error undoes what was done since the savepoint, not only ours.
BEGIN;
SELECT auth.authenticate(:'alice');
SAVEPOINT s;
SELECT auth.authenticate(:'bob'), 1 / 0;
ROLLBACK TO s;
SELECT auth.user_id();
COMMIT;

-- Outside a transaction block a local identity is of no use to the next statement: a warning
-- says so. It lasts for its own.
SELECT auth.authenticate(:'alice');
SELECT auth.user_id();
CREATE TEMP TABLE seen (user_id text);
WITH authenticated AS MATERIALIZED (SELECT auth.authenticate(:'alice') AS id)
INSERT INTO seen SELECT id FROM authenticated;
SELECT * FROM seen;
-- Several statements of one message, and a DO block, are one transaction: no warning.
\set SHOW_ALL_RESULTS off
SELECT auth.authenticate(:'alice') \; SELECT auth.user_id();
SELECT auth.user_id();
SELECT set_config('test.token', :'alice', false) IS NOT NULL AS token_at_hand;
DO $$
BEGIN
    PERFORM auth.authenticate(current_setting('test.token'));
    RAISE NOTICE 'in the block: %', auth.user_id();
    COMMIT;
    RAISE NOTICE 'after its COMMIT: %', auth.user_id();
END
$$;
SELECT auth.user_id();
-- A function is one statement with its caller.
CREATE FUNCTION pg_temp.signed_in() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.authenticate(current_setting('test.token'));
    RETURN auth.user_id();
END
$$;
BEGIN;
SELECT pg_temp.signed_in();
SELECT auth.user_id();
COMMIT;
-- Its exception block is a savepoint.
BEGIN;
DO $$
BEGIN
    PERFORM auth.authenticate(current_setting('test.token'));
    RAISE EXCEPTION 'for a reason of its own';
EXCEPTION WHEN raise_exception THEN
    RAISE NOTICE 'after the error: %', auth.user_id();
END
$$;
SELECT auth.user_id();
COMMIT;

-- In a READ ONLY transaction too: an identity is no data.
BEGIN READ ONLY;
SELECT auth.authenticate(:'alice');
COMMIT;
-- The session ends with its connection.
SELECT auth.authenticate(:'alice', false);
\c - app
SELECT auth.user_id();
