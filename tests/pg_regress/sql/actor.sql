-- Who really acts: a user, an agent, an impersonator, an API key, a database role.
\set SHOW_CONTEXT never
\pset null -
\set jwks `"$STACK" jwks --alg RS256`
\set agent `"$STACK" token --sub alice --alg RS256 --claim 'iss="https://exchange.example.com"' --claim 'act={"sub":"assistant","act":{"sub":"planner"},"n":1.50}'`
\set odd_agent `"$STACK" token --sub alice --alg RS256 --claim 'iss="https://exchange.example.com"' --claim 'act="assistant"'`
\set false_agent `"$STACK" token --sub alice --alg RS256 --claim 'iss="https://exchange.example.com"' --claim 'act=false'`
\set no_agent `"$STACK" token --sub alice --alg RS256 --claim 'iss="https://exchange.example.com"' --claim 'act=null' --claim 'impersonatedBy="root"'`
\set mapped `"$STACK" token --sub alice --alg RS256 --claim 'iss="https://support.example.com"' --claim 'support={"user":"root","bot":["b1"]}'`
\set mapped_odd `"$STACK" token --sub alice --alg RS256 --claim 'iss="https://support.example.com"' --claim 'support={"user":7,"bot":null}' --claim 'act={"sub":"assistant"}'`
\set trap `"$STACK" token --sub alice --alg RS256 --claim 'iss="https://support.example.com"' --claim 'database_role="postgres"' --claim 'api_key="k"' --claim 'impersonator="x"' --claim 'agent="x"'`
BEGIN;
SELECT neon_auth.add_provider('exchange', '{https://exchange.example.com}', jwks => :'jwks');
SELECT neon_auth.add_provider('support', '{https://support.example.com}', jwks => :'jwks',
    claim_map => '{"impersonator": "support.user", "agent": "support.bot"}');
-- The claim act is an agent as it is, nested, and of any type but null.
SELECT auth.authenticate(:'agent');
SELECT auth.actor(), auth.actor() -> 'agent' IS NULL AS "the user";
SELECT auth.authenticate(:'odd_agent');
SELECT auth.actor(), auth.actor() -> 'agent' IS NULL AS "the user";
SELECT auth.authenticate(:'false_agent');
SELECT auth.actor(), auth.actor() -> 'agent' IS NULL AS "the user";
-- Only Better Auth has the claim impersonatedBy.
SELECT auth.authenticate(:'no_agent');
SELECT auth.actor(), auth.actor() -> 'agent' IS NULL AS "the user";
-- By claim_map, of any type but null; a claim act counts all the same.
SELECT auth.authenticate(:'mapped');
SELECT auth.actor();
SELECT auth.authenticate(:'mapped_odd');
SELECT auth.actor();
-- No other claim becomes a member.
SELECT auth.authenticate(:'trap');
SELECT auth.actor();
-- From the setting's text, which a rollback restores and parallel workers inherit.
SELECT auth.authenticate(:'mapped');
SAVEPOINT s;
SELECT auth.authenticate(:'trap');
ROLLBACK TO s;
SELECT auth.actor();
ROLLBACK;

-- The database role that called auth.impersonate(), also within SET ROLE and a function of another owner.
CREATE ROLE support LOGIN SUPERUSER;
CREATE FUNCTION as_user(id text) RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ SELECT auth.impersonate(id, is_local => false) $$;
SET SESSION AUTHORIZATION support;
SELECT auth.impersonate('u1', is_local => false);
SELECT auth.actor();
SET ROLE authenticated;
SELECT auth.actor();
SELECT as_user('u2');
SELECT auth.actor();
RESET ROLE;
SELECT auth.impersonate('u1', '{"act": {"sub": "assistant"}, "database_role": "app"}', is_local => false);
SELECT auth.actor();
RESET SESSION AUTHORIZATION;
SELECT auth.actor();
SELECT auth.logout();
SELECT auth.actor();
-- Policies tell who acts.
CREATE TABLE orders (id int, user_id text);
INSERT INTO orders VALUES (1, 'u1');
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON orders USING (user_id = auth.user_id());
CREATE POLICY no_agent ON orders AS RESTRICTIVE FOR DELETE USING (auth.actor() -> 'agent' IS NULL);
GRANT ALL ON orders TO app;
CREATE FUNCTION deleted() RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN DELETE FROM orders; GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $$;
BEGIN;
SELECT auth.impersonate('u1', '{"act": {"sub": "assistant"}}');
SET LOCAL ROLE app;
SELECT count(*) FROM orders;
SELECT deleted();
RESET ROLE;
SELECT auth.impersonate('u1');
SET LOCAL ROLE app;
SELECT deleted();
ROLLBACK;
DROP TABLE orders;
DROP FUNCTION deleted(), as_user(text);
DROP ROLE support;
