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

-- Refusals that somebody can do something about say what.
\c - postgres
\set jwks `"$STACK" jwks --alg RS256`
\set id_token `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="client"'`
\set no_aud `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --without aud`
\set no_plan `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="api"'`
\set unknown `"$STACK" token --seed forger --sub u1 --claim 'iss="https://idp.example.com"'`
CREATE FUNCTION pg_temp.hint_for(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    PERFORM neon_auth.verify_jwt(token);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN format('%s %s. %s', sqlstate, sqlerrm, hint);
END
$$;
BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', '{api}', jwks => :'jwks', required_claims => '["plan"]');
SELECT name, pg_temp.hint_for(token)
  FROM (VALUES (1, 'an ID token', :'id_token'), (2, 'no aud', :'no_aud'), (3, 'no required claim', :'no_plan'), (4, 'a pinned key', :'unknown'),
               (5, 'opaque', 'ya29.a0AfB_byC'), (6, 'HS256', 'eyJhbGciOiJIUzI1NiJ9.e30.c2ln'), (7, 'signature', regexp_replace(:'no_plan', '[.][^.]+$', '.' || repeat('A', 342)))) AS v(n, name, token)
 ORDER BY n;
SELECT detail FROM neon_auth.inspect_jwt(:'no_aud') WHERE step = 'outcome';
UPDATE neon_auth.providers SET max_lifetime = '1 s' WHERE name = 'idp';
SELECT pg_temp.hint_for(:'no_plan');
ROLLBACK;
