-- A key set as issuers publish them: what cannot be used is left out with a reason, and spoils
-- nothing beside it.
\set SHOW_CONTEXT never
\set jwks `"$STACK" jwks --alg RS256`
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --alg RS256 --claim 'iss="https://idp.example.com"'`
\set old_token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --alg RS256 --claim 'iss="https://idp.example.com"' --header 'kid="old"'`
SELECT jsonb_build_object('keys', jsonb_build_array(
           jsonb_build_object('kty', 'RSA', 'kid', 'old', 'e', 'AQAB', 'n', left(k ->> 'n', 170) || 'E'),
           k || '{"kid": "encrypts", "use": "enc"}',
           '{"kty": "EC", "kid": "half", "crv": "P-256", "x": "AQ"}'::jsonb,
           k || '{"alg": null, "use": null, "key_ops": null}',
           '{"kid": 7}'::jsonb, '[]'::jsonb,
           '{"kty": "RSA", "kid": "certificate", "x5c": ["MIIB"]}'::jsonb)) AS mixed,
       jsonb_build_object('keys', jsonb_build_array(k, k || '{"kid": "secret", "d": "c2VjcmV0IGV4cG9uZW50"}')) AS exposed,
       jsonb_build_object('keys', jsonb_build_array(k, k, k || '{"x5t": "abc"}')) AS twice
  FROM (SELECT :'jwks'::jsonb -> 'keys' -> 0 AS k) AS own \gset

SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'mixed');
SELECT neon_auth.verify_jwt(:'token') ->> 'sub' AS sub;
-- Whoever asks for a key that is left out is told why, and gets no other.
SELECT neon_auth.verify_jwt(:'old_token');
\echo :SQLSTATE
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of idp';
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'old_token') WHERE step IN ('keys', 'key', 'signature');

-- A secret in a published set is said loudly, and not stored.
UPDATE neon_auth.providers SET jwks = :'exposed' WHERE name = 'idp';
SELECT neon_auth.verify_jwt(:'token') ->> 'sub' AS sub;
SELECT jwks::text LIKE '%c2VjcmV0%' AS has_secret, jwks -> 'keys' -> 1 AS in_its_place FROM neon_auth.providers WHERE name = 'idp';
SELECT ok, detail FROM neon_auth.status WHERE component = 'keys of idp';

-- The same key again is the same key.
UPDATE neon_auth.providers SET jwks = :'twice' WHERE name = 'idp';
SELECT neon_auth.verify_jwt(:'token') ->> 'sub' AS sub;

-- A document that is something else is named.
UPDATE neon_auth.providers SET jwks = '{"issuer": "https://idp.example.com", "jwks_uri": "https://idp.example.com/keys"}' WHERE name = 'idp';
\echo :SQLSTATE
UPDATE neon_auth.providers SET jwks = '{"kid": "-----BEGIN CERTIFICATE-----\nMIIC\n"}' WHERE name = 'idp';
\echo :SQLSTATE

-- A provider without url and keys: its issuer must be one that can say where they are.
SELECT neon_auth.drop_provider('idp');
SELECT neon_auth.add_provider('idp', ARRAY['https://login.example.com/{tid}/v2.0']);
\echo :SQLSTATE
SELECT neon_auth.add_provider('idp', '{http://keycloak:8080/realms/app}');
\echo :SQLSTATE
-- Plain http is for loopback, and for hosts that a superuser names.
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks_url => 'http://keycloak:8080/keys');
\echo :SQLSTATE
CREATE FUNCTION pg_temp.is_taken(url text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM neon_auth.add_provider('tried', '{https://tried.example.com}', jwks_url => url);
    DELETE FROM neon_auth.providers WHERE name = 'tried';
    RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
    RETURN false;
END
$$;
SELECT hosts, url, set_config('neon_auth.insecure_hosts', hosts, false) = hosts AND pg_temp.is_taken(url) AS is_taken
  FROM (VALUES
       ('', 'http://keycloak:8080/keys'),
       ('keycloak:8080', 'http://keycloak:8080/keys'),
       ('a, KeyCloak:8080', 'http://keycloak:8080/keys'),
       ('keycloak', 'http://keycloak:8080/keys'),
       ('keycloak', 'http://keycloak/keys'),
       ('keycloak:8080', 'http://keycloak/keys'),
       ('keycloak:80', 'http://keycloak/keys'),
       ('keycloak:80', 'http://keycloak:8080/keys'),
       ('keycloak:8080', 'http://keycloak:8081/keys'),
       ('keycloak', 'http://keycloak.evil.example/keys'),
       ('keycloak', 'http://keycloak@evil.example/keys'),
       ('keycloak', 'http://evil.example/keycloak'),
       ('keycloak', 'ftp://keycloak/keys'),
       ('[2001:db8::1]:8080', 'http://[2001:db8::1]:8080/keys'),
       ('[2001:db8::1]', 'http://[2001:db8::1]:8080/keys')) AS v(hosts, url);
-- An entry that can be no host is refused, not passed over in silence.
CREATE FUNCTION pg_temp.set_hosts(hosts text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    PERFORM set_config('neon_auth.insecure_hosts', hosts, true);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN format('%s %s. %s %s', sqlstate, sqlerrm, detail, hint);
END
$$;
SELECT hosts, pg_temp.set_hosts(hosts)
  FROM (VALUES ('*'), ('http://keycloak:8080'), ('keycloak:8080/keys'), ('keycloak 8080'), ('a, keycloak;b'), ('user@keycloak'), ('keycloak:http'),
               ('keycloak:0'), ('keycloak:65536'), (':8080'), ('keycloak:'), ('2001:db8::1'), ('[2001:db8::g]'), ('[2001:db8::1]8080'),
               (''), (' a , b:1, ,'), ('key_cloak.svc.:65535'), ('10.0.0.1:80'), ('[::1]')) AS v(hosts);
-- The HINT names the host, and keeps those that are there.
SET neon_auth.insecure_hosts = 'other';
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks_url => 'http://keycloak:8080/keys');
-- With anything else amiss, http is not what is said to be.
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks_url => 'http://user@keycloak:8080/keys');
SET neon_auth.insecure_hosts = 'keycloak:8080';
SELECT neon_auth.add_provider('idp', '{http://keycloak:8080/realms/app}');
RESET neon_auth.insecure_hosts;
-- A fetch of what only another session may fetch says which setting it misses.
\set fetched `"$STACK" token --sub u1 --alg RS256 --claim 'iss="http://keycloak:8080/realms/app"'`
CREATE FUNCTION pg_temp.detail_of(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    PERFORM neon_auth.verify_jwt(token);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s %s. %s', sqlstate, sqlerrm, regexp_replace(detail, '[0-9]+ s ago', '... s ago'));
END
$$;
SELECT pg_temp.detail_of(:'fetched');
SET ROLE authenticated;
SET neon_auth.insecure_hosts = 'evil.example';
\echo :SQLSTATE
RESET ROLE;
SELECT neon_auth.drop_provider('idp');
