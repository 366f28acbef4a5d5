-- Questions that the mirror answers, with the deleted left out. README has the same queries.
BEGIN;
SELECT neon_auth.upsert_users('[
    {"id": "u1", "display_name": "Alice Example", "signed_up_at_millis": 1704067200000},
    {"id": "u2", "display_name": "Bob Example", "signed_up_at_millis": 1704153599999},
    {"id": "u3", "display_name": "Carol Example", "signed_up_at_millis": 1704153600000},
    {"id": "u4", "display_name": "Dave Example", "signed_up_at_millis": 1704153600000},
    {"id": "u5", "display_name": "without a time"}]');
SELECT deliver('user.deleted', '{"id": "u4"}');
SELECT deliver('team.created', format('{"id": "%s", "display_name": "Team %1$s"}', team)::jsonb) FROM unnest('{t1,t2,t3}'::text[]) AS team;
SELECT deliver('team_membership.created', format('{"team_id": "%s", "user_id": "%s"}', team, member)::jsonb)
  FROM (VALUES ('t1', 'u1'), ('t1', 'u2'), ('t2', 'u1'), ('t3', 'u1'), ('t9', 'u3')) AS m(team, member);
SELECT deliver('team.deleted', '{"id": "t3"}');
CREATE TABLE todos (user_id text REFERENCES neon_auth.users_sync (id), task text);
INSERT INTO todos VALUES ('u1', 'one'), ('u1', 'two'), ('u4', 'left behind');

-- Sign-ups per day, deleted users included: they did sign up.
SELECT (created_at AT TIME ZONE 'UTC')::date AS day, count(*) AS sign_ups, count(*) FILTER (WHERE deleted_at IS NULL) AS still_here
  FROM neon_auth.users_sync
 WHERE created_at IS NOT NULL
 GROUP BY 1 ORDER BY 1;
-- Users without a todo
SELECT u.name
  FROM neon_auth.users_sync u
 WHERE u.deleted_at IS NULL AND NOT EXISTS (SELECT FROM todos t WHERE t.user_id = u.id)
 ORDER BY 1;
-- Members per team, teams without one included
SELECT t.name, count(m.user_id) AS members
  FROM neon_auth.teams_sync t
  LEFT JOIN neon_auth.team_members_sync m ON m.team_id = t.id
 WHERE t.deleted_at IS NULL
 GROUP BY t.id ORDER BY 1;
-- Todos and whose they are: a name stays readable after its user's deletion.
SELECT t.task, u.name, u.deleted_at IS NOT NULL AS left_us FROM todos t LEFT JOIN neon_auth.users_sync u ON u.id = t.user_id ORDER BY 1;
ROLLBACK;
