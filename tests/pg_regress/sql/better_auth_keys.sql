-- JWTs of Better Auth, verified by the rows of its table jwks.
\set SHOW_CONTEXT never
\pset null -
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
CREATE DATABASE better_auth_keys;
\c better_auth_keys
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
SELECT keep(:'credentials');

-- The key of a real server.
SELECT outcome(token('alice_long')) = user_of('alice') AS alice, outcome(token('bob_long')) = user_of('bob') AS bob;
SELECT auth.email(), auth.email_verified(), auth.is_anonymous(), auth.role(), auth.provider() FROM (SELECT outcome(token('bob_long'))) AS o;
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of better_auth';
-- Other algorithms: the type and the curve of the key decide, with or without the columns, and with an alg inside.
INSERT INTO shop.jwks (id, "publicKey", "privateKey", "createdAt") SELECT 'es512-row', kept('es512_key'), '"left out"', now();
SELECT outcome(token('bob_es512')) = user_of('bob') AS es512;
\set es256 `"$STACK" jwks --alg ES256`
\set rs256 `"$STACK" jwks --alg RS256`
\set ps256 `"$STACK" jwks --alg PS256`
\set eddsa `"$STACK" jwks --alg EdDSA`
INSERT INTO shop.jwks (id, "publicKey", "privateKey", "createdAt", alg, crv)
SELECT k.jwk ->> 'kid', k.jwk - '{kid,alg,use}'::text[], '"left out"', now(), k.alg, k.jwk ->> 'crv'
  FROM (SELECT jsonb_array_elements(:'es256'::jsonb -> 'keys'), 'ES256'
        UNION ALL SELECT :'rs256'::jsonb #> '{keys,0}', 'RS256'
        UNION ALL SELECT :'ps256'::jsonb #> '{keys,0}', 'PS256'
        UNION ALL SELECT :'eddsa'::jsonb #> '{keys,0}', NULL) AS k(jwk, alg);
\set t_es256 `"$STACK" token --alg ES256 --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"'`
\set t_rs256 `"$STACK" token --alg RS256 --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud=["other","http://127.0.0.1:3912"]'`
\set t_ps256 `"$STACK" token --alg PS256 --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"'`
\set t_eddsa `"$STACK" token --alg EdDSA --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"'`
CREATE TEMP TABLE signed (alg text, token text);
INSERT INTO signed VALUES ('ES256', :'t_es256'), ('RS256', :'t_rs256'), ('PS256', :'t_ps256'), ('EdDSA', :'t_eddsa');
SELECT alg, outcome(token) = user_of('bob') AS accepted FROM signed;
-- The endpoint of Better Auth invents alg from its configuration, even a wrong one, and so may the column. Only for RSA
-- it counts, where it can be right.
UPDATE shop.jwks SET alg = 'ES256';
SELECT alg, outcome(token) = user_of('bob') AS accepted FROM signed;
UPDATE shop.jwks SET alg = 'RS256';
SELECT alg, split_part(outcome(token), '|', 1) AS outcome FROM signed;
UPDATE shop.jwks SET alg = NULL, "publicKey" = "publicKey"::jsonb || '{"alg": "PS256"}';
SELECT alg, split_part(outcome(token), '|', 1) AS outcome FROM signed;
UPDATE shop.jwks SET "publicKey" = "publicKey"::jsonb - 'alg';
SELECT alg, outcome(token) = user_of('bob') AS accepted FROM signed;
-- Dozens of keys: each is found by its id.
INSERT INTO shop.jwks (id, "publicKey", "privateKey", "createdAt")
SELECT 'key-' || n, '{"crv":"Ed25519","x":"79WRnC1xsktad2T483O-gh2mdahm9HcDbcU1kCG2SKM","kty":"OKP"}', '"left out"', now()
  FROM generate_series(1, 40) AS n;
SELECT alg, outcome(token) = user_of('bob') AS accepted FROM signed;
-- A broken row is one key that is refused.
UPDATE shop.jwks SET "publicKey" = CASE id WHEN 'key-1' THEN '' WHEN 'key-2' THEN 'null' WHEN 'key-3' THEN '{"kty":"OKP"}'
                                           WHEN 'key-4' THEN '{"kty":"oct","k":"c2VjcmV0"}' WHEN 'test-eddsa' THEN '{"kty"' END
 WHERE id IN ('key-1', 'key-2', 'key-3', 'key-4', 'test-eddsa');
SELECT outcome(:'t_eddsa');
SELECT outcome(:'t_rs256') = user_of('bob') AS others_work;
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of better_auth';
DELETE FROM shop.jwks WHERE id LIKE 'key-%';
-- A private key where the public one should be is refused, and reported.
BEGIN;
UPDATE shop.jwks SET "publicKey" = '{"crv":"Ed25519","x":"79WRnC1xsktad2T483O-gh2mdahm9HcDbcU1kCG2SKM","d":"AAAA","kty":"OKP"}' WHERE id = 'test-eddsa';
SELECT outcome(:'t_eddsa');
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of better_auth';
ROLLBACK;
-- An expired key counts until the grace period of 30 days is over.
UPDATE shop.jwks SET "expiresAt" = now() - interval '29 days';
SELECT outcome(:'t_rs256') = user_of('bob') AS within_grace;
UPDATE shop.jwks SET "expiresAt" = now() - interval '31 days' WHERE id = 'test-rs256';
SELECT outcome(:'t_rs256');
UPDATE shop.jwks SET "expiresAt" = NULL;
-- A key that is deleted or replaced counts at once, also for a token that this session has verified before.
SELECT outcome(:'t_rs256') = user_of('bob') AS before;
BEGIN;
DELETE FROM shop.jwks WHERE id = 'test-rs256';
SELECT outcome(:'t_rs256');
ROLLBACK;
SELECT outcome(:'t_rs256') = user_of('bob') AS again;
BEGIN;
UPDATE shop.jwks SET "publicKey" = :'es256'::jsonb #> '{keys,0}' WHERE id = 'test-rs256';
SELECT outcome(:'t_rs256');
ROLLBACK;
-- A token without kid names no row.
\set nameless `"$STACK" token --alg EdDSA --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"' | sed 's/^[^.]*/eyJhbGciOiJFZERTQSJ9/'`
SELECT outcome(:'nameless');
-- No key yet.
DELETE FROM shop.jwks;
SELECT outcome(token('alice_long'));
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of better_auth';
-- inspect_jwt and refresh_jwks know where the keys are.
INSERT INTO shop.jwks (id, "publicKey", "privateKey", "createdAt") SELECT 'es512-row', kept('es512_key'), '"left out"', now();
SELECT step, ok, detail FROM neon_auth.inspect_jwt(token('bob_es512')) WHERE step IN ('provider', 'keys', 'type', 'user', 'outcome');
SELECT step, ok, detail FROM neon_auth.inspect_jwt(token('alice_long')) WHERE NOT ok OR step = 'keys';
SELECT neon_auth.refresh_jwks('better_auth');
SELECT neon_auth.verify_jwt(token('bob_es512')) ->> 'email' AS email;

-- The tables can be in any schema, with columns of other names and without the optional ones.
ALTER TABLE shop.jwks RENAME TO signing_keys;
ALTER TABLE shop.signing_keys RENAME "publicKey" TO public_key;
ALTER TABLE shop.signing_keys DROP COLUMN alg, DROP COLUMN crv, DROP COLUMN "expiresAt";
SELECT relation FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop', names => '{"jwks": "signing_keys"}') WHERE "table" = 'jwks';
SELECT outcome(token('bob_es512')) = user_of('bob') AS renamed;
-- A table that is replaced under the old name is not trusted, whoever makes it.
ALTER TABLE shop.signing_keys RENAME TO old_keys;
CREATE TABLE shop.signing_keys AS TABLE shop.old_keys;
DROP TABLE shop.old_keys;
SELECT outcome(token('bob_es512'));
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of better_auth';
\c neon_auth_regress
DROP DATABASE better_auth_keys;
DROP ROLE shop_owner;
