-- A token that a provider vouches for signs its user in; every other is refused with the reason.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --name "Alice Example" --email alice@example.com`
\set bob `"$STACK" token --sub 22222222-2222-4222-8222-222222222222 --name "Bob Example"`
\c - app
SELECT auth.user_id() IS NULL AS nobody;
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT auth.user_id(), auth.uid(), auth.email(), auth.role(), auth.provider();
-- The next token takes the place of the first.
SELECT auth.authenticate(:'bob');
SELECT auth.user_id(), auth.email();
-- NULL signs out.
SELECT auth.authenticate(NULL) IS NULL AS nobody;
SELECT auth.user_id() IS NULL AS nobody;
-- Each issuer of the project will do: which host the SDK called is its own business.
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --iss-base https://api.hexclave.com`
SELECT auth.authenticate(:'token');
-- Times are judged with leeway: here of a token that lived for ten minutes and ended a moment ago.
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --now $(($(date +%s) - 605))`
SELECT auth.authenticate(:'token');
COMMIT;
SELECT auth.user_id() IS NULL AS nobody;

-- Forms that are no token
SELECT auth.authenticate('');
\echo :SQLSTATE
SELECT auth.authenticate('not a token');
\echo :SQLSTATE
SELECT auth.authenticate('a.b.c');
\echo :SQLSTATE
SELECT auth.authenticate('Bearer ' || :'alice');
\echo :SQLSTATE
SELECT auth.authenticate(:'alice' || ' ');
\echo :SQLSTATE
SELECT auth.authenticate(left(:'alice', -100));
\echo :SQLSTATE
SELECT auth.authenticate(split_part(:'alice', '.', 1) || '.' || split_part(:'alice', '.', 2));
\echo :SQLSTATE
SELECT auth.authenticate(split_part(:'alice', '.', 1) || '.' || split_part(:'alice', '.', 2) || '.');
\echo :SQLSTATE
SELECT auth.authenticate(repeat('a', 20000));
\echo :SQLSTATE

-- Signatures: of another token, of another server's key, and none at all
SELECT auth.authenticate(split_part(:'alice', '.', 1) || '.' || split_part(:'alice', '.', 2) || '.' || split_part(:'bob', '.', 3));
\echo :SQLSTATE
\set token `"$STACK" token --seed forger --sub 11111111-1111-4111-8111-111111111111 --header 'kid="AAAAAAAAAAAA"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
-- Under the kid of the true key
\set token `"$STACK" token --seed forger --sub 11111111-1111-4111-8111-111111111111 --header kid="$("$STACK" token --sub x | cut -d. -f1 | tr _- /+ | base64 -d 2>/dev/null | sed 's/.*"kid":\("[^"]*"\).*/\1/')"`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --header 'alg="none"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
SELECT auth.authenticate(split_part(:'token', '.', 1) || '.' || split_part(:'token', '.', 2) || '.');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --header 'alg="HS256"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --alg RS256`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE

-- Claims: the DETAIL of times names the clock, so it stays out of this file.
\set VERBOSITY terse
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --expired`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --now $(($(date +%s) - 631))`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --claim iat=4102444800 --claim exp=4102448400`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --claim nbf=4102444800`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set VERBOSITY default
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --without exp`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --without sub`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --claim 'name="a\u0000b"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
-- Another project of the same server, and a token that was made to look like ours.
\set token `"$STACK" token --project 00000000-0000-4000-8000-000000000000 --sub 11111111-1111-4111-8111-111111111111`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --aud shop`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --claim 'project_id="shop"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --claim 'iss="https://idp.example.com"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --without iss`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
SELECT auth.user_id() IS NULL AS nobody;

-- Near misses: the HINT leads to the cure.
\c - app
\set token `"$STACK" token --sub alice --claim 'iss="https://api.stack-auth.com/api/v1/projects/5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35/"'`
SELECT auth.authenticate(:'token');
\set token `"$STACK" token --sub alice --claim 'iss="https://API.stack-auth.com/api/v1/projects/5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35"'`
SELECT auth.authenticate(:'token');
\set token `"$STACK" token --sub alice --claim 'exp=4102444800000'`
SELECT auth.authenticate(:'token');
SELECT auth.authenticate(:'alice' || '==');
\set token `"$STACK" token --sub alice --header 'typ="logout+jwt"'`
SELECT auth.authenticate(:'token');

-- What issuers add to the header and know about time is no reason to refuse.
\set token `"$STACK" token --sub alice --header 'jku="https://uaa.example/token_keys"' --header 'x5c=["MIIB"]' --header 'x5t="abc"' --header 'typ="application/AT+JWT"' --claim 'exp=4102444800.75'`
BEGIN;
SELECT auth.authenticate(:'token');
SELECT extract(epoch FROM auth.expires_at())::bigint AS expires_at, auth.claim('exp') AS exp;
COMMIT;

-- With no provider at all, no token is trusted, and the reason is another one.
\c - postgres
BEGIN;
DELETE FROM neon_auth.providers;
SAVEPOINT s;
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
ROLLBACK;
-- The deletion was taken back, and with it what this session knew of it.
BEGIN;
SELECT auth.authenticate(:'alice');
ROLLBACK;
-- A text of the length of an API key, which cannot be cut where its checksum would begin; where refusals are logged,
-- each is examined for a key.
SET neon_auth.log_authentication = failures;
SELECT auth.authenticate(repeat('x', 46) || 'é' || repeat('x', 5));
\echo :SQLSTATE
