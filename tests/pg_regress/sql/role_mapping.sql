-- A provider may map a claim to a Postgres role, of a list: signing in switches to it, as SET ROLE would.
\set SHOW_CONTEXT never
\pset null '-'
CREATE ROLE editor NOLOGIN;
CREATE ROLE outsider NOLOGIN;
CREATE ROLE chief SUPERUSER NOLOGIN;
GRANT editor TO app;
UPDATE neon_auth.providers SET role_claim = 'pg_role', allowed_roles = '{authenticated,anonymous,editor,outsider}', allow_anonymous = true;
\set alice `"$STACK" token --sub alice --claim 'pg_role="authenticated"'`
\set editor `"$STACK" token --sub editor --claim 'pg_role="editor"'`
\c - app
SELECT current_user;
-- For the transaction
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT current_user, session_user, auth.user_id();
-- another user, another role
SELECT auth.authenticate(:'editor');
SELECT current_user, auth.user_id();
COMMIT;
SELECT current_user, auth.user_id();
BEGIN;
SELECT auth.authenticate(:'alice');
ROLLBACK;
SELECT current_user, auth.user_id();
BEGIN;
SAVEPOINT s;
SELECT auth.authenticate(:'alice');
ROLLBACK TO s;
SELECT current_user, auth.user_id();
COMMIT;
-- For the session
SELECT auth.authenticate(:'editor', false);
SELECT current_user, auth.user_id();
-- From one role to another: it is the session's user who must be a member.
SELECT auth.authenticate(:'alice', false);
SELECT current_user, auth.user_id();
DISCARD ALL;
SELECT current_user, auth.user_id();

-- verify_jwt switches nothing.
SELECT neon_auth.verify_jwt(:'editor') ->> 'pg_role' AS claim, current_user;

