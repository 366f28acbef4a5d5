-- The issuers that configure() makes from the URL of the keys: as the server makes them, and no other.
\set SHOW_CONTEXT never
\set QUIET on
\pset format unaligned
\pset tuples_only on
BEGIN;
-- A base URL, and what new URL('/api/v1/projects/p', base) of Node.js 20 has before that path.
CREATE TEMPORARY TABLE bases (number integer GENERATED ALWAYS AS IDENTITY, base text, whatwg text) ON COMMIT DROP;
INSERT INTO bases (base, whatwg) VALUES
    ('https://api.stack-auth.com', 'https://api.stack-auth.com'),
    ('https://api.hexclave.com', 'https://api.hexclave.com'),
    ('https://API.Stack-Auth.COM', 'https://api.stack-auth.com'),
    ('https://api.stack-auth.com:443', 'https://api.stack-auth.com'),
    ('https://api.stack-auth.com:', 'https://api.stack-auth.com'),
    ('https://api.stack-auth.com:0443', 'https://api.stack-auth.com'),
    ('https://api.stack-auth.com/', 'https://api.stack-auth.com'),
    ('https://api.stack-auth.com/prefix', 'https://api.stack-auth.com'),
    ('https://api1.stack-auth.com', 'https://api1.stack-auth.com'),
    ('https://api2.hexclave.com', 'https://api2.hexclave.com'),
    ('https://api3.stack-auth.com', 'https://api3.stack-auth.com'),
    ('https://r.hexclave.com', 'https://r.hexclave.com'),
    ('https://R.STACK-AUTH.com:443/x', 'https://r.stack-auth.com'),
    ('https://api.dev.stack-auth.com', 'https://api.dev.stack-auth.com'),
    ('https://api.dev.hexclave.com', 'https://api.dev.hexclave.com'),
    ('https://api.staging.stack-auth.com', 'https://api.staging.stack-auth.com'),
    ('https://api.staging.hexclave.com', 'https://api.staging.hexclave.com'),
    ('https://api4.stack-auth.com', 'https://api4.stack-auth.com'),
    ('https://api0.stack-auth.com', 'https://api0.stack-auth.com'),
    ('https://api12.stack-auth.com', 'https://api12.stack-auth.com'),
    ('https://api1.dev.stack-auth.com', 'https://api1.dev.stack-auth.com'),
    ('https://r.dev.hexclave.com', 'https://r.dev.hexclave.com'),
    ('https://dev.stack-auth.com', 'https://dev.stack-auth.com'),
    ('https://api.prod.stack-auth.com', 'https://api.prod.stack-auth.com'),
    ('https://stack-auth.com', 'https://stack-auth.com'),
    ('https://xapi.stack-auth.com', 'https://xapi.stack-auth.com'),
    ('https://api-stack-auth.com', 'https://api-stack-auth.com'),
    ('https://api.stack-auth.org', 'https://api.stack-auth.org'),
    ('https://api.stack-auth.com.evil.example', 'https://api.stack-auth.com.evil.example'),
    ('https://api.stack-auth.com.', 'https://api.stack-auth.com.'),
    ('https://api.stackauth.com', 'https://api.stackauth.com'),
    ('https://evil.api.stack-auth.com', 'https://evil.api.stack-auth.com'),
    ('https://api.stack-auth.com:8443', 'https://api.stack-auth.com:8443'),
    ('https://api.stack-auth.com:80', 'https://api.stack-auth.com:80'),
    ('http://api.stack-auth.com', 'http://api.stack-auth.com'),
    ('http://api.stack-auth.com:443', 'http://api.stack-auth.com:443'),
    ('https://apixstack-auth.com', 'https://apixstack-auth.com'),
    ('https://api.stack-authxcom', 'https://api.stack-authxcom'),
    ('https://example.com:0', 'https://example.com:0'),
    ('https://example.com:00', 'https://example.com:0'),
    ('https://example.com:65535', 'https://example.com:65535'),
    ('https://example.com:65536', NULL),
    ('https://example.com:99999', NULL),
    ('https://example.com:123456', NULL),
    ('https://example.com:-1', NULL),
    ('http://example.com:80', 'http://example.com'),
    ('http://example.com:080/p', 'http://example.com'),
    ('https://Auth.Example.com:8443/stack', 'https://auth.example.com:8443'),
    ('https://user@api.stack-auth.com', 'https://user@api.stack-auth.com'),
    ('https://user:pw@api.stack-auth.com', 'https://user:pw@api.stack-auth.com'),
    ('https://api.stack-auth.com@evil.example', 'https://api.stack-auth.com@evil.example'),
    ('https://api.stack-auth.com:443@evil.example', 'https://api.stack-auth.com:443@evil.example'),
    ('https://api.stack-auth.com%2eevil.example', 'https://api.stack-auth.com.evil.example'),
    ('https://%61pi.stack-auth.com', 'https://api.stack-auth.com'),
    ('https://api.stack-auth.com%00', NULL),
    ('https://api.stack-auth.com\@evil.example', 'https://api.stack-auth.com'),
    ('https://api.stack-auth.com\.evil.example', 'https://api.stack-auth.com'),
    ('https://evil.example/https://api.stack-auth.com', 'https://evil.example'),
    ('https://evil.example?https://api.stack-auth.com', 'https://evil.example'),
    ('https://evil.example#https://api.stack-auth.com', 'https://evil.example'),
    ('https:///api.stack-auth.com', 'https://api.stack-auth.com'),
    ('https://', NULL),
    ('https:api.stack-auth.com', 'https://api.stack-auth.com'),
    ('https:/api.stack-auth.com', 'https://api.stack-auth.com'),
    ('//api.stack-auth.com', NULL),
    ('ftp://api.stack-auth.com', 'ftp://api.stack-auth.com'),
    ('HTTPS://api.stack-auth.com', 'https://api.stack-auth.com'),
    (' https://api.stack-auth.com', 'https://api.stack-auth.com'),
    ('https://api .stack-auth.com', NULL),
    (U&'https://api.stack-auth\3002com', 'https://api.stack-auth.com'),
    (U&'https://\0430pi.stack-auth.com', 'https://xn--pi-6kc.stack-auth.com'),
    (U&'https://\0130api.stack-auth.com', 'https://xn--iapi-qwc.stack-auth.com'),
    (U&'https://b\00FCcher.example', 'https://xn--bcher-kva.example'),
    ('https://xn--bcher-kva.example', 'https://xn--bcher-kva.example'),
    ('https://a_b.example', 'https://a_b.example'),
    ('https://a,b.example', 'https://a,b.example'),
    ('https://*.stack-auth.com', 'https://*.stack-auth.com'),
    ('https://{x}.stack-auth.com', 'https://{x}.stack-auth.com'),
    ('http://localhost:8102', 'http://localhost:8102'),
    ('http://LOCALHOST:8102/x', 'http://localhost:8102'),
    ('http://127.0.0.1:8102', 'http://127.0.0.1:8102'),
    ('http://127.0.0.1.:8102', 'http://127.0.0.1:8102'),
    ('http://127.1:8102', 'http://127.0.0.1:8102'),
    ('http://0x7f.1', 'http://127.0.0.1'),
    ('http://0x7f000001', 'http://127.0.0.1'),
    ('http://2130706433', 'http://127.0.0.1'),
    ('http://127.0.0.010', 'http://127.0.0.8'),
    ('http://127.0.0.256', NULL),
    ('http://1.2.3', 'http://1.2.0.3'),
    ('http://1.2.3.4.5', NULL),
    ('http://example.1', NULL),
    ('http://example.0x1', NULL),
    ('http://example.0x', NULL),
    ('http://1.example', 'http://1.example'),
    ('http://[::1]:8102', 'http://[::1]:8102'),
    ('http://[::1]:80', 'http://[::1]'),
    ('http://[0:0:0:0:0:0:0:1]', 'http://[::1]'),
    ('http://[2001:DB8:0:0:1:0:0:1]', 'http://[2001:db8::1:0:0:1]'),
    ('http://[2001:db8:0:1:0:0:0:1]', 'http://[2001:db8:0:1::1]'),
    ('http://[2001:0db8::0001]', 'http://[2001:db8::1]'),
    ('http://[::ffff:1.2.3.4]', 'http://[::ffff:102:304]'),
    ('http://[::FFFF:102:304]', 'http://[::ffff:102:304]'),
    ('http://[::1.2.3.4]', 'http://[::102:304]'),
    ('http://[::ffff:0.0.1.2]', 'http://[::ffff:0:102]'),
    ('http://[::102:304]', 'http://[::102:304]'),
    ('http://[64:ff9b::1.2.3.4]', 'http://[64:ff9b::102:304]'),
    ('http://[1:2:3:4:5:6:7:8]', 'http://[1:2:3:4:5:6:7:8]'),
    ('http://[1:0:3:4:5:6:7:8]', 'http://[1:0:3:4:5:6:7:8]'),
    ('http://[1::3:4:5:6:7:8]', 'http://[1:0:3:4:5:6:7:8]'),
    ('http://[1.2.3.4]', NULL),
    ('http://[::1', NULL),
    ('http://[::1]x', NULL),
    ('http://[:::]', NULL),
    ('http://[::1%25eth0]', NULL),
    ('http://[]', NULL),
    ('http://::1', NULL);

