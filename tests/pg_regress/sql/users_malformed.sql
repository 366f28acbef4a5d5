-- An object that cannot be a row is refused with the reason, and never with a raw error of a column.
\set SHOW_CONTEXT never
SELECT neon_auth.upsert_user('{"display_name": "Alice Example"}');
\echo :SQLSTATE
CREATE FUNCTION pg_temp.defect(given jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM neon_auth.upsert_user(given);
    RETURN 'written';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s: %s. %s', sqlstate, sqlerrm, detail);
END
$$;
BEGIN;
SELECT given, pg_temp.defect(given)
  FROM (VALUES (1, '{}'::jsonb),
               (2, '{"ID": "u1"}'),
               (3, '{"id": null}'),
               (4, '{"id": ""}'),
               (5, '{"id": 7}'),
               (6, '{"id": true}'),
               (7, '{"id": ["u1"]}'),
               (8, '{"id": {"id": "u1"}}'),
               (9, '[]'),
               (10, '[{"id": "u1"}]'),
               (11, '"u1"'),
               (12, '7'),
               (13, 'true'),
               (14, 'null'),
               (15, '{"id": "u1", "signed_up_at_millis": "1700000000000"}'),
               (16, '{"id": "u1", "signed_up_at_millis": "yesterday"}'),
               (17, '{"id": "u1", "signed_up_at_millis": ""}'),
               (18, '{"id": "u1", "signed_up_at_millis": 1700000000000.5}'),
               (19, '{"id": "u1", "signed_up_at_millis": -1}'),
               (20, '{"id": "u1", "signed_up_at_millis": 253402300800000}'),
               (21, '{"id": "u1", "signed_up_at_millis": 9223372036854775808}'),
               (22, '{"id": "u1", "signed_up_at_millis": 1e30}'),
               (23, '{"id": "u1", "signed_up_at_millis": true}'),
               (24, '{"id": "u1", "signed_up_at_millis": [1]}'),
               (25, '{"id": "u1", "signed_up_at_millis": {}}'),
               -- a whole number to a reader, but no bigint to the column
               (26, '{"id": "u1", "signed_up_at_millis": 1700000000000.0}'),
               (27, '{"id": "u1", "signed_up_at_millis": 0.0}'),
               (28, '{"id": "u1", "signed_up_at_millis": 253402300799999}'),
               (29, '{"id": "u1", "signed_up_at_millis": 1.7e12}')) AS v(n, given)
 ORDER BY n;
SELECT neon_auth.upsert_users('[{"id": "u1"}, {"id": "u2", "signed_up_at_millis": 1700000000000.0}]');
\echo :SQLSTATE
ROLLBACK;
BEGIN;
SELECT pg_temp.defect(jsonb_build_object('id', repeat('a', 256))) AS "256 bytes",
       pg_temp.defect(jsonb_build_object('id', repeat('ü', 128))) AS "256 bytes of 128 characters",
       pg_temp.defect(jsonb_build_object('id', repeat('a', 255))) AS "255 bytes";
-- Names and addresses are the auth service's business: whatever they are, they are kept.
SELECT pg_temp.defect('{"id": "u2", "display_name": 7, "primary_email": {"a": 1}}');
SELECT left(id, 3) AS id, name, email FROM neon_auth.users_sync ORDER BY id COLLATE "C";
ROLLBACK;

-- A character of a profile that text cannot hold never becomes jsonb, nor do bytes that are no UTF-8.
\set VERBOSITY sqlstate
SELECT neon_auth.upsert_user('{"id": "u1", "display_name": "A\u0000B"}');
\echo :SQLSTATE
SELECT neon_auth.upsert_users('[{"id": "u1"}, {"id": "u2", "display_name": "\ud83d"}]');
\echo :SQLSTATE
SELECT neon_auth.upsert_user(convert_from('\x7b226964223a2022ff227d', 'UTF8')::jsonb);
\echo :SQLSTATE
\set VERBOSITY default
-- Ten megabytes are a lot, and a row; what has no column of its own is kept.
BEGIN;
SELECT neon_auth.upsert_users(jsonb_build_array(jsonb_build_object('id', 'u1', 'client_metadata', repeat('x', 10000000), 'unknown', '[1, null]'::jsonb)));
SELECT neon_auth.upsert_users(jsonb_build_array(jsonb_build_object('id', 'u1', 'client_metadata', repeat('x', 10000000), 'unknown', '[1, null]'::jsonb))) AS again;
-- Numbers that are equal are the same, however they are spelt.
SELECT neon_auth.upsert_users(jsonb_build_array(jsonb_build_object('id', 'u1', 'client_metadata', repeat('x', 10000000), 'unknown', '[1.0, null]'::jsonb))) AS again;
SELECT id, length(raw_json ->> 'client_metadata') AS length, raw_json -> 'unknown' AS unknown FROM neon_auth.users_sync;
ROLLBACK;

-- Written past the functions, the table itself refuses what has no id.
INSERT INTO neon_auth.users_sync (raw_json) VALUES ('{"display_name": "Alice Example"}');
\echo :SQLSTATE
INSERT INTO neon_auth.users_sync (raw_json) VALUES (NULL);
\echo :SQLSTATE
