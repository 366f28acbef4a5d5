-- The schema neon_auth while others own it, or have objects in it. It is a member of the extension, so its
-- owner cannot drop it, and a dump leaves it to CREATE EXTENSION.

CREATE FUNCTION neon_auth_internal.shared_schema() RETURNS oid
LANGUAGE sql STABLE
RETURN (SELECT c.relnamespace FROM pg_class c WHERE c.oid = 'neon_auth.users_sync'::regclass);
COMMENT ON FUNCTION neon_auth_internal.shared_schema() IS
    'The schema of the tables, whatever it is called';

-- DROP EXTENSION and DROP OWNED: PostgreSQL would drop the schema too, and so refuse, or with CASCADE drop the
-- objects of others. They stay, and so does a schema that belongs to another role. A role that cannot drop the
-- extension changes nothing.
CREATE FUNCTION neon_auth_internal.leave_schema() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own pg_extension;
    shared oid;
BEGIN
    SELECT e.* INTO own FROM pg_extension e WHERE e.extname = 'neon_auth';
    -- A statement that drops only other extensions need not change the schema, whose grants would then be missing
    -- in a dump.
    IF NOT pg_has_role(own.extowner, 'USAGE')
       OR current_query() ~* '^\s*drop\s+extension\s[^;]*;?\s*$' AND current_query() !~* 'neon_auth|cascade|&' THEN
        RETURN;
    END IF;
    shared := neon_auth_internal.shared_schema();
    IF EXISTS (SELECT FROM pg_depend m
                WHERE m.refclassid = 'pg_extension'::regclass AND m.refobjid = own.oid
                  AND m.classid = 'pg_namespace'::regclass AND m.objid = shared)
       AND (EXISTS (SELECT FROM pg_namespace n WHERE n.oid = shared AND n.nspowner <> own.extowner)
            OR EXISTS (SELECT FROM pg_depend d
                        WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = shared AND d.deptype = 'n'
                          -- Neither a member of the extension nor a part of one.
                          AND NOT EXISTS (
                              SELECT FROM pg_depend o
                               WHERE o.classid = d.classid AND o.objid = d.objid
                                 AND (o.deptype = 'e' AND o.refclassid = 'pg_extension'::regclass
                                          AND o.refobjid = own.oid
                                      OR o.deptype IN ('a', 'i') AND EXISTS (
                                          SELECT FROM pg_depend m
                                           WHERE m.classid = o.refclassid AND m.objid = o.refobjid AND m.deptype = 'e'
                                             AND m.refclassid = 'pg_extension'::regclass AND m.refobjid = own.oid)))
            )) THEN
        EXECUTE format('ALTER EXTENSION neon_auth DROP SCHEMA %s', shared::regnamespace);
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.leave_schema() IS
    'Takes the schema of the tables out of the extension if another role owns it or has objects in it';
CREATE EVENT TRIGGER neon_auth_leave_schema ON ddl_command_start WHEN TAG IN ('DROP EXTENSION', 'DROP OWNED')
    EXECUTE FUNCTION neon_auth_internal.leave_schema();
ALTER EVENT TRIGGER neon_auth_leave_schema ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER neon_auth_leave_schema IS
    'Before DROP EXTENSION: keeps the schema neon_auth if another role owns it or has objects in it';

-- The extension was not dropped.
CREATE FUNCTION neon_auth_internal.take_schema() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shared oid;
BEGIN
    IF NOT pg_has_role((SELECT e.extowner FROM pg_extension e WHERE e.extname = 'neon_auth'), 'USAGE') THEN
        RETURN;
    END IF;
    shared := neon_auth_internal.shared_schema();
    IF NOT EXISTS (SELECT FROM pg_depend m
                    WHERE m.classid = 'pg_namespace'::regclass AND m.objid = shared AND m.deptype = 'e') THEN
        EXECUTE format('ALTER EXTENSION neon_auth ADD SCHEMA %s', shared::regnamespace);
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.take_schema() IS
    'Takes the schema of the tables into the extension again, after another extension was dropped';
CREATE EVENT TRIGGER neon_auth_take_schema ON ddl_command_end WHEN TAG IN ('DROP EXTENSION', 'DROP OWNED')
    EXECUTE FUNCTION neon_auth_internal.take_schema();
ALTER EVENT TRIGGER neon_auth_take_schema ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER neon_auth_take_schema IS 'After another extension was dropped: undoes neon_auth_leave_schema';

-- A dump of a database in which the schema has another name, and somebody else's schema is called neon_auth, would
-- restore the tables of that one over the extension's.
CREATE FUNCTION neon_auth_internal.keep_name() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_setting('is_superuser')::boolean THEN
        RETURN;
    END IF;
    IF neon_auth_internal.shared_schema() <> coalesce(to_regnamespace('neon_auth'), 0::oid) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'only a superuser can rename the schema neon_auth',
            DETAIL = 'It contains the tables of the extension neon_auth.',
            HINT = 'Ask a superuser to run: ALTER SCHEMA neon_auth RENAME TO ...';
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.keep_name() IS
    'Refuses that a role other than a superuser renames the schema of the tables';
CREATE EVENT TRIGGER neon_auth_keep_name ON ddl_command_end WHEN TAG IN ('ALTER SCHEMA')
    EXECUTE FUNCTION neon_auth_internal.keep_name();
ALTER EVENT TRIGGER neon_auth_keep_name ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER neon_auth_keep_name IS
    'Refuses that a role other than a superuser renames the schema neon_auth';

-- For update scripts, whose first statement it is: after it they can name what is in schema neon_auth.
CREATE FUNCTION neon_auth_internal.hold_schema() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shared constant oid := neon_auth_internal.shared_schema();
BEGIN
    IF shared <> coalesce(to_regnamespace('neon_auth'), 0::oid) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the tables of neon_auth are not in a schema of that name',
            DETAIL = format('They are in schema %s.', shared::regnamespace),
            HINT = format('If there is a schema neon_auth, rename it. ALTER SCHEMA %s RENAME TO neon_auth;',
                          shared::regnamespace);
    END IF;
    -- Until the transaction ends, nobody else can rename or drop it.
    EXECUTE format('ALTER SCHEMA neon_auth RENAME TO %I', 'neon_auth_' || shared);
    EXECUTE format('ALTER SCHEMA %I RENAME TO neon_auth', 'neon_auth_' || shared);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.hold_schema() IS
    'Lets nobody rename or drop the schema of the tables until the transaction ends; an error if it is not neon_auth';
