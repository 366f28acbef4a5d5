-- What the readers make of claims: full, missing, null, and of the wrong type.
\pset null '-'
\set token `"$STACK" token --sub 11111111-1111-4111-8111-111111111111 --name "Alice Example" --email alice@example.com --team 33333333-3333-4333-8333-333333333333 --now $(date +%s) --claim 'o={"id": "44444444-4444-4444-8444-444444444444", "slug": "example", "role": "admin", "tags": ["a", {"b": null}], "n": 1.50, "big": 12345678901234567890}'`
\c - app
BEGIN;
SELECT auth.authenticate(:'token');
\x on
SELECT auth.user_id(), auth.uid(), auth.role(), auth.email(), auth.email_verified(), auth.is_anonymous(),
       auth.selected_team_id(), auth.provider(), auth.organization_id(), auth.session_id() = auth.claim('refresh_token_id') AS session,
       auth.actor() - 'session_id' AS actor, auth.actor() ->> 'session_id' = auth.session_id() AS "actor's session";
\x off
-- Ten minutes from its issue, to the second.
SELECT auth.expires_at() - to_timestamp((auth.jwt() ->> 'iat')::bigint) AS lifetime;
SELECT jsonb_object_keys(auth.jwt()) COLLATE "C" AS claim ORDER BY 1;
SELECT auth.jwt() - '{iat,exp,refresh_token_id,signed_up_at,o}'::text[] AS claims;
SELECT auth.session() = auth.jwt() AS same;
SELECT auth.organization();

-- One claim by its path: strings without quotes, everything else as JSON.
SELECT auth.claim('sub') AS sub, auth.claim('email_verified') AS bool, auth.claim('restricted_reason') AS "null",
       auth.claim('no such claim') AS absent, auth.claim('') AS "no name", auth.claim('SUB') AS "other case";
SELECT auth.claim('o', 'slug') AS member, auth.claim('o', 'tags', '0') AS item, auth.claim('o', 'tags', '1') AS object,
       auth.claim('o', 'tags', '1', 'b') AS "null", auth.claim('o', 'tags') AS list;
SELECT auth.claim('o', 'n') AS number, auth.claim('o', 'big') AS "big number";
-- Paths that lead nowhere: past the end, backwards, into a string, through a null, by a NULL.
SELECT auth.claim('o', 'tags', '2') AS "past the end", auth.claim('o', 'tags', '-1') AS backwards,
       auth.claim('o', 'tags', 'first') AS "no position", auth.claim('sub', '0') AS "in a string",
       auth.claim('restricted_reason', 'type') AS "in null", auth.claim('o', NULL) AS "by NULL",
       auth.claim(VARIADIC '{}') AS "no path", auth.claim(VARIADIC NULL) AS "NULL path";
SELECT auth.claim(VARIADIC ARRAY['o', 'role']) AS "path as an array";
COMMIT;
\c - postgres

-- What is not in the token is NULL.
BEGIN;
SELECT auth.impersonate('u1');
\x on
SELECT auth.user_id(), auth.uid(), auth.jwt(), auth.role(), auth.email(), auth.email_verified(), auth.is_anonymous(),
       auth.selected_team_id(), auth.provider(), auth.expires_at(), auth.organization(), auth.organization_id(), auth.session_id(), auth.actor();

-- So is what has another type than it should: nothing is converted, nothing fails. But who may be
-- anonymous is.
SELECT auth.impersonate('u1', '{"role": 1, "email": ["a@example.com"], "email_verified": 1, "is_anonymous": 1,
                                "selected_team_id": {}, "o": "44444444-4444-4444-8444-444444444444"}');
SELECT auth.role(), auth.email(), auth.email_verified(), auth.is_anonymous(), auth.selected_team_id(), auth.organization(), auth.organization_id();
SELECT auth.impersonate('u1', '{"role": null, "email": null, "email_verified": null, "is_anonymous": null,
                                "selected_team_id": null, "o": null}');
SELECT auth.role(), auth.email(), auth.email_verified(), auth.is_anonymous(), auth.selected_team_id(), auth.organization(), auth.organization_id();
-- Some issuers write booleans as texts.
SELECT auth.impersonate('u1', '{"email_verified": "true", "is_anonymous": "true"}');
SELECT auth.email_verified(), auth.is_anonymous();
SELECT auth.impersonate('u1', '{"email_verified": "false", "is_anonymous": "false"}');
SELECT auth.email_verified(), auth.is_anonymous();
SELECT auth.impersonate('u1', '{"email_verified": "TRUE", "is_anonymous": "FALSE"}');
SELECT auth.email_verified(), auth.is_anonymous();
-- Empty strings and false are values.
SELECT auth.impersonate('u1', '{"role": "", "email": "", "email_verified": false, "is_anonymous": false, "o": {}}');
SELECT auth.role() = '' AS role, auth.email() = '' AS email, auth.email_verified(), auth.is_anonymous(), auth.organization(), auth.organization_id();
-- The session is sid, unless it is Stack Auth's, and a string. impersonatedBy is Better Auth's.
SELECT auth.impersonate('u1', '{"sid": "session-1", "refresh_token_id": "r", "impersonatedBy": "root"}');
SELECT auth.session_id(), auth.actor();
SELECT auth.impersonate('u1', '{"sid": 7}');
SELECT auth.session_id(), auth.actor();
\x off
-- Organizations whose id is no uuid, or whose id is no string.
SELECT auth.impersonate('u1', '{"o": {"id": "org_1", "slug": "example"}}');
SELECT auth.organization(), auth.organization_id();
SELECT auth.impersonate('u1', '{"o": {"id": 7}}');
SELECT auth.organization(), auth.organization_id();
SELECT auth.impersonate('u1', '{"o": []}');
SELECT auth.organization(), auth.organization_id();
-- Numbers are exact, and read as jsonb writes them.
SELECT auth.impersonate('u1', '{"tenant": 12345678901234567890123, "small": 1e-30, "n": 1.50, "e": 1.7E9, "deep": [{"n": 0.10000000000000000001}]}');
SELECT auth.claim('tenant') AS tenant, auth.claim('small') AS small, auth.claim('n') AS n, auth.claim('e') AS e,
       auth.claim('deep') AS deep, auth.claim('deep', '0', 'n') AS "n within";
SELECT auth.jwt() ->> 'tenant' = auth.claim('tenant') AS same, auth.jwt() ->> 'tenant' = '12345678901234567890124' AS neighbour;
-- A time may have a fraction. What is reckoned with is the second.
SELECT auth.impersonate('u1', '{"exp": 4102444800.75}');
SELECT extract(epoch FROM auth.expires_at())::bigint AS expires_at, auth.claim('exp') AS exp;
-- Text beyond ASCII comes as it is.
SELECT auth.impersonate('ü', '{"email": "аlice@example.com", "name": "\ud83d\ude00 \"quoted\"\n"}');
SELECT auth.user_id() = 'ü' AS id, auth.email() = U&'\0430lice@example.com' AS email,
       auth.claim('name') = U&'\+01F600 "quoted"\000A' AS name;
ROLLBACK;
