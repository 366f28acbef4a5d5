-- CVE-2026-6473: the size of an allocation wraps, and what is written goes beyond it. Arguments whose sizes wrap in 32 bits
-- when multiplied by 32, and JSON of 4 MB, in each function that everybody may call: results or errors, in one process.
\set SHOW_CONTEXT never
\pset null -
\c - app
SELECT pg_backend_pid() AS backend \gset
-- 128 MB, or as many times 64 kB.
CREATE FUNCTION pg_temp.large(part text, times int DEFAULT 2048) RETURNS text LANGUAGE sql AS 'SELECT repeat(repeat(part, 65536 / length(part)), times)';
CREATE FUNCTION pg_temp.outcome(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE 'SELECT ' || call INTO result;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || left(sqlerrm, 100);
END
$$;
CREATE TEMP VIEW calls AS SELECT * FROM (VALUES
    ('auth.authenticate(pg_temp.large(''x''))'),
    ('auth.authenticate(''eyJ'' || pg_temp.large(''A'') || ''.e30.'')'),
    ('auth.jwt_session_init(pg_temp.large(''x''))'),
    ('neon_auth.verify_jwt(pg_temp.large(''x''))'),
    ('auth.is_team_member(pg_temp.large(''x''))'),
    ('auth.has_permission(pg_temp.large(''x''), pg_temp.large(''y''))'),
    ('auth.claim(VARIADIC ARRAY[pg_temp.large(''x'')])'),
    ('auth.claim(VARIADIC array_fill(''x''::text, ARRAY[262144]))'),
    ('auth.pre_request() FROM set_config(''request.headers'', format(''{"authorization": "Bearer %s"}'', pg_temp.large(''x'', 64)), true)'),
    ('auth.pre_request() FROM set_config(''request.headers'', pg_temp.large(''['', 64), true)'),
    ('auth.pre_request() FROM set_config(''request.cookies'', format(''{"session_token": "%s"}'', pg_temp.large(''x'', 64)), true)')) AS c(call);
SELECT replace(call, 'pg_temp.', '') AS call, pg_temp.outcome(call) AS outcome FROM calls WHERE call LIKE '%authenticate%' OR call LIKE '%jwt%';
-- The same with somebody signed in, for whom there is something to compare.
\set alice `"$STACK" token --sub alice`
SELECT auth.authenticate(:'alice', false);
SELECT replace(call, 'pg_temp.', '') AS call, pg_temp.outcome(call) AS outcome FROM calls WHERE NOT (call LIKE '%authenticate%' OR call LIKE '%jwt%');
SELECT auth.user_id(), pg_backend_pid() = :backend AS "same process";
-- An identity with a large claim is the superuser's to make: a text of 16 MB, and a path of many steps.
\c - postgres
SELECT auth.impersonate('alice', jsonb_build_object('large', repeat(repeat('x', 65536), 256)), false);
SELECT length(auth.claim('large')), length(auth.jwt()::text), length(auth.session()::text);
SELECT auth.claim(VARIADIC array_fill('large'::text, ARRAY[262144])) IS NULL AS nothing;
SELECT auth.logout();
