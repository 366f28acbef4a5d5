-- What a pooler runs between two clients of a connection signs out; what it may run in the
-- middle of one does not.
\set alice `"$STACK" token --sub alice`
\c - app
SELECT auth.authenticate(:'alice', false);
DISCARD PLANS;
DISCARD SEQUENCES;
DISCARD TEMP;
RESET search_path;
RESET ROLE;
SELECT auth.user_id();
DISCARD ALL;
SELECT auth.user_id() IS NULL AS nobody;
-- A part of it, as some poolers have it.
SELECT auth.authenticate(:'alice', false);
RESET ALL;
SELECT auth.user_id() IS NULL AS nobody;
-- In a transaction, and taken back with it.
SELECT auth.authenticate(:'alice', false);
BEGIN;
RESET ALL;
SELECT auth.user_id() IS NULL AS nobody;
ROLLBACK;
SELECT auth.user_id();
-- The session goes on to work.
DISCARD ALL;
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id() IS NULL AS nobody;
