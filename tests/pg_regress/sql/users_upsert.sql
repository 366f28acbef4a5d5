-- One user object of the auth service becomes one row, column by column.
\set SHOW_CONTEXT never
BEGIN;
SELECT neon_auth.upsert_user('{
    "id": "11111111-1111-4111-8111-111111111111", "display_name": "Alice Example",
    "primary_email": "alice@example.com", "primary_email_verified": true,
    "signed_up_at_millis": 1700000000123, "selected_team": null}');
SELECT id, name, email, created_at AT TIME ZONE 'UTC' AS created_at, updated_at BETWEEN now() AND clock_timestamp() AS updated_now, deleted_at
  FROM neon_auth.users_sync;
-- The object is kept whole, also what has no column.
SELECT raw_json FROM neon_auth.users_sync;

-- Another object for the id takes its place entirely: what is gone there, is gone here.
SELECT neon_auth.upsert_user('{
    "id": "11111111-1111-4111-8111-111111111111", "display_name": "Alice B. Example", "signed_up_at_millis": 1700000000123}');
SELECT id, name, email, raw_json FROM neon_auth.users_sync;

-- The id alone is enough; JSON nulls are NULLs.
SELECT neon_auth.upsert_user('{"id": "u2"}');
SELECT neon_auth.upsert_user('{"id": "u3", "display_name": null, "primary_email": null, "signed_up_at_millis": null}');
-- The first and the last moment that count, as numbers of any spelling.
SELECT neon_auth.upsert_user('{"id": "u4", "signed_up_at_millis": 0}');
SELECT neon_auth.upsert_user('{"id": "u5", "signed_up_at_millis": 253402300799999}');
SELECT neon_auth.upsert_user('{"id": "u6", "signed_up_at_millis": 1e3}');
SELECT id, name, email, date_trunc('milliseconds', created_at) AT TIME ZONE 'UTC' AS created_at FROM neon_auth.users_sync ORDER BY id COLLATE "C";

-- NULL is no user, and changes nothing.
SAVEPOINT s;
SELECT neon_auth.upsert_user(NULL);
\echo :SQLSTATE
ROLLBACK TO s;
SELECT count(*) FROM neon_auth.users_sync;

-- Ids are compared exactly.
SELECT neon_auth.upsert_user('{"id": "U2"}'), neon_auth.upsert_user('{"id": " u2"}');
SELECT count(*) FROM neon_auth.users_sync WHERE id ILIKE '%u2';

-- Calls for new users are no subtransactions: with more than 64 of them in a transaction, all sessions would be slower
-- until it ends.
SELECT neon_auth.upsert_user(jsonb_build_object('id', 'many ' || n)) FROM generate_series(1, 3) AS n;
SELECT count(DISTINCT xmin::text) AS transactions FROM neon_auth.users_sync WHERE id LIKE 'many %';
ROLLBACK;
