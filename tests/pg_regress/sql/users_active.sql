-- An answer of the REST API does not rewrite a user whose only differences are the time of the last activity, by less
-- than a day, and the order of the OAuth providers.
CREATE FUNCTION pg_temp.moment() RETURNS bigint LANGUAGE sql
AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint';
-- What an answer with these changes to the user u1 writes.
CREATE FUNCTION pg_temp.answer(changes jsonb, without text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    given constant jsonb := (SELECT raw_json FROM neon_auth.users_sync WHERE id = 'u1') - without || changes;
    written record;
BEGIN
    SELECT * INTO written FROM neon_auth_internal.write_page('user', ARRAY[given::text], pg_temp.moment());
    ASSERT written.kept = 0;
    RETURN CASE written.changed WHEN 0 THEN 'not written' WHEN 1 THEN 'written' ELSE 'broken' END;
END $$;
BEGIN;
SET LOCAL search_path = pg_catalog, public, pg_temp;
CREATE TEMP TABLE whole AS SELECT '{"id": "u1", "display_name": "Alice Example", "last_active_at_millis": 1700000000000,
    "oauth_providers": [{"id": "github", "account_id": "1"}, {"id": "google", "account_id": "2"}, {"id": "google", "account_id": "2"}]}'::jsonb AS object;
SELECT neon_auth.upsert_user(object) FROM whole;
-- Each case begins with the same row.
SELECT t.what, t.answer
  FROM (VALUES ('the same', '{}'::jsonb, ''),
               ('active later, by less than a day', '{"last_active_at_millis": 1700086399999}', ''),
               ('active later, by a day', '{"last_active_at_millis": 1700086400000}', ''),
               ('active earlier, by less than a day', '{"last_active_at_millis": 1699913600001}', ''),
               ('active earlier, by a day', '{"last_active_at_millis": 1699913600000}', ''),
               ('a fraction', '{"last_active_at_millis": 1700000000000.5}', ''),
               ('not a number', '{"last_active_at_millis": "1700000000000"}', ''),
               ('null', '{"last_active_at_millis": null}', ''),
               ('missing', '{}', 'last_active_at_millis'),
               ('beyond bigint', '{"last_active_at_millis": 1e30}', ''),
               ('the name as well', '{"last_active_at_millis": 1700000000001, "display_name": "Bob"}', ''),
               ('a new member', '{"new": null}', ''),
               ('a member less', '{}', 'display_name'),
               ('providers in another order', '{"oauth_providers": [{"id": "google", "account_id": "2"}, {"id": "github", "account_id": "1"}, {"id": "google", "account_id": "2"}]}', ''),
               ('both exceptions', '{"last_active_at_millis": 1700000000001, "oauth_providers": [{"id": "google", "account_id": "2"}, {"id": "google", "account_id": "2"}, {"id": "github", "account_id": "1"}]}', ''),
               ('another provider twice', '{"oauth_providers": [{"id": "google", "account_id": "2"}, {"id": "github", "account_id": "1"}, {"id": "github", "account_id": "1"}]}', ''),
               ('a provider less', '{"oauth_providers": [{"id": "google", "account_id": "2"}, {"id": "github", "account_id": "1"}]}', ''),
               ('another account', '{"oauth_providers": [{"id": "google", "account_id": "3"}, {"id": "github", "account_id": "1"}, {"id": "google", "account_id": "2"}]}', ''),
               ('not an array', '{"oauth_providers": {"id": "google", "account_id": "2"}}', '')) AS v(what, changes, without)
 CROSS JOIN LATERAL (
      SELECT v.what, neon_auth.upsert_user(w.object) IS NOT NULL AS reset, pg_temp.answer(v.changes, v.without) AS answer
        FROM whole w OFFSET 0) AS t;
-- Nor does a deeply nested object, however deep; and its innermost value counts.
SELECT t.*
  FROM (VALUES ('{"a":', '}'), ('[', ']')) AS v(opening, closing)
 CROSS JOIN unnest('{0,1,14,15,16,17,18,10000}'::int[]) AS n(levels)
 CROSS JOIN LATERAL (
      SELECT jsonb_build_object('deep', (repeat(opening, levels) || '1' || repeat(closing, levels))::jsonb) AS one,
             jsonb_build_object('deep', (repeat(opening, levels) || '2' || repeat(closing, levels))::jsonb) AS other) AS d
 CROSS JOIN LATERAL (
      SELECT opening, levels, neon_auth.upsert_user(w.object || one) IS NOT NULL AS reset,
             pg_temp.answer(one) AS same, pg_temp.answer(other) AS other
        FROM whole w OFFSET 0) AS t;
