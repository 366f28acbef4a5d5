-- \df+ neon_auth.* lists what the extension calls itself beside what it offers. All but these say so.
DO $$
DECLARE
    offered CONSTANT text[] := '{upsert_user,upsert_users,delete_user,upsert_teams,handle_webhook,receive_webhook,
        prune_deliveries,sync,create_keys,transfer_ownership,add_provider,drop_provider,configure,set_secret,env,
        verify_jwt,inspect_jwt,refresh_jwks,setup_roles}';
    own regprocedure;
    kind text;
    says text;
BEGIN
    FOR own, kind, says IN
        SELECT p.oid, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, obj_description(p.oid, 'pg_proc')
          FROM pg_proc p
          JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
         WHERE e.extname = 'neon_auth' AND p.pronamespace = 'neon_auth'::regnamespace AND p.proname <> ALL (offered)
    LOOP
        EXECUTE format('COMMENT ON %s %s IS %L', kind, own, 'Internal: ' || says);
    END LOOP;
END
$$;
COMMENT ON SEQUENCE neon_auth.sync_runs_id_seq IS 'Internal: numbers sync_runs';
