-- Advice about privileges that no policy restricts.
BEGIN;
CREATE SCHEMA advised;
GRANT USAGE ON SCHEMA advised TO PUBLIC;
SET LOCAL search_path = advised;
CREATE FUNCTION make(name text, owner text DEFAULT 'postgres') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (id int PRIMARY KEY, user_id text NOT NULL)', name);
    EXECUTE format('CREATE INDEX ON %I (user_id)', name);
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY own ON %I USING (user_id = auth.user_id())', name);
    EXECUTE format('ALTER TABLE %I OWNER TO %I', name, owner);
END
$$;
CREATE ROLE advised_manager LOGIN;
CREATE ROLE advised_owner LOGIN;
CREATE ROLE advised_group NOLOGIN;
CREATE ROLE advised_group_login LOGIN IN ROLE advised_group;
CREATE ROLE advised_nologin NOLOGIN;
CREATE ROLE advised_bypass LOGIN BYPASSRLS;
GRANT USAGE, CREATE ON SCHEMA advised TO advised_owner, advised_group, advised_nologin, advised_bypass;

-- Privileges: of a role, of PUBLIC, of a role that it inherits from, of a column, and granted by another role.
SELECT make('everything'), make('only_truncate'), make('only_trigger'), make('only_references'), make('of_public'),
       make('of_group'), make('of_manager');
GRANT ALL ON everything TO authenticated;
GRANT TRUNCATE ON only_truncate TO authenticated;
GRANT SELECT, TRIGGER ON only_trigger TO anonymous;
GRANT REFERENCES (id) ON only_references TO authenticated;
GRANT TRUNCATE ON of_public TO PUBLIC;
GRANT advised_group TO authenticated;
GRANT TRUNCATE ON of_group TO advised_group;
GRANT ALL ON of_manager TO advised_manager WITH GRANT OPTION;
GRANT SELECT ON of_manager TO authenticated;
GRANT USAGE ON SCHEMA advised TO advised_manager;
SET LOCAL ROLE advised_manager;
GRANT TRUNCATE, SELECT ON of_manager TO authenticated;
RESET ROLE;
-- Alike: what policies restrict; a role that is not an application's; no USAGE on the schema; an owner.
SELECT make('dml'), make('of_stranger'), make('of_owner', 'authenticated');
GRANT SELECT, INSERT, UPDATE, DELETE ON dml TO authenticated;
GRANT ALL ON of_stranger TO stranger;
CREATE SCHEMA closed_advised;
CREATE TABLE closed_advised.t (id int);
ALTER TABLE closed_advised.t ENABLE ROW LEVEL SECURITY;
GRANT ALL ON closed_advised.t TO authenticated;
ALTER TABLE of_owner FORCE ROW LEVEL SECURITY;

-- Tables that only a login can use, as their owner.
SELECT make('owned', 'advised_owner'), make('owned_by_group', 'advised_nologin'), make('owned_bypass', 'advised_bypass');
GRANT advised_nologin TO advised_group_login;
-- Alike: forced; granted to others; of an owner who cannot log in; policies that read no user; a superuser.
CREATE ROLE advised_alone NOLOGIN;
GRANT CREATE ON SCHEMA advised TO advised_alone;
SELECT make('owned_forced', 'advised_owner'), make('owned_granted', 'advised_owner'), make('owned_granted_column', 'advised_owner'),
       make('owned_alone', 'advised_alone'), make('owned_other', 'advised_owner'), make('owned_superuser');
ALTER TABLE owned_forced FORCE ROW LEVEL SECURITY;
GRANT SELECT ON owned_granted TO stranger;
GRANT SELECT (id) ON owned_granted_column TO stranger;
ALTER POLICY own ON owned_other USING (user_id = 'x');

\pset format unaligned
SELECT severity, code, object, problem FROM neon_auth.advice WHERE object ~ '\madvised[._]';
SELECT code, object, remedy, outcome FROM public.follow_advice('%advised.%');
-- Nothing is left of what another role granted, and the current role is what it was.
SELECT has_table_privilege('authenticated', 'of_manager', 'TRUNCATE'), current_user;
ROLLBACK;

-- What other grantors granted is revoked by each remedy: of tables, routines, schemas and roles.
BEGIN;
CREATE ROLE advised_manager NOLOGIN;
CREATE ROLE advised_bypass NOLOGIN BYPASSRLS;
CREATE FOREIGN DATA WRAPPER advised_wrapper;
CREATE SERVER advised_server FOREIGN DATA WRAPPER advised_wrapper;
CREATE FOREIGN TABLE public.advised_elsewhere (id int) SERVER advised_server;
GRANT USAGE ON SCHEMA public, neon_auth TO advised_manager;
GRANT USAGE ON SCHEMA neon_auth_internal TO advised_manager WITH GRANT OPTION;
GRANT SELECT ON public.advised_elsewhere TO advised_manager WITH GRANT OPTION;
GRANT EXECUTE ON FUNCTION neon_auth.delete_user TO advised_manager WITH GRANT OPTION;
GRANT advised_bypass TO advised_manager WITH ADMIN OPTION;
SET LOCAL ROLE advised_manager;
GRANT SELECT ON public.advised_elsewhere TO authenticated WITH GRANT OPTION;
GRANT USAGE ON SCHEMA neon_auth_internal TO anonymous;
GRANT EXECUTE ON FUNCTION neon_auth.delete_user TO authenticated;
GRANT advised_bypass TO authenticated;
SET LOCAL ROLE authenticated;
GRANT SELECT ON public.advised_elsewhere TO anonymous;
RESET ROLE;
SET LOCAL client_min_messages = error;
SELECT code, object, outcome FROM public.follow_advice('%')
 WHERE code IN ('rls_impossible', 'administration_granted', 'role_bypasses_policies');
ROLLBACK;
