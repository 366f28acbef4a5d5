-- The keys in jwks_cache serve while they are fresh, and for a while beyond when the key server
-- is out of reach. No key server is asked here: an attempt was made just now, and attempts have pauses.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set alice `"$STACK" token --sub alice`
\set jwks `"$STACK" jwks`
\set forged `"$STACK" token --seed forger --sub mallory`
BEGIN;
SET LOCAL neon_auth.jwks_cooldown = '1 h';
SET LOCAL neon_auth.jwks_max_stale = '1 h';
UPDATE neon_auth.providers SET jwks = NULL, jwks_url = 'https://keys.example.com/jwks.json';
INSERT INTO neon_auth.jwks_cache (provider, jwks_url, jwks, fetched_at, fresh_until, attempted_at)
VALUES ('stack', 'https://keys.example.com/jwks.json', :'jwks', now(), now() + interval '10 min', now());
SELECT auth.authenticate(:'alice');
SAVEPOINT s;
SELECT auth.authenticate(:'forged');
\echo :SQLSTATE
ROLLBACK TO s;
-- Past their time, within what is granted beyond it, and past that too
UPDATE neon_auth.jwks_cache SET fetched_at = now() - interval '1 h', fresh_until = now() - interval '50 min';
SELECT auth.authenticate(:'alice');
UPDATE neon_auth.jwks_cache SET fetched_at = now() - interval '2 h', fresh_until = now() - interval '61 min';
SAVEPOINT s;
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.user_id() IS NULL AS nobody;
SET LOCAL neon_auth.jwks_max_stale = '2 h';
SELECT auth.authenticate(:'alice');
-- Fetched in the future: by a clock that was wrong, and not to be trusted
UPDATE neon_auth.jwks_cache SET fetched_at = now() + interval '1 h', fresh_until = now() + interval '2 h';
SAVEPOINT s;
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK TO s;
-- A set without keys, and no set at all
UPDATE neon_auth.jwks_cache SET fetched_at = now(), fresh_until = now() + interval '10 min', jwks = '{"keys": []}';
SAVEPOINT s;
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.jwks_cache SET jwks = NULL, fetched_at = NULL, fresh_until = NULL, last_error = 'The key server returned status 500.';
SAVEPOINT s;
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK TO s;
-- Dropped with their provider
SELECT neon_auth.drop_provider('stack');
SELECT count(*) FROM neon_auth.jwks_cache;
ROLLBACK;
-- Pinned keys have no age and nothing to fetch.
SELECT neon_auth.refresh_jwks('stack');
SELECT neon_auth.refresh_jwks();
SELECT neon_auth.refresh_jwks('nobody');
\echo :SQLSTATE
-- Without a provider there is more amiss.
BEGIN;
DELETE FROM neon_auth.providers;
SELECT neon_auth.refresh_jwks();
\echo :SQLSTATE
ROLLBACK;
-- A host without an address. Its label has 64 characters, so no name server is asked.
BEGIN;
SELECT neon_auth.add_provider('nowhere', '{https://nowhere.example.com}', '{neon}',
                              jwks_url => format('https://%s.invalid/keys', repeat('a', 64)));
DO $$
DECLARE
    said text;
BEGIN
    PERFORM neon_auth.refresh_jwks('nowhere');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RAISE NOTICE '%', split_part(said, ':', 1);
END
$$;
ROLLBACK;
