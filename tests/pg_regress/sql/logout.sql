-- Signing out, by any of its names and at any scope.
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
\c - app
-- With nobody signed in there is nothing to do.
SELECT auth.logout();
SELECT auth.authenticate(:'alice', false);
SELECT auth.logout();
SELECT auth.user_id() IS NULL AS nobody;
SELECT auth.authenticate(:'alice', false);
SELECT auth.authenticate(NULL);
SELECT auth.user_id() IS NULL AS nobody;
SELECT auth.authenticate(:'alice', false);
SELECT auth.jwt_session_init(NULL);
SELECT auth.user_id() IS NULL AS nobody;
-- Inside a transaction it ends both identities, the local one and that of the session.
SELECT auth.authenticate(:'alice', false);
BEGIN;
SELECT auth.authenticate(:'bob');
SELECT auth.logout();
SELECT auth.user_id() IS NULL AS nobody;
COMMIT;
SELECT auth.user_id() IS NULL AS nobody;
-- Whoever comes next comes as anew.
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.logout();
SELECT auth.authenticate(:'bob');
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id() IS NULL AS nobody;
-- No warning outside a transaction block, and nothing about read-only ones.
BEGIN READ ONLY;
SELECT auth.logout();
COMMIT;
