-- The values that a provider demands of claims, and anonymous users of any issuer.
\set SHOW_CONTEXT never
\set jwks `"$STACK" jwks --alg RS256`
\set access `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --without aud --claim 'client_id="abc"' --claim 'token_use="access"' --claim 'n=1234567890123456789' --claim 'groups=["a","b"]'`
\set other `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --without aud --claim 'client_id="xyz"' --claim 'token_use="access"' --claim 'n=1234567890123456788' --claim 'groups=["c"]'`
\set id_token `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="abc"' --claim 'token_use="id"'`
SELECT set_config('test.access', :'access', false) IS NOT NULL AND set_config('test.other', :'other', false) IS NOT NULL
   AND set_config('test.id', :'id_token', false) IS NOT NULL AS tokens_at_hand;
CREATE FUNCTION pg_temp.try(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN auth.authenticate(current_setting('test.' || name));
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END
$$;
CREATE FUNCTION pg_temp.under(demand jsonb) RETURNS TABLE (access text, other text, id text) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE neon_auth.providers SET required_claims = demand WHERE name = 'idp';
    RETURN QUERY SELECT pg_temp.try('access'), pg_temp.try('other'), pg_temp.try('id');
END
$$;
BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks', required_claims => '{"client_id": ["abc", "def"], "token_use": "access"}');
\pset format unaligned
SELECT demand, tried.*
  FROM unnest(ARRAY['{}', '{"client_id": ["abc", "def"], "token_use": "access"}', '{"client_id": "abc"}', '{"client_id": null}', '["client_id", "token_use"]', '[]',
                    '{"n": 1234567890123456789}', '{"n": "1234567890123456789"}', '{"groups": ["b", "z"]}', '{"aud": "abc"}']) WITH ORDINALITY AS d(demand, n),
       LATERAL pg_temp.under(demand::jsonb) AS tried
 ORDER BY n;
\pset format aligned
UPDATE neon_auth.providers SET required_claims = '{"client_id": ["abc", "def"], "token_use": "access"}' WHERE name = 'idp';
SAVEPOINT s;
SELECT auth.authenticate(:'other');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'other') WHERE step = 'required claims';
ROLLBACK;

-- Anonymous and restricted users of any kind of provider, each by its own flag.
\set anonymous `"$STACK" token --sub a1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="authenticated"' --claim is_anonymous=true`
\set text `"$STACK" token --sub a2 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'is_anonymous="true"'`
\set odd `"$STACK" token --sub a3 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'is_anonymous=1'`
\set restricted `"$STACK" token --sub r1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim is_restricted=true`
\set firebase `"$STACK" token --sub f1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'firebase={"sign_in_provider": "anonymous"}'`
\set google `"$STACK" token --sub f2 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'firebase={"sign_in_provider": "google.com"}'`
CREATE TEMP TABLE tokens (n int, name text, token text);
INSERT INTO tokens VALUES (1, 'anonymous', :'anonymous'), (2, 'by a text', :'text'), (3, 'by something odd', :'odd'), (4, 'restricted', :'restricted'),
    (5, 'Firebase, anonymous', :'firebase'), (6, 'Firebase, Google', :'google');
CREATE FUNCTION pg_temp.enter(given text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.authenticate(given);
    RETURN format('%s, is_anonymous: %s', auth.user_id(), coalesce(auth.is_anonymous()::text, 'unknown'));
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END
$$;
BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
SELECT name, pg_temp.enter(token) FROM tokens ORDER BY n;
UPDATE neon_auth.providers SET allow_anonymous = true WHERE name = 'idp';
SELECT name, pg_temp.enter(token) FROM tokens ORDER BY n;
UPDATE neon_auth.providers SET allow_anonymous = false, allow_restricted = true WHERE name = 'idp';
SELECT name, pg_temp.enter(token) FROM tokens ORDER BY n;
UPDATE neon_auth.providers SET claim_map = '{"is_anonymous": {"firebase.sign_in_provider": "anonymous"}}' WHERE name = 'idp';
SELECT name, pg_temp.enter(token) FROM tokens WHERE n >= 5 ORDER BY n;
UPDATE neon_auth.providers SET allow_anonymous = true WHERE name = 'idp';
SELECT name, pg_temp.enter(token) FROM tokens WHERE n >= 5 ORDER BY n;
-- Users that the mirror knows as deleted, too, whatever the kind.
SELECT neon_auth.upsert_user('{"id": "f2"}');
SELECT neon_auth.delete_user('f2');
UPDATE neon_auth.providers SET reject_deleted_users = true WHERE name = 'idp';
SELECT name, pg_temp.enter(token) FROM tokens WHERE n >= 5 ORDER BY n;
ROLLBACK;
