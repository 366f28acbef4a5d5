-- Advice about the extension: who may use it, whom it trusts, and what its tables are used for.

CREATE FUNCTION neon_auth_internal.advise_grants() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH members AS MATERIALIZED (
        SELECT d.classid, d.objid
          FROM pg_depend d
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
         WHERE e.extname = 'neon_auth' AND d.deptype = 'e'
    ), reached AS MATERIALIZED (
        SELECT c.oid, c.relname, string_agg(a.name, ', ' ORDER BY a.name COLLATE "C") AS roles,
               bool_or(p.writes) AS writes, bool_or(p.reads) AS reads
          FROM members m
          JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid AND c.relkind IN ('r', 'v')
         CROSS JOIN neon_auth_internal.application_roles() a
         CROSS JOIN LATERAL (
                SELECT has_any_column_privilege(a.oid, c.oid, 'INSERT, UPDATE')
                           OR has_table_privilege(a.oid, c.oid, 'DELETE, TRUNCATE, TRIGGER') AS writes,
                       has_any_column_privilege(a.oid, c.oid, 'SELECT') AS reads) AS p
         WHERE (p.writes OR p.reads) AND has_schema_privilege(a.oid, c.relnamespace, 'USAGE')
         GROUP BY c.oid, c.relname
    )
    SELECT 'error', 'administration_granted', format('table %s', r.oid::regclass),
           format('%s can write it: only administrators should.', r.roles),
           neon_auth_internal.revoke_from(r.oid)
      FROM reached r
     WHERE r.writes
    UNION ALL
    SELECT 'warning', 'administration_granted', format('table %s', r.oid::regclass),
           format('%s can read it, with what it contains about everybody.', r.roles),
           neon_auth_internal.revoke_from(r.oid)
      FROM reached r
     WHERE r.reads AND NOT r.writes
       AND r.relname NOT IN ('users_sync', 'teams_sync', 'team_members_sync', 'permission_definitions')
    UNION ALL
    SELECT 'warning', 'mirror_exposed', format('table %s', r.oid::regclass),
           format('%s can read the columns %s of every user: no policy restricts rows of the mirror.', x.roles,
                  x.columns),
           format('%1$s GRANT SELECT (id, name, deleted_at) ON %2$s TO %3$s;', neon_auth_internal.revoke_from(r.oid),
                  r.oid::regclass,
                  neon_auth_internal.grantees(
                      neon_auth_internal.relation_acl(r.oid), (SELECT c.relowner FROM pg_class c WHERE c.oid = r.oid)))
      FROM reached r
     CROSS JOIN LATERAL (
            SELECT string_agg(DISTINCT a.name, ', ') AS roles,
                   string_agg(DISTINCT quote_ident(c.attname), ', ') AS columns
              FROM pg_attribute c CROSS JOIN neon_auth_internal.application_roles() a
             WHERE c.attrelid = r.oid AND c.attname IN ('email', 'raw_json')
               AND has_column_privilege(a.oid, r.oid, c.attnum, 'SELECT')) AS x
     WHERE r.relname = 'users_sync' AND NOT r.writes AND x.roles IS NOT NULL
    UNION ALL
    -- These verify what they are passed, and return what its sender knows.
    SELECT 'error', 'administration_granted', format('function %s', p.oid::regprocedure),
           format('%s can call it: only administrators should.', a.roles),
           neon_auth_internal.revoke('{EXECUTE}', format('ROUTINE %s', p.oid::regprocedure),
                                     coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner)
      FROM members m
      JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
      JOIN pg_namespace n ON n.oid = p.pronamespace
     CROSS JOIN LATERAL (
            SELECT string_agg(a.name, ', ' ORDER BY a.name COLLATE "C") AS roles
              FROM neon_auth_internal.application_roles() a
             WHERE has_function_privilege(a.oid, p.oid, 'EXECUTE')) AS a
     WHERE a.roles IS NOT NULL
       AND CASE n.nspname WHEN 'auth' THEN p.proname = 'impersonate' WHEN 'neon_auth_internal' THEN false
                ELSE p.proname NOT IN ('verify_jwt', 'inspect_jwt', 'handle_webhook', 'postgrest_webhook') END
    UNION ALL
    SELECT 'error', 'administration_granted', 'schema neon_auth_internal',
           format('%s may use this schema of the extension: nobody should.', string_agg(a.name, ', ')),
           neon_auth_internal.revoke(NULL, 'SCHEMA neon_auth_internal', n.nspacl, n.nspowner)
      FROM pg_namespace n CROSS JOIN neon_auth_internal.application_roles() a
     WHERE n.nspname = 'neon_auth_internal' AND has_schema_privilege(a.oid, n.oid, 'USAGE')
     GROUP BY n.nspacl, n.nspowner
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_grants() IS
    'Rows of neon_auth.advice: what roles of applications may do with the extension';

