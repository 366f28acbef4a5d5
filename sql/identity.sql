-- The signed-in user. PUBLIC can execute these functions, except impersonate.
-- authenticate and similar functions run with the caller's rights, which decide if a role can be set. Inside,
-- they read the extension's tables as the owner of these.

CREATE FUNCTION auth.authenticate(token text, is_local boolean DEFAULT true) RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'neon_auth_authenticate';
COMMENT ON FUNCTION auth.authenticate(text, boolean) IS
    'Verifies a token, signs its user in for the transaction (is_local => false: the session), returns the user '
    'id. NULL or a refused token signs out';

CREATE FUNCTION auth.pre_request() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'neon_auth_pre_request';
COMMENT ON FUNCTION auth.pre_request() IS
    'For db-pre-request of PostgREST: signs in for the transaction by the header Authorization or x-api-key, or by the '
    'session cookie of Better Auth';

CREATE FUNCTION auth.logout() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'logout_wrapper';
COMMENT ON FUNCTION auth.logout() IS 'Signs out: removes the identity, and the role that auth.authenticate() set';

CREATE FUNCTION auth.impersonate(user_id text, claims jsonb DEFAULT '{}', is_local boolean DEFAULT true) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'impersonate_wrapper';
COMMENT ON FUNCTION auth.impersonate(text, jsonb, boolean) IS
    'Signs a user in without a token, to test policies; only for superusers and roles they grant it to';

CREATE FUNCTION auth.init() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'init_wrapper';
COMMENT ON FUNCTION auth.init() IS 'Reads the providers before the first token; named as in pg_session_jwt';

CREATE FUNCTION auth.jwt_session_init(jwt text) RETURNS void
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'neon_auth_jwt_session_init';
COMMENT ON FUNCTION auth.jwt_session_init(text) IS
    'auth.authenticate(jwt, is_local => false); named as in pg_session_jwt';

-- The planner calls it for each of the readers below.
CREATE FUNCTION neon_auth_internal.once_per_query(internal) RETURNS internal
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'once_per_query_wrapper';
COMMENT ON FUNCTION neon_auth_internal.once_per_query(internal) IS
    'Planner support: a reader is evaluated once per query, as if written (SELECT ...)';

CREATE FUNCTION auth.user_id() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'user_id_wrapper';
COMMENT ON FUNCTION auth.user_id() IS 'Id of the signed-in user (the claim sub); NULL if no user is signed in';

CREATE FUNCTION auth.uid() RETURNS uuid
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'uid_wrapper';
COMMENT ON FUNCTION auth.uid() IS 'auth.user_id() as a uuid; NULL if it is not a UUID in lower case with hyphens';

CREATE FUNCTION auth.jwt() RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'jwt_wrapper';
COMMENT ON FUNCTION auth.jwt() IS 'All claims of the signed-in user''s token';

CREATE FUNCTION auth.session() RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'jwt_wrapper';
COMMENT ON FUNCTION auth.session() IS 'Same as auth.jwt(); named as in pg_session_jwt';

CREATE FUNCTION auth.claim(VARIADIC path text[]) RETURNS text
LANGUAGE c STABLE STRICT PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'claim_wrapper';
COMMENT ON FUNCTION auth.claim(text[]) IS
    'One claim by its path of member names: auth.claim(''o'', ''slug''), as auth.jwt() #>> path; numbers are exact';

CREATE FUNCTION auth.role() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'role_wrapper';
COMMENT ON FUNCTION auth.role() IS
    'The claim role, or the one in claim_map; for Stack Auth also authenticated for anonymous users, see '
    'auth.is_anonymous()';

CREATE FUNCTION auth.email() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'email_wrapper';
COMMENT ON FUNCTION auth.email() IS 'The claim email, or the one in claim_map';

CREATE FUNCTION auth.email_verified() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'email_verified_wrapper';
COMMENT ON FUNCTION auth.email_verified() IS
    'The claim email_verified, or the one in claim_map; the texts true and false are read as booleans';

CREATE FUNCTION auth.is_anonymous() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'is_anonymous_wrapper';
COMMENT ON FUNCTION auth.is_anonymous() IS
    'The claim is_anonymous, or the one in claim_map; the text false is read as false, any other value as true';

CREATE FUNCTION auth.selected_team_id() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'selected_team_id_wrapper';
COMMENT ON FUNCTION auth.selected_team_id() IS
    'The claim selected_team_id, or the one in claim_map: the team that the user selected, which does not prove '
    'membership';

CREATE FUNCTION auth.provider() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'provider_wrapper';
COMMENT ON FUNCTION auth.provider() IS 'Name of the provider that verified the token; NULL under auth.impersonate()';

CREATE FUNCTION auth.expires_at() RETURNS timestamptz
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'expires_at_wrapper';
COMMENT ON FUNCTION auth.expires_at() IS 'Expiry of the token (the claim exp, rounded down to a second)';

CREATE FUNCTION auth.session_id() RETURNS text
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'session_id_wrapper';
COMMENT ON FUNCTION auth.session_id() IS
    'Id of the session at the auth service: the claim sid, refresh_token_id for Stack Auth, or the one in claim_map';

CREATE FUNCTION auth.actor() RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'actor_wrapper';
COMMENT ON FUNCTION auth.actor() IS
    'Who acts, as far as known: user_id, provider, session_id, api_key_id, impersonator, agent (claim act), '
    'database_role (of auth.impersonate())';

CREATE FUNCTION auth.stamp() RETURNS trigger
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'neon_auth_stamp';
COMMENT ON FUNCTION auth.stamp() IS
    'Trigger BEFORE INSERT OR UPDATE FOR EACH ROW: writes who is signed in into the columns created_by (kept by '
    'UPDATE) and updated_by';

CREATE FUNCTION neon_auth_internal.actor_in_wal(OUT wanted boolean, OUT logical boolean, OUT preloaded boolean)
RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'actor_in_wal_wrapper';
COMMENT ON FUNCTION neon_auth_internal.actor_in_wal() IS
    'Returns if actors are to be in the WAL (neon_auth.actor_in_wal), if the WAL can contain them, and if every '
    'session writes them';