-- An object is written exactly if it is not the same jsonb as its row, in whatever form its text is: each of these
-- objects after each.
CREATE FUNCTION pg_temp.objects(first integer) RETURNS TABLE (n bigint, object text) LANGUAGE sql AS $$
    SELECT n, format('{"id": "user %s"%s}', n, members)
      FROM (SELECT (row_number() OVER () + first) % count(*) OVER () AS n, members
              FROM (SELECT ', "v": ' || v
                      FROM unnest(ARRAY['0', '-0', '0.0', '1', '1.0', '1e0', '-1', '10', '1e1', '10000', '1e4', '10001', '20000',
                                        '100000000', '100010000', '9999999999999999', '10000000000000000', '12345678901234567890123',
                                        '0.5', 'true', 'false', 'null', '"1"', '"\u0031"', '""', '"a\nb"', '"a\\nb"', '[]',
                                        '[1]', '[1.0]', '[2]', '{}', '{"a": 1}', '{"a": 2}', '{"a": 2, "a": 1}',
                                        '{"b": 1, "a": 2}', '{"a": 2, "b": 1}', '{"a": 1, "b": 1}', '{"aa": 2, "b": 1}']) AS v
                     UNION ALL
                    SELECT unnest(ARRAY['', ', "w": 1', ', "v": 2, "v": 1', ', "v": 1, "v": 2', ', "v": 1, "w": 1',
                                        ', "w": 1, "v": 1', ', "w": 1, "v": 2, "v": 1', ', "v": 1, "v": 1',
                                        ', "vv": 1, "w": 1', ', "w": 1, "u": 1'])) AS m(members)) AS o
     ORDER BY n
$$;
DO $$
DECLARE
    wrong text;
BEGIN
    FOR step IN 0 .. (SELECT count(*) - 1 FROM pg_temp.objects(0)) LOOP
        PERFORM neon_auth.upsert_users((SELECT jsonb_agg(object::jsonb) FROM pg_temp.objects(0)));
        CREATE TEMP TABLE known AS SELECT u.id, u.ctid AS place, u.raw_json FROM neon_auth.users_sync u;
        PERFORM neon_auth_internal.write_page(
            'user', ARRAY(SELECT object FROM pg_temp.objects(step)), pg_temp.moment());
        SELECT string_agg(format('%s after %s', o.object, k.raw_json), E'\n') INTO wrong
          FROM pg_temp.objects(step) AS o
          JOIN known k ON k.id = o.object::jsonb ->> 'id'
          JOIN neon_auth.users_sync u ON u.id = k.id
         WHERE (u.ctid = k.place) <> (k.raw_json = o.object::jsonb) OR u.raw_json <> o.object::jsonb;
        ASSERT wrong IS NULL, wrong;
        DROP TABLE known;
    END LOOP;
END $$;
DELETE FROM neon_auth.users_sync WHERE id LIKE 'user %';
-- Small steps do not add up: the row is never a day behind.
SELECT neon_auth.upsert_user(object) FROM whole;
DO $$
DECLARE
    behind bigint;
BEGIN
    FOR hours IN 1 .. 70 LOOP
        PERFORM pg_temp.answer(jsonb_build_object('last_active_at_millis', 1700000000000 + hours * 3600000::bigint));
        SELECT 1700000000000 + hours * 3600000::bigint - (u.raw_json ->> 'last_active_at_millis')::bigint INTO behind
          FROM neon_auth.users_sync u WHERE u.id = 'u1';
        ASSERT behind = hours % 24 * 3600000, behind;
    END LOOP;
