-- The provider of a key's owner: whose rules count, which names claims have, and which role the key gets.
\set SHOW_CONTEXT never
\set jwks `"$STACK" jwks`
BEGIN;
CREATE FUNCTION pg_temp.outcome(key text) RETURNS TABLE (provider text, role name, claims jsonb, refusal text) LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    PERFORM auth.authenticate(key);
    provider := auth.provider();
    role := current_user;
    claims := auth.jwt() - 'iat';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    refusal := concat_ws(E'\n', sqlstate || ' ' || sqlerrm, detail, nullif(hint, ''));
    RETURN NEXT;
END
$$;
GRANT EXECUTE ON FUNCTION pg_temp.outcome TO authenticated, anonymous;
SELECT neon_auth.add_provider('sso', '{https://sso.example.com}', jwks => :'jwks', claim_map => '{"email": "emails.0", "is_anonymous": "guest"}');
SELECT neon_auth.add_provider('gone', '{https://gone.example.com}', jwks => :'jwks');
SELECT neon_auth.upsert_users('[{"id": "alice", "primary_email": "alice@example.com"},
    {"id": "sue", "auth_provider": "sso", "primary_email": "sue@example.com", "display_name": "Sue", "is_anonymous": false},
    {"id": "gus", "auth_provider": "gone"}, {"id": "odd", "auth_provider": ["sso"], "display_name": 7, "primary_email": null, "primary_email_verified": "true"},
    {"id": "ann", "auth_provider": "sso", "is_anonymous": false}]');
SELECT max(neon_auth.create_api_key(id, 'test')) FILTER (WHERE id = 'alice') AS alice, max(neon_auth.create_api_key(id, 'test')) FILTER (WHERE id = 'sue') AS sue,
       max(neon_auth.create_api_key(id, 'test')) FILTER (WHERE id = 'gus') AS gus, max(neon_auth.create_api_key(id, 'test')) FILTER (WHERE id = 'odd') AS odd,
       max(neon_auth.create_api_key(id, 'test')) FILTER (WHERE id = 'ann') AS ann FROM neon_auth.users_sync \gset
-- The provider that the user's row names, or without a name the one that fills the mirror. A claim_map is for the
-- issuer's claims. Users of a provider that was dropped do not become those of another one.
SELECT neon_auth.drop_provider('gone');
SELECT * FROM pg_temp.outcome(:'alice');
SELECT * FROM pg_temp.outcome(:'sue');
SELECT auth.email(), auth.is_anonymous();
SELECT * FROM pg_temp.outcome(:'gus');
SELECT * FROM pg_temp.outcome(:'odd');
-- Roles: the provider's default, never what a claim says. required_claims are about the issuer's claims.
SAVEPOINT s;
UPDATE neon_auth.providers SET default_role = 'authenticated', allowed_roles = '{authenticated}', role_claim = 'role', required_claims = '{"org": null}' WHERE name = 'sso';
SELECT * FROM pg_temp.outcome(:'sue');
SELECT auth.logout();
-- An anonymous user's is anonymous.
SELECT neon_auth.upsert_user('{"id": "ann", "auth_provider": "sso", "is_anonymous": true}');
SELECT * FROM pg_temp.outcome(:'ann');
UPDATE neon_auth.providers SET allow_anonymous = true WHERE name = 'sso';
SELECT * FROM pg_temp.outcome(:'ann');
UPDATE neon_auth.providers SET allowed_roles = '{authenticated,anonymous}' WHERE name = 'sso';
SELECT * FROM pg_temp.outcome(:'ann');
SELECT auth.logout();
UPDATE neon_auth.providers SET default_role = NULL WHERE name = 'sso';
SELECT * FROM pg_temp.outcome(:'sue');
ROLLBACK TO s;
-- A provider whose row is unusable refuses its users, not those of others.
SET LOCAL session_replication_role = replica;
UPDATE neon_auth.providers SET algorithms = '{ES256}', typ = '', claim_map = '{"unknown": "x"}' WHERE name = 'sso';
SET LOCAL session_replication_role = origin;
SELECT provider, refusal FROM pg_temp.outcome(:'sue');
SELECT provider, refusal FROM pg_temp.outcome(:'alice');
ROLLBACK TO s;
-- Without a provider the key is still its owner's. Nothing allows anonymous users then.
DELETE FROM neon_auth.providers;
SELECT * FROM pg_temp.outcome(:'alice');
SELECT * FROM pg_temp.outcome(:'sue');
SELECT neon_auth.upsert_user('{"id": "sue"}');
SELECT * FROM pg_temp.outcome(:'sue');
SELECT step, detail FROM neon_auth.inspect_jwt(:'sue') WHERE step = 'outcome';
SELECT neon_auth.upsert_user('{"id": "ann", "is_anonymous": true}');
SELECT refusal FROM pg_temp.outcome(:'ann');
-- The shown reason is the same.
SELECT user_id, valid, refusal FROM neon_auth.api_keys WHERE user_id IN ('ann', 'sue') ORDER BY 1;
ROLLBACK TO s;

