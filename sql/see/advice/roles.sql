-- The roles for which advice is given: those that applications act as, and those that can become them.

-- Superusers are left out: every grant and every table is theirs. `is_everybody`: users need no claim to act as it.
CREATE FUNCTION neon_auth_internal.application_roles() RETURNS TABLE (oid oid, name text, is_everybody boolean)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 4 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.oid, quote_ident(r.rolname),
           r.rolname IN ('authenticated', 'anonymous')
               OR r.rolname IN (SELECT p.default_role FROM neon_auth_internal.providers p)
      FROM pg_roles r
     WHERE NOT r.rolsuper
       AND (r.rolname IN ('authenticated', 'anonymous')
            OR r.rolname IN (SELECT p.default_role FROM neon_auth_internal.providers p)
            OR r.rolname IN (SELECT unnest(p.allowed_roles) FROM neon_auth_internal.providers p))
    UNION ALL
    SELECT 0, 'PUBLIC', true
$$;
COMMENT ON FUNCTION neon_auth_internal.application_roles() IS
    'Roles that users act as: authenticated, anonymous, those that providers name, and PUBLIC';

-- Membership with SET or INHERIT. Since PostgreSQL 16 a membership may have neither.
CREATE FUNCTION neon_auth_internal.can_act_as(member oid, role oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_has_role(member, role, 'USAGE')
        OR pg_has_role(member, role, CASE WHEN current_setting('server_version_num')::integer < 160000
                                          THEN 'MEMBER' ELSE 'SET' END)
$$;
COMMENT ON FUNCTION neon_auth_internal.can_act_as(oid, oid) IS
    'Whether the first role inherits the privileges of the second, or can set it';

CREATE FUNCTION neon_auth_internal.application_logins() RETURNS TABLE (oid oid, name text, is_application boolean)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE member AS (
        SELECT a.oid FROM neon_auth_internal.application_roles() a WHERE a.oid <> 0
        UNION
        SELECT m.member FROM pg_auth_members m JOIN member r ON r.oid = m.roleid
         WHERE coalesce((to_jsonb(m) ->> 'set_option')::boolean, true)
    )
    SELECT r.oid, quote_ident(r.rolname), a.oid IS NOT NULL
      FROM member
      JOIN pg_roles r ON r.oid = member.oid AND NOT r.rolsuper
      LEFT JOIN neon_auth_internal.application_roles() a ON a.oid = r.oid
$$;
COMMENT ON FUNCTION neon_auth_internal.application_logins() IS
    'Roles that users act as, and all roles that can set one of them, except superusers';

-- A role is restricted by the policies of a table unless one of these is true.
CREATE FUNCTION neon_auth_internal.passes_by(role oid, "table" oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.rolsuper OR r.rolbypassrls OR NOT c.relforcerowsecurity AND pg_has_role(r.oid, c.relowner, 'USAGE')
      FROM pg_roles r, pg_class c WHERE r.oid = passes_by.role AND c.oid = passes_by."table"
$$;
COMMENT ON FUNCTION neon_auth_internal.passes_by(oid, oid) IS
    'Whether no policy of the table applies to the role: a superuser, BYPASSRLS, or the owner without FORCE';
