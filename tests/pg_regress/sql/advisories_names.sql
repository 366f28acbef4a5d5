-- CVE-2026-6476, CVE-2026-6637, CVE-2026-6638: names that are put into a statement without quotes. Each function of the
-- extension that builds SQL is called with names of schemas, tables, columns, roles, policies and users that would end
-- an identifier, a literal or a dollar-quoted text, and run SQL.
\set SHOW_CONTEXT never
\pset format unaligned
-- 63 bytes at most.
\set odd 'a"b''c\\d$x$ %I %1$s; DROP TABLE canary; --'
SELECT quote_ident(:'odd') AS odd_quoted \gset
CREATE DATABASE advisories_names;
\c advisories_names
CREATE EXTENSION neon_auth;
CREATE TABLE canary ();
SELECT neon_auth.setup_roles();
SELECT set_config('test.odd', :'odd', false) IS NOT NULL AS kept;
CREATE FUNCTION named(template text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE replace(replace(replace(template, 'ODD', quote_ident(current_setting('test.odd'))),
        'ODI', quote_ident(current_setting('test.odd') || 'i')), 'ODE', quote_ident(current_setting('test.odd') || 'e'));
END
$$;
SELECT named('CREATE ROLE ODD; CREATE SCHEMA ODD AUTHORIZATION ODD');
SELECT set_config('search_path', quote_ident(:'odd') || ', public', false) IS NOT NULL AS set;
SET ROLE :odd_quoted;
CREATE TABLE "user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL, "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL, "userId" text NOT NULL);
CREATE TABLE organization (id text PRIMARY KEY, name text NOT NULL, slug text);
CREATE TABLE member (id text PRIMARY KEY, "organizationId" text NOT NULL, "userId" text NOT NULL, role text NOT NULL, "createdAt" timestamptz NOT NULL DEFAULT now());
SELECT public.named('ALTER TABLE "user" RENAME TO ODD');
SELECT public.named('ALTER TABLE session ADD ODD text UNIQUE'), public.named('ALTER TABLE session RENAME id TO ODI'),
       public.named('ALTER TABLE session RENAME "expiresAt" TO ODE');
RESET ROLE;
SELECT jsonb_build_object('user', :'odd', 'session', jsonb_build_object('token', :'odd', 'id', :'odd' || 'i', 'expiresAt', :'odd' || 'e')) AS names \gset
-- Better Auth: found, bound, read, mirrored, written as the owner.
SELECT "table", position(quote_ident(:'odd') IN relation::text) > 0 AS odd, owner::text IN (:'odd', quote_ident(:'odd')) AS owner
  FROM neon_auth.add_better_auth('https://shop.example.com', schema => :'odd', names => :'names');
SELECT named('INSERT INTO ODD VALUES (current_setting(''test.odd''), ''a'', ''a@example.com'', true, now())');
INSERT INTO session VALUES ('s', now() + interval '4 days', now() - interval '3 days', now() - interval '3 days', :'odd', 'the-token');
INSERT INTO organization VALUES (:'odd', :'odd', :'odd');
INSERT INTO member VALUES ('m', :'odd', :'odd', :'odd');
CALL neon_auth.sync();
SELECT id = :'odd' AS "user" FROM neon_auth.users_sync;
SELECT team_id = :'odd' AS team, user_id = :'odd' AS "user" FROM neon_auth.team_members_sync;
SET neon_auth.session_update_age = '1d';
SELECT auth.authenticate('the-token', false) = :'odd' AS signed_in;
SELECT (to_jsonb(s) ->> (:'odd' || 'e'))::timestamptz > now() + interval '6 days' AS extended FROM session s;
SELECT auth.is_team_member(:'odd') AS is_member, auth.team_ids() = ARRAY[:'odd'] AS teams;
SELECT component FROM neon_auth.status WHERE NOT ok;
SELECT auth.logout();
SELECT neon_auth.revoke_sessions() AS revoked;
SELECT neon_auth.revoke_tokens(:'odd'), neon_auth.revoke_session(:'odd');
-- A role that comes with an identity.
UPDATE neon_auth.providers SET default_role = :'odd';
INSERT INTO session VALUES ('s2', now() + interval '4 days', now(), now(), 'u2', 'token-2');
SELECT named('INSERT INTO ODD VALUES (''u2'', ''b'', ''a@example.com'', true, now())');
SELECT auth.authenticate('token-2', false) = 'u2' AS signed_in, current_user = :'odd' AS role;
SELECT auth.logout();
-- A table of the application with such names in everything, and what is said about it.
SELECT named('CREATE TABLE public.ODD (ODD text PRIMARY KEY DEFAULT auth.user_id(), n int)');
SELECT named('INSERT INTO public.ODD VALUES (current_setting(''test.odd''), 1), (''bob'', 2)');
SELECT named('ALTER TABLE public.ODD ENABLE ROW LEVEL SECURITY');
SELECT named('CREATE POLICY ODD ON public.ODD TO authenticated USING (ODD = auth.user_id()) WITH CHECK (true)');
SELECT named('GRANT SELECT, INSERT, UPDATE ON public.ODD TO authenticated');
SELECT set_config('search_path', 'public', false);
SELECT step, result FROM neon_auth.explain_policy(quote_ident(:'odd')::regclass, 'SELECT', jsonb_build_object(:'odd', :'odd'), :'odd') WHERE step = 'verdict';
SELECT step, result FROM neon_auth.explain_policy(quote_ident(:'odd')::regclass, 'UPDATE', jsonb_build_object(:'odd', 'bob'), :'odd') WHERE step = 'verdict';
SELECT replace("table", quote_ident(:'odd'), 'ODD') AS "table", replace(user_id, :'odd', 'ODD') AS "user", selects, updates FROM neon_auth.access_report(ARRAY[:'odd']) WHERE "table" !~ 'neon_auth' ORDER BY 1, 2;
SELECT length(neon_auth.access_map(ARRAY[:'odd'])) > 1000 AS drawn;
-- The statements that advice proposes say what they should, and nothing else.
CREATE FUNCTION follow() RETURNS TABLE (code text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
    finding record;
BEGIN
    FOR finding IN SELECT a.* FROM neon_auth.advice a WHERE position(quote_ident(current_setting('test.odd')) IN a.object) > 0 ORDER BY a.code, a.object LOOP
        code := finding.code;
        outcome := 'a comment';
        IF finding.remedy NOT LIKE '--%' THEN
            EXECUTE finding.remedy;
            outcome := CASE WHEN EXISTS (SELECT FROM neon_auth.advice a WHERE a.code = finding.code AND a.object = finding.object AND a.problem = finding.problem)
                            THEN 'still there' ELSE 'gone' END;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT * FROM follow();
SELECT count(*) AS canaries FROM pg_class WHERE relname = 'canary';
\c neon_auth_regress
DROP DATABASE advisories_names;
DROP ROLE :odd_quoted;
