-- Which tokens of a Better Auth server are accepted, and of whom: all are signed with its key.
\set SHOW_CONTEXT never
\pset null -
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
CREATE DATABASE better_auth_tokens;
\c better_auth_tokens
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/uuid_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
SELECT keep(:'credentials');

-- Access tokens of the OAuth provider, ID tokens and the cookie cache have another typ or audience.
SELECT t.name, masked(outcome(t.token)) AS outcome FROM json_each_text(kept('tokens', 'text')::json) AS t(name, token)
 WHERE t.name <> 'bob_es512' ORDER BY 1;
-- A forged signature, and a payload that was changed.
SELECT outcome(overlay(token('alice_long') PLACING 'AAAA' FROM length(token('alice_long')) - 20)) AS forged;
SELECT outcome(regexp_replace(token('alice_long'), '\.[^.]*\.', '.' || split_part(token('bob_long'), '.', 2) || '.')) AS payload_of_another;
-- An ID token whose client id is the base URL, and one without audience.
\set eddsa `"$STACK" jwks --alg EdDSA`
INSERT INTO shop.jwks (id, "publicKey", "privateKey", "createdAt") VALUES ('test-eddsa', :'eddsa'::jsonb #> '{keys,0}', '"left out"', now());
\set no_aud `"$STACK" token --alg EdDSA --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --without aud`
\set long `"$STACK" token --alg EdDSA --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"' --header 'typ="application/at+jwt"'`
\set logout `"$STACK" token --alg EdDSA --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"' --header 'typ="logout+jwt"'`
\set typed `"$STACK" token --alg EdDSA --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"' --header 'typ="JWT"'`
SELECT outcome(:'no_aud') AS no_audience, outcome(:'long') AS access_token, outcome(:'logout') AS logout_token;
SELECT outcome(:'typed') = user_of('bob') AS typed_jwt;
-- Audiences are required.
UPDATE neon_auth.providers SET audiences = '{}' WHERE name = 'better_auth';
UPDATE neon_auth.providers SET jwks_url = 'https://127.0.0.1/jwks' WHERE name = 'better_auth';

-- The names of claims are Better Auth's. NULL columns are null in a token: that is no anonymous user.
SELECT outcome(token('alice_long')) = user_of('alice') AS alice;
SELECT auth.email(), auth.email_verified(), auth.is_anonymous(), auth.role(), auth.selected_team_id(), auth.session_id(), auth.actor()
  FROM (SELECT outcome(token('alice_long'))) AS o;
\set nulls `"$STACK" token --alg EdDSA --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"' --claim 'isAnonymous=null' --claim 'emailVerified=null' --claim 'role=null' --claim 'banned=null'`
\set guest `"$STACK" token --alg EdDSA --sub axnRTrljRS9qJX9IgCq3ylZRcM74m5Av --claim 'iss="http://127.0.0.1:3912"' --claim 'aud="http://127.0.0.1:3912"' --claim 'isAnonymous=true'`
SELECT outcome(:'nulls') = user_of('bob') AS nulls, outcome(:'guest') AS guest;
SELECT auth.email_verified(), auth.is_anonymous(), auth.role() FROM (SELECT outcome(:'nulls')) AS o;
UPDATE neon_auth.providers SET allow_anonymous = true WHERE name = 'better_auth';
SELECT outcome(:'guest') = user_of('bob') AS guest, auth.is_anonymous();

-- The user must exist and not be banned now, whatever the token says, also for a token that was accepted before.
BEGIN;
UPDATE shop."user" SET banned = true, "banReason" = 'spam' WHERE id = user_of('alice');
SELECT outcome(token('alice_long'));
UPDATE shop."user" SET "banExpires" = '2099-01-01' WHERE id = user_of('alice');
SELECT outcome(token('alice_long'));
UPDATE shop."user" SET "banExpires" = now() - interval '1 second' WHERE id = user_of('alice');
SELECT outcome(token('alice_long')) = user_of('alice') AS ban_is_over;
UPDATE shop."user" SET banned = NULL, "banExpires" = NULL WHERE id = user_of('alice');
SELECT outcome(token('alice_long')) = user_of('alice') AS never_banned;
DELETE FROM shop."user" WHERE email = 'alice@example.com';
SELECT outcome(token('alice_long'));
SELECT step, ok, detail FROM neon_auth.inspect_jwt(token('alice_long')) WHERE NOT ok;
UPDATE neon_auth.providers SET reject_deleted_users = false WHERE name = 'better_auth';
SELECT outcome(token('alice_long')) AS not_looked_up;
ROLLBACK;

-- role of a self-hosted server is not a role of PostgreSQL.
CREATE ROLE better_auth_editor NOLOGIN;
UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{better_auth_editor}' WHERE name = 'better_auth';
SELECT outcome(token('alice_long')) AS role_claim, outcome(session('alice')) AS of_a_session;
UPDATE neon_auth.providers SET role_claim = NULL, allowed_roles = '{}', default_role = 'better_auth_editor' WHERE name = 'better_auth';
BEGIN;
SELECT auth.authenticate(token('alice_long')) IS NOT NULL AS accepted, current_user;
SELECT current_user;
SELECT auth.logout();
SELECT current_user;
SELECT auth.authenticate(session('alice')) IS NOT NULL AS accepted;
SELECT current_user;
ROLLBACK;

-- uuid ids, as hosted Neon Auth has: a token for another branch has the same key.
SELECT neon_auth.drop_provider('better_auth');
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('https://ep-example-00000001.neonauth.us-east-1.aws.neon.tech/neondb/auth', 'hosted');
SELECT t.name, outcome(t.token) FROM json_each_text(kept('tokens', 'uuid')::json) AS t(name, token) ORDER BY 1;
SELECT auth.uid(), auth.role(), auth.claim('o', 'role') AS claimed FROM (SELECT outcome(token('alice_org', 'uuid'))) AS o;
\set no_uuid `"$STACK" token --alg EdDSA --sub 'not a uuid' --claim 'iss="https://ep-example-00000001.neonauth.us-east-1.aws.neon.tech"' --claim 'aud="https://ep-example-00000001.neonauth.us-east-1.aws.neon.tech"' --header 'kid="11111111-1111-4111-8111-111111111111"'`
\set odd_kid `"$STACK" token --alg EdDSA --sub 'a0e3ac20-26e4-411a-8620-1ebeb7345212' --claim 'iss="https://ep-example-00000001.neonauth.us-east-1.aws.neon.tech"' --claim 'aud="https://ep-example-00000001.neonauth.us-east-1.aws.neon.tech"'`
INSERT INTO hosted.jwks (id, "publicKey", "privateKey", "createdAt") VALUES ('11111111-1111-4111-8111-111111111111', :'eddsa'::jsonb #> '{keys,0}', '"left out"', now());
SELECT outcome(:'no_uuid') AS no_uuid, outcome(:'odd_kid') AS odd_kid;
-- A uuid in upper case is another user.
\set upper `"$STACK" token --alg EdDSA --sub 'A0E3AC20-26E4-411A-8620-1EBEB7345212' --claim 'iss="https://ep-example-00000001.neonauth.us-east-1.aws.neon.tech"' --claim 'aud="https://ep-example-00000001.neonauth.us-east-1.aws.neon.tech"' --header 'kid="11111111-1111-4111-8111-111111111111"'`
SELECT outcome(:'upper') AS upper_case;
-- Integer ids.
SELECT neon_auth.drop_provider('better_auth');
CREATE SCHEMA numbers;
CREATE TABLE numbers."user" (id serial PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, "emailVerified" boolean NOT NULL,
    image text, "createdAt" timestamp NOT NULL DEFAULT now(), "updatedAt" timestamp NOT NULL DEFAULT now(), banned boolean, "banExpires" timestamp);
CREATE TABLE numbers.session (id bigserial PRIMARY KEY, "expiresAt" timestamp NOT NULL, token varchar(255) NOT NULL UNIQUE,
    "createdAt" timestamp NOT NULL DEFAULT now(), "updatedAt" timestamp NOT NULL DEFAULT now(), "ipAddress" text, "userAgent" text,
    "userId" int NOT NULL REFERENCES numbers."user" ON DELETE CASCADE);
CREATE TABLE numbers.jwks (id smallserial PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL, "createdAt" timestamp NOT NULL);
INSERT INTO numbers."user" (name, email, "emailVerified") VALUES ('Alice', 'alice@example.com', true);
INSERT INTO numbers.session ("expiresAt", token, "userId") VALUES (timezone('UTC', now()) + interval '1 hour', 'numbered', 1);
INSERT INTO numbers.jwks ("publicKey", "privateKey", "createdAt") VALUES (:'eddsa'::jsonb #> '{keys,0}', '"left out"', now());
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('https://numbers.example.com', 'numbers');
\set one `"$STACK" token --alg EdDSA --sub 1 --claim 'iss="https://numbers.example.com"' --claim 'aud="https://numbers.example.com"' --header 'kid="1"'`
\set plus `"$STACK" token --alg EdDSA --sub '+1' --claim 'iss="https://numbers.example.com"' --claim 'aud="https://numbers.example.com"' --header 'kid="1"'`
\set zero `"$STACK" token --alg EdDSA --sub '01' --claim 'iss="https://numbers.example.com"' --claim 'aud="https://numbers.example.com"' --header 'kid="01"'`
\set large `"$STACK" token --alg EdDSA --sub '99999999999999999999' --claim 'iss="https://numbers.example.com"' --claim 'aud="https://numbers.example.com"' --header 'kid="1"'`
SELECT outcome(:'one') AS one, outcome(:'plus') AS plus, outcome(:'zero') AS zero, outcome(:'large') AS large;
-- A time without time zone is UTC.
SET TimeZone = 'Pacific/Auckland';
SELECT outcome('numbered'), auth.session_id();
SELECT auth.expires_at() - now() BETWEEN interval '59 minutes' AND interval '1 hour' AS in_an_hour FROM (SELECT outcome('numbered')) AS o;
UPDATE numbers."user" SET banned = true, "banExpires" = timezone('UTC', now()) - interval '1 minute';
SELECT outcome('numbered') AS ban_is_over;
\c neon_auth_regress
DROP DATABASE better_auth_tokens;
DROP ROLE shop_owner, hosted_owner, better_auth_editor;
