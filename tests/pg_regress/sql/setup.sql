-- What the other tests stand on: the extension, a provider whose keys are pinned, and the roles
-- that applications use. Tokens are signed by the simulator, afresh for each test.
CREATE EXTENSION neon_auth;
SELECT neon_auth.setup_roles();

-- A login role for an application server, as README advises: it may act as both.
CREATE ROLE app LOGIN;
GRANT authenticated, anonymous TO app;
-- A login role that has been granted nothing at all.
CREATE ROLE stranger LOGIN;

\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';
