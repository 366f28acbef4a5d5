-- API keys of Better Auth: rows of its table apikey, which has base64url of SHA-256 of each key.
\set SHOW_CONTEXT never
\pset null -
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
CREATE DATABASE better_auth_api_keys;
\c better_auth_api_keys
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT keep(:'credentials');
-- Who is signed in, or why nobody is.
CREATE FUNCTION now_signed_in() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN auth.user_id();
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN masked(sqlstate || ' ' || sqlerrm || '|' || detail);
END
$$;
-- How the table has a key.
CREATE FUNCTION hashed(key text) RETURNS text LANGUAGE sql AS $$
    SELECT translate(encode(sha256(convert_to(key, 'UTF8')), 'base64'), '+/=', '-_')
$$;
-- The table of @better-auth/api-key 1.7, as its migrations create it.
SET ROLE shop_owner;
CREATE TABLE shop.apikey (id text NOT NULL PRIMARY KEY, "configId" text NOT NULL, name text, start text, "referenceId" text NOT NULL,
    prefix text, key text NOT NULL, "refillInterval" integer, "refillAmount" integer, "lastRefillAt" timestamptz, enabled boolean,
    "rateLimitEnabled" boolean, "rateLimitTimeWindow" integer, "rateLimitMax" integer, "requestCount" integer, remaining integer,
    "lastRequest" timestamptz, "expiresAt" timestamptz, "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL,
    permissions text, metadata text);
