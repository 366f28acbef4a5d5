-- From the mirror of Stack Auth into the tables of Better Auth, which then fill the mirror.
--
-- The tables of Better Auth belong to another role, so every statement on them runs by as_owner().

-- Foreign keys to users_sync, and tokens, contain ids, so an id must not change.
CREATE FUNCTION neon_auth_internal.id_defect(id text, type oid, typmod integer) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN type = 'uuid'::regtype AND id !~ '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$'
            THEN 'Its id is not a UUID in lower case with hyphens.'
        WHEN type IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
            THEN 'The ids of the table are integers.'
        WHEN type = 'varchar'::regtype AND typmod >= 0 AND length(id) > typmod - 4
            THEN 'Its id is longer than the column.' END
$$;
COMMENT ON FUNCTION neon_auth_internal.id_defect(text, oid, integer) IS
    'Returns why a column of a type cannot contain an id unchanged, as a sentence; NULL if it can';

CREATE FUNCTION neon_auth_internal.rows_as_owner(relation regclass, columns jsonb, wanted text[]) RETURNS SETOF json
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT o::json
      FROM neon_auth_internal.as_owner(
               relation,
               (SELECT format('SELECT json_build_object(%s)::text FROM %s',
                              string_agg(format('%L, %s', w, coalesce(quote_ident(columns ->> w) || '::text', 'NULL')),
                                         ', '), relation)
                  FROM unnest(wanted) AS w)) AS o;
$$;
COMMENT ON FUNCTION neon_auth_internal.rows_as_owner(regclass, jsonb, text[]) IS
    'Returns columns of all rows of a table of Better Auth under Better Auth''s own names; NULL for a column that '
    'it does not have';

