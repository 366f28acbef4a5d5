-- However a policy is written, it costs what it would cost with literals: what is the same for all rows is evaluated
-- once, a sub-select that is only an expression is the expression, and an index is used.
\set SHOW_CONTEXT never
CREATE SCHEMA forms;
GRANT USAGE ON SCHEMA forms TO authenticated;
CREATE TABLE forms.docs (id int PRIMARY KEY, user_id text, owner uuid, n int DEFAULT 0) WITH (parallel_workers = 2);
INSERT INTO forms.docs SELECT i, who, who, 0
  FROM generate_series(1, 4000) AS i, LATERAL (SELECT md5((i % 1000)::text)::uuid AS who) AS u;
CREATE INDEX docs_user_id ON forms.docs (user_id);
CREATE INDEX docs_owner ON forms.docs (owner);
ANALYZE forms.docs;
CREATE TABLE forms.others AS SELECT owner FROM forms.docs LIMIT 100;
GRANT ALL ON forms.docs, forms.others TO authenticated;
ALTER TABLE forms.others ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON forms.others TO authenticated USING (owner = auth.user_id()::uuid);
ALTER TABLE forms.docs ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION forms.is_alice(who text) RETURNS boolean LANGUAGE plpgsql STABLE
    AS 'BEGIN RETURN who = md5(''1'')::uuid::text; END';
-- What a condition of a policy does to a statement: rows, calls of readers, mentions of readers in InitPlans and not,
-- whether the plan has a sub-plan for each row, and whether it looks rows up by index.
CREATE FUNCTION forms.policy(condition text, statement text DEFAULT 'SELECT id FROM forms.docs', OUT rows bigint,
                             OUT once boolean, OUT each_row boolean, OUT by_index boolean) LANGUAGE plpgsql AS $$
DECLARE
    plan text;
BEGIN
    EXECUTE format('CREATE POLICY form ON forms.docs TO authenticated USING (%s) WITH CHECK (%1$s)', condition);
    SET LOCAL ROLE authenticated;
    SELECT string_agg(node::text, E'\n') INTO plan FROM plan_nodes(statement) AS node;
    SELECT m.rows, calls <= in_init_plans AND NOT elsewhere INTO policy.rows, once
      FROM reader_plan(statement), measure(statement) AS m;
    each_row := plan LIKE '%SubPlan%';
    by_index := plan LIKE '%"Index Cond"%';
    RESET ROLE;
    DROP POLICY form ON forms.docs;
END
$$;
SELECT md5('1')::uuid AS alice \gset
SELECT auth.impersonate(:'alice', '{"role": "authenticated", "path": "sub", "n": 0}', false);
SET track_functions = 'all';
CREATE TABLE forms.cases (number int GENERATED ALWAYS AS IDENTITY, condition text);
INSERT INTO forms.cases (condition) VALUES
    ($$(SELECT auth.user_id() = user_id)$$),
    ($$(SELECT auth.uid() = owner)$$),
    ($$(SELECT (SELECT auth.user_id()) = user_id)$$),
    ($$(SELECT (SELECT auth.user_id() = user_id))$$),
    ($$(SELECT auth.user_id() = user_id AND auth.role() = 'authenticated')$$),
    ($$(SELECT auth.user_id()) = user_id$$),
    ($$user_id = (SELECT user_id FROM (SELECT auth.user_id()) AS f(user_id))$$),
    ($$user_id = coalesce(auth.user_id(), '')$$),
    ($$user_id = coalesce((SELECT auth.user_id()), '')$$),
    ($$user_id = nullif(auth.user_id(), '')$$),
    ($$user_id = CASE WHEN auth.user_id() IS NULL THEN '' ELSE auth.user_id() END$$),
    ($$user_id = CASE auth.role() WHEN 'authenticated' THEN auth.user_id() END$$),
    ($$user_id = auth.jwt() ->> 'sub'$$),
    ($$user_id = (SELECT auth.jwt() ->> 'sub')$$),
    ($$user_id = (SELECT auth.jwt()) ->> 'sub'$$),
    ($$user_id = lower(auth.claim(auth.claim('path')) || '')$$),
    ($$user_id = auth.uid()::text$$),
    ($$owner = auth.user_id()::uuid$$),
    ($$owner = (SELECT auth.user_id())::uuid$$),
    ($$(SELECT owner = auth.user_id()::uuid)$$),
    ($$owner = auth.user_id()::uuid AND n = auth.claim('n')::int$$),
    ($$user_id = auth.user_id() AND forms.is_alice(auth.user_id())$$),
    ($$user_id IN (auth.user_id(), 'bob')$$),
    ($$forms.is_alice(auth.user_id() || '') AND id < 5$$),
    ($$CASE WHEN auth.user_id() IS NULL THEN false ELSE user_id = auth.user_id() END$$),
    ($$CASE WHEN auth.role() = 'authenticated' THEN (SELECT user_id = auth.user_id()) ELSE false END$$),
    ($$(SELECT CASE WHEN auth.user_id() IS NULL THEN false ELSE auth.user_id() = user_id END)$$),
    -- These compare no column that has an index, with a literal as well.
    ($$owner::text = auth.user_id()$$),
    -- This guards what may raise an error.
    ($$CASE WHEN auth.user_id() IS NULL THEN false ELSE owner = auth.user_id()::uuid END$$),
    ($$user_id = auth.user_id() OR auth.role() = 'admin'$$),
    -- These stay sub-selects: they are volatile, select rows, or are empty.
    ($$(SELECT auth.user_id() = user_id AND random() >= 0)$$),
    ($$(SELECT auth.user_id() = user_id LIMIT 1)$$),
    ($$(SELECT auth.user_id() = user_id WHERE n = 0)$$),
    ($$(SELECT auth.user_id() = user_id FROM generate_series(1, 1))$$);
