-- What readers return for users of Better Auth: the organization of a session proves nothing, the mirror decides.
\set SHOW_CONTEXT never
\pset null -
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
CREATE DATABASE better_auth_readers;
\c better_auth_readers
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/uuid_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
SELECT keep(:'credentials');
CREATE ROLE better_auth_reader LOGIN;

-- The readers of a role without any right. Alice is the owner; bob has two roles, and one team.
\c - better_auth_reader
SELECT keep(:'credentials');
SELECT auth.authenticate(session('alice'), false) IS NOT NULL AS alice;
-- Columns of the table that Better Auth does not show to its users are not in the profile.
SELECT string_agg(member, ' ' ORDER BY member COLLATE "C") AS members FROM jsonb_object_keys((auth.profile()).raw_json) AS member;
SELECT auth.organization(), auth.organization_id(), auth.selected_team_id(), auth.organization_ids(), cardinality(auth.team_ids()) AS teams;
SELECT auth.has_permission('organization:delete', auth.selected_team_id()) AS deletes, auth.has_permission('owner', auth.selected_team_id()) AS owns;
SELECT auth.authenticate(session('bob'), false) IS NOT NULL AS bob;
SELECT auth.organization(), auth.organization_ids(), cardinality(auth.team_ids()) AS teams;
SELECT auth.has_permission('member:create', auth.selected_team_id()) AS creates, auth.has_permission('invitation:create', auth.selected_team_id()) AS invites,
       auth.is_team_member(auth.claim('activeTeamId')) AS in_team;
-- Carol's session has no active organization, but she is a member.
SELECT auth.authenticate(session('carol'), false) IS NOT NULL AS carol;
SELECT auth.organization(), auth.organization_ids(), auth.has_permission('member:create', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW') AS creates;
-- A JWT says nothing of organizations.
SELECT auth.authenticate(token('alice_long'), false) IS NOT NULL AS alice;
SELECT auth.organization(), auth.organization_ids();

-- A changed role, a removed member, a renamed and a deleted organization count at once, whatever the session says.
SELECT auth.authenticate(session('bob'), false) IS NOT NULL AS bob;
\c - postgres
SELECT keep(:'credentials');
SELECT auth.authenticate(session('bob'), false) IS NOT NULL AS bob;
UPDATE shop.member SET role = 'admin' WHERE "userId" = user_of('bob');
SELECT auth.organization() ->> 'role' AS role, auth.has_permission('member:create', auth.selected_team_id()) AS creates;
UPDATE shop.organization SET name = 'Acme Ltd', slug = 'acme-ltd';
SELECT auth.organization();
BEGIN;
DELETE FROM shop.member WHERE "userId" = user_of('bob');
SELECT auth.organization(), auth.organization_id(), auth.organization_ids(), auth.selected_team_id() IS NOT NULL AS "still in the session",
       auth.has_permission('member:create', auth.selected_team_id()) AS creates;
ROLLBACK;
SELECT auth.organization() ->> 'name' AS "with the rollback";
BEGIN;
DELETE FROM shop.organization;
SELECT auth.organization(), auth.organization_ids();
ROLLBACK;
-- An organization that the user chose by claim_map is verified too; a team is not an organization.
UPDATE neon_auth.providers SET claim_map = '{"organization": "activeTeamId", "session_id": "email"}' WHERE name = 'better_auth';
SELECT auth.authenticate(session('bob'), false) IS NOT NULL AS bob;
SELECT auth.organization(), auth.organization_id(), auth.session_id(), auth.is_team_member(auth.claim('activeTeamId')) AS in_team;
UPDATE neon_auth.providers SET claim_map = '{}' WHERE name = 'better_auth';
SELECT auth.logout();

-- Hosted: ids are uuids, and a JWT has the organization of its time. The role is that of now.
SELECT neon_auth.drop_provider('better_auth');
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('https://ep-example-00000001.neonauth.us-east-1.aws.neon.tech/neondb/auth', 'hosted');
SELECT auth.authenticate(token('alice_org', 'uuid'), false);
SELECT auth.claim('o', 'role') AS claimed, auth.organization(), auth.organization_id(), auth.organization_ids();
UPDATE hosted.member SET role = 'member' WHERE "userId" = auth.uid();
SELECT auth.claim('o', 'role') AS claimed, auth.organization() ->> 'role' AS role;
DELETE FROM hosted.member WHERE "userId" = auth.uid();
SELECT auth.organization(), auth.organization_id();
SELECT auth.authenticate(session('bob', 'token', 'uuid'), false);
SELECT auth.organization(), auth.organization_id(), auth.uid(), auth.actor() ->> 'provider' AS provider;

-- Ids are numbers: organization 2 is not team 2, and a team is not an organization, whatever a session names.
\c - postgres
SELECT neon_auth.drop_provider('better_auth');
CREATE SCHEMA numbered;
CREATE TABLE numbered."user" (id serial PRIMARY KEY, name text, email text UNIQUE, "emailVerified" boolean, "createdAt" timestamptz);
CREATE TABLE numbered.session (id serial PRIMARY KEY, "expiresAt" timestamptz, token text UNIQUE, "userId" integer, "activeOrganizationId" text);
CREATE TABLE numbered.organization (id serial PRIMARY KEY, name text, slug text);
CREATE TABLE numbered.member (id serial PRIMARY KEY, "organizationId" integer, "userId" integer, role text);
CREATE TABLE numbered.team (id serial PRIMARY KEY, name text, "organizationId" integer);
CREATE TABLE numbered."teamMember" (id serial PRIMARY KEY, "teamId" integer, "userId" integer);
INSERT INTO numbered."user" (name, email) VALUES ('Ann', 'ann@example.com');
INSERT INTO numbered.organization (name, slug) VALUES ('One', 'one'), ('Two', 'two');
INSERT INTO numbered.team (name, "organizationId") VALUES ('First', 2), ('Second', 1);
INSERT INTO numbered.member ("organizationId", "userId", role) VALUES (2, 1, 'owner');
INSERT INTO numbered."teamMember" ("teamId", "userId") VALUES (1, 1);
INSERT INTO numbered.session ("expiresAt", token, "userId", "activeOrganizationId")
VALUES (now() + interval '1 day', 'first', 1, '2'), (now() + interval '1 day', 'second', 1, 'team:1'), (now() + interval '1 day', 'third', 1, '1');
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://localhost:3000', 'numbered');
SELECT auth.authenticate('first', false);
SELECT auth.organization(), auth.organization_ids(), auth.team_ids();
SELECT auth.has_permission('owner', '1') AS "1", auth.has_permission('owner', '2') AS "2", auth.has_permission('owner', '02') AS "02",
       auth.has_permission('owner', 'team:1') AS "team:1", auth.is_team_member('team:1') AS member, auth.is_team_member('team:2') AS other;
SELECT auth.authenticate('second', false);
SELECT auth.organization();
SELECT auth.authenticate('third', false);
SELECT auth.organization();
\c neon_auth_regress
DROP DATABASE better_auth_readers;
DROP ROLE shop_owner, hosted_owner, better_auth_reader;
