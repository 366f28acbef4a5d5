-- Every command that writes is held to the signed-in user.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
CREATE SCHEMA app;
GRANT USAGE ON SCHEMA app TO authenticated;
CREATE TABLE app.notes (id int PRIMARY KEY, user_id text NOT NULL DEFAULT (auth.user_id()), note text);
GRANT ALL ON app.notes TO authenticated;
ALTER TABLE app.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.notes TO authenticated USING (user_id = auth.user_id()) WITH CHECK (user_id = auth.user_id());
INSERT INTO app.notes VALUES (1, 'alice', 'a'), (2, 'bob', 'b');

\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'alice');
-- In somebody else's name, and given away
SAVEPOINT s;
INSERT INTO app.notes VALUES (3, 'bob', 'x');
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE app.notes SET user_id = 'bob';
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.authenticate(:'alice');
-- Rows of others are not there.
UPDATE app.notes SET note = 'x' WHERE id = 2 RETURNING *;
DELETE FROM app.notes WHERE id = 2 RETURNING *;
SELECT * FROM app.notes FOR UPDATE;
-- ON CONFLICT: one's own row is changed, another's is neither changed nor shown.
INSERT INTO app.notes VALUES (1, 'alice', 'x') ON CONFLICT (id) DO UPDATE SET note = 'changed' RETURNING *;
SAVEPOINT s;
INSERT INTO app.notes VALUES (2, 'alice', 'x') ON CONFLICT (id) DO UPDATE SET note = 'changed' RETURNING *;
\echo :SQLSTATE
ROLLBACK TO s;
INSERT INTO app.notes VALUES (2, 'alice', 'x') ON CONFLICT DO NOTHING RETURNING *;
-- COPY TO has policies; COPY FROM has not, and PostgreSQL refuses it.
COPY app.notes TO stdout;
\copy app.notes (id, note) FROM /dev/null
\echo :SQLSTATE
ROLLBACK TO s;
-- Data-modifying WITH, and INSERT ... SELECT
WITH moved AS (DELETE FROM app.notes RETURNING note)
INSERT INTO app.notes (id, note) SELECT 6, note FROM moved RETURNING *;
COMMIT;
-- TRUNCATE has no policies: do not grant it.
BEGIN;
SELECT auth.authenticate(:'alice');
TRUNCATE app.notes;
ROLLBACK;

-- Triggers see the user that the command was run for.
\c - postgres
CREATE FUNCTION app.sign() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.note := NEW.note || ' by ' || coalesce(auth.user_id(), 'nobody');
    RETURN NEW;
END
$$;
CREATE TRIGGER sign BEFORE UPDATE ON app.notes FOR EACH ROW EXECUTE FUNCTION app.sign();
\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'bob');
UPDATE app.notes SET note = 'changed' RETURNING *;
COMMIT;
\c - postgres
WITH changed AS (UPDATE app.notes SET note = 'changed' RETURNING *) SELECT * FROM changed ORDER BY id;
SET client_min_messages = warning;
DROP SCHEMA app CASCADE;
