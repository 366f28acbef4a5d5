-- Finds the tables of Better Auth by names and columns. Reads only the catalog: the tables belong to another role,
-- and a query of them could run that role's code.

-- type: id (uuid, text or integer), token, text, time, boolean or integer; * is a required column. A table without a
-- known name is recognised by the columns with !. privateKey is not listed: nothing may read it. The owner of an API
-- key is in userId until version 1.4, in referenceId since.
CREATE FUNCTION neon_auth_internal.better_auth_model()
RETURNS TABLE (what text, number bigint, canonical text, type text, required boolean, distinctive boolean)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT m.what, c.number, split_part(c.spec, ' ', 1), rtrim(split_part(c.spec, ' ', 2), '*!'),
           c.spec LIKE '%*%', c.spec LIKE '%!'
      FROM (VALUES
        ('user', 'id id*!,name text*!,email text*!,emailVerified boolean*!,createdAt time*!,updatedAt time,image text,'
                 'role text,banned boolean,banReason text,banExpires time,isAnonymous boolean'),
        ('session', 'id id*!,expiresAt time*!,token token*!,userId id*!,createdAt time,updatedAt time,'
                    'ipAddress text!,userAgent text!,activeOrganizationId id,activeTeamId id,impersonatedBy id'),
        ('jwks', 'id id*,publicKey text*,createdAt time,expiresAt time,alg text,crv text'),
        ('apikey', 'id id*,key token*,enabled boolean*,expiresAt time*,remaining integer*,userId id,referenceId id,'
                   'permissions text,createdAt time'),
        ('organization', 'id id*,name text*,slug text,createdAt time,logo text,metadata text'),
        ('member', 'id id*,organizationId id*,userId id*,role text*,createdAt time'),
        ('team', 'id id*,name text*,organizationId id*,createdAt time,updatedAt time'),
        ('teamMember', 'id id,teamId id*,userId id*,createdAt time'),
        ('organizationRole', 'id id*,organizationId id*,role text*,permission text*')) AS m(what, columns)
     CROSS JOIN LATERAL unnest(string_to_array(m.columns, ',')) WITH ORDINALITY AS c(spec, number);
$$;
COMMENT ON FUNCTION neon_auth_internal.better_auth_model() IS
    'Tables and columns of Better Auth that the extension uses, under Better Auth''s own names';

