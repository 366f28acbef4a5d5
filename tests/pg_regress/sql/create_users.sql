-- A user who signs in for the first time gets a row of users_sync, made of the verified claims.
\set SHOW_CONTEXT never
\pset null '-'
\set jwks `"$STACK" jwks`
\set alice `"$STACK" token --sub alice --name 'Alice Example' --email alice@example.com --claim 'iss="https://idp.example.com"' --claim 'picture="https://example.com/a.png"' --claim 'signed_up_at=1700000000'`
\set bob `"$STACK" token --sub bob --name 'Bob Example' --claim 'iss="https://idp.example.com"' --without email --without email_verified`
\set odd `"$STACK" token --sub odd --claim 'iss="https://idp.example.com"' --claim 'name=7' --claim 'email={"a": 1}' --claim 'picture=["https://example.com/a.png"]' --claim 'email_verified="perhaps"' --claim 'is_anonymous=false'`
\set mapped `"$STACK" token --sub mapped --claim 'iss="https://idp.example.com"' --claim 'mail="m@example.com"' --claim 'sure=true' --without email_verified`
\set nobody `"$STACK" token --sub nobody --claim 'iss="https://idp.example.com"' --expired`
\set stacks `"$STACK" token --sub stacks --name 'Stacks Example' --email s@example.com --claim 'signed_up_at=1700000000'`
\set guest `"$STACK" token --sub guest --anonymous --claim 'signed_up_at="yesterday"'`
CREATE VIEW users AS
    SELECT id, name, email, created_at BETWEEN now() - interval '1 second' AND clock_timestamp() AS now, updated_at BETWEEN now() AND clock_timestamp() AS updated,
           deleted_at IS NOT NULL AS deleted, raw_json - '{id,display_name,primary_email,signed_up_at_millis}'::text[] AS rest
      FROM neon_auth.users_sync ORDER BY id COLLATE "C";
GRANT SELECT ON users TO app;

BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
SAVEPOINT s;
-- Signing in needs no right on the table, and the row is there for the next statement: also for a foreign key.
CREATE TABLE notes (user_id text NOT NULL REFERENCES neon_auth.users_sync (id));
GRANT INSERT ON notes TO app;
SET LOCAL SESSION AUTHORIZATION app;
SELECT auth.authenticate(:'alice');
INSERT INTO notes VALUES (auth.user_id());
TABLE users;
SELECT (auth.profile()).name;
SELECT auth.authenticate(:'bob');
TABLE users;
RESET SESSION AUTHORIZATION;
ROLLBACK TO s;
-- A row that exists stays as it is.
SELECT neon_auth.upsert_user('{"id": "alice", "display_name": "By hand"}');
SELECT auth.authenticate(:'alice');
TABLE users;
-- So does that of a deleted user, and of one whose data is erased.
SELECT neon_auth.delete_user('alice');
SELECT auth.authenticate(:'alice');
SELECT neon_auth.erase_user('bob');
SELECT auth.authenticate(:'bob');
TABLE users;
ROLLBACK TO s;
-- Claims of odd types are left out.
SELECT auth.authenticate(:'odd');
-- Claims under other names
UPDATE neon_auth.providers SET claim_map = '{"email": "mail", "email_verified": "sure"}' WHERE name = 'idp';
SELECT auth.authenticate(:'mapped');
TABLE users;
ROLLBACK TO s;
-- A refused token makes none, nor do verify_jwt, inspect_jwt and impersonate.
SELECT neon_auth.verify_jwt(:'alice') IS NOT NULL AS verified;
SELECT ok FROM neon_auth.inspect_jwt(:'alice') WHERE step = 'outcome';
SELECT auth.impersonate('alice');
SELECT auth.logout();
SAVEPOINT t;
\set VERBOSITY terse
SELECT auth.authenticate(:'nobody');
\set VERBOSITY default
ROLLBACK TO t;
TABLE users;
-- Nor does a transaction that can write nothing; the next one does.
SET TRANSACTION READ ONLY;
SELECT auth.authenticate(:'alice');
TABLE users;
ROLLBACK TO s;
-- create_users: NULL means true for kind oidc, false for others.
UPDATE neon_auth.providers SET create_users = false WHERE name = 'idp';
SELECT auth.authenticate(:'alice');
SELECT auth.authenticate(:'stacks');
TABLE users;
UPDATE neon_auth.providers SET create_users = true, allow_anonymous = true;
SELECT auth.authenticate(:'alice'), auth.authenticate(:'stacks'), auth.authenticate(:'guest');
SELECT id, name, created_at AT TIME ZONE 'UTC' AS created_at FROM neon_auth.users_sync WHERE id = 'stacks';
TABLE users;
ROLLBACK TO s;
-- Better Auth's own tables have all of its users.
\set VERBOSITY default
UPDATE neon_auth.providers SET kind = 'better_auth', audiences = '{a}', jwks = NULL, project_id = NULL, create_users = true WHERE name = 'stack';
\echo :SQLSTATE
ROLLBACK TO s;

