-- What permissions contain: the auth service's defaults, and an administrator's own.
\set SHOW_CONTEXT never
SELECT scope, id COLLATE "C" AS id, contained_permission_ids, retired FROM neon_auth.permission_definitions ORDER BY 2;
SELECT id COLLATE "C" AS id, granted_by FROM neon_auth_internal.permission_closure ORDER BY 1;
BEGIN;
CREATE TEMP VIEW closure AS
    SELECT scope, id COLLATE "C" AS id, granted_by FROM neon_auth_internal.permission_closure WHERE id !~ '^\$' ORDER BY 1, 2;
-- Contained in something contained, in two ways, in itself, in a circle, and defined nowhere
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES
    ('a', '{b,c}'), ('b', '{d}'), ('c', '{d}'), ('d', '{e}'), ('self', '{self}'), ('x', '{y}'), ('y', '{z}'), ('z', '{x}');
SELECT * FROM closure WHERE id NOT LIKE 'team%';
-- Scopes do not mix.
INSERT INTO neon_auth.permission_definitions (scope, id, contained_permission_ids) VALUES ('project', 'a', '{e}');
SELECT * FROM closure WHERE id IN ('a', 'e');
-- A change and a deletion count at once; what is retired grants nothing, and passes nothing on.
UPDATE neon_auth.permission_definitions SET contained_permission_ids = '{}' WHERE id = 'b';
UPDATE neon_auth.permission_definitions SET retired = true WHERE scope = 'team' AND id = 'c';
DELETE FROM neon_auth.permission_definitions WHERE id IN ('x', 'self') OR scope = 'project';
SELECT * FROM closure WHERE id NOT LIKE 'team%';

-- A default is a definition like any other.
UPDATE neon_auth.permission_definitions SET contained_permission_ids = '{$read_members}' WHERE id = 'team_member';
UPDATE neon_auth.permission_definitions SET retired = true WHERE id = '$manage_api_keys';
SELECT id COLLATE "C" AS id, contained_permission_ids, retired FROM neon_auth.permission_definitions
 WHERE id IN ('team_member', '$manage_api_keys', 'team_admin') ORDER BY 1;
SELECT id COLLATE "C" AS id, granted_by FROM neon_auth_internal.permission_closure WHERE id IN ('$invite_members', '$manage_api_keys') ORDER BY 1;
DELETE FROM neon_auth.permission_definitions WHERE id = 'team_member';
SELECT * FROM closure WHERE id LIKE 'team%';
INSERT INTO neon_auth.permission_definitions (id) VALUES ('mine');
SAVEPOINT s;
-- A row of one's own is in the way of another, as ever.
INSERT INTO neon_auth.permission_definitions (id) VALUES ('mine');
\echo :SQLSTATE
ROLLBACK TO s;
INSERT INTO neon_auth.permission_definitions (id) VALUES ('Not An Id');
\echo :SQLSTATE
ROLLBACK TO s;
INSERT INTO neon_auth.permission_definitions (scope, id) VALUES ('world', 'a');
\echo :SQLSTATE
ROLLBACK TO s;
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('f', '{NULL}');
\echo :SQLSTATE
ROLLBACK;
-- Triggers for replicas too: a load with session_replication_role = replica keeps the closure.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE neon_auth.permission_definitions SET contained_permission_ids = '{f}' WHERE id = 'team_admin';
SELECT granted_by FROM neon_auth_internal.permission_closure WHERE id = 'f';
ROLLBACK;
