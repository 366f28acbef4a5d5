-- Revocation of a user's tokens and of a session: what is refused, what stays, and what is remembered.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice --claim 'refresh_token_id="s1"'`
\set alice_2 `"$STACK" token --sub alice --claim 'refresh_token_id="s2"'`
\set fraction `"$STACK" token --sub alice --claim 'iat=1.7e9'`
\set without_iat `"$STACK" token --sub alice --without iat`
\set old `"$STACK" token --sub carol --claim 'iat=1700000000'`
\set bob `"$STACK" token --sub bob`
CREATE FUNCTION outcome(token text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN auth.authenticate(token);
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ' ' || sqlerrm;
END
$$;
CREATE ROLE operator LOGIN;
GRANT EXECUTE ON FUNCTION neon_auth.revoke_tokens, neon_auth.revoke_session TO operator;
BEGIN;
SELECT claims ->> 'iat' AS iat FROM neon_auth.verify_jwt(:'alice') AS v(claims) \gset
SET LOCAL ROLE operator;
-- A token of the same second counts as earlier.
SELECT neon_auth.revoke_tokens('alice', to_timestamp(:iat));
SELECT outcome(:'alice') AS "issued then";
SELECT neon_auth.revoke_tokens('alice', to_timestamp(:iat) + interval '1 microsecond');
SELECT outcome(:'alice') AS "issued in the same second", outcome(:'fraction') AS "long before", outcome(:'without_iat') AS unknown, outcome(:'bob') AS bob;
-- A later call never lowers the time.
SELECT neon_auth.revoke_tokens('alice', '2000-01-01');
SELECT outcome(:'alice') AS "after an earlier time";
RESET ROLE;
SELECT kind, id, before = to_timestamp(:iat) + interval '1 microsecond' AS before, revoked_at = now() AS now FROM neon_auth.revocations;
SAVEPOINT s;
SELECT neon_auth.revoke_tokens('carol', '2024-01-01 00:00:00.5+00');
SELECT auth.authenticate(:'old');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.authenticate(:'without_iat');
ROLLBACK TO s;
SELECT neon_auth.revoke_tokens('alice', 'infinity');
SELECT auth.authenticate(:'alice');
ROLLBACK TO s;
SELECT step, ok FROM neon_auth.inspect_jwt(:'alice') WHERE step IN ('revocations', 'outcome');
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'bob') WHERE step IN ('revocations', 'outcome');
SELECT component, ok, detail, since = now() AS now FROM neon_auth.status WHERE component = 'revocations';
-- It is lifted by deleting its row.
DELETE FROM neon_auth.revocations WHERE kind = 'user' AND id = 'alice';
SELECT outcome(:'alice') AS lifted;
SELECT count(*) AS revocations FROM neon_auth.status WHERE component = 'revocations';
ROLLBACK;

-- A session, by each name that a token can have for it. An unknown one is remembered.
BEGIN;
SELECT neon_auth.revoke_session('s1');
SELECT neon_auth.revoke_session('never seen');
SELECT outcome(:'alice') AS s1, outcome(:'alice_2') AS s2;
SELECT kind, id, before FROM neon_auth.revocations ORDER BY id;
SAVEPOINT s;
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'alice') WHERE step = 'revocations';
UPDATE neon_auth.providers SET claim_map = '{"session_id": "my.session"}';
SELECT outcome(:'alice') AS "another claim";
\set mapped `"$STACK" token --sub alice --claim 'my={"session": "never seen"}'`
SELECT outcome(:'mapped') AS mapped;
ROLLBACK;
BEGIN;
SELECT neon_auth.drop_provider('stack');
\set jwks `"$STACK" jwks`
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks', create_users => false);
\set sid `"$STACK" token --sub alice --claim 'iss="https://idp.example.com"' --claim 'sid="of the issuer"'`
\set int_sid `"$STACK" token --sub alice --claim 'iss="https://idp.example.com"' --claim 'sid=7'`
SELECT neon_auth.revoke_session('of the issuer');
SELECT outcome(:'sid') AS sid, outcome(:'int_sid') AS "not a string";
ROLLBACK;

-- What is not revoked: the identity of impersonate, and API keys.
BEGIN;
SELECT neon_auth.upsert_user('{"id": "alice"}');
SELECT neon_auth.create_api_key('alice', 'k') AS key \gset
SELECT neon_auth.revoke_tokens('alice', 'infinity');
SELECT outcome(:'key') AS "API key";
SELECT auth.impersonate('alice', '{"sid": "s1", "iat": 1}');
SELECT auth.user_id() AS impersonated;
ROLLBACK;

-- Rows of this transaction count, and not after their rollback. However a row is written or deleted, it counts.
SET session_replication_role = replica;
BEGIN;
SELECT outcome(:'alice');
SAVEPOINT s;
INSERT INTO neon_auth.revocations (kind, id, before) VALUES ('user', 'alice', 'infinity');
SELECT outcome(:'alice') AS own;
ROLLBACK TO s;
SELECT outcome(:'alice') AS "rolled back";
COPY neon_auth_internal.revocations (kind, id) FROM stdin;
session	s1
\.
SELECT outcome(:'alice') AS copied;
UPDATE neon_auth.revocations SET id = 's2';
SELECT outcome(:'alice') AS s1, outcome(:'alice_2') AS s2;
TRUNCATE neon_auth_internal.revocations;
SELECT outcome(:'alice') AS s1, outcome(:'alice_2') AS s2;
SELECT neon_auth.revoke_session('s1');
ABORT;
RESET session_replication_role;
SELECT outcome(:'alice') AS aborted;

