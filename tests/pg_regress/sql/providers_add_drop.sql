-- Other issuers: what a provider may say, and what would blur who signed a token.
\set SHOW_CONTEXT never
\set jwks `"$STACK" jwks --alg RS256`
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"'`
SELECT set_config('test.jwks', :'jwks', false) IS NOT NULL AS jwks_at_hand;

-- Added, trusted at once, dropped, trusted no longer.
BEGIN;
SELECT neon_auth.verify_jwt(:'token');
\echo :SQLSTATE
ROLLBACK;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', '{shop}', jwks => :'jwks');
SELECT neon_auth.verify_jwt(:'token') ->> 'sub' AS sub;
SELECT kind, audiences, jwks_url, algorithms, typ, required_claims, max_lifetime, leeway, allow_anonymous, allow_restricted,
       role_claim, allowed_roles, default_role, claim_map, reject_deleted_users
  FROM neon_auth.providers WHERE name = 'idp';
SELECT neon_auth.drop_provider('idp');
SELECT neon_auth.verify_jwt(:'token');
\echo :SQLSTATE
SELECT neon_auth.drop_provider('idp');
\echo :SQLSTATE
-- Nor does a script whose variable is not set leave the issuer trusted in silence.
SELECT neon_auth.drop_provider(NULL);
\echo :SQLSTATE

-- Every argument reaches the column of its name.
BEGIN;
SELECT neon_auth.drop_provider('stack');
SELECT neon_auth.add_provider(name => 'all', issuers => '{a,b}', audiences => '{c}', jwks_url => 'https://idp.example.com/keys',
    algorithms => '{RS256}', kind => 'stack', project_id => 'p', typ => 'at+jwt', required_claims => '["jti"]',
    max_lifetime => '1 h', leeway => '1 s', allow_anonymous => true, allow_restricted => true,
    role_claim => 'r', allowed_roles => '{authenticated}', default_role => 'anonymous', claim_map => '{"email": "e"}', reject_deleted_users => true);
\x on
SELECT * FROM neon_auth.providers WHERE name = 'all';
\x off
ROLLBACK;

