-- Verifying without signing in: for servers that only want the claims.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
\set bad `"$STACK" token --sub bob --aud other`
\c - stranger
SELECT neon_auth.verify_jwt(:'alice') ->> 'sub' AS sub;
SELECT auth.user_id() IS NULL AS nobody;
SELECT neon_auth.verify_jwt(NULL) IS NULL AS nothing;
-- Whoever is signed in stays so, whatever is verified.
SELECT auth.authenticate(:'alice', false);
SELECT neon_auth.verify_jwt(:'bob') ->> 'sub' AS sub, auth.user_id();
SELECT auth.user_id();
SELECT neon_auth.verify_jwt(:'bad');
\echo :SQLSTATE
SELECT auth.user_id();
BEGIN;
SELECT auth.authenticate(:'bob');
SAVEPOINT s;
SELECT neon_auth.verify_jwt('');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.user_id();
COMMIT;
-- The claims are those that authenticate would show.
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.jwt() = neon_auth.verify_jwt(:'alice') AS same;
COMMIT;
