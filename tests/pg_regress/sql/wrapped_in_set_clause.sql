-- Wrappers around authenticate. A SET clause puts back on return its own settings and no others,
-- so the identity outlives it, as a SET LOCAL of anything else would; and a wrapper whose
-- search_path is pinned is a good one.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
CREATE SCHEMA wrapped;
GRANT USAGE ON SCHEMA wrapped TO app;
CREATE FUNCTION wrapped.plain(token text, is_local boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.authenticate(token, is_local);
    RETURN auth.user_id();
END
$$;
CREATE FUNCTION wrapped.pinned(token text, is_local boolean) RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    PERFORM auth.authenticate(token, is_local);
    RETURN auth.user_id();
END
$$;
CREATE PROCEDURE wrapped.procedure(token text) LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    PERFORM auth.authenticate(token);
END
$$;
-- Tries two tokens: what the refusal of the first undoes is not what the second does.
CREATE FUNCTION wrapped.either(first text, second text) RETURNS text LANGUAGE plpgsql SET search_path = '' AS $$
BEGIN
    RETURN auth.authenticate(first);
EXCEPTION WHEN invalid_authorization_specification THEN
    RETURN auth.authenticate(second);
END
$$;
CREATE FUNCTION wrapped.definer(token text, is_local boolean) RETURNS text LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = '' AS $$
BEGIN
    PERFORM auth.authenticate(token, is_local);
    RETURN auth.user_id();
END
$$;
\set bad `"$STACK" token --sub alice --aud other`
\c - app
BEGIN;
SELECT wrapped.plain(:'alice', true);
SELECT auth.user_id();
ROLLBACK;
BEGIN;
SELECT wrapped.pinned(:'alice', true);
SELECT auth.user_id();
ROLLBACK;
BEGIN;
SELECT auth.authenticate(:'bob');
SELECT wrapped.pinned(:'alice', true);
SELECT auth.user_id();
ROLLBACK;
SELECT wrapped.pinned(:'alice', false);
SELECT auth.user_id();
SELECT auth.logout();
-- Under a savepoint it is rolled back with it, and released with it.
BEGIN;
SAVEPOINT s;
SELECT wrapped.pinned(:'alice', true);
ROLLBACK TO s;
SELECT auth.user_id();
SELECT wrapped.pinned(:'alice', true);
RELEASE s;
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id();
BEGIN;
CALL wrapped.procedure(:'alice');
SELECT auth.user_id();
COMMIT;
BEGIN;
SELECT wrapped.either(:'bad', :'bob');
SELECT auth.user_id();
SELECT wrapped.either(:'alice', :'bob');
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id();
-- SECURITY DEFINER is no obstacle: the identity is the session's, whoever set it.
BEGIN;
SELECT wrapped.definer(:'alice', true);
SELECT auth.user_id();
ROLLBACK;
\c - postgres
SET client_min_messages = warning;
DROP SCHEMA wrapped CASCADE;
