-- Ends and extends sessions of Better Auth.

CREATE FUNCTION neon_auth_internal.count_as_owner(relation regclass, statement text, before timestamptz) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    -- As JSON a time does not depend on DateStyle.
    SELECT o.count::bigint
      FROM neon_auth_internal.as_owner(relation, statement, ARRAY[to_jsonb(before) #>> '{}']) AS o(count);
$$;
COMMENT ON FUNCTION neon_auth_internal.count_as_owner(regclass, text, timestamptz) IS
    'Runs a statement about a time with the rights of a table''s owner; returns the number that it returns';

-- A session without a time of creation is deleted too: it may be from before.
CREATE FUNCTION neon_auth_internal.revoke_sessions(before timestamptz) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    sessions neon_auth_internal.better_auth_tables;
    created pg_attribute;
    is_before text;
    ended bigint;
    kept bigint;
BEGIN
    IF before IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'revoke_sessions needs a time',
            DETAIL = 'The argument before is NULL.',
            HINT = 'Sessions that were created before it end: SELECT neon_auth.revoke_sessions(now());';
    END IF;
    SELECT b.* INTO sessions FROM neon_auth_internal.better_auth_tables b WHERE b.what = 'session';
    IF NOT FOUND OR NOT EXISTS (SELECT FROM pg_trigger t
                                 WHERE t.tgrelid = sessions.relation
                                   AND t.tgfoid = 'neon_auth_internal.better_auth_changed()'::regprocedure) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the table of sessions is not known',
            DETAIL = 'No tables of Better Auth were found for a provider, or they were replaced afterwards.',
            HINT = 'SELECT * FROM neon_auth.add_better_auth(''https://app.example.com'');';
    END IF;
    SELECT a.* INTO created
      FROM pg_attribute a
     WHERE a.attrelid = sessions.relation AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attname = sessions.columns ->> 'createdAt';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_column',
            MESSAGE = 'the table of sessions has no time of creation',
            DETAIL = format('%s has no column createdAt.', sessions.relation),
            HINT = 'Name it, names => ''{"session": {"createdAt": "<column>"}}'', when you call '
                   'neon_auth.add_better_auth() again; or delete the sessions yourself.';
    END IF;
    is_before := format('(s.%I >= $1::timestamptz%s) IS NOT TRUE', created.attname,
                        CASE neon_auth_internal.base_type(created.atttypid) WHEN 'timestamp'::regtype
                             THEN ' AT TIME ZONE ''UTC''' ELSE '' END);
    ended := neon_auth_internal.count_as_owner(
        sessions.relation,
        format('WITH ended AS (DELETE FROM %s AS s WHERE %s RETURNING 1) SELECT count(*) FROM ended',
               sessions.relation, is_before), before);
    kept := neon_auth_internal.count_as_owner(
        sessions.relation, format('SELECT count(*) FROM %s AS s WHERE %s', sessions.relation, is_before), before);
    IF kept > 0 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'some sessions could not be deleted',
            DETAIL = format('Sessions that remain in %s: %s. A trigger keeps them, or they were created meanwhile.',
                            sessions.relation, kept),
            HINT = 'Call the function again; if it fails again, look at the triggers on the table.';
    END IF;
    RETURN ended;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.revoke_sessions(timestamptz) IS 'The body of neon_auth.revoke_sessions()';

CREATE FUNCTION neon_auth.revoke_sessions(before timestamptz DEFAULT now()) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN neon_auth_internal.revoke_sessions(before);
END
$$;
COMMENT ON FUNCTION neon_auth.revoke_sessions(timestamptz) IS
    'Deletes the sessions of Better Auth that were created before a time, as after a copy of the database; returns '
    'their number';
REVOKE ALL ON FUNCTION neon_auth.revoke_sessions(timestamptz) FROM PUBLIC;

-- auth.authenticate() calls it, and must not fail or wait because of it. Another session may extend it first.
CREATE FUNCTION neon_auth_internal.extend_session(id text, expires_at bigint, now bigint, until bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms'
AS $$
DECLARE
    sessions neon_auth_internal.better_auth_tables;
    extended boolean;
BEGIN
    SELECT b.* INTO STRICT sessions FROM neon_auth_internal.better_auth_tables b WHERE b.what = 'session';
    SELECT count(*) > 0 INTO extended
      FROM neon_auth_internal.as_owner(
          sessions.relation,
          (SELECT format('UPDATE %1$s AS s SET %2$s WHERE s.%3$I = (SELECT o.%3$I FROM %1$s AS o '
                         'WHERE o.%3$I = $1::%4$s AND o.%5$I = %6$s FOR NO KEY UPDATE SKIP LOCKED) RETURNING 1',
                         sessions.relation,
                         string_agg(format('%I = %s', c.name, format(c.moment, c.parameter)), ', ')
                             FILTER (WHERE c.canonical IN ('expiresAt', 'updatedAt')),
                         sessions.columns ->> 'id',
                         max(c.type) FILTER (WHERE c.canonical = 'id'),
                         sessions.columns ->> 'expiresAt',
                         max(format(c.moment, 2)) FILTER (WHERE c.canonical = 'expiresAt'))
             FROM (SELECT m.key AS canonical, a.attname AS name, a.atttypid::regtype::text AS type,
                          CASE m.key WHEN 'expiresAt' THEN 4 ELSE 3 END AS parameter,
                          '(timestamptz ''epoch'' + $%s::bigint * interval ''1 microsecond'')'
                              || CASE neon_auth_internal.base_type(a.atttypid) WHEN 'timestamp'::regtype
                                      THEN ' AT TIME ZONE ''UTC''' ELSE '' END
                              AS moment
                     FROM jsonb_each_text(sessions.columns) AS m
                     JOIN pg_attribute a ON a.attrelid = sessions.relation AND a.attname = m.value) AS c),
          ARRAY[extend_session.id, expires_at::text, now::text, until::text]);
    RETURN extended;
EXCEPTION WHEN OTHERS OR assert_failure THEN
    RETURN false;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.extend_session(text, bigint, bigint, bigint) IS
    'Sets the end of a session, in microseconds since 1970, if it still ends as given; returns false if it could not';
