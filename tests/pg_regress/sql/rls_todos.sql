-- The usual application: everybody has rows of his own, by a default and by policies.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
\set visitor `"$STACK" token --sub visitor --anonymous`
UPDATE neon_auth.providers SET allow_anonymous = true;
SELECT neon_auth.upsert_users('[{"id": "alice", "display_name": "Alice Example"}, {"id": "bob", "display_name": "Bob Example"}]');
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO authenticated, anonymous;
CREATE TABLE app.todos (
    id int PRIMARY KEY,
    user_id text NOT NULL DEFAULT (auth.user_id()) REFERENCES neon_auth.users_sync (id),
    task text NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.todos TO authenticated;
GRANT SELECT ON app.todos TO anonymous;
ALTER TABLE app.todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY view ON app.todos FOR SELECT TO authenticated USING ((SELECT auth.user_id()) = user_id);
CREATE POLICY add ON app.todos FOR INSERT TO authenticated WITH CHECK ((SELECT auth.user_id()) = user_id);
CREATE POLICY change ON app.todos FOR UPDATE TO authenticated USING ((SELECT auth.user_id()) = user_id);
-- As drizzle writes it
CREATE POLICY remove ON app.todos FOR DELETE TO authenticated USING ((SELECT auth.user_id() = user_id));

\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'alice');
INSERT INTO app.todos (id, task) VALUES (1, 'water the plants'), (2, 'buy bread') RETURNING *;
COMMIT;
BEGIN;
SELECT auth.authenticate(:'bob');
INSERT INTO app.todos (id, task) VALUES (3, 'call Alice');
SELECT * FROM app.todos ORDER BY id;
UPDATE app.todos SET task = 'seen by Bob';
DELETE FROM app.todos WHERE id = 1;
SELECT * FROM app.todos ORDER BY id;
COMMIT;
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT * FROM app.todos ORDER BY id;
COMMIT;

-- Nobody sees nothing and writes nothing: the default is NULL.
SELECT * FROM app.todos;
UPDATE app.todos SET task = '' RETURNING *;
DELETE FROM app.todos RETURNING *;
INSERT INTO app.todos (id, task) VALUES (4, 'nobody''s');
\echo :SQLSTATE
INSERT INTO app.todos (id, user_id, task) VALUES (4, 'alice', 'nobody''s');
\echo :SQLSTATE
-- Neither does an anonymous user, for whom there is no policy, nor the login role, without a grant.
BEGIN;
SELECT auth.authenticate(:'visitor');
SET LOCAL ROLE anonymous;
SELECT * FROM app.todos;
ROLLBACK;
RESET ROLE;
SET ROLE anonymous;
INSERT INTO app.todos (id, task) VALUES (4, 'a visitor''s');
\echo :SQLSTATE
\c - stranger
SELECT * FROM app.todos;
\echo :SQLSTATE

-- A row for a user that has not arrived yet fails by its foreign key.
\set carol `"$STACK" token --sub carol`
\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'carol');
INSERT INTO app.todos (id, task) VALUES (5, 'sign up');
\echo :SQLSTATE
ROLLBACK;

-- Joined with the users, for whoever may see them; a deleted one has no name and keeps its rows.
\c - postgres
SELECT neon_auth.delete_user('bob');
SELECT t.id, t.user_id, u.name
  FROM app.todos t LEFT JOIN neon_auth.users_sync u ON u.id = t.user_id AND u.deleted_at IS NULL
 ORDER BY t.id;
-- A column grant lets applications join too, with their policies in force.
GRANT SELECT (id, name, deleted_at) ON neon_auth.users_sync TO authenticated;
\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT t.id, u.name FROM app.todos t LEFT JOIN neon_auth.users_sync u ON u.id = t.user_id AND u.deleted_at IS NULL ORDER BY t.id;
COMMIT;

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
REVOKE SELECT (id, name, deleted_at) ON neon_auth.users_sync FROM authenticated;
DELETE FROM neon_auth.users_sync;
UPDATE neon_auth.providers SET allow_anonymous = DEFAULT;