-- emailVerified and email_verified are one name. Every s at the end is cut off: Drizzle calls the table jwks jwkss.
CREATE FUNCTION neon_auth_internal.plain_name(name text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT rtrim(lower(replace(name, '_', '') COLLATE "C"), 's') $$;
COMMENT ON FUNCTION neon_auth_internal.plain_name(text) IS
    'A name in lower case, without underscores and plural, for comparison';

-- {"user": "app_users"} is short for {"user": {"table": "app_users"}}; null leaves out a table or column.
CREATE FUNCTION neon_auth_internal.check_better_auth_names(names jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given record;
    reason text;
BEGIN
    IF names IS NULL OR jsonb_typeof(names) <> 'object' THEN
        reason := format('The argument is %s.', coalesce('a JSON ' || jsonb_typeof(names), 'NULL'));
        names := '{}';
    END IF;
    -- Each member of names; then each of the objects in it.
    FOR given IN
        SELECT t.key AS what, CASE jsonb_typeof(t.value) WHEN 'object' THEN c.key ELSE 'table' END AS canonical,
               CASE jsonb_typeof(t.value) WHEN 'object' THEN c.value ELSE t.value END AS name
          FROM jsonb_each(names) AS t
          LEFT JOIN LATERAL jsonb_each(CASE jsonb_typeof(t.value) WHEN 'object' THEN t.value END) AS c ON true
         ORDER BY t.key, c.key
    LOOP
        reason := CASE
            WHEN NOT EXISTS (SELECT FROM neon_auth_internal.better_auth_model() m WHERE m.what = given.what)
                THEN format('There is no table %s; the tables are user, session, jwks, apikey, organization, member, '
                            'team, teamMember and organizationRole.', to_json(given.what))
            WHEN given.canonical <> 'table'
                 AND NOT EXISTS (SELECT FROM neon_auth_internal.better_auth_model() m
                                  WHERE m.what = given.what AND m.canonical = given.canonical)
                THEN format('The table %s has no column %s; the columns that can be named are %s.', given.what,
                            to_json(given.canonical),
                            (SELECT string_agg(m.canonical, ', ' ORDER BY m.number)
                               FROM neon_auth_internal.better_auth_model() m WHERE m.what = given.what))
            WHEN jsonb_typeof(given.name) NOT IN ('string', 'null') OR given.name = '""'
                THEN format('The name for %s of %s is not a non-empty string.', given.canonical, given.what)
            WHEN jsonb_typeof(given.name) = 'null'
                 AND (given.canonical = 'table' AND given.what IN ('user', 'session')
                      OR EXISTS (SELECT FROM neon_auth_internal.better_auth_model() m
                                  WHERE m.what = given.what AND m.canonical = given.canonical AND m.required))
                THEN format('The %s of %s cannot be left out.', given.canonical, given.what) END;
        EXIT WHEN reason IS NOT NULL;
    END LOOP;
    IF reason IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the names of Better Auth''s tables are malformed',
            DETAIL = reason,
            HINT = 'For example: names => ''{"user": "app_users"}'', or '
                   '''{"user": {"table": "app_users", "emailVerified": "is_verified"}}''.';
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_better_auth_names(jsonb) IS
    'Fails if the argument names of add_better_auth is malformed';

-- The casts to name cut a long name as CREATE TABLE does.
CREATE FUNCTION neon_auth_internal.given_table(what text, names jsonb) RETURNS name
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT (CASE jsonb_typeof(names -> what) WHEN 'object' THEN names -> what ->> 'table' ELSE names ->> what END)::name
$$;
COMMENT ON FUNCTION neon_auth_internal.given_table(text, jsonb) IS
    'The name of a table in the argument names of add_better_auth; NULL if it is not named';

CREATE FUNCTION neon_auth_internal.is_column(attname name, what text, canonical text, names jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT CASE WHEN jsonb_typeof(names -> what) = 'object' AND names -> what ? canonical
                THEN attname = (names -> what ->> canonical)::name
                ELSE lower(replace(attname, '_', '') COLLATE "C") = lower(canonical) END
$$;
COMMENT ON FUNCTION neon_auth_internal.is_column(name, text, text, jsonb) IS
    'Returns true if a column of the catalog can be the one that Better Auth calls canonical';

-- rank: 0 with the prefix of the tables user and session, 1 by name, 2 by name with any prefix, 3 only by columns.
-- schema NULL: all schemas of users.
CREATE FUNCTION neon_auth_internal.better_auth_candidates(
    what text, names jsonb, schema oid DEFAULT NULL, prefix text DEFAULT '')
RETURNS TABLE (relation regclass, relnamespace oid, rank integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH wanted AS MATERIALIZED (
        SELECT m.canonical FROM neon_auth_internal.better_auth_model() m
         WHERE m.what = better_auth_candidates.what AND m.distinctive
    ), alike AS MATERIALIZED (
        SELECT a.attrelid
          FROM pg_attribute a
          JOIN wanted w ON neon_auth_internal.is_column(a.attname, better_auth_candidates.what, w.canonical, names)
         WHERE a.attnum > 0 AND NOT a.attisdropped
         GROUP BY a.attrelid
        HAVING count(DISTINCT w.canonical) = (SELECT count(*) FROM wanted)
    ), ranked AS (
        SELECT c.oid, c.relnamespace,
               CASE WHEN neon_auth_internal.given_table(better_auth_candidates.what, names) IS NOT NULL
                        THEN CASE WHEN c.relname = neon_auth_internal.given_table(better_auth_candidates.what, names)
                                  THEN 0 END
                    WHEN prefix <> '' AND p.name = prefix || p.wanted THEN 0
                    WHEN p.name = p.wanted THEN 1
                    WHEN p.name LIKE '%' || p.wanted
                         AND better_auth_candidates.what IN ('user', 'session', 'jwks') THEN 2
                    WHEN c.oid IN (SELECT a.attrelid FROM alike a) THEN 3 END AS rank
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
         CROSS JOIN LATERAL (SELECT neon_auth_internal.plain_name(c.relname),
                                    neon_auth_internal.plain_name(better_auth_candidates.what)) AS p(name, wanted)
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
           AND (c.relnamespace = schema OR schema IS NULL AND n.nspname !~ '^pg_|^information_schema$')
           AND NOT EXISTS (SELECT FROM pg_depend d
                            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    )
    SELECT r.oid::regclass, r.relnamespace, r.rank FROM ranked r WHERE r.rank IS NOT NULL;
$$;
COMMENT ON FUNCTION neon_auth_internal.better_auth_candidates(text, jsonb, oid, text) IS
    'Tables that can be a table of Better Auth by their names, or by their columns; not those of extensions';

-- unfit: this is another table. Other defects are to be mended.
CREATE FUNCTION neon_auth_internal.examine_better_auth(
    what text, names jsonb, relation regclass,
    OUT columns jsonb, OUT unfit boolean, OUT code text, OUT defect text, OUT hint text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own pg_class;
    wanted record;
    matching pg_attribute[];
    actual pg_attribute;
    indexed constant text[] := '{user.id,session.token,jwks.id,apikey.key}'::text[];
BEGIN
    columns := '{}';
    unfit := false;
    SELECT c.* INTO own FROM pg_class c WHERE c.oid = relation;
    IF own.oid IS NULL THEN
        unfit := true;
        code := 'undefined_table';
        defect := format('The table %s does not exist.', what);
        RETURN;
    END IF;
    IF own.relkind <> 'r' THEN
        unfit := own.relkind <> 'p';
        code := 'wrong_object_type';
        defect := format('%s is a %s, not an ordinary table.', relation,
                         CASE own.relkind WHEN 'p' THEN 'partitioned table' WHEN 'f' THEN 'foreign table'
                                          WHEN 'm' THEN 'materialized view' ELSE 'view' END);
    ELSIF own.relispartition OR EXISTS (SELECT FROM pg_inherits i WHERE relation IN (i.inhrelid, i.inhparent)) THEN
        code := 'wrong_object_type';
        defect := format('%s is a partition, or inherits or is inherited: its triggers do not see all changes.',
                         relation);
    ELSIF own.relam <> (SELECT m.oid FROM pg_am m WHERE m.amname = 'heap') THEN
        code := 'wrong_object_type';
        defect := format('%s has another access method than heap.', relation);
    ELSIF own.relpersistence = 't' THEN
        code := 'wrong_object_type';
        defect := format('%s is a temporary table: it ends with its session.', relation);
    END IF;
    IF defect IS NOT NULL THEN
        hint := format('Name an ordinary table: names => ''{"%s": "<table>"}''.', what);
    END IF;

    FOR wanted IN
        SELECT m.* FROM neon_auth_internal.better_auth_model() m
         WHERE m.what = examine_better_auth.what
           AND jsonb_typeof(names -> m.what -> m.canonical) IS DISTINCT FROM 'null'
         ORDER BY m.number
    LOOP
        matching := ARRAY(
            SELECT a FROM pg_attribute a
             WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
               AND neon_auth_internal.is_column(a.attname, what, wanted.canonical, names)
               -- An administrator can say that the column referenceId has ids of users.
               AND (what <> 'apikey' OR wanted.canonical <> 'referenceId'
                    OR a.attname IS DISTINCT FROM columns ->> 'userId')
             ORDER BY a.attname <> wanted.canonical, a.attnum);
        actual := matching[1];
        IF actual.attname IS NULL THEN
            IF wanted.required OR jsonb_typeof(names -> what) = 'object' AND names -> what ? wanted.canonical THEN
                unfit := true;
                IF defect IS NULL THEN
                    code := 'undefined_column';
                    defect := format('%s has no column %s.', relation,
                                     coalesce(to_json(names -> what ->> wanted.canonical)::text, wanted.canonical));
                    hint := format('If the column has another name: names => ''{"%s": {"%s": "<column>"}}''.',
                                   what, wanted.canonical);
                END IF;
            END IF;
            CONTINUE;
        END IF;
        columns := columns || jsonb_build_object(wanted.canonical, actual.attname);
        CONTINUE WHEN defect IS NOT NULL;
        IF cardinality(matching) > 1 AND actual.attname <> wanted.canonical THEN
            code := 'ambiguous_column';
            defect := format('The columns %s of %s have the name %s.',
                             (SELECT string_agg(quote_ident(a.attname), ' and ') FROM unnest(matching) a),
                             relation, wanted.canonical);
            hint := format('Name the one to use: names => ''{"%s": {"%s": "<column>"}}''.', what, wanted.canonical);
        ELSIF NOT neon_auth_internal.is_better_auth_type(wanted.type, actual.atttypid) THEN
            code := 'datatype_mismatch';
            defect := format('The column %I of %s has the type %s; it must be %s.', actual.attname, relation,
                             format_type(actual.atttypid, actual.atttypmod),
                             CASE wanted.type WHEN 'id' THEN 'uuid, text, varchar or an integer'
                                              WHEN 'token' THEN 'text or varchar'
                                              WHEN 'time' THEN 'timestamptz, or timestamp in UTC'
                                              WHEN 'integer' THEN 'smallint, integer or bigint'
                                              ELSE wanted.type END);
            hint := format('ALTER TABLE %s ALTER COLUMN %I TYPE %s USING ...; or name another column, %s: '
                           'names => ''{"%s": {"%s": "<column>"}}''.', relation, actual.attname,
                           CASE wanted.type WHEN 'time' THEN 'timestamptz' WHEN 'boolean' THEN 'boolean'
                                            WHEN 'integer' THEN 'integer' ELSE 'text' END,
                           CASE WHEN wanted.required THEN 'if there is one' ELSE 'or null for none' END,
                           what, wanted.canonical);
        ELSIF actual.attgenerated NOT IN ('', 's') THEN
            code := 'wrong_object_type';
            defect := format('The column %I of %s is a virtual generated column, which is not stored.', actual.attname,
                             relation);
            hint := 'Make it an ordinary column, or GENERATED ALWAYS AS (...) STORED.';
        ELSIF format('%s.%s', what, wanted.canonical) = ANY (indexed)
              AND NOT neon_auth_internal.has_plain_index(relation, actual.attnum) THEN
            code := 'object_not_in_prerequisite_state';
            defect := format('%s has no index that begins with the column %I.', relation, actual.attname);
            hint := format('CREATE UNIQUE INDEX ON %s (%I);', relation, actual.attname);
        END IF;
    END LOOP;
    IF what = 'apikey' AND NOT columns ?| '{userId,referenceId}' THEN
        unfit := true;
        IF defect IS NULL THEN
            code := 'undefined_column';
            defect := format('%s has neither a column userId nor a column referenceId.', relation);
            hint := 'If the column of the owner has another name: '
                    'names => ''{"apikey": {"referenceId": "<column>"}}''.';
        END IF;
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.examine_better_auth(text, jsonb, regclass) IS
    'The columns of a table that can be one of Better Auth, under Better Auth''s names, and its first defect';

CREATE FUNCTION neon_auth_internal.base_type(type oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE base(oid, typbasetype) AS (
        SELECT t.oid, t.typbasetype FROM pg_type t WHERE t.oid = base_type.type
        UNION ALL
        SELECT t.oid, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.typbasetype
    )
    SELECT b.oid FROM base b WHERE b.typbasetype = 0
$$;
COMMENT ON FUNCTION neon_auth_internal.base_type(oid) IS 'Returns the type that a domain is over; otherwise the type';

CREATE FUNCTION neon_auth_internal.is_better_auth_type(type text, actual oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE is_better_auth_type.type
               WHEN 'id' THEN t.oid IN ('uuid'::regtype, 'text'::regtype, 'varchar'::regtype, 'smallint'::regtype,
                                        'integer'::regtype, 'bigint'::regtype)
               WHEN 'token' THEN t.oid IN ('text'::regtype, 'varchar'::regtype)
               WHEN 'time' THEN t.oid IN ('timestamptz'::regtype, 'timestamp'::regtype)
               WHEN 'boolean' THEN t.oid = 'boolean'::regtype
               WHEN 'integer' THEN t.oid IN ('smallint'::regtype, 'integer'::regtype, 'bigint'::regtype)
               -- Strings, such as citext; enums; JSON, whose text is read.
               ELSE t.typcategory IN ('S', 'E') OR t.oid IN ('json'::regtype, 'jsonb'::regtype) END
      FROM pg_type t
     WHERE t.oid = neon_auth_internal.base_type(actual)
$$;
COMMENT ON FUNCTION neon_auth_internal.is_better_auth_type(text, oid) IS
    'Returns true if a column of Better Auth''s tables can have a type';

CREATE FUNCTION neon_auth_internal.has_plain_index(relation regclass, attnum smallint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM pg_index i
          JOIN pg_class x ON x.oid = i.indexrelid
          JOIN pg_am m ON m.oid = x.relam AND m.amname = 'btree'
          JOIN pg_opclass o ON o.oid = i.indclass[0] AND o.opcdefault
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                             AND a.attcollation = i.indcollation[0]
         WHERE i.indrelid = relation AND i.indkey[0] = has_plain_index.attnum
           AND i.indisvalid AND i.indisready AND i.indislive AND i.indpred IS NULL AND i.indexprs IS NULL)
$$;
COMMENT ON FUNCTION neon_auth_internal.has_plain_index(regclass, smallint) IS
    'Returns true if a table has a btree index that begins with a column and runs no code of the table''s owner';

-- The tables that the former call has bound, the most important first. A table without our trigger is not one: it was
-- made later under the same name, as after a restore.
CREATE FUNCTION neon_auth_internal.bound_better_auth()
RETURNS TABLE (what text, relation regclass, relnamespace oid, relowner oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT b.what, b.relation, c.relnamespace, c.relowner
      FROM neon_auth_internal.better_auth_tables b
      JOIN pg_class c ON c.oid = b.relation
     WHERE EXISTS (SELECT FROM pg_trigger t
                    WHERE t.tgrelid = b.relation
                      AND t.tgfoid = 'neon_auth_internal.better_auth_changed()'::regprocedure)
     ORDER BY array_position('{user,session}'::text[], b.what), b.what;
$$;
COMMENT ON FUNCTION neon_auth_internal.bound_better_auth() IS
    'The tables of Better Auth that are bound and carry the extension''s trigger, the table of users first';

-- A superuser can sign in as anybody anyway.
CREATE FUNCTION neon_auth_internal.is_foreign(relation regclass, owner oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
                    WHERE c.oid = relation AND c.relowner <> owner AND NOT r.rolsuper)
$$;
COMMENT ON FUNCTION neon_auth_internal.is_foreign(regclass, oid) IS
    'Returns true if a table belongs neither to an owner nor to a superuser; false if the owner is NULL';

-- Who owns one of these tables can sign in as anybody. The table that an administrator names is accepted.
CREATE FUNCTION neon_auth_internal.check_better_auth_owner(
    what text, names jsonb, relation regclass, owner oid, is_required boolean) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own record;
    detail text;
    change text;
BEGIN
    IF NOT neon_auth_internal.is_foreign(relation, owner) THEN
        RETURN true;
    END IF;
    SELECT c.relname AS name, c.relowner::regrole AS owner INTO own FROM pg_class c WHERE c.oid = relation;
    detail := format('As %s: %s belongs to role %s, but %s to role %s.', what, relation, own.owner,
                     CASE what WHEN 'user' THEN 'the tables that are in use' ELSE 'the table of users' END,
                     owner::regrole);
    change := format('ALTER TABLE %s OWNER TO %s;', relation, owner::regrole);
    IF neon_auth_internal.given_table(what, names) IS NOT NULL THEN
        RAISE WARNING USING
            MESSAGE = 'a table of Better Auth belongs to another role, which can sign in as anybody',
            DETAIL = detail,
            HINT = format('Unless role %s may do so: %s', own.owner, change);
        RETURN true;
    ELSIF is_required THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the tables of Better Auth belong to several roles',
            DETAIL = detail,
            HINT = format('Name the table to use: names => ''{"%s": "<table>"}''; this one only if role %s may sign in '
                          'as anybody. Or change its owner: %s', what, own.owner, change);
    END IF;
    RAISE NOTICE USING
        MESSAGE = 'a table is not used as a table of Better Auth',
        DETAIL = detail,
        HINT = format('Only if role %s may sign in as anybody: names => ''{"%s": %s}''; if not: '
                      'names => ''{"%s": null}''.', own.owner, what, to_json(own.name), what);
    RETURN false;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_better_auth_owner(text, jsonb, regclass, oid, boolean) IS
    'Fails if a required table does not belong to an owner; returns false for another table. A named one is accepted';

-- A table of another application can have the name of an optional table, so it is left out with a notice. The table
-- that is bound is the only one that can be chosen, unless another is named.
CREATE FUNCTION neon_auth_internal.choose_better_auth(
    what text, names jsonb, schema oid, prefix text, owner oid, OUT relation regclass, OUT columns jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    candidate record;
    best record;
    alike text[] := '{}'::text[];
    is_named constant boolean := coalesce(jsonb_typeof(names -> what), 'null') <> 'null';
    bound constant regclass := (
        SELECT b.relation FROM neon_auth_internal.bound_better_auth() b
         WHERE b.what = choose_better_auth.what AND b.relnamespace = schema
           AND neon_auth_internal.given_table(b.what, names) IS NULL);
    is_required constant boolean := is_named OR bound IS NOT NULL OR what IN ('user', 'session');
BEGIN
    IF names ? what AND NOT is_named THEN
        RETURN;
    END IF;
    FOR candidate IN
        SELECT c.relation, c.rank, f.is_foreign, x.columns, x.unfit, x.code, x.defect, x.hint
          FROM (SELECT bound AS relation, 0 AS rank WHERE bound IS NOT NULL
                UNION ALL
                SELECT o.relation, o.rank
                  FROM neon_auth_internal.better_auth_candidates(what, names, schema, prefix) o
                 WHERE bound IS NULL) AS c
         CROSS JOIN LATERAL neon_auth_internal.examine_better_auth(what, names, c.relation) x
         CROSS JOIN LATERAL neon_auth_internal.is_foreign(c.relation, owner) AS f(is_foreign)
         ORDER BY f.is_foreign, x.unfit, c.rank, c.relation::text COLLATE "C"
    LOOP
        IF alike = '{}' THEN
            best := candidate;
        END IF;
        EXIT WHEN (candidate.is_foreign, candidate.unfit, candidate.rank) <> (best.is_foreign, best.unfit, best.rank);
        alike := alike || candidate.relation::text;
    END LOOP;
    IF alike = '{}' THEN
        IF is_required THEN
            RAISE EXCEPTION USING
                ERRCODE = 'undefined_table',
                MESSAGE = 'a table of Better Auth was not found',
                DETAIL = format('Schema %s has no table %s.', schema::regnamespace,
                                coalesce(to_json(neon_auth_internal.given_table(what, names))::text, what)),
                HINT = format('If it has another name: names => ''{"%s": "<table>"}''; if it is in another schema: '
                              'schema => ''...''. If it does not exist: run Better Auth''s migrations', what)
                    || CASE what WHEN 'session' THEN ', with storeSessionInDatabase if there is a secondaryStorage.'
                                 ELSE '.' END;
        END IF;
        RETURN;
    END IF;
    IF NOT best.unfit AND cardinality(alike) > 1 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'several tables can be the same table of Better Auth',
            DETAIL = format('Each of these can be %s: %s.', what, array_to_string(alike, ', ')),
            HINT = format('Name it: names => ''{"%s": "<table>"}''.', what)
                || CASE WHEN is_required THEN ''
                        ELSE format(' If none of them is: names => ''{"%s": null}''.', what) END;
    END IF;
    IF NOT is_required AND (best.unfit OR what = 'apikey' AND best.defect IS NOT NULL) THEN
        RAISE NOTICE USING
            MESSAGE = 'a table is not used as a table of Better Auth',
            DETAIL = format('It could be %s, but %s', what, regexp_replace(best.defect, '^The ', 'the ')),
            HINT = format('If it is another table: names => ''{"%s": null}''. %s', what, best.hint);
        RETURN;
    END IF;
    IF best.defect IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = best.code,
            MESSAGE = 'a table of Better Auth cannot be used',
            DETAIL = format('As %s: %s', what, best.defect),
            HINT = best.hint;
    END IF;
    IF neon_auth_internal.check_better_auth_owner(what, names, best.relation, owner, is_required) THEN
        relation := best.relation;
        columns := best.columns;
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.choose_better_auth(text, jsonb, oid, text, oid) IS
    'One table of Better Auth in a schema, and its columns; NULL if it is optional and does not exist';

-- The schema of the tables that are bound, which a table elsewhere does not change. In the first call, the schema that
-- has the tables user and session. If none has, the only one that has tables like both, or one of
-- them: what it lacks is then reported.
CREATE FUNCTION neon_auth_internal.schema_of_better_auth(schema text, names jsonb) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    candidates jsonb;
    places oid[];
    defects text;
    hint text;
BEGIN
    IF schema IS NOT NULL THEN
        places := ARRAY(SELECT n.oid FROM pg_namespace n WHERE n.nspname = schema::name);
        IF places = '{}' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_schema_name',
                MESSAGE = 'the schema of Better Auth''s tables does not exist',
                DETAIL = format('The name given is %s.', to_json(schema)),
                HINT = 'Name an existing schema, in its own case and without quotes; or leave it out to have it found.';
        END IF;
        RETURN places[1];
    END IF;
    places := ARRAY(SELECT b.relnamespace FROM neon_auth_internal.bound_better_auth() b);
    IF places <> '{}' THEN
        RETURN places[1];
    END IF;
    -- For each schema: how many of the two tables it has, and how many tables like them.
    SELECT jsonb_agg(p) INTO candidates
      FROM (SELECT c.relnamespace, count(DISTINCT w.what) FILTER (WHERE NOT x.unfit) AS fit,
                   count(DISTINCT w.what) AS alike
              FROM unnest('{user,session}'::text[]) AS w(what)
             CROSS JOIN LATERAL neon_auth_internal.better_auth_candidates(w.what, names) c
             CROSS JOIN LATERAL neon_auth_internal.examine_better_auth(w.what, names, c.relation) x
             GROUP BY c.relnamespace) AS p;
    FOR pass IN 1 .. 3 LOOP
        places := ARRAY(
            SELECT p.relnamespace
              FROM jsonb_to_recordset(candidates) AS p(relnamespace oid, fit integer, alike integer)
             WHERE CASE pass WHEN 1 THEN p.fit = 2 WHEN 2 THEN p.alike = 2 ELSE p.fit > 0 END
             ORDER BY p.relnamespace::regnamespace::text COLLATE "C");
        IF cardinality(places) = 1 THEN
            RETURN places[1];
        ELSIF places <> '{}' AND pass = 1 THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'several schemas have the tables of Better Auth',
                DETAIL = format('They are %s.', array_to_string(places::regnamespace[], ', ')),
                HINT = 'Name the one to use: schema => ''...''.';
        END IF;
        EXIT WHEN places <> '{}';
    END LOOP;
    -- A named table that exists, and why it cannot be the one.
    SELECT string_agg(format('As %s: %s', w.what, x.defect), ' ' ORDER BY w.what DESC, c.relation::text COLLATE "C"),
           (array_agg(x.hint ORDER BY x.unfit DESC, w.what DESC, c.relation::text COLLATE "C"))[1]
      INTO defects, hint
      FROM unnest('{user,session}'::text[]) AS w(what)
     CROSS JOIN LATERAL neon_auth_internal.better_auth_candidates(w.what, names) c
     CROSS JOIN LATERAL neon_auth_internal.examine_better_auth(w.what, names, c.relation) x
     WHERE x.defect IS NOT NULL AND neon_auth_internal.given_table(w.what, names) IS NOT NULL;
    IF defects IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_table',
            MESSAGE = 'no schema has the tables of Better Auth',
            DETAIL = defects,
            HINT = hint;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'undefined_table',
        MESSAGE = 'no schema has the tables of Better Auth',
        DETAIL = 'The tables user and session must be in one schema; they were looked for by their names and columns.',
        HINT = 'Run Better Auth''s migrations first. '
               'Name renamed tables: names => ''{"user": "...", "session": "..."}''; '
               'or name the schema, to see what is missing there: schema => ''...''.';
END
$$;
COMMENT ON FUNCTION neon_auth_internal.schema_of_better_auth(text, jsonb) IS
    'The schema of Better Auth''s tables: the given one, that of the bound tables, or the only one that has them';

-- Columns alone do not make a table trusted: an application can let its users write such a table, for example one of
-- wallets, and the keys in jwks sign for all users.
CREATE FUNCTION neon_auth_internal.notice_keys(schema oid) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    alike regclass;
BEGIN
    FOR alike IN
        SELECT c.oid
          FROM pg_class c
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = schema AND c.relkind = 'r'
           AND neon_auth_internal.plain_name(a.attname) IN ('publickey', 'privatekey')
           AND NOT EXISTS (SELECT FROM neon_auth_internal.better_auth_candidates('jwks', '{}', schema) k
                            WHERE k.relation = c.oid)
         GROUP BY c.oid, c.relname
        HAVING count(*) = 2
         ORDER BY c.relname
    LOOP
        RAISE NOTICE USING
            MESSAGE = 'a table is not used as a table of Better Auth',
            DETAIL = format('%s has columns of jwks, but another name.', alike),
            HINT = format('If its keys sign the tokens: names => ''{"jwks": %s}''; '
                          'if not: names => ''{"jwks": null}''.',
                          to_json((SELECT c.relname FROM pg_class c WHERE c.oid = alike)));
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.notice_keys(oid) IS
    'Names the tables in a schema that look like the table jwks, which was not found';

CREATE FUNCTION neon_auth_internal.find_better_auth(schema text, names jsonb)
RETURNS TABLE (what text, relation regclass, columns jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Tables that exist only together.
    groups constant text[] := ARRAY['user', 'session', 'jwks', 'apikey', 'organization member', 'team teamMember',
                                    'organizationRole'];
    place oid;
    owner oid;
    prefix text := '';
    members text[];
    member text;
    chosen record;
    part jsonb;
    tables jsonb := '{}'::jsonb;
    relations regclass[];
    prefixes text[];
BEGIN
    PERFORM neon_auth_internal.check_better_auth_names(names);
    -- The name of one table of a plugin says that the plugin is in use.
    IF EXISTS (SELECT FROM jsonb_each(names) AS n
                WHERE n.key NOT IN ('user', 'session', 'jwks', 'apikey') AND n.value <> 'null') THEN
        names := '{"organization": {}, "member": {}}' || names;
    END IF;
    IF EXISTS (SELECT FROM jsonb_each(names) AS n WHERE n.key IN ('team', 'teamMember') AND n.value <> 'null') THEN
        names := '{"team": {}, "teamMember": {}}' || names;
    END IF;
    place := neon_auth_internal.schema_of_better_auth(schema, names);
    owner := (SELECT b.relowner FROM neon_auth_internal.bound_better_auth() b WHERE b.relnamespace = place LIMIT 1);
    FOR group_number IN 1 .. cardinality(groups) LOOP
        EXIT WHEN group_number > 5 AND NOT tables ? 'organization';
        members := string_to_array(groups[group_number], ' ');
        part := '{}';
        FOREACH member IN ARRAY members LOOP
            chosen := neon_auth_internal.choose_better_auth(member, names, place, prefix, owner);
            IF chosen.relation IS NOT NULL THEN
                part := part || jsonb_build_object(
                    member, jsonb_build_object('oid', chosen.relation::oid, 'columns', chosen.columns));
            ELSIF part <> '{}' OR member <> members[1] THEN
                RAISE NOTICE USING
                    MESSAGE = 'a table is not used as a table of Better Auth',
                    DETAIL = format('%s needs %s, which was not found.', members[1], member),
                    HINT = format('If it has another name: names => ''{"%s": "<table>"}''.', member);
                part := '{}';
            END IF;
            EXIT WHEN part = '{}';
        END LOOP;
        IF group_number = 3 AND part = '{}' AND NOT names ? 'jwks' THEN
            PERFORM neon_auth_internal.notice_keys(place);
        END IF;
        tables := tables || part;
        IF group_number = 1 THEN
            owner := (SELECT c.relowner FROM pg_class c WHERE c.oid = (tables -> 'user' ->> 'oid')::oid);
        END IF;
        IF group_number = 2 THEN
            prefixes := ARRAY(
                SELECT CASE WHEN p.name LIKE '%' || f.key THEN left(p.name, -length(f.key)) END
                  FROM jsonb_each(tables) AS f
                  JOIN pg_class c ON c.oid = (f.value ->> 'oid')::oid
                 CROSS JOIN LATERAL neon_auth_internal.plain_name(c.relname) AS p(name));
            prefix := CASE WHEN prefixes[1] = prefixes[2] THEN prefixes[1] ELSE '' END;
        END IF;
    END LOOP;
    relations := ARRAY(SELECT (f.value ->> 'oid')::oid FROM jsonb_each(tables) AS f GROUP BY 1 HAVING count(*) > 1);
    IF relations <> '{}' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'several tables of Better Auth have one name',
            DETAIL = format('They have the name %s.', relations[1]),
            HINT = 'Name each table once.';
    END IF;
    RETURN QUERY
        SELECT w.what, (tables -> w.what ->> 'oid')::oid::regclass, tables -> w.what -> 'columns'
          FROM unnest(string_to_array(array_to_string(groups, ' '), ' ')) WITH ORDINALITY AS w(what, number)
         WHERE tables ? w.what
         ORDER BY w.number;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.find_better_auth(text, jsonb) IS
    'Finds the tables of Better Auth in a schema and checks them; changes nothing and reads only the catalog';
