-- revoke_sessions ends the sessions that were created before a time, as after a copy of the database.
\set SHOW_CONTEXT never
BEGIN;
DELETE FROM neon_auth.providers;
CREATE ROLE better_auth_owner;
CREATE ROLE better_auth_admin;
GRANT EXECUTE ON FUNCTION neon_auth.revoke_sessions TO better_auth_admin;
-- Nothing is bound yet.
SAVEPOINT s;
SELECT neon_auth.revoke_sessions();
\echo :SQLSTATE
ROLLBACK TO s;

CREATE SCHEMA app AUTHORIZATION better_auth_owner;
SET LOCAL ROLE better_auth_owner;
CREATE TABLE app."user" (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE app.session (id int PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "createdAt" timestamptz, "userId" int NOT NULL);
INSERT INTO app.session SELECT n, '2100-01-01', 'token' || n, '2026-01-01 UTC'::timestamptz + n * interval '1 day', n FROM generate_series(1, 9) AS n;
INSERT INTO app.session VALUES (10, '2100-01-01', 'token10', NULL, 1);
-- The tables' owner has row-level security, which is set aside, and code of its own, which runs with its rights only.
ALTER TABLE app.session ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE TABLE app.log (id int, by_role text);
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.log VALUES (old.id, current_user);
    RETURN old;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON app.session FOR EACH ROW EXECUTE FUNCTION app.note();
RESET ROLE;
SELECT count(*) FROM neon_auth.add_better_auth('https://app.example.com');
-- Without the plugin that signs JWTs there are no keys, and nothing is wrong.
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of better_auth';

-- Of a time before, only those; a session of unknown age is ended too. Any DateStyle and time zone.
SAVEPOINT s;
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL TimeZone = 'Asia/Kolkata';
SET LOCAL ROLE better_auth_admin;
SELECT neon_auth.revoke_sessions('04/01/2026 05:30:00 Asia/Kolkata');
SELECT neon_auth.revoke_sessions('04/01/2026 05:30:00 Asia/Kolkata');
RESET ROLE;
SELECT array_agg(id ORDER BY id) FROM app.session;
SELECT array_agg(id ORDER BY id), array_agg(DISTINCT by_role) FROM app.log;
SELECT neon_auth.revoke_sessions('-infinity'), neon_auth.revoke_sessions();
SELECT neon_auth.revoke_sessions('infinity');
ROLLBACK TO s;
-- All of them, by default.
SELECT neon_auth.revoke_sessions();
ROLLBACK TO s;
SELECT neon_auth.revoke_sessions(NULL);
\echo :SQLSTATE
ROLLBACK TO s;

-- A time without time zone is UTC.
DROP TRIGGER note ON app.session;
ALTER TABLE app.session ALTER "createdAt" TYPE timestamp USING "createdAt" AT TIME ZONE 'UTC';
SET LOCAL TimeZone = 'Asia/Kolkata';
SELECT neon_auth.revoke_sessions('2026-01-04 00:00:00+00');
SELECT array_agg(id ORDER BY id) FROM app.session;
CREATE DOMAIN app.moment AS timestamp;
ALTER TABLE app.session ALTER "createdAt" TYPE app.moment;
SELECT neon_auth.revoke_sessions('2026-01-05 00:00:00+00');
SELECT array_agg(id ORDER BY id) FROM app.session;
ROLLBACK TO s;

-- Sessions that the owner's code keeps are reported, and none is ended.
CREATE FUNCTION app.keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN old.id <> 3 THEN old END; END $$;
CREATE TRIGGER keep BEFORE DELETE ON app.session FOR EACH ROW EXECUTE FUNCTION app.keep();
SELECT neon_auth.revoke_sessions();
\echo :SQLSTATE
ROLLBACK TO s;
-- Code that wants more rights than its owner's fails.
CREATE FUNCTION app.climb() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM neon_auth.providers; RETURN old; END $$;
CREATE TRIGGER climb BEFORE DELETE ON app.session FOR EACH ROW EXECUTE FUNCTION app.climb();
SELECT neon_auth.revoke_sessions();
\echo :SQLSTATE
ROLLBACK TO s;

-- Without a time of creation, or with another table under the name.
ALTER TABLE app.session RENAME "createdAt" TO created;
SELECT neon_auth.revoke_sessions();
\echo :SQLSTATE
ROLLBACK TO s;
ALTER TABLE app.session RENAME "createdAt" TO created;
SELECT count(*) FROM neon_auth.add_better_auth('https://app.example.com', names => '{"session": {"createdAt": null}}');
SELECT neon_auth.revoke_sessions();
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth_internal.unbind_better_auth();
INSERT INTO neon_auth_internal.better_auth_tables VALUES ('session', 'app.session', '{"createdAt": "createdAt"}');
SELECT neon_auth.revoke_sessions();
\echo :SQLSTATE
ROLLBACK;
