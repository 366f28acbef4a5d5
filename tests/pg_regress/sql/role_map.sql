-- role_map: values of a claim, such as an issuer's groups, that stand for Postgres roles. The order of allowed_roles
-- decides, not that of the token; a role that the map does not give is never set.
\set SHOW_CONTEXT never
\pset null '-'
CREATE ROLE map_staff NOLOGIN;
CREATE ROLE map_support NOLOGIN;
CREATE ROLE map_member NOLOGIN;
GRANT map_staff, map_support, map_member TO app;
UPDATE neon_auth.providers
   SET role_claim = 'groups', allowed_roles = '{map_staff,map_support,map_member,anonymous}', allow_anonymous = true,
       role_map = '{"b-support": "map_support", "a-member": "map_member", "c-staff": "map_staff", "d-staff": "map_staff"}';
CREATE FUNCTION public.role_of(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM auth.authenticate(token);
    RETURN current_user;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s %s. %s %s, %s', sqlstate, sqlerrm, detail, current_user, coalesce(auth.user_id(), 'nobody'));
END
$$;
CREATE FUNCTION public.reason_of(token text) RETURNS text LANGUAGE sql SECURITY DEFINER AS
    'SELECT detail FROM neon_auth.inspect_jwt(token) WHERE step = ''outcome''';
\c - app
\set SHOW_CONTEXT never
\set one `"$STACK" token --sub u --claim 'groups="a-member"'`
\set several `"$STACK" token --sub u --claim 'groups=["a-member","unknown","d-staff","b-support"]'`
\set reversed `"$STACK" token --sub u --claim 'groups=["b-support","a-member"]'`
\set object `"$STACK" token --sub u --claim 'groups={"a-member":{"1":"x"},"c-staff":true,"b-support":{"2":"y"}}'`
\set none `"$STACK" token --sub u --claim 'groups=["unknown"]'`
\set text `"$STACK" token --sub u --claim 'groups="unknown"'`
\set role `"$STACK" token --sub u --claim 'groups="map_staff"'`
\set roles `"$STACK" token --sub u --claim 'groups=["map_staff","postgres"]'`
\set case `"$STACK" token --sub u --claim 'groups="A-member"'`
\set odd `"$STACK" token --sub u --claim 'groups=[1,null,["c-staff"],{"c-staff":{}},"a-member"]'`
\set empty `"$STACK" token --sub u --claim 'groups=[]'`
\set number `"$STACK" token --sub u --claim 'groups=1'`
\set truth `"$STACK" token --sub u --claim 'groups=true'`
\set null `"$STACK" token --sub u --claim 'groups=null'`
\set absent `"$STACK" token --sub u`
CREATE TEMP TABLE tokens (n int GENERATED ALWAYS AS IDENTITY, name text, token text);
INSERT INTO tokens (name, token) VALUES
    ('one', :'one'), ('several', :'several'), ('reversed', :'reversed'), ('object', :'object'), ('none', :'none'), ('text', :'text'),
    ('role', :'role'), ('roles', :'roles'), ('case', :'case'), ('odd', :'odd'), ('empty', :'empty'), ('number', :'number'),
    ('truth', :'truth'), ('null', :'null'), ('absent', :'absent');
SELECT name, public.role_of(token) FROM tokens ORDER BY n;
SELECT name, public.reason_of(token) FROM tokens WHERE name IN ('several', 'none') ORDER BY n;
-- With a default role
\c - postgres
UPDATE neon_auth.providers SET default_role = 'map_member';
\c - app
\set SHOW_CONTEXT never
CREATE TEMP TABLE tokens (n int GENERATED ALWAYS AS IDENTITY, name text, token text);
INSERT INTO tokens (name, token) VALUES
    ('several', :'several'), ('none', :'none'), ('text', :'text'), ('role', :'role'), ('roles', :'roles'), ('case', :'case'),
    ('empty', :'empty'), ('number', :'number'), ('null', :'null'), ('absent', :'absent');
SELECT name, public.role_of(token) FROM tokens ORDER BY n;
-- An anonymous user has the role anonymous, whatever groups the token lists.
\set guest `"$STACK" token --sub guest --anonymous --claim 'groups="c-staff"'`
SELECT public.role_of(:'guest');
-- The order of allowed_roles is the administrator's to change; the map cannot name a role beyond it.
\c - postgres
UPDATE neon_auth.providers SET allowed_roles = '{map_member,map_support,map_staff,anonymous}';
\c - app
SELECT public.role_of(:'several');
\c - postgres
UPDATE neon_auth.providers SET allowed_roles = '{map_member,anonymous}';
\echo :SQLSTATE
UPDATE neon_auth.providers SET role_map = '{"x": "postgres"}';
\echo :SQLSTATE
-- A row that was loaded without its triggers is held to the rules by every session.
SET session_replication_role = replica;
UPDATE neon_auth.providers SET role_map = '{"a-member": "postgres"}';
RESET session_replication_role;
\c - app
SELECT auth.authenticate(:'one');
\echo :SQLSTATE
\c - postgres
DROP FUNCTION public.role_of(text), public.reason_of(text);
UPDATE neon_auth.providers SET role_claim = NULL, role_map = NULL, allowed_roles = '{}', default_role = NULL, allow_anonymous = false;
DROP ROLE map_staff, map_support, map_member;
