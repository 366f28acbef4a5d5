-- auth.stamp(): who created and who last updated a row, whatever the client writes.
\set SHOW_CONTEXT never
\pset null -
\set alice 11111111-2222-4333-8444-555555555555
\set bob 99999999-2222-4333-8444-555555555555
CREATE SCHEMA stamped;
GRANT USAGE ON SCHEMA stamped TO app;
SET search_path = stamped;
CREATE TABLE notes (id int PRIMARY KEY, gone int, body text, created_by text, updated_by varchar(36),
    said text GENERATED ALWAYS AS (created_by || ': ' || body) STORED, by_uuid uuid);
ALTER TABLE notes DROP COLUMN gone;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION auth.stamp();
GRANT ALL ON notes TO app;
-- As a table's owner who has no other right.
CREATE SCHEMA own AUTHORIZATION app;
SET ROLE app;
CREATE TABLE own.typed (id int, created_by uuid, updated_by jsonb);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON own.typed FOR EACH ROW EXECUTE FUNCTION auth.stamp();
CREATE TABLE own.half (id int, updated_by text);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON own.half FOR EACH ROW EXECUTE FUNCTION auth.stamp();
RESET ROLE;
SELECT auth.impersonate(:'alice', is_local => false);
SET ROLE app;
INSERT INTO notes VALUES (1, 'a', 'bob', 'bob'), (2, 'b', NULL, NULL);
INSERT INTO own.typed VALUES (1, NULL, '{"user_id": "bob"}');
INSERT INTO own.half VALUES (1, 'bob');
COPY notes (id, body, created_by) FROM STDIN;
3	c	bob
\.
SELECT * FROM notes ORDER BY id;
TABLE own.typed;
TABLE own.half;
RESET ROLE;
SELECT auth.impersonate(:'bob', is_local => false);
SET ROLE app;
UPDATE notes SET body = 'A', created_by = 'bob', updated_by = NULL WHERE id = 1;
INSERT INTO notes VALUES (2, 'B', 'eve', 'eve') ON CONFLICT (id) DO UPDATE
    SET body = EXCLUDED.body, created_by = EXCLUDED.created_by, updated_by = 'eve';
UPDATE own.typed SET created_by = auth.uid();
UPDATE own.half SET updated_by = DEFAULT;
SELECT * FROM notes ORDER BY id;
TABLE own.typed;
TABLE own.half;
-- Nobody: NULL, and created_by is kept.
RESET ROLE;
SELECT auth.logout();
SET ROLE app;
UPDATE notes SET created_by = 'eve', updated_by = 'eve' WHERE id = 1;
INSERT INTO notes VALUES (4, 'd', 'eve', 'eve');
SELECT * FROM notes WHERE id IN (1, 4) ORDER BY id;
INSERT INTO own.typed VALUES (2, :'bob', '{"user_id": "bob"}');
SELECT * FROM own.typed WHERE id = 2;
RESET ROLE;
-- A user id that is no UUID, and one that is too long.
SELECT auth.impersonate('u1', is_local => false);
INSERT INTO own.typed VALUES (3, :'bob');
SELECT * FROM own.typed WHERE id = 3;
SELECT auth.impersonate(repeat('u', 37), is_local => false);
INSERT INTO notes VALUES (5);
\echo :SQLSTATE
-- An identity that has expired: an error, as of readers.
\set VERBOSITY terse
BEGIN;
SELECT auth.impersonate('u1', '{"exp": 1}');
SAVEPOINT s;
INSERT INTO notes VALUES (5);
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE notes SET body = '';
\echo :SQLSTATE
ROLLBACK;
\set VERBOSITY default

-- Partitions: a row that an UPDATE moves keeps who created it, be the columns in another order.
SELECT auth.impersonate('alice', is_local => false);
CREATE TABLE parts (id int, region text, created_by text, updated_by text, twice int GENERATED ALWAYS AS (id * 2) STORED) PARTITION BY LIST (region);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_b (updated_by text, twice int GENERATED ALWAYS AS (id * 2) STORED, gone int, created_by text, region text, id int);
ALTER TABLE parts_b DROP COLUMN gone;
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES IN ('b');
CREATE TABLE parts_c PARTITION OF parts FOR VALUES IN ('c') PARTITION BY LIST (id);
CREATE TABLE parts_c1 PARTITION OF parts_c DEFAULT;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON parts FOR EACH ROW EXECUTE FUNCTION auth.stamp();
INSERT INTO parts VALUES (1, 'a', 'eve'), (2, 'a', NULL), (3, 'b', NULL);
SELECT auth.impersonate('bob', is_local => false);
UPDATE parts SET region = CASE region WHEN 'a' THEN 'b' ELSE 'c' END, created_by = 'eve' WHERE id IN (1, 3);
UPDATE parts SET region = 'a' WHERE id = 3;
UPDATE parts SET region = 'c' WHERE id = 1;
SELECT tableoid::regclass, id, region, created_by, updated_by, twice FROM parts ORDER BY id;
-- An INSERT in the same command as an UPDATE is not a move, whatever it contains.
WITH u AS (UPDATE parts SET id = 2 WHERE id = 2 RETURNING *), i AS (INSERT INTO parts (id, region, created_by, updated_by) SELECT id, 'b', created_by, updated_by FROM u RETURNING *),
     m AS (UPDATE parts SET region = 'b' WHERE id = 3 RETURNING *), j AS (INSERT INTO parts (id, region, created_by, updated_by) SELECT id, region, created_by, updated_by FROM m)
