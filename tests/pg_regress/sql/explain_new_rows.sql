-- neon_auth.explain_policy for new rows: each verdict, and what happens.
\pset format unaligned
\pset null NULL
BEGIN;
CREATE FUNCTION compare(relation regclass, command text, given jsonb, statement text, OUT verdict text, OUT happens text)
LANGUAGE plpgsql AS $$
DECLARE
    count bigint;
BEGIN
    SELECT concat_ws(' ', coalesce(result::text, 'NULL'), reason) INTO verdict
      FROM neon_auth.explain_policy(relation, command, given, 'ann') WHERE step = 'verdict';
    BEGIN
        PERFORM auth.impersonate('ann');
        SET LOCAL ROLE authenticated;
        EXECUTE statement;
        GET DIAGNOSTICS count = ROW_COUNT;
        RAISE EXCEPTION USING MESSAGE = count || ' rows', ERRCODE = 'AB000';
    EXCEPTION WHEN OTHERS THEN
        happens := CASE sqlstate WHEN 'AB000' THEN sqlerrm ELSE sqlstate END;
    END;
END
$$;
CREATE SCHEMA world;
GRANT USAGE ON SCHEMA world TO authenticated;
ALTER DEFAULT PRIVILEGES IN SCHEMA world GRANT ALL ON TABLES TO authenticated;
SET LOCAL search_path = world, public;

