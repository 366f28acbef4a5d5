-- auth.profile(): the signed-in user's own row and no other, for roles that cannot read the table.
\set alice `"$STACK" token --sub 11111111-1111-4111-8111-111111111111`
\set bob `"$STACK" token --sub 22222222-2222-4222-8222-222222222222`
\set carol `"$STACK" token --sub 33333333-3333-4333-8333-333333333333`
BEGIN;
SELECT neon_auth.upsert_users('[
    {"id": "11111111-1111-4111-8111-111111111111", "display_name": "Alice Example", "primary_email": "alice@example.com",
     "signed_up_at_millis": 1700000000123, "client_metadata": {"theme": "dark"}, "client_read_only_metadata": {"plan": "pro"},
     "server_metadata": {"risk": "high"}, "restricted_by_admin_reason": "spam", "restricted_by_admin_private_details": "see notes"},
    {"id": "22222222-2222-4222-8222-222222222222", "display_name": "Bob Example"}]');
UPDATE neon_auth.users_sync SET updated_at = '2025-01-02 03:04:05+00';
SELECT neon_auth.delete_user('22222222-2222-4222-8222-222222222222');
SET LOCAL ROLE app;
SET LOCAL ROLE authenticated;
SELECT auth.profile() IS NULL AS nobody;
SELECT auth.authenticate(:'alice');
SELECT (p).id, (p).name, (p).email, (p).created_at AT TIME ZONE 'UTC' AS created_at,
       (p).updated_at AT TIME ZONE 'UTC' AS updated_at, (p).deleted_at
  FROM auth.profile() AS p;
-- What the auth service keeps from its users stays with it, though the row has it.
SELECT jsonb_pretty((auth.profile()).raw_json) AS raw_json;
-- Deleted, though the token is still good; and not there at all.
SELECT auth.authenticate(:'bob');
SELECT auth.profile() IS NULL AS deleted;
SELECT auth.authenticate(:'carol');
SELECT auth.profile() IS NULL AS absent;
-- As a row source it is one row of NULLs then, as any function is; ask for the id.
SELECT count(*), count(id) FROM auth.profile();
SAVEPOINT s;
SELECT * FROM neon_auth.users_sync;
\echo :SQLSTATE
ROLLBACK TO s;
-- A column that somebody adds comes along, and one that goes is gone, in the same session too.
SELECT auth.authenticate(:'alice');
SELECT (auth.profile()).name;
RESET ROLE;
ALTER TABLE neon_auth.users_sync ADD COLUMN plan text DEFAULT 'free', ADD COLUMN score int;
SET LOCAL ROLE authenticated;
SELECT (p).id, (p).name, (p).plan, (p).score FROM auth.profile() AS p;
SELECT (auth.profile()).raw_json ? 'server_metadata' AS told;
RESET ROLE;
ALTER TABLE neon_auth.users_sync DROP COLUMN plan;
SET LOCAL ROLE authenticated;
SELECT (p).id, (p).name, (p).score FROM auth.profile() AS p;
ROLLBACK;
