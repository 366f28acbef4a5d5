-- An identity that has run out is an error at the next statement, not silence and not an answer.
\set SHOW_CONTEXT never
\set VERBOSITY terse
CREATE SCHEMA expiry;
CREATE TABLE expiry.t (owner text);
INSERT INTO expiry.t VALUES ('alice');

-- Long past
BEGIN;
SELECT auth.impersonate('alice', '{"exp": 1}');
SAVEPOINT s;
SELECT auth.user_id();
\echo :SQLSTATE
ROLLBACK TO s;
SELECT count(*) FROM expiry.t WHERE owner = auth.user_id();
\echo :SQLSTATE
ROLLBACK TO s;
-- As long past as can be
SELECT auth.impersonate('alice', '{"exp": -9223372036854775808}');
SELECT auth.user_id();
\echo :SQLSTATE
ROLLBACK TO s;
-- Every reader refuses alike.
DO $$
DECLARE
    reader text;
BEGIN
    FOR reader IN
        SELECT p.oid::regproc FROM pg_proc p
         WHERE p.pronamespace = 'auth'::regnamespace AND p.provolatile = 's' AND p.pronargs = 0
         ORDER BY p.oid::regproc::text COLLATE "C"
    LOOP
        BEGIN
            EXECUTE format('SELECT %s()', reader);
            RAISE WARNING '% answers', reader;
        EXCEPTION WHEN invalid_authorization_specification THEN
            NULL;
        END;
    END LOOP;
END
$$;
SELECT auth.claim('sub');
\echo :SQLSTATE
ROLLBACK TO s;
-- The way out: a new identity, or none.
SELECT auth.impersonate('bob');
SELECT auth.user_id();
ROLLBACK TO s;
SELECT auth.logout();
SELECT auth.user_id() IS NULL AS nobody;
COMMIT;

-- The second in which it expires: signed in now, refused once the time has come. The statement
-- that waits for it goes on as it began.
BEGIN;
SELECT auth.impersonate('alice', jsonb_build_object('exp', ceil(extract(epoch FROM clock_timestamp()))::bigint + 2));
SELECT auth.user_id();
SELECT before, after
  FROM (SELECT auth.user_id() AS before) AS b,
       LATERAL (SELECT pg_sleep(3.1 + length(before) * 0)) AS waited,
       LATERAL (SELECT auth.user_id() AS after WHERE pg_sleep IS NOT NULL) AS a;
SELECT auth.user_id();
\echo :SQLSTATE
ROLLBACK;

-- DETAIL says since when, HINT what to do.
BEGIN;
SELECT auth.impersonate('alice', jsonb_build_object('exp', floor(extract(epoch FROM now()))::bigint - 100));
DO $$
DECLARE
    detail text;
    hint text;
BEGIN
    PERFORM auth.user_id();
EXCEPTION WHEN invalid_authorization_specification THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RAISE NOTICE '%', regexp_replace(detail, '10\d s', 'SOME s');
    RAISE NOTICE '%', hint;
END
$$;
ROLLBACK;

-- A token's identity lasts for the leeway longer, as long as it would be accepted.
\set token `"$STACK" token --sub alice --now $(($(date +%s) - 605))`
BEGIN;
SELECT auth.authenticate(:'token');
SELECT auth.user_id(), auth.expires_at() < now() AS expired;
ROLLBACK;

-- Without exp there is no end.
BEGIN;
SELECT auth.impersonate('alice', '{"exp": 9000000000000}');
SELECT auth.user_id();
SELECT auth.impersonate('alice');
SELECT auth.user_id(), auth.expires_at();
ROLLBACK;

DROP TABLE expiry.t;
DROP SCHEMA expiry;
