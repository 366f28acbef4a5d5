-- Advice about policies that do not do what their text suggests, or that do not work.
BEGIN;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO PUBLIC;
SET LOCAL search_path = advised;
CREATE FUNCTION make(name text, condition text, command text DEFAULT 'SELECT') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, owner text NOT NULL, team_id text, published boolean NOT NULL)', name);
    EXECUTE format('CREATE INDEX ON %I (owner)', name);
    EXECUTE format('CREATE INDEX ON %I (team_id)', name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY p ON %I FOR %s TO authenticated %s (%s)', name, command,
                   CASE command WHEN 'INSERT' THEN 'WITH CHECK' ELSE 'USING' END, condition);
    EXECUTE format('GRANT %s ON %I TO authenticated', CASE command WHEN 'ALL' THEN 'SELECT, INSERT, UPDATE, DELETE' ELSE command END, name);
END
$$;

-- A column of a sub-select's table that hides one of the policy's table.
CREATE TABLE members (team_id text, user_id text NOT NULL, rank int, number int, "Odd name" text);
CREATE INDEX ON members (user_id);
ALTER TABLE members ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON members USING (user_id = auth.user_id());
GRANT SELECT ON members TO authenticated;
SELECT count(make(name, condition)) FROM (VALUES
    ('hidden', 'EXISTS (SELECT FROM members WHERE members.team_id = team_id AND user_id = auth.user_id())'),
    ('hidden_alias', 'owner = auth.user_id() OR EXISTS (SELECT FROM members AS m WHERE m.user_id = auth.user_id() AND team_id = m.team_id)'),
    ('hidden_list', 'auth.user_id() IN (SELECT m.user_id FROM members m WHERE m.team_id IN (team_id))'),
    ('hidden_deep', 'EXISTS (SELECT FROM members WHERE user_id IN (SELECT x.user_id FROM members x WHERE x.team_id = team_id AND x.user_id = auth.user_id()))'),
    -- Alike: named by its table; another column of it; a column that the policy's table does not have, or not of this type.
    ('named', 'EXISTS (SELECT FROM members m WHERE m.team_id = named.team_id AND m.user_id = auth.user_id())'),
    ('named_other', 'EXISTS (SELECT FROM members m WHERE m.team_id = m.user_id AND m.user_id = auth.user_id())'),
    ('of_members', 'EXISTS (SELECT FROM members m WHERE m.rank = rank AND m.user_id = auth.user_id())')) AS c(name, condition);
SELECT make('hidden_insert', 'EXISTS (SELECT FROM members WHERE members.team_id = team_id AND user_id = auth.user_id())', 'INSERT');
ALTER TABLE named ADD number text;
ALTER POLICY p ON named USING (EXISTS (SELECT FROM members m WHERE m.team_id = named.team_id AND m.number = number AND m.user_id = auth.user_id()));
CREATE TABLE "Odd table" ("Odd name" text);
ALTER TABLE "Odd table" ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON "Odd table" FOR SELECT USING (EXISTS (SELECT FROM members m WHERE m."Odd name" = "Odd name" AND m.user_id = auth.user_id()));
GRANT SELECT ON "Odd table" TO authenticated;

-- Settings.
CREATE FUNCTION tenant() RETURNS text LANGUAGE sql STABLE RETURN current_setting('app.tenant', true);
SELECT count(make(name, condition)) FROM (VALUES
    ('setting', 'owner = current_setting(''app.user_id'', true)'),
    ('setting_in_function', 'team_id = tenant()'),
    ('setting_in_sub_select', 'team_id IN (SELECT m.team_id FROM members m WHERE m.user_id = current_setting(''app.user_id''))'),
    ('setting_or', 'owner = auth.user_id() OR current_setting(''app.admin'', true) = ''on'''),
    ('setting_of_part', 'published OR owner = auth.user_id() AND team_id = tenant() OR current_setting(''app.x'') = owner'),
    -- Alike: as well as the user; of PostgreSQL; a setting that only superusers set; a restrictive policy that needs a user.
    ('set_and_user', 'owner = auth.user_id() AND team_id = tenant()'),
    ('set_or_user', 'published OR owner = auth.user_id() AND team_id = tenant()'),
    ('set_and_user_below', 'EXISTS (SELECT FROM members m WHERE m.user_id = auth.user_id() AND m.team_id = tenant())'),
    ('set_by_postgres', 'owner = current_setting(''role'')'),
    ('set_by_superusers', 'owner = current_setting(''neon_auth.ca_file'')'),
    ('set_restrictive', 'team_id = tenant()')) AS c(name, condition);
CREATE POLICY r ON set_restrictive AS RESTRICTIVE USING (auth.user_id() IS NOT NULL AND owner = auth.user_id());

-- Policies that another one makes void.
SELECT make('void', 'owner = auth.user_id()'), make('void_signed_in', 'owner = auth.user_id()'),
       make('void_all', 'owner = auth.user_id()', 'ALL'), make('void_by_form', 'owner = auth.user_id()'),
       make('void_of_reads', 'owner = auth.user_id()', 'ALL');
