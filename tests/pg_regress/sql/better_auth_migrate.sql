-- migrate_to_better_auth(): from the mirror of Stack Auth into Better Auth's tables, which then fill the mirror.
-- Foreign keys and policies stay as they are.
\set SHOW_CONTEXT never
\set VERBOSITY default
\pset null '-'
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
CREATE ROLE better_auth_app LOGIN;
CREATE DATABASE neon_auth_migrate TEMPLATE template0;
\c neon_auth_migrate
CREATE EXTENSION neon_auth;
SELECT neon_auth.configure(:'keys');
SELECT neon_auth.set_secret('webhook_secret', 'whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=');

-- The mirror of Stack Auth
CREATE FUNCTION u(n int) RETURNS text LANGUAGE sql RETURN format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'));
CREATE FUNCTION t(n int) RETURNS text LANGUAGE sql RETURN format('11111111-1111-4111-8111-%s', lpad(n::text, 12, '0'));
SELECT neon_auth.upsert_users(jsonb_build_array(
    jsonb_build_object('id', u(1), 'display_name', 'Alice Example', 'primary_email', 'Alice@Example.com', 'primary_email_verified', true,
                       'profile_image_url', 'https://example.com/a.png', 'signed_up_at_millis', 1700000000123),
    jsonb_build_object('id', u(2), 'display_name', NULL, 'primary_email', 'bob@example.com', 'signed_up_at_millis', 1700000001000),
    jsonb_build_object('id', u(3), 'display_name', 'Carol', 'primary_email', 'carol@example.com', 'signed_up_at_millis', 1700000002000),
    jsonb_build_object('id', u(4), 'display_name', 'No address', 'signed_up_at_millis', 1700000003000),
    -- Older, but not verified
    jsonb_build_object('id', u(5), 'display_name', 'Not Alice', 'primary_email', 'ALICE@example.com', 'signed_up_at_millis', 1600000000000),
    jsonb_build_object('id', u(6), 'display_name', 'Also existing', 'primary_email', 'Taken@example.com', 'signed_up_at_millis', 1700000005000),
    jsonb_build_object('id', u(7), 'display_name', 'Dave', 'primary_email', 'dave@example.com', 'signed_up_at_millis', 1700000006000),
    jsonb_build_object('id', u(8), 'display_name', 'Guest', 'primary_email', 'guest@example.com', 'is_anonymous', true, 'signed_up_at_millis', 1700000007000),
    jsonb_build_object('id', u(9), 'display_name', 'Restricted', 'primary_email', 'r@example.com', 'restricted_by_admin', true,
                       'restricted_by_admin_reason', 'spam', 'signed_up_at_millis', 1700000008000),
    jsonb_build_object('id', u(10), 'display_name', 'Existing', 'primary_email', 'existing@example.com', 'signed_up_at_millis', 1700000009000),
    jsonb_build_object('id', 'not-a-uuid', 'display_name', 'Odd', 'primary_email', 'odd@example.com', 'signed_up_at_millis', 1700000010000),
    jsonb_build_object('id', 'A0E3AC20-26E4-411A-8620-1EBEB7345212', 'primary_email', 'upper@example.com', 'signed_up_at_millis', 1700000011000)));
SELECT neon_auth.delete_user(u(7));
SELECT neon_auth.upsert_teams(jsonb_build_array(
    jsonb_build_object('id', t(1), 'display_name', 'Café & Söhne', 'created_at_millis', 1700000000000,
                       'client_metadata', '{"plan": "pro"}'::jsonb, 'server_metadata', '{"secret": 1}'::jsonb),
    jsonb_build_object('id', t(2), 'display_name', 'Cafe -- Sohne', 'created_at_millis', 1700000001000),
    jsonb_build_object('id', t(3), 'display_name', '東京', 'created_at_millis', 1700000002000),
    jsonb_build_object('id', t(4), 'display_name', 'Acme', 'created_at_millis', 1700000003000),
    jsonb_build_object('id', t(5), 'display_name', 'acme!', 'created_at_millis', 1700000004000),
    jsonb_build_object('id', t(6), 'display_name', 'ACME-7', 'created_at_millis', 1700000005000),
    jsonb_build_object('id', t(7), 'display_name', 'Gone', 'created_at_millis', 1700000006000)));
