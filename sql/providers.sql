-- Trusted issuers of tokens, and the rules for their tokens.

CREATE TABLE neon_auth.providers (
    name text NOT NULL
        CONSTRAINT providers_name_check CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    kind text NOT NULL DEFAULT 'oidc'
        CONSTRAINT providers_kind_check CHECK (kind IN ('stack', 'better_auth', 'oidc')),
    project_id text
        CONSTRAINT providers_project_id_check CHECK (project_id <> ''),
    issuers text[] NOT NULL
        CONSTRAINT providers_issuers_check CHECK (
            cardinality(issuers) > 0 AND array_position(issuers, NULL) IS NULL AND array_position(issuers, '') IS NULL),
    audiences text[] NOT NULL DEFAULT '{}'
        CONSTRAINT providers_audiences_check CHECK (
            array_position(audiences, NULL) IS NULL AND array_position(audiences, '') IS NULL),
    jwks_url text,
    jwks jsonb,
    algorithms text[] NOT NULL DEFAULT '{RS256,PS256,ES256,ES384,ES512,EdDSA}'
        CONSTRAINT providers_algorithms_check CHECK (
            cardinality(algorithms) > 0
            AND algorithms <@ '{RS256,RS384,RS512,PS256,PS384,PS512,ES256,ES384,ES512,EdDSA,Ed25519,'
                'ML-DSA-44,ML-DSA-65,ML-DSA-87}'::text[]),
    typ text,
    required_claims jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT providers_required_claims_check CHECK (jsonb_typeof(required_claims) IN ('object', 'array')),
    max_lifetime interval
        CONSTRAINT providers_max_lifetime_check CHECK (max_lifetime > interval '0'),
    leeway interval NOT NULL DEFAULT '30 seconds'
        CONSTRAINT providers_leeway_check CHECK (leeway BETWEEN interval '0' AND interval '5 minutes'),
    allow_anonymous boolean NOT NULL DEFAULT false,
    allow_restricted boolean NOT NULL DEFAULT false,
    role_claim text,
    role_map jsonb
        CONSTRAINT providers_role_map_check CHECK (jsonb_typeof(role_map) = 'object'),
    allowed_roles text[] NOT NULL DEFAULT '{}'
        CONSTRAINT providers_allowed_roles_check CHECK (
            array_position(allowed_roles, NULL) IS NULL AND NOT allowed_roles && '{none,"",public}'),
    default_role text
        CONSTRAINT providers_default_role_check CHECK (default_role NOT IN ('none', '', 'public')),
    claim_map jsonb NOT NULL DEFAULT '{}'
        CONSTRAINT providers_claim_map_check CHECK (jsonb_typeof(claim_map) = 'object'),
    reject_deleted_users boolean NOT NULL DEFAULT false,
    reject_banned_users boolean NOT NULL DEFAULT false,
    create_users boolean,
    CONSTRAINT providers_pkey PRIMARY KEY (name),
    CONSTRAINT providers_keys_check CHECK (jwks_url IS NULL OR jwks IS NULL),
    CONSTRAINT providers_stack_check CHECK (
        (kind = 'stack') = (project_id IS NOT NULL) AND (kind <> 'stack' OR num_nonnulls(jwks_url, jwks) = 1)),
    CONSTRAINT providers_better_auth_check CHECK (
        kind <> 'better_auth' OR num_nonnulls(jwks_url, jwks) = 0 AND cardinality(audiences) > 0),
    CONSTRAINT providers_create_users_check CHECK (kind <> 'better_auth' OR create_users IS NOT TRUE),
    CONSTRAINT providers_role_claim_check CHECK (
        CASE WHEN allowed_roles = '{}' THEN role_claim IS NULL
             ELSE role_claim IS NOT NULL OR default_role IS NOT NULL END)
);
CREATE VIEW neon_auth_internal.providers AS TABLE neon_auth.providers;
SELECT pg_catalog.pg_extension_config_dump('neon_auth.providers', '');

