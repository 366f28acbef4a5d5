-- Signing in without a token, to test policies: for superusers and whom they grant it.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
BEGIN;
SELECT auth.impersonate('u1');
SELECT auth.user_id(), auth.jwt(), auth.provider() IS NULL AS "vouched for by nobody", auth.expires_at() IS NULL AS "without end";
SELECT auth.impersonate('u1', '{"role": "authenticated", "email": "alice@example.com", "exp": 4102444800}');
SELECT auth.jwt(), auth.role(), auth.email(), auth.expires_at() AT TIME ZONE 'UTC' AS expires_at;
-- The user id is the argument's, whatever the claims say.
SELECT auth.impersonate('u1', '{"sub": "u2"}');
SELECT auth.user_id(), auth.jwt();
-- It takes the place of a token's identity, provider included, and the other way round.
SELECT auth.authenticate(:'alice');
SELECT auth.provider();
SELECT auth.impersonate('u1');
SELECT auth.user_id(), auth.provider() IS NULL AS "vouched for by nobody";
COMMIT;
SELECT auth.user_id() IS NULL AS nobody;
-- Local unless said otherwise, as authenticate; the warning is the same.
SELECT auth.impersonate('u1');
SELECT auth.user_id() IS NULL AS nobody;
SELECT auth.impersonate('u1', is_local => false);
SELECT auth.user_id();
-- NULL is nobody's id, and no claims: refused, and who was signed in is so no more.
SELECT auth.impersonate(NULL);
\echo :SQLSTATE
SELECT auth.user_id() IS NULL AS nobody;
SELECT auth.impersonate('u2', NULL);
\echo :SQLSTATE
-- As for authenticate, NULL is the narrower scope.
BEGIN;
SELECT auth.impersonate('u2', '{}', NULL);
COMMIT;
SELECT auth.user_id() IS NULL AS nobody;

-- What can be no identity
SELECT auth.impersonate('');
\echo :SQLSTATE
SELECT auth.impersonate('u1', '[]');
\echo :SQLSTATE
SELECT auth.impersonate('u1', '"u1"');
\echo :SQLSTATE
SELECT auth.impersonate('u1', 'null');
\echo :SQLSTATE
-- More than jsonb's text says to a parser: too large a number, too deep
SELECT auth.impersonate('u1', '{"n": 1e400}');
\echo :SQLSTATE
SELECT auth.impersonate('u1', jsonb_build_object('a', (repeat('[', 200) || repeat(']', 200))::jsonb));
\echo :SQLSTATE
SELECT auth.impersonate('u1', jsonb_build_object('a', (repeat('[', 5000) || repeat(']', 5000))::jsonb));
\echo :SQLSTATE
SELECT auth.impersonate('u1', '{"exp": "tomorrow"}');
\echo :SQLSTATE
SELECT auth.impersonate('u1', '{"exp": null}');
\echo :SQLSTATE
SELECT auth.impersonate('u1', '{"exp": 1e30}');
\echo :SQLSTATE

-- For nobody else, be it inside a transaction in which somebody is signed in.
SET SESSION AUTHORIZATION app;
SELECT auth.impersonate('u1');
\echo :SQLSTATE
BEGIN;
SELECT auth.authenticate(:'alice');
SAVEPOINT s;
SELECT auth.impersonate('u1');
\echo :SQLSTATE
ROLLBACK TO s;
SET LOCAL ROLE authenticated;
SELECT auth.impersonate('u1');
\echo :SQLSTATE
ROLLBACK;
RESET SESSION AUTHORIZATION;