SELECT condition, policy.* FROM forms.cases, forms.policy(condition) ORDER BY number;

-- Wherever a policy stands, and wherever a query has such a sub-select itself
CREATE VIEW forms.mine AS SELECT * FROM forms.docs WHERE (SELECT auth.user_id() = user_id);
CREATE VIEW forms.guarded WITH (security_barrier) AS SELECT * FROM forms.docs WHERE (SELECT auth.user_id() = user_id);
CREATE FUNCTION forms.count_plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE
    AS 'BEGIN RETURN (SELECT count(*) FROM forms.docs WHERE (SELECT auth.user_id() = user_id)); END';
GRANT ALL ON forms.mine, forms.guarded TO authenticated;
SELECT current_setting('server_version_num')::int >= 150000 AS has_merge \gset
CREATE TABLE forms.statements (number int GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO forms.statements (statement) VALUES
    ($$SELECT id FROM forms.docs d WHERE (SELECT auth.user_id() = d.user_id)
        ORDER BY (SELECT auth.user_id() = d.user_id)$$),
    ($$SELECT (SELECT auth.user_id() = user_id), count(*) FROM forms.docs
        GROUP BY (SELECT auth.user_id() = user_id) HAVING (SELECT auth.user_id() = user_id)$$),
    ($$SELECT n, user_id, count(*) FROM forms.docs
        WHERE (SELECT auth.user_id() = user_id) GROUP BY ROLLUP (n, user_id)$$),
    ($$SELECT a.id FROM forms.docs a LEFT JOIN forms.docs b ON b.id = a.id AND (SELECT auth.user_id() = b.user_id)$$),
    ($$SELECT id FROM forms.docs a WHERE EXISTS (SELECT FROM forms.docs b
        WHERE b.id = a.id AND (SELECT auth.user_id() = a.user_id))$$),
    ($$WITH w AS MATERIALIZED (SELECT * FROM forms.docs WHERE (SELECT auth.user_id() = user_id)) SELECT id FROM w$$),
    ($$SELECT id FROM forms.docs UNION ALL SELECT id FROM forms.docs$$),
    ($$SELECT id FROM forms.mine$$),
    ($$SELECT id FROM forms.guarded WHERE n = 0$$),
    ($$UPDATE forms.docs SET n = (SELECT length(auth.user_id() || user_id)) WHERE n < 100
        RETURNING (SELECT auth.user_id() = user_id)$$),
    ($$INSERT INTO forms.docs (id, user_id, n) SELECT id + 10000, user_id, n FROM forms.docs RETURNING id$$),
    ($$INSERT INTO forms.docs (id, user_id, n) SELECT id, user_id, n FROM forms.docs
        ON CONFLICT (id) DO UPDATE SET n = 1 WHERE (SELECT auth.user_id() = docs.user_id)$$),
    (CASE WHEN :'has_merge' THEN
        $$MERGE INTO forms.docs d USING (SELECT * FROM forms.docs) s ON s.id = d.id
          WHEN MATCHED AND (SELECT auth.user_id() = d.user_id) THEN UPDATE SET n = 2$$
        ELSE $$UPDATE forms.docs SET n = 2$$ END),
    ($$DELETE FROM forms.docs WHERE n = 2$$);
BEGIN;
SELECT CASE WHEN statement ~ '^MERGE|SET n = 2$' THEN 'MERGE, or UPDATE without it' ELSE statement END AS statement,
       rows, once, each_row
  FROM forms.statements, forms.policy('(SELECT auth.user_id() = user_id)', statement) ORDER BY number;
SELECT * FROM measure('SELECT forms.count_plpgsql()');
ROLLBACK;
-- What is stored is what was written.
SELECT pg_get_viewdef('forms.mine'::regclass) ~ 'SELECT \(auth\.user_id\(\) = ' AS view;
-- A grouping set that is such a sub-select is NULL in the other sets.
SELECT (SELECT auth.user_id() = user_id) AS mine, count(*) FROM forms.docs GROUP BY ROLLUP (1) ORDER BY 1;
-- An aggregate of the query around is computed before.
SELECT (SELECT max(user_id) = auth.user_id()) FROM forms.docs WHERE user_id = auth.user_id();

-- With grouping sets, it may look like a grouping expression and is none: it is NULL in no row.
CREATE TABLE forms.small (owner text, n int);
INSERT INTO forms.small VALUES (:'alice', 1), ('bob', 2), (:'alice', 3), ('bob', NULL);
SELECT owner = :'alice' AS is_alice, (SELECT auth.user_id() = owner) AS mine, count(*)
  FROM forms.small GROUP BY GROUPING SETS ((owner), (owner, (auth.user_id() = owner))) ORDER BY 1, 2, 3;
SELECT owner = :'alice' AS is_alice, (SELECT auth.user_id() = owner) AS mine, count(*)
  FROM forms.small GROUP BY GROUPING SETS ((owner), (auth.user_id())) ORDER BY 1, 2, 3;
SELECT owner = :'alice' AS is_alice, count(*)
  FROM forms.small GROUP BY GROUPING SETS ((owner), (auth.user_id())) HAVING (SELECT auth.user_id() = owner);
-- A default of an argument may be volatile.
CREATE SEQUENCE forms.turn;
CREATE FUNCTION forms.every_other(who text, n bigint DEFAULT nextval('forms.turn')) RETURNS text LANGUAGE plpgsql STABLE
    AS 'BEGIN RETURN CASE n % 2 WHEN 1 THEN who END; END';
SELECT count(*) FROM forms.small WHERE forms.every_other(auth.user_id()) IS NOT NULL;
SELECT count(*) FROM forms.small WHERE auth.claim(forms.every_other('role')) IS NOT NULL;
SELECT count(*) FROM forms.small WHERE (SELECT forms.every_other(auth.user_id()) <> owner || '!');
-- In a sub-select a condition keeps the next one from raising an error, whatever they cost.
CREATE FUNCTION forms.is_known(n int) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN n > 1; END';
SELECT count(*) FROM forms.small WHERE (SELECT auth.user_id() = owner AND forms.is_known(n) AND 2 / (n - 1) = 1);
SELECT count(*) FROM forms.small
 WHERE CASE WHEN auth.user_id() IS NULL THEN false ELSE forms.is_known(n) AND 2 / (n - 1) = 1 END;
-- A CASE that guards a condition is true, false and NULL where it was.
SELECT n, CASE WHEN auth.user_id() IS NULL THEN false ELSE n = length(auth.role()) - 12 END AS signed_in,
       CASE WHEN auth.user_id() IS NULL THEN n = length(auth.role()) - 12 ELSE false END AS signed_out,
       CASE WHEN auth.claim('none') = 'x' THEN false ELSE n = length(auth.role()) - 12 END AS of_null,
       CASE WHEN auth.claim('none') = 'x' THEN n = length(auth.role()) - 12 ELSE false END AS by_null
  FROM forms.small ORDER BY n;

-- A prepared statement has one plan for everybody.
CREATE POLICY form ON forms.docs TO authenticated USING ((SELECT auth.user_id() = user_id));
SET ROLE authenticated;
SET plan_cache_mode = force_generic_plan;
PREPARE docs(int) AS SELECT count(*) FROM forms.docs WHERE n = $1 AND user_id = coalesce($2, auth.user_id(), 'x');
EXECUTE docs(0, NULL);
EXECUTE docs(0, 'bob');
RESET ROLE;
SELECT auth.impersonate(md5('2')::uuid::text, is_local => false);
SET ROLE authenticated;
EXECUTE docs(0, NULL);
RESET ROLE;
SELECT auth.logout();
SET ROLE authenticated;
EXECUTE docs(0, NULL);
RESET ROLE;
RESET plan_cache_mode;

-- What is leaky stays leaky: a function of the query's sees rows of the user only.
SELECT auth.impersonate(:'alice', is_local => false);
CREATE FUNCTION forms.sees(who text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$
BEGIN
    IF who <> md5('1')::uuid::text THEN RAISE WARNING 'a hidden row was seen'; END IF;
    RETURN true;
END
$$;
SET ROLE authenticated;
SELECT count(*) FROM forms.docs WHERE forms.sees(user_id);
SELECT count(*) FROM forms.docs WHERE (SELECT forms.sees(user_id) AND auth.user_id() IS NOT NULL);
SELECT count(*) FROM forms.docs WHERE (SELECT user_id >= auth.user_id() AND forms.sees(user_id));
RESET ROLE;
DROP POLICY form ON forms.docs;
CREATE POLICY form ON forms.docs TO authenticated USING (true);
SET ROLE authenticated;
SELECT count(*) FROM forms.guarded WHERE forms.sees(user_id);
SELECT count(*) FROM forms.guarded WHERE (SELECT forms.sees(user_id) AND auth.user_id() IS NOT NULL);
SELECT count(*) FROM forms.guarded WHERE CASE WHEN auth.user_id() IS NULL THEN false ELSE forms.sees(user_id) END;
RESET ROLE;
DROP POLICY form ON forms.docs;

-- An expression that raises an error is not evaluated where a condition keeps it from that, also not in advance by a
-- parallel query.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT auth.impersonate('no uuid', '{"role": "other", "n": "no number"}', false);
TRUNCATE forms.cases RESTART IDENTITY;
INSERT INTO forms.cases (condition) VALUES
    ($$auth.role() = 'uuid' AND owner = auth.user_id()::uuid$$),
    ($$owner = auth.user_id()::uuid AND auth.role() = 'uuid'$$),
    ($$user_id = auth.user_id() OR auth.role() = 'uuid' AND owner = auth.user_id()::uuid$$),
    ($$CASE WHEN auth.role() = 'uuid' THEN owner = auth.user_id()::uuid ELSE user_id = auth.user_id() END$$),
    ($$CASE auth.role() WHEN 'uuid' THEN owner = auth.user_id()::uuid END$$),
    ($$coalesce(n < 10 AND user_id <> auth.user_id(), n < auth.claim('n')::int)$$),
    ($$(SELECT auth.role() = 'uuid' AND owner = auth.user_id()::uuid)$$),
    ($$auth.role() = 'uuid' AND EXISTS (SELECT FROM forms.others o WHERE o.owner = docs.owner)$$),
    ($$user_id = coalesce(auth.role(), auth.user_id()::uuid::text)$$);
CREATE FUNCTION forms.outcome(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    rows bigint;
    is_parallel boolean;
BEGIN
    EXECUTE format('CREATE POLICY form ON forms.docs TO authenticated USING (%s)', condition);
    SET LOCAL ROLE authenticated;
    is_parallel := is_parallel('SELECT count(*) FROM forms.docs');
    EXECUTE 'SELECT count(*) FROM forms.docs' INTO rows;
    RESET ROLE;
    DROP POLICY form ON forms.docs;
    RETURN format('%s rows, %s', rows, CASE WHEN is_parallel THEN 'parallel' ELSE 'serial' END);
EXCEPTION WHEN invalid_text_representation THEN
    RETURN 'error';
END
$$;
SELECT condition, forms.outcome(condition) FROM forms.cases ORDER BY number;
-- Nor does another policy's: the restrictive one hides every row.
CREATE POLICY by_id ON forms.docs TO authenticated USING (owner = auth.user_id()::uuid);
CREATE POLICY uuids ON forms.docs AS RESTRICTIVE TO authenticated USING (auth.role() = 'uuid');
SET ROLE authenticated;
SELECT count(*) FROM forms.docs;
RESET ROLE;
DROP POLICY uuids ON forms.docs;
-- But a condition that stands alone is evaluated, and raises its error.
SET ROLE authenticated;
SELECT count(*) FROM forms.docs;
RESET ROLE;
RESET ALL;
SELECT auth.logout();
SET client_min_messages = warning;
DROP SCHEMA forms CASCADE;