-- Better Auth: its table decides, whatever the mirror's row says.
DELETE FROM neon_auth.providers WHERE name = 'stack';
DELETE FROM neon_auth.sync_source;
INSERT INTO neon_auth.sync_source VALUES ('better_auth', 'better_auth');
CREATE ROLE better_auth_owner;
CREATE SCHEMA app AUTHORIZATION better_auth_owner;
SET LOCAL ROLE better_auth_owner;
CREATE TABLE app."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL, "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL DEFAULT now(),
    "isAnonymous" boolean, banned boolean, auth_provider text);
CREATE TABLE app.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "userId" text NOT NULL, "impersonatedBy" text);
RESET ROLE;
SELECT count(*) FROM neon_auth.add_better_auth('https://app.example.com');
SET LOCAL ROLE better_auth_owner;
INSERT INTO app."user" VALUES ('carol', 'Carol', 'carol@example.com', true, now(), NULL, NULL, NULL), ('mallory', 'Mallory', 'mallory@example.com', false, now(), false, false, 'sso');
RESET ROLE;
SELECT neon_auth.create_api_key('carol', 'test') AS carol, neon_auth.create_api_key('mallory', 'test') AS mallory \gset
SELECT * FROM pg_temp.outcome(:'carol');
SELECT auth.email(), auth.email_verified(), auth.is_anonymous(), auth.organization();
-- A column that names another provider, even if it were in the mirror
UPDATE neon_auth.users_sync SET raw_json = raw_json || '{"auth_provider": "sso"}' WHERE id = 'mallory';
SELECT * FROM pg_temp.outcome(:'mallory');
-- A user of another provider is not one of Better Auth's.
SELECT * FROM pg_temp.outcome(:'sue');
SELECT refusal FROM pg_temp.outcome(:'alice');
-- Whoever impersonates a user cannot create keys of that user.
INSERT INTO app.session VALUES ('s', 'infinity', 'token1', 'carol', NULL), ('i', 'infinity', 'token2', 'carol', 'root');
SELECT auth.authenticate('token1');
SELECT auth.create_api_key('mine') IS NOT NULL AS created;
SELECT auth.authenticate('token2');
SAVEPOINT i;
SELECT auth.create_api_key('hers');
ROLLBACK TO i;
UPDATE app."user" SET banned = true;
SELECT refusal FROM pg_temp.outcome(:'carol');
SELECT refusal FROM pg_temp.outcome(:'mallory');
UPDATE app."user" SET banned = NULL, "isAnonymous" = true;
SELECT refusal FROM pg_temp.outcome(:'carol');
DELETE FROM app."user";
SELECT refusal FROM pg_temp.outcome(:'carol');
-- The rows of Better Auth's sessions sign in nobody by a text that begins as a key.
INSERT INTO app."user" VALUES ('carol', 'Carol', 'carol@example.com', true);
INSERT INTO app.session VALUES ('n', 'infinity', 'nak_session', 'carol');
SELECT refusal FROM pg_temp.outcome('nak_session');
ROLLBACK;