-- All who sign up wait behind it, so it does not wait long.
CREATE FUNCTION neon_auth_internal.lock_as_owner(relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s'
AS $$
BEGIN
    PERFORM neon_auth_internal.as_owner(
        relation, format('LOCK TABLE ONLY %s IN SHARE ROW EXCLUSIVE MODE', relation));
EXCEPTION WHEN lock_not_available THEN
    PERFORM neon_auth_internal.fail_locked(relation);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.lock_as_owner(regclass) IS
    'Keeps writers out of a table of Better Auth until the transaction ends';

-- objects have the same keys, which are Better Auth's own names of columns.
CREATE FUNCTION neon_auth_internal.insert_as_owner(relation regclass, columns jsonb, objects jsonb[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    written record;
    missing name;
    deferred record;
    inserted bigint;
BEGIN
    IF cardinality(objects) = 0 THEN
        RETURN;
    END IF;
    -- In a column of a JSON type, a text that contains JSON becomes this JSON.
    SELECT array_agg(a.attname) AS names,
           string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS targets,
           string_agg(format('r.%I%s', c.canonical, CASE WHEN t.is_json THEN '::json' END), ', ' ORDER BY a.attnum)
               AS expressions,
           string_agg(format('%I %s', c.canonical,
                             CASE WHEN t.is_json THEN 'text' ELSE format_type(a.atttypid, a.atttypmod) END),
                      ', ' ORDER BY a.attnum) AS definitions
      INTO written
      FROM jsonb_each_text(columns) AS c(canonical, name)
      JOIN pg_attribute a ON a.attrelid = relation AND a.attname = c.name AND NOT a.attisdropped
     CROSS JOIN LATERAL (SELECT a.atttypid IN ('json'::regtype, 'jsonb'::regtype)) AS t(is_json)
     WHERE objects[1] ? c.canonical;
    SELECT a.attname INTO missing
      FROM pg_attribute a
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
       AND NOT a.atthasdef AND a.attidentity = '' AND a.attname <> ALL (written.names)
     ORDER BY a.attnum LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'not_null_violation',
            MESSAGE = 'a table of Better Auth requires a value that Stack Auth does not have',
            DETAIL = format('The column %I of %s is NOT NULL and has no default.', missing, relation),
            HINT = format('Give it a default: ALTER TABLE %s ALTER COLUMN %I SET DEFAULT ...;', relation, missing);
    END IF;
    -- as_owner() refuses what would run at the end of the transaction, with the rights of that moment.
    FOR deferred IN SELECT c.connamespace::regnamespace AS schema, c.conname AS name
                      FROM pg_constraint c WHERE c.conrelid = relation AND c.condeferred LOOP
        PERFORM neon_auth_internal.as_owner(
            relation, format('SET CONSTRAINTS %s.%I IMMEDIATE', deferred.schema, deferred.name));
    END LOOP;
    SELECT count(*) INTO inserted
      FROM neon_auth_internal.as_owner(
               relation,
               format('INSERT INTO %s (%s) SELECT %s FROM json_to_recordset($1::json) AS r(%s) RETURNING 1',
                      relation, written.targets, written.expressions, written.definitions),
               ARRAY[array_to_json(objects)::text]);
    IF inserted <> cardinality(objects) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'triggered_action_exception',
            MESSAGE = 'a table of Better Auth did not accept all rows',
            DETAIL = format('Rows for %s: %s; inserted: %s.', relation, cardinality(objects), inserted),
            HINT = format('A trigger or a rule of the table dropped them: SELECT tgname FROM pg_trigger '
                          'WHERE tgrelid = %L::regclass;', relation);
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.insert_as_owner(regclass, jsonb, jsonb[]) IS
    'Inserts objects into a table of Better Auth';

-- As Better Auth''s own text ids: 32 letters and digits. NULL for integers, whose column has a default.
CREATE FUNCTION neon_auth_internal.new_id(type oid) RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN type = 'uuid'::regtype THEN gen_random_uuid()::text
        WHEN type IN ('text'::regtype, 'varchar'::regtype)
            THEN left(translate(encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
                                       || uuid_send(gen_random_uuid()), 'base64'), E'+/=\n', ''), 32) END
$$;
COMMENT ON FUNCTION neon_auth_internal.new_id(oid) IS
    'Returns a new id for a column of Better Auth; NULL if the column must have a default';

-- Times as Better Auth writes them. A column without time zone ignores the zone, so it is UTC.
CREATE FUNCTION neon_auth_internal.utc_text(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
COMMENT ON FUNCTION neon_auth_internal.utc_text(timestamptz) IS
    'Returns a time as ISO 8601 in UTC, with milliseconds';

-- Of several users with one address, the one whose address is verified is created, then the oldest.
CREATE FUNCTION neon_auth_internal.migrate_users(relation regclass, columns jsonb)
RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    key pg_attribute;
    given record;
    permission text;
    defect text;
    objects jsonb[] := ARRAY[]::jsonb[];
BEGIN
    SELECT a.* INTO key FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = columns ->> 'id';
    FOR given IN
        WITH present AS MATERIALIZED (
            SELECT r.id, lower(r.email) AS email, r.role
              FROM neon_auth_internal.rows_as_owner(relation, columns, '{id,email,role}') AS o
             CROSS JOIN LATERAL json_to_record(o) AS r(id text, email text, role text)
        ), holders AS MATERIALIZED (
            SELECT p.email, min(p.id) AS id FROM present p GROUP BY p.email
        ), granted AS MATERIALIZED (
            SELECT p.user_id, array_agg(p.permission_id ORDER BY p.permission_id COLLATE "C") AS ids
              FROM neon_auth_internal.project_permissions_sync p
             WHERE NOT p.inherited GROUP BY p.user_id
        ), known AS MATERIALIZED (
            SELECT u.id, coalesce(u.created_at, now()) AS created_at, lower(u.email) AS email, u.raw_json,
                   coalesce(nullif(u.name, ''), nullif(u.email, ''), u.id) AS name,
                   coalesce(u.raw_json -> 'primary_email_verified' = 'true', false) AS is_verified,
                   coalesce(u.raw_json -> 'is_anonymous' = 'true', false) AS is_anonymous,
                   coalesce(u.raw_json -> 'restricted_by_admin' = 'true', false) AS is_banned,
                   p.id IS NOT NULL AS exists, regexp_split_to_array(p.role, '\s*,\s*') AS roles,
                   coalesce(g.ids, '{}') AS permissions, h.id AS holder
              FROM neon_auth_internal.users_sync u
              LEFT JOIN present p ON p.id = u.id
              LEFT JOIN holders h ON h.email = lower(u.email)
              LEFT JOIN granted g ON g.user_id = u.id
             WHERE u.deleted_at IS NULL
               AND neon_auth_internal.is_of_provider(
                       u.raw_json, (SELECT s.provider FROM neon_auth_internal.source s))
        ), judged AS (
            SELECT k.*,
                   CASE WHEN k.exists THEN NULL
                        WHEN d.id_defect IS NOT NULL THEN d.id_defect
                        WHEN coalesce(k.email, '') = '' THEN 'It has no e-mail address.'
                        WHEN k.is_anonymous AND NOT columns ? 'isAnonymous'
                            THEN 'It is anonymous, and the table has no column isAnonymous.'
                        WHEN k.is_banned AND NOT columns ? 'banned'
                            THEN 'An administrator has restricted it, and the table has no column banned.'
                        WHEN k.holder IS NOT NULL
                            THEN format('User %s of the table has the same e-mail address.', k.holder)
                        END AS defect
              FROM known k
             CROSS JOIN LATERAL neon_auth_internal.id_defect(k.id, key.atttypid, key.atttypmod) AS d(id_defect)
        )
        SELECT j.*, CASE WHEN j.defect IS NULL AND NOT j.exists THEN first_value(j.id) OVER (
                             PARTITION BY j.email, j.defect IS NULL AND NOT j.exists
                             ORDER BY j.is_verified DESC, j.created_at, j.id COLLATE "C") END AS first
          FROM judged j
         ORDER BY j.created_at, j.id COLLATE "C"
    LOOP
        defect := CASE WHEN given.first <> given.id
                       THEN format('User %s has the same e-mail address.', given.first) ELSE given.defect END;
        object := 'user';
        id := given.id;
        outcome := CASE WHEN given.exists THEN 'exists' WHEN defect IS NOT NULL THEN 'skipped' ELSE 'created' END;
        reason := CASE WHEN defect IS NOT NULL
                           THEN defect || ' In users_sync its row stays, marked as deleted.'
                       WHEN outcome = 'created' AND given.is_banned
                           THEN 'It is banned, because an administrator has restricted it.' END;
        RETURN NEXT;
        IF outcome = 'created' THEN
            objects := array_append(objects, jsonb_build_object(
                'id', given.id, 'name', given.name, 'email', given.email, 'emailVerified', given.is_verified,
                'image', given.raw_json ->> 'profile_image_url',
                'createdAt', neon_auth_internal.utc_text(given.created_at),
                'updatedAt', neon_auth_internal.utc_text(given.created_at),
                'role', (SELECT string_agg(p, ',') FROM unnest(given.permissions) AS p WHERE p !~ '[\s,]'),
                'banned', given.is_banned,
                'banReason', CASE WHEN given.is_banned THEN given.raw_json ->> 'restricted_by_admin_reason' END,
                'isAnonymous', given.is_anonymous));
            IF cardinality(objects) = 1000 THEN
                PERFORM neon_auth_internal.insert_as_owner(relation, columns, objects);
                objects := ARRAY[]::jsonb[];
            END IF;
        END IF;
        FOREACH permission IN ARRAY given.permissions LOOP
            defect := CASE WHEN outcome = 'skipped' THEN 'The user is skipped.'
                           WHEN NOT columns ? 'role' THEN 'The table of users has no column role.'
                           WHEN permission ~ '[\s,]' THEN 'Its name contains a blank or a comma.'
                           WHEN given.exists AND permission = ANY (given.roles) IS NOT TRUE
                               THEN 'The user existed, and keeps its role.' END;
            RETURN QUERY VALUES (
                'project permission', given.id || '/' || permission,
                CASE WHEN defect IS NULL THEN outcome ELSE 'skipped' END,
                coalesce(defect, CASE WHEN permission = 'admin' AND outcome = 'created'
                                      THEN 'Better Auth lets users with this role manage all users.' END));
        END LOOP;
    END LOOP;
    PERFORM neon_auth_internal.insert_as_owner(relation, columns, objects);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.migrate_users(regclass, jsonb) IS
    'Inserts the users of the mirror into Better Auth''s table; one row per user and per project permission';

CREATE FUNCTION neon_auth_internal.slug(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    -- NFKD separates letters from their accents, which are then left out.
    SELECT coalesce(nullif(trim(BOTH '-' FROM left(trim(BOTH '-' FROM regexp_replace(
               lower(regexp_replace(normalize(name, NFKD), E'[\\u0300-\\u036f]', '', 'g') COLLATE "C"),
               '[^a-z0-9]+', '-', 'g')), 48)), ''), 'team')
$$;
COMMENT ON FUNCTION neon_auth_internal.slug(text) IS
    'Returns a name as lower-case ASCII letters, digits and hyphens; team if none remain';

-- The first of a name gets the plain slug, the others a number behind it that is higher than any in use.
CREATE FUNCTION neon_auth_internal.migrate_teams(relation regclass, columns jsonb)
RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    key pg_attribute;
    given record;
    objects jsonb[] := ARRAY[]::jsonb[];
BEGIN
    SELECT a.* INTO key FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = columns ->> 'id';
    FOR given IN
        WITH present AS MATERIALIZED (
            SELECT r.id, r.slug
              FROM neon_auth_internal.rows_as_owner(relation, columns, '{id,slug}') AS o
             CROSS JOIN LATERAL json_to_record(o) AS r(id text, slug text)
             WHERE relation IS NOT NULL
        ), known AS MATERIALIZED (
            SELECT t.id, t.raw_json, coalesce(t.created_at, now()) AS created_at,
                   coalesce(nullif(t.name, ''), t.id) AS name,
                   neon_auth_internal.slug(coalesce(nullif(t.name, ''), t.id)) AS base,
                   p.id IS NOT NULL AS exists,
                   CASE WHEN p.id IS NOT NULL THEN NULL
                        WHEN relation IS NULL THEN 'There is no table organization.'
                        ELSE neon_auth_internal.id_defect(t.id, key.atttypid, key.atttypmod) END AS defect
              FROM neon_auth_internal.teams_sync t
              LEFT JOIN present p ON p.id = t.id
             WHERE t.deleted_at IS NULL
        ), used AS MATERIALIZED (
            SELECT p.slug, true AS is_taken FROM present p WHERE p.slug IS NOT NULL
            UNION
            SELECT k.base, false FROM known k
        ), last AS MATERIALIZED (
            SELECT m.parts[1] AS base, max(m.parts[2]::integer) AS number
              FROM used u
             CROSS JOIN LATERAL regexp_match(u.slug, '^(.*)-([0-9]{1,9})$') AS m(parts)
             WHERE m.parts IS NOT NULL
             GROUP BY 1
        ), numbered AS (
            SELECT k.*, row_number() OVER (PARTITION BY k.base ORDER BY k.created_at, k.id COLLATE "C")
                        - CASE WHEN EXISTS (SELECT FROM used u WHERE u.slug = k.base AND u.is_taken)
                               THEN 0 ELSE 1 END AS number
              FROM known k
             WHERE NOT k.exists AND k.defect IS NULL
        )
        SELECT k.*, n.base || CASE WHEN n.number > 0 THEN '-' || coalesce(l.number, 1) + n.number ELSE '' END AS slug
          FROM known k
          LEFT JOIN numbered n ON n.id = k.id
          LEFT JOIN last l ON l.base = k.base
         ORDER BY k.created_at, k.id COLLATE "C"
    LOOP
        object := 'team';
        id := given.id;
        outcome := CASE WHEN given.exists THEN 'exists' WHEN given.defect IS NOT NULL THEN 'skipped'
                        ELSE 'created' END;
        reason := CASE outcome
            WHEN 'created' THEN CASE WHEN columns ? 'slug' THEN format('Its slug is %s.', given.slug) END
            WHEN 'skipped' THEN given.defect || ' In teams_sync its row stays, marked as deleted.' END;
        RETURN NEXT;
        IF outcome = 'created' THEN
            objects := array_append(objects, jsonb_build_object(
                'id', given.id, 'name', given.name, 'slug', given.slug,
                'logo', given.raw_json ->> 'profile_image_url',
                'createdAt', neon_auth_internal.utc_text(given.created_at),
                -- Members can read it, so it is not server_metadata.
                'metadata', CASE WHEN jsonb_typeof(given.raw_json -> 'client_metadata') = 'object'
                                 THEN given.raw_json ->> 'client_metadata' END));
            IF cardinality(objects) = 1000 THEN
                PERFORM neon_auth_internal.insert_as_owner(relation, columns, objects);
                objects := ARRAY[]::jsonb[];
            END IF;
        END IF;
    END LOOP;
    PERFORM neon_auth_internal.insert_as_owner(relation, columns, objects);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.migrate_teams(regclass, jsonb) IS
    'Inserts the teams of the mirror into Better Auth''s table of organizations; one row per team';

-- team_admin and team_member become owner and member, which contain them. Every other permission becomes a role of
-- its own name, so that policies find it.
CREATE FUNCTION neon_auth_internal.migrate_members(
    relation regclass, columns jsonb, users regclass, user_columns jsonb, teams regclass, team_columns jsonb)
RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    key_type oid;
    given record;
    objects jsonb[] := ARRAY[]::jsonb[];
BEGIN
    SELECT a.atttypid INTO key_type FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = columns ->> 'id';
    FOR given IN
        WITH present AS MATERIALIZED (
            SELECT r."organizationId" AS team_id, r."userId" AS user_id, min(r.role) AS role
              FROM neon_auth_internal.rows_as_owner(relation, columns, '{organizationId,userId,role}') AS o
             CROSS JOIN LATERAL json_to_record(o) AS r("organizationId" text, "userId" text, role text)
             WHERE relation IS NOT NULL
             GROUP BY 1, 2
        ), present_users AS MATERIALIZED (
            SELECT o ->> 'id' AS id FROM neon_auth_internal.rows_as_owner(users, user_columns, '{id}') AS o
        ), present_teams AS MATERIALIZED (
            SELECT o ->> 'id' AS id FROM neon_auth_internal.rows_as_owner(teams, team_columns, '{id}') AS o
             WHERE teams IS NOT NULL
        ), granted AS MATERIALIZED (
            SELECT p.team_id, p.user_id,
                   array_agg(p.permission_id ORDER BY p.permission_id COLLATE "C") AS ids
              FROM neon_auth_internal.team_permissions_sync p
             WHERE NOT p.inherited GROUP BY p.team_id, p.user_id
        )
        SELECT m.team_id, m.user_id, m.created_at, p.team_id IS NOT NULL AS exists, p.role AS role_before, r.role,
               r.unfit,
               CASE WHEN p.team_id IS NOT NULL THEN NULL
                    WHEN relation IS NULL THEN 'There is no table member.'
                    WHEN t.id IS NULL THEN 'The team is skipped.'
                    WHEN u.id IS NULL THEN 'The user is skipped.' END AS defect
          FROM neon_auth_internal.team_members_sync m
          LEFT JOIN present p ON p.team_id = m.team_id AND p.user_id = m.user_id
          LEFT JOIN present_users u ON u.id = m.user_id
          LEFT JOIN present_teams t ON t.id = m.team_id
          LEFT JOIN granted g ON g.team_id = m.team_id AND g.user_id = m.user_id
         CROSS JOIN LATERAL (
             SELECT concat_ws(',', CASE WHEN g.ids @> '{team_admin}' THEN 'owner'
                                        WHEN g.ids @> '{team_member}' THEN 'member' END,
                              string_agg(i, ',' ORDER BY i COLLATE "C") FILTER (
                                  WHERE i NOT IN ('team_admin', 'team_member') AND i !~ '[\s,]')) AS role,
                    string_agg(to_json(i)::text, ', ' ORDER BY i COLLATE "C") FILTER (WHERE i ~ '[\s,]') AS unfit
               FROM unnest(g.ids) AS i) AS r
         WHERE NOT EXISTS (SELECT FROM neon_auth_internal.users_sync d
                            WHERE d.id = m.user_id AND d.deleted_at IS NOT NULL)
           AND NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync d
                            WHERE d.id = m.team_id AND d.deleted_at IS NOT NULL)
         ORDER BY m.team_id COLLATE "C", m.user_id COLLATE "C"
    LOOP
        object := 'member';
        id := given.team_id || '/' || given.user_id;
        outcome := CASE WHEN given.exists THEN 'exists' WHEN given.defect IS NOT NULL THEN 'skipped'
                        ELSE 'created' END;
        reason := CASE outcome
            WHEN 'created' THEN concat_ws(' ',
                CASE WHEN given.role = '' THEN 'It has no permission, so its role is empty.'
                     ELSE format('Its role is %s.', given.role) END,
                'These names contain a blank or a comma, and are left out: ' || given.unfit || '.')
            WHEN 'exists' THEN CASE WHEN given.role_before <> given.role
                                    THEN format('Its role stays %s.', given.role_before) END
            ELSE given.defect END;
        RETURN NEXT;
        IF outcome = 'created' THEN
            objects := array_append(objects, jsonb_build_object(
                'organizationId', given.team_id, 'userId', given.user_id, 'role', given.role,
                'createdAt', neon_auth_internal.utc_text(given.created_at))
                || jsonb_strip_nulls(jsonb_build_object('id', neon_auth_internal.new_id(key_type))));
            IF cardinality(objects) = 1000 THEN
                PERFORM neon_auth_internal.insert_as_owner(relation, columns, objects);
                objects := ARRAY[]::jsonb[];
            END IF;
        END IF;
    END LOOP;
    PERFORM neon_auth_internal.insert_as_owner(relation, columns, objects);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.migrate_members(regclass, jsonb, regclass, jsonb, regclass, jsonb) IS
    'Inserts the memberships of the mirror into Better Auth''s table; one row per membership';

-- Every team_admin becomes an owner, who has all permissions of Better Auth. If the application uses one of these
-- names for a permission of its own, its policies would allow more users than before.
CREATE FUNCTION neon_auth_internal.check_role_names() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    taken text;
BEGIN
    SELECT n.id INTO taken
      FROM (SELECT p.permission_id FROM neon_auth_internal.team_permissions_sync p
            UNION
            SELECT c.id FROM neon_auth_internal.permission_closure c
             WHERE c.scope = 'team'
               AND EXISTS (SELECT FROM neon_auth_internal.team_permissions_sync p
                            WHERE p.permission_id = ANY (c.granted_by))
            UNION
            -- Not those that add_better_auth defined for a provider that was dropped.
            SELECT d.id FROM neon_auth_internal.permission_definitions d
             WHERE d.scope = 'team' AND d.id !~ ':'
               AND NOT d.contained_permission_ids && '{organization:delete,organization:update,ac:read}') AS n(id)
     WHERE n.id ~ '^(owner|admin|member|(organization|member|invitation|team|ac):(create|read|update|delete|cancel))$'
     ORDER BY 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_object',
            MESSAGE = 'a permission of Stack Auth has the name of one of Better Auth',
            DETAIL = format('The name is %s. Owners of an organization have the permission of this name in Better '
                            'Auth, so policies that check it would allow more users.', taken),
            HINT = format('Choose another name for it in your policies, and in the transaction of the migration run '
                          'UPDATE neon_auth.team_permissions_sync SET permission_id = %2$L WHERE permission_id = '
                          '%1$L; UPDATE neon_auth.permission_definitions SET id = CASE id WHEN %1$L THEN %2$L ELSE id '
                          'END, contained_permission_ids = array_replace(contained_permission_ids, %1$L, %2$L) '
                          'WHERE scope = ''team'';', taken, 'app_' || replace(taken, ':', '_'));
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_role_names() IS
    'Fails if a permission of the mirror has the name of a role or permission of Better Auth';

-- A role whose name has a colon counts only if it is defined.
CREATE FUNCTION neon_auth_internal.define_roles() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO neon_auth_internal.permission_definitions (scope, id)
    SELECT g.scope, g.id
      FROM (SELECT 'team', p.permission_id FROM neon_auth_internal.team_permissions_sync p
            UNION
            SELECT 'project', p.permission_id FROM neon_auth_internal.project_permissions_sync p) AS g(scope, id)
     WHERE g.id ~ ':' AND g.id !~ '[\s,[:cntrl:]]'
        ON CONFLICT (scope, id) DO NOTHING;
$$;
COMMENT ON FUNCTION neon_auth_internal.define_roles() IS
    'Defines the permissions that become roles of Better Auth, if their names have a colon';

-- The roles of Better Auth then grant what the permissions of Stack Auth granted which they replace.
CREATE FUNCTION neon_auth_internal.migrate_definitions()
RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH replaced(role, permission) AS (
        VALUES ('owner', 'team_admin'), ('member', 'team_member')
    ), changed AS (
        UPDATE neon_auth_internal.permission_definitions d
           SET contained_permission_ids = d.contained_permission_ids || r.permission
          FROM replaced r
         WHERE d.scope = 'team' AND d.id = r.role AND d.contained_permission_ids @> ARRAY[r.permission] IS NOT TRUE
     RETURNING d.id
    )
    SELECT 'permission definition', r.role,
           CASE WHEN d.id IS NULL THEN 'skipped' WHEN c.id IS NOT NULL THEN 'changed' ELSE 'exists' END,
           CASE WHEN d.id IS NULL THEN format('There is no definition of %s, so it does not contain %s.', r.role,
                                              r.permission)
                WHEN r.role = 'owner' THEN 'It contains team_admin, and through member also team_member.'
                ELSE format('It contains %s.', r.permission) END
      FROM replaced r
      LEFT JOIN neon_auth_internal.permission_definitions d ON d.scope = 'team' AND d.id = r.role
      LEFT JOIN changed c ON c.id = r.role
     ORDER BY r.role DESC;
$$;
COMMENT ON FUNCTION neon_auth_internal.migrate_definitions() IS
    'Lets the roles owner and member contain the permissions of Stack Auth that they replace';

CREATE FUNCTION neon_auth_internal.remove_stack()
RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    number bigint;
BEGIN
    RETURN QUERY
        WITH removed AS (DELETE FROM neon_auth_internal.providers p WHERE p.kind = 'stack' RETURNING p.name)
        SELECT 'provider', r.name, 'removed', 'Tokens of Stack Auth are refused.' FROM removed r;
    RETURN QUERY
        WITH removed AS (
            DELETE FROM neon_auth_internal.secrets s
             WHERE s.name IN ('publishable_client_key', 'secret_server_key', 'webhook_secret') RETURNING s.name)
        SELECT 'secret', r.name, 'removed',
               CASE r.name WHEN 'webhook_secret' THEN 'Webhooks of Stack Auth are refused.' END
          FROM removed r ORDER BY r.name;
    DELETE FROM neon_auth_internal.sync_queue;
    GET DIAGNOSTICS number = ROW_COUNT;
    IF number > 0 THEN
        RETURN QUERY VALUES ('queue', 'sync_queue', 'removed',
                             format('Unconfirmed changes of Stack Auth: %s.', number));
    END IF;
    DELETE FROM neon_auth_internal.tombstones;
    DELETE FROM neon_auth_internal.sync_source;
    -- The users in the mirror are Better Auth's from here on.
    INSERT INTO neon_auth_internal.sync_source (kind, source) VALUES ('better_auth', 'better_auth');
END
$$;
COMMENT ON FUNCTION neon_auth_internal.remove_stack() IS
    'Removes the provider of kind stack, its secrets and the changes that wait for it';

-- After the migration the mirror is Better Auth's, and everything in it exists there.
CREATE FUNCTION neon_auth_internal.migrated()
RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    (SELECT 'user', u.id, 'exists', NULL::text
       FROM neon_auth_internal.users_sync u
       LEFT JOIN neon_auth_internal.source s ON true
      WHERE u.deleted_at IS NULL AND neon_auth_internal.is_of_provider(u.raw_json, s.provider)
      ORDER BY u.created_at, u.id COLLATE "C")
    UNION ALL
    (SELECT 'team', t.id, 'exists', NULL
       FROM neon_auth_internal.teams_sync t WHERE t.deleted_at IS NULL ORDER BY t.created_at, t.id COLLATE "C")
    UNION ALL
    (SELECT 'member', m.team_id || '/' || m.user_id, 'exists', NULL
       FROM neon_auth_internal.team_members_sync m ORDER BY m.team_id COLLATE "C", m.user_id COLLATE "C")
    UNION ALL
    SELECT 'provider', s.provider, 'exists', 'Better Auth fills the mirror already. Nothing was changed.'
      FROM neon_auth_internal.source s;
$$;
COMMENT ON FUNCTION neon_auth_internal.migrated() IS 'Reports a mirror that Better Auth fills already';

CREATE FUNCTION neon_auth_internal.migrate_all(base_url text, schema text, secret text, names jsonb)
RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    relations jsonb;
    columns jsonb;
    bound record;
BEGIN
    PERFORM neon_auth_internal.better_auth_origin(base_url);
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the migration requires the isolation level READ COMMITTED',
            DETAIL = format('The isolation level of this transaction is %s.',
                            upper(current_setting('transaction_isolation'))),
            HINT = 'SET TRANSACTION ISOLATION LEVEL READ COMMITTED;';
    END IF;
    -- A run of sync(), or a webhook that was verified before, would write users of Stack Auth afterwards.
    PERFORM neon_auth_internal.lock_sync();
    PERFORM neon_auth_internal.lock_mirror('source', '', true);
    SELECT jsonb_object_agg(f.what, f.relation::oid), jsonb_object_agg(f.what, f.columns) INTO relations, columns
      FROM neon_auth_internal.find_better_auth(schema, names) f;
    -- Nobody signs up until it is done, and nobody writes the mirror.
    FOR bound IN SELECT r.value::oid::regclass AS relation FROM jsonb_each_text(relations) r ORDER BY r.value::oid LOOP
        PERFORM neon_auth_internal.lock_as_owner(bound.relation);
    END LOOP;
    LOCK TABLE neon_auth_internal.users_sync, neon_auth_internal.teams_sync, neon_auth_internal.team_members_sync,
        neon_auth_internal.team_permissions_sync, neon_auth_internal.project_permissions_sync,
        neon_auth_internal.sync_queue IN SHARE ROW EXCLUSIVE MODE;
    PERFORM neon_auth_internal.check_role_names();
    RETURN QUERY SELECT * FROM neon_auth_internal.migrate_users(
        (relations ->> 'user')::oid, columns -> 'user');
    RETURN QUERY SELECT * FROM neon_auth_internal.migrate_teams(
        (relations ->> 'organization')::oid, columns -> 'organization');
    RETURN QUERY SELECT * FROM neon_auth_internal.migrate_members(
        (relations ->> 'member')::oid, columns -> 'member', (relations ->> 'user')::oid, columns -> 'user',
        (relations ->> 'organization')::oid, columns -> 'organization');
    RETURN QUERY SELECT * FROM neon_auth_internal.remove_stack();
    PERFORM neon_auth_internal.define_roles();
    PERFORM neon_auth_internal.bind_better_auth(base_url, schema, 'better_auth', secret, names);
    RETURN QUERY SELECT 'provider', s.provider, 'created', 'Better Auth fills the mirror.'
                   FROM neon_auth_internal.source s;
    RETURN QUERY SELECT * FROM neon_auth_internal.migrate_definitions();
END
$$;
COMMENT ON FUNCTION neon_auth_internal.migrate_all(text, text, text, jsonb) IS
    'Moves everything from Stack Auth to Better Auth; one row per object';

-- What is done is rolled back after a dry run, so that its rows and its errors are those of the real one.
CREATE FUNCTION neon_auth_internal.migrate_to_better_auth(
    dry_run boolean, base_url text, schema text, secret text, names jsonb)
RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
    is_done boolean := false;
BEGIN
    IF dry_run IS NOT false AND base_url IS NULL THEN
        base_url := 'https://better-auth.invalid';
    END IF;
    IF EXISTS (SELECT FROM neon_auth_internal.source s WHERE s.kind = 'better_auth') THEN
        RETURN QUERY SELECT m.* FROM neon_auth_internal.migrated() m;
        RETURN;
    END IF;
    BEGIN
        RETURN QUERY SELECT m.* FROM neon_auth_internal.migrate_all(base_url, schema, secret, names) m;
        is_done := true;
        IF dry_run IS NOT false THEN
            RAISE EXCEPTION SQLSTATE 'NA000';
        END IF;
    EXCEPTION WHEN SQLSTATE 'NA000' THEN
        -- The owner of a table can raise it too.
        IF NOT is_done THEN
            RAISE;
        END IF;
    END;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.migrate_to_better_auth(boolean, text, text, text, jsonb) IS
    'The body of neon_auth.migrate_to_better_auth()';

CREATE FUNCTION neon_auth.migrate_to_better_auth(
    dry_run boolean DEFAULT true,
    base_url text DEFAULT NULL,
    schema text DEFAULT NULL,
    secret text DEFAULT NULL,
    names jsonb DEFAULT '{}'
) RETURNS TABLE (object text, id text, outcome text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT m.* FROM neon_auth_internal.migrate_to_better_auth(dry_run, base_url, schema, secret, names) m;
END
$$;
COMMENT ON FUNCTION neon_auth.migrate_to_better_auth(boolean, text, text, text, jsonb) IS
    'Copies users, teams and memberships of Stack Auth to Better Auth, which then fills the mirror. Writes nothing '
    'unless dry_run => false';
REVOKE ALL ON FUNCTION neon_auth.migrate_to_better_auth(boolean, text, text, text, jsonb) FROM PUBLIC;
