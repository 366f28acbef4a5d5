-- A role that one identity brought does not pass to the next: one provider maps roles, the other none.
\set VERBOSITY terse
\pset null '-'
CREATE ROLE support NOLOGIN;
CREATE ROLE desk LOGIN NOINHERIT;
GRANT support, authenticated TO desk;
CREATE TABLE tickets (owner text);
ALTER TABLE tickets ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON tickets TO PUBLIC;
CREATE POLICY support_all ON tickets TO support USING (true);
CREATE POLICY own ON tickets USING (owner = auth.user_id());
INSERT INTO tickets VALUES ('alice'), ('bob'), ('sam');
UPDATE neon_auth.providers SET role_claim = 'pg_role', allowed_roles = '{support}', leeway = '1 second';
SELECT neon_auth.add_provider('customers', ARRAY['https://customers.example/api/v1/projects/' || project_id],
                              audiences => ARRAY[project_id], jwks => jwks, algorithms => '{ES256}')
  FROM neon_auth.providers WHERE name = 'stack';
\set sam `"$STACK" token --sub sam --claim 'pg_role="support"'`
\set alice `"$STACK" token --sub alice --iss-base https://customers.example`
\set bad `"$STACK" token --sub bob --aud elsewhere`
\set standing 'SELECT auth.user_id(), current_user, (SELECT array_agg(owner ORDER BY owner) FROM tickets) AS sees;'
\c - desk

-- One after the other in a session
SELECT auth.authenticate(:'sam', false);
:standing
SELECT auth.authenticate(:'alice', false);
:standing
SELECT auth.logout();
:standing

-- In a transaction, above the session's
SELECT auth.authenticate(:'sam', false);
BEGIN;
SELECT auth.authenticate(:'alice');
:standing
COMMIT;
:standing
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.logout();
COMMIT;
:standing
SELECT auth.authenticate(:'sam', false);
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.authenticate(:'alice', false);
COMMIT;
:standing
-- In one transaction
BEGIN;
SELECT auth.authenticate(:'sam');
SELECT auth.authenticate(:'alice');
:standing
COMMIT;
:standing
-- An abort takes both back.
SELECT auth.authenticate(:'sam', false);
BEGIN;
SELECT auth.authenticate(:'alice', false);
ROLLBACK;
:standing

-- A role that the transaction has set for itself stays for its time; what is below it goes.
BEGIN;
SET LOCAL ROLE authenticated;
SELECT auth.logout();
:standing
COMMIT;
:standing
SELECT auth.authenticate(:'sam', false);
BEGIN;
SET LOCAL ROLE authenticated;
SAVEPOINT s;
SELECT auth.authenticate(:'bad', false);
ROLLBACK TO s;
COMMIT;
:standing
SELECT auth.authenticate(:'sam', false);
BEGIN;
SET LOCAL ROLE authenticated;
SELECT auth.authenticate(:'alice', false);
:standing
COMMIT;
:standing
SELECT auth.logout();

-- RESET ALL takes the identity, and so the role that came with it, but no other.
SELECT auth.authenticate(:'sam', false);
RESET ALL;
:standing
SELECT auth.authenticate(:'sam', false);
BEGIN;
RESET ALL;
ROLLBACK;
:standing
SELECT auth.logout();
SET ROLE authenticated;
RESET ALL;
:standing
RESET ROLE;

-- The role ends when the token does, for all that a policy would show it without asking who it is.
-- The token expires by the clock: nothing but time ends it.
\set brief `"$STACK" token --sub sam --claim 'pg_role="support"' --exp-in 1`
SELECT auth.authenticate(:'brief', false);
PREPARE rows AS SELECT count(*) FROM tickets;
SELECT count(*) FROM tickets;
EXECUTE rows;
SELECT FROM pg_sleep(3);
SELECT count(*) FROM tickets;
\echo :SQLSTATE
EXECUTE rows;
SELECT current_user;
SELECT auth.user_id();
SELECT auth.logout();
:standing

\c - postgres
SELECT neon_auth.drop_provider('customers');
DELETE FROM neon_auth.users_sync;
UPDATE neon_auth.providers SET role_claim = NULL, allowed_roles = '{}', leeway = DEFAULT;
DROP TABLE tickets;
DROP ROLE support, desk;
