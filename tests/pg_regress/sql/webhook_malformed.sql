-- A signed body that is no event, or no row, is refused with the reason, and nothing is half done.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.refusal(body text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN neon_auth.handle_webhook(body, sign_webhook(body, 'msg_malformed')) - 'message_id';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s: %s. %s', sqlstate, sqlerrm, detail);
END
$$;
\pset format unaligned
BEGIN;
-- The envelope
SELECT body, pg_temp.refusal(body) AS refusal
  FROM unnest(ARRAY['', ' ', 'no JSON', '{"type": "user.created", "data": {"id": "u1"}', '{"type": "user.created"} {}',
                    'null', '7', '"user.created"', '[]', '[{"type": "user.created", "data": {"id": "u1"}}]', '{}',
                    '{"data": {"id": "u1"}}', '{"type": null, "data": {"id": "u1"}}', '{"type": 7, "data": {"id": "u1"}}',
                    '{"type": "", "data": {"id": "u1"}}', '{"type": ["user.created"], "data": {"id": "u1"}}',
                    '{"type": "user.created"}', '{"type": "no.such"}', '{"TYPE": "user.created", "data": {"id": "u1"}}']) AS body;
-- The data of each event
SELECT event, data, pg_temp.refusal(format('{"type": "%s", "data": %s}', event, data)) AS refusal
  FROM (VALUES ('user.created', 'null'), ('user.created', '[]'), ('user.created', '"u1"'), ('user.created', '{}'),
               ('user.created', '{"id": 7}'), ('user.created', '{"id": null}'), ('user.created', '{"id": ""}'),
               ('user.updated', '{"id": {}}'), ('user.updated', '{"id": "u1", "signed_up_at_millis": "yesterday"}'),
               ('user.updated', '{"id": "u1", "signed_up_at_millis": 1e400}'),
               ('user.deleted', '{}'), ('user.deleted', '{"id": ["u1"]}'), ('user.deleted', 'null'),
               ('team.created', '{"display_name": "T"}'), ('team.created', '{"id": "t1", "created_at_millis": true}'),
               ('team.updated', '{"id": "t1", "created_at_millis": -1}'), ('team.updated', '7'), ('team.deleted', '{"team_id": "t1"}'),
               ('team_membership.created', '{"team_id": "t1"}'), ('team_membership.created', '{"user_id": "u1"}'),
               ('team_membership.created', '{"team_id": "t1", "user_id": 7}'), ('team_membership.deleted', '{}'),
               ('team_permission.created', '{"team_id": "t1", "user_id": "u1"}'),
               ('team_permission.created', '{"id": "p", "user_id": "u1"}'), ('team_permission.deleted', '{"id": null, "team_id": "t1", "user_id": "u1"}'),
               ('project_permission.created', '{"id": "p"}'), ('project_permission.created', '{"user_id": "u1"}'),
               ('project_permission.deleted', '{"id": "p", "user_id": ""}')) AS v(event, data);
SELECT pg_temp.refusal(format('{"type": "user.created", "data": {"id": "%s"}}', repeat('u', 256))) AS "long id",
       pg_temp.refusal(format('{"type": "%s", "data": {}}', repeat('t', 256))) AS "long type";
-- What jsonb cannot hold: a NUL character, half a surrogate pair, a number beyond numeric, 100,000 levels
SELECT pg_temp.refusal('{"type": "user.created", "data": {"id": "u1", "display_name": "A\u0000B"}}') AS nul,
       pg_temp.refusal('{"type": "user.created", "data": {"id": "u1", "display_name": "\ud83d"}}') AS surrogate,
       pg_temp.refusal('{"type": "user.created", "data": {"id": "u1", "a": 1e999999}}') AS number,
       left(pg_temp.refusal(format('{"type": "user.created", "data": {"id": "u1", "a": %s1%s}}', repeat('[', 100000), repeat(']', 100000))), 95) AS levels;
-- Nothing of it is there, and no delivery is remembered: the next attempt has its chance.
SELECT (SELECT count(*) FROM neon_auth.users_sync) AS users, (SELECT count(*) FROM neon_auth.teams_sync) AS teams,
       (SELECT count(*) FROM neon_auth.team_members_sync) AS members, (SELECT count(*) FROM neon_auth.team_permissions_sync) AS team_permissions,
       (SELECT count(*) FROM neon_auth.project_permissions_sync) AS project_permissions, (SELECT count(*) FROM neon_auth_internal.tombstones) AS removals,
       (SELECT count(*) FROM neon_auth.sync_queue) AS queue, (SELECT array_agg(event) FROM neon_auth.webhook_deliveries) AS deliveries;

-- What to do is said too.
SAVEPOINT s;
SELECT deliver('user.created', '{}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.handle_webhook('no JSON', sign_webhook('no JSON', 'msg_1'));
\echo :SQLSTATE
ROLLBACK TO s;
-- Bytes that are no UTF-8 never become text.
SELECT neon_auth.handle_webhook(convert_from('\x7b22ff227d', 'UTF8'), '{}');
\echo :SQLSTATE
ROLLBACK;

-- What is odd and still a row, is one: unknown members are kept, ids need be no UUIDs, ten megabytes are a lot.
BEGIN;
SELECT deliver('user.created', '{"id": "no uuid, äöü '' \" \\ $1", "unknown": {"deep": [1, null]}, "display_name": "😀"}');
SELECT id, name, raw_json -> 'unknown' AS unknown FROM neon_auth.users_sync;
SELECT neon_auth.handle_webhook(body, sign_webhook(body, 'msg_more')) ->> 'outcome' AS "more in the envelope"
  FROM (VALUES ('{"type": "user.created", "data": {"id": "u2"}, "timestamp": 7, "type": "user.created"}')) AS v(body);
SELECT deliver('user.updated', jsonb_build_object('id', 'u3', 'client_metadata', repeat('x', 10000000)));
SELECT id, length(raw_json ->> 'client_metadata') FROM neon_auth.users_sync WHERE id = 'u3';
SELECT deliver('team_membership.created', '{"team_id": "no team", "user_id": "nobody", "extra": 1}');
SELECT deliver('team_permission.created', '{"team_id": "no team", "user_id": "nobody", "id": "Any Permission!"}');
SELECT team_id, user_id, permission_id FROM neon_auth.team_permissions_sync;
ROLLBACK;

-- A permission for a team that is told of later counts once the user is a member, and for a deleted one never.
BEGIN;
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "editor"}');
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT auth.impersonate('u1');
SELECT auth.has_permission('editor', 't1') AS before_its_team;
SELECT deliver('team.created', '{"id": "t1", "unknown": {"kept": true}}');
SELECT raw_json FROM neon_auth.teams_sync;
SELECT auth.has_permission('editor', 't1') AS with_it;
SELECT deliver('team.deleted', '{"id": "t2"}');
SELECT deliver('team_permission.created', '{"team_id": "t2", "user_id": "u1", "id": "editor"}');
SELECT auth.has_permission('editor', 't2') AS deleted;
ROLLBACK;

-- Ten megabytes that nobody signed, or that are no JSON, are refused as little ones are.
SELECT neon_auth.handle_webhook(repeat('{', 10000000), sign_webhook('{}', 'msg_1'));
\echo :SQLSTATE
SELECT left(pg_temp.refusal('"' || repeat('x', 10000000)), 95) AS "no JSON";
SELECT left(pg_temp.refusal('{"type": "user.created", "data": {"id": "' || repeat('x', 10000000) || '"}}'), 150) AS "long id";

-- Where another statement of the transaction fails, the delivery was not.
BEGIN;
SELECT deliver('user.created', '{"id": "u1"}', 'msg_again');
ROLLBACK;
BEGIN;
SELECT deliver('user.created', '{"id": "u1"}', 'msg_again');
ROLLBACK;
-- Nor where the applying itself does.
BEGIN;
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not today''; END';
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "p"}');
CREATE TRIGGER refuse BEFORE DELETE ON neon_auth.team_permissions_sync FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
SAVEPOINT s;
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}', 'msg_fails');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT team_id, user_id FROM neon_auth.team_members_sync;
SELECT count(*) FROM neon_auth_internal.tombstones;
SELECT count(*) FROM neon_auth.webhook_deliveries WHERE id = 'msg_fails';
DROP TRIGGER refuse ON neon_auth.team_permissions_sync;
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}', 'msg_fails');
SELECT count(*) FROM neon_auth.team_permissions_sync;
ROLLBACK;

-- Snapshots that do not see what a lock was waited for cannot be used.
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT deliver('user.created', '{"id": "u1"}');
\echo :SQLSTATE
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT deliver('user.created', '{"id": "u1"}');
\echo :SQLSTATE
ROLLBACK;
