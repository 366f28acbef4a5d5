-- Whom policies do not hold back, and how to have them hold.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
SELECT current_setting('server_version_num')::int >= 150000 AS has_security_invoker \gset
CREATE ROLE owner NOLOGIN;
CREATE ROLE auditor NOLOGIN BYPASSRLS;
GRANT owner, auditor TO app;
CREATE SCHEMA app AUTHORIZATION owner;
GRANT USAGE ON SCHEMA app TO authenticated, auditor;
SET ROLE owner;
CREATE TABLE app.notes (id int PRIMARY KEY, user_id text NOT NULL DEFAULT (auth.user_id()));
INSERT INTO app.notes VALUES (1, 'alice'), (2, 'bob');
GRANT SELECT ON app.notes TO authenticated, auditor;
ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.notes USING (user_id = auth.user_id());
CREATE VIEW app.all_notes AS SELECT * FROM app.notes;
CREATE FUNCTION app.count_all() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'SELECT count(*) FROM app.notes';
-- A definer function that stays with the user: it names the user itself.
CREATE FUNCTION app.count_own() RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'SELECT count(*) FROM app.notes WHERE user_id = auth.user_id()';
GRANT SELECT ON app.all_notes TO authenticated;
\if :has_security_invoker
CREATE VIEW app.own_notes WITH (security_invoker) AS SELECT * FROM app.notes;
\else
CREATE VIEW app.own_notes AS SELECT * FROM app.notes WHERE user_id = auth.user_id();
\endif
GRANT SELECT ON app.own_notes TO authenticated;

\c - app
BEGIN;
SELECT auth.authenticate(:'alice');
SET LOCAL ROLE authenticated;
SELECT (SELECT count(*) FROM app.notes) AS "table", (SELECT count(*) FROM app.own_notes) AS invoker,
       (SELECT count(*) FROM app.all_notes) AS "owner's view", app.count_all(), app.count_own();
SET LOCAL ROLE owner;
SELECT count(*) AS owner FROM app.notes;
SET LOCAL ROLE auditor;
SELECT count(*) AS auditor FROM app.notes;
-- Who insists on policies is told where there would be none.
SET LOCAL ROLE authenticated;
SET LOCAL row_security = off;
SELECT count(*) FROM app.notes;
\echo :SQLSTATE
ROLLBACK;

-- FORCE binds the owner, and with it views and definer functions of its own.
\c - postgres
ALTER TABLE app.notes FORCE ROW LEVEL SECURITY;
\c - app
BEGIN;
SELECT auth.authenticate(:'alice');
SET LOCAL ROLE authenticated;
SELECT (SELECT count(*) FROM app.notes) AS "table", (SELECT count(*) FROM app.own_notes) AS invoker,
       (SELECT count(*) FROM app.all_notes) AS "owner's view", app.count_all(), app.count_own();
SET LOCAL ROLE owner;
SELECT count(*) AS owner FROM app.notes;
SET LOCAL ROLE auditor;
SELECT count(*) AS auditor FROM app.notes;
COMMIT;
-- Nobody signed in
SET ROLE owner;
SELECT count(*) FROM app.notes;
RESET ROLE;

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
DROP ROLE owner, auditor;
