-- PostgreSQL simplifies the conditions of an EXISTS on behalf of the query around it. A reader
-- there returns what a literal in its place returns, in policies and in queries.
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE SCHEMA ex;
GRANT USAGE ON SCHEMA ex TO authenticated;
CREATE TABLE ex.members (org_id int, user_id text, PRIMARY KEY (org_id, user_id));
INSERT INTO ex.members VALUES (1, 'alice'), (1, 'bob'), (2, 'bob'), (3, 'alice');
CREATE TABLE ex.docs (id int PRIMARY KEY, org_id int, owner text, n int DEFAULT 0);
INSERT INTO ex.docs SELECT i, i % 4, CASE WHEN i % 5 = 0 THEN 'alice' ELSE 'bob' END FROM generate_series(1, 40) AS i;
GRANT ALL ON ALL TABLES IN SCHEMA ex TO authenticated;
CREATE FUNCTION ex.is_me(who text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT who = auth.user_id()';
CREATE FUNCTION ex.or_me(who text DEFAULT auth.user_id()) RETURNS text LANGUAGE sql STABLE AS 'SELECT who';
CREATE FUNCTION ex.shared() RETURNS SETOF ex.docs LANGUAGE sql STABLE AS
    'SELECT * FROM ex.docs d WHERE owner = auth.user_id() OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = auth.user_id())';
CREATE VIEW ex.shared_barrier WITH (security_barrier) AS
    SELECT * FROM ex.docs d WHERE n = 1 OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = auth.user_id());
ANALYZE ex.members, ex.docs;

