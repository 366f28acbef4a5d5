-- Privileges on all objects, independent of ALTER DEFAULT PRIVILEGES.
REVOKE ALL ON SCHEMA auth, neon_auth FROM PUBLIC;
GRANT USAGE ON SCHEMA auth, neon_auth TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA auth TO PUBLIC;
REVOKE ALL ON FUNCTION auth.impersonate(text, jsonb, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION auth.create_api_key(text, interval, text[], text), auth.revoke_api_key(text),
    auth.api_keys() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION neon_auth.verify_jwt(text) TO PUBLIC;
-- A view checks that its reader has EXECUTE on the functions in it, but not USAGE on their schema. So PUBLIC
-- can execute these functions, but only through a view.
REVOKE ALL ON SCHEMA neon_auth_internal FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA neon_auth_internal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION neon_auth_internal.fills_mirror(text),
    neon_auth_internal.rest_base(text), neon_auth_internal.service(text, text),
    neon_auth_internal.is_of_provider(jsonb, text), neon_auth_internal.judge_jwks(jsonb),
    neon_auth_internal.table_keys(),
    neon_auth_internal.discovery_url(text), neon_auth_internal.time_of(bigint),
    neon_auth_internal.better_auth_defect(text), neon_auth_internal.feeds_mirror(text),
    neon_auth_internal.unbound_better_auth(), neon_auth_internal.api_key_refusal(text),
    neon_auth_internal.actor_in_wal(), neon_auth_internal.worker_state(), neon_auth_internal.counters(),
    neon_auth_internal.token_cache(),
    neon_auth_internal.advise_tables(), neon_auth_internal.advise_policies(), neon_auth_internal.advise_roles(),
    neon_auth_internal.advise_mistakes(), neon_auth_internal.advise_privileges(),
    neon_auth_internal.advise_views(), neon_auth_internal.advise_functions(), neon_auth_internal.advise_speed(),
    neon_auth_internal.advise_grants(), neon_auth_internal.advise_providers(), neon_auth_internal.advise_data(),
    neon_auth_internal.advise_citus() TO PUBLIC;

DO $$
DECLARE
    command text;
BEGIN
    FOR command IN
        SELECT format('REVOKE ALL ON %s %s FROM %s CASCADE', o.kind, o.name,
                      CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END)
          FROM (SELECT 'pg_proc'::regclass AS class, oid, 'ROUTINE' AS kind, oid::regprocedure::text AS name,
                       proowner AS owner, proacl AS acl
                  FROM pg_proc
                UNION ALL
                SELECT 'pg_class'::regclass, oid, CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                       oid::regclass::text, relowner, relacl
                  FROM pg_class WHERE relkind IN ('r', 'v', 'S')
                UNION ALL
                SELECT 'pg_namespace'::regclass, oid, 'SCHEMA', quote_ident(nspname), nspowner, nspacl
                  FROM pg_namespace) AS o
          JOIN pg_depend d ON d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
         CROSS JOIN LATERAL (SELECT DISTINCT a.grantee FROM aclexplode(o.acl) AS a) AS g
         WHERE e.extname = 'neon_auth' AND g.grantee <> o.owner AND (g.grantee <> 0 OR o.kind IN ('TABLE', 'SEQUENCE'))
    LOOP
        EXECUTE command;
    END LOOP;
END
$$;