-- Foreign keys: to a partitioned table, to the row itself, MATCH FULL, to a shorter type.
CREATE TABLE years (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE years_1 PARTITION OF years FOR VALUES FROM (0) TO (10);
CREATE TABLE years_2 PARTITION OF years FOR VALUES FROM (10) TO (20);
INSERT INTO years VALUES (1), (11);
CREATE TABLE tree (id int PRIMARY KEY, year int REFERENCES years, parent int NOT NULL REFERENCES tree);
SELECT * FROM compare('tree', 'INSERT', '{"id": 1, "year": 1, "parent": 1}', 'INSERT INTO tree VALUES (1, 1, 1)');
SELECT * FROM compare('tree', 'INSERT', '{"id": 1, "year": 5, "parent": 1}', 'INSERT INTO tree VALUES (1, 5, 1)');
SELECT * FROM compare('tree', 'INSERT', '{"id": 1, "year": 1, "parent": 2}', 'INSERT INTO tree VALUES (1, 1, 2)');
CREATE TABLE pairs (a int, b varchar(3), PRIMARY KEY (a, b));
INSERT INTO pairs VALUES (1, 'abc');
CREATE TABLE uses (id int PRIMARY KEY, a int, b varchar(9), FOREIGN KEY (a, b) REFERENCES pairs MATCH FULL);
SELECT * FROM compare('uses', 'INSERT', '{"id": 1, "a": 1}', 'INSERT INTO uses VALUES (1, 1)');
SELECT * FROM compare('uses', 'INSERT', '{"id": 1}', 'INSERT INTO uses VALUES (1)');
SELECT * FROM compare('uses', 'INSERT', '{"id": 1, "a": 1, "b": "abc"}', $$INSERT INTO uses VALUES (1, 1, 'abc')$$);
SELECT * FROM compare('uses', 'INSERT', '{"id": 1, "a": 1, "b": "abcd"}', $$INSERT INTO uses VALUES (1, 1, 'abcd')$$);
SELECT * FROM compare('pairs', 'SELECT', '{"a": 1, "b": "abcd"}', $$SELECT FROM pairs WHERE (a, b) = (1, 'abcd')$$);

-- Keys of a type whose operators are in another schema.
CREATE TYPE word AS (word text);
CREATE FUNCTION same(word, word) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT lower($1.word) = lower($2.word)';
CREATE FUNCTION compared(word, word) RETURNS int LANGUAGE sql IMMUTABLE AS
    'SELECT CASE WHEN lower($1.word) = lower($2.word) THEN 0 WHEN lower($1.word) < lower($2.word) THEN -1 ELSE 1 END';
CREATE FUNCTION less(word, word) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT lower($1.word) < lower($2.word)';
CREATE OPERATOR = (LEFTARG = word, RIGHTARG = word, FUNCTION = same);
CREATE OPERATOR < (LEFTARG = word, RIGHTARG = word, FUNCTION = less);
CREATE OPERATOR CLASS words DEFAULT FOR TYPE word USING btree AS OPERATOR 1 <, OPERATOR 3 =, FUNCTION 1 compared(word, word);
CREATE TABLE words (id word PRIMARY KEY);
INSERT INTO words VALUES (ROW('Ann'));
SELECT * FROM compare('words', 'SELECT', '{"id": "(ann)"}', $$SELECT FROM words WHERE id = ROW('ann')::word$$);

-- A null of JSON is a value.
CREATE TABLE metas (id int PRIMARY KEY, meta jsonb NOT NULL, note text);
INSERT INTO metas VALUES (1, 'null');
SELECT * FROM compare('metas', 'UPDATE', '{"id": 1, "note": "x"}', $$UPDATE metas SET note = 'x' WHERE id = 1$$);
SELECT * FROM compare('metas', 'UPDATE', '{"id": 1, "meta": null}', 'UPDATE metas SET meta = NULL WHERE id = 1');
CREATE DOMAIN document AS json;
CREATE TABLE nulls (id int PRIMARY KEY, meta jsonb NOT NULL DEFAULT 'null', doc document NOT NULL DEFAULT '{"a": 1}');
ALTER TABLE nulls ENABLE ROW LEVEL SECURITY;
CREATE POLICY typed ON nulls USING (jsonb_typeof(meta) = 'null' AND doc ->> 'a' = '1');
SELECT * FROM compare('nulls', 'INSERT', '{"id": 1}', 'INSERT INTO nulls VALUES (1)');
SELECT * FROM compare('nulls', 'INSERT', '{"id": 1, "meta": null}', 'INSERT INTO nulls VALUES (1, NULL)');
SELECT * FROM compare('nulls', 'INSERT', '{"id": 1, "meta": 1}', 'INSERT INTO nulls VALUES (1, ''1'')');

-- A value that is not known yet is not taken for NULL.
CREATE DOMAIN number AS int NOT NULL;
CREATE SEQUENCE numbers;
GRANT USAGE ON SEQUENCE numbers TO authenticated;
CREATE TABLE numbered (id number DEFAULT nextval('numbers') PRIMARY KEY, twice number GENERATED ALWAYS AS (1) STORED);
SELECT * FROM compare('numbered', 'INSERT', '{}', 'INSERT INTO numbered DEFAULT VALUES');
CREATE TABLE named (id int PRIMARY KEY, number number);
SELECT * FROM compare('named', 'INSERT', '{"id": 1}', 'INSERT INTO named VALUES (1)');

-- A BEFORE trigger can fill what is missing. It does not matter to a row that is not found.
CREATE TABLE filled (id int PRIMARY KEY, owner text NOT NULL);
INSERT INTO filled VALUES (1, 'bob');
ALTER TABLE filled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON filled USING (owner = auth.user_id());
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.owner := auth.user_id(); RETURN NEW; END';
CREATE TRIGGER fill BEFORE INSERT OR UPDATE ON filled FOR EACH ROW EXECUTE FUNCTION fill();
SELECT * FROM compare('filled', 'INSERT', '{"id": 2}', 'INSERT INTO filled VALUES (2)');
SELECT * FROM compare('filled', 'UPDATE', '{"id": 1, "owner": "ann"}', $$UPDATE filled SET owner = 'ann' WHERE id = 1$$);

-- Settings of the session do not change the row.
CREATE TABLE times (id int PRIMARY KEY, since timestamptz, share float8);
INSERT INTO times VALUES (1, '2026-03-04 05:06:07+00', 1.23456789012345);
ALTER TABLE times ENABLE ROW LEVEL SECURITY;
CREATE POLICY exact ON times USING (since = timestamptz '2026-03-04 05:06:07+00' AND share = 1.23456789012345);
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL TimeZone = 'Asia/Kolkata';
SET LOCAL extra_float_digits = -9;
SELECT * FROM compare('times', 'SELECT', '{"id": 1}', 'SELECT FROM times WHERE id = 1');

-- Rows of a materialized view cannot be written.
CREATE MATERIALIZED VIEW kept AS SELECT 1 AS id;
GRANT ALL ON kept TO authenticated;
SELECT * FROM compare('kept', 'INSERT', NULL, 'INSERT INTO kept VALUES (1)');

-- A security_invoker view reads as the role also behind another view, and an INSERT does not read what is behind.
CREATE FUNCTION make_views() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    option text := CASE WHEN current_setting('server_version_num')::int >= 150000 THEN 'WITH (security_invoker)' ELSE '' END;
BEGIN
    EXECUTE format('CREATE VIEW inner_view %s AS SELECT * FROM filled', option);
    CREATE VIEW outer_view AS SELECT * FROM inner_view;
END
$$;
SELECT make_views();
GRANT ALL ON outer_view, inner_view TO authenticated;
SELECT name, (kind = 'as authenticated') = (current_setting('server_version_num')::int >= 150000) AS is_right
  FROM neon_auth.explain_policy('outer_view') WHERE name = 'world.filled';
REVOKE ALL ON filled FROM authenticated;
GRANT INSERT ON filled TO authenticated;
SELECT result, reason FROM neon_auth.explain_policy('inner_view', 'INSERT') WHERE step = 'verdict';

-- Code of the owner of a type runs as the role, not as the owner of the table, and is undone.
CREATE TABLE ran (who text);
GRANT INSERT ON ran TO PUBLIC;
CREATE FUNCTION world.accepts(value text) RETURNS boolean LANGUAGE plpgsql AS
    'BEGIN RAISE NOTICE ''runs as %'', current_user; INSERT INTO world.ran VALUES (current_user); RETURN value <> ''no''; END';
CREATE DOMAIN mail AS text CHECK (world.accepts(VALUE));
CREATE TYPE mood AS ENUM ('fine');
CREATE FUNCTION as_json(mood) RETURNS json LANGUAGE plpgsql AS
    'BEGIN RAISE NOTICE ''runs as %'', current_user; RETURN ''"fine"''; END';
CREATE CAST (mood AS json) WITH FUNCTION as_json(mood);
CREATE TABLE mails (mail mail PRIMARY KEY, mood mood DEFAULT 'fine');
INSERT INTO mails VALUES ('a');
SELECT count(*) FROM ran;
SELECT result, reason FROM neon_auth.explain_policy('mails', 'SELECT', '{"mail": "a"}') WHERE step = 'verdict';
SELECT result, reason FROM neon_auth.explain_policy('mails', 'INSERT', '{"mail": "b"}') WHERE step = 'verdict';
SELECT result, reason FROM neon_auth.explain_policy('mails', 'INSERT', '{"mail": "no"}') WHERE step = 'verdict';
SELECT count(*) FROM ran;
ROLLBACK;
