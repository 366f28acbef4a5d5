-- Better Auth in one call: its tables, triggers on them, and the provider.

-- As new URL(base_url).origin in JavaScript, which Better Auth writes to iss and aud.
CREATE FUNCTION neon_auth_internal.better_auth_origin(base_url text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- Scheme, user and password, host, port.
    parts constant text[] := regexp_match(btrim(base_url, E' \t\r\n'),
        '^([Hh][Tt][Tt][Pp][Ss]?)://([^/?#@\\]*@)?(\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+)(?::([0-9]*))?(?:[/?#].*)?$');
    scheme constant text := lower(parts[1]);
    host text := lower(parts[3] COLLATE "C");
    port constant text := ltrim(parts[4], '0');
    reason text;
BEGIN
    reason := CASE
        WHEN base_url IS NULL OR btrim(base_url, E' \t\r\n') = '' THEN 'It is NULL or empty.'
        WHEN btrim(base_url, E' \t\r\n') !~* '^https?://' THEN 'It does not begin with https:// or http://.'
        WHEN parts IS NULL
            THEN 'After the scheme, a host must follow, then optionally a port and a path. The host has only the '
                 'letters a to z, digits, dots and hyphens: write an international name as xn--..., and an IPv6 '
                 'address in brackets.'
        WHEN parts[2] IS NOT NULL THEN 'It contains a user name or a password.'
        WHEN length(port) > 5 OR nullif(port, '')::integer > 65535 THEN 'The port is larger than 65535.' END;
    IF reason IS NULL AND host LIKE '[%' THEN
        BEGIN
            host := format('[%s]', host(btrim(host, '[]')::inet));
        EXCEPTION WHEN invalid_text_representation THEN
            reason := 'The IPv6 address in brackets is invalid.';
        END;
    ELSIF reason IS NULL AND host ~ '(^|[.])([0-9]+|0x[0-9a-f]*)[.]?$'
          AND host !~ '^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])([.]|$)){4}$' THEN
        reason := 'The host ends like an IPv4 address, but is not one of four numbers.';
    END IF;
    IF reason IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the base_url is not the URL of a server',
            DETAIL = reason,
            HINT = 'Pass the baseURL of Better Auth''s configuration, such as https://app.example.com.';
    END IF;
    RETURN scheme || '://' || host
        || CASE WHEN coalesce(port, '') IN ('', CASE scheme WHEN 'https' THEN '443' ELSE '80' END) THEN ''
                ELSE ':' || port END;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.better_auth_origin(text) IS
    'Returns the origin of a URL, the issuer and the audience of Better Auth''s tokens; fails if it has none';

CREATE FUNCTION neon_auth_internal.fail_locked(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'lock_not_available',
        MESSAGE = 'a table of Better Auth is locked by another transaction',
        DETAIL = format('The lock on %s was not granted within %s. Nothing has changed.', relation,
                        current_setting('lock_timeout')),
        HINT = format('Call the function again when these transactions have ended: SELECT pid, usename, state, '
                      'xact_start, query FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks '
                      'WHERE relation = %s);', relation::oid);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.fail_locked(regclass) IS
    'Fails because a table of Better Auth could not be locked in time';

-- Drops our triggers. A trigger is known by its function, because the owner of the table can rename it.
CREATE FUNCTION neon_auth_internal.unbind_better_auth(kept oid[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    old record;
BEGIN
    FOR old IN
        SELECT t.tgname, t.tgrelid::regclass AS relation
          FROM pg_trigger t
         WHERE t.tgfoid = 'neon_auth_internal.better_auth_changed()'::regprocedure AND t.tgrelid <> ALL (kept)
         ORDER BY t.tgrelid, t.tgname
    LOOP
        BEGIN
            EXECUTE format('DROP TRIGGER %I ON %s', old.tgname, old.relation);
        EXCEPTION WHEN lock_not_available THEN
            PERFORM neon_auth_internal.fail_locked(old.relation);
        END;
    END LOOP;
    DELETE FROM neon_auth_internal.better_auth_tables b WHERE b.relation <> ALL (kept);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.unbind_better_auth(oid[]) IS
    'Drops the triggers on Better Auth''s tables and forgets the tables, except the kept ones';

-- For a provider that is dropped, however it is dropped. The caller may not own the tables of Better Auth.
CREATE FUNCTION neon_auth_internal.unbind_provider() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.unbind_better_auth();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.unbind_provider() IS
    'Drops the triggers on Better Auth''s tables when the provider is dropped or becomes one of another kind';
CREATE TRIGGER unbind_dropped AFTER DELETE ON neon_auth.providers
    FOR EACH ROW WHEN (old.kind = 'better_auth') EXECUTE FUNCTION neon_auth_internal.unbind_provider();
COMMENT ON TRIGGER unbind_dropped ON neon_auth.providers IS 'Drops the triggers on Better Auth''s tables';
CREATE TRIGGER unbind_changed AFTER UPDATE OF kind ON neon_auth.providers
    FOR EACH ROW WHEN (old.kind = 'better_auth' AND new.kind <> 'better_auth')
    EXECUTE FUNCTION neon_auth_internal.unbind_provider();
COMMENT ON TRIGGER unbind_changed ON neon_auth.providers IS 'Drops the triggers on Better Auth''s tables';
CREATE TRIGGER unbind_emptied AFTER TRUNCATE ON neon_auth.providers
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.unbind_provider();
COMMENT ON TRIGGER unbind_emptied ON neon_auth.providers IS 'Drops the triggers on Better Auth''s tables';

CREATE FUNCTION neon_auth_internal.fail_changed(what text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'object_in_use',
        MESSAGE = 'a table of Better Auth has changed in the meantime',
        DETAIL = format('The table %s was renamed, altered or dropped, or has another owner.', what),
        HINT = 'Call the function again.';
END
$$;
COMMENT ON FUNCTION neon_auth_internal.fail_changed(text) IS
    'Fails because a table of Better Auth has changed after it was found';

-- The locks keep out writers until the triggers exist, and keep what was found: to rename, alter or drop a table
-- needs a lock that they exclude. The schema can still be renamed, so the triggers are counted by the tables' oids.
-- While this waits for a long transaction, everybody who signs up or in waits behind it, so it does not wait long.
CREATE FUNCTION neon_auth_internal.bind_tables(tables neon_auth_internal.better_auth_tables[], names jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
DECLARE
    changed constant oid := 'neon_auth_internal.better_auth_changed()'::regprocedure;
    bound record;
    trigger record;
    users oid;
    made bigint := 0;
BEGIN
    FOR bound IN SELECT f.what, f.relation, f.columns FROM unnest(tables) AS f ORDER BY f.relation::oid LOOP
        BEGIN
            EXECUTE format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', bound.relation);
        EXCEPTION WHEN undefined_table OR invalid_schema_name OR wrong_object_type OR syntax_error THEN
            PERFORM neon_auth_internal.fail_changed(bound.what);
        WHEN lock_not_available THEN
            PERFORM neon_auth_internal.fail_locked(bound.relation);
        END;
        IF NOT EXISTS (SELECT FROM pg_locks l
                        WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation = bound.relation
                          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
                          AND l.mode = 'ShareRowExclusiveLock' AND l.granted)
           OR NOT EXISTS (SELECT FROM neon_auth_internal.examine_better_auth(bound.what, names, bound.relation) x
                           WHERE x.defect IS NULL AND x.columns = bound.columns) THEN
            PERFORM neon_auth_internal.fail_changed(bound.what);
        END IF;
    END LOOP;
    users := (SELECT c.relowner FROM unnest(tables) AS f JOIN pg_class c ON c.oid = f.relation WHERE f.what = 'user');
    FOR bound IN SELECT f.what FROM unnest(tables) AS f
                  WHERE neon_auth_internal.given_table(f.what, names) IS NULL
                    AND neon_auth_internal.is_foreign(f.relation, users) LOOP
        PERFORM neon_auth_internal.fail_changed(bound.what);
    END LOOP;
    PERFORM neon_auth_internal.unbind_better_auth(ARRAY(SELECT f.relation::oid FROM unnest(tables) AS f));
    FOR bound IN SELECT f.what, f.relation, f.columns FROM unnest(tables) AS f ORDER BY f.relation::oid LOOP
        -- The owner has renamed one, or the table was another one of Better Auth.
        FOR trigger IN
            SELECT t.tgname AS name FROM pg_trigger t
             WHERE t.tgrelid = bound.relation AND t.tgfoid = changed
               AND (t.tgname NOT IN ('neon_auth_insert', 'neon_auth_update', 'neon_auth_delete', 'neon_auth_truncate')
                    OR NOT neon_auth_internal.feeds_mirror(bound.what) AND t.tgname <> 'neon_auth_truncate')
        LOOP
            EXECUTE format('DROP TRIGGER %I ON %s', trigger.name, bound.relation);
        END LOOP;
        FOR trigger IN
            SELECT t.name, t.event, t.tables
              FROM (VALUES ('neon_auth_insert', 'INSERT', 'REFERENCING NEW TABLE AS neon_auth_new', true),
                           ('neon_auth_update', 'UPDATE',
                            'REFERENCING OLD TABLE AS neon_auth_old NEW TABLE AS neon_auth_new', true),
                           ('neon_auth_delete', 'DELETE', 'REFERENCING OLD TABLE AS neon_auth_old', true),
                           ('neon_auth_truncate', 'TRUNCATE', '', false)) AS t(name, event, tables, mirrors)
             WHERE NOT t.mirrors OR neon_auth_internal.feeds_mirror(bound.what)
        LOOP
            IF EXISTS (SELECT FROM pg_trigger t
                        WHERE t.tgrelid = bound.relation AND t.tgname = trigger.name AND t.tgfoid <> changed) THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'duplicate_object',
                    MESSAGE = 'a table of Better Auth has a trigger whose name is needed',
                    DETAIL = format('The trigger %I on %s is not that of the extension.', trigger.name, bound.relation),
                    HINT = format('DROP TRIGGER %I ON %s; or rename it.', trigger.name, bound.relation);
            END IF;
            EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT '
                           'EXECUTE FUNCTION neon_auth_internal.better_auth_changed(%L)',
                           trigger.name, trigger.event, bound.relation, trigger.tables, bound.what);
            EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', bound.relation, trigger.name);
            EXECUTE format('ALTER TRIGGER %I ON %s DEPENDS ON EXTENSION neon_auth', trigger.name, bound.relation);
            EXECUTE format('COMMENT ON TRIGGER %I ON %s IS %L', trigger.name, bound.relation,
                           'Reports changes to neon_auth; dropped with its provider or its extension');
            made := made + 1;
        END LOOP;
    END LOOP;
    IF (SELECT count(*) FROM pg_trigger t
         WHERE t.tgfoid = changed AND t.tgenabled = 'A'
           AND t.tgrelid IN (SELECT f.relation FROM unnest(tables) AS f)) <> made
       OR (SELECT count(*) FROM pg_trigger t WHERE t.tgfoid = changed) <> made THEN
        PERFORM neon_auth_internal.fail_changed('user');
    END IF;
    DELETE FROM neon_auth_internal.better_auth_tables;
    INSERT INTO neon_auth_internal.better_auth_tables (what, relation, columns)
    SELECT f.what, f.relation, f.columns FROM unnest(tables) AS f;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.bind_tables(neon_auth_internal.better_auth_tables[], jsonb) IS
    'Locks the tables of Better Auth that were found, checks them again, and creates the triggers on them';

-- The source of users that were written by hand, or taken over by docs/adopt.sql, is not recorded.
CREATE FUNCTION neon_auth_internal.check_better_auth_source() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    other text;
BEGIN
    SELECT format('They are of kind %s, source %s.', o.kind, o.source) INTO other
      FROM neon_auth_internal.other_source o;
    IF NOT FOUND AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_source)
       AND EXISTS (SELECT FROM neon_auth_internal.users_sync u
                    CROSS JOIN neon_auth_internal.source s
                    WHERE u.deleted_at IS NULL AND neon_auth_internal.is_of_provider(u.raw_json, s.provider)) THEN
        other := 'Their source is not recorded.';
    END IF;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the mirror contains the users of another service',
            DETAIL = other || ' Users that Better Auth does not have would be marked as deleted.',
            HINT = 'To move them to Better Auth: SELECT * FROM neon_auth.migrate_to_better_auth(); to replace them: '
                   'DELETE FROM neon_auth.sync_source; INSERT INTO neon_auth.sync_source VALUES (''better_auth'', '
                   '''better_auth'');';
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_better_auth_source() IS
    'Fails if the mirror contains users of another service, or of an unknown one';

CREATE FUNCTION neon_auth_internal.write_better_auth_provider(origin text, name text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    other record;
    old record;
    default_name constant text := 'better_auth';
BEGIN
    -- Changes no row, and waits for other writers of providers: the next statement sees what they wrote.
    UPDATE neon_auth_internal.providers AS p SET name = p.name WHERE false;
    SELECT s.provider, s.kind INTO other FROM neon_auth_internal.source s WHERE s.kind <> 'better_auth';
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'unique_violation',
            MESSAGE = 'only one provider can fill the mirror',
            DETAIL = format('Provider %I of kind %s fills it already.', other.provider, other.kind),
            HINT = format('To move its users to Better Auth: SELECT * FROM neon_auth.migrate_to_better_auth(); '
                          'to stop following it: SELECT neon_auth.drop_provider(%L);', other.provider);
    END IF;
    -- The former origin: in both columns, where the new one is in neither. Otherwise the new one replaces itself.
    SELECT p.name, p.issuers, p.audiences,
           CASE WHEN write_better_auth_provider.origin = ANY (p.issuers || p.audiences)
                THEN write_better_auth_provider.origin
                ELSE (SELECT i.issuer FROM unnest(p.issuers) WITH ORDINALITY AS i(issuer, number)
                       WHERE i.issuer = ANY (p.audiences) ORDER BY i.number LIMIT 1) END AS origin
      INTO old
      FROM neon_auth_internal.providers p WHERE p.kind = 'better_auth';
    IF FOUND THEN
        -- It keeps its name, unless another one is asked for, and issuers and audiences that an administrator has set,
        -- as for jwt.issuer and jwt.audience of Better Auth's configuration.
        UPDATE neon_auth_internal.providers AS p
           SET name = CASE write_better_auth_provider.name WHEN default_name THEN p.name
                                                           ELSE write_better_auth_provider.name END,
               issuers = array_replace(p.issuers, old.origin, write_better_auth_provider.origin),
               audiences = array_replace(p.audiences, old.origin, write_better_auth_provider.origin)
         WHERE p.kind = 'better_auth';
        IF write_better_auth_provider.name NOT IN (default_name, old.name) THEN
            RAISE NOTICE USING
                MESSAGE = 'the provider of Better Auth is renamed',
                DETAIL = format('Its name was %I and is %I now.', old.name, write_better_auth_provider.name);
        END IF;
        IF old.origin IS NULL THEN
            RAISE NOTICE USING
                MESSAGE = 'issuers and audiences of the provider are kept',
                DETAIL = format('Neither contains %s.', origin),
                HINT = format('If tokens have it in iss or aud: UPDATE neon_auth.providers SET issuers = %L, '
                              'audiences = %1$L WHERE kind = ''better_auth'';', ARRAY[origin]);
        ELSIF old.origin <> origin THEN
            RAISE NOTICE USING
                MESSAGE = 'tokens of the former URL of Better Auth are not accepted any more',
                DETAIL = format('In issuers and audiences, %s replaces %s.', origin, old.origin),
                HINT = format('If %s is jwt.issuer and jwt.audience of the configuration: UPDATE neon_auth.providers '
                              'SET issuers = %L, audiences = %L WHERE kind = ''better_auth'';',
                              old.origin, old.issuers, old.audiences);
        END IF;
    ELSE
        INSERT INTO neon_auth_internal.providers AS p (
            name, kind, issuers, audiences, algorithms, reject_deleted_users, reject_banned_users)
        VALUES (write_better_auth_provider.name, 'better_auth', ARRAY[origin], ARRAY[origin],
                '{EdDSA,ES256,ES512,RS256,PS256}', true, true)
            ON CONFLICT (name) DO NOTHING;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'duplicate_object',
                MESSAGE = 'a provider of that name already exists',
                DETAIL = format('Provider %s is of another kind.', to_json(write_better_auth_provider.name)),
                HINT = 'Choose another name: name => ''...''.';
        END IF;
        PERFORM neon_auth_internal.define_better_auth_permissions();
    END IF;
    PERFORM neon_auth_internal.check_better_auth_source();
    INSERT INTO neon_auth_internal.sync_source (kind, source) VALUES ('better_auth', 'better_auth')
        ON CONFLICT (kind, source) DO NOTHING;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_better_auth_provider(text, text) IS
    'Trusts the tokens of an origin as Better Auth''s, and makes Better Auth the source of the mirror';

-- For the case that the table of users is another one than before, as after it was dropped.
CREATE FUNCTION neon_auth_internal.check_lost_users(is_chosen boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    lost constant bigint := (
        SELECT count(*) FROM neon_auth_internal.users_sync u
         CROSS JOIN neon_auth_internal.source s
         WHERE u.deleted_at IS NULL AND neon_auth_internal.is_of_provider(u.raw_json, s.provider)
           AND NOT EXISTS (SELECT FROM neon_auth_internal.better_auth_rows('user') r WHERE r.id = u.id));
    detail constant text := format('Users of the mirror that it does not have: %s.', lost);
BEGIN
    IF lost > 0 AND is_chosen THEN
        RAISE NOTICE USING
            MESSAGE = 'users of the mirror are not in the new table, and are marked as deleted',
            DETAIL = detail;
    ELSIF lost > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the table of users that was found is another one than before',
            DETAIL = detail || ' They would be marked as deleted.',
            HINT = format('If it is the right one: schema => %L.',
                          (SELECT n.nspname FROM neon_auth_internal.better_auth_tables b
                             JOIN pg_class c ON c.oid = b.relation JOIN pg_namespace n ON n.oid = c.relnamespace
                            WHERE b.what = 'user'));
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_lost_users(boolean) IS
    'Fails if living users of the mirror are not in the table that is bound now; only a notice if it was chosen';

CREATE FUNCTION neon_auth_internal.bind_better_auth(
    base_url text, schema text, name text, secret text, names jsonb)
RETURNS TABLE ("table" text, relation text, owner name, rows bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    origin constant text := neon_auth_internal.better_auth_origin(base_url);
    tables neon_auth_internal.better_auth_tables[];
    users constant oid := (SELECT b.relation FROM neon_auth_internal.better_auth_tables b WHERE b.what = 'user');
BEGIN
    PERFORM neon_auth_internal.write_better_auth_provider(origin, name);
    tables := ARRAY(SELECT f FROM neon_auth_internal.find_better_auth(schema, names) AS f);
    PERFORM neon_auth_internal.bind_tables(tables, names);
    IF users <> (SELECT b.relation FROM neon_auth_internal.better_auth_tables b WHERE b.what = 'user') THEN
        PERFORM neon_auth_internal.check_lost_users(
            schema IS NOT NULL OR neon_auth_internal.given_table('user', names) IS NOT NULL);
    END IF;
    PERFORM neon_auth_internal.refresh_all(part) FROM unnest('{users,teams,members}'::text[]) AS part;
    IF secret IS NOT NULL THEN
        -- An empty one, as from a variable that is not set, is refused; set_secret would delete the stored one.
        PERFORM neon_auth_internal.set_secret('better_auth_secret', coalesce(nullif(secret, ''), ' '));
    END IF;
    RETURN QUERY
        SELECT f.what, f.relation::text,
               (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = f.relation),
               CASE f.what
                   WHEN 'user' THEN (SELECT count(*) FROM neon_auth_internal.users_sync u
                                      CROSS JOIN neon_auth_internal.source s
                                      WHERE u.deleted_at IS NULL
                                        AND neon_auth_internal.is_of_provider(u.raw_json, s.provider))
                   WHEN 'organization' THEN (SELECT count(*) FROM neon_auth_internal.teams_sync t
                                              WHERE t.deleted_at IS NULL AND NOT t.raw_json ? 'organization_id')
                   WHEN 'team' THEN (SELECT count(*) FROM neon_auth_internal.teams_sync t
                                      WHERE t.deleted_at IS NULL AND t.raw_json ? 'organization_id')
                   WHEN 'member' THEN (SELECT count(*) FROM neon_auth_internal.team_members_sync m
                                         JOIN neon_auth_internal.teams_sync t ON t.id = m.team_id
                                        WHERE NOT t.raw_json ? 'organization_id')
                   WHEN 'teamMember' THEN (SELECT count(*) FROM neon_auth_internal.team_members_sync m
                                             JOIN neon_auth_internal.teams_sync t ON t.id = m.team_id
                                            WHERE t.raw_json ? 'organization_id') END
          FROM unnest(tables) WITH ORDINALITY AS f(what, relation, columns, number)
         ORDER BY f.number;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.bind_better_auth(text, text, text, text, jsonb) IS
    'The body of neon_auth.add_better_auth(), for other functions of the extension';

CREATE FUNCTION neon_auth.add_better_auth(
    base_url text,
    schema text DEFAULT NULL,
    name text DEFAULT 'better_auth',
    secret text DEFAULT NULL,
    names jsonb DEFAULT '{}'
) RETURNS TABLE ("table" text, relation text, owner name, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT b.* FROM neon_auth_internal.bind_better_auth(base_url, schema, name, secret, names) AS b;
END
$$;
COMMENT ON FUNCTION neon_auth.add_better_auth(text, text, text, text, jsonb) IS
    'Trusts the Better Auth server at a URL, finds its tables and mirrors them by triggers. Can be repeated. Pass the '
    'secret as a parameter';
REVOKE ALL ON FUNCTION neon_auth.add_better_auth(text, text, text, text, jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth_internal.configure_better_auth(keys jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(jsonb_typeof(keys -> 'base_url'), 'nothing') <> 'string' OR keys ->> 'base_url' = '' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the response of the keys API is incomplete',
            DETAIL = 'The member base_url is missing, or is not a non-empty string.',
            HINT = 'Pass the JSON object unchanged. Its base_url is the Auth URL that the Neon console shows.';
    END IF;
    PERFORM neon_auth_internal.bind_better_auth(
        keys ->> 'base_url', keys ->> 'schema_name', 'better_auth', NULL, '{}');
END
$$;
COMMENT ON FUNCTION neon_auth_internal.configure_better_auth(jsonb) IS
    'Takes the response of the keys API for Better Auth, whose keys are empty';
