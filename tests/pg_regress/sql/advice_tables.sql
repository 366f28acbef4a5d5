-- Advice about tables: of each finding a table that fires, and others alike that do not.
BEGIN;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO PUBLIC;
SET LOCAL search_path = advised;

-- Without row-level security. An error if rows can be written, or if there are policies.
CREATE TABLE written (id int);
GRANT SELECT, DELETE ON written TO authenticated;
CREATE TABLE with_policies (id int);
CREATE POLICY p ON with_policies USING (false);
GRANT SELECT (id) ON with_policies TO anonymous;
CREATE TABLE read_only (id int);
GRANT SELECT ON read_only TO PUBLIC;
CREATE TABLE inherited (id int);
CREATE ROLE advised_base NOLOGIN;
GRANT advised_base TO authenticated;
GRANT INSERT ON inherited TO advised_base;
-- A view that nobody is granted, but that another one reads.
CREATE TABLE read_by_views (id int);
ALTER TABLE read_by_views ENABLE ROW LEVEL SECURITY;
CREATE MATERIALIZED VIEW inner_copy AS SELECT * FROM read_by_views;
CREATE VIEW outer_view AS SELECT * FROM inner_copy;
GRANT SELECT ON outer_view TO authenticated;
-- Alike: nobody is granted them, or a role that is not an application's, or the schema is closed.
CREATE TABLE not_granted (id int);
CREATE TABLE for_reports (id int);
GRANT ALL ON for_reports TO stranger;
CREATE SCHEMA closed_advised;
CREATE TABLE closed_advised.t (id int);
GRANT ALL ON closed_advised.t TO authenticated;
CREATE TABLE enabled (id int, user_id text NOT NULL);
CREATE INDEX ON enabled (user_id);
ALTER TABLE enabled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON enabled USING (user_id = auth.user_id());
GRANT ALL ON enabled TO authenticated;

-- No policy applies to the roles that may use the table.
CREATE TABLE no_policy (id int);
ALTER TABLE no_policy ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON no_policy TO authenticated;
CREATE TABLE policy_of_others (LIKE no_policy);
ALTER TABLE policy_of_others ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON policy_of_others TO stranger USING (true);
GRANT SELECT ON policy_of_others TO authenticated;
-- By ownership, so that there is nothing to revoke.
GRANT CREATE ON SCHEMA advised TO authenticated;
CREATE TABLE of_owner (id int);
ALTER TABLE of_owner ENABLE ROW LEVEL SECURITY;
ALTER TABLE of_owner FORCE ROW LEVEL SECURITY;
ALTER TABLE of_owner OWNER TO authenticated;
-- Alike: locked on purpose, or a policy for the role that it inherits from.
CREATE TABLE locked (id int);
ALTER TABLE locked ENABLE ROW LEVEL SECURITY;
CREATE TABLE policy_of_base (id int);
ALTER TABLE policy_of_base ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON policy_of_base FOR SELECT TO advised_base USING (true);
GRANT ALL ON policy_of_base TO authenticated;

-- Only restrictive policies.
CREATE TABLE only_restrictive (id int);
ALTER TABLE only_restrictive ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON only_restrictive AS RESTRICTIVE USING (id > 0);
GRANT SELECT ON only_restrictive TO authenticated;
-- Alike: beside a permissive one.
CREATE TABLE both_kinds (LIKE only_restrictive);
ALTER TABLE both_kinds ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON both_kinds AS RESTRICTIVE USING (id > 0);
CREATE POLICY q ON both_kinds FOR SELECT USING (id < 10);
GRANT SELECT ON both_kinds TO authenticated;

-- Partitions and children of a table with policies: an error if applications may use them, whatever they may do.
CREATE TABLE parent (id int, user_id text NOT NULL) PARTITION BY RANGE (id);
CREATE INDEX ON parent (user_id);
ALTER TABLE parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON parent USING (user_id = auth.user_id());
CREATE TABLE part PARTITION OF parent FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);
CREATE TABLE part_of_part PARTITION OF part FOR VALUES FROM (0) TO (10);
CREATE TABLE child (extra text) INHERITS (enabled);
CREATE TABLE part_not_granted PARTITION OF parent FOR VALUES FROM (10) TO (20);
CREATE TABLE part_enabled PARTITION OF parent FOR VALUES FROM (20) TO (30);
ALTER TABLE part_enabled ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON parent, part, part_of_part, child, part_enabled TO authenticated;
-- Alike: of a table without policies.
CREATE TABLE open_parent (id int) PARTITION BY RANGE (id);
CREATE TABLE open_part PARTITION OF open_parent FOR VALUES FROM (0) TO (10);
GRANT SELECT ON open_part TO authenticated;

-- Without a policy, but with a column that says whose the row is: a reference, or a default.
CREATE TABLE referring (id int, "Of user" text REFERENCES neon_auth.users_sync (id));
CREATE TABLE by_default (id int, who text DEFAULT auth.user_id());
ALTER TABLE referring ENABLE ROW LEVEL SECURITY;
ALTER TABLE by_default ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON by_default TO stranger USING (true);
GRANT SELECT ON referring, by_default TO authenticated;

