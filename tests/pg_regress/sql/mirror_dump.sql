-- A dump carries teams, memberships, permissions and what webhooks have told so far.
CREATE DATABASE neon_auth_mirror TEMPLATE template0;
\c neon_auth_mirror
CREATE EXTENSION neon_auth;
SELECT neon_auth_internal.define_stack_permissions();
INSERT INTO neon_auth.users_sync (raw_json) VALUES ('{"id": "u1", "display_name": "Alice Example"}');
SELECT neon_auth_internal.apply_team('created', '{"id": "t1", "display_name": "Red"}') ->> 'outcome' AS team,
       neon_auth_internal.apply_team('deleted', '{"id": "t2"}') ->> 'outcome' AS deleted,
       neon_auth_internal.apply_membership('created', 't1', 'u1', 'msg_3') ->> 'outcome' AS member,
       neon_auth_internal.apply_permission('created', 't1', 'u1', 'editor', 'msg_4') ->> 'outcome' AS permission,
       neon_auth_internal.apply_permission('created', NULL, 'u1', 'beta', 'msg_5') ->> 'outcome' AS project,
       neon_auth_internal.apply_membership('deleted', 't1', 'u2', 'msg_6') ->> 'outcome' AS removal;
INSERT INTO neon_auth.webhook_deliveries (id, event, outcome) VALUES ('msg_1', 'team.created', '{"outcome": "applied"}');
-- One definition of one's own, one default that is changed and one that is retired
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('editor', '{$read_members,team_member}');
UPDATE neon_auth.permission_definitions SET contained_permission_ids = '{publish}' WHERE id = 'team_member';
UPDATE neon_auth.permission_definitions SET retired = true WHERE id = '$read_members';
CREATE FUNCTION public.fingerprint() RETURNS TABLE (what text, rows bigint, md5 text) LANGUAGE sql AS $$
    SELECT what, count(*), md5(string_agg(line, '|' ORDER BY line COLLATE "C"))
      FROM (SELECT 'users', u::text FROM neon_auth.users_sync u
            UNION ALL SELECT 'teams', t::text FROM neon_auth.teams_sync t
            UNION ALL SELECT 'members', m::text FROM neon_auth.team_members_sync m
            UNION ALL SELECT 'team permissions', p::text FROM neon_auth.team_permissions_sync p
            UNION ALL SELECT 'project permissions', p::text FROM neon_auth.project_permissions_sync p
            UNION ALL SELECT 'definitions', d::text FROM neon_auth.permission_definitions d
            UNION ALL SELECT 'closure', c::text FROM neon_auth_internal.permission_closure c
            UNION ALL SELECT 'deliveries', d::text FROM neon_auth.webhook_deliveries d
            UNION ALL SELECT 'tombstones', r::text FROM neon_auth_internal.tombstones r
            UNION ALL SELECT 'queue', q::text FROM neon_auth.sync_queue q) AS everything(what, line)
     GROUP BY 1
$$;
CREATE TABLE public.before AS SELECT * FROM public.fingerprint();
CREATE DATABASE neon_auth_mirror_restored TEMPLATE template0;
\! pg_dump --dbname neon_auth_mirror | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null --dbname neon_auth_mirror_restored
\c neon_auth_mirror_restored
SELECT what, b.rows, b.md5 = f.md5 AS same FROM public.before b FULL JOIN public.fingerprint() f USING (what) ORDER BY what;
BEGIN;
SELECT auth.impersonate('u1');
SELECT auth.team_ids(), auth.has_permission('publish', 't1') AS publish, auth.has_permission('$read_members', 't1') AS retired, auth.has_permission('beta') AS beta;
-- What ended before the dump stays so.
SELECT neon_auth_internal.apply_team('created', '{"id": "t2"}') ->> 'outcome' AS team,
       neon_auth_internal.apply_membership('created', 't1', 'u2', 'msg_8') ->> 'outcome' AS member;
ROLLBACK;
\c neon_auth_regress
DROP DATABASE neon_auth_mirror;
DROP DATABASE neon_auth_mirror_restored;
