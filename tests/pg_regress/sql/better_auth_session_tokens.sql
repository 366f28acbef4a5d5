-- Session tokens of Better Auth: bare, signed and URL-encoded.
\set SHOW_CONTEXT never
\pset null -
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
CREATE DATABASE better_auth_session_tokens;
\c better_auth_session_tokens
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT keep(:'credentials');
-- Without a provider of this kind, a session token is no token.
SELECT outcome(session('alice'));
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');

-- Each form. Without the secret a signature is ignored.
SELECT s.name, masked(outcome(s.value ->> 'token')) AS bare, masked(outcome(s.value ->> 'cookie')) AS encoded
  FROM json_each(kept('sessions', 'text')::json) AS s(name, value) ORDER BY 1;
SELECT outcome(replace(replace(replace(session('alice', 'cookie'), '%2B', '+'), '%2F', '/'), '%3D', '=')) = user_of('alice') AS signed;
-- The identity is made of both rows; the token is in none of it.
SELECT auth.authenticate(session('alice'), false) = user_of('alice') AS alice;
SELECT jsonb_object_keys(auth.jwt()) COLLATE "C" AS claim ORDER BY 1;
SELECT auth.jwt() ->> 'iss' AS iss, auth.email(), auth.email_verified(), auth.is_anonymous(), auth.role(), auth.provider(), auth.expires_at();
SELECT auth.session_id() = (SELECT id FROM shop.session WHERE token = session('alice')) AS session_id,
       auth.actor() - 'session_id' AS actor, auth.selected_team_id();
SELECT strpos(auth.jwt()::text || auth.actor()::text, session('alice')) AS "token in claims";
SHOW neon_auth.identity;
SELECT auth.authenticate(session('carol_impersonated_by_root'), false) = user_of('carol') AS carol;
SELECT auth.actor() - 'session_id' AS actor, auth.actor() ->> 'impersonator' = user_of('root') AS is_root;
SELECT auth.logout();