-- Where an origin is returned, it is that one.
SELECT count(*) > 0 AND bool_and(o.origin = b.whatwg) AS same
  FROM bases b CROSS JOIN LATERAL neon_auth_internal.url_origin(b.base) AS o(origin)
 WHERE o.origin IS NOT NULL;

-- What configure() makes of each, with all its checks: the hosts of the issuers, or why it refuses the URL.
CREATE FUNCTION pg_temp.issuers(base text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    expected text[] := '{/api/v1/projects/p,/api/v1/projects-restricted-users/p,/api/v1/projects-anonymous-users/p}';
    made text[];
    hosts text;
BEGIN
    PERFORM neon_auth.configure(jsonb_build_object(
        'auth_provider', 'stack', 'auth_provider_project_id', 'p', 'secret_server_key', 'ssk_example',
        'jwks_url', base || '/api/v1/projects/p/.well-known/jwks.json'));
    SELECT issuers INTO STRICT made FROM neon_auth.providers WHERE kind = 'stack';
    SELECT string_agg(h.host, ' ' ORDER BY h.host COLLATE "C") INTO hosts
      FROM (SELECT DISTINCT substring(i FROM '^([^:]+://[^/]+)') AS host FROM unnest(made) AS i) AS h;
    -- Exactly the three paths of each.
    IF ARRAY(SELECT i FROM unnest(made) AS i ORDER BY 1)
       <> ARRAY(SELECT h || e FROM unnest(string_to_array(hosts, ' ')) AS h, unnest(expected) AS e ORDER BY 1) THEN
        RETURN made::text;
    END IF;
    RETURN hosts;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN '- ' || sqlerrm;
END
$$;
SELECT b.base || ' -> ' || pg_temp.issuers(b.base) FROM bases b ORDER BY b.number;

-- A project's id is compared as it is, and so is its path.
SELECT i FROM unnest(neon_auth_internal.stack_issuers('https://h.example/p', 'P%41-_.~')) AS i;
-- Nothing is made of nothing.
SELECT neon_auth_internal.stack_issuers(NULL, 'p') IS NULL, neon_auth_internal.stack_issuers('https://h', NULL) IS NULL,
       neon_auth_internal.stack_issuers('', 'p') IS NULL;

-- The URL of the keys and that of the REST API stay as they were given, and the key is sent only there.
SELECT neon_auth.configure('{"auth_provider": "stack", "auth_provider_project_id": "p", "secret_server_key": "ssk_example",
    "jwks_url": "https://API.example.com:443/stack/api/v1/projects/p/.well-known/jwks.json"}') IS NOT NULL;
SELECT p.jwks_url, neon_auth_internal.sync_access() ->> 'base', s.service
  FROM neon_auth.providers p, neon_auth_internal.secrets s WHERE s.name = 'secret_server_key';
-- Again, for the same server in another spelling: the issuers are the same, and the key is sent to the new URL.
CREATE TEMPORARY TABLE before ON COMMIT DROP AS SELECT issuers FROM neon_auth.providers;
SELECT neon_auth.configure('{"auth_provider": "stack", "auth_provider_project_id": "p", "secret_server_key": "ssk_example",
    "jwks_url": "https://api.example.com/api/v1/projects/p/.well-known/jwks.json"}') IS NOT NULL;
SELECT p.issuers = before.issuers, p.jwks_url, neon_auth_internal.sync_access() ->> 'base',
       neon_auth_internal.sync_access() ->> 'secret' FROM neon_auth.providers p, before;
-- A provider that was configured with the text of its URL gets the issuers that its server makes.
UPDATE neon_auth.providers SET issuers = '{https://API.example.com:443/stack/api/v1/projects/p}',
    jwks_url = 'https://API.example.com:443/stack/api/v1/projects/p/.well-known/jwks.json', leeway = '5 s';
SELECT neon_auth.configure('{"auth_provider": "stack", "auth_provider_project_id": "p", "secret_server_key": "ssk_example",
    "jwks_url": "https://API.example.com:443/stack/api/v1/projects/p/.well-known/jwks.json"}') IS NOT NULL;
SELECT p.issuers = before.issuers, p.leeway FROM neon_auth.providers p, before;
ROLLBACK;
