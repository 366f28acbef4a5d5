-- A role that came with an identity ends with it: whatever runs next, it no longer acts as that
-- role, and what was planned for the role is refused.
\set alice `"$STACK" token --sub alice`
\set bad `"$STACK" token --sub alice --aud elsewhere`
\set VERBOSITY terse
UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{authenticated}';
CREATE ROLE app_apart LOGIN NOINHERIT;
GRANT authenticated TO app_apart;
CREATE TABLE role_ends (owner text);
ALTER TABLE role_ends ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON role_ends TO authenticated USING (true);
INSERT INTO role_ends VALUES ('alice');
GRANT SELECT ON role_ends TO PUBLIC;
CREATE TABLE role_ends_plain (line text);
GRANT TRUNCATE ON role_ends_plain TO authenticated;
\c - app_apart

-- A query on a table was planned with the role's policies: refused until somebody signs in or out.
SELECT auth.authenticate(:'alice', false);
SELECT owner FROM role_ends;
PREPARE rows AS SELECT owner FROM role_ends;
EXECUTE rows;
SELECT auth.authenticate(:'bad', false);
SELECT owner FROM role_ends;
\echo :SQLSTATE
SELECT owner FROM role_ends;
SELECT auth.logout();
SELECT current_user, auth.user_id();
SELECT owner FROM role_ends;
EXECUTE rows;

-- A statement that is no query runs as the session's user.
SELECT auth.authenticate(:'alice', false);
SELECT auth.authenticate(:'bad', false);
TRUNCATE role_ends_plain;
\echo :SQLSTATE
SELECT auth.authenticate(:'alice', false);
SELECT auth.authenticate(:'bad', false);
SHOW role;
SELECT auth.authenticate(:'alice', false);
SELECT auth.authenticate(:'bad', false);
EXECUTE rows;

-- The end of a transaction that a refusal has failed is no statement of anybody's.
BEGIN;
SELECT auth.authenticate(:'alice');
SAVEPOINT before;
SELECT auth.authenticate(:'bad');
ROLLBACK TO before;
SELECT owner FROM role_ends;
ROLLBACK;
SELECT current_user, auth.user_id();

-- Signing out of an identity of the transaction signs out of the session's as well.
SELECT auth.authenticate(:'alice', false);
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.logout();
COMMIT;
SELECT current_user, auth.user_id();

\c - postgres
DROP TABLE role_ends, role_ends_plain;
DROP ROLE app_apart;
UPDATE neon_auth.providers SET role_claim = NULL, allowed_roles = '{}';
