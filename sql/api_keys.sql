-- API keys: credentials of users for programs. The table has a hash of each; the key itself is shown once.

CREATE TABLE neon_auth_internal.api_keys (
    id text NOT NULL DEFAULT gen_random_uuid()::text,
    hash text NOT NULL
        CONSTRAINT api_keys_hash_check CHECK (hash ~ '^[0-9a-f]{64}$'),
    prefix text NOT NULL,
    user_id text NOT NULL
        CONSTRAINT api_keys_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
    name text NOT NULL
        CONSTRAINT api_keys_name_check CHECK (name ~ '\S' AND octet_length(name) <= 255),
    team_id text
        CONSTRAINT api_keys_team_id_check CHECK (octet_length(team_id) BETWEEN 1 AND 255),
    permissions text[]
        CONSTRAINT api_keys_permissions_check
        CHECK (array_position(permissions, NULL) IS NULL AND cardinality(permissions) <= 100),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    -- In whole seconds, as the claim exp is.
    expires_at timestamptz(0)
        CONSTRAINT api_keys_expires_at_check CHECK (isfinite(expires_at)),
    revoked_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_hash_key UNIQUE (hash)
);
CREATE INDEX api_keys_user_id_idx ON neon_auth_internal.api_keys (user_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth_internal.api_keys', '');
COMMENT ON TABLE neon_auth_internal.api_keys IS
    'API keys. Read them in the view neon_auth.api_keys; only the functions of the extension write them';
COMMENT ON COLUMN neon_auth_internal.api_keys.id IS 'Id of the key, a UUID';
COMMENT ON COLUMN neon_auth_internal.api_keys.hash IS 'SHA-256 of the key in hexadecimal digits';
COMMENT ON COLUMN neon_auth_internal.api_keys.prefix IS 'The first 8 characters of the key, to recognise it';
COMMENT ON COLUMN neon_auth_internal.api_keys.user_id IS 'The owner, an id of users_sync';
COMMENT ON COLUMN neon_auth_internal.api_keys.name IS 'Name of the key, for people';
COMMENT ON COLUMN neon_auth_internal.api_keys.team_id IS 'The only team that the key is for; NULL: all of the owner''s';
COMMENT ON COLUMN neon_auth_internal.api_keys.permissions IS
    'The permissions that the key grants, while the owner has them; NULL: all that the owner has';
COMMENT ON COLUMN neon_auth_internal.api_keys.created_at IS 'Time of creation';
COMMENT ON COLUMN neon_auth_internal.api_keys.created_by IS
    'Who created it: the user id of its owner, or the database role of an administrator';
COMMENT ON COLUMN neon_auth_internal.api_keys.expires_at IS
    'From this time on it is refused, in whole seconds; NULL: it does not expire';
COMMENT ON COLUMN neon_auth_internal.api_keys.revoked_at IS 'Time at which it was revoked; NULL while it is not';
COMMENT ON INDEX neon_auth_internal.api_keys_user_id_idx IS 'Keys of a user';

-- Writing this table makes credentials.
CREATE TRIGGER guard_trust BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth_internal.api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION
    neon_auth_internal.guard_trust('neon_auth.create_api_key, neon_auth.revoke_api_key');
COMMENT ON TRIGGER guard_trust ON neon_auth_internal.api_keys IS 'Lets only the owner write API keys';
CREATE TRIGGER guard_trust_row BEFORE INSERT OR UPDATE OR DELETE ON neon_auth_internal.api_keys
    FOR EACH ROW EXECUTE FUNCTION
    neon_auth_internal.guard_trust('neon_auth.create_api_key, neon_auth.revoke_api_key');
ALTER TABLE neon_auth_internal.api_keys ENABLE ALWAYS TRIGGER guard_trust_row;
COMMENT ON TRIGGER guard_trust_row ON neon_auth_internal.api_keys IS
    'The same for logical replication, which fires only row triggers';

-- A sign-in locks the row that it writes until its transaction ends. In a table of its own that lock does not keep
-- anybody from revoking the key.
CREATE TABLE neon_auth_internal.api_key_uses (
    key_id text NOT NULL,
    last_used_at timestamptz,
    CONSTRAINT api_key_uses_pkey PRIMARY KEY (key_id)
);
SELECT pg_catalog.pg_extension_config_dump('neon_auth_internal.api_key_uses', '');
COMMENT ON TABLE neon_auth_internal.api_key_uses IS
    'When API keys were used. A separate table, so that a sign-in does not lock the row of its key';
COMMENT ON COLUMN neon_auth_internal.api_key_uses.key_id IS 'The key, an id of api_keys';
COMMENT ON COLUMN neon_auth_internal.api_key_uses.last_used_at IS
    'Time of a sign-in with it, at most an hour before the last one; NULL: none';

-- What decides about a credential is read in the latest state, which parallel queries cannot do.
CREATE FUNCTION neon_auth_internal.api_key_refusal(id text) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'api_key_refusal_wrapper';
COMMENT ON FUNCTION neon_auth_internal.api_key_refusal(text) IS
    'Returns why an API key is refused now, as a sentence; NULL if it is accepted';

CREATE FUNCTION neon_auth_internal.api_key_team() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'api_key_team_wrapper';
COMMENT ON FUNCTION neon_auth_internal.api_key_team() IS
    'Returns the only team that the API key is for with which the session is signed in; NULL: no such limit';

CREATE VIEW neon_auth.api_keys AS
    SELECT k.id, k.prefix, k.user_id, k.name, k.team_id, k.permissions, k.created_at, k.created_by, k.expires_at,
           u.last_used_at, k.revoked_at, r.refusal IS NULL AS valid, r.refusal
      FROM neon_auth_internal.api_keys k
      LEFT JOIN neon_auth_internal.api_key_uses u ON u.key_id = k.id
     CROSS JOIN LATERAL (SELECT neon_auth_internal.api_key_refusal(k.id) AS refusal OFFSET 0) AS r;
COMMENT ON VIEW neon_auth.api_keys IS
    'API keys that neon_auth.create_api_key() and auth.create_api_key() have created. A revoked key keeps its row';
COMMENT ON COLUMN neon_auth.api_keys.id IS 'Id of the key, a UUID';
COMMENT ON COLUMN neon_auth.api_keys.prefix IS 'The first 8 characters of the key, to recognise it';
COMMENT ON COLUMN neon_auth.api_keys.user_id IS 'The owner, an id of users_sync';
COMMENT ON COLUMN neon_auth.api_keys.name IS 'Name of the key, for people';
COMMENT ON COLUMN neon_auth.api_keys.team_id IS 'The only team that the key is for; NULL: all of the owner''s';
COMMENT ON COLUMN neon_auth.api_keys.permissions IS
    'The permissions that the key grants, while the owner has them; NULL: all that the owner has';
COMMENT ON COLUMN neon_auth.api_keys.created_at IS 'Time of creation';
COMMENT ON COLUMN neon_auth.api_keys.created_by IS
    'Who created it: the user id of its owner, or the database role of an administrator';
COMMENT ON COLUMN neon_auth.api_keys.expires_at IS 'From this time on it is refused; NULL: it does not expire';
COMMENT ON COLUMN neon_auth.api_keys.last_used_at IS
    'Time of a sign-in with it, at most an hour before the last one; NULL: none was recorded';
COMMENT ON COLUMN neon_auth.api_keys.revoked_at IS 'Time at which it was revoked; NULL while it is not';
COMMENT ON COLUMN neon_auth.api_keys.valid IS 'Whether auth.authenticate() accepts it now';
COMMENT ON COLUMN neon_auth.api_keys.refusal IS 'Why auth.authenticate() refuses it now; NULL if it is accepted';

CREATE FUNCTION neon_auth_internal.random_api_key() RETURNS TABLE (key text, hash text, prefix text)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'random_api_key_wrapper';
COMMENT ON FUNCTION neon_auth_internal.random_api_key() IS 'Returns a new API key, its hash and its prefix';

CREATE FUNCTION neon_auth_internal.check_api_key_owner(user_id text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'check_api_key_owner_wrapper';
COMMENT ON FUNCTION neon_auth_internal.check_api_key_owner(text) IS
    'Refuses a user whose API keys are refused: missing, deleted or banned, or one whom the provider does not accept';

CREATE FUNCTION neon_auth_internal.check_api_key_bounds(user_id text, permissions text[], team_id text) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'check_api_key_bounds_wrapper';
COMMENT ON FUNCTION neon_auth_internal.check_api_key_bounds(text, text[], text) IS
    'Refuses a team of which the user is not a member, and permissions that the user does not have';

CREATE FUNCTION neon_auth_internal.create_api_key(
    user_id text, name text, expires_in interval, permissions text[], team_id text, created_by text
) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    moment constant timestamptz := clock_timestamp();
    locked boolean;
    defect text;
    advice text;
    made record;
    new_id text;
BEGIN
    IF user_id IS NULL THEN
        defect := 'The user_id is NULL.';
        advice := 'SELECT neon_auth.create_api_key(''<user id>'', ''<name>'');';
    ELSIF name IS NULL OR name !~ '\S' OR octet_length(name) > 255 THEN
        defect := 'The name is NULL, empty, or longer than 255 bytes.';
        advice := 'Name the program that will use the key: name => ''backup''.';
    ELSIF extract(epoch FROM expires_in) NOT BETWEEN 1 AND 100 * 366 * 86400.0 THEN
        defect := format('expires_in is %s.', expires_in);
        advice := 'Pass at least a second and at most 100 years, such as expires_in => ''90 days''; or NULL for a key '
                  'that does not expire.';
    ELSIF array_ndims(permissions) > 1 THEN
        defect := format('permissions has %s dimensions.', array_ndims(permissions));
        advice := 'Pass an array of one dimension: permissions => ''{reader,writer}''.';
    ELSIF array_position(permissions, NULL) IS NOT NULL THEN
        defect := 'permissions contains NULL.';
        advice := 'Pass an array of the permissions that the key grants; or NULL for all that its owner has.';
    ELSIF cardinality(permissions) > 100 THEN
        defect := format('permissions contains %s values; 100 are allowed.', cardinality(permissions));
        advice := 'Pass a permission that contains others, see neon_auth.permission_definitions; or NULL for all that '
                  'the owner has.';
    END IF;
    IF defect IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the API key cannot be created',
            DETAIL = defect,
            HINT = advice;
    END IF;
    -- erase_user() deletes the keys that it sees, and takes this lock too.
    locked := neon_auth_internal.lock_mirror('user', user_id, false);
    PERFORM neon_auth_internal.check_api_key_owner(user_id);
    PERFORM neon_auth_internal.check_api_key_bounds(user_id, permissions, team_id);
    SELECT r.* INTO made FROM neon_auth_internal.random_api_key() AS r;
    INSERT INTO neon_auth_internal.api_keys AS k (
        hash, prefix, user_id, name, team_id, permissions, created_at, created_by, expires_at)
    VALUES (made.hash, made.prefix, create_api_key.user_id, create_api_key.name, create_api_key.team_id,
            create_api_key.permissions, moment, create_api_key.created_by, moment + expires_in)
    RETURNING k.id INTO new_id;
    INSERT INTO neon_auth_internal.api_key_uses (key_id) VALUES (new_id);
    RETURN made.key;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.create_api_key(text, text, interval, text[], text, text) IS
    'The body of neon_auth.create_api_key() and auth.create_api_key(), with who creates the key';

CREATE FUNCTION neon_auth.create_api_key(
    user_id text,
    name text,
    expires_in interval DEFAULT NULL,
    permissions text[] DEFAULT NULL,
    team_id text DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN neon_auth_internal.create_api_key(user_id, name, expires_in, permissions, team_id, session_user);
END
$$;
COMMENT ON FUNCTION neon_auth.create_api_key(text, text, interval, text[], text) IS
    'Creates an API key with which a program signs in as the user, and returns it: it cannot be shown again';
REVOKE ALL ON FUNCTION neon_auth.create_api_key(text, text, interval, text[], text) FROM PUBLIC;

CREATE FUNCTION neon_auth_internal.revoke_api_key(id text, user_id text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF neon_auth_internal.is_credential(revoke_api_key.id) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'this is not the id of an API key',
            DETAIL = 'It is a credential itself.',
            HINT = 'Find the id by the first 8 characters of the key: '
                   'SELECT id FROM neon_auth.api_keys WHERE prefix = ...; '
                   'users: SELECT id FROM auth.api_keys() WHERE prefix = ...;';
    END IF;
    UPDATE neon_auth_internal.api_keys AS k
       SET revoked_at = clock_timestamp()
     WHERE k.id = revoke_api_key.id AND k.revoked_at IS NULL
       AND (revoke_api_key.user_id IS NULL OR k.user_id = revoke_api_key.user_id);
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.revoke_api_key(text, text) IS
    'The body of neon_auth.revoke_api_key() and auth.revoke_api_key(), for the keys of a user or (NULL) of all users';

CREATE FUNCTION neon_auth.revoke_api_key(id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN neon_auth_internal.revoke_api_key(id, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth.revoke_api_key(text) IS
    'Ends an API key at once, by its id in neon_auth.api_keys; returns false if it does not exist or was revoked '
    'before';
REVOKE ALL ON FUNCTION neon_auth.revoke_api_key(text) FROM PUBLIC;

-- For users. sql/grants.sql takes these functions from PUBLIC.

CREATE FUNCTION neon_auth_internal.user_in_person(creates boolean) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'user_in_person_wrapper';
COMMENT ON FUNCTION neon_auth_internal.user_in_person(boolean) IS
    'Returns the signed-in user, who must be allowed now to create (true) or list and revoke (false) own API keys';

CREATE FUNCTION auth.create_api_key(
    name text,
    expires_in interval DEFAULT NULL,
    permissions text[] DEFAULT NULL,
    team_id text DEFAULT NULL
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me constant text := neon_auth_internal.user_in_person(true);
BEGIN
    RETURN neon_auth_internal.create_api_key(me, name, expires_in, permissions, team_id, me);
END
$$;
COMMENT ON FUNCTION auth.create_api_key(text, interval, text[], text) IS
    'Creates an API key of the signed-in user, and returns it: it cannot be shown again. Only for roles that are '
    'granted it';

CREATE FUNCTION auth.revoke_api_key(id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me constant text := neon_auth_internal.user_in_person(false);
BEGIN
    RETURN neon_auth_internal.revoke_api_key(id, me);
END
$$;
COMMENT ON FUNCTION auth.revoke_api_key(text) IS
    'Ends an API key of the signed-in user; returns false if the user has no such key or it was revoked before. Only '
    'for roles that are granted it';

CREATE FUNCTION auth.api_keys() RETURNS TABLE (
    id text, prefix text, name text, team_id text, permissions text[], created_at timestamptz, created_by text,
    expires_at timestamptz, last_used_at timestamptz, revoked_at timestamptz, valid boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    me constant text := neon_auth_internal.user_in_person(false);
BEGIN
    RETURN QUERY
        SELECT k.id, k.prefix, k.name, k.team_id, k.permissions, k.created_at, k.created_by,
               k.expires_at::timestamptz, u.last_used_at, k.revoked_at,
               neon_auth_internal.api_key_refusal(k.id) IS NULL
          FROM neon_auth_internal.api_keys k
          LEFT JOIN neon_auth_internal.api_key_uses u ON u.key_id = k.id
         WHERE k.user_id = me
         ORDER BY k.created_at, k.id;
END
$$;
COMMENT ON FUNCTION auth.api_keys() IS
    'API keys of the signed-in user, as neon_auth.api_keys shows them. Only for roles that are granted it';

-- auth.authenticate() calls it, and must not fail or wait because of it.
CREATE FUNCTION neon_auth_internal.note_api_key_use(id text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10ms'
AS $$
BEGIN
    UPDATE neon_auth_internal.api_key_uses AS u
       SET last_used_at = clock_timestamp()
     WHERE u.key_id = (SELECT o.key_id FROM neon_auth_internal.api_key_uses AS o
                        WHERE o.key_id = note_api_key_use.id FOR NO KEY UPDATE SKIP LOCKED);
EXCEPTION WHEN OTHERS OR assert_failure THEN
    RETURN;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.note_api_key_use(text) IS
    'Records that an API key is used now, unless that would have to wait or fail';

-- A row of uses that a sign-in has locked stays: it contains nothing of the user.
CREATE FUNCTION neon_auth_internal.forget_api_keys(users text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH gone AS (
        DELETE FROM neon_auth_internal.api_keys AS k WHERE k.user_id = ANY (users) RETURNING k.id
    )
    DELETE FROM neon_auth_internal.api_key_uses AS u
     WHERE u.key_id IN (SELECT o.key_id FROM neon_auth_internal.api_key_uses AS o
                         WHERE o.key_id IN (SELECT g.id FROM gone g) FOR UPDATE SKIP LOCKED);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_api_keys(text[]) IS 'Deletes the API keys of users who are erased';