CREATE POLICY every ON void FOR SELECT USING (true);
CREATE POLICY every ON void_signed_in FOR SELECT USING (auth.user_id() IS NOT NULL);
CREATE POLICY every ON void_all USING (true);
CREATE POLICY every ON void_by_form FOR SELECT USING (published OR NOT published);
CREATE POLICY every ON void_of_reads FOR SELECT USING (true);
CREATE POLICY q ON void_of_reads FOR SELECT USING (team_id = ANY (auth.team_ids()));
REVOKE INSERT, UPDATE, DELETE ON void_of_reads FROM authenticated;
-- Alike: all may read, and users write theirs; for another role; not permissive; with a restrictive one for users' rows.
SELECT make('reads', 'owner = auth.user_id()', 'ALL'), make('of_anonymous', 'owner = auth.user_id()'),
       make('restrictive', 'owner = auth.user_id()'), make('restricted', 'owner = auth.user_id()'),
       make('only_open', 'true'), make('other', 'owner = auth.user_id()');
CREATE POLICY every ON reads FOR SELECT USING (true);
CREATE POLICY every ON of_anonymous FOR SELECT TO anonymous USING (true);
GRANT SELECT ON of_anonymous TO anonymous;
CREATE POLICY every ON restrictive AS RESTRICTIVE FOR SELECT USING (true);
CREATE POLICY every ON restricted FOR SELECT USING (true);
CREATE POLICY r ON restricted AS RESTRICTIVE FOR SELECT USING (team_id = ANY (auth.team_ids()));
CREATE POLICY published ON other FOR SELECT USING (published);

-- Policies that read what they restrict: itself, in a circle, through a view.
SELECT make('itself', 'team_id IN (SELECT i.team_id FROM itself i WHERE i.owner = auth.user_id())');
CREATE TABLE circle_two (team_id text, owner text NOT NULL);
SELECT make('circle_one', 'team_id IN (SELECT t.team_id FROM circle_two t)');
ALTER TABLE circle_two ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON circle_two FOR SELECT USING (team_id IN (SELECT o.team_id FROM circle_one o));
GRANT SELECT ON circle_two TO authenticated;
SELECT make('leads_to_circle', 'team_id IN (SELECT o.team_id FROM circle_one o)', 'DELETE');
SELECT make('checks_itself', 'NOT EXISTS (SELECT FROM checks_itself c WHERE c.owner = auth.user_id())', 'INSERT');
CREATE POLICY q ON checks_itself FOR SELECT USING (team_id IN (SELECT i.team_id FROM checks_itself i));
GRANT SELECT ON checks_itself TO authenticated;
CREATE TABLE by_view (team_id text, owner text NOT NULL);
CREATE VIEW of_by_view AS SELECT * FROM by_view;
ALTER TABLE by_view ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON by_view FOR SELECT USING (team_id IN (SELECT v.team_id FROM of_by_view v WHERE v.owner = auth.user_id()));
CREATE ROLE advised_viewer NOLOGIN;
GRANT CREATE ON SCHEMA advised TO advised_viewer;
GRANT SELECT ON by_view TO authenticated, advised_viewer;
ALTER VIEW of_by_view OWNER TO advised_viewer;
GRANT SELECT ON of_by_view TO authenticated;
-- Alike: a chain that ends; through a view of an owner to whom no policy applies; a policy for another command; a role to
-- whom the policy does not apply.
SELECT make('chain_one', 'team_id IN (SELECT o.team_id FROM chain_two o)') FROM make('chain_two', 'team_id IN (SELECT m.team_id FROM members m)');
CREATE TABLE by_open_view (team_id text, owner text NOT NULL);
CREATE VIEW of_by_open_view AS SELECT * FROM by_open_view;
ALTER TABLE by_open_view ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON by_open_view FOR SELECT USING (team_id IN (SELECT v.team_id FROM of_by_open_view v WHERE v.owner = auth.user_id()));
GRANT SELECT ON by_open_view, of_by_open_view TO authenticated;
SELECT make('inserts_of_others', 'team_id IN (SELECT i.team_id FROM inserts_of_others i)', 'INSERT');
CREATE POLICY q ON inserts_of_others FOR SELECT USING (owner = auth.user_id());
GRANT SELECT ON inserts_of_others TO authenticated;
SELECT make('itself_of_others', 'owner = auth.user_id()');
CREATE POLICY q ON itself_of_others TO stranger USING (team_id IN (SELECT i.team_id FROM itself_of_others i));

\pset format unaligned
SELECT severity, code, object, problem FROM neon_auth.advice
 WHERE object ~ '\madvised\.' AND code NOT IN ('evaluated_per_row', 'definer_function', 'view_bypasses_policies');
-- What the errors say is so.
GRANT authenticated TO CURRENT_USER;
SET ROLE authenticated;
DO $$
DECLARE
    statement text;
BEGIN
    FOREACH statement IN ARRAY '{TABLE itself,TABLE circle_one,TABLE circle_two,DELETE FROM leads_to_circle,TABLE checks_itself,TABLE by_view,
                                 TABLE by_open_view,TABLE chain_one,INSERT INTO inserts_of_others DEFAULT VALUES,TABLE itself_of_others}'::text[] LOOP
        BEGIN
            EXECUTE statement;
            RAISE NOTICE '%: no error', statement;
        EXCEPTION WHEN OTHERS THEN
            RAISE NOTICE '%: %', statement, sqlstate;
        END;
    END LOOP;
END
$$;
RESET ROLE;
SET LOCAL client_min_messages = warning;
SELECT code, object, remedy, outcome FROM public.follow_advice('%advised.%')
 WHERE code NOT IN ('evaluated_per_row', 'definer_function', 'view_bypasses_policies');
ROLLBACK;
