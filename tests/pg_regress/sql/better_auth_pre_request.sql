-- auth.pre_request(): requests of PostgREST, which logs in as authenticator and sets the anonymous role and the request
-- in each transaction.
\set SHOW_CONTEXT never
\pset null -
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
CREATE DATABASE better_auth_pre_request;
\c better_auth_pre_request
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
UPDATE neon_auth.providers SET default_role = 'authenticated' WHERE name = 'better_auth';
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT anonymous, authenticated TO authenticator;
CREATE SCHEMA api;
GRANT USAGE ON SCHEMA api TO anonymous, authenticated;
CREATE TABLE api.notes (user_id text NOT NULL DEFAULT auth.user_id(), note text);
ALTER TABLE api.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON api.notes TO authenticated USING (user_id = auth.user_id());
INSERT INTO api.notes SELECT id, name FROM shop."user";
GRANT SELECT ON api.notes TO anonymous, authenticated;
\set bare `sed -n '/"sessions"/,$p' "$DOCS/../tests/better_auth/credentials.json" | sed -n '/"alice"/,/}/s/.*"token": "\(.*\)".*/\1/p' | head -1`
\set signed `sed -n '/"sessions"/,$p' "$DOCS/../tests/better_auth/credentials.json" | sed -n '/"alice"/,/}/s/.*"cookie": "\(.*\)".*/\1/p' | head -1`
\set jwt `sed -n 's/.*"bob_long": "\(.*\)".*/\1/p' "$DOCS/../tests/better_auth/credentials.json"`
\c - authenticator
-- A request in the order of PostgREST 12 to 16: BEGIN, one SELECT that sets everything, the pre-request, the query.
PREPARE request(json, json) AS
SELECT set_config('search_path', 'api, public', true) IS NULL OR set_config('role', 'anonymous', true) IS NULL
    OR set_config('request.jwt.claims', '{"role":"anonymous"}', true) IS NULL OR set_config('request.method', 'GET', true) IS NULL
    OR set_config('request.path', '/notes', true) IS NULL OR set_config('request.headers', $1::text, true) IS NULL
    OR set_config('request.cookies', $2::text, true) IS NULL AS "not set";
-- No credential: nobody, and the role stays.
BEGIN;
EXECUTE request('{"host": "api.example.com"}', '{}');
SELECT auth.pre_request();
SELECT current_user, auth.user_id();
SELECT * FROM notes;
COMMIT;
-- The session cookie.
BEGIN;
EXECUTE request('{}', json_build_object('better-auth.session_token', :'signed', 'theme', 'dark'));
SELECT auth.pre_request();
SELECT current_user, auth.email(), (SELECT count(*) FROM notes) AS notes;
SELECT note FROM notes;
COMMIT;
-- Nothing remains for the next transaction.
BEGIN;
SELECT current_user, auth.user_id();
COMMIT;
-- The header comes before the cookie: a JWT, or a session token.
BEGIN;
EXECUTE request(json_build_object('authorization', 'Bearer ' || :'jwt'), json_build_object('better-auth.session_token', :'signed'));
SELECT auth.pre_request();
SELECT current_user, auth.email();
COMMIT;
BEGIN;
EXECUTE request(json_build_object('Authorization', 'bearer   ' || :'bare'), '{}');
SELECT auth.pre_request();
SELECT current_user, auth.email();
COMMIT;
-- Another scheme is not ours; an empty header or cookie is none.
BEGIN;
EXECUTE request('{"authorization": "Basic dXNlcjpwYXNz"}', json_build_object('better-auth.session_token', :'signed'));
SELECT auth.pre_request();
SELECT auth.email();
EXECUTE request('{"authorization": "Bearer "}', '{"better-auth.session_token": ""}');
SELECT auth.pre_request();
SELECT current_user, auth.email();
COMMIT;

-- Every name of the cookie, of Better Auth, Neon Auth and the own prefix; and what is none.
\c - postgres
SET neon_auth.cookie_prefix = ' my-app ';
CREATE FUNCTION by_cookies(cookies json) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM set_config('request.headers', '', true), set_config('request.cookies', cookies::text, true);
    PERFORM auth.pre_request();
    RETURN coalesce(auth.email(), 'nobody');
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws('|', sqlstate || ' ' || sqlerrm, nullif(detail, ''));
END
$$;
UPDATE neon_auth.providers SET default_role = NULL WHERE name = 'better_auth';
SELECT n.name, by_cookies(json_build_object(n.name, :'signed')) AS outcome
  FROM unnest('{better-auth.session_token,__Secure-better-auth.session_token,__Host-better-auth.session_token,better-auth-session_token,
                __Secure-better-auth-session_token,neon-auth.session_token,__Secure-neon-auth.session_token,my-app.session_token,
                __Secure-my-app.session_token,my-app-session_token,session_token,better-auth.session_data,Better-Auth.session_token,
                other.session_token,__Secure-other.session_token}'::text[]) AS n(name);
-- Of several the own prefix is first, then the names that browsers protect.
SELECT by_cookies(json_build_object('better-auth.session_token', 'planted', '__Secure-better-auth.session_token', :'signed')) AS protected,
       by_cookies(json_build_object('better-auth.session_token', 'planted', 'my-app.session_token', :'signed')) AS own;
