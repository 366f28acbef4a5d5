-- The schema neon_auth while others own it, or have objects in it. It is a member of the extension, so its
-- owner cannot drop it, and a dump leaves it to CREATE EXTENSION.

CREATE FUNCTION neon_auth_internal.shared_schema() RETURNS oid
LANGUAGE sql STABLE
RETURN (SELECT c.relnamespace FROM pg_class c WHERE c.oid = 'neon_auth.users_sync'::regclass);
COMMENT ON FUNCTION neon_auth_internal.shared_schema() IS
    'The schema of the tables, whatever it is called';

-- DROP EXTENSION: PostgreSQL would drop the schema too, and so refuse, or with CASCADE drop the objects of others.
-- They stay, and so does a schema that belongs to another role.
CREATE FUNCTION neon_auth_internal.leave_schema() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shared constant oid := neon_auth_internal.shared_schema();
BEGIN
    IF EXISTS (SELECT FROM pg_extension e
                 JOIN pg_depend m ON m.refclassid = 'pg_extension'::regclass AND m.refobjid = e.oid
                WHERE e.extname = 'neon_auth' AND m.classid = 'pg_namespace'::regclass AND m.objid = shared)
       AND (EXISTS (SELECT FROM pg_namespace n JOIN pg_extension e ON n.nspowner <> e.extowner
                     WHERE n.oid = shared AND e.extname = 'neon_auth')
            OR EXISTS (SELECT FROM pg_depend d
                        WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = shared AND d.deptype = 'n'
                          AND NOT EXISTS (SELECT FROM pg_depend o
                                           WHERE o.classid = d.classid AND o.objid = d.objid
                                             AND o.deptype IN ('e', 'i', 'a')
                                             AND o.refclassid <> 'pg_namespace'::regclass))) THEN
        EXECUTE format('ALTER EXTENSION neon_auth DROP SCHEMA %s', shared::regnamespace);
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.leave_schema() IS
    'Takes the schema of the tables out of the extension if another role owns it or has objects in it';
CREATE EVENT TRIGGER neon_auth_leave_schema ON ddl_command_start WHEN TAG IN ('DROP EXTENSION')
    EXECUTE FUNCTION neon_auth_internal.leave_schema();
COMMENT ON EVENT TRIGGER neon_auth_leave_schema IS
    'Before DROP EXTENSION: keeps the schema neon_auth if another role owns it or has objects in it';

-- Another extension was dropped.
CREATE FUNCTION neon_auth_internal.take_schema() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    shared constant oid := neon_auth_internal.shared_schema();
BEGIN
    IF NOT EXISTS (SELECT FROM pg_depend m
                    WHERE m.classid = 'pg_namespace'::regclass AND m.objid = shared AND m.deptype = 'e') THEN
        EXECUTE format('ALTER EXTENSION neon_auth ADD SCHEMA %s', shared::regnamespace);
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.take_schema() IS
    'Takes the schema of the tables into the extension again, after another extension was dropped';
CREATE EVENT TRIGGER neon_auth_take_schema ON ddl_command_end WHEN TAG IN ('DROP EXTENSION')
    EXECUTE FUNCTION neon_auth_internal.take_schema();
COMMENT ON EVENT TRIGGER neon_auth_take_schema IS 'After another extension was dropped: undoes neon_auth_leave_schema';

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
