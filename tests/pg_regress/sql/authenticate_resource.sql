-- Stack Auth also signs tokens for resources, which are not the project's users' sessions: their audience names a
-- resource, and their issuer ends in /oidc. None is accepted unless a provider is added for it.
\set SHOW_CONTEXT never
\set project 5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35
\set issuer https://api.stack-auth.com/api/v1/projects/:project/oidc
-- Signed with the project's own key, which is the worst case.
\set token `"$STACK" token --sub u1 --aud 5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35:resource:api --claim 'iss="https://api.stack-auth.com/api/v1/projects/5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35/oidc"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set token `"$STACK" token --sub u1 --claim 'iss="https://api.stack-auth.com/api/v1/projects/5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35/oidc"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
\set other `"$STACK" token --sub u1 --aud 5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35:resource:api`
SELECT auth.authenticate(:'other');
\echo :SQLSTATE
-- Not even where somebody has added the audience to the provider.
BEGIN;
UPDATE neon_auth.providers SET audiences = audiences || (project_id || ':resource:api') WHERE kind = 'stack';
SELECT auth.authenticate(:'other');
\echo :SQLSTATE
ROLLBACK;
-- Added as a provider of its own, for one resource: another resource is refused still, and users of the project are
-- not confused with those of the resource.
BEGIN;
\set jwks `"$STACK" jwks`
SELECT neon_auth.add_provider('api', ARRAY[:'issuer'], ARRAY[:'project' || ':resource:api'], jwks => :'jwks', kind => 'oidc');
\set token `"$STACK" token --sub u1 --aud 5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35:resource:api --claim 'iss="https://api.stack-auth.com/api/v1/projects/5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35/oidc"'`
SELECT auth.authenticate(:'token'), auth.provider();
SAVEPOINT s;
\set token `"$STACK" token --sub u1 --aud 5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35:resource:web --claim 'iss="https://api.stack-auth.com/api/v1/projects/5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35/oidc"'`
SELECT auth.authenticate(:'token');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT auth.authenticate(:'other');
\echo :SQLSTATE
ROLLBACK;
