-- From here on no name is looked up where a user could have put one like it.
SET LOCAL search_path = pg_catalog, pg_temp;

-- What must hold before anything is made. Each failure says what is in the way and what to run.
DO $requirements$
DECLARE
    owner_extension text;
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
                          THEN 'CREATE EXTENSION creates this schema,'
                               ' so that it contains no functions of another owner.'
                          ELSE pg_catalog.format('It holds functions of the extension %I.', owner_extension) END,
            HINT = CASE WHEN owner_extension IS NULL
                        THEN 'ALTER SCHEMA auth RENAME TO auth_before; or, if it is empty: DROP SCHEMA auth;'
                        ELSE pg_catalog.format(
                            'ALTER SCHEMA auth RENAME TO auth_before; and once nothing uses its functions any more: '
                            'DROP EXTENSION %I; neon_auth offers functions of the same names.', owner_extension) END;
    END IF;

    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'neon_auth_internal') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_schema',
            MESSAGE = 'schema "neon_auth_internal" already exists',
            DETAIL = 'CREATE EXTENSION creates this schema, so that it contains no objects of another owner.',
            HINT = 'ALTER SCHEMA neon_auth_internal RENAME TO neon_auth_internal_before; '
                   'or, if it is empty: DROP SCHEMA neon_auth_internal;';
    END IF;
END
$requirements$;

CREATE SCHEMA auth;
COMMENT ON SCHEMA auth IS 'neon_auth: the signed-in user, for policies and applications';

CREATE SCHEMA neon_auth_internal;
COMMENT ON SCHEMA neon_auth_internal IS 'neon_auth: internal objects; only the extension uses them';

-- An existing schema neon_auth can belong to any role and contain objects that look like the extension's. So it
-- is renamed while the script creates everything in a new schema, where no other role can create objects;
-- move_in.sql moves these objects afterwards. Once renamed, no other transaction can rename or drop the schema.
DO $aside$
DECLARE
    given pg_catalog.oid := pg_catalog.to_regnamespace('neon_auth');
BEGIN
    -- For move_in.sql. Other roles cannot write a setting of this transaction.
    PERFORM pg_catalog.set_config('neon_auth_script.given', coalesce(given::text, ''), true);
    IF given IS NOT NULL THEN
        -- A name that nobody can guess and take.
        EXECUTE pg_catalog.format('ALTER SCHEMA neon_auth RENAME TO %I', 'neon_auth_' || pg_catalog.gen_random_uuid());
    END IF;
END
$aside$;
CREATE SCHEMA neon_auth;
COMMENT ON SCHEMA neon_auth IS 'neon_auth: users, providers and administration';
