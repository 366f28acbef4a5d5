-- Triggers of the application on users_sync decide as in any statement, and their errors arrive as raised.
\set SHOW_CONTEXT never
BEGIN;
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'not today' USING ERRCODE = 'AB123', DETAIL = 'It is a holiday.', HINT = 'Try tomorrow.', TABLE = 'todos';
END
$$;
CREATE FUNCTION pg_temp.keep_out() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TEMP VIEW everything AS
    SELECT 'user' AS what, id, name FROM neon_auth.users_sync
    UNION ALL SELECT 'queue', user_id, kind FROM neon_auth.sync_queue
    UNION ALL SELECT 'delivery', id, outcome ->> 'outcome' FROM neon_auth.webhook_deliveries
     ORDER BY 1, 2, 3;
SAVEPOINT s;
CREATE TRIGGER refuse BEFORE INSERT ON neon_auth.users_sync FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse();
DO $$
DECLARE
    message text; detail text; hint text; named text;
BEGIN
    PERFORM deliver('user.created', '{"id": "u1"}', 'msg_1');
EXCEPTION WHEN SQLSTATE 'AB123' THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, named = TABLE_NAME;
    RAISE INFO '% % % %', message, detail, hint, named;
END
$$;
TABLE everything;
-- The next attempt at delivery applies it.
DROP TRIGGER refuse ON neon_auth.users_sync;
SELECT deliver('user.created', '{"id": "u1", "display_name": "Alice"}', 'msg_1');
TABLE everything;
CREATE TRIGGER refuse AFTER UPDATE ON neon_auth.users_sync FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.refuse();
SAVEPOINT t;
SELECT deliver('user.updated', '{"id": "u1", "display_name": "Alice Example"}', 'msg_2');
\echo :SQLSTATE
ROLLBACK TO t;
ROLLBACK TO s;
-- A trigger can keep rows out, or as they are.
CREATE TRIGGER keep_out BEFORE INSERT ON neon_auth.users_sync FOR EACH ROW EXECUTE FUNCTION pg_temp.keep_out();
SELECT deliver('user.created', '{"id": "u1"}', 'msg_1') AS created, deliver('user.updated', '{"id": "u1"}', 'msg_2') AS updated;
TABLE everything;
ROLLBACK TO s;
SELECT neon_auth.upsert_user('{"id": "u1", "display_name": "Alice"}');
CREATE TRIGGER keep_out BEFORE UPDATE ON neon_auth.users_sync FOR EACH ROW EXECUTE FUNCTION pg_temp.keep_out();
SELECT deliver('user.updated', '{"id": "u1", "display_name": "Alice Example"}', 'msg_1');
TABLE everything;
ROLLBACK;

-- Of which provider a user is, no event says.
BEGIN;
SELECT deliver('user.created', '{"id": "u1", "auth_provider": "other", "auth_issuer": "https://example.com"}'),
       deliver('user.updated', '{"id": "u1", "display_name": "Alice", "auth_issuer": "https://example.com"}');
SELECT raw_json FROM neon_auth.users_sync;
ROLLBACK;

-- Several in one statement, of the same user.
BEGIN;
SELECT n, deliver(event, data)
  FROM (VALUES (1, 'user.updated', '{"id": "u1", "display_name": "Alice", "last_active_at_millis": 1}'::jsonb),
               (2, 'user.created', '{"id": "u1", "display_name": "Alice", "last_active_at_millis": 1}'),
               (3, 'user.updated', '{"id": "u1", "display_name": "Alice B.", "last_active_at_millis": 86400002}'),
               (4, 'user.updated', '{"id": "u1", "display_name": "Alice", "last_active_at_millis": 1}'),
               (5, 'user.deleted', '{"id": "u1"}'),
               (6, 'user.updated', '{"id": "u1", "display_name": "Alice B.", "last_active_at_millis": 99999999999}')) AS d(n, event, data)
 ORDER BY n;
SELECT raw_json, deleted_at IS NOT NULL AS deleted FROM neon_auth.users_sync;
ROLLBACK;

-- A session that has applied events applies them to an extension that was created again, too.
SELECT pg_get_functiondef('sign_webhook'::regproc) AS sign_webhook, pg_get_functiondef('deliver'::regproc) AS deliver \gset
CREATE DATABASE neon_auth_webhooks TEMPLATE template0;
\c neon_auth_webhooks
CREATE EXTENSION neon_auth;
:sign_webhook;
:deliver;
SELECT neon_auth.set_secret('webhook_secret', 'whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=');
SELECT deliver('user.created', '{"id": "u1"}'), deliver('user.updated', '{"id": "u1", "display_name": "Alice"}'), deliver('team.created', '{"id": "t1"}');
\set VERBOSITY terse
DROP EXTENSION neon_auth CASCADE;
\set VERBOSITY default
CREATE EXTENSION neon_auth;
SELECT neon_auth.set_secret('webhook_secret', 'whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=');
SELECT deliver('user.created', '{"id": "u2"}'), deliver('user.updated', '{"id": "u2", "display_name": "Bob"}'), deliver('team.created', '{"id": "t2"}');
SELECT id, name FROM neon_auth.users_sync;
\c neon_auth_regress
DROP DATABASE neon_auth_webhooks;
