-- A credential that cannot work here is refused with what to do: another credential, or a step of the administrator.
\set SHOW_CONTEXT never
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
\set jwks `"$STACK" jwks`
CREATE DATABASE better_auth_refusals;
\c better_auth_refusals
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT keep(:'credentials');

-- Without a provider, every text is refused for that.
SELECT auth.authenticate(session('alice'));
SELECT auth.authenticate(session('alice', 'cookie'));
SELECT auth.authenticate(token('alice_long'));
SELECT v.credential, outcome(v.credential) FROM unnest('{"",x,"a b",a.b.c,....,Bearer x}'::text[]) AS v(credential);
SELECT * FROM neon_auth.inspect_jwt(session('alice'));
-- Nobody has added Better Auth: what is no JWT may be a session token.
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
SELECT auth.authenticate(session('alice'));
SELECT auth.authenticate(session('alice', 'cookie'));
SELECT detail FROM neon_auth.inspect_jwt(session('alice')) WHERE step = 'outcome';
SELECT auth.authenticate('a.b.c');

-- A JWT, where Better Auth had no table of keys when it was added.
SELECT "table", relation FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop', names => '{"jwks": null}') ORDER BY 1;
SELECT auth.authenticate(token('alice_long'));
\echo :SQLSTATE
SELECT step, ok, detail FROM neon_auth.inspect_jwt(token('alice_long')) WHERE step IN ('keys', 'outcome');
SELECT outcome(session('alice')) = user_of('alice') AS alice;
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
SELECT outcome(token('alice_long')) = user_of('alice') AS alice;
-- A table of keys that cannot be used is a fault of the database.
ALTER TABLE shop.jwks DISABLE TRIGGER ALL;
DROP TRIGGER neon_auth_truncate ON shop.jwks;
SELECT outcome(token('alice_long'));
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');

-- With the name of the cookie, or a whole header.
SELECT auth.authenticate('better-auth.session_token=' || session('alice', 'cookie'));
\echo :SQLSTATE
SELECT v.start, outcome(v.start || session('alice', v.form)) AS outcome
  FROM (VALUES ('session_token=', 'token'), ('__Secure-better-auth.session_token=', 'cookie'), ('Cookie: theme=dark; shop-session_token=', 'cookie')) AS v(start, form);
SELECT detail FROM neon_auth.inspect_jwt('better-auth.session_token=' || session('alice', 'cookie')) WHERE step = 'outcome';
-- A user who is banned.
UPDATE shop."user" SET banned = true, "banExpires" = NULL WHERE id = user_of('alice');
SELECT auth.authenticate(session('alice'));
SELECT auth.authenticate(token('alice_long'));
\c neon_auth_regress
DROP DATABASE better_auth_refusals;
DROP ROLE shop_owner;
