-- A mirror that cannot be written never fails a statement of the application: what is missing is recorded, shown and repaired.
\set SHOW_CONTEXT never
CREATE ROLE mirror_app;
CREATE DATABASE neon_auth_mirror TEMPLATE template0;
\c neon_auth_mirror
CREATE EXTENSION neon_auth;
CREATE SCHEMA shop AUTHORIZATION mirror_app;
SET ROLE mirror_app;
CREATE TABLE shop."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL, "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL DEFAULT now());
CREATE TABLE shop.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "userId" text NOT NULL);
CREATE TABLE shop.organization (id text PRIMARY KEY, name text NOT NULL);
CREATE TABLE shop.member (id text PRIMARY KEY, "organizationId" text NOT NULL, "userId" text NOT NULL, role text NOT NULL);
RESET ROLE;
SELECT count(*) FROM neon_auth.add_better_auth('https://shop.example.com');
CREATE VIEW public.gaps AS SELECT what, id, reason FROM neon_auth_internal.mirror_gaps ORDER BY what, id, reason;
CREATE VIEW public.state AS SELECT component, ok, detail FROM neon_auth.status WHERE component IN ('mirror', 'synchronisation', 'tables of better_auth');
TABLE public.state;
-- A trigger of the administrator on the mirror: fails for some users, as a full disk, or as another deadlock would.
CREATE FUNCTION public.fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.id LIKE 'full%' THEN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'the disk is full'; END IF;
    IF new.id LIKE 'dead%' THEN RAISE EXCEPTION USING ERRCODE = '40P01', MESSAGE = 'deadlock detected'; END IF;
    IF new.id LIKE 'bad%' THEN RAISE EXCEPTION USING ERRCODE = 'XY123', MESSAGE = 'not this one'; END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER fail AFTER INSERT OR UPDATE ON neon_auth.users_sync FOR EACH ROW EXECUTE FUNCTION public.fail();
SET ROLE mirror_app;
INSERT INTO shop."user" (id, name, email, "emailVerified") SELECT id, id, id, true FROM unnest('{a,bad1,b,bad2,c}'::text[]) AS id;
INSERT INTO shop."user" (id, name, email, "emailVerified") SELECT id, id, id, true FROM unnest('{full1,d}'::text[]) AS id;
INSERT INTO shop."user" (id, name, email, "emailVerified") VALUES ('dead', 'dead', 'dead', true);
SELECT id FROM shop."user" ORDER BY id;
RESET ROLE;
SELECT id FROM neon_auth.users_sync ORDER BY id;
TABLE public.gaps;
TABLE public.state;
-- sync() skips what it cannot write, and fails if that is no matter of one row.
CALL neon_auth.sync();
TABLE public.state;
DELETE FROM shop."user" WHERE id LIKE 'full%' OR id LIKE 'dead%';
CALL neon_auth.sync();
SELECT id FROM neon_auth.users_sync WHERE deleted_at IS NULL ORDER BY id;
TABLE public.gaps;
TABLE public.state;
-- A page begins after the last id of the one before, so that what cannot be written does not come again.
SELECT neon_auth_internal.find_differing('users', page.after, 1) FROM (VALUES ('null'::jsonb), ('"bad1"'), ('"bad2"')) AS page(after);
DROP TRIGGER fail ON neon_auth.users_sync;
CALL neon_auth.sync();
SELECT id FROM neon_auth.users_sync WHERE deleted_at IS NULL ORDER BY id;
TABLE public.state;
-- While the library has another version than the extension, nothing is written but the gap
UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'neon_auth';
CREATE TABLE public.noticed_by_all_sessions ();
SET ROLE mirror_app;
UPDATE shop."user" SET name = 'new' WHERE id = 'a';
RESET ROLE;
UPDATE pg_extension SET extversion = (SELECT default_version FROM pg_available_extensions WHERE name = 'neon_auth') WHERE extname = 'neon_auth';
CREATE TABLE public.noticed_again ();
SELECT id, name FROM neon_auth.users_sync WHERE id = 'a';
TABLE public.gaps;
CALL neon_auth.sync();
SELECT id, name FROM neon_auth.users_sync WHERE id = 'a';
TABLE public.state;
-- Triggers that the owner disables, a column that it renames, a table that it replaces: status says so, nothing is half done.
SET ROLE mirror_app;
ALTER TABLE shop."user" DISABLE TRIGGER neon_auth_update;
UPDATE shop."user" SET name = 'unseen' WHERE id = 'a';
RESET ROLE;
SELECT component, ok, detail FROM public.state WHERE component IN ('mirror', 'tables of better_auth');
CALL neon_auth.sync();
SELECT id, name FROM neon_auth.users_sync WHERE id = 'a';
-- As a subscription's table is
SET ROLE mirror_app;
ALTER TABLE shop."user" ENABLE ALWAYS TRIGGER neon_auth_update;
RESET ROLE;
SELECT component, ok, detail FROM public.state WHERE component IN ('mirror', 'tables of better_auth');
INSERT INTO pg_subscription_rel (srsubid, srrelid, srsubstate) VALUES (1, 'shop."user"'::regclass, 'r'), (1, 'shop.session'::regclass, 'r');
SELECT component, ok, detail FROM public.state WHERE component IN ('mirror', 'tables of better_auth');
DELETE FROM pg_subscription_rel WHERE srsubid = 1;
SET ROLE mirror_app;
ALTER TABLE shop."user" ENABLE ALWAYS TRIGGER neon_auth_update;
ALTER TABLE shop."user" RENAME name TO nom;
UPDATE shop."user" SET nom = 'renamed' WHERE id = 'a';
RESET ROLE;
TABLE public.gaps;
TABLE public.state;
CALL neon_auth.sync();
SET ROLE mirror_app;
ALTER TABLE shop."user" RENAME nom TO name;
RESET ROLE;
CALL neon_auth.sync();
SELECT id, name FROM neon_auth.users_sync WHERE id = 'a';
SET ROLE mirror_app;
ALTER TABLE shop.member RENAME TO member_of_old;
CREATE TABLE shop.member (LIKE shop.member_of_old INCLUDING ALL);
INSERT INTO shop.member VALUES ('m', 'o', 'a', 'owner');
RESET ROLE;
SELECT count(*) FROM neon_auth.team_members_sync;
SET ROLE mirror_app;
DROP TABLE shop.member_of_old;
RESET ROLE;
SELECT component, ok, detail FROM public.state WHERE component = 'tables of better_auth';
CALL neon_auth.sync();
-- The name is back, but the table is another one.
SELECT count(*) FROM neon_auth.team_members_sync;
SELECT "table", relation, rows FROM neon_auth.add_better_auth('https://shop.example.com');
SELECT team_id, user_id FROM neon_auth.team_members_sync;
TABLE public.state;
-- A mirror of another service is not compared.
INSERT INTO neon_auth.sync_source VALUES ('stack', 'p');
CALL neon_auth.sync();
SELECT component, ok, detail FROM public.state WHERE component = 'synchronisation';
DELETE FROM neon_auth.sync_source;
-- Without the provider nothing is left on the tables.
SELECT neon_auth.drop_provider('better_auth');
SET ROLE mirror_app;
DELETE FROM shop."user" WHERE id = 'a';
RESET ROLE;
SELECT id FROM neon_auth.users_sync WHERE id = 'a' AND deleted_at IS NULL;
TABLE public.state;
\c neon_auth_regress
DROP DATABASE neon_auth_mirror;
DROP ROLE mirror_app;
