-- neon_auth.explain_policy: what else decides than privileges and policies of the table itself.
\pset null NULL
\pset format unaligned
\pset tuples_only on
\set SHOW_CONTEXT never
BEGIN;
CREATE SCHEMA world;
GRANT USAGE ON SCHEMA world TO authenticated;
ALTER DEFAULT PRIVILEGES IN SCHEMA world GRANT ALL ON TABLES TO authenticated;
SET LOCAL search_path = world, public;

\echo '-- Sequences of defaults: serial needs a privilege, an identity column does not.'
CREATE SEQUENCE odd_numbers;
CREATE TABLE numbered (id serial PRIMARY KEY, own int GENERATED ALWAYS AS IDENTITY, note text);
CREATE VIEW numbers AS SELECT step, name, kind, result, reason
  FROM neon_auth.explain_policy('numbered', 'INSERT', '{"note": "x"}', 'ann') WHERE step ~ 'seq|row|col|verdict' AND kind <> 'off';
SELECT * FROM numbers;
GRANT UPDATE ON SEQUENCE numbered_id_seq TO authenticated;
SELECT * FROM numbers;
\echo '-- Not asked about a number that is given'
REVOKE ALL ON SEQUENCE numbered_id_seq FROM authenticated;
SELECT step, name, result, reason FROM neon_auth.explain_policy('numbered', 'INSERT', '{"id": 1}', 'ann') WHERE step ~ 'seq|verdict';
\echo '-- A default that uses its sequence for some users, and one with two sequences'
CREATE TABLE coupons (id int DEFAULT CASE WHEN auth.user_id() = 'ann' THEN 7 ELSE nextval('odd_numbers') END, note text);
SELECT u, step, name, result, reason
  FROM unnest('{ann,bob}'::text[]) AS u, neon_auth.explain_policy('coupons', 'INSERT', '{}', u) WHERE step ~ 'seq|col|verdict';
ALTER TABLE coupons ALTER id SET DEFAULT nextval('odd_numbers') + nextval('numbered_id_seq');
GRANT USAGE ON SEQUENCE numbered_id_seq TO authenticated;
SELECT step, name, result, reason FROM neon_auth.explain_policy('coupons', 'INSERT', '{}', 'ann') WHERE step ~ 'seq|col|verdict';
\echo '-- setval is not run, because no rollback undoes it.'
ALTER TABLE coupons ALTER id SET DEFAULT setval('odd_numbers', 500);
GRANT ALL ON SEQUENCE odd_numbers TO authenticated;
SELECT step, name, result, reason FROM neon_auth.explain_policy('coupons', 'INSERT', '{}', 'ann') WHERE step ~ 'seq|col|verdict';
SELECT last_value FROM odd_numbers;

\echo '-- What reads a number that only the sequence knows: policies, checks, keys, generated columns'
CREATE TABLE tickets (id serial PRIMARY KEY, owner text, twice int GENERATED ALWAYS AS (id * 2) STORED);
GRANT ALL ON SEQUENCE tickets_id_seq TO authenticated;
ALTER TABLE tickets ENABLE ROW LEVEL SECURITY;
CREATE POLICY positive ON tickets USING (twice > 0 AND owner = auth.user_id());
SELECT given, step, result, reason
  FROM unnest('{"{\"owner\": \"ann\"}","{\"owner\": \"ann\", \"id\": 3}","{\"owner\": \"bob\"}"}'::jsonb[]) AS given,
       neon_auth.explain_policy('tickets', 'INSERT', given, 'ann') WHERE step ~ 'pol|verdict';
\echo '-- It may be a policy that refuses, before NOT NULL.'
ALTER TABLE tickets ALTER owner SET NOT NULL;
ALTER POLICY positive ON tickets USING (id > 0);
SELECT given, result, reason
  FROM unnest('{"{}","{\"id\": 3}"}'::jsonb[]) AS given, neon_auth.explain_policy('tickets', 'INSERT', given, 'ann')
 WHERE step = 'verdict';
CREATE TABLE checked (id serial PRIMARY KEY CHECK (id > 0), ticket serial REFERENCES tickets);
GRANT ALL ON ALL SEQUENCES IN SCHEMA world TO authenticated;
SELECT step, name, kind, result, reason FROM neon_auth.explain_policy('checked', 'INSERT', '{}', 'ann') WHERE step ~ 'cons|verdict';