-- Refusals.
\pset format unaligned
CREATE FUNCTION pg_temp.refusal(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    rule text;
    detail text;
BEGIN
    EXECUTE 'SELECT neon_auth.add_provider(' || arguments || ')';
    RAISE SQLSTATE '99999';
EXCEPTION
    WHEN SQLSTATE '99999' THEN RETURN 'accepted';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, rule = CONSTRAINT_NAME, detail = PG_EXCEPTION_DETAIL;
        RETURN sqlstate || ' ' || CASE WHEN rule <> '' THEN rule
                                       WHEN sqlstate = '23502' THEN message
                                       ELSE message || '. ' || detail END;
END
$$;
SELECT arguments, pg_temp.refusal(arguments) AS outcome
  FROM unnest(ARRAY[
       -- names
       $$ 'Idp', '{i}', jwks_url => 'https://idp.example.com/k' $$,
       $$ '', '{i}', jwks_url => 'https://idp.example.com/k' $$,
       $$ NULL, '{i}', jwks_url => 'https://idp.example.com/k' $$,
       $$ 'stack', '{i}', jwks_url => 'https://idp.example.com/k' $$,
       -- issuers
       $$ 'idp', NULL, jwks_url => 'https://idp.example.com/k' $$,
       $$ 'idp', '{}', jwks_url => 'https://idp.example.com/k' $$,
       $$ 'idp', '{""}', jwks_url => 'https://idp.example.com/k' $$,
       $$ 'idp', '{i,NULL}', jwks_url => 'https://idp.example.com/k' $$,
       -- audiences
       $$ 'idp', '{i}', '{""}', jwks_url => 'https://idp.example.com/k' $$,
       $$ 'idp', '{i}', '{NULL}', jwks_url => 'https://idp.example.com/k' $$,
       -- keys: exactly one source
       $$ 'idp', '{i}' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', jwks => current_setting('test.jwks')::jsonb $$,
       -- algorithms
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', algorithms => '{}' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', algorithms => '{HS256}' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', algorithms => '{RS256,none}' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', algorithms => '{rs256}' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', algorithms => '{RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA,Ed25519,ML-DSA-44,ML-DSA-65,ML-DSA-87}' $$,
       -- kinds
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', kind => 'saml' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', kind => 'stack' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', kind => 'stack', project_id => '' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', project_id => 'p' $$,
       -- times
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', leeway => '-1 s' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', leeway => '5 min' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', leeway => '301 s' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', max_lifetime => '0' $$,
       -- claims and roles
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', required_claims => '[null]' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', role_claim => 'role' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', allowed_roles => '{authenticated}' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', role_claim => 'role', allowed_roles => '{authenticated,none}' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', role_claim => 'role', allowed_roles => '{public}' $$,
       $$ 'idp', '{i}', jwks_url => 'https://idp.example.com/k', role_claim => 'role', allowed_roles => '{NULL}' $$
       ]) WITH ORDINALITY AS a(arguments, n)
 ORDER BY n;

-- Where keys may come from: https, or plain http on this very machine; no credentials, no disguise.
SELECT url, pg_temp.refusal(format($$ 'idp', '{i}', jwks_url => %L $$, url)) AS outcome
  FROM unnest(ARRAY[
       'https://idp.example.com', 'https://idp.example.com:8443/keys?v=1', 'https://[2001:db8::1]/keys',
       'http://localhost/keys', 'http://localhost:8102/keys', 'http://127.0.0.1:8102', 'http://[::1]:8102/keys',
       'http://idp.example.com/keys', 'HTTPS://idp.example.com/keys', 'ftp://localhost/keys', 'file:///etc/passwd',
       'https://', 'https:///keys', '', 'localhost',
       'https://user:password@idp.example.com/keys', 'https://user@idp.example.com/keys',
       'http://localhost@evil.example/', 'http://localhost:80@evil.example/', 'http://127.0.0.1@evil.example/keys',
       'http://localhost.evil.example/keys', 'http://127.0.0.1.evil.example/keys', 'http://127.evil.example/keys',
       'http://localhost#@evil.example/', 'http://localhost\@evil.example/', 'http://localhostevil.example/',
       'https://idp.example.com/a b', E'https://idp.example.com/\nHost: evil.example', 'http://0.0.0.0/keys', 'http://169.254.169.254/keys'
       ]) WITH ORDINALITY AS u(url, n)
 ORDER BY n;

-- A pinned JWKS is checked when it is written, not when the first token comes.
SELECT what, pg_temp.refusal(format($$ 'idp', '{i}', jwks => %L $$, jwks)) AS outcome
  FROM (VALUES
       (1, 'public RSA key', current_setting('test.jwks')::jsonb),
       (2, 'no object', '[]'),
       (3, 'JSON null', 'null'),
       (4, 'no keys', '{}'),
       (5, 'empty set', '{"keys": []}'),
       (6, 'keys no array', '{"keys": {}}'),
       (7, 'symmetric key', '{"keys": [{"kty": "oct", "kid": "k", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U"}]}'),
       (8, 'private key', jsonb_set(current_setting('test.jwks')::jsonb, '{keys,0,d}', '"AQAB"')),
       (9, 'point off the curve', '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": "AQ", "y": "AQ"}]}'),
       (10, 'key of 1024 bits', jsonb_set(current_setting('test.jwks')::jsonb, '{keys,0,n}', to_jsonb(left(current_setting('test.jwks')::jsonb #>> '{keys,0,n}', 170) || 'E'))),
       (11, 'unknown type of key beside a good one', jsonb_set(current_setting('test.jwks')::jsonb, '{keys,1}', '{"kty": "XYZ", "kid": "k"}')),
       (12, 'unknown type of key alone', '{"keys": [{"kty": "XYZ", "kid": "k"}]}'),
       -- jsonb holds more than a parser of JSON takes.
       (13, 'number of too many digits', '{"keys": [{"kty": "RSA", "n": 1e400}]}'),
       (14, 'number of too many digits beside a good key', current_setting('test.jwks')::jsonb || '{"n": -1e400}'),
       (15, 'nested 200 deep', ('{"keys": ' || repeat('[', 200) || repeat(']', 200) || '}')::jsonb),
       (16, 'nested 5000 deep', ('{"keys": ' || repeat('[', 5000) || repeat(']', 5000) || '}')::jsonb)) AS v(n, what, jwks)
 ORDER BY n;

-- One issuer, one provider. And where two share their keys, the audience alone tells their tokens
-- apart, so both must name theirs.
BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com,https://idp.example.org}', jwks_url => 'https://idp.example.com/keys');
SELECT arguments, pg_temp.refusal(arguments) AS outcome
  FROM unnest(ARRAY[
       $$ 'other', '{https://other.example.com,https://idp.example.org}', jwks_url => 'https://other.example.com/keys' $$,
       $$ 'other', '{https://other.example.com,https://api.stack-auth.com/api/v1/projects/5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35}', jwks_url => 'https://other.example.com/keys' $$,
       $$ 'other', '{https://IDP.example.org,https://idp.example.org/}', jwks_url => 'https://other.example.com/keys' $$,
       $$ 'other', '{https://other.example.com}', '{shop}', jwks_url => 'https://idp.example.com/keys' $$
       ]) WITH ORDINALITY AS a(arguments, n)
 ORDER BY n;
UPDATE neon_auth.providers SET audiences = '{blog}' WHERE name = 'idp';
SELECT pg_temp.refusal($$ 'other', '{https://other.example.com}', jwks_url => 'https://idp.example.com/keys' $$) AS "without audiences",
       pg_temp.refusal($$ 'other', '{https://other.example.com}', '{shop}', jwks_url => 'https://idp.example.com/keys' $$) AS "with audiences";
-- An UPDATE is held to the same rules.
SELECT neon_auth.add_provider('other', '{https://other.example.com}', jwks_url => 'https://other.example.com/keys');
SAVEPOINT s;
UPDATE neon_auth.providers SET issuers = issuers || '{https://idp.example.org}' WHERE name = 'other';
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET jwks_url = 'https://idp.example.com/keys' WHERE name = 'other';
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = '{"keys": []}' WHERE name = 'other';
\echo :SQLSTATE
ROLLBACK;

-- Another name for the same provider: its tokens stay good, and its cached keys come along.
\pset format aligned
BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', '{shop}', jwks => :'jwks');
SELECT auth.authenticate(:'token');
UPDATE neon_auth.providers SET name = 'keycloak' WHERE name = 'idp';
SELECT auth.provider();
SELECT auth.authenticate(:'token');
SELECT auth.provider();
UPDATE neon_auth.providers SET jwks = NULL, jwks_url = 'https://idp.example.com/keys' WHERE name = 'keycloak';
INSERT INTO neon_auth.jwks_cache (provider, jwks_url, jwks, fetched_at, fresh_until, attempted_at)
VALUES ('keycloak', 'https://idp.example.com/keys', :'jwks', now(), now() + interval '10 min', now());
UPDATE neon_auth.providers SET name = 'idp2', issuers = issuers || '{https://idp.example.org}' WHERE name = 'keycloak';
SELECT provider, jwks IS NOT NULL AS has_keys FROM neon_auth.jwks_cache;
SELECT auth.authenticate(:'token');
SELECT auth.provider();
-- The rules hold under the new name as well.
SAVEPOINT s;
UPDATE neon_auth.providers SET name = 'stack' WHERE name = 'idp2';
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET name = 'idp3', audiences = '{}', issuers = (SELECT issuers FROM neon_auth.providers WHERE name = 'stack') WHERE name = 'idp2';
\echo :SQLSTATE
ROLLBACK;

-- A URL that is refused is not told: it may hold a password.
SELECT neon_auth.add_provider('idp', '{i}', jwks_url => 'https://user:password@idp.example.com/keys');
\echo :SQLSTATE