SELECT count(*) FROM i;
SELECT id, region, created_by FROM parts ORDER BY id, region, created_by;
-- Nor is one of the next command, or of the next transaction.
BEGIN;
UPDATE parts SET region = 'a' WHERE id = 1;
INSERT INTO parts_b (id, region, created_by) VALUES (1, 'b', 'alice');
COMMIT;
INSERT INTO parts_b (id, region, created_by) VALUES (1, 'b', 'alice');
SELECT id, region, created_by FROM parts WHERE id = 1 ORDER BY region;

-- Whatever other triggers do during a move, the creator is kept: they may change the row, write rows elsewhere, and come
-- before or after.
CREATE TABLE moving (id int, region text, created_by text, updated_at timestamptz) PARTITION BY LIST (region);
CREATE TABLE moving_a PARTITION OF moving FOR VALUES IN ('a');
CREATE TABLE moving_b PARTITION OF moving FOR VALUES IN ('b');
CREATE TABLE moves (id int);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON moving FOR EACH ROW EXECUTE FUNCTION auth.stamp();
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.updated_at := clock_timestamp(); RETURN new; END $$;
CREATE FUNCTION write_down() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO moves VALUES (old.id); RETURN old; END $$;
CREATE TRIGGER a_touch BEFORE INSERT OR UPDATE ON moving FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER z_touch BEFORE INSERT OR UPDATE ON moving FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER write_down BEFORE DELETE ON moving FOR EACH ROW EXECUTE FUNCTION write_down();
SELECT auth.impersonate('alice', is_local => false);
INSERT INTO moving VALUES (1, 'a'), (2, 'a');
SELECT auth.impersonate('bob', is_local => false);
UPDATE moving SET region = 'b';
SELECT id, region, created_by FROM moving ORDER BY id;
-- Nobody else becomes the creator of a row that only looks like a move: the move is undone by a trigger, or does not happen.
CREATE FUNCTION keep_region() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.region := old.region; RETURN new; END $$;
CREATE FUNCTION keep_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER z_keep BEFORE UPDATE ON moving FOR EACH ROW EXECUTE FUNCTION keep_region();
WITH u AS (UPDATE moving SET region = 'a' WHERE id = 1 RETURNING 1)
INSERT INTO moving SELECT 3, 'a', 'alice' FROM (SELECT count(*) FROM u) AS x;
DROP TRIGGER z_keep ON moving;
CREATE TRIGGER z_keep BEFORE DELETE ON moving FOR EACH ROW EXECUTE FUNCTION keep_row();
WITH u AS (UPDATE moving SET region = 'a' WHERE id = 1 RETURNING 1)
INSERT INTO moving SELECT 4, 'a', 'alice' FROM (SELECT count(*) FROM u) AS x;
DROP TRIGGER z_keep ON moving;
-- A move that happened counts once, and not after its savepoint or its statement.
WITH u AS (UPDATE moving SET region = 'a' WHERE id = 1 RETURNING 1)
INSERT INTO moving SELECT 5, 'b', 'alice' FROM (SELECT count(*) FROM u) AS x;
BEGIN;
SAVEPOINT s;
UPDATE moving SET region = 'b' WHERE id = 1;
ROLLBACK TO s;
INSERT INTO moving VALUES (6, 'b', 'alice');
COMMIT;
SELECT id, region, created_by FROM moving ORDER BY id;

-- Misuse
CREATE TABLE bare (id int);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON bare FOR EACH ROW EXECUTE FUNCTION auth.stamp();
INSERT INTO bare VALUES (1);
\echo :SQLSTATE
CREATE TABLE "odd Table" (created_by int, updated_by text);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON "odd Table" FOR EACH ROW EXECUTE FUNCTION auth.stamp();
INSERT INTO "odd Table" VALUES (1);
\echo :SQLSTATE
CREATE TABLE computed (id text, created_by text GENERATED ALWAYS AS (id) STORED);
CREATE TRIGGER stamp BEFORE INSERT ON computed FOR EACH ROW EXECUTE FUNCTION auth.stamp();
INSERT INTO computed VALUES ('1');
\echo :SQLSTATE
CREATE DOMAIN name_of_user AS text CHECK (VALUE <> 'bob');
CREATE TABLE domained (created_by name_of_user);
CREATE TRIGGER stamp BEFORE INSERT ON domained FOR EACH ROW EXECUTE FUNCTION auth.stamp();
INSERT INTO domained VALUES ('x');
\echo :SQLSTATE
CREATE TABLE late (created_by text);
CREATE TRIGGER stamp AFTER INSERT ON late FOR EACH ROW EXECUTE FUNCTION auth.stamp();
INSERT INTO late VALUES ('x');
\echo :SQLSTATE
DROP TRIGGER stamp ON late;
CREATE TRIGGER stamp BEFORE INSERT ON late FOR EACH STATEMENT EXECUTE FUNCTION auth.stamp();
INSERT INTO late VALUES ('x');
\echo :SQLSTATE
DROP TRIGGER stamp ON late;
CREATE TRIGGER stamp BEFORE DELETE ON late FOR EACH ROW EXECUTE FUNCTION auth.stamp();
INSERT INTO late VALUES ('x');
DELETE FROM late;
\echo :SQLSTATE
CREATE VIEW seen AS SELECT * FROM notes;
CREATE TRIGGER stamp INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION auth.stamp();
INSERT INTO seen (id) VALUES (9);
\echo :SQLSTATE
SELECT auth.stamp();
\echo :SQLSTATE
SELECT auth.logout();
SET client_min_messages = error;
DROP SCHEMA stamped, own CASCADE;
