-- Every mistake in a parameter of add_provider has an error of its own, with DETAIL and HINT: a bare
-- violation of a constraint fails this test.
\set SHOW_CONTEXT never
\pset format unaligned
\set jwks `"$STACK" jwks --alg RS256`
SELECT set_config('test.jwks', :'jwks', false) IS NOT NULL AS jwks_at_hand;
CREATE ROLE provider_bypass BYPASSRLS;
CREATE ROLE provider_super SUPERUSER;
CREATE ROLE provider_plain;
-- Good arguments, of which one at a time is replaced.
CREATE TEMP TABLE good (parameter text PRIMARY KEY, value text);
INSERT INTO good VALUES ('name', 'idp'), ('issuers', '{https://idp.example.com}'), ('jwks_url', 'https://idp.example.com/keys');
CREATE TEMP TABLE mistakes (n int GENERATED ALWAYS AS IDENTITY, parameter text, value text, also jsonb DEFAULT '{}');
INSERT INTO mistakes (parameter, value)
SELECT parameter, NULL FROM pg_proc, unnest(proargnames) AS parameter WHERE oid = 'neon_auth.add_provider'::regproc;
INSERT INTO mistakes (parameter, value, also) VALUES
    ('name', '', '{}'), ('name', ' ', '{}'), ('name', 'Idp', '{}'), ('name', '1idp', '{}'), ('name', 'i.dp', '{}'), ('name', repeat('i', 64), '{}'), ('name', 'stack', '{}'),
    ('issuers', '{}', '{}'), ('issuers', '{""}', '{}'), ('issuers', '{"  "}', '{}'), ('issuers', '{NULL}', '{}'), ('issuers', '{" https://idp.example.com"}', '{}'),
    ('issuers', E'{"https://idp.example.com\n"}', '{}'), ('issuers', '{*}', '{}'), ('issuers', '{https://*.example.com}', '{}'), ('issuers', '{https://idp.example.com/*}', '{}'),
    ('issuers', ('{https://idp.example.com/' || repeat('x', 2048) || '}'), '{}'),
    ('issuers', '{"https://idp.example.com/{}/v2"}', '{}'), ('issuers', '{"https://idp.example.com/{tid"}', '{}'), ('issuers', '{"https://{tid}.example.com/"}', '{}'),
    ('issuers', '{"https://idp.example.com/{tid}/v2"}', '{}'), ('issuers', '{"https://idp.example.com/{tid}/v2"}', '{"required_claims": "[\"tid\"]"}'),
    ('issuers', '{"https://idp.example.com/{tid}/v2"}', '{"required_claims": "{\"tid\": null}"}'), ('issuers', '{"https://idp.example.com/{tid}/v2"}', '{"required_claims": "{\"tid\": [\"a/b\"]}"}'),
    ('issuers', '{https://login.microsoftonline.com/common/v2.0}', '{}'),
    ('audiences', '{""}', '{}'), ('audiences', '{NULL}', '{}'), ('audiences', '{"a b"}', '{}'), ('audiences', '{*}', '{}'),
    ('jwks_url', '', '{}'), ('jwks_url', 'https://idp.example.com/.well-known/openid-configuration', '{}'), ('jwks_url', 'https://idp.example.com/.well-known/oauth-authorization-server/?a', '{}'), ('jwks_url', 'http://user@idp.example.com/keys', '{}'), ('jwks_url', 'http://idp.example.com/keys', '{}'), ('jwks_url', 'idp.example.com/keys', '{}'), ('jwks_url', 'https://user:secret@idp.example.com/', '{}'),
    ('jwks', '[]', '{"jwks_url": null}'), ('jwks', '{"keys": []}', '{"jwks_url": null}'), ('jwks', current_setting('test.jwks'), '{}'),
    ('algorithms', '{}', '{}'), ('algorithms', '{NULL}', '{}'), ('algorithms', '{rs256}', '{}'), ('algorithms', '{RS256,HS256}', '{}'), ('algorithms', '{none}', '{}'), ('algorithms', '{""}', '{}'),
    ('kind', '', '{}'), ('kind', 'saml', '{}'), ('kind', 'stack', '{}'), ('kind', 'Stack', '{}'), ('kind', 'stack', '{"project_id": "p", "jwks_url": null}'),
    ('project_id', 'p', '{}'), ('project_id', '', '{"kind": "stack"}'), ('project_id', ' ', '{"kind": "stack"}'), ('project_id', '', '{}'),
    ('typ', '', '{}'), ('typ', ' ', '{}'),
    ('required_claims', 'null', '{}'), ('required_claims', '"jti"', '{}'), ('required_claims', '1', '{}'), ('required_claims', '[null]', '{}'), ('required_claims', '[""]', '{}'),
    ('required_claims', '{"": 1}', '{}'), ('required_claims', '{"a": []}', '{}'), ('required_claims', '{"a": {"b": 1}}', '{}'), ('required_claims', '{"a": [null]}', '{}'), ('required_claims', '{"a..b": 1}', '{}'),
    ('max_lifetime', '0', '{}'), ('max_lifetime', '-1 s', '{}'), ('max_lifetime', '0.4 s', '{}'),
    ('leeway', '-1 s', '{}'), ('leeway', '-0.1 s', '{}'), ('leeway', '5 min 0.1 s', '{}'), ('leeway', '1 day', '{}'),
    ('role_claim', '', '{"allowed_roles": "{provider_plain}"}'), ('role_claim', 'a.', '{"allowed_roles": "{provider_plain}"}'), ('role_claim', '"a', '{"allowed_roles": "{provider_plain}"}'), ('role_claim', 'role', '{}'),
    ('allowed_roles', '{provider_plain}', '{}'), ('allowed_roles', '{NULL}', '{"role_claim": "role"}'), ('allowed_roles', '{""}', '{"role_claim": "role"}'), ('allowed_roles', '{none}', '{"role_claim": "role"}'), ('allowed_roles', '{public}', '{"role_claim": "role"}'),
    ('allowed_roles', '{provider_plain,nowhere}', '{"role_claim": "role"}'), ('allowed_roles', '{provider_plain,postgres}', '{"role_claim": "role"}'), ('allowed_roles', '{provider_super}', '{"role_claim": "role"}'),
    ('allowed_roles', '{provider_bypass}', '{"role_claim": "role"}'), ('allowed_roles', '{pg_read_all_data}', '{"role_claim": "role"}'), ('allowed_roles', '{Provider_plain}', '{"role_claim": "role"}'),
    ('default_role', '', '{}'), ('default_role', 'none', '{}'), ('default_role', 'public', '{}'), ('default_role', 'nowhere', '{}'), ('default_role', 'postgres', '{}'), ('default_role', 'provider_bypass', '{}'),
    ('default_role', 'pg_monitor', '{}'),
    ('claim_map', 'null', '{}'), ('claim_map', '[]', '{}'), ('claim_map', '"email"', '{}'), ('claim_map', '{"mail": "email"}', '{}'), ('claim_map', '{"user_id": "email"}', '{}'), ('claim_map', '{"uid": "sub"}', '{}'), ('claim_map', '{"sub": "email"}', '{}'), ('claim_map', '{"team_id": "team"}', '{}'),
    ('claim_map', '{"email": "$.email"}', '{}'), ('claim_map', '{"email": "emails[0]"}', '{}'), ('required_claims', '{"$.plan": "pro"}', '{}'), ('role_claim', '$.role', '{"allowed_roles": "{provider_plain}"}'),
    ('role_claim', 'roles[0]', '{"allowed_roles": "{provider_plain}"}'),
    ('claim_map', '{"email": ""}', '{}'), ('claim_map', '{"email": null}', '{}'), ('claim_map', '{"email": ["a"]}', '{}'), ('claim_map', '{"email": {"a": "b"}}', '{}'), ('claim_map', '{"is_anonymous": {}}', '{}'),
    ('claim_map', '{"is_anonymous": {"a": null}}', '{}'), ('claim_map', '{"organization": {}}', '{}'), ('claim_map', '{"organization": {"id": 1}}', '{}'),
    ('claim_map', '{"is_anonymous": "a"}', '{"kind": "stack", "project_id": "p"}'),
    ('role_map', 'null', '{"role_claim": "groups", "allowed_roles": "{provider_plain}"}'), ('role_map', '[]', '{"role_claim": "groups", "allowed_roles": "{provider_plain}"}'),
    ('role_map', '{}', '{"role_claim": "groups", "allowed_roles": "{provider_plain}"}'), ('role_map', '{"staff": null}', '{"role_claim": "groups", "allowed_roles": "{provider_plain}"}'),
    ('role_map', '{"staff": ["provider_plain"]}', '{"role_claim": "groups", "allowed_roles": "{provider_plain}"}'), ('role_map', '{"staff": "postgres"}', '{"role_claim": "groups", "allowed_roles": "{provider_plain}"}'),
    ('role_map', '{"staff": "Provider_plain"}', '{"role_claim": "groups", "allowed_roles": "{provider_plain}"}'), ('role_map', '{"staff": "provider_plain"}', '{}'),
    ('role_map', '{"staff": "provider_plain"}', '{"default_role": "provider_plain"}'), ('role_map', '{"staff": "provider_plain"}', '{"role_claim": "groups", "allowed_roles": "{provider_plain}"}');
