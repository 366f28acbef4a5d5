-- Rows of Better Auth's tables that are odd: NULL everywhere, odd types, numbers as ids, times out of range, secrets.
\set SHOW_CONTEXT never
BEGIN;
DELETE FROM neon_auth.providers;
CREATE ROLE shop;
CREATE SCHEMA shop AUTHORIZATION shop;
SET LOCAL ROLE shop;
SET LOCAL search_path = shop;
-- Other names, integers as ids, times without time zone, and no constraints
CREATE TYPE color AS ENUM ('red', 'green');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN address AS text;
CREATE TABLE users (id bigint, name varchar(40), email address, email_verified boolean, image text, created_at timestamp, updated_at timestamp, role text, banned boolean, ban_reason text, ban_expires timestamp,
    password text, "apiKey" text, two_factor_secret text, backup_codes text, reset_token text, "passwordHash" text, "PRIVATE_KEY" text,
    id2 uuid, nick varchar, display_name text, rank smallint, points numeric, ratio real, weight float8, extra jsonb, raw json, day date, at time, span interval, bytes bytea, tags text[], fav color, pt pair, oid2 oid, n int4range);
ALTER TABLE users ADD "otpCode" text DEFAULT 'hidden', ADD user_pwd text DEFAULT 'hidden', ADD recovery_codes text DEFAULT 'hidden', ADD salt text DEFAULT 'hidden',
    ADD "accessKey" text DEFAULT 'hidden', ADD passphrase text DEFAULT 'hidden';
