-- How many rows users, and nobody, can read, change and delete, and which they may insert.
\set SHOW_CONTEXT never
BEGIN;
CREATE SCHEMA shop;
GRANT USAGE ON SCHEMA shop TO authenticated;
SET LOCAL search_path = shop, public;
SELECT neon_auth.upsert_users('[{"id": "alice"}, {"id": "bob"}]');

-- Own rows; nobody else's may be written.
CREATE TABLE own (id int PRIMARY KEY, user_id text DEFAULT auth.user_id(), n int DEFAULT 1);
INSERT INTO own VALUES (1, 'alice'), (2, 'alice'), (3, 'bob'), (4, NULL);
ALTER TABLE own ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON own TO authenticated USING (user_id = auth.user_id());
GRANT SELECT, INSERT, UPDATE, DELETE ON own TO authenticated;
-- Everybody reads, one changes; a restrictive policy leaves rows out; rows in the name of others may be inserted.
CREATE TABLE shared (id int PRIMARY KEY, user_id text, is_locked boolean);
INSERT INTO shared VALUES (1, 'alice', false), (2, 'alice', true), (3, 'bob', false), (4, 'bob', false);
ALTER TABLE shared ENABLE ROW LEVEL SECURITY;
CREATE POLICY reads ON shared FOR SELECT USING (true);
CREATE POLICY adds ON shared FOR INSERT WITH CHECK (auth.user_id() IS NOT NULL AND NOT is_locked);
CREATE POLICY changes ON shared FOR UPDATE USING (user_id = auth.user_id());
CREATE POLICY locked ON shared AS RESTRICTIVE FOR UPDATE USING (NOT is_locked);
GRANT SELECT, INSERT, UPDATE, DELETE ON shared TO authenticated;
-- No policies, no privileges, no row security; privileges on columns; INSERT that depends on nothing.
CREATE TABLE closed AS TABLE own;
ALTER TABLE closed ENABLE ROW LEVEL SECURITY;
GRANT ALL ON closed TO authenticated;
CREATE TABLE ungranted AS TABLE own;
CREATE TABLE unprotected AS TABLE own;
GRANT SELECT, INSERT ON unprotected TO authenticated;
CREATE TABLE columns (LIKE own INCLUDING DEFAULTS);
INSERT INTO columns TABLE own;
ALTER TABLE columns ENABLE ROW LEVEL SECURITY;
CREATE POLICY everything ON columns USING (true);
GRANT SELECT (id), UPDATE (n) ON columns TO authenticated;
CREATE TABLE box (body text);
CREATE TABLE shredder AS TABLE own;
GRANT DELETE, UPDATE (n) ON shredder TO authenticated;
ALTER TABLE box ENABLE ROW LEVEL SECURITY;
CREATE POLICY drops ON box FOR INSERT WITH CHECK (true);
GRANT INSERT, DELETE ON box TO authenticated;
-- A policy that raises an error for one user, and one that writes.
CREATE TABLE log (line text);
CREATE FUNCTION count_calls() RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS
'BEGIN INSERT INTO shop.log VALUES (current_user); PERFORM set_config(''shop.seen'', ''yes'', false); RETURN true; END';
CREATE TABLE broken (id int, n int);
INSERT INTO broken VALUES (1, 0), (2, 1);
ALTER TABLE broken ENABLE ROW LEVEL SECURITY;
CREATE POLICY breaks ON broken USING (count_calls() AND CASE WHEN auth.user_id() = 'bob' THEN 1 / n > 0 ELSE true END);
GRANT SELECT ON broken TO authenticated;
-- Views, a materialized view, partitions.
CREATE VIEW over_own AS SELECT * FROM own;
CREATE MATERIALIZED VIEW stored_own AS SELECT * FROM own;
GRANT SELECT ON over_own, stored_own TO authenticated;
CREATE VIEW ungranted_view AS SELECT * FROM own;
CREATE TABLE parts (id int, user_id text) PARTITION BY LIST (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);
INSERT INTO parts VALUES (1, 'alice'), (2, 'bob');
ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON parts USING (user_id = auth.user_id());
GRANT SELECT ON parts, part_2 TO authenticated;

