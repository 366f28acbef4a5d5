-- Anonymous and restricted users are let in only where the provider says so, each by its own flag.
\set SHOW_CONTEXT never
\set normal `"$STACK" token --sub normal`
\set restricted `"$STACK" token --sub restricted --restricted`
\set anonymous `"$STACK" token --sub anonymous --anonymous`
SELECT set_config('test.normal', :'normal', false) IS NOT NULL
   AND set_config('test.restricted', :'restricted', false) IS NOT NULL
   AND set_config('test.anonymous', :'anonymous', false) IS NOT NULL AS tokens_at_hand;
CREATE FUNCTION pg_temp.try(kind text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN coalesce(auth.authenticate(current_setting('test.' || kind)), 'nobody');
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END
$$;
BEGIN;
SELECT pg_temp.try('normal') AS normal, pg_temp.try('restricted') AS restricted, pg_temp.try('anonymous') AS anonymous;
SAVEPOINT s;
SELECT auth.authenticate(:'anonymous');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.authenticate(:'restricted');
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET allow_restricted = true;
SELECT pg_temp.try('normal') AS normal, pg_temp.try('restricted') AS restricted, pg_temp.try('anonymous') AS anonymous;
UPDATE neon_auth.providers SET allow_restricted = false, allow_anonymous = true;
SELECT pg_temp.try('normal') AS normal, pg_temp.try('restricted') AS restricted, pg_temp.try('anonymous') AS anonymous;
-- What tells them apart afterwards: the role is the same.
SELECT auth.authenticate(:'anonymous');
SELECT auth.role(), auth.is_anonymous(), auth.claim('is_restricted') AS is_restricted;
SELECT auth.authenticate(:'normal');
SELECT auth.role(), auth.is_anonymous(), auth.claim('is_restricted') AS is_restricted;

-- Issuer, audience and flags must agree on the kind, or the least would pass for more.
UPDATE neon_auth.providers SET allow_restricted = true;
SAVEPOINT s;
\set token `"$STACK" token --sub anonymous --anonymous --claim is_anonymous=false --claim is_restricted=false`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
\set token `"$STACK" token --sub anonymous --anonymous --aud 5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
\set token `"$STACK" token --sub normal --claim is_anonymous=true`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
\set token `"$STACK" token --sub normal --claim 'is_anonymous="false"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK;
