-- Where a role stands in a token, and which one it is if it names several or none.
\set SHOW_CONTEXT never
\pset format unaligned
\set jwks `"$STACK" jwks --alg RS256`
CREATE ROLE path_editor;
CREATE ROLE path_viewer;
CREATE ROLE path_member;
GRANT path_editor, path_viewer, path_member TO app;
\set nested `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --without role --claim 'app_metadata={"role":"path_editor"}'`
\set url `"$STACK" token --sub u2 --alg RS256 --claim 'iss="https://idp.example.com"' --without role --claim 'https://shop.example.com/role="path_editor"'`
\set hasura `"$STACK" token --sub u3 --alg RS256 --claim 'iss="https://idp.example.com"' --without role --claim 'https://hasura.io/jwt/claims={"x-hasura-default-role":"path_viewer"}'`
\set keycloak `"$STACK" token --sub u4 --alg RS256 --claim 'iss="https://idp.example.com"' --without role --claim 'realm_access={"roles":["offline_access",1,"path_viewer","path_editor"]}'`
\set useless `"$STACK" token --sub u5 --alg RS256 --claim 'iss="https://idp.example.com"' --without role --claim 'realm_access={"roles":["offline_access"]}'`
\set zitadel `"$STACK" token --sub u6 --alg RS256 --claim 'iss="https://idp.example.com"' --without role --claim 'urn:zitadel:iam:org:project:roles={"path_viewer":{"1":"acme"},"path_editor":{"1":"acme"},"path_member":false}'`
\set forbidden `"$STACK" token --sub u7 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'role="service_role"'`
\set number `"$STACK" token --sub u8 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'role=7'`
\set none `"$STACK" token --sub u9 --alg RS256 --claim 'iss="https://idp.example.com"' --claim role=null`
\set guest `"$STACK" token --sub u10 --alg RS256 --claim 'iss="https://idp.example.com"' --claim is_anonymous=true --claim 'role="path_editor"'`
\set trap `"$STACK" token --sub u11 --alg RS256 --claim 'iss="https://idp.example.com"' --without role --claim 'app_metadata.role="path_editor"'`
CREATE TABLE path_tokens (n int, name text, token text);
INSERT INTO path_tokens VALUES (1, 'app_metadata', :'nested'), (2, 'url', :'url'), (3, 'hasura', :'hasura'), (4, 'keycloak', :'keycloak'), (5, 'keycloak, none of ours', :'useless'),
    (6, 'zitadel', :'zitadel'), (7, 'another role', :'forbidden'), (8, 'a number', :'number'), (9, 'null', :'none'), (10, 'anonymous', :'guest'), (11, 'a name with a dot', :'trap');
GRANT SELECT ON path_tokens TO PUBLIC;
CREATE FUNCTION public.try_path(given text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM auth.authenticate(given);
    RETURN current_user;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN sqlstate || ' ' || sqlerrm || '. ' || detail;
END
$$;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks', allow_anonymous => true,
                              role_claim => 'role', allowed_roles => '{path_editor,path_viewer}');
-- Each path, without a default and with one.
CREATE FUNCTION public.set_path(path text, fallback text) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
    UPDATE neon_auth.providers SET role_claim = path, default_role = fallback WHERE name = 'idp';
$$;
CREATE FUNCTION public.try_all(path text, fallback text) RETURNS TABLE (n int, name text, outcome text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_path(path, fallback);
    FOR n, name, outcome IN SELECT t.n, t.name, t.token FROM path_tokens t ORDER BY 1 LOOP
        -- Each in a savepoint of its own, and back to no role.
        BEGIN
            outcome := try_path(outcome);
            RAISE SQLSTATE '99999';
        EXCEPTION WHEN SQLSTATE '99999' THEN
            RETURN NEXT;
        END;
    END LOOP;
END
$$;
\c - app
SELECT path, fallback, t.name, t.outcome
  FROM (VALUES (1, 'role', NULL), (2, 'role', 'path_member'), (3, 'app_metadata.role', NULL), (4, 'https://shop.example.com/role', NULL),
               (5, '"https://hasura.io/jwt/claims".x-hasura-default-role', NULL), (6, 'realm_access.roles', NULL), (7, 'realm_access.roles', 'path_member'),
               (8, 'urn:zitadel:iam:org:project:roles', 'path_member')) AS p(i, path, fallback),
       LATERAL try_all(path, fallback) AS t
 WHERE CASE i WHEN 1 THEN t.n IN (1, 7, 8, 9, 10) WHEN 2 THEN t.n IN (1, 7, 8, 9, 10) WHEN 3 THEN t.n IN (1, 11) WHEN 4 THEN t.n IN (2) WHEN 5 THEN t.n = 3
              WHEN 6 THEN t.n IN (4, 5) WHEN 7 THEN t.n IN (4, 5, 9) ELSE t.n IN (6, 9) END
 ORDER BY i, t.n;
\c - postgres
-- Anonymous users have the role anonymous where the provider lists it, and no other.
UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{path_editor,anonymous}', default_role = NULL WHERE name = 'idp';
BEGIN;
SELECT try_path(:'guest');
ROLLBACK;
-- A default alone, without a claim.
UPDATE neon_auth.providers SET role_claim = NULL, allowed_roles = '{}', default_role = 'path_member' WHERE name = 'idp';
BEGIN;
SELECT try_path(:'forbidden');
ROLLBACK;
BEGIN;
SELECT try_path(:'guest');
ROLLBACK;
UPDATE neon_auth.providers SET allowed_roles = '{anonymous}' WHERE name = 'idp';
BEGIN;
SELECT try_path(:'guest');
ROLLBACK;
-- A role that has become a superuser since is not set, not even for a token that was seen before.
BEGIN;
SELECT try_path(:'forbidden');
ROLLBACK;
ALTER ROLE path_member SUPERUSER;
BEGIN;
SELECT try_path(:'forbidden');
ROLLBACK;
ALTER ROLE path_member NOSUPERUSER BYPASSRLS;
BEGIN;
SELECT try_path(:'forbidden');
ROLLBACK;
ALTER ROLE path_member NOBYPASSRLS;
BEGIN;
SELECT try_path(:'forbidden');
ROLLBACK;
-- Nor one that came by a load with triggers disabled.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE neon_auth.providers SET default_role = 'pg_read_all_data' WHERE name = 'idp';
SELECT try_path(:'forbidden');
UPDATE neon_auth.providers SET default_role = 'postgres' WHERE name = 'idp';
SELECT try_path(:'forbidden');
ROLLBACK;
SELECT neon_auth.drop_provider('idp');
DROP FUNCTION try_all(text, text), set_path(text, text), try_path(text);
DROP TABLE path_tokens;
DROP ROLE path_editor, path_viewer, path_member;
