-- What a role may do with a relation, as far as GRANT decides.

CREATE FUNCTION neon_auth_internal.needed_privileges(command text) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN CASE command WHEN 'SELECT' THEN ARRAY['SELECT']
                    WHEN 'SELECT FOR UPDATE' THEN ARRAY['SELECT', 'UPDATE']
                    WHEN 'INSERT' THEN ARRAY['INSERT']
                    WHEN 'INSERT RETURNING' THEN ARRAY['INSERT', 'SELECT']
                    WHEN 'UPDATE' THEN ARRAY['UPDATE', 'SELECT']
                    WHEN 'DELETE' THEN ARRAY['DELETE', 'SELECT'] END;
COMMENT ON FUNCTION neon_auth_internal.needed_privileges(text) IS
    'Privileges that a command needs on its table: UPDATE and DELETE find their row by its key, and so read it';

-- PostgreSQL and extensions decide about their objects. 16384 is the first OID of others.
CREATE FUNCTION neon_auth_internal.belongs_to(class oid, object oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN object < 16384 AND (class, object) <> ('pg_namespace'::regclass, 'public'::regnamespace)
            THEN 'PostgreSQL'
            ELSE (SELECT format('the extension %I', e.extname)
                    FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
                   WHERE d.classid = class AND d.objid = object AND d.deptype = 'e'
                     AND d.refclassid = 'pg_extension'::regclass) END;
COMMENT ON FUNCTION neon_auth_internal.belongs_to(oid, oid) IS
    'PostgreSQL or the extension that an object belongs to; NULL for objects of users';

CREATE FUNCTION neon_auth_internal.missing_grant(privilege text, what text, object oid, role oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE WHEN o.owner IS NULL
                    THEN format('missing: GRANT %s ON %s%s TO %I;', privilege, nullif(what, 'TABLE') || ' ', o.name,
                                pg_get_userbyid(role))
                    ELSE format('missing; %s belongs to %s, whose documentation says what to grant', o.name,
                                o.owner) END
          FROM (SELECT CASE what WHEN 'SCHEMA' THEN object::regnamespace::text ELSE object::regclass::text END,
                       neon_auth_internal.belongs_to(
                           CASE what WHEN 'SCHEMA' THEN 'pg_namespace'::regclass ELSE 'pg_class'::regclass END, object)
               ) AS o(name, owner));
COMMENT ON FUNCTION neon_auth_internal.missing_grant(text, text, oid, oid) IS
    'What to do about a privilege that a role lacks on a TABLE, a SEQUENCE or a SCHEMA';

CREATE FUNCTION neon_auth_internal.explain_privileges(relation oid, command text, given jsonb, role oid)
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text[] := neon_auth_internal.key_columns(relation);
    schema record;
    privilege text;
    used text[];
BEGIN
    SELECT n.oid, n.nspname INTO schema
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
    expression := NULL;
    step := 'schema';
    name := quote_ident(schema.nspname);
    kind := 'USAGE';
    result := has_schema_privilege(role, schema.oid, 'USAGE');
    reason := CASE WHEN NOT result THEN neon_auth_internal.missing_grant('USAGE', 'SCHEMA', schema.oid, role) END;
    RETURN NEXT;

    FOREACH privilege IN ARRAY neon_auth_internal.needed_privileges(command) LOOP
        step := 'table';
        name := relation::regclass::text;
        kind := privilege;
        reason := NULL;
        result := has_table_privilege(role, relation, privilege);
        IF result OR privilege = 'DELETE' OR NOT has_any_column_privilege(role, relation, privilege) THEN
            IF NOT result THEN
                reason := neon_auth_internal.missing_grant(privilege, 'TABLE', relation, role);
            END IF;
            RETURN NEXT;
            CONTINUE;
        END IF;
        result := true;
        SELECT 'only for the columns ' || string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO reason
          FROM pg_attribute a
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
           AND has_column_privilege(role, relation, a.attnum, privilege);
        RETURN NEXT;
        -- A condition on the key, or RETURNING, reads it; new values write their columns.
        used := CASE WHEN given IS NULL THEN '{}'::text[]
                     WHEN privilege = 'SELECT' THEN key
                     WHEN privilege = 'INSERT' THEN ARRAY(SELECT jsonb_object_keys(given))
                     WHEN privilege = 'UPDATE' AND command = 'UPDATE' THEN ARRAY(SELECT jsonb_object_keys(given - key))
                     ELSE '{}' END;
        step := 'column';
        result := false;
        FOR name IN SELECT c FROM unnest(used) AS c WHERE NOT has_column_privilege(role, relation, c, privilege) LOOP
            reason := neon_auth_internal.missing_grant(format('%s (%I)', privilege, name), 'TABLE', relation, role);
            name := quote_ident(name);
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_privileges(oid, text, jsonb, oid) IS
    'Steps of explain_policy: privileges on the schema, the table and columns';

CREATE FUNCTION neon_auth_internal.row_security_remedy(relation oid, what text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce('; the table belongs to ' || neon_auth_internal.belongs_to('pg_class'::regclass, relation),
                format(': ALTER TABLE %s %s ROW LEVEL SECURITY;', relation::regclass, what));
COMMENT ON FUNCTION neon_auth_internal.row_security_remedy(oid, text) IS
    'The end of a reason why no policy binds a role: the statement that changes it, or whose table it is';

CREATE FUNCTION neon_auth_internal.row_security(relation oid, role oid, OUT binds boolean, OUT kind text,
    OUT reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT k.kind = 'on', k.kind,
           CASE k.kind WHEN 'off'
                       THEN 'not enabled' || neon_auth_internal.row_security_remedy(relation, 'ENABLE')
                       WHEN 'none' THEN 'relations of this kind have no policies'
                       WHEN 'superuser' THEN 'the role is a superuser, whom no policy binds'
                       WHEN 'bypassrls' THEN 'the role has BYPASSRLS, so no policy binds it'
                       WHEN 'owner' THEN format('the role has the rights of the owner %I, whom no policy binds without '
                                                'FORCE', pg_get_userbyid(k.relowner))
                                         || neon_auth_internal.row_security_remedy(relation, 'FORCE')
                       ELSE 'the policies decide' END
      FROM (SELECT c.relowner,
                   CASE WHEN c.relkind NOT IN ('r', 'p') THEN 'none' WHEN NOT c.relrowsecurity THEN 'off'
                        WHEN r.rolsuper THEN 'superuser' WHEN r.rolbypassrls THEN 'bypassrls'
                        WHEN NOT c.relforcerowsecurity AND pg_has_role(role, c.relowner, 'USAGE') THEN 'owner'
                        ELSE 'on' END AS kind
              FROM pg_class c, pg_roles r
             WHERE c.oid = relation AND r.oid = role) AS k
$$;
COMMENT ON FUNCTION neon_auth_internal.row_security(oid, oid) IS
    'Whether the policies of a table bind a role, and why not';
