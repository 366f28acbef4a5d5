-- Issuers and keys that sign for everybody's applications: who trusts them says which are his own.
\set SHOW_CONTEXT never
\pset format unaligned
\set jwks `"$STACK" jwks --alg RS256`
SELECT set_config('test.jwks', :'jwks', false) IS NOT NULL AS jwks_at_hand;
CREATE FUNCTION pg_temp.outcome(issuer text, url text, more text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    message text;
    detail text;
BEGIN
    EXECUTE format('SELECT neon_auth.add_provider(''idp'', ARRAY[%L], jwks_url => %L, jwks => %L %s)',
                   issuer, url, CASE WHEN url IS NULL THEN current_setting('test.jwks') END, more);
    RAISE SQLSTATE '99999';
EXCEPTION
    WHEN SQLSTATE '99999' THEN RETURN 'accepted';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
        RETURN format('%s %s. %s', sqlstate, message, detail);
END
$$;
-- Without audience or value, with an audience, with a value that tells, and with one that does not.
SELECT issuer, url, pg_temp.outcome(issuer, url, '') AS bare,
       pg_temp.outcome(issuer, url, $$, audiences => '{a}'$$) AS audience,
       pg_temp.outcome(issuer, url, $$, required_claims => '{"client_id": ["a"]}'$$) AS value,
       pg_temp.outcome(issuer, url, $$, required_claims => '{"client_id": null, "token_use": "access"}'$$) ~ '^22023' AS "refused without one that tells"
  FROM (VALUES
       (1, 'https://accounts.google.com', NULL),
       (2, 'accounts.google.com', NULL),
       (3, 'https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI', NULL),
       (4, 'https://cognito-idp.cn-north-1.amazonaws.com.cn/cn-north-1_AbCdEfGhI', NULL),
       (5, 'https://issuer.cognito-idp.eu-west-1.amazonaws.com/eu-west-1_AbCdEfGhI', NULL),
       (6, 'https://securetoken.google.com/my-project', NULL),
       (7, 'https://appleid.apple.com', NULL),
       (8, 'https://idp.example.com', 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com'),
       (9, 'https://idp.example.com', 'https://WWW.GoogleAPIs.com.:443/oauth2/v3/certs'),
       (10, 'https://idp.example.com', 'https://login.microsoftonline.com/common/discovery/v2.0/keys'),
       (11, 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0', NULL),
       (12, 'https://login.microsoftonline.com/0b2e5d1f-5b3c-4a5e-9a5e-3f7f0b2f9b11/v2.0', NULL),
       (13, 'https://sts.windows.net/0b2e5d1f-5b3c-4a5e-9a5e-3f7f0b2f9b11/', NULL),
       (14, 'https://shop.ciamlogin.com/0b2e5d1f-5b3c-4a5e-9a5e-3f7f0b2f9b11/v2.0', NULL),
       (15, 'https://idp.example.com', 'https://login.microsoftonline.com/0b2e5d1f-5b3c-4a5e-9a5e-3f7f0b2f9b11/discovery/v2.0/keys')) AS v(n, issuer, url)
 ORDER BY n;
-- These are somebody's own.
SELECT issuer, url, pg_temp.outcome(issuer, url, '') AS bare
  FROM (VALUES
       (1, 'https://accounts.google.com.example.com', NULL),
       (2, 'https://cognito-idp.example.com/eu-west-1', NULL),
       (3, 'https://login.microsoftonline.com.example.com/0b2e5d1f-5b3c-4a5e-9a5e-3f7f0b2f9b11/v2.0', NULL),
       (4, 'https://tenant.eu.auth0.com/', 'https://tenant.eu.auth0.com/.well-known/jwks.json')) AS v(n, issuer, url)
 ORDER BY n;
-- A tenant says whose users sign in, not to which application.
SELECT pg_temp.outcome('https://login.microsoftonline.com/t-1/v2.0', NULL, $$, required_claims => '{"tid": "t-1"}'$$) AS tenant,
       pg_temp.outcome('https://login.microsoftonline.com/{tid}/v2.0', NULL, $$, required_claims => '{"tid": ["t-1"]}'$$) AS template,
       pg_temp.outcome('https://login.microsoftonline.com/{tid}/v2.0', NULL, $$, required_claims => '{"tid": ["t-1"]}', audiences => '{a}'$$) AS audience,
       pg_temp.outcome('https://login.microsoftonline.com/{tid}/v2.0', NULL, $$, required_claims => '{"tid": ["t-1"], "azp": "a"}'$$) AS application;
-- GitHub's workflows ask for whatever audience they like.
SELECT pg_temp.outcome('https://token.actions.githubusercontent.com', NULL, $$, audiences => '{a}'$$) AS audience,
       pg_temp.outcome('https://token.actions.githubusercontent.com/{x}', NULL, $$, audiences => '{a}', required_claims => '{"x": "a"}'$$) AS template,
       pg_temp.outcome('https://token.actions.githubusercontent.com', NULL, $$, audiences => '{a}', required_claims => '{"repository_owner_id": "1"}'$$) AS owner;

-- Not only when it is written: a row that was loaded with triggers disabled serves nobody.
\set token `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://accounts.google.com"' --claim 'aud="mine"'`
\set other `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="mine"'`
BEGIN;
SELECT neon_auth.add_provider('goog', '{https://accounts.google.com}', '{mine}', jwks => :'jwks');
SELECT auth.authenticate(:'token');
SET LOCAL session_replication_role = replica;
UPDATE neon_auth.providers SET audiences = '{}' WHERE name = 'goog';
SAVEPOINT s;
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
-- And does no harm to others.
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
SELECT auth.authenticate(:'other');
ROLLBACK;

-- A token that Entra made for another application of a listed tenant.
\set mine `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://login.microsoftonline.com/t-1/v2.0"' --claim 'tid="t-1"' --claim 'aud="mine"'`
\set evil `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://login.microsoftonline.com/t-1/v2.0"' --claim 'tid="t-1"' --claim 'aud="evil-app"'`
BEGIN;
SELECT neon_auth.add_provider('entra', ARRAY['https://login.microsoftonline.com/{tid}/v2.0'], '{mine}', jwks => :'jwks', required_claims => '{"tid": ["t-1"]}');
SELECT auth.authenticate(:'mine');
SAVEPOINT s;
SELECT auth.authenticate(:'evil');
\echo :SQLSTATE
ROLLBACK TO s;
SET LOCAL session_replication_role = replica;
UPDATE neon_auth.providers SET audiences = '{}' WHERE name = 'entra';
SELECT auth.authenticate(:'evil');
\echo :SQLSTATE
ROLLBACK;
