-- The roles and permissions that Better Auth's plugins organization and admin have.

-- Not while one of those with a colon is defined: an administrator who has deleted or changed others does not get
-- them back. A dump contains all definitions, so nothing is defined when rows of neon_auth.providers are loaded.
CREATE FUNCTION neon_auth_internal.define_better_auth_permissions() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO neon_auth_internal.permission_definitions AS d (scope, id, description, contained_permission_ids)
    WITH roles(scope, id, description, contained_roles, statements) AS (
        VALUES ('team', 'owner', 'Role of the user who creates an organization', '{admin}'::text[],
                '{organization:delete}'::text[]),
               ('team', 'admin', 'Role in an organization: everything but to delete it', '{member}',
                '{organization:update,member:create,member:update,member:delete,invitation:create,invitation:cancel,'
                'team:create,team:update,team:delete,ac:create,ac:update,ac:delete}'),
               ('team', 'member', 'Role of every other member of an organization', '{}', '{ac:read}'),
               ('project', 'admin', 'Role of a user in the whole application, of the plugin admin', '{}',
                '{user:create,user:list,user:set-role,user:ban,user:impersonate,user:delete,user:set-password,'
                'user:set-email,user:set-phone,user:get,user:update,session:list,session:revoke,session:delete}'),
               ('project', 'user', 'Role of every other user, of the plugin admin', '{}', '{}')
    ), better_auth(scope, id, description, contained_permission_ids) AS (
        SELECT r.scope, r.id, r.description, r.contained_roles || r.statements FROM roles r
        UNION ALL
        SELECT r.scope, s.id, NULL, '{}' FROM roles r CROSS JOIN LATERAL unnest(r.statements) AS s(id)
    )
    SELECT b.scope, b.id, b.description, b.contained_permission_ids
      FROM better_auth b
     WHERE NOT EXISTS (SELECT FROM better_auth
                         JOIN neon_auth_internal.permission_definitions k
                           ON k.scope = better_auth.scope AND k.id = better_auth.id
                        WHERE k.id LIKE '%:%')
        ON CONFLICT (scope, id) DO NOTHING;
$$;
COMMENT ON FUNCTION neon_auth_internal.define_better_auth_permissions() IS
    'Defines the roles and permissions of Better Auth''s plugins, unless one with a colon is defined';
