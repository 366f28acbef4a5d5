-- The two roles that applications act as.

CREATE FUNCTION neon_auth.setup_roles() RETURNS void
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    role_name text;
    existing record;
    has_public constant boolean := to_regnamespace('public') IS NOT NULL;
BEGIN
    FOREACH role_name IN ARRAY '{authenticated,anonymous}'::text[] LOOP
        IF to_regrole(role_name) IS NULL THEN
            -- Roles belong to all databases: somebody in another one may create it at this moment.
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
        SELECT rolsuper, rolbypassrls INTO existing FROM pg_roles WHERE rolname = role_name;
        IF existing.rolsuper OR existing.rolbypassrls THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_role_specification',
                MESSAGE = format('role "%s" bypasses row-level security', role_name),
                DETAIL = 'It exists and is a superuser or has BYPASSRLS.',
                HINT = format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS;', role_name);
        END IF;
        IF has_public THEN
            EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role_name);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth.setup_roles() IS
    'Creates the roles authenticated and anonymous (NOLOGIN) with USAGE on schema public; grant tables yourself. '
    'Can be repeated';
REVOKE ALL ON FUNCTION neon_auth.setup_roles() FROM PUBLIC;
