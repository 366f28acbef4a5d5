-- Revocations: which credentials end before they expire.

CREATE TABLE neon_auth_internal.revocations (
    kind text NOT NULL
        CONSTRAINT revocations_kind_check CHECK (kind IN ('user', 'session')),
    id text NOT NULL
        CONSTRAINT revocations_id_check CHECK (octet_length(id) BETWEEN 1 AND 2000),
    before timestamptz,
    revoked_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT revocations_pkey PRIMARY KEY (kind, id),
    CONSTRAINT revocations_before_check CHECK ((kind = 'user') = (before IS NOT NULL))
);
SELECT pg_catalog.pg_extension_config_dump('neon_auth_internal.revocations', '');
COMMENT ON TABLE neon_auth_internal.revocations IS
    'Revocations. Administrators use the view neon_auth.revocations';
COMMENT ON COLUMN neon_auth_internal.revocations.kind IS 'user or session';
COMMENT ON COLUMN neon_auth_internal.revocations.id IS 'Id of the user (the claim sub) or of the session';
COMMENT ON COLUMN neon_auth_internal.revocations.before IS
    'Tokens and sessions of the user that were issued before this time are refused; NULL for a session';
COMMENT ON COLUMN neon_auth_internal.revocations.revoked_at IS 'Time of the last revocation';

CREATE VIEW neon_auth.revocations AS
    SELECT r.kind, r.id, r.before, r.revoked_at FROM neon_auth_internal.revocations r;
COMMENT ON VIEW neon_auth.revocations IS
    'What neon_auth.revoke_tokens() and neon_auth.revoke_session() have revoked. To lift a revocation, delete its row';
COMMENT ON COLUMN neon_auth.revocations.kind IS 'user or session';
COMMENT ON COLUMN neon_auth.revocations.id IS 'Id of the user (the claim sub) or of the session';
COMMENT ON COLUMN neon_auth.revocations.before IS
    'Tokens and sessions of the user that were issued before this time are refused; NULL for a session';
COMMENT ON COLUMN neon_auth.revocations.revoked_at IS 'Time of the last revocation';

CREATE TRIGGER guard_trust BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth_internal.revocations
    FOR EACH STATEMENT EXECUTE FUNCTION
    neon_auth_internal.guard_trust('neon_auth.revoke_tokens, neon_auth.revoke_session');
COMMENT ON TRIGGER guard_trust ON neon_auth_internal.revocations IS 'Lets only the owner write revocations';
CREATE TRIGGER guard_trust_row BEFORE INSERT OR UPDATE OR DELETE ON neon_auth_internal.revocations
    FOR EACH ROW EXECUTE FUNCTION
    neon_auth_internal.guard_trust('neon_auth.revoke_tokens, neon_auth.revoke_session');
ALTER TABLE neon_auth_internal.revocations ENABLE ALWAYS TRIGGER guard_trust_row;
COMMENT ON TRIGGER guard_trust_row ON neon_auth_internal.revocations IS
    'The same for logical replication, which fires only row triggers';

-- Sessions cache whether the table is empty. Not only the first row is reported: of two transactions that insert
-- and delete at once, neither knows whether its row is the only one.
CREATE TRIGGER revocations_changed AFTER INSERT OR UPDATE OR DELETE ON neon_auth_internal.revocations
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.trust_changed();
ALTER TABLE neon_auth_internal.revocations ENABLE ALWAYS TRIGGER revocations_changed;
COMMENT ON TRIGGER revocations_changed ON neon_auth_internal.revocations IS
    'Makes every session read again whether anything is revoked';
CREATE TRIGGER revocations_emptied AFTER TRUNCATE ON neon_auth_internal.revocations
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.trust_changed();
ALTER TABLE neon_auth_internal.revocations ENABLE ALWAYS TRIGGER revocations_emptied;
COMMENT ON TRIGGER revocations_emptied ON neon_auth_internal.revocations IS
    'Makes every session read again whether anything is revoked';