CREATE TABLE sessions (id bigint, expires_at timestamp, token text UNIQUE, user_id bigint);
CREATE TABLE organizations (id int PRIMARY KEY, name text);
CREATE TABLE members (id int, organization_id int, user_id bigint, role text);
CREATE TABLE teams (id int PRIMARY KEY, name text, organization_id int);
CREATE TABLE team_members (id int, team_id int, user_id bigint);
CREATE TABLE organization_roles (id int, organization_id int, role text, permission jsonb);
CREATE INDEX ON users (id);
CREATE INDEX ON organization_roles (organization_id);
RESET ROLE;
SELECT "table", relation FROM neon_auth.add_better_auth('https://shop.example.com');
CREATE VIEW public.gaps AS SELECT what, id, reason FROM neon_auth_internal.mirror_gaps ORDER BY what, id, reason;
SET LOCAL ROLE shop;
-- Settings of the session that output functions follow
SET LOCAL "TimeZone" = 'Asia/Tokyo';
SET LOCAL "DateStyle" = 'German';
SET LOCAL "IntervalStyle" = 'sql_standard';
SET LOCAL extra_float_digits = -15;
SET LOCAL bytea_output = 'escape';
INSERT INTO users VALUES (1, 'Alice', 'a@example.com', true, 'https://example.com/a.png', '2024-02-03 04:05:06.789123', '2024-02-03 04:05:06', 'user', false, NULL, 'infinity',
    'hidden', 'hidden', 'hidden', 'hidden', 'hidden', 'hidden', 'hidden',
    'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'al', 'own', 7, 1234567890123456789012.50, 0.1, 0.30000000000000004, '{"a": [1, {"b": null}], "c": "d"}', '{"a": 1, "a": 2}', '2024-02-03', '04:05:06', '1 day 2 hours', '\xdeadbeef', '{"x y",NULL}', 'red', '(1,"x, y")', 5, '[1,5)');
INSERT INTO users (id, name, weight, ratio, points, extra, created_at) VALUES
    (2, 'Odd', 'NaN', '-Infinity', 'NaN', '"scalar"', '-infinity'), (3, '', 1e300, 1, 'Infinity', 'null', '1969-12-31 23:59:59.999'), (4, NULL, 0, 0, 0, '[]', '10000-01-01'), (5, NULL, 0, 0, 0, '{}', '9999-12-31 23:59:59.999');
RESET ROLE;
RESET "TimeZone"; RESET "DateStyle"; RESET "IntervalStyle"; RESET extra_float_digits; RESET bytea_output;
SELECT jsonb_pretty(raw_json) FROM neon_auth.users_sync WHERE id = '1';
SELECT id, name, email, created_at AT TIME ZONE 'UTC' AS created_at, raw_json ->> 'weight' AS weight, raw_json ->> 'ratio' AS ratio, raw_json ->> 'points' AS points, raw_json -> 'extra' AS extra FROM neon_auth.users_sync ORDER BY id;
SELECT raw_json::text ~ 'hidden' AS "a secret is mirrored" FROM neon_auth.users_sync WHERE id = '1';
-- Another session, with other settings, finds no difference.
SELECT * FROM neon_auth_internal.differing_users();
TABLE public.gaps;
-- No id: a gap, and only for new rows. All others are written.
SET LOCAL ROLE shop;
INSERT INTO users (id) VALUES (NULL), (6), (NULL);
INSERT INTO users DEFAULT VALUES;
DELETE FROM users WHERE id IS NULL;
RESET ROLE;
TABLE public.gaps;
SELECT id, name, email FROM neon_auth.users_sync WHERE id = '6';
DELETE FROM neon_auth_internal.mirror_gaps;
-- Two rows of one id: the mirror has one of them, and a user until both are gone.
SET LOCAL ROLE shop;
INSERT INTO users (id, name) VALUES (7, 'one'), (7, 'one');
DELETE FROM users WHERE ctid = (SELECT max(ctid) FROM users WHERE id = 7);
RESET ROLE;
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM neon_auth.users_sync WHERE id = '7';
SET LOCAL ROLE shop;
DELETE FROM users WHERE id = 7;
RESET ROLE;
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM neon_auth.users_sync WHERE id = '7';
-- Organization 1 and team 1 are two rows. A member of neither is a gap; one of an organization that does not exist has no rights.
SET LOCAL ROLE shop;
INSERT INTO organizations VALUES (1, 'Org'), (2, NULL);
INSERT INTO teams VALUES (1, 'Team', 1), (9, NULL, NULL);
INSERT INTO members VALUES (1, 1, 1, 'editor'), (2, 77, 1, 'owner'), (NULL, NULL, NULL, NULL), (3, 2, 1, NULL);
INSERT INTO team_members VALUES (1, 1, 1), (2, NULL, 1);
INSERT INTO organization_roles VALUES (1, 1, 'editor', '{"page": ["read"]}'), (2, NULL, NULL, NULL), (3, 1, 'editor', '{"page": "read"}');
RESET ROLE;
SELECT id, name, raw_json ->> 'organization_id' AS organization, deleted_at IS NOT NULL AS deleted FROM neon_auth.teams_sync ORDER BY id;
SELECT team_id, user_id FROM neon_auth.team_members_sync ORDER BY 1, 2;
SELECT team_id, user_id, permission_id, inherited FROM neon_auth.team_permissions_sync ORDER BY 1, 2, 3;
TABLE public.gaps;
SELECT * FROM neon_auth_internal.differing_teams();
SELECT * FROM neon_auth_internal.differing_members();
SET LOCAL ROLE shop;
TRUNCATE teams;
DELETE FROM organizations WHERE id = 1;
RESET ROLE;
SELECT id, deleted_at IS NOT NULL AS deleted FROM neon_auth.teams_sync ORDER BY id;
ROLLBACK;
-- Ids that are longer than an index row, and those at the limit
BEGIN;
DELETE FROM neon_auth.providers;
CREATE ROLE shop;
CREATE SCHEMA shop AUTHORIZATION shop;
SET LOCAL ROLE shop;
CREATE TABLE shop."user" (id text, name text, email text, "emailVerified" boolean, "createdAt" timestamptz);
CREATE TABLE shop.session (id text, "expiresAt" timestamptz, token text UNIQUE, "userId" text);
CREATE INDEX ON shop."user" ((left(id, 10)));
CREATE INDEX ON shop."user" (id);
RESET ROLE;
SELECT count(*) FROM neon_auth.add_better_auth('https://shop.example.com');
SET LOCAL ROLE shop;
INSERT INTO shop."user" (id) VALUES (repeat('x', 100000)), (repeat('y', 255)), (repeat('z', 256)), (''), ('ok');
RESET ROLE;
SELECT length(id), left(id, 1) FROM neon_auth.users_sync ORDER BY 2;
SELECT what, id, reason FROM neon_auth_internal.mirror_gaps;
ROLLBACK;
