-- A library and SQL objects of different versions: refused at first use, with what to do about it,
-- and again in order as soon as they agree.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
CREATE DATABASE neon_auth_version TEMPLATE template0;
\c neon_auth_version
CREATE EXTENSION neon_auth;
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';
SELECT neon_auth.set_secret('webhook_secret', 'whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=');
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'alice');
CREATE TABLE todos (user_id text);
INSERT INTO todos VALUES ('alice'), ('bob');
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON todos USING (user_id = auth.user_id());
CREATE POLICY member ON todos USING (auth.is_team_member('t1'));
GRANT SELECT ON todos TO app;
CREATE VIEW version AS SELECT extversion AS current FROM pg_extension WHERE extname = 'neon_auth';
CREATE TABLE before AS SELECT current FROM version;
-- What a statement is refused with, whichever the library's version is.
CREATE FUNCTION refusal(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    EXECUTE statement;
    RETURN 'none';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', sqlstate || ': ' || sqlerrm, replace(detail, (SELECT current FROM before), '(ours)'), hint);
END
$$;

-- The library is newer.
UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'neon_auth';
\c
\pset format unaligned
SELECT refusal(format('SELECT auth.authenticate(%L)', :'alice'));
\pset format aligned
SELECT call, split_part(refusal(format('SELECT ' || call, :'alice')), ':', 1) AS sqlstate
  FROM (VALUES (1, 'auth.impersonate(''alice'')'), (2, 'auth.init()'), (3, 'auth.jwt_session_init(%L)'),
               (4, 'neon_auth.verify_jwt(%L)'), (5, 'neon_auth.inspect_jwt(%L)'), (6, 'neon_auth.refresh_jwks()'),
               (7, 'neon_auth.handle_webhook(''{}'', ''{}'')'),
               (8, 'neon_auth.delete_user(''alice'')')) AS calls (n, call)
 ORDER BY n;
SELECT step, ok FROM neon_auth.inspect_jwt(:'alice') WHERE NOT ok;
-- Nobody is signed in, and policies show nothing. Signing out is never refused.
SELECT auth.user_id(), auth.authenticate(NULL);
SET ROLE app;
SELECT * FROM todos;
RESET ROLE;
-- A dump is made, and its restoration has the version at hand.
CREATE DATABASE neon_auth_version_restored TEMPLATE template0;
\! pg_dump --dbname neon_auth_version | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null --dbname neon_auth_version_restored
\c neon_auth_version_restored
SELECT v.current = b.current AS ours FROM version v, before b;
SELECT auth.jwt_session_init(:'alice');
SELECT auth.user_id();
\c neon_auth_version
-- In the same session: refused, then in order.
SELECT split_part(refusal(format('SELECT auth.authenticate(%L)', :'alice')), ':', 1);
UPDATE pg_extension SET extversion = (SELECT current FROM before) WHERE extname = 'neon_auth';
SELECT auth.jwt_session_init(:'alice');
SELECT auth.user_id(), auth.is_team_member('t1');

-- The library is older: another session updates while this one goes on with what it has loaded.
\! psql --no-psqlrc --quiet --dbname neon_auth_version --command "BEGIN; UPDATE pg_extension SET extversion = '1000.0.0' WHERE extname = 'neon_auth'; CREATE FUNCTION whatever_an_update_makes() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMIT"
SET ROLE app;
SELECT * FROM todos;
\echo :SQLSTATE
RESET ROLE;
\pset format unaligned
SELECT refusal(format('SELECT auth.authenticate(%L)', :'alice'));
\pset format aligned
SET ROLE app;
SELECT * FROM todos;
RESET ROLE;
-- DROP EXTENSION asks nothing, and what is created anew is of the library's version.
DROP EXTENSION neon_auth CASCADE;
CREATE EXTENSION neon_auth;
SELECT v.current = b.current AS ours FROM version v, before b;
BEGIN;
SELECT auth.impersonate('alice');
SELECT auth.user_id(), auth.is_team_member('t1');
ROLLBACK;

\c neon_auth_regress
DROP DATABASE neon_auth_version_restored;
DROP DATABASE neon_auth_version;
