-- A token outlives its user by some minutes; a provider can be told to look into users_sync.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "alice"}]');
SELECT neon_auth.delete_user('alice');
-- Not unless it is asked for.
SELECT auth.authenticate(:'alice');
UPDATE neon_auth.providers SET reject_deleted_users = true;
-- Who was signed in before stays so; the next token is held to it.
SELECT auth.user_id();
SAVEPOINT s;
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.user_id() IS NULL AS nobody;
SELECT neon_auth.verify_jwt(:'alice');
\echo :SQLSTATE
ROLLBACK TO s;
-- A user that is not there yet is not deleted: its row may arrive after its first token.
SELECT auth.authenticate(:'bob');
SELECT neon_auth.upsert_users('[{"id": "bob"}]');
SELECT auth.authenticate(:'bob');
-- Whoever signs in needs no right to read the table.
SET LOCAL SESSION AUTHORIZATION app;
SELECT auth.authenticate(:'bob');
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK;
BEGIN;
-- The setting went with the transaction.
SELECT auth.authenticate(:'alice');
ROLLBACK;
