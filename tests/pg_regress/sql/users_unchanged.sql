-- A user that is the same as before is not written again: no dead rows, no triggers, no new time.
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "u1", "display_name": "Alice Example", "a": [1, 2]}, {"id": "u2"}]');
UPDATE neon_auth.users_sync SET updated_at = '2020-01-01';
CREATE TEMP TABLE before ON COMMIT DROP AS SELECT id, ctid AS place, xmin::text AS inserted_by, cmin::text AS command, updated_at
  FROM neon_auth.users_sync;
-- Order and blanks of JSON do not count.
SELECT neon_auth.upsert_user('{"a":[1,2],"display_name":"Alice Example","id":"u1"}');
SELECT neon_auth.upsert_users('[{"id": "u2"}, {"id": "u1", "display_name": "Alice Example", "a": [1, 2]}]');
SELECT b.id, b.place = u.ctid AND b.inserted_by = u.xmin::text AND b.command = u.cmin::text AS same_row_version,
       b.updated_at = u.updated_at AS same_time
  FROM before b JOIN neon_auth.users_sync u USING (id) ORDER BY id;
-- A difference without a column of its own is one: the order in an array counts.
SELECT neon_auth.upsert_user('{"id": "u1", "display_name": "Alice Example", "a": [2, 1]}');
SELECT b.id, b.place = u.ctid AS same_row_version, u.updated_at BETWEEN now() AND clock_timestamp() AS updated_now
  FROM before b JOIN neon_auth.users_sync u USING (id) ORDER BY id;
ROLLBACK;
