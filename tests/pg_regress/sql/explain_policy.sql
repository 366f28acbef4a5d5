-- neon_auth.explain_policy: who may do what with which row, and why.
CREATE TABLE todos (id int PRIMARY KEY, owner text NOT NULL DEFAULT auth.user_id(), task text, done boolean DEFAULT false);
INSERT INTO todos VALUES (1, 'ann', 'a'), (2, 'bob', 'b');
GRANT SELECT, INSERT, UPDATE (task, done) ON todos TO authenticated;
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
SELECT * FROM neon_auth.explain_policy('todos');
CREATE POLICY own ON todos TO authenticated USING (owner = auth.user_id());
CREATE POLICY open ON todos AS RESTRICTIVE FOR UPDATE USING (NOT done AND task IS NOT NULL) WITH CHECK (true);
\pset null NULL
SELECT * FROM neon_auth.explain_policy('todos', 'SELECT', '{"id": 1}', 'ann');
SELECT * FROM neon_auth.explain_policy('todos', 'SELECT', '{"id": 2}', 'ann');
SELECT * FROM neon_auth.explain_policy('todos', 'UPDATE', '{"id": 1, "task": "x", "owner": "bob"}', 'ann');
SELECT * FROM neon_auth.explain_policy('todos', 'INSERT', '{"id": 3}');
SELECT * FROM neon_auth.explain_policy('todos', 'INSERT', '{"id": 3}', 'ann');
SELECT * FROM neon_auth.explain_policy('todos', 'DELETE', '{"id": 1}', 'ann');
DROP TABLE todos;
