-- neon_auth_internal.evaluate_as: an expression of a policy, as a role with an identity, for one row.
CREATE SCHEMA hidden;
CREATE TABLE notes (id int PRIMARY KEY, owner text, dropped int, public boolean);
ALTER TABLE notes DROP COLUMN dropped;
CREATE TABLE shares (note int, user_id text);
INSERT INTO shares VALUES (1, 'ann'), (2, 'bob');
ALTER TABLE shares ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shares USING (user_id = auth.user_id());
GRANT SELECT ON shares TO authenticated;
CREATE FUNCTION hidden.who() RETURNS text LANGUAGE sql STABLE AS
    $$SELECT current_user || ' ' || current_setting('role') || ' ' || coalesce(auth.user_id(), 'nobody')$$;
CREATE TABLE written (what text);
GRANT INSERT ON written TO authenticated;
CREATE FUNCTION writes() RETURNS boolean LANGUAGE sql AS $$INSERT INTO written VALUES (current_user) RETURNING true$$;
CREATE FUNCTION leaves() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RESET ROLE; RETURN true; END$$;
CREATE FUNCTION own_state() RETURNS boolean LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'AB123'; END$$;
CREATE FUNCTION own_cancel() RETURNS boolean LANGUAGE plpgsql AS
    $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'query_canceled'; END$$;
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY a_own ON notes USING (owner = auth.user_id() AND NOT public);
CREATE POLICY b_shared ON notes USING (public OR EXISTS (SELECT FROM shares s WHERE s.note = notes.id));
CREATE POLICY c_who ON notes USING (hidden.who() = 'authenticated authenticated ann');
CREATE POLICY d_writes ON notes USING (writes());
CREATE POLICY e_leaves ON notes USING (leaves());
CREATE POLICY f_raises ON notes USING (1 / (id - 1) = 1);
CREATE POLICY g_stored ON notes USING (ctid IS NOT NULL OR public);
CREATE POLICY h_state ON notes USING (own_state());
CREATE POLICY h_cancel ON notes USING (own_cancel());
CREATE POLICY i_whole ON notes USING (EXISTS (SELECT FROM (SELECT notes.*) AS n WHERE n = notes AND n.owner = 'ann'));
CREATE POLICY j_hidden ON notes USING (EXISTS (SELECT FROM written));
CREATE POLICY k_nobody ON notes USING (auth.user_id() IS NOT NULL AND owner = auth.user_id());
CREATE FUNCTION results(given text, user_id text) RETURNS TABLE (policy name, part int, sql text, result text)
LANGUAGE sql AS $$
    SELECT polname, e.part, e.sql,
           coalesce(e.value, concat_ws(' ', e.failure, e.sqlstate, e.message), 'NULL')
      FROM pg_policy,
           neon_auth_internal.evaluate_as(polqual::text, polrelid, given, 'authenticated'::regrole, user_id, '{}',
                                          'public') AS e
     WHERE polrelid = 'notes'::regclass ORDER BY 1, 2
$$;
SELECT * FROM results('(1,ann,t)', 'ann');
SELECT policy, part, result FROM results('(2,bob,f)', 'ann');
SELECT policy, part, result FROM results('(1,ann,)', NULL);
-- Without a row: what does not depend on it.
SELECT policy, part, result FROM results(NULL, 'ann');
SELECT policy, part, result FROM results(NULL, NULL) WHERE policy = 'k_nobody';
-- Nothing is left.
SELECT count(*) FROM written;
SELECT current_user = session_user, current_setting('role'), auth.user_id();
-- The identity and the role of before, also within a function of its owner.
BEGIN;
SELECT auth.impersonate('eve');
SET LOCAL ROLE authenticated;
SAVEPOINT a;
SELECT current_user, auth.user_id();
RESET ROLE;
CREATE FUNCTION of_owner() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    found text;
BEGIN
    SELECT string_agg(result, ' ') INTO found FROM results('(1,ann,t)', 'ann') WHERE policy = 'c_who';
    RETURN concat_ws(' ', found, current_user = session_user, auth.user_id(), current_setting('search_path'));
END
$$;
SELECT of_owner();
SELECT auth.user_id();
ROLLBACK;
-- A cancel is not a result.
CREATE POLICY l_loops ON notes USING (pg_sleep(60) IS NULL);
SET statement_timeout = '50ms';
SELECT policy, result FROM results('(1,ann,t)', 'ann') WHERE policy = 'l_loops';
RESET statement_timeout;
SELECT current_user = session_user, current_setting('role'), auth.user_id();
DROP TABLE notes, shares, written;
DROP SCHEMA hidden CASCADE;
DROP FUNCTION results, own_state, own_cancel, writes, leaves;
