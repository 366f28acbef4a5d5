-- What is wrong with policies and grants: one row for each finding.

CREATE VIEW neon_auth.advice AS
    SELECT a.severity, a.code, a.object, a.problem, a.remedy
      FROM (SELECT * FROM neon_auth_internal.advise_tables()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_policies()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_mistakes()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_privileges()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_roles()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_views()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_functions()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_speed()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_grants()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_providers()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_data()
            UNION ALL
            SELECT * FROM neon_auth_internal.advise_citus()) AS a
     ORDER BY array_position('{error,warning,info}'::text[], a.severity), a.code COLLATE "C", a.object COLLATE "C",
              a.problem COLLATE "C";
COMMENT ON VIEW neon_auth.advice IS
    'What is wrong with policies, grants, roles and providers: one row for each finding, with SQL that ends it';
COMMENT ON COLUMN neon_auth.advice.severity IS
    'error: somebody can do more than policies say, or queries fail; warning: probably not meant; info: good to know';
COMMENT ON COLUMN neon_auth.advice.code IS 'The stable name of the finding, as docs/advice.md explains it';
COMMENT ON COLUMN neon_auth.advice.object IS 'The kind and the name of the object';
COMMENT ON COLUMN neon_auth.advice.problem IS 'What is wrong, and why that matters';
COMMENT ON COLUMN neon_auth.advice.remedy IS
    'SQL that ends the finding, to be read before it is run; a comment where a person must decide';
