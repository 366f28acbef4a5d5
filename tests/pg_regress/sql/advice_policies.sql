-- Advice about policies: what passes with nobody signed in, and what users may write.
BEGIN;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO PUBLIC;
CREATE ROLE advised_staff NOLOGIN;

-- A table for each condition, with an index, so that nothing else is wrong with it. `owner` is never NULL, `editor` can be.
CREATE FUNCTION advised.make(condition text, name text, command text DEFAULT 'SELECT') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE advised.%I (owner text NOT NULL, editor text, published boolean NOT NULL)', name);
    EXECUTE format('CREATE INDEX ON advised.%I (owner)', name);
    EXECUTE format('CREATE INDEX ON advised.%I (editor)', name);
    EXECUTE format('ALTER TABLE advised.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY p ON advised.%I FOR %s TO authenticated %s (%s)', name, command,
                   CASE command WHEN 'INSERT' THEN 'WITH CHECK' ELSE 'USING' END, condition);
    EXECUTE format('GRANT %s ON advised.%I TO authenticated', command, name);
END
$$;
CREATE FUNCTION advised.is_mine(owner text) RETURNS boolean LANGUAGE sql STABLE
    AS 'SELECT owner = auth.user_id() OR auth.user_id() IS NULL';
CREATE FUNCTION advised.is_fine(owner text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT owner = auth.user_id()';
CREATE FUNCTION advised.opaque(owner text) RETURNS boolean LANGUAGE plpgsql STABLE AS 'BEGIN RETURN true; END';
CREATE FUNCTION advised.strict(owner text) RETURNS boolean LANGUAGE plpgsql STABLE STRICT AS 'BEGIN RETURN false; END';
CREATE TABLE advised.blocked (user_id text);

SELECT count(advised.make(condition, 'open_' || name)) FROM (VALUES
    ('is_null', 'auth.user_id() IS NULL OR owner = auth.user_id()'),
    ('not_true', '(owner <> auth.user_id()) IS NOT TRUE'),
    ('distinct', 'owner IS DISTINCT FROM auth.user_id()'),
    ('coalesce', 'coalesce(owner = auth.user_id(), true)'),
    ('claim', 'auth.claim(''blocked'') IS DISTINCT FROM ''true'''),
    ('case', 'CASE WHEN auth.role() = ''user'' THEN owner = auth.user_id() ELSE true END'),
    ('json', '(auth.jwt() ->> ''banned'') IS NULL'),
    ('sub_select', 'coalesce((SELECT auth.user_id() = owner), true)'),
    ('not_exists', 'NOT EXISTS (SELECT FROM advised.blocked b WHERE b.user_id = auth.user_id())'),
    ('not_in', 'coalesce(owner IN (SELECT b.user_id FROM advised.blocked b WHERE b.user_id = auth.user_id()), true) IS FALSE'),
    ('empty_array', 'owner <> ALL (ARRAY(SELECT b.user_id FROM advised.blocked b WHERE b.user_id = auth.user_id()))'),
    ('function', 'advised.is_mine(owner)'),
    ('strict', 'advised.strict(auth.user_id()) IS NULL'),
    ('by_form', 'auth.user_id() = owner OR editor IS NULL OR editor IS NOT NULL'),
    ('by_form_nobody', 'auth.user_id() IS NULL AND (published OR NOT published)')) AS c(name, condition);
SELECT count(advised.make(condition, 'ownerless_' || name)) FROM (VALUES
    ('not_distinct', 'editor IS NOT DISTINCT FROM auth.user_id()'),
    ('or', 'owner = auth.user_id() OR NOT (editor IS DISTINCT FROM auth.user_id())')) AS c(name, condition);
-- Alike, and closed: nothing about these.
SELECT count(advised.make(condition, 'closed_' || name)) FROM (VALUES
    ('equal', 'owner = auth.user_id()'),
    ('sub_select', '(SELECT auth.user_id() = owner)'),
    ('published', 'published OR owner = auth.user_id()'),
    ('true', 'true'),
    ('not_distinct', 'owner IS NOT DISTINCT FROM auth.user_id()'),
    ('coalesce', 'coalesce(owner = auth.user_id(), false)'),
    ('signed_in', 'auth.user_id() IS NOT NULL'),
    ('by_form', 'auth.user_id() IS NULL AND (editor = ''x'' OR editor <> ''x'')'),
    ('claim', 'auth.user_id() = owner AND auth.claim(''blocked'') IS DISTINCT FROM ''true'''),
    ('function', 'advised.is_fine(owner)'),
    ('opaque', 'advised.opaque(auth.user_id()) AND owner = auth.user_id()'),
    ('unknown', 'coalesce(advised.opaque(auth.user_id()), owner = auth.user_id())'),
    ('in', 'owner IN (SELECT b.user_id FROM advised.blocked b WHERE b.user_id = auth.user_id())'),
    ('raises', 'CASE WHEN owner = auth.user_id() THEN 1 / (length(''a'') - 1) > 0 ELSE false END')) AS c(name, condition);
-- Closed by a restrictive policy, and not by one for another command.
SELECT advised.make('auth.user_id() IS NULL OR owner = auth.user_id()', 'closed_restrictive'),
       advised.make('auth.user_id() IS NULL OR owner = auth.user_id()', 'open_restrictive');
CREATE POLICY r ON advised.closed_restrictive AS RESTRICTIVE USING (auth.user_id() IS NOT NULL);
CREATE POLICY r ON advised.open_restrictive AS RESTRICTIVE FOR DELETE USING (auth.user_id() IS NOT NULL);
GRANT DELETE ON advised.open_restrictive TO authenticated;
-- A restrictive policy that passes lets nobody in by itself.
SELECT advised.make('owner = auth.user_id()', 'closed_guests');
CREATE POLICY r ON advised.closed_guests AS RESTRICTIVE TO authenticated USING (auth.is_anonymous() IS NOT TRUE);
-- Without WITH CHECK, USING is what new rows must pass.
SELECT advised.make('auth.user_id() IS NULL OR owner = auth.user_id()', 'closed_insert_restrictive', 'INSERT'),
       advised.make('auth.user_id() IS NULL OR owner = auth.user_id()', 'open_insert_restrictive', 'INSERT');
CREATE POLICY r ON advised.closed_insert_restrictive AS RESTRICTIVE USING (auth.user_id() IS NOT NULL);
CREATE POLICY r ON advised.open_insert_restrictive AS RESTRICTIVE USING (auth.user_id() IS NOT NULL) WITH CHECK (true);
-- A policy of a role that is not an application's, and of a command that is not granted.
SELECT advised.make('auth.user_id() IS NULL', 'closed_role'), advised.make('owner = auth.user_id()', 'closed_command');
ALTER POLICY p ON advised.closed_role TO stranger;
CREATE POLICY q ON advised.closed_command FOR DELETE TO authenticated USING (auth.user_id() IS NULL);
REVOKE ALL ON advised.closed_role FROM authenticated;
-- Inserts.
SELECT advised.make('auth.user_id() IS NULL OR owner = auth.user_id()', 'open_insert', 'INSERT'),
       advised.make('owner = auth.user_id()', 'closed_insert', 'INSERT');

-- Writes to all rows. A role that only a claim gives is trusted.
SELECT advised.make('true', 'all_updates', 'UPDATE'), advised.make('true', 'closed_no_updates', 'SELECT'),
       advised.make('owner = auth.user_id() OR true', 'all_deletes', 'DELETE'),
       advised.make('true', 'closed_inserts', 'INSERT'), advised.make('true', 'closed_by_staff', 'UPDATE');
ALTER POLICY p ON advised.closed_by_staff TO advised_staff;
REVOKE ALL ON advised.closed_by_staff FROM authenticated;
GRANT UPDATE ON advised.closed_by_staff TO advised_staff;

-- Anybody who is signed in, and a claim that not everybody has.
SELECT advised.make('auth.user_id() IS NOT NULL', 'all_signed_in', 'UPDATE'),
       advised.make('(SELECT auth.uid() IS NOT NULL)', 'all_uids', 'DELETE'),
       advised.make('true', 'all_restrictive', 'UPDATE'), advised.make('true', 'closed_by_owner', 'UPDATE'),
       advised.make('auth.user_id() IS NOT NULL AND auth.claim(''staff'') = ''true''', 'closed_staff', 'UPDATE'),
       advised.make('auth.claim(''staff'') IS NOT NULL', 'closed_some_claim', 'UPDATE');
CREATE POLICY r ON advised.all_restrictive AS RESTRICTIVE USING (auth.user_id() IS NOT NULL);
CREATE POLICY r ON advised.closed_by_owner AS RESTRICTIVE USING (owner = auth.user_id());

-- True by its form, and alike: a column that can be NULL, a comparison, another value, a volatile function, two unknown
-- values, more facts than are tried.
SELECT count(advised.make(condition, 'all_' || name, 'UPDATE')) FROM (VALUES
    ('or_not', 'published OR NOT published'),
    ('same', 'owner = owner'),
    ('null_test', 'editor IS NULL OR editor IS NOT NULL'),
    ('negated', '(owner = ''x'') IS NULL OR owner = ''x'' OR owner <> ''x'''),
    ('three_values', '(editor = ''x'') IS TRUE OR (editor = ''x'') IS FALSE OR (editor = ''x'') IS UNKNOWN'),
    ('not_unknown', '(editor = editor) IS NOT FALSE'),
    ('and', '(published OR NOT published) AND (owner IS NOT NULL)')) AS c(name, condition);
SELECT count(advised.make(condition, 'closed_' || name, 'UPDATE')) FROM (VALUES
    ('same_null', 'editor = editor'),
    ('compared', 'owner = ''x'' OR owner <> ''x'''),
    ('negated_null', 'editor = ''x'' OR editor <> ''x'''),
    ('not_negated', 'owner = ''x'' OR owner <> ''y'''),
    ('volatile', 'random() < 0.5 OR random() >= 0.5'),
    ('unknown_values', 'auth.claim(''a'') = owner OR auth.claim(''b'') <> owner'),
    ('and_false', 'published AND NOT published'),
    ('row', 'ROW(editor, owner) IS NULL OR ROW(editor, owner) IS NOT NULL'),
    ('many', (SELECT string_agg(format('owner = ''%s''', n), ' OR ') FROM generate_series(1, 9) AS n) || ' OR published OR NOT published')) AS c(name, condition);

-- Rows that can be given away.
SELECT advised.make('editor IN (SELECT b.user_id FROM advised.blocked b WHERE b.user_id = auth.user_id())', 'given_team', 'UPDATE'),
       advised.make('editor IN (SELECT b.user_id FROM advised.blocked b WHERE b.user_id = auth.user_id())', 'kept_team', 'UPDATE');
ALTER POLICY p ON advised.given_team WITH CHECK (NOT published);
SELECT advised.make('owner = auth.user_id()', 'given', 'UPDATE'), advised.make('owner = auth.user_id()', 'given_partly', 'UPDATE'),
       advised.make('owner = auth.user_id()', 'given_signed_in', 'UPDATE'), advised.make('owner = auth.user_id()', 'given_restrictive', 'UPDATE'),
       advised.make('owner = auth.user_id()', 'kept_list', 'UPDATE'),
       advised.make('owner = auth.user_id()', 'kept', 'UPDATE'), advised.make('owner = auth.user_id()', 'kept_check', 'UPDATE'),
       advised.make('owner = auth.user_id()', 'kept_column', 'UPDATE'), advised.make('owner = auth.user_id()', 'kept_restrictive', 'UPDATE');
ALTER POLICY p ON advised.given WITH CHECK (true);
ALTER POLICY p ON advised.given_partly WITH CHECK (NOT published);
ALTER POLICY p ON advised.given_signed_in WITH CHECK (auth.user_id() IS NOT NULL);
ALTER POLICY p ON advised.given_restrictive WITH CHECK (true);
CREATE POLICY r ON advised.given_restrictive AS RESTRICTIVE FOR UPDATE USING (owner = auth.user_id()) WITH CHECK (NOT published);
ALTER POLICY p ON advised.kept_list WITH CHECK (editor IN (SELECT b.user_id FROM advised.blocked b WHERE b.user_id = auth.user_id()));
ALTER POLICY p ON advised.kept_check WITH CHECK (owner = auth.user_id() AND NOT published);
ALTER POLICY p ON advised.kept_column WITH CHECK (true);
REVOKE UPDATE ON advised.kept_column FROM authenticated;
GRANT UPDATE (editor, published) ON advised.kept_column TO authenticated;
ALTER POLICY p ON advised.kept_restrictive WITH CHECK (true);
CREATE POLICY r ON advised.kept_restrictive AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK (owner = auth.user_id());

-- Rows in the name of others.
SELECT advised.make('owner = auth.user_id()', 'planted'), advised.make('owner = auth.user_id()', 'not_planted');
CREATE POLICY add ON advised.planted FOR INSERT TO authenticated WITH CHECK (NOT published);
CREATE POLICY add ON advised.not_planted FOR INSERT TO authenticated WITH CHECK (NOT published);
GRANT INSERT ON advised.planted TO authenticated;
GRANT INSERT (published) ON advised.not_planted TO authenticated;

UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{advised_staff}' WHERE name = 'stack';
\pset format unaligned
SELECT severity, code, object, problem FROM neon_auth.advice
 WHERE object LIKE '%advised.%' AND code NOT IN ('evaluated_per_row', 'definer_function');
SELECT code, object, remedy, outcome FROM public.follow_advice('policy %advised.%') WHERE code <> 'evaluated_per_row';
ROLLBACK;
