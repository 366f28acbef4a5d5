-- Advice about the extension: grants on it, providers, and what its tables are used for.
\pset format unaligned
-- Nothing is granted after CREATE EXTENSION, and what the pages grant is fine.
BEGIN;
GRANT EXECUTE ON FUNCTION neon_auth.postgrest_webhook(text) TO anonymous;
GRANT EXECUTE ON FUNCTION neon_auth.inspect_jwt(text) TO authenticated;
GRANT EXECUTE ON FUNCTION auth.create_api_key, auth.revoke_api_key, auth.api_keys TO authenticated;
GRANT SELECT (id, name, deleted_at) ON neon_auth.users_sync TO authenticated;
GRANT SELECT ON neon_auth.status TO stranger;
SELECT severity, code, object, problem FROM neon_auth.advice WHERE code IN ('administration_granted', 'mirror_exposed');
ROLLBACK;
BEGIN;
GRANT SELECT ON neon_auth.users_sync TO authenticated;
GRANT SELECT ON neon_auth.providers, neon_auth.status TO anonymous;
GRANT INSERT ON neon_auth.teams_sync TO authenticated;
GRANT EXECUTE ON FUNCTION auth.impersonate(text, jsonb, boolean) TO authenticated;
GRANT EXECUTE ON FUNCTION neon_auth.upsert_user, neon_auth.add_provider TO PUBLIC;
GRANT USAGE ON SCHEMA neon_auth_internal TO anonymous;
SELECT severity, code, object, problem FROM neon_auth.advice WHERE code IN ('administration_granted', 'mirror_exposed');
SELECT code, object, remedy, outcome FROM public.follow_advice('%') WHERE code IN ('administration_granted', 'mirror_exposed');
ROLLBACK;

-- Providers
BEGIN;
\set jwks `"$STACK" jwks`
SELECT neon_auth.add_provider('open', '{https://open.example.com}', jwks => :'jwks');
SELECT neon_auth.add_provider('long', '{https://long.example.com}', '{us}', jwks => :'jwks', max_lifetime => '30 days');
SELECT neon_auth.add_provider('strict', '{https://strict.example.com}', '{us}', jwks => :'jwks', max_lifetime => '1 hour');
SELECT neon_auth.add_provider('by_claim', '{https://claim.example.com}', jwks => :'jwks', max_lifetime => '1 hour',
                              required_claims => '{"client_id": "us"}');
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object LIKE 'provider %';
SELECT code, object, remedy, outcome FROM public.follow_advice('provider %');
-- A role that has become a superuser since.
CREATE ROLE advised_chief NOLOGIN;
UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{advised_chief}' WHERE name = 'strict';
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object LIKE 'role advised_chief';
ALTER ROLE advised_chief SUPERUSER;
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object LIKE 'role advised_chief';
SELECT code, object, remedy, outcome FROM public.follow_advice('role advised_chief');
ROLLBACK;

-- Publications, and foreign keys that never cascade.
BEGIN;
CREATE SCHEMA advised;
CREATE TABLE advised.notes (
    id int PRIMARY KEY,
    cascades text REFERENCES neon_auth.users_sync (id) ON DELETE CASCADE,
    nulls text CONSTRAINT "Odd name" REFERENCES neon_auth.users_sync (id) ON DELETE SET NULL ON UPDATE CASCADE,
    stays text REFERENCES neon_auth.users_sync (id),
    restricts text REFERENCES neon_auth.users_sync (id) ON DELETE RESTRICT);
CREATE TABLE advised.parts (note int REFERENCES advised.notes ON DELETE CASCADE);
ALTER TABLE advised.notes ENABLE ROW LEVEL SECURITY;
CREATE PUBLICATION advised_realtime FOR TABLE advised.notes, advised.parts;
CREATE PUBLICATION advised_parts FOR TABLE advised.parts;
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object ~ '\madvised[._]';
SELECT code, object, remedy, outcome FROM public.follow_advice('%advised%');
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'Odd name';
ROLLBACK;
-- A name that looks like the end of a constraint stays a name.
BEGIN;
CREATE SCHEMA advised;
CREATE TABLE advised.odd (
    ") REFERENCES advised.odd; -- ON DELETE SET NULL (" text,
    CONSTRAINT odd FOREIGN KEY (") REFERENCES advised.odd; -- ON DELETE SET NULL (") REFERENCES neon_auth.users_sync (id)
        ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NOT VALID);
CREATE PUBLICATION advised_all FOR ALL TABLES;
ALTER TABLE advised.odd ENABLE ROW LEVEL SECURITY;
SELECT code, object, remedy, outcome FROM public.follow_advice('%odd%');
SELECT remedy FROM neon_auth.advice WHERE object = 'publication advised_all';
ROLLBACK;

-- A table like Citus's, which names the tables that it distributes.
BEGIN;
SET LOCAL allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass);
SELECT severity, code, object FROM neon_auth.advice WHERE code = 'mirror_distributed';
INSERT INTO pg_dist_partition VALUES ('neon_auth.users_sync'), ('pg_class');
SELECT severity, code, object, remedy FROM neon_auth.advice WHERE code = 'mirror_distributed';
ROLLBACK;