CREATE FUNCTION pg_temp.outcome(parameter text, value text, also jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    arguments text;
    message text;
    rule text;
    detail text;
    hint text;
BEGIN
    SELECT string_agg(format('%I => %L', a.name, given.value), ', ') INTO arguments
      FROM pg_proc, unnest(proargnames) AS a(name),
           LATERAL (SELECT 1 AS rank, outcome.value WHERE a.name = outcome.parameter
                    UNION ALL SELECT 2, also ->> a.name WHERE also ? a.name
                    UNION ALL SELECT 3, good.value FROM good WHERE good.parameter = a.name
                    ORDER BY rank LIMIT 1) AS given
     WHERE oid = 'neon_auth.add_provider'::regproc;
    EXECUTE 'SELECT neon_auth.add_provider(' || arguments || ')';
    RAISE SQLSTATE '99999';
EXCEPTION
    WHEN SQLSTATE '99999' THEN RETURN 'accepted';
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, rule = CONSTRAINT_NAME, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
        IF rule <> '' OR sqlstate LIKE '23%' OR detail = '' OR hint = '' THEN
            RETURN format('BARE: %s %s', sqlstate, message);
        END IF;
        RETURN format('%s %s. %s %s', sqlstate, message, left(detail, 150), hint);
END
$$;
SELECT pg_temp.outcome('name', 'idp', '{}') AS "with good arguments";
SELECT DISTINCT proargnames <@ ARRAY(SELECT parameter FROM mistakes WHERE value IS NOT NULL
                                     -- Whatever these say has a meaning.
                                     UNION ALL VALUES ('allow_anonymous'), ('allow_restricted'), ('reject_deleted_users'),
                                                      ('reject_banned_users'), ('create_users')) AS "a mistake for each parameter"
  FROM pg_proc WHERE oid = 'neon_auth.add_provider'::regproc;
SELECT parameter, left(value, 60) AS value, nullif(also, '{}') AS also, pg_temp.outcome(parameter, value, also) AS outcome
  FROM mistakes ORDER BY n;
SELECT count(*) AS "bare errors" FROM mistakes WHERE pg_temp.outcome(parameter, value, also) LIKE 'BARE%';

-- An UPDATE is held to the same rules.
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks_url => 'https://idp.example.com/keys', role_claim => 'role', allowed_roles => '{provider_plain}');
UPDATE neon_auth.providers SET allowed_roles = '{provider_plain,postgres}' WHERE name = 'idp';
\echo :SQLSTATE
UPDATE neon_auth.providers SET default_role = 'nowhere' WHERE name = 'idp';
\echo :SQLSTATE
UPDATE neon_auth.providers SET issuers = '{*}' WHERE name = 'idp';
\echo :SQLSTATE
-- A row that is loaded, as from a dump, may name roles that are yet to be created.
CREATE TEMP TABLE dumped AS SELECT * FROM neon_auth.providers WHERE name = 'idp';
SELECT neon_auth.drop_provider('idp');
DROP ROLE provider_plain;
INSERT INTO neon_auth.providers SELECT * FROM dumped;
-- And a row with a role that is gone can be changed in all other ways.
UPDATE neon_auth.providers SET leeway = '10 s' WHERE name = 'idp';
SELECT neon_auth.drop_provider('idp');
DROP ROLE provider_bypass, provider_super;
