-- Users for tests are made only in a database that is marked for them, by roles that were granted the function.
\set SHOW_CONTEXT never
CREATE ROLE tests LOGIN;
GRANT USAGE ON SCHEMA neon_auth TO tests;
GRANT SELECT ON neon_auth.users_sync TO tests;
\c - tests
-- Not granted, and not marked.
SELECT * FROM neon_auth.make_test_users(1);
\c - postgres
GRANT EXECUTE ON FUNCTION neon_auth.make_test_users TO tests;
\c - tests
\set SHOW_CONTEXT never
-- The session has not loaded the library, so this setting is nobody's yet.
SET neon_auth.test_database = on;
SELECT * FROM neon_auth.make_test_users(1);
SET neon_auth.test_database = on;
\c - postgres
SELECT count(*) FROM neon_auth.users_sync;
ALTER DATABASE :DBNAME SET neon_auth.test_database = on;
\c - tests
SELECT * FROM neon_auth.make_test_users(3);
SELECT id, created_at AT TIME ZONE 'UTC' AS created_at, raw_json FROM neon_auth.users_sync ORDER BY id LIMIT 1;
-- The same again; a deleted user stays deleted, and is not returned.
\c - postgres
SELECT neon_auth.delete_user('00000000-0000-4000-8000-000000000002');
\c - tests
SELECT * FROM neon_auth.make_test_users(4);
-- They can be signed in, also where columns are UUIDs.
\c - postgres
BEGIN;
SELECT auth.impersonate(id) FROM neon_auth.make_test_users(1);
SELECT auth.uid(), (auth.profile()).name;
COMMIT;
-- Refused numbers.
SELECT * FROM neon_auth.make_test_users(0);
SELECT * FROM neon_auth.make_test_users(10001);
SELECT * FROM neon_auth.make_test_users(NULL);
SELECT count(*) FROM neon_auth.make_test_users(10000);
DELETE FROM neon_auth.users_sync;
ALTER DATABASE :DBNAME RESET neon_auth.test_database;
DROP OWNED BY tests;
DROP ROLE tests;