-- The same query with the literal: as many and the same rows?
CREATE FUNCTION ex.is_same(query text, reader text, literal text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    ours text[];
    theirs text[];
BEGIN
    EXECUTE format('SELECT array_agg(q::text ORDER BY q::text COLLATE "C") FROM (%s) AS q', format(query, reader)) INTO ours;
    EXECUTE format('SELECT array_agg(q::text ORDER BY q::text COLLATE "C") FROM (%s) AS q', format(query, literal)) INTO theirs;
    RETURN ours = theirs;
END
$$;
CREATE TABLE ex.cases (number int GENERATED ALWAYS AS IDENTITY, what text, query text);
INSERT INTO ex.cases (what, query) VALUES
    ('WHERE', 'SELECT id FROM ex.docs d WHERE EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s)'),
    ('NOT', 'SELECT id FROM ex.docs d WHERE NOT EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s)'),
    ('OR', 'SELECT id FROM ex.docs d WHERE owner = %1$s OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s)'),
    ('CASE', 'SELECT id FROM ex.docs d WHERE CASE WHEN id > 3 THEN EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s) END'),
    ('column', 'SELECT id, EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s) FROM ex.docs d'),
    ('FILTER', 'SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s)) FROM ex.docs d'),
    ('HAVING', 'SELECT org_id FROM ex.docs d GROUP BY org_id HAVING count(*) > 100 OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s)'),
    ('join', 'SELECT a.id, b.id AS b FROM ex.docs a LEFT JOIN ex.docs b ON b.id = a.id + 1 AND EXISTS (SELECT FROM ex.members m WHERE m.org_id = b.org_id AND m.user_id = %1$s)'),
    ('EXISTS in EXISTS', 'SELECT id FROM ex.docs d WHERE n > 0 OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND (m.user_id = ''carol'' OR EXISTS (SELECT FROM ex.members o WHERE o.org_id = m.org_id AND o.user_id = %1$s)))'),
    ('with the outer row', 'SELECT id FROM ex.docs d WHERE n > 0 OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = d.owner || right(%1$s, 0))'),
    ('LIMIT', 'SELECT id FROM ex.docs d WHERE n > 0 OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id LIMIT length(%1$s) - 4)'),
    ('IN', 'SELECT id FROM ex.docs d WHERE n > 0 OR org_id IN (SELECT org_id FROM ex.members m WHERE m.user_id = %1$s)'),
    ('NOT IN', 'SELECT id FROM ex.docs d WHERE org_id NOT IN (SELECT org_id FROM ex.members m WHERE m.user_id = %1$s)'),
    ('ARRAY', 'SELECT id FROM ex.docs d WHERE org_id = ANY (ARRAY(SELECT org_id FROM ex.members m WHERE m.user_id = %1$s))'),
    ('LATERAL', 'SELECT id, e FROM ex.docs d, LATERAL (SELECT EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s) AS e) AS l'),
    ('UNION ALL', 'SELECT * FROM (SELECT id, EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s) AS e FROM ex.docs d UNION ALL SELECT id, NULL FROM ex.docs) AS u WHERE e IS NOT FALSE'),
    ('WITH', 'WITH w AS MATERIALIZED (SELECT id, EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s) AS e FROM ex.docs d) SELECT * FROM w'),
    ('GROUP BY CUBE', 'SELECT org_id, owner = %1$s AS own, count(*) FROM ex.docs d WHERE n > 0 OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s) GROUP BY CUBE (org_id, owner = %1$s)'),
    ('window', 'SELECT id, count(*) OVER (PARTITION BY EXISTS (SELECT FROM ex.members m WHERE m.org_id = d.org_id AND m.user_id = %1$s)) FROM ex.docs d');
SELECT auth.impersonate('alice', '{"email": "alice", "role": "alice", "selected_team_id": "alice"}', false);
SELECT what, ex.is_same(query, 'auth.user_id()', '''alice''::text') FROM ex.cases ORDER BY number;
-- With every reader that returns text, and one with an argument
SELECT reader, bool_and(ex.is_same(query, reader, '''alice''::text'))
  FROM ex.cases, unnest('{auth.email(),auth.role(),auth.selected_team_id(),auth.claim(''sub''),auth.claim(lower(''SUB'')),auth.jwt() ->> ''sub'',(SELECT auth.user_id())}'::text[]) AS reader
 GROUP BY reader ORDER BY reader COLLATE "C";
-- In SQL functions that PostgreSQL inlines, and in the defaults of their arguments
SELECT what, ex.is_same(replace(query, 'm.user_id = %1$s', 'ex.is_me(m.user_id)'), 'auth.user_id()', '''alice''::text') AS function,
       ex.is_same(query, 'ex.or_me()', '''alice''::text') AS default
  FROM ex.cases ORDER BY number;
SELECT count(*) FROM ex.shared();
SELECT count(*) FROM ex.shared() s JOIN ex.docs d USING (id) WHERE s.n = 0;
SELECT count(*) FROM ex.docs WHERE id IN (SELECT id FROM ex.shared());
SELECT count(*) FROM ex.shared_barrier;
SELECT auth.logout();

-- Policies
ALTER TABLE ex.docs ENABLE ROW LEVEL SECURITY;
ALTER TABLE ex.members ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON ex.members TO authenticated USING (user_id = auth.user_id());
CREATE POLICY member ON ex.docs TO authenticated
    USING (EXISTS (SELECT 1 FROM ex.members m WHERE m.org_id = docs.org_id AND m.user_id = auth.user_id()));
CREATE POLICY guest ON ex.docs FOR SELECT TO authenticated USING (owner = auth.user_id());
-- The first query of a session loads the library in the midst of planning; then the second.
\c - postgres
SET ROLE authenticated;
SELECT count(*) FROM ex.docs;
SELECT count(*) FROM ex.docs;
RESET ROLE;
SELECT auth.impersonate('alice', '{}', false);
SET ROLE authenticated;
SELECT count(*), count(*) FILTER (WHERE owner = 'alice') AS own FROM ex.docs;
SELECT id FROM ex.docs WHERE id = 5;
SELECT count(*) FROM ex.docs a JOIN ex.docs b ON a.id = b.id;
BEGIN;
INSERT INTO ex.docs (id, org_id) VALUES (101, 1), (102, 3);
INSERT INTO ex.docs (id, org_id) SELECT id + 200, org_id FROM ex.docs WHERE org_id = 1 RETURNING EXISTS (SELECT FROM ex.members m WHERE m.org_id = docs.org_id AND m.user_id = auth.user_id()) AS mine;
UPDATE ex.docs SET n = 1 WHERE n = 0 RETURNING org_id IN (1, 3) AS mine;
INSERT INTO ex.docs (id, org_id) VALUES (1, 1), (3, 3) ON CONFLICT (id) DO UPDATE SET n = 2
    WHERE docs.n = 7 OR EXISTS (SELECT FROM ex.members m WHERE m.org_id = docs.org_id AND m.user_id = auth.user_id()) RETURNING id;
DELETE FROM ex.docs WHERE id < 20;
SELECT count(*) FROM ex.docs;
SAVEPOINT s;
INSERT INTO ex.docs (id, org_id) VALUES (103, 1), (104, 2);
ROLLBACK TO s;
UPDATE ex.docs SET org_id = 2 WHERE org_id = 1;
ROLLBACK;
-- A plan for everybody
SET plan_cache_mode = force_generic_plan;
PREPARE docs AS SELECT count(*) FROM ex.docs WHERE id > $1;
EXECUTE docs(0);
RESET ROLE;
SELECT auth.impersonate('carol', '{}', false);
SET ROLE authenticated;
EXECUTE docs(0);

\c - postgres
SET client_min_messages = warning;
DROP SCHEMA ex CASCADE;
