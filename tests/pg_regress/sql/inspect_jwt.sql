-- Why a token is refused, step by step, for administrators; it raises nothing and signs nobody in.
\pset null '-'
\set alice `"$STACK" token --sub alice`
\set expired `"$STACK" token --sub alice --expired`
\set other `"$STACK" token --sub alice --aud other`
\set unknown `"$STACK" token --sub alice --claim 'iss="https://idp.example.com"'`
\set forged `"$STACK" token --seed forger --sub mallory`
\set anonymous `"$STACK" token --sub visitor --anonymous`
-- The details name times, so they are shown for steps without them alone.
SELECT step, ok FROM neon_auth.inspect_jwt(:'alice');
SELECT step, ok FROM neon_auth.inspect_jwt(:'expired') WHERE ok IS NOT TRUE;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'other') WHERE ok IS NOT TRUE;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'unknown') WHERE ok IS NOT TRUE;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'forged') WHERE ok IS NOT TRUE;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'anonymous') WHERE ok IS NOT TRUE;
SELECT step, ok, detail FROM neon_auth.inspect_jwt('') WHERE ok IS NOT TRUE;
SELECT step, ok, detail FROM neon_auth.inspect_jwt('Bearer ' || :'alice') WHERE ok IS NOT TRUE;
SELECT step, ok, detail FROM neon_auth.inspect_jwt('a.b.c') WHERE ok IS NOT TRUE;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(NULL);
BEGIN;
DELETE FROM neon_auth.providers;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'alice') WHERE ok IS NOT TRUE;
ROLLBACK;
-- No part of the token is in what it answers.
SELECT count(*) FROM neon_auth.inspect_jwt(:'alice') WHERE detail LIKE '%' || split_part(:'alice', '.', 3) || '%';
-- Whoever is signed in stays so.
SELECT auth.authenticate(:'alice', false);
SELECT count(*) > 0 AS inspected FROM neon_auth.inspect_jwt(:'forged');
SELECT auth.user_id();

-- Where the provider maps a role, which goes with the token, or why none does.
BEGIN;
UPDATE neon_auth.providers SET role_claim = 'pg_role', allowed_roles = '{authenticated,anonymous}', allow_anonymous = true;
\set mapped `"$STACK" token --sub alice --claim 'pg_role="authenticated"'`
\set denied `"$STACK" token --sub alice --claim 'pg_role="postgres"'`
\set number `"$STACK" token --sub alice --claim 'pg_role=7'`
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'mapped') WHERE step IN ('database role', 'outcome');
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'anonymous') WHERE step IN ('database role', 'outcome');
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'denied') WHERE step = 'outcome';
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'number') WHERE step = 'outcome';
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'alice') WHERE step = 'outcome';
SELECT current_user;
ROLLBACK;
-- The role is judged as auth.authenticate() will: by the session's user.
CREATE ROLE outsider NOLOGIN;
BEGIN;
GRANT EXECUTE ON FUNCTION neon_auth.inspect_jwt(text) TO app;
CREATE ROLE nowhere;
UPDATE neon_auth.providers SET role_claim = 'pg_role', allowed_roles = '{authenticated,outsider,nowhere}';
DROP ROLE nowhere;
\set mapped `"$STACK" token --sub alice --claim 'pg_role="authenticated"'`
\set outsider `"$STACK" token --sub alice --claim 'pg_role="outsider"'`
\set nowhere `"$STACK" token --sub alice --claim 'pg_role="nowhere"'`
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'outsider') WHERE step IN ('database role', 'outcome');
SET SESSION AUTHORIZATION app;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'mapped') WHERE step IN ('database role', 'outcome');
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'outsider') WHERE step IN ('database role', 'outcome');
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'nowhere') WHERE step IN ('database role', 'outcome');
SAVEPOINT s;
SELECT neon_auth.verify_jwt(:'outsider');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.verify_jwt(:'nowhere');
\echo :SQLSTATE
ROLLBACK TO s;
-- Once the HINT is followed, also for a token that the session has seen.
SET SESSION AUTHORIZATION postgres;
GRANT "outsider" TO "app";
SET SESSION AUTHORIZATION app;
SELECT auth.authenticate(:'outsider');
SELECT current_user;
SET SESSION AUTHORIZATION postgres;
REVOKE outsider FROM app;
SET SESSION AUTHORIZATION app;
SELECT neon_auth.verify_jwt(:'outsider');
ROLLBACK;
DROP ROLE outsider;
-- Without a role_claim the current role stays.
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'alice') WHERE step IN ('database role', 'outcome');
