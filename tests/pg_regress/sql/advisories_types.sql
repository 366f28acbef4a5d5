-- CVE-2026-6460: a column has another type than the code that reads it believes, after ALTER ... SET DATA TYPE, or after
-- ADD COLUMN, ROLLBACK and ADD COLUMN again. The owner of Better Auth's tables can do this under open sessions, which
-- have cached the columns; so can the owner of a table with the trigger auth.stamp().
\set SHOW_CONTEXT never
\pset null -
\pset format unaligned
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
CREATE DATABASE advisories_types;
\c advisories_types
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
SELECT keep(:'credentials');
-- What a credential results in before, under and after a change, which is rolled back. The caches are warm.
CREATE FUNCTION changed(statement text, credential text) RETURNS TABLE (change text, before boolean, under text, after boolean) LANGUAGE plpgsql AS $$
BEGIN
    before := outcome(credential) = user_of('alice');
    change := statement;
    BEGIN
        SET LOCAL ROLE shop_owner;
        SET CONSTRAINTS ALL IMMEDIATE;
        EXECUTE statement;
        RESET ROLE;
        under := replace(outcome(credential), user_of('alice'), 'alice');
        RAISE SQLSTATE '99999';
    EXCEPTION WHEN SQLSTATE '99999' THEN NULL;
    END;
    after := outcome(credential) = user_of('alice');
    RETURN NEXT;
END
$$;
-- A number where text was, and text where a number was: no value is read as a pointer, and no pointer as a number.
SELECT c.* FROM unnest(ARRAY[
    'ALTER TABLE shop.session DROP CONSTRAINT session_token_key, ALTER token TYPE bigint USING 4096',
    'ALTER TABLE shop.session ALTER token TYPE bytea USING convert_to(token, ''UTF8'')',
    'ALTER TABLE shop.session ALTER token TYPE varchar(40)',
    'ALTER TABLE shop.session ALTER token TYPE name',
    'ALTER TABLE shop.session DROP CONSTRAINT "session_userId_fkey", ALTER "userId" TYPE int USING 4096',
    'ALTER TABLE shop.session DROP CONSTRAINT "session_userId_fkey", ALTER "userId" TYPE uuid USING ''11111111-1111-4111-8111-111111111111''',
    'ALTER TABLE shop.session ALTER "expiresAt" TYPE text USING ''2099-01-01''',
    'ALTER TABLE shop.session ALTER "expiresAt" TYPE bigint USING 4102444800000000',
    'ALTER TABLE shop.session ALTER "activeOrganizationId" TYPE bigint USING 4096',
    'ALTER TABLE shop.session ALTER "impersonatedBy" TYPE jsonb USING ''{"a": 1}''',
    'ALTER TABLE shop."user" ALTER banned TYPE text USING ''false''',
    'ALTER TABLE shop."user" ALTER banned TYPE int USING 0',
    'ALTER TABLE shop."user" ALTER "banExpires" TYPE text',
    'ALTER TABLE shop."user" ALTER role TYPE int USING 4096',
    'ALTER TABLE shop."user" ALTER name TYPE point USING point(1, 2)',
    'ALTER TABLE shop."user" DROP banned, ADD banned int DEFAULT 1',
    'ALTER TABLE shop.session DROP "expiresAt", ADD "expiresAt" text DEFAULT ''2099-01-01''']) AS u(statement) CROSS JOIN LATERAL changed(u.statement, session('alice')) AS c;
SELECT c.* FROM unnest(ARRAY[
    'ALTER TABLE shop.jwks ALTER "publicKey" TYPE bigint USING 4096',
    'ALTER TABLE shop.jwks ALTER "publicKey" TYPE jsonb USING "publicKey"::jsonb',
    'ALTER TABLE shop.jwks ALTER id TYPE int USING 4096',
    'ALTER TABLE shop.jwks ALTER "expiresAt" TYPE text USING ''2099-01-01''',
    'ALTER TABLE shop.jwks ALTER alg TYPE int USING 4096']) AS u(statement) CROSS JOIN LATERAL changed(u.statement, token('alice_long')) AS c;
-- ADD COLUMN, ROLLBACK, ADD COLUMN: the same number, another type.
BEGIN;
ALTER TABLE shop.session DROP "activeTeamId";
SAVEPOINT s;
ALTER TABLE shop.session ADD "activeTeamId" text DEFAULT 'a team with a name that is stored by reference';
SELECT outcome(session('alice')) = user_of('alice') AS alice, auth.claim('activeTeamId') AS team;
ROLLBACK TO s;
ALTER TABLE shop.session ADD "activeTeamId" bigint DEFAULT 4096;
SELECT outcome(session('alice')) = user_of('alice') AS alice, auth.claim('activeTeamId') AS team;
ROLLBACK TO s;
ALTER TABLE shop.session ADD "activeTeamId" jsonb DEFAULT '[1]';
SELECT outcome(session('alice')) = user_of('alice') AS alice, auth.claim('activeTeamId') AS team;
ROLLBACK;
SELECT outcome(session('alice')) = user_of('alice') AS alice;

-- auth.stamp(), on a table whose owner does the same. A partition that is changed with its parent counts too.
CREATE TABLE stamped (id int, body text);
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION auth.stamp();
CREATE FUNCTION stamps(type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    stamp text;
BEGIN
    EXECUTE format('ALTER TABLE stamped ADD created_by %s, ADD updated_by %1$s', type);
    INSERT INTO stamped (id, body) VALUES (1, 'a');
    UPDATE stamped SET body = 'b';
    EXECUTE 'SELECT concat_ws('' '', created_by, updated_by) FROM stamped' INTO stamp;
    RAISE SQLSTATE '99999' USING MESSAGE = stamp;
EXCEPTION WHEN SQLSTATE '99999' THEN RETURN sqlerrm;
    WHEN OTHERS THEN RETURN sqlstate;
END
$$;
SELECT auth.impersonate('11111111-1111-4111-8111-111111111111', is_local => false);
SELECT type, stamps(type) FROM unnest('{text,bigint,uuid,jsonb,text,uuid,name,int[],varchar(3),char(40),jsonb}'::text[]) AS type;
ALTER TABLE stamped ADD created_by text, ADD updated_by text;
INSERT INTO stamped VALUES (1, 'a');
ALTER TABLE stamped ALTER created_by TYPE uuid USING created_by::uuid, ALTER updated_by TYPE jsonb USING to_jsonb(updated_by);
UPDATE stamped SET body = 'b' RETURNING created_by, updated_by ->> 'user_id' AS updated_by;
ALTER TABLE stamped ALTER created_by TYPE int USING 4096;
UPDATE stamped SET body = 'c';
\echo :SQLSTATE
\c neon_auth_regress
DROP DATABASE advisories_types;
DROP ROLE shop_owner;
