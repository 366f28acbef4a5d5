-- Readers under the names that issuers have for their claims.
\set SHOW_CONTEXT never
\pset null -
\set jwks `"$STACK" jwks --alg RS256`
CREATE FUNCTION pg_temp.readers() RETURNS TABLE (reader text, value text) STABLE LANGUAGE sql AS $$
    VALUES ('user_id', auth.user_id()), ('role', auth.role()), ('email', auth.email()), ('email_verified', auth.email_verified()::text),
           ('is_anonymous', auth.is_anonymous()::text), ('selected_team_id', auth.selected_team_id()), ('organization', auth.organization()::text),
           ('organization_id', auth.organization_id()::text), ('session_id', auth.session_id())
$$;
\set clerk `"$STACK" token --sub user_1 --alg RS256 --claim 'iss="https://clerk.example.com"' --claim 'o={"id":"org_1","rol":"admin","slg":"acme"}' --claim 'email="own@example.com"'`
\set workos `"$STACK" token --sub user_2 --alg RS256 --claim 'iss="https://workos.example.com"' --claim 'org_id="5a1f3c5e-1b7c-4a5e-9c83-3f0a8e7d6b21"' --claim 'role="member"'`
\set cognito `"$STACK" token --sub user_3 --alg RS256 --claim 'iss="https://cognito.example.com"' --claim 'cognito:username="alice"' --claim 'cognito:groups=["admins","users"]' --claim 'email_verified="true"'`
\set auth0 `"$STACK" token --sub 'auth0|4' --alg RS256 --claim 'iss="https://auth0.example.com/"' --claim 'https://shop.example.com/role="editor"' --claim 'https://shop.example.com/claims={"mail":"a@example.com","verified":true,"team.id":"t1"}'`
BEGIN;
SELECT neon_auth.add_provider('clerk', '{https://clerk.example.com}', jwks => :'jwks',
    claim_map => '{"organization": {"id": "o.id", "role": "o.rol", "slug": "o.slg"}, "role": "o.rol", "selected_team_id": "o.id", "email": "absent"}');
SELECT neon_auth.add_provider('workos', '{https://workos.example.com}', jwks => :'jwks', claim_map => '{"organization": "org_id", "selected_team_id": "org_id"}');
SELECT neon_auth.add_provider('cognito', '{https://cognito.example.com}', jwks => :'jwks', claim_map => '{"selected_team_id": "cognito:groups.0", "email": "cognito:username", "session_id": "cognito:groups.1"}');
SELECT neon_auth.add_provider('auth0', '{https://auth0.example.com/}', jwks => :'jwks',
    claim_map => '{"role": "https://shop.example.com/role", "email": "\"https://shop.example.com/claims\".mail", "email_verified": "\"https://shop.example.com/claims\".verified", "selected_team_id": "\"https://shop.example.com/claims\".\"team.id\""}');
SELECT auth.authenticate(:'clerk');
SELECT * FROM pg_temp.readers();
SELECT auth.authenticate(:'workos');
SELECT * FROM pg_temp.readers();
SELECT auth.authenticate(:'cognito');
SELECT * FROM pg_temp.readers();
SELECT auth.authenticate(:'auth0');
SELECT * FROM pg_temp.readers();

-- The claims themselves are as they were signed.
SELECT auth.claim('email') AS email, auth.jwt() ? 'https://shop.example.com/role' AS has_role;
-- With a rollback comes back what was read before, from the setting's text.
SAVEPOINT s;
SELECT auth.authenticate(:'clerk');
SELECT auth.email(), auth.role();
ROLLBACK TO s;
SELECT auth.email(), auth.role(), auth.selected_team_id();
-- Another map counts for the next token, also for one that was seen before.
UPDATE neon_auth.providers SET claim_map = '{"email": "https://shop.example.com/role"}' WHERE name = 'auth0';
SELECT auth.email();
SELECT auth.authenticate(:'auth0');
SELECT auth.email();
-- No claim reaches a mapped reader but that of the map, whatever a token contains.
\set trap `"$STACK" token --sub user_5 --alg RS256 --claim 'iss="https://clerk.example.com"' --claim 'mapped={"role":"admin","email":"trap@example.com"}' --claim 'o.rol="admin"' --claim 'o={"id":1,"rol":["admin"]}'`
SELECT auth.authenticate(:'trap');
SELECT * FROM pg_temp.readers();
ROLLBACK;

-- Parallel workers read the same.
CREATE TABLE numbers AS SELECT generate_series(1, 10000) AS i;
GRANT SELECT ON numbers TO PUBLIC;
SELECT neon_auth.add_provider('clerk', '{https://clerk.example.com}', jwks => :'jwks', claim_map => '{"organization": {"id": "o.id"}, "email": "o.slg"}');
SELECT auth.authenticate(:'clerk', false);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
CREATE FUNCTION email_of(i int) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN auth.email() || auth.organization(); END $$;
EXPLAIN (COSTS OFF) SELECT count(*), min(email_of(i)), max(email_of(i)) FROM numbers WHERE i > 0;
SELECT count(*), min(email_of(i)), max(email_of(i)) FROM numbers WHERE i > 0;
SELECT auth.logout();
SELECT neon_auth.drop_provider('clerk');
DELETE FROM neon_auth.users_sync;
DROP FUNCTION email_of(int);
DROP TABLE numbers;