-- With the secret a signature must be right. Several secrets are accepted during a rotation.
SELECT neon_auth.set_secret('better_auth_secret', kept('secret'));
SELECT s.name, masked(outcome(s.value ->> 'cookie')) AS encoded FROM json_each(kept('sessions', 'text')::json) AS s(name, value) ORDER BY 1;
SELECT outcome(session('alice')) = user_of('alice') AS bare;
SELECT neon_auth.set_secret('better_auth_secret', E'a-new-secret-of-the-application-0123456789\n' || kept('secret'));
SELECT outcome(session('alice', 'cookie')) = user_of('alice') AS old_secret;
SELECT neon_auth.set_secret('better_auth_secret', 'a-new-secret-of-the-application-0123456789');
SELECT outcome(session('alice', 'cookie'));
-- A secret with blanks is one secret.
CREATE FUNCTION hmac(key text, message text) RETURNS bytea LANGUAGE sql AS $$
    SELECT sha256(o.pad || sha256(i.pad || convert_to(message, 'UTF8')))
      FROM (SELECT decode(rpad(encode(convert_to(key, 'UTF8'), 'hex'), 128, '0'), 'hex')) AS k(bytes)
     CROSS JOIN LATERAL (SELECT decode(string_agg(lpad(to_hex(get_byte(k.bytes, n) # 54), 2, '0'), '' ORDER BY n), 'hex') FROM generate_series(0, 63) AS n) AS i(pad)
     CROSS JOIN LATERAL (SELECT decode(string_agg(lpad(to_hex(get_byte(k.bytes, n) # 92), 2, '0'), '' ORDER BY n), 'hex') FROM generate_series(0, 63) AS n) AS o(pad)
$$;
CREATE FUNCTION signed(secret text) RETURNS text LANGUAGE sql AS $$ SELECT session('alice') || '.' || encode(hmac(secret, session('alice')), 'base64') $$;
SELECT outcome(signed('a-new-secret-of-the-application-0123456789')) = user_of('alice') AS without_blanks;
SELECT neon_auth.set_secret('better_auth_secret', 'correct horse battery staple, and some more');
SELECT outcome(signed('correct horse battery staple, and some more')) = user_of('alice') AS with_blanks, outcome(signed('correct')) AS part;

-- What is no token of this database.
SELECT neon_auth.set_secret('better_auth_secret', NULL);
SELECT v.what, outcome(v.credential)
  FROM (VALUES ('cut', left(session('alice'), 31)), ('longer', session('alice') || 'x'), ('upper case', upper(session('alice'))),
               ('SQL', session('alice') || ''' OR true --'), ('LIKE', '%'), ('a wildcard', left(session('alice'), 31) || '_'),
               ('of another database', 'fLGU31H8t4TSfqnvtrEDu2KGGEYbb1tB'), ('empty', ''), ('a dot', '.'), ('no token', '.AAAA'),
               ('signature cut', left(session('alice', 'cookie'), 60)), ('signature empty', session('alice') || '.'),
               ('percent', session('alice') || '%'), ('no hex', session('alice') || '%zz'), ('NUL', session('alice') || '%00'),
               ('no UTF-8', '%ff%fe'), ('odd characters', E'\x01\x7f'), ('a blank', session('alice') || ' '), ('a newline', session('alice') || E'\n'),
               ('umlauts', 'üüü'), ('bearer', 'Bearer ' || session('alice')), ('a JWT cut', split_part(token('alice_long'), '.', 1) || '.' || split_part(token('alice_long'), '.', 2)),
               ('the first part', split_part(token('alice_long'), '.', 1)), ('three dots', session('alice') || '...'), ('255 bytes', repeat('x', 255)), ('256 bytes', repeat('x', 256))) AS v(what, credential);
SELECT outcome(repeat('x', 1000000)) AS "1 MB", outcome(session('alice') || '.' || repeat('A', 1000000)) AS "1 MB signature";
-- Many tries tell nothing apart.
SELECT count(DISTINCT outcome(md5(n::text))) AS outcomes FROM generate_series(1, 50) AS n;

-- Rows as they can be: nothing that is NULL is needed but the end and the user.
UPDATE shop."user" SET role = NULL, banned = NULL, "isAnonymous" = NULL, image = NULL;
UPDATE shop.session SET "activeOrganizationId" = NULL, "userAgent" = NULL;
SELECT auth.authenticate(session('alice'), false) = user_of('alice') AS alice;
SELECT auth.role(), auth.is_anonymous(), auth.selected_team_id(), auth.organization();
SELECT auth.logout();
-- Ends at once: no leeway. A ban that is over does not count.
UPDATE shop.session SET "expiresAt" = now() - interval '1 second' WHERE token = session('alice');
SELECT masked(outcome(session('alice')));
UPDATE shop.session SET "expiresAt" = 'infinity' WHERE token = session('alice');
SELECT split_part(outcome(session('alice')), '|', 1) AS infinity;
UPDATE shop.session SET "expiresAt" = '2099-01-01' WHERE token = session('alice');
UPDATE shop."user" SET banned = true, "banExpires" = now() - interval '1 hour' WHERE email = 'alice@example.com';
SELECT outcome(session('alice')) = user_of('alice') AS ban_is_over;
-- Anonymous users need allow_anonymous; required_claims apply to sessions too.
UPDATE shop."user" SET "isAnonymous" = true WHERE email = 'alice@example.com';
SELECT outcome(session('alice'));
UPDATE neon_auth.providers SET allow_anonymous = true WHERE name = 'better_auth';
SELECT outcome(session('alice')) = user_of('alice') AS allowed;
UPDATE neon_auth.providers SET required_claims = '{"emailVerified": true}' WHERE name = 'better_auth';
SELECT outcome(session('alice'));
UPDATE neon_auth.providers SET required_claims = '{}' WHERE name = 'better_auth';
SELECT step, ok, detail FROM neon_auth.inspect_jwt(session('mallory_banned'));
SELECT step, ok, detail FROM neon_auth.inspect_jwt(session('bob'));
SELECT step, ok, masked(detail) AS detail FROM neon_auth.inspect_jwt(session('bob_expired')) WHERE NOT ok;
SELECT neon_auth.verify_jwt(session('bob')) ->> 'email' AS email;

-- Without the unique index all rows are read: slower, not wrong.
ALTER TABLE shop.session DROP CONSTRAINT session_token_key;
SELECT outcome(session('bob')) = user_of('bob') AS bob, outcome(md5('x'));
-- In a transaction that only reads, and with an older snapshot: what is committed now counts.
BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT outcome(session('bob')) = user_of('bob') AS bob;
COMMIT;

-- session_update_age: extended as Better Auth does it, as the table's owner.
CREATE VIEW pg_temp.ends AS
SELECT s.token, round(extract(epoch FROM s."expiresAt" - now()) / 86400, 1) AS days, s."updatedAt" > now() - interval '1 minute' AS updated FROM shop.session s;
UPDATE shop."user" SET banned = false, "isAnonymous" = false;
UPDATE shop.session SET "createdAt" = now() - interval '3 days', "updatedAt" = now() - interval '3 days', "expiresAt" = now() + interval '4 days';
SELECT outcome(session('alice')) = user_of('alice') AS off_by_default;
SELECT days, updated FROM pg_temp.ends WHERE token = session('alice');
SET neon_auth.session_update_age = '1d';
SELECT outcome(session('alice')) = user_of('alice') AS alice;
SELECT days, updated FROM pg_temp.ends WHERE token = session('alice');
BEGIN;
SELECT auth.authenticate(session('bob')) = user_of('bob') AS bob;
SELECT auth.expires_at() > now() + interval '6 days' AS claims_are_extended;
ROLLBACK;
SELECT days, updated FROM pg_temp.ends WHERE token = session('bob');
-- Not one that is young enough, that began shorter (rememberMe: false), or of an impersonator.
UPDATE shop.session SET "expiresAt" = now() + interval '6 days 1 hour', "createdAt" = now() - interval '23 hours', "updatedAt" = "createdAt" WHERE token = session('alice');
UPDATE shop.session SET "createdAt" = now() - interval '12 hours', "expiresAt" = now() + interval '12 hours', "updatedAt" = "createdAt" WHERE token = session('bob');
SELECT outcome(s.token) = s."userId" AS accepted, e.days, e.updated
  FROM (VALUES ('alice'), ('bob'), ('carol_impersonated_by_root')) AS n(name), shop.session s JOIN pg_temp.ends e USING (token)
 WHERE token = session(n.name) ORDER BY n.name;
SELECT days, updated FROM pg_temp.ends WHERE token IN (session('alice'), session('bob'), session('carol_impersonated_by_root')) ORDER BY days;
-- Whatever goes wrong, the sign-in succeeds: read-only, no right to write, a trigger that fails, a rule of the owner.
UPDATE shop.session SET "createdAt" = now() - interval '3 days', "expiresAt" = now() + interval '4 days' WHERE token = session('carol');
BEGIN READ ONLY;
SELECT outcome(session('carol')) = user_of('carol') AS read_only;
COMMIT;
CREATE FUNCTION shop.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
ALTER FUNCTION shop.fail() OWNER TO shop_owner;
CREATE TRIGGER fail BEFORE UPDATE ON shop.session FOR EACH ROW EXECUTE FUNCTION shop.fail();
SELECT outcome(session('carol')) = user_of('carol') AS failing_trigger;
CREATE OR REPLACE FUNCTION shop.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ASSERT false; END $$;
SELECT outcome(session('carol')) = user_of('carol') AS failing_assertion;
DROP TRIGGER fail ON shop.session;
UPDATE shop.session SET "createdAt" = '-infinity' WHERE token = session('alice');
SELECT outcome(session('alice')) = user_of('alice') AS infinite;
REVOKE UPDATE ON shop.session FROM shop_owner;
SELECT outcome(session('carol')) = user_of('carol') AS no_right;
SELECT days FROM pg_temp.ends WHERE token = session('carol');
GRANT UPDATE ON shop.session TO shop_owner;
SELECT outcome(session('carol')) = user_of('carol') AS carol;
SELECT days FROM pg_temp.ends WHERE token = session('carol');
-- The owner's code that runs then has the owner's rights, whoever signs in.
CREATE TABLE shop.seen (who name);
ALTER TABLE shop.seen OWNER TO shop_owner;
CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO shop.seen VALUES (current_user); RETURN new; END $$;
ALTER FUNCTION shop.note() OWNER TO shop_owner;
CREATE TRIGGER note BEFORE UPDATE ON shop.session FOR EACH ROW EXECUTE FUNCTION shop.note();
UPDATE shop.session SET "createdAt" = now() - interval '3 days', "expiresAt" = now() + interval '4 days' WHERE token = session('carol');
TRUNCATE shop.seen;
SELECT outcome(session('carol')) = user_of('carol') AS carol;
SELECT who FROM shop.seen;
\c neon_auth_regress
DROP DATABASE better_auth_session_tokens;
DROP ROLE shop_owner;
