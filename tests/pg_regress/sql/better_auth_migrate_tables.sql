-- migrate_to_better_auth() into tables of other forms: text ids, other names, JSON, times without zone, numbers of
-- their own for members; tables that are missing, that require more, or whose owner is hostile.
\set SHOW_CONTEXT never
\set VERBOSITY default
\pset null '-'
BEGIN;
CREATE ROLE better_auth_app;
CREATE SCHEMA app AUTHORIZATION better_auth_app;
SELECT neon_auth.upsert_users('[{"id": "u1", "display_name": "Alice", "primary_email": "alice@example.com", "signed_up_at_millis": 1700000000123},
                                {"id": "u-very-long", "primary_email": "bob@example.com", "signed_up_at_millis": 1700000001000},
                                {"id": "u3", "primary_email": "guest@example.com", "is_anonymous": true, "signed_up_at_millis": 1700000002000},
                                {"id": "u4", "primary_email": "r@example.com", "restricted_by_admin": true, "signed_up_at_millis": 1700000003000}]');
SELECT neon_auth.upsert_teams('[{"id": "t1", "display_name": "Acme", "client_metadata": {"plan": "pro"}, "created_at_millis": 1700000000000}]');
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'u1'), ('t1', 'u-very-long');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', 'u1', 'team_admin');
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('u1', 'beta');
SET LOCAL ROLE better_auth_app;
SET LOCAL TIME ZONE 'America/New_York';
CREATE TABLE app.app_users (user_id varchar(8) PRIMARY KEY, full_name text NOT NULL, email varchar(255) NOT NULL UNIQUE,
    is_verified boolean NOT NULL, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
CREATE TABLE app.app_sessions (id text PRIMARY KEY, expires_at timestamp NOT NULL, token text NOT NULL UNIQUE, user_id varchar(8) NOT NULL);
RESET ROLE;
\set names '{"user": {"table": "app_users", "id": "user_id", "name": "full_name", "emailVerified": "is_verified"}, "session": "app_sessions"}'
SELECT object, id, outcome, reason FROM neon_auth.migrate_to_better_auth(names => :'names') WHERE object !~ 'provider|secret|definition';

SET LOCAL ROLE better_auth_app;
CREATE TABLE app.organizations (id text PRIMARY KEY, name text NOT NULL, slug text UNIQUE, logo text, created_at timestamp NOT NULL, metadata jsonb);
CREATE TABLE app.members (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, organization_id text NOT NULL, user_id varchar(8) NOT NULL, role text NOT NULL,
    created_at timestamp NOT NULL DEFAULT now());
RESET ROLE;
SAVEPOINT s;
SELECT object, id, outcome, reason FROM neon_auth.migrate_to_better_auth(false, 'http://127.0.0.1:3000', names => :'names') WHERE object !~ 'provider|secret|definition';
SELECT * FROM app.app_users;
SELECT * FROM app.organizations;
SELECT id, organization_id, user_id, role FROM app.members;
ROLLBACK TO s;
-- Ids as Better Auth makes them
ALTER TABLE app.members ALTER id DROP IDENTITY;
ALTER TABLE app.members ALTER id TYPE text;
SELECT count(*) FROM neon_auth.migrate_to_better_auth(false, 'http://127.0.0.1:3000', names => :'names');
SELECT id ~ '^[A-Za-z0-9]{32}$' AS random FROM app.members;
ROLLBACK TO s;
ALTER TABLE app.members ALTER id DROP IDENTITY;
SELECT count(*) FROM neon_auth.migrate_to_better_auth(false, 'http://127.0.0.1:3000', names => :'names');
ROLLBACK TO s;
-- A column of the application's own
ALTER TABLE app.app_users ADD plan text NOT NULL;
SELECT count(*) FROM neon_auth.migrate_to_better_auth(names => :'names');
ROLLBACK TO s;
ALTER TABLE app.app_users ADD plan text NOT NULL DEFAULT 'free', ADD sum int GENERATED ALWAYS AS (1) STORED NOT NULL;
SELECT outcome FROM neon_auth.migrate_to_better_auth(names => :'names') WHERE id = 'u1';
ROLLBACK TO s;

-- A foreign key that is checked at the end of the transaction
SET LOCAL ROLE better_auth_app;
ALTER TABLE app.members ADD CONSTRAINT "its user" FOREIGN KEY (user_id) REFERENCES app.app_users DEFERRABLE INITIALLY DEFERRED;
RESET ROLE;
SELECT outcome FROM neon_auth.migrate_to_better_auth(names => :'names') WHERE object = 'member';
ROLLBACK TO s;

-- The owner's triggers run as the owner. What they do not accept is not reported as created.
SET LOCAL ROLE better_auth_app;
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER refuse BEFORE INSERT ON app.app_users FOR EACH ROW EXECUTE FUNCTION app.refuse();
RESET ROLE;
SELECT count(*) FROM neon_auth.migrate_to_better_auth(names => :'names');
ROLLBACK TO s;
-- The error that ends a dry run
SET LOCAL ROLE better_auth_app;
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE 'NA000' USING MESSAGE = 'mine'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON app.app_users FOR EACH ROW EXECUTE FUNCTION app.refuse();
RESET ROLE;
SAVEPOINT refusing;
SELECT count(*) FROM neon_auth.migrate_to_better_auth(names => :'names');
ROLLBACK TO refusing;
SELECT count(*) FROM neon_auth.migrate_to_better_auth(false, 'http://127.0.0.1:3000', names => :'names');
ROLLBACK TO s;
SET LOCAL ROLE better_auth_app;
CREATE FUNCTION app.seize() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        RESET ROLE;
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    new.full_name := current_user;
    RETURN new;
END
$$;
CREATE TRIGGER seize BEFORE INSERT ON app.app_users FOR EACH ROW EXECUTE FUNCTION app.seize();
RESET ROLE;
SELECT count(*) FROM neon_auth.migrate_to_better_auth(false, 'http://127.0.0.1:3000', names => :'names');
SELECT DISTINCT full_name FROM app.app_users;
ROLLBACK TO s;

-- Only administrators may call it.
SET LOCAL ROLE app;
SELECT neon_auth.migrate_to_better_auth();
ROLLBACK;