\echo '-- A value for a GENERATED ALWAYS column is refused before all else.'
SELECT name, kind, result, reason
  FROM neon_auth.explain_policy('tickets', 'INSERT', '{"owner": "bob", "twice": 1}', 'ann') WHERE step ~ 'col|verdict';
SELECT name, kind, result, reason
  FROM neon_auth.explain_policy('numbered', 'INSERT', '{"own": 1}', 'ann') WHERE step ~ 'col|verdict';

\echo '-- Rows that refer to a row'
CREATE ROLE explain_clerk;
GRANT USAGE ON SCHEMA world TO explain_clerk;
CREATE TABLE orders (id int PRIMARY KEY, code text UNIQUE, parent int REFERENCES orders);
CREATE TABLE lines (id int PRIMARY KEY, "order" int REFERENCES orders ON DELETE CASCADE);
CREATE TABLE notes (line int REFERENCES lines, code text REFERENCES orders (code) ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE stamps (code text NOT NULL REFERENCES orders (code) ON UPDATE SET NULL ON DELETE SET DEFAULT);
INSERT INTO orders VALUES (1, 'a', 1), (2, 'b', NULL), (3, 'c', 2), (4, 'd', NULL), (5, 'e', NULL), (6, 'f', NULL);
INSERT INTO lines VALUES (1, 1), (4, 4);
INSERT INTO notes VALUES (4, NULL), (NULL, 'e');
INSERT INTO stamps VALUES ('f');
ALTER TABLE lines OWNER TO explain_clerk;
ALTER TABLE lines ENABLE ROW LEVEL SECURITY;
ALTER TABLE lines FORCE ROW LEVEL SECURITY;
SELECT id, step, name, kind, result, reason
  FROM generate_series(1, 6) AS id, neon_auth.explain_policy('orders', 'DELETE', jsonb_build_object('id', id), 'ann')
 WHERE step ~ 'ref|verdict' ORDER BY id;
SELECT given, step, name, kind, result, reason
  FROM unnest('{"{\"id\": 5, \"code\": \"e\"}","{\"id\": 5, \"code\": \"x\"}","{\"id\": 6, \"code\": \"x\"}"}'::jsonb[]) AS given,
       neon_auth.explain_policy('orders', 'UPDATE', given, 'ann') WHERE step ~ 'ref|verdict';
\echo '-- CASCADE copies a NULL, also to rows that refer to those, and one of them has NOT NULL.'
CREATE TABLE codes (id int PRIMARY KEY, code text UNIQUE);
CREATE TABLE copies (code text UNIQUE REFERENCES codes (code) ON UPDATE CASCADE);
CREATE TABLE of_copies (code text NOT NULL REFERENCES copies (code) ON UPDATE CASCADE);
INSERT INTO codes VALUES (1, 'a'), (2, 'b');
INSERT INTO copies VALUES ('a'), ('b');
INSERT INTO of_copies VALUES ('a');
SELECT given, step, name, kind, result, reason
  FROM unnest('{"{\"id\": 1, \"code\": null}","{\"id\": 2, \"code\": null}","{\"id\": 1, \"code\": \"x\"}"}'::jsonb[]) AS given,
       neon_auth.explain_policy('codes', 'UPDATE', given, 'ann') WHERE step ~ 'ref|verdict';
\echo '-- More rows than are looked at'
INSERT INTO lines SELECT i, 2 FROM generate_series(100, 300) AS i;
DELETE FROM orders WHERE id = 3;
SELECT step, name, kind, result, reason FROM neon_auth.explain_policy('orders', 'DELETE', '{"id": 2}', 'ann') WHERE step ~ 'ref|verdict';

\echo '-- The same key in a table and its child; rows of children are not referred to.'
CREATE TABLE cities (id int PRIMARY KEY, owner text);
CREATE TABLE capitals (PRIMARY KEY (id)) INHERITS (cities);
INSERT INTO cities VALUES (1, 'bob');
INSERT INTO capitals VALUES (1, 'ann'), (2, 'ann');
ALTER TABLE cities ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON cities USING (owner = auth.user_id());
CREATE TABLE visits (id int PRIMARY KEY, city int REFERENCES cities);
SELECT step, result, reason FROM neon_auth.explain_policy('cities', 'SELECT', '{"id": 1}', 'ann') WHERE step ~ 'row|verdict';
SELECT step, result, reason FROM neon_auth.explain_policy('cities', 'DELETE', '{"id": 1}', 'eve') WHERE step ~ 'verdict';
SELECT step, result, reason FROM neon_auth.explain_policy('cities', 'DELETE', '{"id": 2}', 'ann') WHERE step ~ 'verdict';
SELECT step, result, reason FROM neon_auth.explain_policy('visits', 'INSERT', '{"id": 1, "city": 2}', 'ann') WHERE step ~ 'verdict';

\echo '-- Triggers and rules'
CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''no''; END';
CREATE TABLE watched (id int PRIMARY KEY, a int NOT NULL, b int);
INSERT INTO watched VALUES (1, 1, 1);
CREATE TRIGGER all_rows BEFORE UPDATE OR INSERT ON watched FOR EACH STATEMENT EXECUTE FUNCTION refuses();
CREATE TRIGGER of_a BEFORE UPDATE OF a ON watched FOR EACH ROW EXECUTE FUNCTION refuses();
CREATE TRIGGER afterwards AFTER UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION refuses();
CREATE TRIGGER copied BEFORE UPDATE ON watched FOR EACH ROW EXECUTE FUNCTION refuses();
ALTER TABLE watched ENABLE REPLICA TRIGGER copied;
SELECT given, step, name, kind, result, reason
  FROM unnest('{"{\"id\": 1, \"a\": null}","{\"id\": 1, \"b\": 2}"}'::jsonb[]) AS given,
       neon_auth.explain_policy('watched', 'UPDATE', given, 'ann') WHERE step ~ 'trig|verdict';
\echo '-- A trigger cannot change a value that the type refuses, or a default that fails.'
CREATE TRIGGER fill BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION refuses();
ALTER TABLE watched ALTER b SET DEFAULT 1 / (random() * 0)::int;
SELECT given, step, name, kind, result, reason
  FROM unnest('{"{\"id\": \"x\", \"a\": 1, \"b\": 1}","{\"id\": 2}","{\"id\": 2, \"b\": 1}"}'::jsonb[]) AS given,
       neon_auth.explain_policy('watched', 'INSERT', given, 'ann') WHERE step ~ 'trig|col|verdict';
CREATE VIEW seen AS SELECT * FROM watched;
CREATE TRIGGER instead INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION refuses();
SELECT step, name, kind, result, reason FROM neon_auth.explain_policy('seen', 'INSERT', user_id => 'ann') WHERE step ~ 'trig|verdict';
CREATE RULE quiet AS ON DELETE TO watched DO INSTEAD NOTHING;
SELECT step, name, kind, result, reason FROM neon_auth.explain_policy('watched', 'DELETE', '{"id": 1}', 'ann') WHERE step ~ 'rule|verdict';

\echo '-- Nothing is proposed for objects of PostgreSQL and of extensions.'
SELECT r, step, name, result, reason
  FROM unnest('{neon_auth.users_sync,pg_class,neon_auth_internal.secrets,information_schema.sql_features}'::text[]) AS r,
       neon_auth.explain_policy(r::regclass, 'UPDATE', user_id => 'ann') WHERE step ~ 'schema|table|security' AND reason IS NOT NULL;

\echo '-- Users who cannot sign in'
CREATE VIEW entry AS SELECT u, step, result, reason
  FROM unnest('{carol,dave,erin}'::text[]) AS u, neon_auth.explain_policy('watched', 'SELECT', '{"id": 1}', u) WHERE step ~ 'user|verdict';
SELECT count(*) FROM (SELECT neon_auth.upsert_user('{"id": "carol"}'), neon_auth.upsert_user('{"id": "dave", "banned": true}')) AS u;
SELECT neon_auth.delete_user('carol');
SELECT * FROM entry;
SELECT neon_auth.add_provider('strict', '{https://strict.example}', '{us}', reject_deleted_users => true,
                              reject_banned_users => true);
DELETE FROM neon_auth.providers WHERE name <> 'strict';
SELECT * FROM entry;
\echo '-- One provider that accepts a user is enough.'
SELECT neon_auth.add_provider('open', '{https://open.example}', '{us}');
SELECT * FROM entry WHERE step = 'verdict';
ROLLBACK;