CREATE FUNCTION neon_auth_internal.fills_mirror(kind text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN kind IN ('stack', 'better_auth');
COMMENT ON FUNCTION neon_auth_internal.fills_mirror(text) IS
    'Returns true for the kinds of provider that fill the mirror';

COMMENT ON TABLE neon_auth.providers IS
    'Trusted issuers of tokens, and their rules. A change reaches every session at its next statement';
COMMENT ON COLUMN neon_auth.providers.name IS
    'Name of the provider, which auth.provider() returns: at most 63 of a-z, 0-9, _ and -, the first a letter';
COMMENT ON COLUMN neon_auth.providers.kind IS
    'stack (Neon Auth on Stack Auth, with its own consistency rules), better_auth (its tables are in this database) or '
    'oidc (any other)';
COMMENT ON COLUMN neon_auth.providers.project_id IS
    'Project of the auth service; required for kind stack, NULL for others';
COMMENT ON COLUMN neon_auth.providers.issuers IS
    'Accepted values of the claim iss, compared exactly. A path segment {name} is replaced by the values that '
    'required_claims lists for name';
COMMENT ON COLUMN neon_auth.providers.audiences IS
    'The claim aud must contain one of them; if empty, aud can be anything, null, an empty array or absent';
COMMENT ON COLUMN neon_auth.providers.jwks_url IS
    'URL of the keys: https, or http on loopback or neon_auth.insecure_hosts. If it and jwks are NULL: OpenID '
    'Connect Discovery; better_auth: NULL';
COMMENT ON COLUMN neon_auth.providers.jwks IS
    'The keys themselves (RFC 7517), used without the network; excludes jwks_url';
COMMENT ON COLUMN neon_auth.providers.algorithms IS
    'Accepted signature algorithms: RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA (Ed25519), '
    'ML-DSA-44, ML-DSA-65, ML-DSA-87';
COMMENT ON COLUMN neon_auth.providers.typ IS
    'Required header typ, such as at+jwt (case and application/ are ignored); NULL: absent, JWT or at+jwt';
COMMENT ON COLUMN neon_auth.providers.required_claims IS
    'Required claims: an object of paths and values (an array: any of them; null: any value), or an array of paths';
COMMENT ON COLUMN neon_auth.providers.max_lifetime IS
    'Longest time between the claims iat and exp, more than 0; NULL: any';
COMMENT ON COLUMN neon_auth.providers.leeway IS
    'Tolerance for differing clocks when exp, nbf and iat are checked: 0 to 5 minutes';
COMMENT ON COLUMN neon_auth.providers.allow_anonymous IS
    'Accepts tokens whose claim is_anonymous (or the claim that claim_map names) is not false';
COMMENT ON COLUMN neon_auth.providers.allow_restricted IS 'Accepts tokens whose claim is_restricted is not false';
COMMENT ON COLUMN neon_auth.providers.role_claim IS
    'Path of the claim that names the role which auth.authenticate() sets, such as app_metadata.role; NULL: none';
COMMENT ON COLUMN neon_auth.providers.role_map IS
    'Roles for values of role_claim, such as groups: {"staff": "app_staff"}; the first of allowed_roles wins. NULL: '
    'the values are the roles';
COMMENT ON COLUMN neon_auth.providers.allowed_roles IS
    'Roles that role_claim may name, and anonymous for anonymous users. Of an array, the first that is listed '
    'here is set';
COMMENT ON COLUMN neon_auth.providers.default_role IS
    'Role for tokens whose role_claim names none. NULL: they are refused; without role_claim, the session''s role '
    'stays';
COMMENT ON COLUMN neon_auth.providers.claim_map IS
    'Paths of claims with unusual names, for the readers of schema auth: {"email": "emails.0"}';
COMMENT ON COLUMN neon_auth.providers.reject_deleted_users IS
    'Refuses tokens of users that users_sync marks as deleted';
COMMENT ON COLUMN neon_auth.providers.reject_banned_users IS
    'Refuses tokens of users who are banned now: in the table of Better Auth, or in raw_json of users_sync';
COMMENT ON COLUMN neon_auth.providers.create_users IS
    'Creates the row of users_sync at a user''s first sign-in. NULL: true for kind oidc, false for others; '
    'better_auth: not true';

CREATE FUNCTION neon_auth.add_provider(
    name text,
    issuers text[],
    audiences text[] DEFAULT '{}',
    jwks_url text DEFAULT NULL,
    jwks jsonb DEFAULT NULL,
    algorithms text[] DEFAULT '{RS256,PS256,ES256,ES384,ES512,EdDSA}',
    kind text DEFAULT 'oidc',
    project_id text DEFAULT NULL,
    typ text DEFAULT NULL,
    required_claims jsonb DEFAULT '{}',
    max_lifetime interval DEFAULT NULL,
    leeway interval DEFAULT '30 seconds',
    allow_anonymous boolean DEFAULT false,
    allow_restricted boolean DEFAULT false,
    role_claim text DEFAULT NULL,
    allowed_roles text[] DEFAULT '{}',
    default_role text DEFAULT NULL,
    claim_map jsonb DEFAULT '{}',
    reject_deleted_users boolean DEFAULT false,
    reject_banned_users boolean DEFAULT false,
    create_users boolean DEFAULT NULL,
    role_map jsonb DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF kind = 'better_auth' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'add_provider cannot add a provider of kind better_auth',
            DETAIL = 'Its keys are in the tables of Better Auth, which must be found first.',
            HINT = 'SELECT * FROM neon_auth.add_better_auth(''https://app.example.com'');';
    END IF;
    INSERT INTO neon_auth_internal.providers (
        name, kind, project_id, issuers, audiences, jwks_url, jwks, algorithms, typ, required_claims, max_lifetime,
        leeway, allow_anonymous, allow_restricted, role_claim, allowed_roles, default_role, claim_map,
        reject_deleted_users, reject_banned_users, create_users, role_map)
    VALUES (
        name, kind, project_id, issuers, audiences, jwks_url, jwks, algorithms, typ, required_claims, max_lifetime,
        leeway, allow_anonymous, allow_restricted, role_claim, allowed_roles, default_role, claim_map,
        reject_deleted_users, reject_banned_users, create_users, role_map)
        ON CONFLICT (name) DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_object',
            MESSAGE = 'a provider of that name already exists',
            DETAIL = format('The name given is %s.', to_json(name)),
            HINT = format('Change it: UPDATE neon_auth.providers SET ... WHERE name = %L; or choose another name.',
                          name);
    END IF;
    IF kind = 'stack' THEN
        PERFORM neon_auth_internal.define_stack_permissions();
    END IF;
    PERFORM neon_auth_internal.check_provider_roles(array_remove(allowed_roles || default_role, NULL));
END
$$;
COMMENT ON FUNCTION neon_auth.add_provider(text, text[], text[], text, jsonb, text[], text, text, text, jsonb,
    interval, interval, boolean, boolean, text, text[], text, jsonb, boolean, boolean, boolean, jsonb) IS
    'Trusts an issuer. Required: name, issuers. issuers, audiences, algorithms and allowed_roles are arrays. See '
    'the columns of neon_auth.providers';
REVOKE ALL ON FUNCTION neon_auth.add_provider(text, text[], text[], text, jsonb, text[], text, text, text, jsonb,
    interval, interval, boolean, boolean, text, text[], text, jsonb, boolean, boolean, boolean, jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.drop_provider(name text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM neon_auth_internal.providers AS p WHERE p.name = drop_provider.name;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_object',
            MESSAGE = 'the authentication provider does not exist',
            DETAIL = format('The name given is %s.', coalesce(to_json(name)::text, 'NULL')),
            HINT = 'SELECT name FROM neon_auth.providers;';
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth.drop_provider(text) IS
    'Removes a provider. New tokens are refused at once; current identities last until their transaction or token ends';
REVOKE ALL ON FUNCTION neon_auth.drop_provider(text) FROM PUBLIC;
