-- An issuer for each tenant, and several providers of one issuer.
\set SHOW_CONTEXT never
\set jwks `"$STACK" jwks --alg RS256`
\set t1 `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://login.microsoftonline.com/t-1/v2.0"' --claim 'tid="t-1"' --claim 'aud="app"'`
\set t2 `"$STACK" token --sub u2 --alg RS256 --claim 'iss="https://login.microsoftonline.com/t-2/v2.0"' --claim 'tid="t-2"' --claim 'aud="app"'`
\set t3 `"$STACK" token --sub u3 --alg RS256 --claim 'iss="https://login.microsoftonline.com/t-3/v2.0"' --claim 'tid="t-3"' --claim 'aud="app"'`
\set lie `"$STACK" token --sub u4 --alg RS256 --claim 'iss="https://login.microsoftonline.com/t-1/v2.0"' --claim 'tid="t-2"' --claim 'aud="app"'`
\set none `"$STACK" token --sub u5 --alg RS256 --claim 'iss="https://login.microsoftonline.com/t-1/v2.0"' --claim 'aud="app"'`
\set braces `"$STACK" token --sub u6 --alg RS256 --claim 'iss="https://login.microsoftonline.com/{tid}/v2.0"' --claim 'tid="{tid}"' --claim 'aud="app"'`
CREATE TEMP TABLE tokens (n int, name text, token text);
INSERT INTO tokens VALUES (1, 't-1', :'t1'), (2, 't-2', :'t2'), (3, 't-3, not listed', :'t3'), (4, 't-1, tid of t-2', :'lie'),
    (5, 't-1, no tid', :'none'), (6, 'the template itself', :'braces');
CREATE FUNCTION pg_temp.try(given text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.authenticate(given);
    RETURN format('%s by %s', auth.user_id(), auth.provider());
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END
$$;
BEGIN;
SELECT neon_auth.add_provider('entra', ARRAY['https://login.microsoftonline.com/{tid}/v2.0'], '{app}', jwks => :'jwks',
                              required_claims => '{"tid": ["t-1", "t-2"]}');
SELECT name, pg_temp.try(token) FROM tokens ORDER BY n;
-- A list that changes counts at once.
UPDATE neon_auth.providers SET required_claims = '{"tid": "t-3"}' WHERE name = 'entra';
SELECT name, pg_temp.try(token) FROM tokens ORDER BY n;
-- One tenant may have a provider of its own only where its tokens can be told apart.
SAVEPOINT s;
SELECT neon_auth.add_provider('t3', '{https://login.microsoftonline.com/t-3/v2.0}', '{app}', jwks => :'jwks');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.add_provider('t4', '{https://login.microsoftonline.com/t-4/v2.0}', '{app}', jwks => :'jwks');
UPDATE neon_auth.providers SET required_claims = '{"tid": ["t-3", "t-4"]}' WHERE name = 'entra';
\echo :SQLSTATE
ROLLBACK TO s;
-- Nor beside one that names no audiences.
SELECT neon_auth.add_provider('all', ARRAY['https://login.example.com/{tid}'], jwks => :'jwks', required_claims => '{"tid": "t-1"}');
SELECT neon_auth.add_provider('t1', '{https://login.example.com/t-1}', '{app}', jwks => :'jwks');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.add_provider('t1', '{https://login.example.com/t-1}', '{app}', jwks => :'jwks');
SELECT neon_auth.add_provider('all', ARRAY['https://login.example.com/{tid}'], jwks => :'jwks', required_claims => '{"tid": "t-1"}');
\echo :SQLSTATE
ROLLBACK TO s;
-- Loaded with triggers disabled: without a list it claims no issuer, and beside another provider
-- of the same issuer neither is trusted.
SET LOCAL session_replication_role = replica;
UPDATE neon_auth.providers SET required_claims = '{}' WHERE name = 'entra';
SELECT name, pg_temp.try(token) FROM tokens WHERE n <= 3 ORDER BY n;
UPDATE neon_auth.providers SET required_claims = '{"tid": ["t-1", "t-2"]}' WHERE name = 'entra';
SELECT neon_auth.add_provider('t1', '{https://login.microsoftonline.com/t-1/v2.0}', '{app}', jwks => :'jwks');
SELECT name, pg_temp.try(token) FROM tokens WHERE n <= 3 ORDER BY n;
ROLLBACK;

-- Two applications of one issuer, told apart by audience.
\set shop `"$STACK" token --sub s1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"'`
\set blog `"$STACK" token --sub b1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud=["blog", "other"]'`
\set both `"$STACK" token --sub m1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud=["blog", "shop"]'`
\set other `"$STACK" token --sub o1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="other"'`
\set no_aud `"$STACK" token --sub n1 --alg RS256 --claim 'iss="https://idp.example.com"' --without aud`
TRUNCATE tokens;
INSERT INTO tokens VALUES (1, 'shop', :'shop'), (2, 'blog', :'blog'), (3, 'both', :'both'), (4, 'other', :'other'), (5, 'no audience', :'no_aud');
BEGIN;
SELECT neon_auth.add_provider('shop', '{https://idp.example.com}', '{shop}', jwks => :'jwks');
SELECT name, pg_temp.try(token) FROM tokens ORDER BY n;
SELECT neon_auth.add_provider('blog', '{https://idp.example.com}', '{blog,news}', jwks => :'jwks', required_claims => '["sub"]');
-- Also those that were seen before.
SELECT name, pg_temp.try(token) FROM tokens ORDER BY n;
SAVEPOINT s;
SELECT auth.authenticate(:'both');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.authenticate(:'other');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.authenticate(:'no_aud');
\echo :SQLSTATE
ROLLBACK TO s;
-- A third must differ from both, and none may go without audiences.
SELECT neon_auth.add_provider('third', '{https://idp.example.com}', '{news}', jwks => :'jwks');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.add_provider('third', '{https://idp.example.com}', jwks => :'jwks');
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET audiences = '{}' WHERE name = 'shop';
\echo :SQLSTATE
ROLLBACK TO s;
-- One that cannot be used does not keep the other from its tokens.
SET LOCAL session_replication_role = replica;
UPDATE neon_auth.providers SET required_claims = '{"a": []}' WHERE name = 'blog';
SELECT name, pg_temp.try(token) FROM tokens WHERE n <= 2 ORDER BY n;
-- Without audiences nothing tells them apart.
UPDATE neon_auth.providers SET audiences = '{}' WHERE name = 'blog';
SELECT name, pg_temp.try(token) FROM tokens ORDER BY n;
ROLLBACK;
