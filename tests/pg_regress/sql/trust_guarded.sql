-- The right to write all data is not the right to be anybody: what is trusted, only its owner
-- writes, or who is granted the functions for it. Nor does the right to read all data show the secrets.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\set jwks `"$STACK" jwks`
\set alice `"$STACK" token --sub alice`
CREATE ROLE writer LOGIN IN ROLE pg_write_all_data, pg_read_all_data;
CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
CREATE ROLE registrar LOGIN;
-- Where TRUNCATE is granted by hand, as somebody might who wants to clean up, it is refused all the same.
GRANT TRUNCATE ON neon_auth.providers, neon_auth.jwks_cache TO writer;
GRANT INSERT, UPDATE, DELETE ON neon_auth.providers TO registrar;
GRANT EXECUTE ON FUNCTION neon_auth.add_provider, neon_auth.drop_provider TO registrar;
SELECT set_config('test.jwks', :'jwks', false) IS NOT NULL AS jwks_at_hand;
CREATE FUNCTION pg_temp.refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE statement;
    RAISE SQLSTATE '99999';
EXCEPTION
    WHEN SQLSTATE '99999' THEN RETURN 'allowed';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        RETURN concat_ws('. ', sqlstate || ' ' || sqlerrm, nullif(detail, ''));
END
$$;
SET SESSION AUTHORIZATION writer;
-- It does write what is not guarded.
SELECT pg_temp.refusal($$ INSERT INTO neon_auth.users_sync (raw_json) VALUES ('{"id": "u1"}') $$) AS users;
SELECT statement, pg_temp.refusal(statement) AS outcome
  FROM unnest(ARRAY[
       $$ INSERT INTO neon_auth.providers (name, issuers, jwks) VALUES ('evil', '{https://evil.example}', current_setting('test.jwks')::jsonb) $$,
       $$ INSERT INTO neon_auth.providers SELECT * FROM neon_auth.providers WHERE false $$,
       $$ INSERT INTO neon_auth.providers SELECT * FROM neon_auth.providers ON CONFLICT (name) DO UPDATE SET jwks = excluded.jwks $$,
       $$ UPDATE neon_auth.providers SET jwks = current_setting('test.jwks')::jsonb $$,
       $$ UPDATE neon_auth.providers SET audiences = '{}' WHERE false $$,
       $$ DELETE FROM neon_auth.providers $$,
       $$ TRUNCATE neon_auth.providers CASCADE $$,
       $$ WITH gone AS (DELETE FROM neon_auth.providers RETURNING name) SELECT * FROM gone $$,
       $$ INSERT INTO neon_auth.jwks_cache (provider, jwks_url, jwks, attempted_at) VALUES ('stack', 'https://evil.example', '{}', now()) $$,
       $$ UPDATE neon_auth.jwks_cache SET jwks = '{}' $$,
       $$ DELETE FROM neon_auth.jwks_cache $$,
       $$ TRUNCATE neon_auth.jwks_cache $$,
       $$ INSERT INTO neon_auth_internal.api_keys (hash, prefix, user_id, name, created_by) VALUES (repeat('0', 64), 'nak_0000', 'alice', 'evil', 'evil') $$,
       $$ UPDATE neon_auth_internal.api_keys SET revoked_at = NULL $$,
       $$ UPDATE neon_auth_internal.api_keys SET permissions = NULL WHERE false $$,
       $$ DELETE FROM neon_auth_internal.api_keys $$,
       $$ SELECT neon_auth.create_api_key('alice', 'evil') $$,
       $$ SELECT neon_auth.revoke_api_key('any') $$,
       $$ SET LOCAL session_replication_role = replica $$,
       $$ ALTER TABLE neon_auth.providers DISABLE TRIGGER ALL $$,
       $$ SELECT neon_auth.add_provider('evil', '{https://evil.example}', jwks => current_setting('test.jwks')::jsonb) $$]) AS statement;
COPY neon_auth.providers (name, issuers, jwks_url) FROM stdin;
evil	{https://evil.example}	https://evil.example/keys
\.
\set VERBOSITY default
UPDATE neon_auth.providers SET allow_anonymous = true;
\echo :SQLSTATE
\set VERBOSITY terse
RESET SESSION AUTHORIZATION;
SELECT count(*) AS providers FROM neon_auth.providers;

-- The table's rights by themselves are not enough, the functions are.
SET SESSION AUTHORIZATION registrar;
SELECT pg_temp.refusal($$ INSERT INTO neon_auth.providers (name, issuers, jwks_url) VALUES ('idp', '{i}', 'https://idp.example.com') $$);
BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks_url => 'https://idp.example.com/keys');
SELECT neon_auth.drop_provider('idp');
ROLLBACK;
-- Superusers need no grant.
RESET SESSION AUTHORIZATION;
CREATE ROLE chief SUPERUSER;
SET SESSION AUTHORIZATION chief;
SELECT pg_temp.refusal($$ UPDATE neon_auth.providers SET leeway = '10 s' $$) AS update,
       pg_temp.refusal($$ DELETE FROM neon_auth.jwks_cache $$) AS delete,
       pg_temp.refusal($$ TRUNCATE neon_auth.providers CASCADE $$) AS truncate;
RESET SESSION AUTHORIZATION;

-- Secrets: there are some, and the right to read all data shows none of them.
SELECT count(*) > 0 AS some FROM neon_auth_internal.secrets;
SET SESSION AUTHORIZATION reader;
SELECT count(*) FROM neon_auth_internal.secrets;
COPY neon_auth_internal.secrets TO stdout;
SET row_security = off;
SELECT count(*) FROM neon_auth_internal.secrets;
\echo :SQLSTATE
RESET row_security;
SELECT pg_temp.refusal('SELECT neon_auth.sdk_env()');
SET SESSION AUTHORIZATION writer;
SELECT count(*) FROM neon_auth_internal.secrets;
SELECT pg_temp.refusal($$ INSERT INTO neon_auth_internal.secrets VALUES ('webhook_secret', 'whsec_evil') $$) AS insert,
       pg_temp.refusal($$ INSERT INTO neon_auth_internal.secrets VALUES ('secret_server_key', 'x') ON CONFLICT (name) DO UPDATE SET value = excluded.value $$) AS upsert,
       pg_temp.refusal($$ INSERT INTO neon_auth_internal.secrets VALUES ('secret_server_key', 'x') ON CONFLICT DO NOTHING $$) AS "or nothing",
       pg_temp.refusal($$ TRUNCATE neon_auth_internal.secrets $$) AS truncate;
UPDATE neon_auth_internal.secrets SET value = 'evil';
DELETE FROM neon_auth_internal.secrets;
WITH gone AS (DELETE FROM neon_auth_internal.secrets RETURNING *) SELECT count(*) FROM gone;
RESET SESSION AUTHORIZATION;
SELECT count(*) AS evil FROM neon_auth_internal.secrets WHERE value IN ('evil', 'x', 'whsec_evil');
SELECT neon_auth.sdk_env() IS NOT NULL AS "all there";
-- Tokens are verified as before.
SELECT neon_auth.verify_jwt(:'alice') ->> 'sub' AS sub;
REVOKE ALL ON neon_auth.providers, neon_auth.jwks_cache FROM writer, registrar;
REVOKE ALL ON FUNCTION neon_auth.add_provider, neon_auth.drop_provider FROM registrar;
DROP ROLE writer, reader, registrar, chief;