-- Policies for UPDATE and DELETE, but none for SELECT.
CREATE FUNCTION make_writes(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (id int, user_id text NOT NULL, open boolean)', name);
    EXECUTE format('CREATE INDEX ON %I (user_id)', name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY read ON %I FOR UPDATE USING (user_id = auth.user_id())', name);
    EXECUTE format('CREATE POLICY q ON %I FOR DELETE USING (user_id = auth.user_id() AND open)', name);
    EXECUTE format('GRANT SELECT, UPDATE, DELETE ON %I TO authenticated', name);
END
$$;
SELECT count(make_writes(name)) FROM unnest('{blind,blind_delete,with_select,with_all,without_grant,blind_inserts}'::text[]) AS name;
DROP POLICY read ON blind_delete;
-- The remedy shows no role the rows of another role's policy, and does not open what a mistaken policy opens.
SELECT count(make_writes(name)) FROM unnest('{blind_roles,blind_open,blind_setting}'::text[]) AS name;
DROP POLICY q ON blind_roles;
ALTER POLICY read ON blind_roles TO authenticated;
CREATE POLICY marked ON blind_roles FOR UPDATE TO anonymous USING (open);
GRANT SELECT, UPDATE ON blind_roles TO anonymous;
ALTER POLICY q ON blind_open USING (auth.user_id() IS NOT NULL);
ALTER POLICY q ON blind_setting USING (user_id = current_setting('app.user_id', true));
-- Alike: with one for SELECT, or ALL; roles that may not SELECT, so that WHERE is refused; only inserts.
CREATE POLICY r ON with_select FOR SELECT USING (user_id = auth.user_id());
CREATE POLICY r ON with_all USING (user_id = auth.user_id());
REVOKE SELECT ON without_grant FROM authenticated;
DROP POLICY read ON blind_inserts;
ALTER POLICY q ON blind_inserts TO stranger;
CREATE POLICY i ON blind_inserts FOR INSERT TO authenticated WITH CHECK (user_id = auth.user_id());
GRANT INSERT ON blind_inserts TO authenticated;

-- A foreign table.
CREATE FOREIGN DATA WRAPPER advised_wrapper;
CREATE SERVER advised_server FOREIGN DATA WRAPPER advised_wrapper;
CREATE FOREIGN TABLE elsewhere (id int) SERVER advised_server;
GRANT SELECT ON elsewhere TO authenticated;
CREATE FOREIGN TABLE elsewhere_closed (id int) SERVER advised_server;

-- A role that a provider names is an application's, and no longer when no provider names it.
CREATE ROLE advised_staff NOLOGIN;
CREATE TABLE for_staff (id int);
GRANT SELECT ON for_staff TO advised_staff;
UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{advised_staff}' WHERE name = 'stack';
\pset format unaligned
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object ~ 'advised\.';
UPDATE neon_auth.providers SET role_claim = NULL, allowed_roles = '{}' WHERE name = 'stack';
SELECT * FROM public.follow_advice('%advised.%');
-- Where a table has got policies or has lost grants, users still reach their rows.
GRANT authenticated TO CURRENT_USER;
INSERT INTO parent VALUES (1, 'alice'), (2, 'bob');
SELECT neon_auth.upsert_user('{"id": "alice"}');
INSERT INTO referring VALUES (1, 'alice');
INSERT INTO blind VALUES (1, 'alice', true), (2, 'bob', true);
SELECT auth.impersonate('alice');
SET LOCAL ROLE authenticated;
SELECT * FROM parent;
SELECT * FROM referring;
UPDATE blind SET open = false WHERE id > 0 RETURNING *;
RESET ROLE;
ROLLBACK;

-- From one finding to the next, a table that a user can use.
BEGIN;
CREATE TABLE public.advised_chain (id int, user_id text DEFAULT auth.user_id());
GRANT SELECT, INSERT ON public.advised_chain TO authenticated;
GRANT authenticated TO CURRENT_USER;
SELECT code, remedy, outcome FROM public.follow_advice('%advised_chain%');
SELECT code, remedy, outcome FROM public.follow_advice('%advised_chain%');
SELECT code, remedy, outcome FROM public.follow_advice('%advised_chain%');
SELECT auth.impersonate('alice');
SET LOCAL ROLE authenticated;
INSERT INTO public.advised_chain VALUES (1) RETURNING *;
ROLLBACK;

-- Nothing is wrong with the extension itself.
SELECT severity, code, object, problem, remedy FROM neon_auth.advice WHERE object ~ '\m(auth|neon_auth|neon_auth_internal)\.';
-- Who is granted the view can read it, and others cannot.
\c - stranger
SELECT count(*) FROM neon_auth.advice;
\c - postgres
GRANT SELECT ON neon_auth.advice TO stranger;
\c - stranger
SELECT count(*) >= 0 AS readable FROM neon_auth.advice;
SELECT * FROM neon_auth_internal.advise_tables();
\c - postgres
REVOKE SELECT ON neon_auth.advice FROM stranger;