-- The table can refuse the row. Then nobody is signed in, at any scope, whatever becomes of the transaction.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.raw_json ->> 'primary_email' IS NULL THEN
        RAISE EXCEPTION 'no % without an address', new.raw_json ->> 'id' USING ERRCODE = 'AP001', DETAIL = 'detail', HINT = 'hint';
    END IF;
    RAISE NOTICE 'new: %, signed in: %', new.raw_json ->> 'id', auth.user_id();
    RETURN new;
END
$$;
CREATE TRIGGER refuse BEFORE INSERT ON neon_auth.users_sync FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT auth.impersonate('before', is_local => false);
SAVEPOINT t;
-- A trigger sees the new user, never the one before.
SELECT auth.authenticate(:'alice');
DELETE FROM neon_auth.users_sync;
\set SHOW_CONTEXT errors
SELECT auth.authenticate(:'bob');
\echo :SQLSTATE
ROLLBACK TO t;
SELECT auth.user_id();
SELECT auth.impersonate('before', is_local => false);
SAVEPOINT t;
SELECT auth.authenticate(:'bob', is_local => false);
\set SHOW_CONTEXT never
ROLLBACK TO t;
SELECT auth.user_id();
TABLE users;
-- A constraint refuses it too, with the names of what refused it.
SAVEPOINT t;
ALTER TABLE neon_auth.users_sync ADD CONSTRAINT from_example CHECK (email LIKE '%@example.org');
\set VERBOSITY terse
SELECT auth.authenticate(:'alice');
\set VERBOSITY default
\echo :SQLSTATE
ROLLBACK TO t;
SELECT auth.user_id();
-- Neither fires where ordinary triggers do not; one that drops the row leaves the user signed in without it.
SET LOCAL session_replication_role = replica;
SELECT auth.authenticate(:'bob');
SET LOCAL session_replication_role = origin;
SELECT id FROM users;
DELETE FROM neon_auth.users_sync;
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT auth.authenticate(:'alice');
SELECT auth.user_id(), (SELECT count(*) FROM users);
SELECT auth.logout();
-- A trigger that signs in or out itself: then nobody is signed in, and the caller learns of it.
SAVEPOINT t;
CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    CASE new.raw_json ->> 'id' WHEN 'alice' THEN PERFORM auth.logout(); ELSE PERFORM auth.impersonate('root', is_local => false); END CASE;
    RETURN new;
END
$$;
SAVEPOINT u;
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK TO u;
SELECT auth.user_id();
SELECT auth.authenticate(:'bob', is_local => false);
ROLLBACK TO u;
SELECT auth.user_id(), (SELECT count(*) FROM users);
ROLLBACK;
SELECT auth.user_id();
DROP VIEW users;
