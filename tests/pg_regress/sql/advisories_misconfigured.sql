-- GHSA-8fpg-xm3f-6cx3: with a mistake in the configuration, an application that only asks whether somebody is signed in
-- lets everybody in. Whatever is missing or broken here: no credential signs in, nobody is signed in afterwards, every
-- reader is NULL, and policies that only ask for somebody show nothing. With the configuration as it was, all of this
-- is otherwise.
\set SHOW_CONTEXT never
\set here `echo "$DOCS/../tests/better_auth"`
\set credentials `cat "$DOCS/../tests/better_auth/credentials.json"`
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
\set alice `"$STACK" token --sub alice`
CREATE DATABASE advisories_misconfigured;
\c advisories_misconfigured
CREATE EXTENSION neon_auth;
\set ECHO none
\i :here/text_ids.sql
\i :here/outcome.sql
\set ECHO all
SELECT neon_auth.setup_roles();
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';
SELECT keep(:'credentials'), set_config('test.alice', :'alice', false) IS NOT NULL;
CREATE TABLE members_only (line text);
INSERT INTO members_only VALUES ('a');
ALTER TABLE members_only ENABLE ROW LEVEL SECURITY;
CREATE POLICY somebody ON members_only USING (
    auth.user_id() IS NOT NULL OR auth.jwt() IS NOT NULL OR auth.session() IS NOT NULL OR auth.actor() IS NOT NULL
    OR auth.provider() IS NOT NULL OR auth.role() IS NOT NULL OR auth.profile() IS NOT NULL OR auth.expires_at() IS NOT NULL
    OR NOT auth.is_anonymous() OR NOT auth.email_verified() OR NOT auth.is_team_member('t') OR NOT auth.has_permission('p'));
GRANT SELECT ON members_only TO authenticated;
-- What a credential results in, with a mistake that is rolled back; who is signed in then, and what that shows. The user
-- before, of a session, must not remain either.
CREATE FUNCTION try(credential text, OUT outcome text, OUT somebody boolean, OUT rows bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('test.outcome', left(masked(outcome(credential)), 60), true);
    outcome := current_setting('test.outcome');
    somebody := coalesce(auth.user_id(), auth.jwt()::text, auth.session()::text, auth.actor()::text, auth.provider()) IS NOT NULL;
    SET LOCAL ROLE authenticated;
    SELECT count(*) INTO rows FROM members_only;
    RESET ROLE;
END
$$;
CREATE FUNCTION with_mistake(statement text, credential text) RETURNS TABLE (mistake text, outcome text, somebody boolean, rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    tried record;
    made boolean := false;
BEGIN
    mistake := statement;
    BEGIN
        EXECUTE statement;
        made := true;
        tried := try(credential);
        RAISE SQLSTATE '99999';
    EXCEPTION WHEN SQLSTATE '99999' THEN
        SELECT tried.outcome, tried.somebody, tried.rows INTO outcome, somebody, rows;
    WHEN OTHERS THEN
        outcome := CASE WHEN made THEN 'the test fails: ' ELSE 'the mistake is refused: ' END || sqlstate || ' ' || sqlerrm;
    END;
    RETURN NEXT;
END
$$;
\pset format unaligned
SELECT m.* FROM unnest(ARRAY['', 'DELETE FROM neon_auth.providers',
    'UPDATE neon_auth.providers SET jwks = NULL, jwks_url = ''https://127.0.0.1:1/keys''',
    'UPDATE neon_auth.providers SET issuers = ''{https://other.example.com}''',
    'UPDATE neon_auth.providers SET audiences = ''{""}''',
    'UPDATE neon_auth.providers SET algorithms = ''{}''',
    'UPDATE neon_auth.providers SET algorithms = ''{none}''',
    'SET LOCAL session_replication_role = replica; UPDATE neon_auth.providers SET algorithms = ''{none}''',
    'SET LOCAL session_replication_role = replica; UPDATE neon_auth.providers SET jwks = ''{"keys": []}''',
    'SET LOCAL session_replication_role = replica; UPDATE neon_auth.providers SET jwks = ''7''',
    'SET LOCAL session_replication_role = replica; UPDATE neon_auth.providers SET role_claim = ''pg_role'', allowed_roles = ''{gone}''',
    'UPDATE pg_extension SET extversion = ''0.0.9'' WHERE extname = ''neon_auth''']) AS u(statement)
 CROSS JOIN LATERAL with_mistake(u.statement, :'alice') AS m;
CREATE FUNCTION drop_triggers(relation regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tgname FROM pg_trigger WHERE tgrelid = relation AND NOT tgisinternal LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', name, relation);
    END LOOP;
END
$$;
-- Better Auth: its tables are gone, unfit, or of another database.
SELECT neon_auth.drop_provider('stack');
SELECT count(*) > 2 AS found FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop');
SET client_min_messages = warning;
SELECT m.* FROM unnest(ARRAY['', 'DELETE FROM neon_auth.providers', 'DROP TABLE shop.session', 'ALTER TABLE shop.session RENAME token TO key',
    'DROP TABLE shop."user" CASCADE', 'TRUNCATE shop."user" CASCADE', 'ALTER TABLE shop."user" DROP banned',
    'SELECT drop_triggers(''shop.session'')',
    'DELETE FROM neon_auth_internal.better_auth_tables',
    'UPDATE neon_auth.providers SET default_role = ''postgres''']) AS u(statement)
 CROSS JOIN LATERAL with_mistake(u.statement, session('alice')) AS m;
\c neon_auth_regress
DROP DATABASE advisories_misconfigured;
DROP ROLE shop_owner;
