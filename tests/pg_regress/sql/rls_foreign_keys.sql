-- Foreign keys look past policies, as PostgreSQL has it: they see rows that are hidden from the user,
-- and their actions reach such rows. A policy that asks for the row referred to closes the first.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO authenticated;
CREATE TABLE app.lists (id int PRIMARY KEY, user_id text NOT NULL DEFAULT auth.user_id());
CREATE TABLE app.items (
    id int PRIMARY KEY,
    list_id int CONSTRAINT items_list_id_fkey REFERENCES app.lists ON DELETE CASCADE,
    user_id text NOT NULL DEFAULT auth.user_id());
GRANT ALL ON app.lists, app.items TO authenticated;
ALTER TABLE app.lists ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.items ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.lists TO authenticated USING (user_id = auth.user_id());
CREATE POLICY own ON app.items TO authenticated USING (user_id = auth.user_id());
INSERT INTO app.lists VALUES (1, 'alice'), (2, 'bob');
CREATE FUNCTION app.removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'item % of % removed by %', OLD.id, OLD.user_id, auth.user_id();
    RETURN NULL;
END
$$;
CREATE TRIGGER removed AFTER DELETE ON app.items FOR EACH ROW EXECUTE FUNCTION app.removed();

\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'alice');
-- Alice does not see Bob's list, yet may put something on it, and so learns that it is there.
SELECT id FROM app.lists;
INSERT INTO app.items VALUES (1, 1), (2, 2);
SAVEPOINT s;
INSERT INTO app.items VALUES (3, 3);
\echo :SQLSTATE
ROLLBACK TO s;
COMMIT;
-- Bob removes his list, and what Alice has put on it, which he never saw. Triggers of the action know
-- who he is.
BEGIN;
SELECT auth.authenticate(:'bob');
SELECT id FROM app.items;
DELETE FROM app.lists;
ROLLBACK;

-- Lists that one sees, and no others
\c - postgres
CREATE POLICY on_own_list ON app.items AS RESTRICTIVE TO authenticated
    USING (true) WITH CHECK (EXISTS (SELECT FROM app.lists WHERE lists.id = list_id));
\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'alice');
INSERT INTO app.items VALUES (4, 1);
SAVEPOINT s;
INSERT INTO app.items VALUES (5, 2);
\echo :SQLSTATE
ROLLBACK TO s;
INSERT INTO app.items VALUES (6, 6);
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE app.items SET list_id = 2 WHERE id = 4;
\echo :SQLSTATE
ROLLBACK;

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
