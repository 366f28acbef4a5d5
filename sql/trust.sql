-- Rules for rows of providers, and for who may write the trusted tables.

CREATE FUNCTION neon_auth_internal.judge_jwks(jwks jsonb)
RETURNS TABLE (defect text, hint text, left_out text[], exposes_secret boolean, storable text, algorithms text[])
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE ROWS 1
AS 'MODULE_PATHNAME', 'judge_jwks_wrapper';
COMMENT ON FUNCTION neon_auth_internal.judge_jwks(jsonb) IS
    'Returns why a JWKS cannot verify tokens, the keys that are skipped, if one is secret, the storable part, and the '
    'algorithms of the others';

CREATE FUNCTION neon_auth_internal.is_key_url(url text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'is_key_url_wrapper';
COMMENT ON FUNCTION neon_auth_internal.is_key_url(text) IS
    'Returns true if keys may be fetched from a URL: https, or http on loopback and on neon_auth.insecure_hosts';

CREATE FUNCTION neon_auth_internal.discovery_url(issuer text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'discovery_url_wrapper';
COMMENT ON FUNCTION neon_auth_internal.discovery_url(text) IS
    'Returns the URL of an issuer''s discovery document (OpenID Connect Discovery); NULL if it cannot have one';

CREATE FUNCTION neon_auth_internal.provider_defect(provider neon_auth_internal.providers) RETURNS text[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'provider_defect_wrapper';
COMMENT ON FUNCTION neon_auth_internal.provider_defect(neon_auth_internal.providers) IS
    'Returns why sessions cannot use a provider: the column, the reason and a hint; NULL if they can';

CREATE FUNCTION neon_auth_internal.provider_issuers(provider neon_auth_internal.providers) RETURNS text[]
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'provider_issuers_wrapper';
COMMENT ON FUNCTION neon_auth_internal.provider_issuers(neon_auth_internal.providers) IS
    'Returns the issuers of a provider, with a claim in braces replaced by each of its accepted values';

-- The roles of a provider must exist and be subject to row-level security. This is not checked when a dump is
-- loaded, because a dump does not contain roles. Sessions refuse a role that bypasses row-level security.
CREATE FUNCTION neon_auth_internal.check_provider_roles(roles text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    missing text[] := ARRAY(
        SELECT DISTINCT given.name FROM unnest(roles) AS given(name)
         WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.rolname = given.name)
         ORDER BY given.name);
    powerful text[] := ARRAY(
        SELECT r.rolname FROM pg_roles r
         WHERE r.rolname = ANY (roles) AND (r.rolsuper OR r.rolbypassrls OR r.rolname ^@ 'pg_')
         ORDER BY r.rolname);
BEGIN
    IF missing <> '{}' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_object',
            MESSAGE = 'a role of the provider does not exist',
            DETAIL = format('There is no role %s.', to_json(missing[1])),
            HINT = CASE WHEN missing <@ '{authenticated,anonymous}' THEN 'SELECT neon_auth.setup_roles();'
                        ELSE format('CREATE ROLE %I NOLOGIN;', missing[1]) END;
    END IF;
    IF powerful <> '{}' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_role_specification',
            MESSAGE = 'a role of the provider bypasses row-level security',
            DETAIL = format('Role %s is a superuser, has BYPASSRLS, or is one of PostgreSQL''s predefined roles.',
                            to_json(powerful[1])),
            HINT = 'A token must not name such a role. Create one with the rights that its users need: '
                   'CREATE ROLE ... NOLOGIN;';
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_provider_roles(text[]) IS
    'Refuses roles that do not exist, bypass row-level security, or are predefined';

-- Rules that constraints cannot express, or not with a clear message. Sessions check the rules again when they
-- read the table or fetch keys, so a load with triggers disabled does not weaken them.
CREATE FUNCTION neon_auth_internal.check_provider() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    own_name text := CASE TG_OP WHEN 'UPDATE' THEN old.name ELSE new.name END;
    other record;
    judged record;
    provider constant neon_auth_internal.providers := new;
    defect text[] := neon_auth_internal.provider_defect(provider);
    own_issuers text[];
    issuer_of_row text;
    url CONSTANT text := coalesce(new.jwks_url, neon_auth_internal.discovery_url(new.issuers[1]));
    -- Only the scheme of the URL is wrong.
    is_plain CONSTANT boolean := url ^@ 'http://'
        AND neon_auth_internal.is_key_url(overlay(url PLACING 'https' FROM 1 FOR 4));
    plain_http CONSTANT text := format(
        'Keys fetched over plain http could come from anybody. Pin the keys with jwks, or, if you trust the '
        'network, let a superuser name the host: ALTER SYSTEM SET neon_auth.insecure_hosts = %L; '
        'SELECT pg_reload_conf(); SET is not enough, as workers fetch too.',
        concat_ws(',', nullif(current_setting('neon_auth.insecure_hosts', true), ''),
                  substring(url FROM '^http://([^/?#]+)')));
BEGIN
    IF defect IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the provider''s %s cannot be used', defect[1]),
            DETAIL = defect[2],
            HINT = defect[3];
    END IF;
    IF TG_OP = 'UPDATE'
       AND (new.allowed_roles, new.default_role) IS DISTINCT FROM (old.allowed_roles, old.default_role) THEN
        PERFORM neon_auth_internal.check_provider_roles(array_remove(new.allowed_roles || new.default_role, NULL));
    END IF;
    IF NOT neon_auth_internal.is_key_url(new.jwks_url) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the jwks_url must be https, or http on loopback',
            DETAIL = CASE WHEN is_plain
                          THEN 'It is http, and its host is neither loopback nor one of neon_auth.insecure_hosts.'
                          ELSE 'A host without user and password must follow, then optionally a port and a path.' END,
            HINT = CASE WHEN is_plain THEN plain_http
                        ELSE 'For example: https://auth.example.com/.well-known/jwks.json' END;
    END IF;
    IF new.jwks_url IS NULL AND new.jwks IS NULL AND new.kind = 'oidc'
       AND NOT coalesce(neon_auth_internal.is_key_url(neon_auth_internal.discovery_url(new.issuers[1])), false) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the keys of this issuer cannot be discovered',
            DETAIL = 'Without jwks_url and jwks, the document <issuer>/.well-known/openid-configuration names the URL '
                     'of the keys; so the first issuer must be an https URL without a template, a query or a fragment.',
            HINT = CASE WHEN is_plain THEN plain_http ELSE 'Set jwks_url or jwks.' END;
    END IF;
    -- one_writer: no other transaction is writing providers now.
    own_issuers := neon_auth_internal.provider_issuers(provider);
    SELECT p.name, i.issuer, a.audience, p.audiences = '{}' AS takes_all INTO other
      FROM neon_auth_internal.providers p
     CROSS JOIN LATERAL unnest(CASE WHEN array_to_string(p.issuers, ' ') LIKE '%{%'
                                    THEN neon_auth_internal.provider_issuers(p) ELSE p.issuers END) AS i(issuer)
      LEFT JOIN LATERAL unnest(p.audiences) AS a(audience) ON a.audience = ANY (new.audiences)
     WHERE p.name <> own_name AND i.issuer = ANY (own_issuers)
       AND (p.audiences = '{}' OR new.audiences = '{}' OR a.audience IS NOT NULL)
     ORDER BY p.name, array_position(own_issuers, i.issuer), a.audience LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'unique_violation',
            MESSAGE = 'providers of one issuer must differ in their audiences',
            DETAIL = format('Provider %I has the issuer %s too', other.name, other.issuer)
                || CASE WHEN other.audience IS NOT NULL THEN format(', and the audience %s.', other.audience)
                        WHEN other.takes_all THEN ', and names no audiences.'
                        ELSE '; the new row names no audiences.' END,
            HINT = CASE WHEN other.takes_all
                        THEN format('Name the audiences of both, for example UPDATE neon_auth.providers '
                                    'SET audiences = ''{<client id>}'' WHERE name = %L;', other.name)
                        ELSE 'Name audiences that the other does not have: audiences => ''{<client id>}''.' END;
    END IF;
    -- Otherwise the users of a dropped provider, and their API keys, would become those of another. A dump is loaded
    -- without this check: pg_dump sets check_function_bodies, and the dumped database had the provider and the rows.
    IF TG_OP = 'UPDATE' AND (new.name, new.kind) <> (old.name, old.kind)
       OR TG_OP = 'INSERT' AND current_setting('check_function_bodies')::boolean
          AND NOT EXISTS (SELECT FROM neon_auth_internal.providers p WHERE p.name = new.name) THEN
        -- Sign-ins may be making such rows.
        LOCK TABLE neon_auth_internal.users_sync IN SHARE MODE;
        SELECT u.raw_json ->> 'auth_issuer' INTO issuer_of_row
          FROM neon_auth_internal.users_sync u
         WHERE u.deleted_at IS NULL AND u.raw_json ->> 'auth_provider' = new.name
           AND (u.raw_json ->> 'auth_issuer' = ANY (own_issuers)) IS NOT TRUE
         ORDER BY 1 LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'object_not_in_prerequisite_state',
                MESSAGE = 'the mirror has users of another provider of this name',
                DETAIL = format('The member auth_provider of rows of neon_auth.users_sync is %s, and %s.',
                                to_json(new.name),
                                coalesce('their auth_issuer is ' || to_json(issuer_of_row)
                                         || ', which is no issuer of the provider', 'they name no issuer')),
                HINT = 'These users and their API keys would become those of this provider. Choose another name, add '
                       'the provider with the issuers that it had, or delete the users: '
                       'SELECT neon_auth.delete_user(id).';
        END IF;
    END IF;
    SELECT p.name INTO other
      FROM neon_auth_internal.providers p
      LEFT JOIN neon_auth_internal.jwks_cache c ON c.provider = p.name AND p.jwks_url IS NULL
     WHERE p.name <> own_name AND coalesce(p.jwks_url, c.jwks_url) = new.jwks_url
       AND (p.audiences = '{}' OR new.audiences = '{}')
     ORDER BY p.name LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = 'providers that share their keys must name their audiences',
            DETAIL = format('Provider %I has the same jwks_url, so a token for one would pass for the other.',
                            other.name),
            HINT = 'Set audiences for both, or, if they are one service, make it one provider: '
                   'issuers => ''{first,second}''.';
    END IF;
    SELECT p.name, p.kind INTO other
      FROM neon_auth_internal.providers p
     WHERE p.name <> own_name
       AND neon_auth_internal.fills_mirror(p.kind) AND neon_auth_internal.fills_mirror(new.kind);
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'unique_violation',
            MESSAGE = 'only one provider can fill the mirror',
            DETAIL = format('Provider %I of kind %s fills it already.', other.name, other.kind),
            HINT = format('SELECT neon_auth.drop_provider(%L); and add the new one; or change that one: '
                          'UPDATE neon_auth.providers SET ... WHERE name = %L;', other.name, other.name);
    END IF;
    SELECT * INTO judged FROM neon_auth_internal.judge_jwks(new.jwks);
    IF judged.defect IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the jwks cannot be used',
            DETAIL = judged.defect,
            HINT = coalesce(judged.hint, 'A JWKS is {"keys": [...]} with public keys (RFC 7517).');
    ELSIF judged.exposes_secret THEN
        new.jwks := judged.storable;
        RAISE WARNING USING
            MESSAGE = 'the jwks contains a private or symmetric key, which is left out and not stored',
            DETAIL = array_to_string(judged.left_out, '; '),
            HINT = 'Anybody who has read it can sign tokens: the issuer must replace it.';
    ELSIF cardinality(judged.left_out) > 0 AND (TG_OP = 'INSERT' OR new.jwks IS DISTINCT FROM old.jwks) THEN
        RAISE NOTICE USING
            MESSAGE = 'the jwks contains keys that cannot be used',
            DETAIL = array_to_string(judged.left_out, '; ');
    END IF;
    IF new.jwks IS NOT NULL AND NOT judged.algorithms && array_replace(new.algorithms, 'Ed25519', 'EdDSA') THEN
        RAISE WARNING USING
            MESSAGE = 'no key of the jwks serves an accepted algorithm, so all tokens of the provider are refused',
            DETAIL = format('Its keys serve %s; the provider accepts %s.',
                            array_to_string(judged.algorithms, ', '), array_to_string(new.algorithms, ', ')),
            HINT = format('If the issuer signs with it: UPDATE neon_auth.providers SET algorithms = %L '
                          'WHERE name = %L;', judged.algorithms, new.name);
    END IF;
    RETURN new;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_provider() IS
    'Refuses a provider that is unusable, or that could not be told apart from another one';
CREATE TRIGGER check_provider BEFORE INSERT OR UPDATE ON neon_auth.providers
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.check_provider();
COMMENT ON TRIGGER check_provider ON neon_auth.providers IS
    'Refuses a provider that is unusable, or that could not be told apart from another one';

-- pg_write_all_data grants writes to every table; with those of this one, its members could sign in as
-- anybody. So the owner's rights are required, with which add_provider and drop_provider run.
CREATE FUNCTION neon_auth_internal.guard_trust() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('permission denied for table %I', TG_TABLE_NAME),
            DETAIL = 'Its rows decide which credentials are accepted, so the right to write data is not enough.',
            HINT = format('The owner can grant the functions: GRANT EXECUTE ON FUNCTION %s TO ...;',
                          coalesce(TG_ARGV[0], 'neon_auth.add_provider, neon_auth.drop_provider'));
    END IF;
    RETURN coalesce(new, old);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.guard_trust() IS
    'Lets only the owner write trusted tables. The argument of the trigger names the functions for others';

-- Otherwise two transactions could add the same issuer without seeing each other's row.
CREATE FUNCTION neon_auth_internal.one_writer() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'one_writer_wrapper';
COMMENT ON FUNCTION neon_auth_internal.one_writer() IS 'Waits until no other transaction is writing the table';
CREATE TRIGGER one_writer BEFORE INSERT OR UPDATE OR DELETE ON neon_auth.providers
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.one_writer();
COMMENT ON TRIGGER one_writer ON neon_auth.providers IS 'Lets only one transaction at a time write providers';
CREATE TRIGGER guard_trust BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth.providers
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.guard_trust();
COMMENT ON TRIGGER guard_trust ON neon_auth.providers IS 'Lets only the owner write providers';
CREATE TRIGGER guard_trust_row BEFORE INSERT OR UPDATE OR DELETE ON neon_auth.providers
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.guard_trust();
ALTER TABLE neon_auth.providers ENABLE ALWAYS TRIGGER guard_trust_row;
COMMENT ON TRIGGER guard_trust_row ON neon_auth.providers IS
    'The same for logical replication, which fires only row triggers';

CREATE FUNCTION neon_auth_internal.trust_changed() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'trust_changed_wrapper';
COMMENT ON FUNCTION neon_auth_internal.trust_changed() IS
    'Makes every session read the providers and keys again once the transaction commits';
-- Row triggers, because logical replication fires no statement triggers except those of TRUNCATE.
CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON neon_auth.providers
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.trust_changed();
ALTER TABLE neon_auth.providers ENABLE ALWAYS TRIGGER trust_changed;
COMMENT ON TRIGGER trust_changed ON neon_auth.providers IS 'Makes every session read the providers again';
CREATE TRIGGER trust_emptied AFTER TRUNCATE ON neon_auth.providers
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.trust_changed();
ALTER TABLE neon_auth.providers ENABLE ALWAYS TRIGGER trust_emptied;
COMMENT ON TRIGGER trust_emptied ON neon_auth.providers IS 'Makes every session read the providers again';
