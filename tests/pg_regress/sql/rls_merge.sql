-- MERGE, which PostgreSQL has from 15 on, is held to the signed-in user as its parts are.
SELECT current_setting('server_version_num')::int < 150000 AS without_merge \gset
\if :without_merge
\quit
\endif
\set bob `"$STACK" token --sub bob`
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO authenticated;
CREATE TABLE app.notes (id int PRIMARY KEY, user_id text NOT NULL DEFAULT (auth.user_id()), note text);
GRANT ALL ON app.notes TO authenticated;
ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.notes TO authenticated USING (user_id = auth.user_id()) WITH CHECK (user_id = auth.user_id());
INSERT INTO app.notes VALUES (1, 'alice', 'a'), (2, 'bob', 'b'), (3, 'bob', 'c');
\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'bob');
-- Alice's row is not matched, so it is neither changed nor deleted.
MERGE INTO app.notes n USING (VALUES (1, 'merged'), (2, 'merged'), (3, NULL), (4, 'new')) AS v(id, note) ON n.id = v.id
 WHEN MATCHED AND v.note IS NULL THEN DELETE
 WHEN MATCHED THEN UPDATE SET note = v.note
 WHEN NOT MATCHED AND v.id = 4 THEN INSERT (id, note) VALUES (v.id, v.note);
SELECT * FROM app.notes ORDER BY id;
SAVEPOINT s;
MERGE INTO app.notes n USING (VALUES (2)) AS v(id) ON n.id = v.id WHEN MATCHED THEN UPDATE SET user_id = 'alice';
\echo :SQLSTATE
ROLLBACK TO s;
MERGE INTO app.notes n USING (VALUES (8)) AS v(id) ON n.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (8, 'alice', 'x');
\echo :SQLSTATE
ROLLBACK TO s;
COMMIT;
-- Nobody
MERGE INTO app.notes n USING (VALUES (1, 'x'), (2, 'x')) AS v(id, note) ON n.id = v.id WHEN MATCHED THEN UPDATE SET note = v.note;
\c - postgres
SELECT * FROM app.notes ORDER BY id;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
