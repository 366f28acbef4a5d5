-- \df+ neon_auth.* and \dtv+ neon_auth.* list what the extension keeps for itself beside what it offers.
-- All but these say so.
DO $$
DECLARE
    offered CONSTANT text[] := '{upsert_user,upsert_users,delete_user,erase_user,upsert_teams,handle_webhook,receive_webhook,
        prune_deliveries,sync,create_keys,transfer_ownership,add_provider,drop_provider,configure,set_secret,env,
        verify_jwt,inspect_jwt,refresh_jwks,setup_roles}';
    shown CONSTANT text[] := '{users_sync,teams_sync,team_members_sync,team_permissions_sync,project_permissions_sync,
        permission_definitions,deliveries,sync_progress,sync_runs,sync_queue,sync_source,providers,jwks_cache,status,stats}';
    own regprocedure;
    relation regclass;
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
    FOR relation, kind, says IN
        SELECT c.oid, CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, obj_description(c.oid, 'pg_class')
          FROM pg_class c
          JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
         WHERE e.extname = 'neon_auth' AND c.relkind IN ('r', 'v') AND c.relname <> ALL (shown)
    LOOP
        EXECUTE format('COMMENT ON %s %s IS %L', kind, relation, 'Internal: ' || says);
    END LOOP;
END
$$;
COMMENT ON SEQUENCE neon_auth.sync_runs_id_seq IS 'Internal: numbers sync_runs';