-- A credential that is passed for an id would be stored, and end nothing.
CREATE FUNCTION neon_auth_internal.is_credential(id text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN id ^@ 'nak_' OR id ~ '^eyJ[^.]*[.][^.]*[.][^.]*$';
COMMENT ON FUNCTION neon_auth_internal.is_credential(text) IS
    'Returns true for what has the form of an API key or a JWT';

CREATE FUNCTION neon_auth_internal.revoke(kind text, id text, before timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    defect constant text := CASE
        WHEN revoke.id IS NULL OR revoke.id = '' THEN format('The id of the %s is missing.', revoke.kind)
        WHEN octet_length(revoke.id) > 2000
            THEN format('The id of the %s has %s bytes; at most 2000 are possible.', revoke.kind,
                        octet_length(revoke.id))
        WHEN neon_auth_internal.is_credential(revoke.id)
            THEN 'It is a credential itself, and not an id. Nothing was stored.'
        WHEN revoke.kind = 'user' AND revoke.before IS NULL THEN 'The time is NULL.' END;
BEGIN
    IF defect IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'this cannot be revoked',
            DETAIL = defect,
            HINT = CASE revoke.kind
                WHEN 'user' THEN 'Pass the user id, and optionally a time: '
                                 'SELECT neon_auth.revoke_tokens(''<user id>'', now());'
                ELSE 'Pass the id of the session, as auth.session_id() returns it: '
                     'SELECT neon_auth.revoke_session(''<session id>'');' END;
    END IF;
    -- A later call never lowers the time.
    INSERT INTO neon_auth_internal.revocations AS r (kind, id, before)
    VALUES (revoke.kind, revoke.id, revoke.before)
        ON CONFLICT (kind, id) DO UPDATE SET before = greatest(r.before, excluded.before), revoked_at = now();
    IF revoke.kind = 'user' AND NOT EXISTS (SELECT FROM neon_auth_internal.users_sync u WHERE u.id = revoke.id) THEN
        RAISE NOTICE USING
            MESSAGE = 'no user with this id is in neon_auth.users_sync',
            DETAIL = 'The revocation is kept, and applies if tokens of such a user arrive.',
            HINT = 'The id is the claim sub of the user''s tokens: '
                   'SELECT id FROM neon_auth.users_sync WHERE email = ...;';
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.revoke(text, text, timestamptz) IS
    'The body of neon_auth.revoke_tokens() and neon_auth.revoke_session()';

CREATE FUNCTION neon_auth.revoke_tokens(user_id text, before timestamptz DEFAULT now()) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.revoke('user', user_id, before);
END
$$;
COMMENT ON FUNCTION neon_auth.revoke_tokens(text, timestamptz) IS
    'Ends all JWTs and sessions of a user that were issued before a time, at once and everywhere. API keys stay';
REVOKE ALL ON FUNCTION neon_auth.revoke_tokens(text, timestamptz) FROM PUBLIC;

CREATE FUNCTION neon_auth.revoke_session(session_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.revoke('session', session_id, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth.revoke_session(text) IS
    'Ends all credentials that name a session (auth.session_id()), at once and everywhere';
REVOKE ALL ON FUNCTION neon_auth.revoke_session(text) FROM PUBLIC;

-- A revocation is needed while a token can exist that it refuses. The lifetime of JWTs is known where all providers
-- have max_lifetime. A session of Better Auth has no greatest age: each use extends it. 400 days are more than a
-- session of Stack Auth lasts.
CREATE FUNCTION neon_auth_internal.forget_revocations() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM neon_auth_internal.revocations r
     USING (SELECT bool_or(p.kind = 'better_auth') AS has_sessions,
                   -- An interval of more years could lead to a time that does not exist. bool_and passes over NULL.
                   CASE WHEN bool_and(coalesce(p.max_lifetime < interval '1000 years', false))
                        THEN now() - max(p.max_lifetime + p.leeway) END AS oldest
              FROM neon_auth_internal.providers p) AS p
     WHERE NOT p.has_sessions
       AND CASE r.kind WHEN 'user' THEN r.before < p.oldest
                       ELSE r.revoked_at < now() - interval '400 days' END;
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_revocations() IS
    'Deletes the revocations that no token can need any more';
