-- What the service could not respond to, so that it is not requested each time.

CREATE TABLE neon_auth_internal.service_limits (
    name text
        CONSTRAINT service_limits_name_check
        CHECK (name IN ('include_restricted', 'include_anonymous', 'all_memberships')),
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT service_limits_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE neon_auth_internal.service_limits IS
    'Requests to which the configured Stack Auth server could not respond. Not dumped';
COMMENT ON COLUMN neon_auth_internal.service_limits.name IS
    'include_restricted or include_anonymous (parameters of users), or all_memberships (the list of all profiles)';
COMMENT ON COLUMN neon_auth_internal.service_limits.noted_at IS 'Time at which it last failed';

CREATE FUNCTION neon_auth_internal.note_limit(name text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO neon_auth_internal.service_limits (name) VALUES (note_limit.name)
        ON CONFLICT (name) DO UPDATE SET noted_at = excluded.noted_at;
$$;
COMMENT ON FUNCTION neon_auth_internal.note_limit(text) IS 'Records a request to which the server could not respond';

CREATE FUNCTION neon_auth_internal.lift_limit(name text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM neon_auth_internal.service_limits l WHERE l.name = lift_limit.name;
$$;
COMMENT ON FUNCTION neon_auth_internal.lift_limit(text) IS 'Records that the server responds to a request again';
