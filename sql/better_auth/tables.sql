-- The tables of Better Auth that add_better_auth has found.

CREATE TABLE neon_auth_internal.better_auth_tables (
    what text NOT NULL
        CONSTRAINT better_auth_tables_what_check CHECK (what IN (
            'user', 'session', 'jwks', 'apikey', 'organization', 'member', 'team', 'teamMember', 'organizationRole')),
    relation regclass NOT NULL,
    columns jsonb NOT NULL
        CONSTRAINT better_auth_tables_columns_check CHECK (jsonb_typeof(columns) = 'object'),
    CONSTRAINT better_auth_tables_pkey PRIMARY KEY (what)
);
SELECT pg_catalog.pg_extension_config_dump('neon_auth_internal.better_auth_tables', '');
COMMENT ON TABLE neon_auth_internal.better_auth_tables IS
    'Tables of Better Auth that add_better_auth has found; a table is used only while it carries neon_auth''s triggers';
COMMENT ON COLUMN neon_auth_internal.better_auth_tables.what IS 'Name of the model in Better Auth';
COMMENT ON COLUMN neon_auth_internal.better_auth_tables.relation IS 'The table';
COMMENT ON COLUMN neon_auth_internal.better_auth_tables.columns IS
    'Names of its columns by their names in Better Auth, such as {"emailVerified": "email_verified"}';

CREATE TRIGGER guard_trust BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth_internal.better_auth_tables
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.guard_trust();
COMMENT ON TRIGGER guard_trust ON neon_auth_internal.better_auth_tables IS 'Lets only the owner write the table';
CREATE TRIGGER guard_trust_row BEFORE INSERT OR UPDATE OR DELETE ON neon_auth_internal.better_auth_tables
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.guard_trust();
ALTER TABLE neon_auth_internal.better_auth_tables ENABLE ALWAYS TRIGGER guard_trust_row;
COMMENT ON TRIGGER guard_trust_row ON neon_auth_internal.better_auth_tables IS
    'The same for logical replication, which fires only row triggers';
CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON neon_auth_internal.better_auth_tables
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.trust_changed();
ALTER TABLE neon_auth_internal.better_auth_tables ENABLE ALWAYS TRIGGER trust_changed;
COMMENT ON TRIGGER trust_changed ON neon_auth_internal.better_auth_tables IS 'Makes every session read the table again';
CREATE TRIGGER trust_emptied AFTER TRUNCATE ON neon_auth_internal.better_auth_tables
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.trust_changed();
ALTER TABLE neon_auth_internal.better_auth_tables ENABLE ALWAYS TRIGGER trust_emptied;
COMMENT ON TRIGGER trust_emptied ON neon_auth_internal.better_auth_tables IS 'Makes every session read the table again';

CREATE FUNCTION neon_auth_internal.better_auth_defect(what text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'better_auth_defect_wrapper';
COMMENT ON FUNCTION neon_auth_internal.better_auth_defect(text) IS
    'Returns why the table of a model cannot be used, as a sentence; NULL if it can, or if no table is bound';

CREATE FUNCTION neon_auth_internal.better_auth_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'neon_auth_better_auth_changed';
COMMENT ON FUNCTION neon_auth_internal.better_auth_changed() IS
    'Trigger on the tables of Better Auth: brings the mirror up to date, and never fails the statement';

CREATE FUNCTION neon_auth_internal.feeds_mirror(what text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN what NOT IN ('session', 'jwks', 'apikey');
COMMENT ON FUNCTION neon_auth_internal.feeds_mirror(text) IS
    'Returns true if the mirror follows the changes of a model''s table; the others contain only credentials and keys';

-- Logical replication fires no statement trigger, whatever it is enabled for.
CREATE VIEW neon_auth_internal.better_auth_health AS
    SELECT t.what, t.relation, neon_auth_internal.feeds_mirror(t.what) AS feeds_mirror,
           coalesce(neon_auth_internal.better_auth_defect(t.what),
                    CASE WHEN (SELECT count(DISTINCT g.tgtype) FROM pg_catalog.pg_trigger g
                                WHERE g.tgrelid = t.relation AND g.tgenabled = 'A'
                                  AND g.tgfoid = 'neon_auth_internal.better_auth_changed()'::regprocedure)
                              < CASE WHEN neon_auth_internal.feeds_mirror(t.what) THEN 4 ELSE 1 END
                         THEN 'Somebody has disabled or dropped a trigger of neon_auth on it.'
                         WHEN neon_auth_internal.feeds_mirror(t.what)
                              AND EXISTS (SELECT FROM pg_catalog.pg_subscription_rel s WHERE s.srrelid = t.relation)
                         THEN 'A subscription writes it, without its triggers: only CALL neon_auth.sync() follows.' END)
           AS defect
      FROM neon_auth_internal.better_auth_tables t;
COMMENT ON VIEW neon_auth_internal.better_auth_health IS 'Why the tables of Better Auth, or the mirror of them, fail';
COMMENT ON COLUMN neon_auth_internal.better_auth_health.what IS 'Name of the model in Better Auth';
COMMENT ON COLUMN neon_auth_internal.better_auth_health.relation IS 'The table';
COMMENT ON COLUMN neon_auth_internal.better_auth_health.feeds_mirror IS 'True if the mirror follows its changes';
COMMENT ON COLUMN neon_auth_internal.better_auth_health.defect IS
    'Why the table cannot be used, or why the mirror does not follow it; NULL if nothing is wrong';
