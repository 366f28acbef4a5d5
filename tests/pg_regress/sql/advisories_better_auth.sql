-- GHSA-xg6x-h9c9-2m83, CVE-2026-134321: a cached session counts before the second factor is given, or after it was revoked.
-- Only the row of the session counts here: neither the cache in the cookie session_data, in any of its forms, nor the
-- cookie of a sign-in that waits for its second factor, signed with the right secret, is a credential.
\set SHOW_CONTEXT never
\pset null -
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
CREATE DATABASE advisories_better_auth;
\c advisories_better_auth
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
SELECT keep(:'credentials');
SELECT neon_auth.set_secret('better_auth_secret', kept('secret'));
CREATE FUNCTION hmac(message text) RETURNS bytea LANGUAGE sql AS $$
    SELECT sha256(o.pad || sha256(i.pad || convert_to(message, 'UTF8')))
      FROM (SELECT decode(rpad(encode(convert_to(kept('secret'), 'UTF8'), 'hex'), 128, '0'), 'hex')) AS k(bytes)
     CROSS JOIN LATERAL (SELECT decode(string_agg(lpad(to_hex(get_byte(k.bytes, n) # 54), 2, '0'), '' ORDER BY n), 'hex') FROM generate_series(0, 63) AS n) AS i(pad)
     CROSS JOIN LATERAL (SELECT decode(string_agg(lpad(to_hex(get_byte(k.bytes, n) # 92), 2, '0'), '' ORDER BY n), 'hex') FROM generate_series(0, 63) AS n) AS o(pad)
$$;
CREATE FUNCTION base64url(bytes bytea) RETURNS text LANGUAGE sql AS $$ SELECT translate(encode(bytes, 'base64'), E'+/=\n', '-_') $$;
CREATE FUNCTION signed(value text) RETURNS text LANGUAGE sql AS $$ SELECT value || '.' || encode(hmac(value), 'base64') $$;
-- What the server caches: the row of the session with its user.
CREATE FUNCTION cached() RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('session', to_jsonb(s), 'user', to_jsonb(u), 'updatedAt', 1, 'version', '1')
      FROM shop.session s JOIN shop."user" u ON u.id = s."userId" WHERE s.token = session('alice')
$$;
CREATE TABLE forms AS
SELECT 'compact' AS form, base64url(convert_to(jsonb_build_object('session', cached(), 'expiresAt', 4070908800000, 'signature', base64url(hmac(cached()::text)))::text, 'UTF8')) AS value
UNION ALL SELECT 'jwt', base64url('{"alg":"HS256"}') || '.' || p.payload || '.' || base64url(hmac(base64url('{"alg":"HS256"}') || '.' || p.payload))
  FROM (SELECT base64url(convert_to((cached() || '{"exp": 4070908800}')::text, 'UTF8'))) AS p(payload)
UNION ALL SELECT 'jwe', base64url('{"alg":"dir","enc":"A256CBC-HS512","kid":"k"}') || '..' || base64url('iv') || '.' || base64url('text') || '.' || base64url('tag')
UNION ALL SELECT 'signed with the keys of JWTs', token('cookie_cache')
UNION ALL SELECT 'two_factor', signed('2fa-RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI')
UNION ALL SELECT 'trust_device', signed('RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI!trust-device')
UNION ALL SELECT 'id of the session', signed((SELECT id FROM shop.session WHERE token = session('alice')))
UNION ALL SELECT 'id of the user', signed(user_of('alice'))
UNION ALL SELECT 'dont_remember', signed('true')
UNION ALL SELECT 'the session itself', signed(session('alice'));
CREATE FUNCTION by_cookie(name text, value text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.headers', '', true), set_config('request.cookies', json_build_object(name, value)::text, true);
    PERFORM auth.pre_request();
    RETURN coalesce(auth.email(), 'nobody');
EXCEPTION WHEN OTHERS THEN RETURN sqlstate;
END
$$;
SELECT form, split_part(replace(outcome(value), user_of('alice'), 'alice'), '|', 1) AS authenticate, by_cookie('better-auth.session_data', value) AS session_data,
       by_cookie('better-auth.two_factor', value) AS two_factor, by_cookie('better-auth.session_token', value) AS session_token FROM forms;
-- The server deletes the session of a sign-in that waits for its second factor: what was cached of it is worth nothing,
-- nor is an identity that began in between.
SELECT auth.authenticate(session('alice'), false) = user_of('alice') AS alice;
DELETE FROM shop.session WHERE token = session('alice');
SELECT auth.user_id();
SELECT auth.logout();
SELECT form, split_part(outcome(value), '|', 1) AS authenticate, by_cookie('better-auth.session_data', value) AS session_data FROM forms;
-- CVE-2026-134312: the text "false" was taken for yes, as was any other text. Here it is false, and what says neither yes
-- nor no is NULL for email_verified, and yes for is_anonymous, which excludes users.
BEGIN;
SELECT claim, auth.email_verified(), auth.is_anonymous()
  FROM unnest('{true,false,"\"true\"","\"false\"","\"no\"","\"\"",0,1,"{}","null"}'::text[]) AS claim
 CROSS JOIN LATERAL auth.impersonate('alice', jsonb_build_object('email_verified', claim::jsonb, 'is_anonymous', claim::jsonb));
ROLLBACK;
-- CVE-2026-53514: an unverified address was enough to accept an invitation. The membership that the server wrote counts;
-- a policy that also asks for auth.email_verified() shows nothing to such a member.
CREATE TABLE projects (organization_id text);
INSERT INTO projects SELECT id FROM shop.organization;
ALTER TABLE projects ENABLE ROW LEVEL SECURITY;
CREATE POLICY members ON projects FOR SELECT USING (organization_id = ANY (auth.organization_ids()) AND auth.email_verified());
GRANT SELECT ON projects TO app;
CREATE VIEW seen AS SELECT cardinality(auth.organization_ids()) > 0 AS member, auth.email_verified();
GRANT SELECT ON seen TO app;
SELECT auth.authenticate(session('bob'), false) = user_of('bob') AS bob;
SET ROLE app;
SELECT *, (SELECT count(*) FROM projects) AS projects FROM seen;
RESET ROLE;
UPDATE shop."user" SET "emailVerified" = true WHERE id = user_of('bob');
SELECT auth.authenticate(session('bob'), false) = user_of('bob') AS bob;
SET ROLE app;
SELECT *, (SELECT count(*) FROM projects) AS projects FROM seen;
RESET ROLE;
\c neon_auth_regress
DROP DATABASE advisories_better_auth;
DROP ROLE shop_owner;
