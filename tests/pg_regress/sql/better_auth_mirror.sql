-- The mirror follows every kind of statement on Better Auth's tables, which the application's role owns.
\set SHOW_CONTEXT never
BEGIN;
DELETE FROM neon_auth.providers;
CREATE ROLE shop;
CREATE SCHEMA shop AUTHORIZATION shop;
SET LOCAL ROLE shop;
SET LOCAL search_path = shop;
CREATE TABLE "user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, "emailVerified" boolean NOT NULL, image text, "createdAt" timestamptz NOT NULL DEFAULT '2024-01-01 00:00+00', role text);
CREATE TABLE session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "userId" text NOT NULL REFERENCES "user" ON DELETE CASCADE);
CREATE TABLE organization (id text PRIMARY KEY, name text NOT NULL);
CREATE TABLE member (id text PRIMARY KEY, "organizationId" text NOT NULL REFERENCES organization ON DELETE CASCADE, "userId" text NOT NULL REFERENCES "user" ON DELETE CASCADE ON UPDATE CASCADE, role text NOT NULL);
CREATE TABLE team (id text PRIMARY KEY, name text NOT NULL, "organizationId" text NOT NULL REFERENCES organization ON DELETE CASCADE);
CREATE TABLE "teamMember" (id text PRIMARY KEY, "teamId" text NOT NULL REFERENCES team ON DELETE CASCADE, "userId" text NOT NULL REFERENCES "user" ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE "organizationRole" (id text PRIMARY KEY, "organizationId" text NOT NULL REFERENCES organization ON DELETE CASCADE, role text NOT NULL, permission text NOT NULL);
-- What was there before is brought over.
INSERT INTO "user" VALUES ('old', 'Old', 'old@example.com', true);
INSERT INTO organization VALUES ('o', 'Org');
INSERT INTO member VALUES ('m', 'o', 'old', 'owner');
RESET ROLE;
SELECT "table", rows FROM neon_auth.add_better_auth('https://shop.example.com');
CREATE VIEW public.users AS SELECT id, name, email, created_at AT TIME ZONE 'UTC' AS created_at, deleted_at IS NOT NULL AS deleted FROM neon_auth.users_sync ORDER BY id;
CREATE VIEW public.members AS
    SELECT m.team_id, m.user_id, string_agg(p.permission_id || CASE WHEN p.inherited THEN '*' ELSE '' END, ' ' ORDER BY p.permission_id) AS permissions
      FROM neon_auth.team_members_sync m LEFT JOIN neon_auth.team_permissions_sync p USING (team_id, user_id)
     GROUP BY 1, 2 ORDER BY 1, 2;
CREATE VIEW public.gaps AS SELECT what, id, reason FROM neon_auth_internal.mirror_gaps ORDER BY what, id, reason;
TABLE public.users;
TABLE public.members;

-- INSERT, COPY, INSERT ... ON CONFLICT, several rows of one id in one transaction
SET LOCAL ROLE shop;
INSERT INTO "user" (id, name, email, "emailVerified", role) VALUES ('a', 'A', 'a@example.com', false, 'user'), ('b', 'B', 'b@example.com', false, 'user,admin,,user, other ');
COPY "user" (id, name, email, "emailVerified") FROM stdin;
c	C	c@example.com	t
d	D	d@example.com	t
\.
INSERT INTO "user" (id, name, email, "emailVerified") VALUES ('a', 'A2', 'a@example.com', true) ON CONFLICT (id) DO UPDATE SET name = excluded.name;
INSERT INTO "user" (id, name, email, "emailVerified") VALUES ('a', 'A3', 'a@example.com', true) ON CONFLICT DO NOTHING;
WITH new AS (INSERT INTO "user" (id, name, email, "emailVerified") VALUES ('e', 'E', 'e@example.com', true) RETURNING id) UPDATE "user" SET name = 'C2' FROM new WHERE "user".id = 'c';
RESET ROLE;
TABLE public.users;
SELECT user_id, permission_id FROM neon_auth.project_permissions_sync ORDER BY 1, 2;
-- UPDATE, also of an id, DELETE, and an id that comes back; what did not change is not written
SET LOCAL ROLE shop;
UPDATE "user" SET role = NULL, email = upper(email) WHERE id = 'b';
UPDATE "user" SET id = 'd2' WHERE id = 'd';
DELETE FROM "user" WHERE id IN ('c', 'e');
INSERT INTO "user" (id, name, email, "emailVerified") VALUES ('c', 'Again', 'c@example.com', true);
RESET ROLE;
TABLE public.users;
SELECT user_id, permission_id FROM neon_auth.project_permissions_sync ORDER BY 1, 2;
SELECT ctid AS before FROM neon_auth.users_sync WHERE id = 'a' \gset
UPDATE "user" SET name = name WHERE id = 'a';
SELECT ctid = :'before' AS "not written again" FROM neon_auth.users_sync WHERE id = 'a';

-- Members and roles; two rows for one member; teams; roles that the organization has defined
SET LOCAL ROLE shop;
INSERT INTO organization VALUES ('p', 'Other');
INSERT INTO member VALUES ('m1', 'o', 'a', 'member'), ('m2', 'o', 'a', 'editor,member'), ('m3', 'p', 'a', 'admin'), ('m4', 'p', 'b', 'member,,editor, owner ');
INSERT INTO team VALUES ('t', 'Team', 'o');
INSERT INTO "teamMember" VALUES ('tm', 't', 'a');
INSERT INTO "organizationRole" VALUES ('r1', 'o', 'editor', '{"page": ["read", "write"]}'), ('r2', 'o', 'member', '{"page": ["read"]}'), ('r3', 'o', 'editor', 'broken'), ('r4', 'o', 'editor', '[1]');
RESET ROLE;
TABLE public.members;
SELECT id, name, raw_json ->> 'organization_id' AS organization FROM neon_auth.teams_sync ORDER BY id;
SET LOCAL ROLE shop;
DELETE FROM member WHERE id = 'm1';
UPDATE "organizationRole" SET permission = '{"page": ["delete"]}' WHERE id = 'r1';
UPDATE member SET role = 'owner' WHERE id = 'm4';
UPDATE member SET "userId" = 'b', "organizationId" = 'o' WHERE id = 'm3';
RESET ROLE;
TABLE public.members;
-- Cascades: of an id, of a user, of an organization
SAVEPOINT before;
SET LOCAL ROLE shop;
UPDATE "user" SET id = 'a2' WHERE id = 'a';
DELETE FROM "user" WHERE id = 'b';
RESET ROLE;
TABLE public.members;
SET LOCAL ROLE shop;
DELETE FROM organization WHERE id = 'o';
RESET ROLE;
TABLE public.members;
SELECT id, deleted_at IS NOT NULL AS deleted FROM neon_auth.teams_sync ORDER BY id;
-- What is rolled back is not left in the mirror.
ROLLBACK TO before;
TABLE public.members;
-- TRUNCATE of each
SET LOCAL ROLE shop;
TRUNCATE "organizationRole";
RESET ROLE;
TABLE public.members;
SET LOCAL ROLE shop;
TRUNCATE member;
RESET ROLE;
TABLE public.members;
SET LOCAL client_min_messages = warning;
SET LOCAL ROLE shop;
TRUNCATE organization, "user" CASCADE;
RESET ROLE;
RESET client_min_messages;
TABLE public.members;
SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS users FROM neon_auth.users_sync;
SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS teams FROM neon_auth.teams_sync;
TABLE public.gaps;
-- The owner of the tables can neither read nor write what is behind it.
SET LOCAL ROLE shop;
SELECT neon_auth_internal.refresh_users('{a}', false);
ROLLBACK;