SELECT neon_auth.delete_team(t(7));
INSERT INTO neon_auth.team_members_sync (team_id, user_id)
SELECT t(team), u(member) FROM (VALUES (1, 1), (1, 2), (1, 3), (1, 4), (2, 2), (3, 10), (4, 1)) AS m(team, member);
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id, inherited)
SELECT t(team), u(member), permission, inherited
  FROM (VALUES (1, 1, 'team_admin', false), (1, 1, '$update_team', true), (1, 2, 'team_member', false),
               (1, 2, 'editor', false), (1, 4, 'team_member', false), (1, 3, 'doc:write', false), (2, 2, 'team_admin', false),
               (2, 2, 'team_member', false), (3, 10, 'team_member', false), (3, 10, 'odd, one', false),
               (4, 1, 'editor', false)) AS p(team, member, permission, inherited);
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id)
VALUES (u(1), 'beta'), (u(1), 'admin'), (u(4), 'beta'), (u(10), 'beta');
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('editor', '{doc:write}');
SELECT neon_auth_internal.queue_sync('user', '', u(1), 'To be confirmed.');

-- What an application builds on it
CREATE TABLE docs (
    id int PRIMARY KEY, user_id text REFERENCES neon_auth.users_sync (id), team_id text REFERENCES neon_auth.teams_sync (id));
INSERT INTO docs VALUES (1, u(1), t(1)), (2, u(2), t(2)), (3, u(4), t(3)), (4, NULL, t(4)), (5, u(7), NULL);
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY members ON docs FOR SELECT TO authenticated USING (team_id = ANY (auth.team_ids()) OR user_id = auth.user_id());
CREATE POLICY admins ON docs FOR UPDATE TO authenticated
    USING (auth.is_team_member(team_id) AND auth.has_permission('$update_team', team_id));
CREATE POLICY editors ON docs FOR DELETE TO authenticated USING (auth.has_permission('doc:write', team_id));
GRANT SELECT, UPDATE, DELETE ON docs TO authenticated;
CREATE FUNCTION rights(member text) RETURNS TABLE (sees text, updates text, deletes text, reads_members text, beta boolean)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.impersonate(member);
    SET LOCAL ROLE authenticated;
    SELECT string_agg(id::text, ',' ORDER BY id) INTO sees FROM docs;
    WITH w AS (UPDATE docs SET id = id RETURNING id) SELECT string_agg(id::text, ',' ORDER BY id) INTO updates FROM w;
    reads_members := (SELECT string_agg(right(d.team_id, 1), ',' ORDER BY d.id) FROM docs d WHERE auth.has_permission('team_member', d.team_id));
    beta := auth.has_permission('beta');
    BEGIN
        WITH w AS (DELETE FROM docs RETURNING id) SELECT string_agg(id::text, ',' ORDER BY id) INTO deletes FROM w;
        RAISE SQLSTATE '99999';
    EXCEPTION WHEN SQLSTATE '99999' THEN NULL;
    END;
    RESET ROLE;
    PERFORM auth.logout();
    RETURN NEXT;
END
$$;
BEGIN;
CREATE TABLE rights_before AS SELECT n, r.* FROM generate_series(1, 10) n, rights(u(n)) r;
COMMIT;
TABLE rights_before;

-- Better Auth has not made its tables yet.
SELECT * FROM neon_auth.migrate_to_better_auth();
SELECT * FROM neon_auth.migrate_to_better_auth(false, 'https://app.example.com');

CREATE SCHEMA app AUTHORIZATION better_auth_app;
SET ROLE better_auth_app;
CREATE TABLE app."user" (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, email text NOT NULL UNIQUE,
    "emailVerified" boolean NOT NULL, image text, "createdAt" timestamptz NOT NULL DEFAULT now(),
    "updatedAt" timestamptz NOT NULL DEFAULT now(), role text, banned boolean, "banReason" text,
    "banExpires" timestamptz, "isAnonymous" boolean);
CREATE TABLE app.session (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE,
    "createdAt" timestamptz NOT NULL DEFAULT now(), "updatedAt" timestamptz NOT NULL, "ipAddress" text,
    "userAgent" text, "userId" uuid NOT NULL REFERENCES app."user" ON DELETE CASCADE, "activeOrganizationId" text);
CREATE TABLE app.jwks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "publicKey" text NOT NULL, "privateKey" text NOT NULL,
    "createdAt" timestamptz NOT NULL, "expiresAt" timestamptz);
CREATE TABLE app.organization (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, slug text NOT NULL UNIQUE, logo text,
    "createdAt" timestamptz NOT NULL, metadata text);
CREATE TABLE app.member (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    "organizationId" uuid NOT NULL REFERENCES app.organization ON DELETE CASCADE,
    "userId" uuid NOT NULL REFERENCES app."user" ON DELETE CASCADE, role text NOT NULL, "createdAt" timestamptz NOT NULL);
INSERT INTO app."user" (id, name, email, "emailVerified", role, "createdAt", "updatedAt") VALUES
    (u(10)::uuid, 'Existing', 'existing@example.com', false, 'user', '2026-01-01Z', '2026-01-01Z'),
    ('22222222-2222-4222-8222-222222222222', 'Holder', 'taken@example.com', true, NULL, '2026-01-01Z', '2026-01-01Z');