-- Refused, with nobody signed in and the role as it was: a role that is not in the list, be it
-- one that exists, is spelled otherwise, or would be special to SET ROLE; no claim; no string.
CREATE FUNCTION pg_temp.try(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN auth.authenticate(token);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s %s. %s %s, %s', sqlstate, sqlerrm, detail, current_user, coalesce(auth.user_id(), 'nobody'));
END
$$;
SELECT auth.authenticate(:'alice', false);
RESET ROLE;
\set token `"$STACK" token --sub mallory --claim 'pg_role="chief"'`
SELECT pg_temp.try(:'token');
\set token `"$STACK" token --sub mallory --claim 'pg_role="postgres"'`
SELECT pg_temp.try(:'token');
\set token `"$STACK" token --sub mallory --claim 'pg_role="none"'`
SELECT pg_temp.try(:'token');
\set token `"$STACK" token --sub mallory --claim 'pg_role="Editor"'`
SELECT pg_temp.try(:'token');
\set token `"$STACK" token --sub mallory --claim 'pg_role="\"editor\""'`
SELECT pg_temp.try(:'token');
\set token `"$STACK" token --sub mallory --claim 'pg_role=""'`
SELECT pg_temp.try(:'token');
\set token `"$STACK" token --sub mallory --claim 'pg_role=["editor"]'`
SELECT pg_temp.try(:'token');
\set token `"$STACK" token --sub mallory --claim 'pg_role=null'`
SELECT pg_temp.try(:'token');
\set token `"$STACK" token --sub mallory`
SELECT pg_temp.try(:'token');
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
-- In the list, but the session's user is no member: PostgreSQL's own rule and error.
SELECT auth.authenticate(:'alice', false);
RESET ROLE;
\set token `"$STACK" token --sub mallory --claim 'pg_role="outsider"'`
SELECT auth.authenticate(:'token', false);
\echo :SQLSTATE
SELECT current_user, auth.user_id();

-- Signing out takes the role along, whichever way and at either scope.
SELECT auth.authenticate(:'editor', false);
SELECT auth.logout();
SELECT current_user, auth.user_id();
SELECT auth.authenticate(:'editor', false);
SELECT auth.authenticate(NULL);
SELECT current_user, auth.user_id();
SELECT auth.authenticate(:'editor', false);
SELECT auth.jwt_session_init(NULL);
SELECT current_user, auth.user_id();
BEGIN;
SELECT auth.authenticate(:'editor');
SELECT auth.logout();
SELECT current_user, auth.user_id();
COMMIT;
SELECT current_user, auth.user_id();
-- A logout that is rolled back brings back both.
SELECT auth.authenticate(:'editor', false);
BEGIN;
SELECT auth.logout();
SELECT current_user, auth.user_id();
ROLLBACK;
SELECT current_user, auth.user_id();
-- A role that was chosen since, or left, is the session's own business.
SET ROLE authenticated;
SELECT auth.logout();
SELECT current_user, auth.user_id();
RESET ROLE;
SELECT auth.authenticate(:'editor', false);
RESET ROLE;
SELECT auth.logout();
SELECT current_user, auth.user_id();
SET ROLE authenticated;
SELECT auth.logout();
SELECT current_user, auth.user_id();
RESET ROLE;

-- A refused token ends the role with the identity: the next query finds neither.
\set bad `"$STACK" token --sub mallory --aud other`
SELECT auth.authenticate(:'editor', false);
SELECT auth.authenticate(:'bad', false);
\echo :SQLSTATE
SELECT current_user, auth.user_id();
SHOW role;
SELECT auth.authenticate(:'editor', false);
SELECT auth.authenticate(:'bad');
\echo :SQLSTATE
SELECT auth.logout();
SELECT current_user, auth.user_id();
SELECT auth.authenticate(:'editor', false);
SELECT auth.authenticate(:'bad');
\echo :SQLSTATE
SELECT auth.authenticate(:'alice', false);
SELECT current_user, auth.user_id();
SELECT auth.logout();
BEGIN;
SELECT auth.authenticate(:'editor');
SAVEPOINT s;
SELECT auth.authenticate(:'bad');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT current_user, auth.user_id();
COMMIT;
SELECT current_user, auth.user_id();

-- verify_jwt says what authenticate would say about the role.
\set token `"$STACK" token --sub mallory --claim 'pg_role="chief"'`
SELECT neon_auth.verify_jwt(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub mallory`
SELECT neon_auth.verify_jwt(:'token');
\echo :SQLSTATE

-- An anonymous user is anonymous, whatever role its token names.
\set token `"$STACK" token --sub visitor --anonymous --claim 'pg_role="editor"'`
BEGIN;
SELECT auth.authenticate(:'token');
SELECT current_user, auth.user_id(), auth.is_anonymous();
ROLLBACK;
\c - postgres
UPDATE neon_auth.providers SET allowed_roles = '{authenticated,editor}';
\c - app
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
SELECT current_user, auth.user_id();

-- In the list, and there is no such role any more.
\c - postgres
CREATE ROLE nowhere;
UPDATE neon_auth.providers SET allowed_roles = '{nowhere}';
DROP ROLE nowhere;
\set token `"$STACK" token --sub mallory --claim 'pg_role="nowhere"'`
\c - app
SELECT auth.authenticate(:'token', false);
\echo :SQLSTATE
SELECT current_user, auth.user_id();

\c - postgres
UPDATE neon_auth.providers SET role_claim = DEFAULT, allowed_roles = DEFAULT, allow_anonymous = DEFAULT;
DROP ROLE editor, outsider, chief;
-- Without a mapping nothing is switched, whatever a token says.
\c - app
BEGIN;
SELECT auth.authenticate(:'editor');
SELECT current_user, auth.user_id();
COMMIT;

-- Within a SECURITY DEFINER function PostgreSQL lets no role be set, so neither is anybody signed in
-- or out there whose role would have to follow.
\c - postgres
UPDATE neon_auth.providers SET role_claim = 'pg_role', allowed_roles = '{authenticated}';
CREATE FUNCTION enter_and_leave(token text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF token IS NULL THEN PERFORM auth.logout(); ELSE PERFORM auth.authenticate(token, false); END IF;
END
$$;
\c - app
SELECT enter_and_leave(:'alice');
\echo :SQLSTATE
SELECT auth.authenticate(:'alice', false);
SELECT enter_and_leave(NULL);
SELECT auth.user_id(), current_user;
\c - postgres
DROP FUNCTION enter_and_leave;
UPDATE neon_auth.providers SET role_claim = NULL, allowed_roles = '{}';
