-- auth.team_ids() and auth.is_team_member(): which teams the signed-in user is in.
\set alice `"$STACK" token --sub 11111111-1111-4111-8111-111111111111`
BEGIN;
SELECT deliver('team_membership.created', format('{"team_id": "%s", "user_id": "11111111-1111-4111-8111-111111111111"}', team)::jsonb) FROM unnest('{t3,t1,t2}'::text[]) AS team;
SELECT deliver('team_membership.created', '{"team_id": "t4", "user_id": "u2"}');
SET LOCAL ROLE app;
SET LOCAL ROLE authenticated;
SELECT auth.team_ids() IS NULL AS nobody, auth.is_team_member('t1') IS NULL AS also;
SELECT auth.authenticate(:'alice');
-- Neither the teams nor the user are known yet.
SELECT auth.team_ids();
SELECT team, auth.is_team_member(team) FROM unnest('{t1,t4,t9,T1,"",NULL}'::text[]) AS team;
-- The tables themselves are not to be seen.
SAVEPOINT s;
SELECT * FROM neon_auth.team_members_sync;
\echo :SQLSTATE
ROLLBACK TO s;
RESET ROLE;
SELECT deliver('team.created', '{"id": "t1"}');
SELECT deliver('team.deleted', '{"id": "t2"}');
SELECT deliver('user.created', '{"id": "11111111-1111-4111-8111-111111111111"}');
SELECT auth.team_ids(), auth.is_team_member('t2') AS deleted;
SELECT deliver('team_membership.deleted', '{"team_id": "t3", "user_id": "11111111-1111-4111-8111-111111111111"}');
SELECT auth.team_ids(), auth.is_team_member('t3') AS left_it;
UPDATE neon_auth.users_sync SET deleted_at = now();
SELECT auth.team_ids(), auth.is_team_member('t1') AS "user deleted";
SELECT auth.logout();
SELECT auth.team_ids() IS NULL AS nobody;
-- In no team
SELECT auth.impersonate('u3');
SELECT auth.team_ids();
ROLLBACK;

-- In policies they are asked once per query, and an index serves what they answer.
BEGIN;
CREATE TABLE documents (id int PRIMARY KEY, team_id text NOT NULL, body text);
CREATE INDEX documents_team_id_idx ON documents (team_id);
INSERT INTO documents SELECT n, 't' || n % 100, 'body' FROM generate_series(1, 1000) AS n;
ANALYZE documents;
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY read_team ON documents FOR SELECT USING (team_id = ANY (auth.team_ids()));
CREATE POLICY change_as_editor ON documents FOR UPDATE USING (team_id = ANY (auth.team_ids()) AND auth.has_permission('editor', team_id));
CREATE POLICY remove_as_staff ON documents FOR DELETE USING (auth.has_permission('staff'));
GRANT SELECT, UPDATE, DELETE ON documents TO authenticated;
SELECT deliver('team_membership.created', format('{"team_id": "%s", "user_id": "u1"}', team)::jsonb) FROM unnest('{t1,t2}'::text[]) AS team;
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "editor"}');
SELECT auth.impersonate('u1');
SET LOCAL ROLE authenticated;
SELECT team_id, count(*) FROM documents GROUP BY 1 ORDER BY 1;
WITH changed AS (UPDATE documents SET body = 'changed' RETURNING team_id) SELECT team_id, count(*) FROM changed GROUP BY 1;
DELETE FROM documents RETURNING id;
RESET ROLE;
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
-- The lines of a plan that say so, in all versions' words
CREATE FUNCTION pg_temp.plan(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
        IF line ~ 'Scan|Cond|Filter' THEN
            RETURN NEXT replace(trim(line, ' ->'), '(InitPlan 1).col1', '$0');
        END IF;
    END LOOP;
END
$$;
SET LOCAL ROLE authenticated;
SELECT pg_temp.plan('SELECT * FROM documents');
SELECT pg_temp.plan('DELETE FROM documents');
RESET ROLE;
SELECT pg_temp.plan('SELECT * FROM documents WHERE auth.is_team_member(''t1'')');
PREPARE by_team(text) AS SELECT count(*) FROM documents WHERE team_id = $1 AND auth.is_team_member($1);
SET LOCAL plan_cache_mode = force_generic_plan;
SELECT pg_temp.plan('EXECUTE by_team(''t1'')');
EXECUTE by_team('t1');
EXECUTE by_team('t3');
SELECT auth.impersonate('u2');
EXECUTE by_team('t1');
SELECT auth.logout();
EXECUTE by_team('t1');
ROLLBACK;
