-- CVE-2026-2006: text that ends within a character, or that is not UTF-8 at all, led PostgreSQL's own functions beyond the
-- end of the text. PostgreSQL checks text where it arrives, but not every function that makes text
-- did, such as those of pgcrypto before the cure. Here a cast makes such text. Each function that everybody may call
-- refuses it, or finds nothing. If the library read characters of it, a build with debug assertions would end the process.
\set SHOW_CONTEXT never
\pset null -
\set alice `"$STACK" token --sub alice --claim 'a={"b": 1}'`
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
CREATE DATABASE advisories_encoding TEMPLATE template0;
\c advisories_encoding
CREATE EXTENSION neon_auth;
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';
CREATE CAST (bytea AS text) WITHOUT FUNCTION;
SELECT octet_length('\xf0'::bytea::text) AS cast_without_check;
CREATE FUNCTION outcome(call text, malformed text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE 'SELECT ' || call INTO result USING malformed;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN RETURN sqlstate || ' ' || sqlerrm;
END
$$;
-- Every function with an argument of type text that everybody may call is in the list below.
SELECT proname, pronargs FROM pg_proc p
 WHERE pronamespace IN ('auth'::regnamespace, 'neon_auth'::regnamespace) AND has_function_privilege('stranger', p.oid, 'EXECUTE')
   AND proargtypes::oid[] && '{text,text[]}'::regtype[]::oid[]
 ORDER BY 1;
GRANT EXECUTE ON FUNCTION outcome TO app;
\c - app
SELECT pg_backend_pid() AS backend \gset
CREATE TEMP VIEW malformed AS
    SELECT bytes FROM unnest(ARRAY['\xff', '\xe282', '\x61f09f98', '\xc2c2c2c2', '\x20f0', 'nak_\360', 'eyJ.\377.\360', '\360.\360.\360',
                                   'Bearer \360', 'a%\360', '{"authorization": "Bearer \360"}', '{"authorization": "Bearer a.b.c\360"}',
                                   '{"x-api-key": "nak_\360"}', '{"better-auth.session_token": "\360.%\360"}', '{"\360": 1}']::bytea[]) AS bytes;
SELECT call, outcome, count(*)
  FROM unnest(ARRAY['auth.authenticate($1)', 'auth.jwt_session_init($1)', 'neon_auth.verify_jwt($1)',
                    'auth.pre_request() FROM set_config(''request.headers'', $1, true)',
                    'auth.pre_request() FROM set_config(''request.cookies'', $1, true)']) AS call,
       malformed, public.outcome(call, bytes::text) AS outcome
 GROUP BY call, outcome ORDER BY call COLLATE "C", outcome COLLATE "C";
-- With somebody signed in, for whom there is something to compare.
SELECT auth.authenticate(:'alice', false);
SELECT call, outcome, count(*)
  FROM unnest(ARRAY['auth.is_team_member($1)', 'auth.has_permission($1)', 'auth.has_permission($1, $1)', 'auth.claim($1)', 'auth.claim(''a'', $1)']) AS call,
       malformed, public.outcome(call, bytes::text) AS outcome
 GROUP BY call, outcome ORDER BY call COLLATE "C", outcome COLLATE "C";
SELECT auth.user_id(), pg_backend_pid() = :backend AS "same process";
-- Ids of users, which applications pass on, are refused too.
\c - postgres
SELECT call, outcome, count(*)
  FROM unnest(ARRAY['auth.impersonate($1)', 'count(*) FROM neon_auth.explain_policy(''pg_class'', user_id => $1)']) AS call,
       unnest('{"\\xff","\\xe282","\\x61f09f98"}'::bytea[]) AS bytes, outcome(call, bytes::text) AS outcome
 GROUP BY call, outcome ORDER BY call COLLATE "C", outcome COLLATE "C";
\c neon_auth_regress postgres
DROP DATABASE advisories_encoding;