SELECT * FROM neon_auth.access_report('{alice,bob}', schemas => '{shop}');

-- Nothing of it stays: neither what policies wrote, nor a role or an identity.
SELECT count(*) AS written FROM log;
SELECT current_user, auth.user_id(), current_setting('shop.seen', true) AS seen;
-- Without ids it is about the first users, and about nobody.
SELECT array_agg(DISTINCT coalesce(user_id, 'nobody') ORDER BY coalesce(user_id, 'nobody')) AS users
  FROM neon_auth.access_report(schemas => '{shop}');
-- A user who does not exist, once; an empty list; a schema without tables.
SELECT "table", user_id, selects FROM neon_auth.access_report('{carol,carol,NULL}', schemas => '{shop}') WHERE "table" = 'shop.own';
SELECT count(*) FROM neon_auth.access_report('{}', schemas => '{shop}') WHERE user_id IS NOT NULL;
SELECT * FROM neon_auth.access_report(schemas => '{}');
-- As another role
CREATE ROLE clerk;
SELECT "table", selects, note FROM neon_auth.access_report('{alice}', 'clerk', '{shop}') WHERE user_id = 'alice' AND "table" IN ('shop.own', 'shop.shared');
GRANT SELECT ON shared TO clerk;
SELECT selects FROM neon_auth.access_report('{alice}', 'clerk', '{shop}') WHERE user_id = 'alice' AND "table" = 'shop.shared';
GRANT USAGE ON SCHEMA shop TO clerk;
SELECT selects, updates FROM neon_auth.access_report('{alice}', 'clerk', '{shop}') WHERE user_id = 'alice' AND "table" = 'shop.shared';

-- What takes too long to count is estimated from some pages, or not at all if it is a view.
CREATE TABLE large AS SELECT n FROM generate_series(1, 100000) n;
CREATE VIEW over_large AS SELECT * FROM large;
GRANT SELECT ON large, over_large TO authenticated;
ANALYZE large;
SAVEPOINT s;
SET LOCAL seq_page_cost = 620;
SELECT "table", selects BETWEEN 20000 AND 200000 AS estimated, regexp_replace(note, '[0-9.]+ %', 'N %') AS note
  FROM neon_auth.access_report('{}', schemas => '{shop}') WHERE "table" LIKE '%large';
ROLLBACK TO s;
SELECT "table", selects, note FROM neon_auth.access_report('{}', schemas => '{shop}') WHERE "table" LIKE '%large';
SELECT position('<svg' IN neon_auth.access_map(schemas => '{}')) > 0 AS drawn;

-- The map has the same, and whatever is in names is text, without what changes its direction.
CREATE TABLE "<script>alert('x')</script>" (id int);
GRANT SELECT ON "<script>alert('x')</script>" TO authenticated;
SELECT format('CREATE TABLE %I ()', chr(8238) || 'sresu') \gexec
SELECT position('<script' IN page) AS script, position('&lt;script&gt;alert(&#39;x' IN page) > 0 AS escaped,
       position('<b>"&' IN page) AS bold, position(chr(8238) IN page) AS reversed, (SELECT count(*) FROM regexp_matches(page, '<rect ', 'g')) AS cells
  FROM (SELECT neon_auth.access_map(ARRAY['alice', '<b>"&'], schemas => '{shop}')) AS m(page);