INSERT INTO app.organization VALUES ('33333333-3333-4333-8333-333333333333', 'Acme', 'acme', NULL, now());
RESET ROLE;

-- A URL is needed, and only to do it; a snapshot from before the locks would be stale.
SELECT * FROM neon_auth.migrate_to_better_auth(false);
SELECT * FROM neon_auth.migrate_to_better_auth(false, 'app.example.com');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT * FROM neon_auth.migrate_to_better_auth();
ROLLBACK;
-- A permission of the application must not become one of Better Auth's.
BEGIN;
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES (t(1), u(2), 'admin');
SELECT * FROM neon_auth.migrate_to_better_auth();
ROLLBACK;
BEGIN;
INSERT INTO neon_auth.permission_definitions (id) VALUES ('owner');
SELECT * FROM neon_auth.migrate_to_better_auth();
ROLLBACK;
BEGIN;
UPDATE neon_auth.permission_definitions SET contained_permission_ids = '{member:create}' WHERE id = 'editor';
SAVEPOINT s;
SELECT * FROM neon_auth.migrate_to_better_auth();
ROLLBACK TO s;
-- The HINT
UPDATE neon_auth.team_permissions_sync SET permission_id = 'app_member_create' WHERE permission_id = 'member:create'; UPDATE neon_auth.permission_definitions SET id = CASE id WHEN 'member:create' THEN 'app_member_create' ELSE id END, contained_permission_ids = array_replace(contained_permission_ids, 'member:create', 'app_member_create') WHERE scope = 'team';
SELECT count(*) > 30 AS migrates FROM neon_auth.migrate_to_better_auth();
ROLLBACK;
-- A dry run writes nothing.
CREATE TABLE dry AS SELECT row_number() OVER () AS n, m.* FROM neon_auth.migrate_to_better_auth() m;
SELECT count(*) FROM app."user";
SELECT name, kind FROM neon_auth.providers;
SELECT count(*) FROM neon_auth_internal.secrets;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'app."user"'::regclass AND NOT tgisinternal;
-- The real one reports the same.
CREATE TABLE wet AS SELECT row_number() OVER () AS n, m.* FROM neon_auth.migrate_to_better_auth(false, 'https://app.example.com/api', secret => 'a secret of thirty-two characters') m;
SELECT object, id, outcome, reason FROM wet ORDER BY n;
SELECT * FROM dry EXCEPT SELECT * FROM wet;
SELECT count(*) FROM dry;

SELECT * FROM app."user" ORDER BY id;
SELECT * FROM app.organization WHERE id <> '33333333-3333-4333-8333-333333333333' ORDER BY id;
SELECT "organizationId", "userId", role FROM app.member ORDER BY 1, 2;
SELECT name, kind, issuers, audiences FROM neon_auth.providers;
SELECT * FROM neon_auth.sync_source;
SELECT name FROM neon_auth_internal.secrets;
SELECT count(*) FROM neon_auth.sync_queue;

-- Policies decide as before. Users who were skipped are deleted ones; one who existed kept its role; owners are
-- members too. A comparison of all rows finds nothing to change.
CALL neon_auth.sync();
SELECT kind, changed, deleted, skipped FROM neon_auth.sync_runs ORDER BY id DESC LIMIT 1;
BEGIN;
SELECT 'lost' AS what, b.* FROM (TABLE rights_before EXCEPT SELECT n, r.* FROM generate_series(1, 10) n, rights(u(n)) r) AS b
UNION ALL
SELECT 'gained', b.* FROM (SELECT n, r.* FROM generate_series(1, 10) n, rights(u(n)) r EXCEPT TABLE rights_before) AS b ORDER BY 1, 2;
COMMIT;
SELECT count(*) FROM docs d JOIN neon_auth.users_sync u ON u.id = d.user_id;
SELECT id, name, email, deleted_at IS NOT NULL AS deleted FROM neon_auth.users_sync ORDER BY created_at, id;
SELECT id, deleted_at IS NOT NULL AS deleted FROM neon_auth.teams_sync ORDER BY created_at, id;
-- From now on Better Auth is the source, with rows that refer to the mirror.
SET ROLE better_auth_app;
INSERT INTO app."user" (id, name, email, "emailVerified") VALUES (u(20)::uuid, 'New', 'new@example.com', true);
DELETE FROM app."user" WHERE id = u(1)::uuid;
RESET ROLE;
INSERT INTO docs VALUES (6, u(20), NULL);
BEGIN;
SELECT * FROM rights(u(1));
SELECT sees FROM rights(u(20));
COMMIT;

-- Again: everything exists.
SELECT outcome, count(*) FROM neon_auth.migrate_to_better_auth(false, 'https://app.example.com') GROUP BY 1;

\c neon_auth_regress
DROP DATABASE neon_auth_migrate WITH (FORCE);
DROP ROLE better_auth_app;