-- An open session ends at the next transaction; signing in again is the way back.
SELECT auth.authenticate(:'alice', false);
BEGIN;
SELECT auth.user_id();
SELECT neon_auth.revoke_session('s1');
SELECT auth.user_id() AS "the same transaction";
COMMIT;
SELECT auth.user_id();
\echo :SQLSTATE
DELETE FROM neon_auth.revocations;
SELECT auth.user_id();
SELECT auth.authenticate(:'alice', false);
SELECT auth.user_id();
SELECT auth.logout();

-- Only the owner writes, and PUBLIC reads nothing.
\set VERBOSITY terse
CREATE ROLE writer LOGIN IN ROLE pg_write_all_data, pg_read_all_data;
SET SESSION AUTHORIZATION writer;
INSERT INTO neon_auth.revocations (kind, id) VALUES ('session', 's1');
DELETE FROM neon_auth.revocations;
UPDATE neon_auth_internal.revocations SET before = now();
SET SESSION AUTHORIZATION app;
SELECT * FROM neon_auth.revocations;
SELECT neon_auth.revoke_tokens('alice');
SELECT neon_auth.revoke_session('s1');
RESET SESSION AUTHORIZATION;
DROP ROLE writer;

-- Mistakes.
\set VERBOSITY default
SELECT neon_auth.revoke_tokens(NULL);
SELECT neon_auth.revoke_tokens('');
SELECT neon_auth.revoke_tokens('alice', NULL);
SELECT neon_auth.revoke_session(NULL);
\echo :SQLSTATE
\set VERBOSITY terse
SELECT neon_auth.revoke_session(repeat('x', 2001));
\set VERBOSITY default
SELECT neon_auth.revoke_session(repeat('ß', 1000));
DELETE FROM neon_auth.revocations;

-- A revocation is forgotten when no token can be that old.
CREATE FUNCTION kept() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT neon_auth_internal.forget_revocations();
    SELECT concat_ws(' ', kind, id) FROM neon_auth.revocations ORDER BY 1
$$;
BEGIN;
INSERT INTO neon_auth.revocations (kind, id, before, revoked_at) VALUES
    ('user', 'an hour ago', now() - interval '1 hour', now() - interval '2 years'),
    ('user', 'an hour and 29 s ago', now() - interval '1 hour 29 s', now()),
    ('user', 'an hour and 31 s ago', now() - interval '1 hour 31 s', now()),
    ('user', 'for ever', 'infinity', '2000-01-01'), ('user', 'never', '-infinity', now()), ('user', 'late', '294276-12-31', now()),
    ('session', '399 days ago', NULL, now() - interval '399 days'), ('session', '401 days ago', NULL, now() - interval '401 days');
SAVEPOINT s;
UPDATE neon_auth.providers SET max_lifetime = NULL;
SELECT kept() AS "any lifetime";
ROLLBACK TO s;
UPDATE neon_auth.providers SET max_lifetime = '1000000 hours';
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks', max_lifetime => '1 hour');
SELECT count(*) AS "a long lifetime" FROM kept();
UPDATE neon_auth.providers SET max_lifetime = '200000 years' WHERE name = 'idp';
SELECT count(*) AS "a longer one" FROM kept();
UPDATE neon_auth.providers SET max_lifetime = '1 hour';
SAVEPOINT s;
DELETE FROM neon_auth.providers;
SELECT count(*) AS "no provider" FROM kept();
ROLLBACK TO s;
UPDATE neon_auth.providers SET max_lifetime = NULL WHERE name = 'idp';
SELECT count(*) AS "any lifetime of one" FROM kept();
ROLLBACK TO s;
-- Sessions of Better Auth have no greatest age.
INSERT INTO neon_auth.providers (name, kind, issuers, audiences, max_lifetime)
SELECT 'better_auth', 'better_auth', '{a}', '{a}', '1 hour' FROM neon_auth.drop_provider('stack');
SELECT count(*) AS "Better Auth" FROM kept();
DELETE FROM neon_auth.providers WHERE kind = 'better_auth';
SELECT kept() AS "an hour and 30 s";
-- A worker prunes them.
INSERT INTO neon_auth.revocations (kind, id, before) VALUES ('user', 'old', '2000-01-01');
SELECT neon_auth_internal.prune();
SELECT count(*) AS old FROM neon_auth.revocations WHERE id = 'old';
ROLLBACK;
-- A credential is no id: it would be stored in the clear, and end nothing.
\set jwt `"$STACK" token --sub alice`
SELECT neon_auth.revoke_session(:'jwt');
\echo :SQLSTATE
SELECT neon_auth.revoke_tokens(:'jwt');
\echo :SQLSTATE
SELECT neon_auth.revoke_session('nak_x');
\echo :SQLSTATE
SELECT count(*) FROM neon_auth.revocations WHERE length(id) > 200;
REVOKE ALL ON FUNCTION neon_auth.revoke_tokens, neon_auth.revoke_session FROM operator;
DROP ROLE operator;