-- A bare token in a cookie is refused if the secret is stored, and accepted in the header.
SELECT by_cookies(json_build_object('better-auth.session_token', :'bare')) AS without_secret;
SELECT neon_auth.set_secret('better_auth_secret', 'a-made-up-secret-for-tests-only-0123456789');
SELECT by_cookies(json_build_object('better-auth.session_token', :'bare')) AS bare,
       by_cookies(json_build_object('better-auth.session_token', :'signed')) AS signed,
       by_cookies(json_build_object('better-auth.session_token', overlay(:'signed' PLACING 'AAAA' FROM 40))) AS forged;
-- A refused credential leaves nobody, whoever was signed in before.
SELECT auth.authenticate(:'bare', false) IS NOT NULL AS signed_in;
SELECT by_cookies('{"better-auth.session_token": "unknown"}');
SELECT auth.user_id();
-- Without a credential, whoever was signed in before is signed out, also if the transaction
-- of the request fails.
SELECT auth.authenticate(:'bare', false) IS NOT NULL AS signed_in;
SELECT by_cookies('{}');
SELECT auth.user_id();
SELECT auth.authenticate(:'bare', false) IS NOT NULL AS signed_in;
BEGIN;
SET LOCAL request.cookies = '{}';
SELECT auth.pre_request();
ROLLBACK;
SELECT auth.user_id();
-- Settings that PostgREST does not make.
SELECT by_cookies('[]') AS array, by_cookies('"text"') AS text, by_cookies('{"better-auth.session_token": 1}') AS number,
       by_cookies('{"better-auth.session_token": null}') AS "null";
BEGIN;
SET LOCAL request.headers = '{"authorization": "Bearer a"';
SELECT auth.pre_request();
ROLLBACK;
BEGIN;
SET LOCAL request.headers = '{"authorization": "Bearer a", "Authorization": "Bearer b"}';
SELECT auth.pre_request();
ROLLBACK;
-- The header x-api-key: after Authorization, before the cookie. Without a table of API keys it is not ours.
BEGIN;
SET LOCAL request.headers = '{"x-api-key": "AliceKey"}';
SELECT set_config('request.cookies', json_build_object('better-auth.session_token', :'signed')::text, true) IS NOT NULL AS set;
SELECT auth.pre_request();
SELECT auth.email(), auth.session_id() IS NOT NULL AS by_cookie;
COMMIT;
CREATE TABLE shop.apikey (id text PRIMARY KEY, key text NOT NULL UNIQUE, "referenceId" text, enabled boolean, remaining integer, "expiresAt" timestamptz);
ALTER TABLE shop.apikey OWNER TO shop_owner;
INSERT INTO shop.apikey SELECT 'k-alice', translate(encode(sha256('AliceKey'), 'base64'), '+/=', '-_'), id, true FROM shop."user" WHERE email = 'alice@example.com';
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
CREATE FUNCTION by_headers(headers json, cookies json DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM set_config('request.headers', headers::text, true), set_config('request.cookies', cookies::text, true);
    PERFORM auth.pre_request();
    RETURN concat_ws(' ', coalesce(auth.email(), 'nobody'), CASE WHEN auth.session_id() IS NOT NULL THEN 'by a session' END,
                     'by ' || (auth.actor() ->> 'api_key_id'));
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws('|', sqlstate || ' ' || sqlerrm, nullif(detail, ''));
END
$$;
SELECT h.headers, replace(by_headers(h.headers::json, json_build_object('better-auth.session_token', :'signed')), :'jwt', 'JWT') AS outcome
  FROM unnest(ARRAY['{"x-api-key": "AliceKey"}', '{"X-Api-Key": " AliceKey "}', '{"x-api-key": "unknown"}', '{"x-api-key": ""}', '{"apikey": "AliceKey"}',
                    '{"x-api-key": "AliceKey", "X-API-Key": "AliceKey"}', '{"x-api-key": 1}', '{"authorization": "Bearer unknown", "x-api-key": "AliceKey"}',
                    '{"authorization": "Basic dXNlcjpwYXNz", "x-api-key": "AliceKey"}', '{"authorization": "Bearer AliceKey"}']) AS h(headers);
-- Only an API key is one: no session token, no JWT.
SELECT by_headers(json_build_object('x-api-key', :'bare')) AS session, by_headers(json_build_object('x-api-key', :'jwt')) AS jwt;
SELECT by_headers(json_build_object('authorization', 'Bearer ' || :'jwt', 'x-api-key', 'AliceKey')) AS authorization_first;
-- A key in a cookie is not signed.
SELECT by_headers('{}', '{"better-auth.session_token": "AliceKey"}') AS cookie;
SELECT auth.authenticate('AliceKey', false) IS NOT NULL AS signed_in;
SELECT by_headers('{"x-api-key": "unknown"}');
SELECT auth.user_id();
-- Not set at all.
\c - postgres
BEGIN;
SELECT auth.pre_request();
SELECT auth.user_id();
COMMIT;
-- Without a provider of Better Auth, cookies are not credentials.
SELECT neon_auth.drop_provider('better_auth');
SELECT by_cookies(json_build_object('better-auth.session_token', :'signed'));
SELECT by_headers('{"x-api-key": "AliceKey"}');
\c neon_auth_regress
DROP DATABASE better_auth_pre_request;
DROP ROLE shop_owner, authenticator;
