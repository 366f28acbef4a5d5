-- Advice about policies that cost time.
BEGIN;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO PUBLIC;
CREATE PROCEDURE advised.make(name text, condition text, columns text DEFAULT 'owner text, owner_id uuid, team_id text, tags jsonb')
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE advised.%I (%s)', name, columns);
    EXECUTE format('ALTER TABLE advised.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY p ON advised.%I FOR SELECT USING (%s)', name, condition);
    EXECUTE format('GRANT SELECT ON advised.%I TO authenticated', name);
END
$$;
CREATE TABLE advised.members (team_id text, user_id text);
CREATE FUNCTION advised.inlined(text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT $1 = auth.user_id()';
CREATE FUNCTION advised.not_inlined(text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT $1 = auth.user_id()';
CREATE FUNCTION advised.changing() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN auth.user_id(); END';

-- Without an index: each form that an index could serve.
CALL advised.make('no_index', 'owner = auth.user_id()');
CALL advised.make('no_index_list', 'team_id = ANY (auth.team_ids())');
CALL advised.make('no_index_wrapped', '(SELECT auth.user_id() = owner)');
CALL advised.make('no_index_function', 'advised.inlined(owner)');
CALL advised.make('no_index_array', 'team_id = ANY (ARRAY(SELECT m.team_id FROM advised.members m WHERE m.user_id = auth.user_id()))');
-- Alike: with one; that begins with it; not valid for all rows; a table that is known to be small; another comparison.
CALL advised.make('index', 'owner = auth.user_id()');
CREATE INDEX ON advised.index (owner);
CALL advised.make('index_of_two', 'owner = auth.user_id()');
CREATE INDEX ON advised.index_of_two (owner, team_id);
CALL advised.make('index_partial', 'owner = auth.user_id()');
CREATE INDEX ON advised.index_partial (owner) WHERE team_id IS NULL;
CALL advised.make('index_second', 'owner = auth.user_id()');
CREATE INDEX ON advised.index_second (team_id, owner);
CALL advised.make('small', 'owner = auth.user_id()');
INSERT INTO advised.small SELECT 'u' FROM generate_series(1, 10);
ANALYZE advised.small;
CALL advised.make('other', 'owner IS NOT NULL AND auth.user_id() IS NOT NULL');

-- A cast before the comparison.
CALL advised.make('cast_uuid', 'owner_id::text = auth.user_id()');
CALL advised.make('cast_wrapped', 'owner IS NULL OR (SELECT auth.user_id()) = owner_id::text');
CALL advised.make('cast_other', 'number::text = auth.user_id()', 'number bigint');
-- Alike: of the reader; with an index on the expression.
CALL advised.make('cast_reader', 'owner_id = auth.user_id()::uuid');
CREATE INDEX ON advised.cast_reader (owner_id);
CALL advised.make('cast_index', 'owner_id::text = auth.user_id()');
CREATE INDEX ON advised.cast_index ((owner_id::text));
CALL advised.make('cast_varchar', 'owner = auth.user_id()', 'owner varchar(40)');
CREATE INDEX ON advised.cast_varchar (owner);

-- For each row.
CALL advised.make('row_exists', 'EXISTS (SELECT FROM advised.members m WHERE m.team_id = row_exists.team_id AND m.user_id = auth.user_id())');
CALL advised.make('row_member', 'auth.is_team_member(team_id)');
CALL advised.make('row_permission', 'auth.has_permission(''read'', team_id)');
CALL advised.make('row_set', 'advised.not_inlined(owner)');
-- Alike: once for all rows; beside a comparison that finds the rows.
CALL advised.make('once_permission', 'auth.has_permission(''read'')');
CALL advised.make('once_exists', 'EXISTS (SELECT FROM advised.members m WHERE m.user_id = auth.user_id())');
CALL advised.make('once_in', 'team_id IN (SELECT m.team_id FROM advised.members m WHERE m.user_id = auth.user_id())');
CALL advised.make('after_index', 'team_id = ANY (auth.team_ids()) AND auth.has_permission(''read'', team_id)');
CREATE INDEX ON advised.after_index (team_id);

-- Functions with a SET clause.
CREATE FUNCTION advised.me() RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS 'SELECT auth.user_id()';
CREATE FUNCTION advised.my_teams() RETURNS text[] LANGUAGE plpgsql STABLE SET search_path = advised, pg_temp AS 'BEGIN RETURN auth.team_ids(); END';
CREATE FUNCTION advised.parsed(text) RETURNS boolean LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp RETURN $1 = auth.user_id();
CREATE FUNCTION advised.in_zone(text) RETURNS boolean LANGUAGE sql STABLE SET TimeZone = 'UTC' RETURN $1 = auth.user_id() AND now()::text <> $1;
CREATE FUNCTION advised.definer(text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = advised, pg_temp AS 'BEGIN RETURN $1 = auth.user_id(); END';
CREATE FUNCTION advised.changing_me() RETURNS text LANGUAGE plpgsql SET search_path = advised, pg_temp AS 'BEGIN RETURN auth.user_id(); END';
CALL advised.make('set_me', 'owner = advised.me() OR team_id = ANY (advised.my_teams())');
CALL advised.make('set_parsed', 'advised.parsed(owner)');
CALL advised.make('set_zone', 'advised.in_zone(owner)');
CALL advised.make('set_definer', 'advised.definer(owner)');
CALL advised.make('set_wrapped_row', '(SELECT advised.definer(owner))');
CALL advised.make('set_changing', 'owner = advised.changing_me()');
-- Alike: in a sub-select that runs once; beside an index that finds the rows; a table that is known to be small.
CALL advised.make('set_once', 'owner = (SELECT advised.me())');
CALL advised.make('set_index', 'owner = advised.me()');
CREATE INDEX ON advised.set_index (owner);
CALL advised.make('set_after_index', 'owner = auth.user_id() AND advised.definer(owner)');
CREATE INDEX ON advised.set_after_index (owner);
CALL advised.make('set_small', 'owner = advised.me()');
INSERT INTO advised.set_small SELECT 'u' FROM generate_series(1, 10);
ANALYZE advised.set_small;

-- Volatile functions, and one in a sub-select, which runs once.
CALL advised.make('volatile', 'owner = advised.changing()');
CALL advised.make('volatile_own', 'random() < 0.5');
CALL advised.make('once_volatile', 'owner IN (SELECT advised.changing())');

-- An index that queries cannot use, and those that policies use, or whose operators are leakproof.
CALL advised.make('tags', 'owner = auth.user_id()');
CREATE INDEX tags_gin ON advised.tags USING gin (tags);
CREATE INDEX ON advised.tags (owner);
CALL advised.make('tags_in_policy', 'tags ? auth.user_id()');
CREATE INDEX ON advised.tags_in_policy USING gin (tags);
CREATE TABLE advised.tags_open (tags jsonb);
CREATE INDEX ON advised.tags_open USING gin (tags);

\pset format unaligned
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object LIKE '%advised.%' AND code NOT LIKE 'rls%';
SELECT code, object, remedy, outcome FROM public.follow_advice('%advised.%') WHERE code NOT LIKE 'rls%';
-- The remedies do what they say: one call for all rows, and a function that is inlined.
SET LOCAL track_functions = 'all';
INSERT INTO advised.set_me (owner) SELECT 'u' FROM generate_series(1, 50);
INSERT INTO advised.set_parsed SELECT * FROM advised.set_me;
GRANT authenticated TO CURRENT_USER;
SET LOCAL ROLE authenticated;
SELECT count(*) FROM advised.set_me, advised.set_parsed;
RESET ROLE;
SELECT f.name, pg_stat_get_xact_function_calls(f.name) AS calls
  FROM (VALUES ('advised.me'::regproc), ('advised.my_teams'), ('advised.parsed')) AS f(name);
ROLLBACK;
