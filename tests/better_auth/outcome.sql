-- Helpers of tests: the credentials of credentials.json, and what becomes of one.
CREATE FUNCTION keep(credentials text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('test.credentials', credentials, false);
END
$$;
CREATE FUNCTION kept(VARIADIC path text[]) RETURNS text LANGUAGE sql AS $$
    SELECT current_setting('test.credentials')::json #>> path
$$;
CREATE FUNCTION token(name text, ids text DEFAULT 'text') RETURNS text LANGUAGE sql AS $$ SELECT kept('tokens', ids, name) $$;
CREATE FUNCTION session(name text, form text DEFAULT 'token', ids text DEFAULT 'text') RETURNS text LANGUAGE sql AS $$
    SELECT kept('sessions', ids, name, form)
$$;
-- The user id, or the error: SQLSTATE, message and DETAIL.
CREATE FUNCTION outcome(credential text, is_local boolean DEFAULT true) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN auth.authenticate(credential, is_local);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN concat_ws('|', sqlstate || ' ' || sqlerrm, nullif(detail, ''));
END
$$;
CREATE FUNCTION user_of(name text) RETURNS text LANGUAGE sql AS $$
    SELECT id::text FROM shop."user" WHERE email = $1 || '@example.com'
$$;
-- Without what differs from run to run.
CREATE FUNCTION masked(said text) RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(regexp_replace($1, '\m\d+ s ago', 'N s ago'), 'now is \d+', 'now is N')
$$;
