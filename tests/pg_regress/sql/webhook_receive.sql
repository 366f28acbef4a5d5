-- postgrest_webhook takes the headers from where PostgREST puts them; whoever may call it may not do more.
\set SHOW_CONTEXT never
\set body '{"type": "user.created", "data": {"id": "u1"}}'
BEGIN;
SELECT set_config('request.headers', sign_webhook(:'body', 'msg_1')::text, true) IS NOT NULL AS set;
SELECT neon_auth.postgrest_webhook(:'body');
SELECT id FROM neon_auth.users_sync;
SELECT neon_auth.postgrest_webhook(:'body') AS again;
-- The body is taken as it is.
SAVEPOINT s;
SELECT neon_auth.postgrest_webhook(:'body' || ' ');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.postgrest_webhook(NULL);
\echo :SQLSTATE
ROLLBACK TO s;
SET LOCAL "request.headers" = '';
SELECT neon_auth.postgrest_webhook(:'body');
\echo :SQLSTATE
ROLLBACK TO s;
SET LOCAL "request.headers" = 'no JSON';
SELECT neon_auth.postgrest_webhook(:'body');
\echo :SQLSTATE
ROLLBACK TO s;
SET LOCAL "request.headers" = '[]';
SELECT neon_auth.postgrest_webhook(:'body');
\echo :SQLSTATE
ROLLBACK TO s;
RESET "request.headers";
SELECT neon_auth.postgrest_webhook(:'body');
\echo :SQLSTATE
ROLLBACK;

-- Nobody may call it but who is granted it.
SET SESSION AUTHORIZATION app;
SELECT neon_auth.postgrest_webhook(:'body');
\echo :SQLSTATE
SELECT neon_auth.handle_webhook(:'body', '{}');
\echo :SQLSTATE
RESET SESSION AUTHORIZATION;

-- As README says: a function of the schema that PostgREST shows, for its role without a login.
BEGIN;
CREATE SCHEMA api;
CREATE FUNCTION api.auth_webhook(json) RETURNS jsonb LANGUAGE sql AS 'SELECT neon_auth.postgrest_webhook($1::text)';
GRANT USAGE ON SCHEMA api TO anonymous;
GRANT EXECUTE ON FUNCTION neon_auth.postgrest_webhook(text) TO anonymous;
SELECT set_config('request.headers', sign_webhook(:'body', 'msg_1')::text, true) IS NOT NULL AS set;
SET LOCAL ROLE anonymous;
SELECT api.auth_webhook(:'body');
-- The right to deliver is no right to read, to write or to sign.
SAVEPOINT s;
SELECT * FROM neon_auth.users_sync;
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth_internal.apply_deleted_user('u1');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.handle_webhook(:'body', '{}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT api.auth_webhook('{"type": "user.deleted", "data": {"id": "u1"}}');
\echo :SQLSTATE
ROLLBACK TO s;
-- Objects of the caller's own do not come between.
CREATE TEMP TABLE deliveries (id text);
CREATE FUNCTION pg_temp.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
SET LOCAL search_path = pg_temp, pg_catalog;
SELECT api.auth_webhook(:'body');
ROLLBACK;
