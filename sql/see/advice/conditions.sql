-- The conditions of policies, and what is known of each.

CREATE FUNCTION neon_auth_internal.condition_facts(
    condition pg_node_tree, "table" oid, role oid, user_id oid, uid oid
) RETURNS TABLE (
    nobody text, ownerless text, signed_in text, has_reader boolean, compared smallint[], cast_columns smallint[],
    owner_columns smallint[], columns smallint[],
    is_correlated boolean, row_calls oid[], volatile_calls oid[], written text, settings text[],
    set_clause_calls oid[], set_clause_row_calls oid[], set_clause_compared smallint[], called_once text,
    reads oid[], hidden text[], unhidden text)
LANGUAGE c STABLE ROWS 1 COST 100 AS 'MODULE_PATHNAME', 'neon_auth_condition_facts';
COMMENT ON FUNCTION neon_auth_internal.condition_facts(pg_node_tree, oid, oid, oid, oid) IS
    'What is known of a condition of a policy: what passes with nobody signed in, and how it is evaluated';

-- The policies that apply to a role of an application, and to something that this role may do.
CREATE FUNCTION neon_auth_internal.advised_policies() RETURNS TABLE (
    policy oid, name text, "table" oid, command "char", is_permissive boolean, roles oid[], role_names text,
    for_everybody boolean)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1000 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.oid, quote_ident(p.polname), p.polrelid, p.polcmd, p.polpermissive,
           array_agg(a.role ORDER BY a.role DESC), string_agg(a.role_name, ', ' ORDER BY a.role_name COLLATE "C"),
           bool_or(a.is_everybody)
      FROM neon_auth_internal.advised_relations() a
      JOIN pg_class c ON c.oid = a.relation AND c.relkind IN ('r', 'p') AND c.relrowsecurity
      JOIN pg_policy p ON p.polrelid = a.relation
     WHERE CASE p.polcmd WHEN 'r' THEN a.selects WHEN 'a' THEN a.inserts WHEN 'w' THEN a.updates
                         WHEN 'd' THEN a.deletes ELSE true END
       AND EXISTS (SELECT FROM unnest(p.polroles) AS r(oid)
                    WHERE r.oid = 0 OR a.role <> 0 AND pg_has_role(a.role, r.oid, 'USAGE'))
     GROUP BY p.oid, p.polname, p.polrelid, p.polcmd, p.polpermissive
$$;
COMMENT ON FUNCTION neon_auth_internal.advised_policies() IS
    'The policies that apply to roles of applications, and to these roles'' privileges';

CREATE FUNCTION neon_auth_internal.advised_conditions() RETURNS TABLE (
    policy oid, name text, "table" oid, command "char", is_permissive boolean, roles oid[], role_names text,
    for_everybody boolean, is_check boolean,
    nobody text, ownerless text, signed_in text, has_reader boolean, compared smallint[], cast_columns smallint[],
    owner_columns smallint[], columns smallint[],
    is_correlated boolean, row_calls oid[], volatile_calls oid[], written text, settings text[],
    set_clause_calls oid[], set_clause_row_calls oid[], set_clause_compared smallint[], called_once text,
    reads oid[], hidden text[], unhidden text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1000 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.*, w.is_check, f.*
      FROM neon_auth_internal.advised_policies() a
      JOIN pg_policy p ON p.oid = a.policy
     CROSS JOIN LATERAL (VALUES (false, p.polqual), (true, p.polwithcheck)) AS w(is_check, condition)
     CROSS JOIN LATERAL neon_auth_internal.condition_facts(
            w.condition, p.polrelid, nullif(a.roles[1], 0),
            'auth.user_id()'::regprocedure, 'auth.uid()'::regprocedure) AS f
$$;
COMMENT ON FUNCTION neon_auth_internal.advised_conditions() IS
    'The conditions of these policies, USING and WITH CHECK, and what is known of each';

CREATE FUNCTION neon_auth_internal.condition_text(policy oid, is_check boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT pg_get_expr(CASE WHEN is_check THEN p.polwithcheck ELSE p.polqual END, p.polrelid, true)
      FROM pg_policy p WHERE p.oid = condition_text.policy
$$;
COMMENT ON FUNCTION neon_auth_internal.condition_text(oid, boolean) IS 'USING or WITH CHECK of a policy, as SQL';

CREATE FUNCTION neon_auth_internal.alter_policy(policy oid, is_check boolean, condition text) RETURNS text
LANGUAGE sql STABLE STRICT SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('ALTER POLICY %I ON %s %s (%s);', p.polname, p.polrelid::regclass,
                  CASE WHEN is_check THEN 'WITH CHECK' ELSE 'USING' END, condition)
      FROM pg_policy p WHERE p.oid = alter_policy.policy
$$;
COMMENT ON FUNCTION neon_auth_internal.alter_policy(oid, boolean, text) IS
    'A statement that gives a policy another condition';