-- The id in columns that are compared with it, and other values of a stored row; other columns that are compared with
-- the user; a column that is generated. Nobody: no row passes. What is not proven is not known.
CREATE TABLE titled (user_id text, title text, shouted text GENERATED ALWAYS AS (upper(title)) STORED);
INSERT INTO titled VALUES ('bob', 'a title');
ALTER TABLE titled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON titled USING (user_id = (SELECT auth.user_id()) AND shouted LIKE 'A %');
CREATE TABLE untitled (LIKE titled INCLUDING ALL);
ALTER TABLE untitled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON untitled USING (user_id = auth.user_id() AND shouted LIKE 'A %');
CREATE TABLE of_team (user_id text, team text);
INSERT INTO of_team VALUES ('bob', 'red');
ALTER TABLE of_team ENABLE ROW LEVEL SECURITY;
CREATE POLICY team ON of_team USING (team = coalesce(auth.claim('team'), 'red') AND auth.user_id() IS NOT NULL);
CREATE TABLE by_place (user_id text);
ALTER TABLE by_place ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON by_place USING (user_id = auth.user_id() AND tableoid = 'by_place'::regclass);
GRANT SELECT, INSERT ON titled, untitled, of_team, by_place TO authenticated;
SELECT "table", user_id, inserts, note FROM neon_auth.access_report('{alice,bob}', schemas => '{shop}')
 WHERE "table" IN ('shop.titled', 'shop.untitled', 'shop.of_team', 'shop.by_place');
-- Whatever the settings for the output of values are.
CREATE TABLE measured (at timestamptz, value float8, lasted interval);
INSERT INTO measured VALUES ('2026-02-01 00:00:00+00', 1 / 3.0, '-1 day +2 hours');
ALTER TABLE measured ENABLE ROW LEVEL SECURITY;
CREATE POLICY these ON measured WITH CHECK (at = '2026-02-01 00:00:00+00' AND value = 1 / 3.0
                                           AND lasted = '-1 day +2 hours' AND auth.user_id() IS NOT NULL);
GRANT INSERT ON measured TO authenticated;
SAVEPOINT s;
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL extra_float_digits = -10;
SELECT user_id, inserts FROM neon_auth.access_report('{alice}', schemas => '{shop}') WHERE "table" = 'shop.measured';
ROLLBACK TO s;
-- Large rows are not tried.
CREATE TABLE files (name text, content text);
INSERT INTO files VALUES ('small', 'x');
INSERT INTO files SELECT 'large', string_agg(md5(n::text), '') FROM generate_series(1, 10000) n;
SELECT s FROM neon_auth_internal.stored_rows('files'::regclass) AS s;

-- A sample of so few pages says nothing, and none is taken if it takes too long, too.
CREATE FUNCTION is_dear(int) RETURNS boolean LANGUAGE plpgsql COST 1000000 AS 'BEGIN RETURN true; END';
CREATE FUNCTION is_too_dear() RETURNS boolean LANGUAGE plpgsql STABLE COST 1000000000 AS 'BEGIN RETURN true; END';
CREATE TABLE dear AS SELECT n FROM generate_series(1, 1000) n;
CREATE TABLE too_dear AS TABLE dear;
ALTER TABLE dear ENABLE ROW LEVEL SECURITY;
ALTER TABLE too_dear ENABLE ROW LEVEL SECURITY;
CREATE POLICY rows ON dear USING (is_dear(n) AND n < 2);
CREATE POLICY rows ON too_dear USING ((SELECT is_too_dear()));
GRANT SELECT ON dear, too_dear TO authenticated;
ANALYZE dear, too_dear;
SELECT "table", selects, note FROM neon_auth.access_report('{}', schemas => '{shop}') WHERE "table" LIKE '%dear';

-- What another server decides; a sample would read all of a partition there.
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE elsewhere (line text) SERVER files OPTIONS (filename '/dev/null');
CREATE TABLE spread (line text) PARTITION BY LIST (line);
CREATE FOREIGN TABLE spread_far PARTITION OF spread FOR VALUES IN ('far') SERVER files OPTIONS (filename '/dev/null');
CREATE TABLE spread_near PARTITION OF spread DEFAULT;
INSERT INTO spread SELECT 'near' FROM generate_series(1, 100000);
GRANT SELECT, INSERT ON elsewhere TO authenticated;
GRANT SELECT ON spread TO authenticated;
ANALYZE spread_near;
SAVEPOINT s;
SET LOCAL seq_page_cost = 620;
SELECT "table", selects, inserts, updates, note FROM neon_auth.access_report('{}', schemas => '{shop}')
 WHERE "table" IN ('shop.elsewhere', 'shop.spread');