END $$;
SELECT raw_json ->> 'last_active_at_millis' AS last_active FROM neon_auth.users_sync;
-- A caller's own object is written as it is, and so is an event's.
SELECT neon_auth.upsert_user(jsonb_set(raw_json, '{last_active_at_millis}', '1700180000001')) FROM neon_auth.users_sync;
SELECT deliver('user.updated', jsonb_set(raw_json, '{last_active_at_millis}', '1700180000002')) FROM neon_auth.users_sync;
SELECT raw_json ->> 'last_active_at_millis' AS last_active FROM neon_auth.users_sync;
-- A team has no such members.
SELECT neon_auth.upsert_team('{"id": "t1", "last_active_at_millis": 1, "oauth_providers": ["a", "b"]}');
SELECT neon_auth_internal.write_page('team', ARRAY['{"id": "t1", "last_active_at_millis": 2, "oauth_providers": ["a", "b"]}'], pg_temp.moment());
SELECT neon_auth_internal.write_page('team', ARRAY['{"id": "t1", "last_active_at_millis": 2, "oauth_providers": ["b", "a"]}'], pg_temp.moment());
ROLLBACK;

-- In a page with a row that stays, because it has changed since or because a trigger keeps it, a user who was only
-- active is neither queued nor counted as kept.
BEGIN;
SET LOCAL search_path = pg_catalog, public, pg_temp;
SELECT neon_auth.upsert_users('[{"id": "active", "last_active_at_millis": 1}, {"id": "changed", "display_name": "old"}, {"id": "kept"}]');
SELECT pg_temp.moment() AS asked \gset
SELECT neon_auth.upsert_users('[{"id": "changed", "display_name": "new"}]');
SELECT neon_auth_internal.write_page('user', ARRAY['{"id": "active", "last_active_at_millis": 2}', '{"id": "changed", "display_name": "old"}'], :asked);
-- Changed since, and differs only by activity: there is nothing to confirm.
SELECT neon_auth.upsert_user('{"id": "active", "last_active_at_millis": 3}');
SELECT neon_auth_internal.write_page('user', ARRAY['{"id": "active", "last_active_at_millis": 2}', '{"id": "changed", "display_name": "old"}'], :asked);
SELECT kind, user_id, reason FROM neon_auth.sync_queue;
CREATE FUNCTION pg_temp.keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER keep BEFORE UPDATE ON neon_auth.users_sync FOR EACH ROW WHEN (old.id = 'kept') EXECUTE FUNCTION pg_temp.keep();
SELECT neon_auth_internal.write_page('user', ARRAY['{"id": "active", "last_active_at_millis": 4}', '{"id": "kept", "display_name": "new"}'], pg_temp.moment());
ROLLBACK;

-- The row may be up to a day behind what an answer has shown. However late an event comes: if its object is older than
-- the answer, it is never taken for newer without a confirmation.
CREATE FUNCTION pg_temp.late_event(seen bigint, told bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    outcome jsonb;
    result text;
BEGIN
    BEGIN
        PERFORM neon_auth.upsert_user('{"id": "u1", "display_name": "now", "last_active_at_millis": 1700000000000}');
        PERFORM neon_auth_internal.write_page('user', ARRAY[jsonb_build_object(
            'id', 'u1', 'display_name', 'now', 'last_active_at_millis', 1700000000000 + seen)::text], pg_temp.moment());
        outcome := deliver('user.updated', jsonb_build_object(
            'id', 'u1', 'display_name', 'then', 'last_active_at_millis', 1700000000000 + told));
        result := concat_ws(' ', outcome ->> 'outcome', CASE WHEN (outcome -> 'queued')::boolean THEN 'queued' END);
        RAISE EXCEPTION 'undone' USING ERRCODE = 'ZZZZZ';
    EXCEPTION WHEN SQLSTATE 'ZZZZZ' THEN
        RETURN result;
    END;
END $$;
BEGIN;
SET LOCAL search_path = pg_catalog, public, pg_temp;
CREATE TEMP TABLE outcomes AS
SELECT seen, told, pg_temp.late_event(seen, told) AS outcome
  FROM unnest('{0,1,3600000,43200000,86399999,86400000,200000000}'::bigint[]) AS seen,
       unnest('{-1,0,1,3599999,3600000,43200000,86399999,86400000,86400001,199999999,200000000,200000001,300000000}'::bigint[]) AS told;
SELECT outcome, count(*), count(*) FILTER (WHERE told <= seen) AS about_a_state_not_later_than_the_answer
  FROM outcomes GROUP BY outcome ORDER BY outcome;
SELECT told, outcome FROM outcomes WHERE seen = 43200000 ORDER BY told;
ROLLBACK;
