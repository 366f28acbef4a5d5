-- configure() takes the answer of the keys API as it is.
\set SHOW_CONTEXT never
\pset format unaligned
\set jwks `"$STACK" jwks`
\pset null '-'
CREATE FUNCTION pg_temp.keys(changes jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT '{"auth_provider": "stack", "auth_provider_project_id": "project-id-123",
             "pub_client_key": "pck_example", "secret_server_key": "ssk_example",
             "jwks_url": "https://api.stack-auth.com/api/v1/projects/project-id-123/.well-known/jwks.json",
             "schema_name": "neon_auth", "table_name": "users_sync"}'::jsonb || changes
$$;
BEGIN;
DELETE FROM neon_auth.providers;

-- Tokens name whichever host the SDK called, and the cloud has two: all six issuers are trusted.
SELECT neon_auth.configure(pg_temp.keys());
\x on
SELECT name, kind, project_id, audiences, jwks_url, jwks, algorithms, allow_anonymous, allow_restricted, role_claim
  FROM neon_auth.providers;
\x off
SELECT unnest(issuers) COLLATE "C" AS issuer FROM neon_auth.providers ORDER BY 1;

-- Again: what the answer says is replaced, what the administrator chose stays.
UPDATE neon_auth.providers SET allow_anonymous = true, leeway = '5 s', max_lifetime = '1 h',
    required_claims = '{"email": null}', default_role = 'authenticated', claim_map = '{"email": "mail"}';
SELECT neon_auth.configure(pg_temp.keys('{"auth_provider_project_id": "p2",
    "jwks_url": "https://api.hexclave.com/api/v1/projects/p2/.well-known/jwks.json"}'));
SELECT name, project_id, audiences, jwks_url, allow_anonymous, leeway, max_lifetime, required_claims, default_role, claim_map FROM neon_auth.providers;
SELECT unnest(issuers) COLLATE "C" AS issuer FROM neon_auth.providers ORDER BY 1;

-- A server of one's own is itself and nobody else: three issuers. A port and a path belong to it.
SELECT neon_auth.configure(pg_temp.keys('{"jwks_url": "https://auth.example.com:8443/stack/api/v1/projects/project-id-123/.well-known/jwks.json"}'));
SELECT unnest(issuers) COLLATE "C" AS issuer FROM neon_auth.providers ORDER BY 1;
SELECT jwks_url FROM neon_auth.providers;
-- One on this machine may go without TLS; a query in the URL is ours to say.
SELECT neon_auth.configure(pg_temp.keys('{"jwks_url": "http://127.0.0.1:8102/api/v1/projects/project-id-123/.well-known/jwks.json?include_restricted=false"}'));
SELECT jwks_url FROM neon_auth.providers;
SELECT unnest(issuers) COLLATE "C" AS issuer FROM neon_auth.providers ORDER BY 1;

-- Pinned keys give way to the URL.
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';
SELECT neon_auth.configure(pg_temp.keys());
SELECT jwks_url IS NOT NULL AS has_url, jwks FROM neon_auth.providers;

-- A project need not have a publishable client key: without one, a stored one is deleted.
SELECT name FROM neon_auth_internal.secrets ORDER BY name;
SELECT neon_auth.configure(pg_temp.keys() - 'pub_client_key');
SELECT name FROM neon_auth_internal.secrets ORDER BY name;
SELECT neon_auth.sdk_env();
SELECT neon_auth.configure(pg_temp.keys());
SELECT neon_auth.sdk_env();
SELECT neon_auth.configure(pg_temp.keys('{"pub_client_key": null}'));
SELECT name FROM neon_auth_internal.secrets ORDER BY name;

-- The names of schema and table are not needed.
SELECT neon_auth.configure(pg_temp.keys() - '{schema_name,table_name}'::text[]);
ROLLBACK;

-- What cannot be meant is refused with the reason.
CREATE FUNCTION pg_temp.refusal(given jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM neon_auth.configure(given);
    RAISE EXCEPTION 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s: %s. %s', sqlstate, sqlerrm, detail);
END
$$;
SELECT what, pg_temp.refusal(given) AS refusal
  FROM (VALUES (1, 'NULL', NULL::jsonb),
               (2, 'no object', '[]'),
               (3, 'JSON null', 'null'),
               (4, 'empty object', '{}'),
               (5, 'other auth_provider', pg_temp.keys('{"auth_provider": "auth0"}')),
               (6, 'auth_provider null', pg_temp.keys('{"auth_provider": null}')),
               (7, 'no project', pg_temp.keys() - 'auth_provider_project_id'),
               (8, 'project null', pg_temp.keys('{"auth_provider_project_id": null}')),
               (9, 'project empty', pg_temp.keys('{"auth_provider_project_id": ""}')),
               (10, 'project a number', pg_temp.keys('{"auth_provider_project_id": 7}')),
               (11, 'client key empty', pg_temp.keys('{"pub_client_key": ""}')),
               (11, 'client key a number', pg_temp.keys('{"pub_client_key": 7}')),
               (11, 'client key an object', pg_temp.keys('{"pub_client_key": {}}')),
               (11, 'client key false', pg_temp.keys('{"pub_client_key": false}')),
               (12, 'no server key', pg_temp.keys() - 'secret_server_key'),
               (13, 'server key empty', pg_temp.keys('{"secret_server_key": ""}')),
               (14, 'no jwks_url', pg_temp.keys() - 'jwks_url'),
               (15, 'jwks_url an array', pg_temp.keys('{"jwks_url": []}')),
               (16, 'jwks_url of another project', pg_temp.keys('{"jwks_url": "https://api.stack-auth.com/api/v1/projects/project-id-1234/.well-known/jwks.json"}')),
               (17, 'jwks_url with another path', pg_temp.keys('{"jwks_url": "https://api.stack-auth.com/projects/project-id-123/jwks.json"}')),
               (18, 'jwks_url with a tail', pg_temp.keys('{"jwks_url": "https://api.stack-auth.com/api/v1/projects/project-id-123/.well-known/jwks.json/x"}')),
               (19, 'jwks_url no URL', pg_temp.keys('{"jwks_url": "project-id-123"}')),
               (20, 'jwks_url of another scheme', pg_temp.keys('{"jwks_url": "ftp://api.stack-auth.com/api/v1/projects/project-id-123/.well-known/jwks.json"}')),
               (21, 'another table', pg_temp.keys('{"table_name": "people"}')),
               (22, 'another schema', pg_temp.keys('{"schema_name": "public"}'))) AS v(n, what, given)
 ORDER BY n, what;
-- Without TLS beyond this machine. The table says so, as it does to whoever writes it by hand.
SELECT pg_temp.refusal(pg_temp.keys('{"jwks_url": "http://auth.example.com/api/v1/projects/project-id-123/.well-known/jwks.json"}'));
-- An error in the middle leaves no half: neither the provider nor a key has changed.
SELECT project_id = 'project-id-123' AS changed FROM neon_auth.providers;
SELECT count(*) FROM neon_auth_internal.secrets WHERE value IN ('pck_example', 'ssk_example');

-- What to do about it is said too.
SELECT neon_auth.configure('{"auth_provider": "stack"}');
\echo :SQLSTATE
SELECT neon_auth.configure('{"auth_provider": "auth0"}');
\echo :SQLSTATE
