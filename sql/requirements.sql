-- What must hold before anything is made. Each failure says what is in the way and what to run.
DO $requirements$
DECLARE
    owner_extension text;
    made_before record;
BEGIN
    IF pg_catalog.getdatabaseencoding() <> 'UTF8' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = 'neon_auth needs a database with the encoding UTF8',
            DETAIL = pg_catalog.format('This database has the encoding %s; the claims of a JWT are UTF-8.',
                                       pg_catalog.getdatabaseencoding()),
            HINT = 'CREATE DATABASE name TEMPLATE template0 ENCODING ''UTF8'';';
    END IF;

    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'auth') THEN
        SELECT e.extname INTO owner_extension
          FROM pg_catalog.pg_depend d
          JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
         WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
           AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
           AND d.deptype = 'e'
           AND d.objid IN (SELECT p.oid FROM pg_catalog.pg_proc p
                            JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
                           WHERE n.nspname = 'auth')
         LIMIT 1;
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_schema',
            MESSAGE = 'schema "auth" already exists',
            DETAIL = CASE WHEN owner_extension IS NULL
                          THEN 'neon_auth makes this schema itself, so that nobody else''s functions stand in it.'
                          ELSE pg_catalog.format('It holds functions of the extension %I.', owner_extension) END,
            HINT = CASE WHEN owner_extension IS NULL
                        THEN 'ALTER SCHEMA auth RENAME TO auth_before; or, if it is empty: DROP SCHEMA auth;'
                        ELSE pg_catalog.format('ALTER SCHEMA auth RENAME TO auth_before; and once nothing uses its functions any more: DROP EXTENSION %I; neon_auth offers functions of the same names.',
                                               owner_extension) END;
    END IF;

    -- Whoever owns the schema could put functions, operators or tables of their own where ours
    -- are looked for; whoever may create in it, too.
    SELECT NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = n.nspowner) AS is_foreign,
           EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) acl
                    WHERE acl.privilege_type = 'CREATE' AND acl.grantee <> n.nspowner) AS is_open,
           EXISTS (SELECT FROM pg_catalog.pg_depend d
                    WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
                      AND d.refobjid = n.oid AND d.deptype = 'n' AND d.objid <> e.oid) AS is_used
      INTO STRICT made_before
      FROM pg_catalog.pg_namespace n, pg_catalog.pg_extension e
     WHERE n.nspname = 'neon_auth' AND e.extname = 'neon_auth';
    IF made_before.is_foreign OR made_before.is_open OR made_before.is_used THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_schema',
            MESSAGE = 'schema "neon_auth" already exists',
            DETAIL = CASE WHEN made_before.is_foreign THEN 'It belongs to a role that is no superuser.'
                          WHEN made_before.is_open THEN 'Others may create objects in it.'
                          ELSE 'It is not empty.' END
                     || ' neon_auth makes this schema itself, so that nobody else''s objects stand in it.',
            HINT = 'ALTER SCHEMA neon_auth RENAME TO neon_auth_before; and after CREATE EXTENSION, for users kept in it: INSERT INTO neon_auth.users_sync (raw_json, updated_at, deleted_at) SELECT raw_json, updated_at, deleted_at FROM neon_auth_before.users_sync;';
    END IF;
END
$requirements$;

-- From here on no name is looked up where a user could have put one like it.
SET LOCAL search_path = pg_catalog, pg_temp;

CREATE SCHEMA auth;
COMMENT ON SCHEMA auth IS 'neon_auth: who is signed in, for policies and applications';
GRANT USAGE ON SCHEMA auth TO PUBLIC;

COMMENT ON SCHEMA neon_auth IS 'neon_auth: users, providers and administration';
GRANT USAGE ON SCHEMA neon_auth TO PUBLIC;
