-- Each column of a provider is a rule that its tokens are held to, from the next statement on.
\set SHOW_CONTEXT never
\set jwks `"$STACK" jwks --alg RS256`
\set other_jwks `"$STACK" jwks --alg ES384`
\set token `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"'`
\set jti `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"' --claim 'jti="1"'`
\set null_jti `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"' --claim jti=null`
\set typed `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"' --header 'typ="at+jwt"'`
\set many `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud=["blog", "shop"]'`
\set no_aud `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --without aud`
\set no_iat `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"' --without iat`
\set pss `"$STACK" token --sub u1 --alg PS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"'`
\set late `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'aud="shop"' --now $(($(date +%s) - 602))`
CREATE TEMP TABLE tokens (name text PRIMARY KEY, token text);
INSERT INTO tokens VALUES ('plain', :'token'), ('with jti', :'jti'), ('jti null', :'null_jti'), ('at+jwt', :'typed'),
    ('two audiences', :'many'), ('no audience', :'no_aud'), ('no iat', :'no_iat'), ('PS256', :'pss'), ('2 s late', :'late');
CREATE FUNCTION pg_temp.try() RETURNS TABLE (token text, outcome text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    given text;
BEGIN
    FOR token, given IN SELECT name, t.token FROM tokens t ORDER BY name COLLATE "C" LOOP
        BEGIN
            outcome := auth.authenticate(given);
        EXCEPTION WHEN OTHERS THEN
            outcome := sqlstate || ' ' || sqlerrm;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
-- By default: any audience, any typ, any lifetime. The key says RS256, and so does not serve PS256.
SELECT * FROM pg_temp.try();
UPDATE neon_auth.providers SET audiences = '{shop,news}' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token LIKE '%audience%';
UPDATE neon_auth.providers SET audiences = '{sho}' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token IN ('plain', 'two audiences');
UPDATE neon_auth.providers SET audiences = DEFAULT, required_claims = '["jti", "aud"]' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token IN ('plain', 'with jti', 'jti null');
UPDATE neon_auth.providers SET required_claims = DEFAULT, typ = 'at+jwt' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token IN ('plain', 'at+jwt');
UPDATE neon_auth.providers SET typ = NULL, max_lifetime = '10 min' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token IN ('plain', 'no iat');
UPDATE neon_auth.providers SET max_lifetime = '9 min 59 s' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token IN ('plain', 'no iat');
UPDATE neon_auth.providers SET max_lifetime = NULL, leeway = '0' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token IN ('plain', '2 s late');
UPDATE neon_auth.providers SET leeway = DEFAULT, algorithms = '{ES384}' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token = 'plain';
UPDATE neon_auth.providers SET algorithms = DEFAULT, issuers = '{https://idp.example.com/}' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token = 'plain';
-- Other keys revoke those before at once.
UPDATE neon_auth.providers SET issuers = '{https://idp.example.com}', jwks = :'other_jwks' WHERE name = 'idp';
SELECT * FROM pg_temp.try() WHERE token = 'plain';
-- The rules of Stack's tokens are not for others: no project, no role that must be there.
UPDATE neon_auth.providers SET jwks = :'jwks', allow_anonymous = true WHERE name = 'idp';
\set guest `"$STACK" token --sub u1 --alg RS256 --claim 'iss="https://idp.example.com"' --claim 'is_anonymous=true' --claim 'role="admin"'`
SELECT auth.authenticate(:'guest');
SELECT auth.provider(), auth.is_anonymous(), auth.role();
-- Dropped: who is signed in stays so until its end, the next token is another matter.
SELECT neon_auth.drop_provider('idp');
SELECT auth.user_id();
SELECT * FROM pg_temp.try() WHERE token = 'plain';
ROLLBACK;

-- What came past the table's rules, in a load with triggers off, is refused when it is used.
BEGIN;
SET LOCAL session_replication_role = replica;
SELECT neon_auth.add_provider('first', '{https://idp.example.com}', jwks => :'jwks');
SELECT neon_auth.add_provider('second', '{https://idp.example.com}', jwks => :'jwks');
SAVEPOINT s;
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.drop_provider('second');
SAVEPOINT s;
UPDATE neon_auth.providers SET jwks = '{"keys": []}' WHERE name = 'first';
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET jwks = jsonb_build_object('keys', (repeat('[', 200) || repeat(']', 200))::jsonb) WHERE name = 'first';
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
-- Nor do two providers share keys without audiences, which no pinned set shows.
SELECT neon_auth.drop_provider('first');
SELECT neon_auth.add_provider('first', '{https://idp.example.com}', jwks_url => 'https://shared.example.com/keys');
SELECT neon_auth.add_provider('second', '{https://other.example.com}', '{shop}', jwks_url => 'https://shared.example.com/keys');
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
-- The others' tokens are as good as ever.
UPDATE neon_auth.providers SET jwks = '{"keys": [1e400]}' WHERE name = 'first';
\set alice `"$STACK" token --sub alice`
SELECT auth.authenticate(:'alice');
ROLLBACK;

-- A row that no constraint has looked at is a defect of its own provider alone.
CREATE FUNCTION pg_temp.outcome(change text, token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    reason text;
BEGIN
    EXECUTE format('UPDATE neon_auth.providers SET %s WHERE name = %L', change, 'first');
    PERFORM auth.authenticate(token);
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
    RETURN reason;
END
$$;
BEGIN;
SET LOCAL session_replication_role = replica;
SELECT neon_auth.add_provider('first', '{https://idp.example.com}', jwks => :'jwks');
ALTER TABLE neon_auth.providers ALTER leeway DROP NOT NULL, ALTER issuers DROP NOT NULL, ALTER allow_anonymous DROP NOT NULL;
DO $$
DECLARE
    name name;
BEGIN
    FOR name IN SELECT conname FROM pg_constraint WHERE conrelid = 'neon_auth.providers'::regclass AND contype = 'c' LOOP
        EXECUTE format('ALTER TABLE neon_auth.providers DROP CONSTRAINT %I', name);
    END LOOP;
END
$$;
DROP INDEX neon_auth.providers_fills_mirror_idx;
SELECT change, pg_temp.outcome(change, :'token') AS outcome
  FROM unnest(ARRAY[
       $$algorithms = '{RS256,HS256}'$$, $$algorithms = '{RS256,NULL}'$$, $$audiences = '{NULL,shop}'$$,
       $$issuers = '{NULL,https://idp.example.com}'$$, $$required_claims = '[null]'$$, $$allowed_roles = '{NULL}'$$,
       'leeway = NULL', $$leeway = '-1 second'$$, $$max_lifetime = '-1 day'$$, 'allow_anonymous = NULL',
       $$kind = 'stack'$$, $$jwks = NULL, issuers = '{idp?,https://idp.example.com}'$$, $$jwks_url = 'https://idp.example.com/keys'$$, $$jwks = '[]'$$]) WITH ORDINALITY AS c(change, n)
 ORDER BY n;
SAVEPOINT s;
UPDATE neon_auth.providers SET issuers = NULL WHERE name = 'first';
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers
   SET issuers = '{NULL,https://idp.example.com}', algorithms = '{NULL}', leeway = NULL, jwks = '[]' WHERE name = 'first';
SELECT auth.authenticate(:'alice');
ROLLBACK;
-- A lifetime without end, where PostgreSQL has such an interval (17 and later)
BEGIN;
SELECT neon_auth.add_provider('first', '{https://idp.example.com}', jwks => :'jwks');
DO $$
BEGIN
    UPDATE neon_auth.providers SET max_lifetime = 'infinity' WHERE name = 'first';
EXCEPTION WHEN invalid_datetime_format THEN
END
$$;
SELECT auth.authenticate(:'token');
SELECT auth.authenticate(:'alice');
ROLLBACK;