ROLLBACK TO s;

-- No code of views, which others create, runs with the rights of a superuser.
SELECT "table", selects, note FROM neon_auth.access_report('{}', current_user, '{shop}') WHERE "table" = 'shop.over_own';
-- Nor code of the owner of a partition with those of the table's owner.
CREATE ROLE holder;
CREATE ROLE mallory;
GRANT ALL ON SCHEMA shop TO holder, mallory;
CREATE FUNCTION tell() RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''as %'', current_user; END';
CREATE FUNCTION tell(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
'BEGIN IF current_user = ''holder'' THEN PERFORM shop.tell(); END IF; RETURN true; END';
ALTER TABLE parts OWNER TO holder;
ALTER TABLE part_2 OWNER TO mallory;
CREATE INDEX ON part_2 (id) WHERE tell(1);
GRANT INSERT ON parts TO authenticated;
SELECT user_id, selects, inserts, note FROM neon_auth.access_report('{alice}', schemas => '{shop}') WHERE "table" = 'shop.parts';

-- Who may ask: whom an administrator grants it, about roles that he can become.
CREATE ROLE auditor;
GRANT USAGE ON SCHEMA neon_auth TO auditor;
SAVEPOINT s;
SET LOCAL ROLE auditor;
SELECT FROM neon_auth.access_report();
ROLLBACK TO s;
GRANT EXECUTE ON FUNCTION neon_auth.access_report, neon_auth.access_map TO auditor;
SAVEPOINT s;
SET LOCAL ROLE auditor;
SELECT FROM neon_auth.access_report(schemas => '{shop}');
ROLLBACK TO s;
SET LOCAL ROLE auditor;
SELECT neon_auth.access_map(schemas => '{shop}');
ROLLBACK TO s;
GRANT authenticated TO auditor;
SET LOCAL ROLE auditor;
SELECT count(*) > 10 AS answered FROM neon_auth.access_report(schemas => '{shop}');
RESET ROLE;
-- Bad input
SAVEPOINT s;
SELECT * FROM neon_auth.access_report(schemas => '{shop,"no such"}');
ROLLBACK TO s;
SELECT * FROM neon_auth.access_report('{alice,""}');
ROLLBACK TO s;
SELECT * FROM neon_auth.access_report(schemas => NULL);
ROLLBACK TO s;
SELECT * FROM neon_auth.access_report(role => 'no such');
ROLLBACK TO s;
SELECT * FROM neon_auth.access_report(role => NULL);
ROLLBACK TO s;
ROLLBACK;
-- A cast of the owner of a column's type does not run with the rights of the table's owner.
CREATE TYPE mood AS ENUM ('fine');
CREATE FUNCTION mood_as_json(mood) RETURNS json LANGUAGE plpgsql AS
    'BEGIN IF current_user <> ''authenticated'' THEN RAISE NOTICE ''runs as %'', current_user; END IF; RETURN ''"fine"''; END';
CREATE CAST (mood AS json) WITH FUNCTION mood_as_json(mood);
CREATE TABLE moods (id int PRIMARY KEY, owner text, mood mood);
INSERT INTO moods VALUES (1, 'ann', 'fine');
ALTER TABLE moods ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON moods USING (owner = auth.user_id());
GRANT SELECT, INSERT ON moods TO authenticated;
SELECT "table", selects, inserts FROM neon_auth.access_report('{ann}') WHERE "table" = 'public.moods';
DROP TABLE moods;
DROP TYPE mood CASCADE;
