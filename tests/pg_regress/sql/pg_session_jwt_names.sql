-- The functions of pg_session_jwt, by the names and the ways in which its users call them.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --claim 'o={"id": "44444444-4444-4444-8444-444444444444", "slug": "example", "role": "admin"}'`
\set bad `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --aud other`
\c - app
SELECT auth.init();
-- Of the session, without a warning.
SELECT auth.jwt_session_init(:'alice');
SELECT auth.user_id(), auth.uid();
SELECT auth.session() ->> 'sub' AS sub, auth.jwt() ->> 'role' AS role;
SELECT auth.organization() ->> 'slug' AS slug, auth.organization_id();
-- The same token again is no error: no jti needs to rise.
SELECT auth.jwt_session_init(:'alice');
SELECT auth.user_id();
-- init() signs nobody out.
SELECT auth.init();
SELECT auth.user_id();
SELECT auth.jwt_session_init(:'bad');
\echo :SQLSTATE
SELECT auth.user_id() IS NULL AS nobody;
-- PostgREST's setting, which anybody can set, has no say.
SET request.jwt.claims = '{"sub": "mallory"}';
SELECT auth.user_id() IS NULL AS nobody, auth.session() IS NULL AS "no session";
-- With no provider there is nothing to read, and that is no error yet.
\c - postgres
BEGIN;
DELETE FROM neon_auth.providers;
SELECT auth.init();
ROLLBACK;