CREATE FUNCTION neon_auth_internal.advise_providers() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'warning', 'provider_without_audience', format('provider %s', p.name),
           'It accepts tokens that its issuer made for any application: neither audiences nor required_claims are set.',
           neon_auth_internal.as_comment(format(
               'Name your application: UPDATE neon_auth.providers SET audiences = ''{...}'' WHERE name = %L;', p.name))
      FROM neon_auth_internal.providers p
     WHERE p.kind = 'oidc' AND p.audiences = '{}' AND p.required_claims IN ('{}', '[]')
    UNION ALL
    SELECT 'info', 'provider_long_lifetime', format('provider %s', p.name),
           format('It accepts tokens that are valid for %s: a stolen token shows its user''s rows for as long.',
                  coalesce('up to ' || p.max_lifetime, 'any time')),
           format('UPDATE neon_auth.providers SET max_lifetime = ''1 day'' WHERE name = %L;', p.name)
      FROM neon_auth_internal.providers p
     WHERE p.kind = 'oidc' AND (p.max_lifetime IS NULL OR p.max_lifetime > interval '1 day')
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_providers() IS
    'Rows of neon_auth.advice: providers that accept more tokens than they should';

CREATE FUNCTION neon_auth_internal.advise_data() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'info', 'publication_bypasses_policies', format('publication %s', quote_ident(t.pubname)),
           format('It publishes rows of %s to every subscriber: the WAL knows no policies.',
                  string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text COLLATE "C")),
           CASE WHEN bool_and(EXISTS (SELECT FROM pg_publication_rel l WHERE l.prpubid = p.oid AND l.prrelid = c.oid))
                THEN format('ALTER PUBLICATION %I DROP TABLE %s;', t.pubname,
                            string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid::regclass::text COLLATE "C"))
                ELSE neon_auth_internal.as_comment(
                    'Publish a list of tables instead: CREATE PUBLICATION ... FOR TABLE ...') END
      FROM pg_publication_tables t
      JOIN pg_publication p ON p.pubname = t.pubname
      JOIN pg_namespace n ON n.nspname = t.schemaname
      JOIN pg_class c ON c.relname = t.tablename AND c.relnamespace = n.oid AND c.relrowsecurity
     GROUP BY t.pubname
    UNION ALL
    SELECT 'warning', 'cascade_never_fires',
           format('constraint %s on %s', quote_ident(k.conname), k.conrelid::regclass),
           format('A user who is deleted stays a row of %s, with deleted_at, so ON DELETE %s does not fire.',
                  k.confrelid::regclass,
                  CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END),
           -- Nothing is cut out of pg_get_constraintdef(): the names in it can contain anything.
           format('ALTER TABLE %1$s DROP CONSTRAINT %2$I, ADD CONSTRAINT %2$I FOREIGN KEY (%3$s) REFERENCES %4$s(%5$s)'
                  '%6$s%7$s%8$s%9$s;', k.conrelid::regclass, k.conname, c.own, k.confrelid::regclass, c.other,
                  CASE k.confmatchtype WHEN 'f' THEN ' MATCH FULL' END,
                  CASE k.confupdtype WHEN 'r' THEN ' ON UPDATE RESTRICT' WHEN 'c' THEN ' ON UPDATE CASCADE'
                                     WHEN 'n' THEN ' ON UPDATE SET NULL' WHEN 'd' THEN ' ON UPDATE SET DEFAULT' END,
                  CASE WHEN k.condeferred THEN ' DEFERRABLE INITIALLY DEFERRED'
                       WHEN k.condeferrable THEN ' DEFERRABLE' END,
                  CASE WHEN to_jsonb(k) ->> 'conenforced' = 'false' THEN ' NOT ENFORCED'
                       WHEN NOT k.convalidated THEN ' NOT VALID' END)
      FROM pg_constraint k
     CROSS JOIN LATERAL (
            SELECT string_agg(quote_ident(o.attname), ', ' ORDER BY x.place) AS own,
                   string_agg(quote_ident(r.attname), ', ' ORDER BY x.place) AS other
              FROM unnest(k.conkey, k.confkey) WITH ORDINALITY AS x(own, other, place)
              JOIN pg_attribute o ON o.attrelid = k.conrelid AND o.attnum = x.own
              JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = x.other) AS c
     WHERE k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd') AND k.conparentid = 0
       AND k.confrelid IN (SELECT d.objid FROM pg_depend d
                             JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                             JOIN pg_class c ON c.oid = d.objid
                            WHERE e.extname = 'neon_auth' AND d.classid = 'pg_class'::regclass
                              AND c.relname IN ('users_sync', 'teams_sync'))
       AND neon_auth_internal.is_advised('pg_class'::regclass, k.conrelid,
                                         (SELECT c.relnamespace FROM pg_class c WHERE c.oid = k.conrelid))
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_data() IS
    'Rows of neon_auth.advice: publications of tables with policies, and foreign keys that never cascade';

-- The table of Citus exists only where Citus is installed.
CREATE FUNCTION neon_auth_internal.advise_citus() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1 SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    citus constant regclass := to_regclass('pg_catalog.pg_dist_partition');
    distributed oid[];
BEGIN
    IF citus IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('SELECT array_agg(p.logicalrelid::oid) FROM %s AS p', citus) INTO distributed;
    RETURN QUERY
        SELECT 'error', 'mirror_distributed', format('table %s', c.oid::regclass),
               'Citus distributes it: the readers then find old rows or none, and users cannot be written.',
               neon_auth_internal.as_comment('Dump the database, and restore it without distributing these tables.')
          FROM pg_class c
          JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
         WHERE e.extname = 'neon_auth' AND c.oid = ANY (distributed);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_citus() IS
    'Rows of neon_auth.advice: tables of the extension that Citus distributes';
