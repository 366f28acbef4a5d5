-- CVE-2017-7484, CVE-2019-10130, CVE-2025-8713: to estimate a condition, the planner calls its operator with values from the
-- statistics of the table, which contain rows that policies hide. It must not where a policy applies, however that
-- policy is written: the extension changes policies with readers before they are planned.
\set SHOW_CONTEXT never
CREATE SCHEMA statistics;
GRANT USAGE ON SCHEMA statistics TO authenticated;
SET search_path = statistics;
CREATE TABLE open (user_id text, body text);
INSERT INTO open SELECT CASE WHEN n % 2 = 0 THEN 'alice' ELSE 'bob' END, CASE WHEN n % 2 = 0 THEN 'a note' ELSE 'a secret' END FROM generate_series(1, 200) AS n;
CREATE TABLE flat AS TABLE open;
CREATE TABLE parent (LIKE open);
CREATE TABLE child () INHERITS (parent);
INSERT INTO child TABLE open;
CREATE TABLE parts (LIKE open) PARTITION BY LIST (user_id);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('alice');
CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('bob');
INSERT INTO parts TABLE open;
ANALYZE open, flat, parent, child, parts;
ALTER TABLE flat ENABLE ROW LEVEL SECURITY;
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
ALTER TABLE parts ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON open, flat, parent, parts TO authenticated;
-- The operator remembers that it was called with a value of bob's: a sequence is not rolled back.
CREATE SEQUENCE seen;
GRANT ALL ON SEQUENCE seen TO authenticated;
CREATE FUNCTION leak(text, text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE COST 0.0001 AS $$
BEGIN
    IF 'a secret' IN ($1, $2) THEN PERFORM nextval('statistics.seen'); END IF;
    RETURN $1 < $2;
END
$$;
CREATE OPERATOR <<< (LEFTARG = text, RIGHTARG = text, FUNCTION = leak, RESTRICT = scalarltsel, JOIN = scalarltjoinsel);
CREATE FUNCTION leaks(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setval('statistics.seen', 1, false);
    SET LOCAL ROLE authenticated;
    EXECUTE statement;
    RESET ROLE;
    RETURN (SELECT is_called FROM statistics.seen);
END
$$;
CREATE FUNCTION with_policy(condition text) RETURNS TABLE ("table" text, "EXPLAIN leaks" boolean, "join leaks" boolean, "query leaks" boolean) LANGUAGE plpgsql AS $$
BEGIN
    FOREACH "table" IN ARRAY '{flat,parent,parts}'::text[] LOOP
        EXECUTE format('CREATE POLICY p ON %I USING (%s)', "table", condition);
        "EXPLAIN leaks" := leaks(format($q$EXPLAIN SELECT FROM %I WHERE body <<< 'm'$q$, "table"));
        "join leaks" := leaks(format($q$EXPLAIN SELECT FROM %1$I x JOIN %1$I y ON x.body <<< y.body$q$, "table"));
        "query leaks" := leaks(format($q$SELECT count(*) FROM %I WHERE body <<< 'm'$q$, "table"));
        EXECUTE format('DROP POLICY p ON %I', "table");
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT auth.impersonate('alice', is_local => false);
-- The operator does leak, where nothing forbids it: without policies, and, once executed, with one that shows all.
SELECT leaks($$EXPLAIN SELECT FROM open WHERE body <<< 'm'$$) AS "without policies";
SELECT * FROM with_policy('true');
-- Each form of a policy that the extension changes, or leaves as it is.
SELECT condition, p.* FROM unnest(ARRAY[
    'user_id = auth.user_id()',
    'user_id = (SELECT auth.user_id())',
    '(SELECT auth.user_id() = user_id)',
    '(SELECT auth.user_id()) = user_id AND (SELECT auth.user_id() IS NOT NULL)',
    'CASE WHEN auth.user_id() IS NULL THEN false ELSE user_id = auth.user_id() END',
    'auth.is_team_member(user_id) OR user_id = auth.claim(''sub'')',
    'user_id IN (SELECT o.user_id FROM open o WHERE o.user_id = auth.user_id())']) WITH ORDINALITY AS c(condition, n)
 CROSS JOIN LATERAL with_policy(condition) AS p ORDER BY n, 2;
SELECT auth.logout();
SET client_min_messages = warning;
DROP SCHEMA statistics CASCADE;
