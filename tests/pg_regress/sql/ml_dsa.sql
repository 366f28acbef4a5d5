-- ML-DSA (RFC 9964) is accepted where the provider names it. A provider whose keys serve none of its algorithms
-- accepts no token, and says so when it is written, when a token is refused, and in neon_auth.status.
\set SHOW_CONTEXT never
\set VERBOSITY default
\pset null '-'
\set ml_dsa `"$STACK" jwks --alg ML-DSA-44`
\set rsa `"$STACK" jwks --alg RS256`
\set ed `"$STACK" jwks --alg EdDSA`
\set t_ml_dsa `"$STACK" token --sub u --alg ML-DSA-44 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"'`
\set t_rsa `"$STACK" token --sub u --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"'`
\set other `"$STACK" token --sub v --alg ML-DSA-44 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"'`
SELECT length(:'t_ml_dsa') BETWEEN 3400 AND 5000 AS is_long;

-- Only keys of ML-DSA, and the default algorithms.
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', '{shop}', jwks => :'ml_dsa', create_users => false);
SELECT auth.authenticate(:'t_ml_dsa');
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of idp';
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'t_ml_dsa') WHERE step IN ('algorithm', 'key', 'signature');
-- The hint's statement.
UPDATE neon_auth.providers SET algorithms = '{ML-DSA-44}' WHERE name = 'idp';
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of idp';
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'t_ml_dsa') WHERE step IN ('algorithm', 'key', 'signature');
SELECT neon_auth.verify_jwt(:'t_ml_dsa') ->> 'sub' AS sub;

-- As a user signs in; the signature of another token is not this one's.
\c - app
\set SHOW_CONTEXT never
BEGIN;
SELECT auth.authenticate(:'t_ml_dsa');
SELECT auth.user_id(), auth.provider();
COMMIT;
SELECT auth.authenticate(regexp_replace(:'t_ml_dsa', '[^.]*$', '') || substring(:'other' FROM '[^.]*$'));
SELECT auth.user_id();
\c - postgres
\set SHOW_CONTEXT never

-- Beside others: each key serves what the provider accepts.
UPDATE neon_auth.providers
   SET algorithms = '{RS256}', jwks = jsonb_set(:'rsa', '{keys,1}', :'ml_dsa'::jsonb #> '{keys,0}') WHERE name = 'idp';
SELECT neon_auth.verify_jwt(:'t_rsa') ->> 'sub' AS sub;
SELECT neon_auth.verify_jwt(:'t_ml_dsa');
UPDATE neon_auth.providers SET algorithms = '{RS256,ML-DSA-44}' WHERE name = 'idp';
SELECT neon_auth.verify_jwt(token) ->> 'sub' AS sub FROM (VALUES (:'t_rsa'), (:'t_ml_dsa')) AS t(token);

-- The same is said of other keys; Ed25519 is EdDSA.
UPDATE neon_auth.providers SET algorithms = '{ES256}', jwks = :'rsa' WHERE name = 'idp';
UPDATE neon_auth.providers SET algorithms = '{Ed25519}', jwks = :'ed' WHERE name = 'idp';
SELECT ok FROM neon_auth.status WHERE component = 'keys of idp';

-- Keys that cannot be used. A private one is not stored.
CREATE FUNCTION pg_temp.stored(rsa jsonb, key jsonb) RETURNS text LANGUAGE sql AS $$
    UPDATE neon_auth.providers SET algorithms = '{RS256,ML-DSA-44}', jwks = jsonb_set(rsa, '{keys,1}', key)
     WHERE name = 'idp' RETURNING jwks::text LIKE '%priv"%'
$$;
SELECT pg_temp.stored(:'rsa', :'ml_dsa'::jsonb #> '{keys,0}' || '{"priv": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}');
SELECT pg_temp.stored(:'rsa', :'ml_dsa'::jsonb #> '{keys,0}' || '{"alg": "ML-DSA-65"}');
SELECT pg_temp.stored(:'rsa', (:'ml_dsa'::jsonb #> '{keys,0}') - 'alg');
SELECT neon_auth.verify_jwt(:'t_ml_dsa');
SELECT neon_auth.drop_provider('idp');
