-- A reader may stand wherever an expression may, and answers the same there as by itself.
\set SHOW_CONTEXT never
\set ON_ERROR_ROLLBACK on
CREATE SCHEMA anywhere;
CREATE TABLE anywhere.t (id int PRIMARY KEY, owner text DEFAULT auth.user_id(), n int);
INSERT INTO anywhere.t VALUES (1, 'alice', 1), (2, 'bob', 2), (3, 'alice', 3);
CREATE TABLE anywhere.p (owner text, id int) PARTITION BY LIST (owner);
CREATE TABLE anywhere.p_alice PARTITION OF anywhere.p FOR VALUES IN ('alice');
CREATE TABLE anywhere.p_bob PARTITION OF anywhere.p FOR VALUES IN ('bob');
INSERT INTO anywhere.p VALUES ('alice', 1), ('bob', 2);
CREATE TABLE anywhere.log (id int, signed text CHECK (signed = auth.user_id()));
CREATE VIEW anywhere.mine AS SELECT * FROM anywhere.t WHERE owner = auth.user_id();
CREATE VIEW anywhere.mine_guarded WITH (security_barrier) AS SELECT * FROM anywhere.t WHERE owner = auth.user_id();
CREATE FUNCTION anywhere.mine_sql() RETURNS SETOF anywhere.t LANGUAGE sql STABLE AS 'SELECT * FROM anywhere.t WHERE owner = auth.user_id()';
CREATE FUNCTION anywhere.is_me(who text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT who = auth.user_id()';
CREATE FUNCTION anywhere.tagged(suffix text) RETURNS text LANGUAGE sql STABLE RETURN auth.user_id() || suffix;
CREATE DOMAIN anywhere.me AS text CHECK (VALUE = auth.user_id());
BEGIN;
SELECT auth.impersonate('alice', '{"limit": 2, "teams": ["a", "b"], "n": 3}');

-- Conditions of every kind of join
SELECT id FROM anywhere.t WHERE owner = auth.user_id() ORDER BY id;
SELECT id FROM anywhere.t WHERE NOT owner = auth.user_id() OR auth.user_id() IS NULL ORDER BY id;
SELECT id FROM anywhere.t WHERE owner IN (auth.user_id(), auth.claim('nobody')) ORDER BY id;
SELECT id FROM anywhere.t WHERE owner = ANY (ARRAY[auth.user_id()]) ORDER BY id;
SELECT id FROM anywhere.t WHERE (owner, n) = (auth.user_id(), auth.claim('n')::int);
SELECT id FROM anywhere.t WHERE owner LIKE auth.user_id() || '%' ORDER BY id;
SELECT id FROM anywhere.t WHERE CASE WHEN n > 1 THEN owner = auth.user_id() ELSE false END;
SELECT a.id, b.id AS other FROM anywhere.t a JOIN anywhere.t b ON a.owner = auth.user_id() AND b.id = a.id + 1 ORDER BY 1;
SELECT a.id, b.id AS other FROM anywhere.t a LEFT JOIN anywhere.t b ON b.id = a.id AND b.owner = auth.user_id() ORDER BY 1;
SELECT a.id, b.id AS other FROM anywhere.t a FULL JOIN anywhere.p b ON b.id = a.id AND a.owner = auth.user_id() ORDER BY 1, 2;
SELECT a.id, l.id AS other FROM anywhere.t a, LATERAL (SELECT id FROM anywhere.t WHERE owner = auth.user_id() AND id > a.id ORDER BY id LIMIT 1) AS l ORDER BY 1;
SELECT id FROM anywhere.t a WHERE EXISTS (SELECT FROM anywhere.t b WHERE b.id = a.id AND b.owner = auth.user_id()) ORDER BY id;
SELECT id FROM anywhere.t WHERE owner NOT IN (SELECT auth.user_id() FROM anywhere.t) ORDER BY id;
SELECT id FROM anywhere.t WHERE anywhere.is_me(owner) ORDER BY id;

-- Columns, groups, orders, limits, windows
SELECT id, auth.user_id(), anywhere.tagged('!'), owner = auth.user_id() AS mine FROM anywhere.t ORDER BY id;
SELECT auth.user_id(), count(*) FROM anywhere.t GROUP BY auth.user_id();
SELECT auth.user_id() || '!' AS me, count(*) FROM anywhere.t GROUP BY auth.user_id();
SELECT owner = auth.user_id() AS mine, count(*) FROM anywhere.t GROUP BY 1 ORDER BY 1;
SELECT owner = auth.user_id() AS mine, count(*) FROM anywhere.t GROUP BY owner = auth.user_id() HAVING bool_or(owner = auth.user_id()) ORDER BY 1;
-- Grouping sets make a column NULL that has the group's expression. What PostgreSQL makes of a
-- stable function there differs by major; a reader is no different from any.
CREATE FUNCTION anywhere.plain() RETURNS text LANGUAGE plpgsql STABLE AS 'BEGIN RETURN ''alice''; END';
CREATE FUNCTION anywhere.is_same(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    ours text[];
    theirs text[];
BEGIN
    EXECUTE format('SELECT array_agg(q::text ORDER BY q::text COLLATE "C") FROM (%s) AS q', format(query, 'auth.user_id()')) INTO ours;
    EXECUTE format('SELECT array_agg(q::text ORDER BY q::text COLLATE "C") FROM (%s) AS q', format(query, 'anywhere.plain()')) INTO theirs;
    RETURN ours IS NOT DISTINCT FROM theirs;
END
$$;
SELECT n, anywhere.is_same(query)
  FROM unnest(ARRAY[
       'SELECT %1$s, count(*) FROM anywhere.t GROUP BY ROLLUP (%1$s)',
       'SELECT %1$s AS me, count(*) FROM anywhere.t GROUP BY ROLLUP (1)',
       'SELECT %1$s || ''!'', count(*) FROM anywhere.t GROUP BY ROLLUP (%1$s)',
       'SELECT %1$s, owner, count(*) FROM anywhere.t GROUP BY CUBE (%1$s, owner)',
       'SELECT %1$s, owner, grouping(%1$s, owner), count(*) FROM anywhere.t GROUP BY GROUPING SETS ((%1$s), (owner), ())',
       'SELECT %1$s, count(*) FROM anywhere.t GROUP BY ROLLUP (%1$s) HAVING %1$s IS NULL',
       'SELECT %1$s, owner, count(*) FROM anywhere.t WHERE owner = %1$s GROUP BY ROLLUP (owner)',
       'SELECT owner = %1$s, count(*) FROM anywhere.t GROUP BY ROLLUP (owner = %1$s)',
       'SELECT %1$s FROM anywhere.t GROUP BY GROUPING SETS ((), (%1$s))',
       'SELECT me, count(*) FROM (SELECT %1$s AS me FROM anywhere.t) AS s GROUP BY ROLLUP (me)',
       'SELECT * FROM (SELECT %1$s AS me, count(*) FROM anywhere.t GROUP BY ROLLUP (%1$s)) AS s WHERE me = ''alice''']) WITH ORDINALITY AS q(query, n)
 ORDER BY n;
SELECT count(*) FILTER (WHERE owner = auth.user_id()), max(auth.user_id()), string_agg(auth.user_id(), ',' ORDER BY auth.user_id()) FROM anywhere.t;
SELECT DISTINCT auth.user_id() FROM anywhere.t;
SELECT id FROM anywhere.t ORDER BY owner = auth.user_id() DESC, id LIMIT auth.claim('limit')::int;
SELECT id, count(*) OVER (PARTITION BY owner = auth.user_id()) FROM anywhere.t ORDER BY id;
SELECT id, team FROM anywhere.t, jsonb_array_elements_text(auth.jwt() -> 'teams') AS team WHERE owner = auth.user_id() ORDER BY 1, 2;
SELECT id, x FROM anywhere.t, (VALUES (auth.user_id()), ('x')) AS v(x) WHERE x = owner ORDER BY 1;
SELECT id FROM anywhere.t TABLESAMPLE system (auth.claim('limit')::real * 50) WHERE owner = auth.user_id() ORDER BY id;

-- Parts of queries
WITH mine AS (SELECT * FROM anywhere.t WHERE owner = auth.user_id()) SELECT count(*) FROM mine;
WITH mine AS MATERIALIZED (SELECT * FROM anywhere.t WHERE owner = auth.user_id()) SELECT count(*) FROM mine a JOIN mine b ON a.id < b.id;
WITH RECURSIVE chain AS (
    SELECT id, 1 AS depth FROM anywhere.t WHERE owner = auth.user_id() AND id = 1
    UNION ALL
    SELECT t.id, depth + 1 FROM chain JOIN anywhere.t ON t.id = chain.id + 2 AND t.owner = auth.user_id())
SELECT * FROM chain ORDER BY 1;
SELECT id FROM anywhere.t WHERE owner = auth.user_id() UNION SELECT id FROM anywhere.p WHERE owner = auth.user_id() ORDER BY 1;
SELECT id FROM anywhere.t WHERE owner = auth.user_id() EXCEPT SELECT id FROM anywhere.p WHERE owner = auth.user_id();
SELECT count(*) FROM (SELECT auth.user_id() AS me FROM anywhere.t) AS s WHERE me = 'alice';
SELECT id FROM anywhere.mine ORDER BY id;
SELECT id FROM anywhere.mine_guarded WHERE n > 1;
SELECT id FROM anywhere.mine_sql() ORDER BY id;
SELECT a.id, count(b.id) FROM anywhere.t a LEFT JOIN anywhere.mine b ON b.id <= a.id GROUP BY a.id ORDER BY 1;
-- Partitions: the user's alone is read.
SELECT * FROM anywhere.p WHERE owner = auth.user_id();
-- Under a SELECT of one's own
SELECT count(*) FROM anywhere.t WHERE owner = (SELECT auth.user_id());

-- Arguments: those of the statement, and those of each row
PREPARE claims(text) AS SELECT count(*) FROM anywhere.t WHERE owner = auth.claim($1);
EXECUTE claims('sub');
EXECUTE claims('role');
DEALLOCATE claims;
SELECT id, auth.claim(CASE WHEN id = 1 THEN 'sub' ELSE 'n' END) FROM anywhere.t ORDER BY id;

-- Writes
INSERT INTO anywhere.t (id) VALUES (4) RETURNING owner, auth.user_id() = owner AS mine;
INSERT INTO anywhere.t (id, owner) VALUES (5, auth.user_id() || '!'), (6, auth.user_id()) RETURNING owner;
INSERT INTO anywhere.t (id, owner) SELECT id + 10, auth.user_id() FROM anywhere.p RETURNING id, owner;
INSERT INTO anywhere.t (id, n) VALUES (1, 7) ON CONFLICT (id) DO UPDATE SET owner = auth.user_id() || '?', n = excluded.n WHERE t.owner = auth.user_id() RETURNING id, owner, n;
UPDATE anywhere.t SET owner = auth.user_id() WHERE owner <> auth.user_id() AND id < 10 RETURNING id, owner, auth.user_id();
UPDATE anywhere.t SET n = p.id FROM anywhere.p WHERE p.owner = auth.user_id() AND t.owner = p.owner AND t.id = 1 RETURNING t.id, t.n;
UPDATE anywhere.p SET owner = 'bob' WHERE owner = auth.user_id() RETURNING *;
DELETE FROM anywhere.t USING anywhere.p WHERE t.owner = auth.user_id() AND t.id > 10 AND p.id = 1 RETURNING t.id;
INSERT INTO anywhere.log SELECT id, auth.user_id() FROM anywhere.t WHERE id < 3 RETURNING *;
-- The planner looks at the constraint, which names a reader too.
SET LOCAL constraint_exclusion = on;
SELECT count(*) FROM anywhere.log WHERE signed <> auth.user_id();
SELECT count(*) FROM anywhere.log WHERE signed = auth.user_id();
SELECT count(*) FROM anywhere.log WHERE signed = 'alice';
RESET constraint_exclusion;
SELECT auth.user_id()::anywhere.me FROM anywhere.t LIMIT 1;
CREATE TABLE anywhere.copy AS SELECT id, auth.user_id() AS me FROM anywhere.t WHERE owner = auth.user_id() AND id < 3;
SELECT * FROM anywhere.copy ORDER BY id;
ALTER TABLE anywhere.copy ADD COLUMN added text DEFAULT auth.user_id();
ALTER TABLE anywhere.copy ALTER COLUMN id TYPE text USING id || auth.user_id();
ALTER TABLE anywhere.copy ADD CHECK (me = auth.user_id());
SELECT * FROM anywhere.copy ORDER BY id;
COPY (SELECT id FROM anywhere.t WHERE owner = auth.user_id() ORDER BY id) TO stdout;
CREATE FUNCTION anywhere.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''% by %'', NEW.id, auth.user_id(); RETURN NEW; END';
CREATE TRIGGER noted AFTER UPDATE ON anywhere.t FOR EACH ROW WHEN (NEW.owner = auth.user_id()) EXECUTE FUNCTION anywhere.noted();
UPDATE anywhere.t SET n = 0 WHERE id IN (1, 2);
-- Row locks, which look at a row again when another has changed it
SELECT id FROM anywhere.t WHERE owner = auth.user_id() AND id < 3 ORDER BY id FOR UPDATE;
-- Rules of another's making
CREATE RULE noted AS ON DELETE TO anywhere.t DO INSTEAD INSERT INTO anywhere.log VALUES (OLD.id, auth.user_id());
DELETE FROM anywhere.t WHERE owner = auth.user_id() AND id = 1;
SELECT id, signed FROM anywhere.log ORDER BY id;
ROLLBACK;
SET client_min_messages = warning;
DROP SCHEMA anywhere CASCADE;

-- A branch of a UNION ALL that has a constant where others have a column: the planner simplifies
-- the call once more when it no longer plans sub-selects.
\c - postgres
CREATE TABLE personal (id int, title text);
CREATE TABLE team_docs (id int, team_id text, title text);
INSERT INTO personal VALUES (1, 'mine');
INSERT INTO team_docs VALUES (2, 't1', 'ours'), (3, 't2', 'theirs');
CREATE VIEW docs AS SELECT id, NULL::text AS team_id, title FROM personal UNION ALL SELECT id, team_id, title FROM team_docs;
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'alice');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', 'alice', 'read');
GRANT SELECT ON docs TO app;
SELECT auth.impersonate('alice', '{"docs": "ours"}', false);
SET ROLE app;
SELECT id FROM docs WHERE auth.has_permission('read', team_id);
SELECT id FROM docs WHERE auth.is_team_member(coalesce(team_id, 't1')) ORDER BY id;
SELECT id FROM docs WHERE title = auth.claim('docs') AND auth.is_team_member(team_id);

-- Where no statement has given PL/pgSQL a snapshot yet.
CREATE DOMAIN pg_temp.permitted AS text CHECK (auth.has_permission('read', 't1') AND auth.is_team_member('t1') AND NOT auth.has_permission('read'));
DO $$
BEGIN
    COMMIT;
    DECLARE
        checked pg_temp.permitted;
    BEGIN
        RAISE NOTICE 'checked %', checked;
    END;
END
$$;
RESET ROLE;
SELECT auth.logout();
DELETE FROM neon_auth.team_members_sync;
DELETE FROM neon_auth.team_permissions_sync;
DROP VIEW docs;
DROP TABLE personal, team_docs;
-- A cast is planned without a query.
BEGIN;
CREATE CAST (varchar AS bool) WITH FUNCTION auth.is_team_member(text) AS ASSIGNMENT;
CREATE FUNCTION pg_temp.cast_it(given varchar) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RETURN given; END';
SELECT pg_temp.cast_it('t1') IS NULL AS nobody;
ROLLBACK;
