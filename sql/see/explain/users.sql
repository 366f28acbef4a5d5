-- Whether the user of explain_policy can sign in.

CREATE FUNCTION neon_auth_internal.sign_in_refusals(user_id text, OUT provider text, OUT refusal text)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 2 AS 'MODULE_PATHNAME', 'neon_auth_sign_in_refusals';
COMMENT ON FUNCTION neon_auth_internal.sign_in_refusals(text) IS
    'Each provider, and why it refuses a user who is deleted or banned; NULL if it does not';

CREATE FUNCTION neon_auth_internal.explain_user(user_id text, OUT result boolean, OUT reason text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE WHEN s.refusing = s.providers AND s.providers > 0 THEN false END,
           CASE WHEN s.refusing > 0 THEN s.refusals
                WHEN u.id IS NULL THEN 'neon_auth.users_sync has no row with this id'
                WHEN u.deleted_at IS NOT NULL
                THEN 'the user is deleted, but no provider refuses deleted users (reject_deleted_users)' END
      FROM (SELECT count(*) AS providers, count(r.refusal) AS refusing,
                   string_agg(format('%s: %s', r.provider, r.refusal), '; ' ORDER BY r.provider)
                       FILTER (WHERE r.refusal IS NOT NULL) AS refusals
              FROM neon_auth_internal.sign_in_refusals(user_id) AS r) AS s
      LEFT JOIN neon_auth_internal.users_sync u ON u.id = user_id
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_user(text) IS
    'What explain_policy says of the user: false if each provider refuses a sign-in';