CREATE INDEX "apikey_key_idx" ON shop.apikey (key);
INSERT INTO shop.apikey (id, "configId", "referenceId", key, enabled, "expiresAt", remaining, permissions, "createdAt", "updatedAt")
SELECT k.id, 'default', coalesce(u.id, k.owner), hashed(k.key), k.enabled, k.until, k.remaining, k.permissions, '2026-11-27 UTC', '2026-11-27 UTC'
  FROM (VALUES ('k-plain', 'alice', 'AliceKeyAliceKeyAliceKey', true, NULL::timestamptz, NULL::integer, NULL),
               ('k-files', 'bob', 'shop_BobKeyBobKeyBobKey', true, '2099-01-01 UTC', 5, '{"member": ["create"], "ac": ["read"], "invitation": ["create", "cancel"]}'),
               ('k-null', 'carol', 'CarolKeyCarolKey', NULL, NULL, NULL, '{}'),
               ('k-disabled', 'alice', 'disabled', false, NULL, NULL, NULL),
               ('k-expired', 'alice', 'expired', true, '2026-01-01 UTC', NULL, NULL),
               ('k-now', 'alice', 'now', true, '2099-01-01 UTC', NULL, NULL),
               ('k-used-up', 'alice', 'used-up', true, NULL, 0, NULL),
               ('k-negative', 'alice', 'negative', true, NULL, -1, NULL),
               ('k-last', 'alice', 'last', true, NULL, 1, NULL),
               ('k-organization', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', 'organization', true, NULL, NULL, '{"member": ["create"]}'),
               ('k-nobody', 'nobody at all', 'nobody', true, NULL, NULL, NULL),
               ('k-number', '7', 'number', true, NULL, NULL, NULL),
               ('k-banned', 'mallory', 'banned', true, NULL, NULL, NULL),
               ('k-dots', 'alice', 'with.dot', true, NULL, NULL, NULL),
               ('k-odd', 'alice', 'odd % ü', true, NULL, NULL, NULL)) AS k(id, owner, key, enabled, until, remaining, permissions)
  LEFT JOIN shop."user" u ON u.email = k.owner || '@example.com';
RESET ROLE;
SELECT "table", relation, owner FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop') WHERE "table" IN ('session', 'apikey', 'user');
SELECT what, relation, feeds_mirror, defect FROM neon_auth_internal.better_auth_health WHERE what = 'apikey';
SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'shop.apikey'::regclass AND NOT tgisinternal;

-- Each key. A key that is not valid, or whose owner is not a user who may sign in, is refused.
SELECT k.key, replace(masked(outcome(k.key)), coalesce(u.id, '-'), coalesce(split_part(u.email, '@', 1), '-')) AS outcome
  FROM unnest('{AliceKeyAliceKeyAliceKey,shop_BobKeyBobKeyBobKey,CarolKeyCarolKey,disabled,expired,now,used-up,negative,last,organization,nobody,number,banned,with.dot}'::text[]) AS k(key)
  LEFT JOIN shop.apikey a ON a.key = hashed(k.key) LEFT JOIN shop."user" u ON u.id = a."referenceId" ORDER BY a.id;
-- What is no key: its hash, another case, a part. A text with a blank is a token of another kind.
SELECT outcome(hashed('AliceKeyAliceKeyAliceKey')) AS hash, outcome(upper('AliceKeyAliceKeyAliceKey')) AS upper_case;
SELECT outcome('AliceKey') AS part, outcome('odd % ü') AS blanks;
SELECT auth.authenticate('disabled');
SELECT auth.authenticate('used-up');
SELECT auth.authenticate('organization');
SELECT auth.authenticate('number');
SELECT auth.authenticate('banned');
SELECT auth.authenticate('nobody');
-- Valid until strictly before the end.
UPDATE shop.apikey SET "expiresAt" = clock_timestamp() WHERE id = 'k-now';
SELECT masked(outcome('now'));
UPDATE shop.apikey SET "expiresAt" = 'infinity' WHERE id = 'k-now';
SELECT outcome('now') = user_of('alice') AS infinity;
UPDATE shop.apikey SET "expiresAt" = '-infinity' WHERE id = 'k-now';
SELECT split_part(outcome('now'), '|', 1) AS minus_infinity;

-- The identity is made of both rows. Neither the key nor its hash is in it.
SELECT auth.authenticate('shop_BobKeyBobKeyBobKey', false) = user_of('bob') AS bob;
SELECT jsonb_object_keys(auth.jwt()) COLLATE "C" AS claim ORDER BY 1;
SELECT auth.jwt() ->> 'iss' AS iss, auth.email(), auth.email_verified(), auth.is_anonymous(), auth.role(), auth.provider(),
       auth.expires_at(), auth.session_id(), auth.selected_team_id();
SELECT strpos(current_setting('neon_auth.identity') || auth.jwt() || auth.actor(), hashed('shop_BobKeyBobKeyBobKey')) AS hash,
       strpos(current_setting('neon_auth.identity') || auth.jwt() || auth.actor(), 'BobKey') AS key;
SELECT auth.actor();
SELECT auth.logout();

-- An identity for the session ends at the next transaction when the key does.
SELECT auth.authenticate('AliceKeyAliceKeyAliceKey', false) = user_of('alice') AS alice;
UPDATE shop.apikey SET enabled = false WHERE id = 'k-plain';
SELECT auth.user_id();
UPDATE shop.apikey SET enabled = true WHERE id = 'k-plain';
-- It stays ended, until somebody signs in again.
SELECT auth.user_id();
SELECT auth.authenticate('AliceKeyAliceKeyAliceKey', false) = user_of('alice') AS alice;
UPDATE shop.apikey SET "expiresAt" = '2026-01-01 UTC' WHERE id = 'k-plain';
SELECT now_signed_in();
UPDATE shop.apikey SET "expiresAt" = NULL WHERE id = 'k-plain';
SELECT auth.authenticate('AliceKeyAliceKeyAliceKey', false) = user_of('alice') AS alice;
UPDATE shop.apikey SET permissions = '{"member": ["create"]}' WHERE id = 'k-plain';
SELECT auth.user_id();
SELECT auth.authenticate('AliceKeyAliceKeyAliceKey', false) = user_of('alice') AS alice;
UPDATE shop.apikey SET "referenceId" = user_of('bob') WHERE id = 'k-plain';
SELECT auth.user_id();
SELECT auth.authenticate('AliceKeyAliceKeyAliceKey', false) = user_of('bob') AS bob;
UPDATE shop."user" SET banned = true WHERE id = user_of('bob');
SELECT auth.user_id();
UPDATE shop."user" SET banned = false WHERE id = user_of('bob');
SELECT auth.authenticate('AliceKeyAliceKeyAliceKey', false) = user_of('bob') AS bob;
UPDATE shop.apikey SET remaining = 0 WHERE id = 'k-plain';
SELECT auth.user_id();
UPDATE shop.apikey SET remaining = NULL, "referenceId" = user_of('alice') WHERE id = 'k-plain';
SELECT auth.authenticate('AliceKeyAliceKeyAliceKey', false) = user_of('alice') AS alice;
DELETE FROM shop.apikey WHERE id = 'k-plain';
SELECT auth.user_id();
SELECT auth.logout();
-- A use changes nothing in the table.
SELECT id, remaining, "requestCount", "lastRequest" FROM shop.apikey WHERE id = 'k-files';

-- Rules of the provider apply as for sessions.
UPDATE shop."user" SET "isAnonymous" = true WHERE id = user_of('bob');
SELECT auth.authenticate('shop_BobKeyBobKeyBobKey');
UPDATE neon_auth.providers SET allow_anonymous = true WHERE name = 'better_auth';
SELECT outcome('shop_BobKeyBobKeyBobKey') = user_of('bob') AS allowed;
UPDATE neon_auth.providers SET required_claims = '{"emailVerified": true}' WHERE name = 'better_auth';
SELECT outcome('shop_BobKeyBobKeyBobKey');
UPDATE neon_auth.providers SET required_claims = '{}', allow_anonymous = false WHERE name = 'better_auth';
UPDATE shop."user" SET "isAnonymous" = false WHERE id = user_of('bob');
UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{authenticated}' WHERE name = 'better_auth';
SELECT auth.authenticate('shop_BobKeyBobKeyBobKey');
UPDATE neon_auth.providers SET role_claim = NULL, allowed_roles = '{}' WHERE name = 'better_auth';
SELECT step, ok, detail FROM neon_auth.inspect_jwt('shop_BobKeyBobKeyBobKey');
SELECT step, ok, masked(detail) AS detail FROM neon_auth.inspect_jwt('expired');
SELECT step, ok, detail FROM neon_auth.inspect_jwt('no key at_all');

-- A key without an owner.
ALTER TABLE shop.apikey ALTER "referenceId" DROP NOT NULL;
UPDATE shop.apikey SET "referenceId" = NULL WHERE id = 'k-last';
SELECT auth.authenticate('last');
-- Permissions: the key's, of those that its owner has. What Better Auth cannot read grants nothing.
UPDATE shop.apikey SET key = hashed('alice-key') WHERE id = 'k-odd';
CREATE FUNCTION granted(given text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE shop.apikey SET permissions = given WHERE id = 'k-odd';
    PERFORM auth.authenticate('alice-key', false);
    RETURN (SELECT string_agg(p.id, ' ') FROM unnest('{organization:update,organization:delete,member:create,page:read}'::text[]) AS p(id)
             WHERE auth.has_permission(p.id, 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW'));
END
$$;
SELECT p.given, granted(p.given)
  FROM unnest(ARRAY['{"organization": ["update", "delete"], "member": ["create", "update"], "page": ["read"]}', '{"organization": ["update"]}',
                    NULL, '', 'null', '[]', '"organization:update"', '{}', '{"organization": "update"}', '{"organization": {"update": true}}',
                    '{"organization": [1, null, ["update"], "delete"]}', '{"organization": ["update"', '{"organization": ["update"], "organization": ["delete"]}',
                    '{"organization": ["*"]}', '{"": ["organization:update"]}', '{"organization:update": [""]}', '{"organization": ["Update", " update"]}']) AS p(given);
-- The user's own session is not bounded, and neither is the user after the key.
SELECT auth.authenticate(session('alice'), false) IS NOT NULL AS alice, auth.has_permission('organization:update', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW');
SELECT auth.has_permission('organization:update', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW') AS session, auth.logout();

-- The owner's id can be one of an organization, or of one that was deleted if it is a number.
UPDATE shop.apikey SET "referenceId" = 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW' WHERE id = 'k-files';
INSERT INTO shop."user" (id, name, email, "emailVerified") VALUES ('jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', 'Twin', 'twin@example.com', true), ('7', 'Seven', 'seven@example.com', true);
SELECT outcome('shop_BobKeyBobKeyBobKey'), outcome('number');
-- An administrator can say that all keys belong to users.
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop', names => '{"apikey": {"userId": "referenceId"}}');
SELECT columns -> 'userId' AS user_id, columns -> 'referenceId' AS reference_id FROM neon_auth_internal.better_auth_tables WHERE what = 'apikey';
SELECT outcome('number') = '7' AS number;

-- Without the index all rows are read. Column types of other tools: JSON, bigint.
DROP INDEX shop.apikey_key_idx;
ALTER TABLE shop.apikey ALTER permissions TYPE jsonb USING NULL, ALTER remaining TYPE bigint;
UPDATE shop.apikey SET "referenceId" = user_of('bob'), permissions = '{"b": ["c"]}' WHERE id = 'k-files';
SELECT outcome('shop_BobKeyBobKeyBobKey') = user_of('bob') AS bob;
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT outcome('shop_BobKeyBobKeyBobKey') = user_of('bob') AS bob;
COMMIT;
-- A table that is not the bound one any more: what is no session is still refused as such; a key says why.
SELECT outcome(session('alice')) = user_of('alice') AS alice;
SELECT auth.authenticate('shop_BobKeyBobKeyBobKey', false) = user_of('bob') AS bob;
ALTER TABLE shop.apikey RENAME COLUMN remaining TO uses;
SELECT auth.user_id();
SELECT auth.authenticate('shop_BobKeyBobKeyBobKey');
SELECT outcome(session('alice')) = user_of('alice') AS alice;
DROP TABLE shop.apikey;
SELECT auth.authenticate('shop_BobKeyBobKeyBobKey');
SELECT component, ok, detail FROM neon_auth.status WHERE detail LIKE '%apikey%';
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
SELECT outcome('shop_BobKeyBobKeyBobKey');
\c neon_auth_regress
DROP DATABASE better_auth_api_keys;
DROP ROLE shop_owner;
