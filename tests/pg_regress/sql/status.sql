-- How things stand, at a glance: a row for the providers, one for the keys of each.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset null '-'
\set jwks `"$STACK" jwks`
SET TIME ZONE 'UTC';
-- The keys are pinned.
SELECT * FROM neon_auth.status ORDER BY component COLLATE "C";
\set VERBOSITY default
CALL neon_auth.sync();
\set VERBOSITY terse
BEGIN;
DELETE FROM neon_auth.providers;
SELECT * FROM neon_auth.status ORDER BY component COLLATE "C";
SELECT neon_auth.add_provider('a', '{https://a.example.com}', jwks => :'jwks');
SELECT neon_auth.add_provider(name, issuers => ARRAY['https://' || name || '.example.com'], jwks_url => 'https://' || name || '.example.com/keys')
  FROM unnest('{never,begun,failed,stale,good,moved,idle}'::text[]) AS name;
INSERT INTO neon_auth.jwks_cache (provider, jwks_url, jwks, fetched_at, fresh_until, attempted_at, last_error) VALUES
    ('begun', 'https://begun.example.com/keys', NULL, NULL, NULL, '2026-01-01 12:00', NULL),
    ('failed', 'https://failed.example.com/keys', NULL, NULL, NULL, '2026-01-01 12:00', 'The key server returned status 500.'),
    ('stale', 'https://stale.example.com/keys', '{"keys": [{}]}', '2026-01-01 11:00', '2026-01-01 11:10', '2026-01-01 12:00', 'The key server returned status 500.'),
    ('good', 'https://good.example.com/keys', '{"keys": [{}, {}]}', '2026-01-01 12:00', '2026-01-01 12:10', '2026-01-01 12:00', NULL),
    -- of another URL than the provider's: not its keys any more
    ('moved', 'https://moved.example.com/old', '{"keys": [{}]}', '2026-01-01 12:00', '2026-01-01 12:10', '2026-01-01 12:00', 'The key server returned status 500.'),
    -- past their time, because nobody has signed in since: the next token fetches them
    ('idle', 'https://idle.example.com/keys', '{"keys": [{}, {}, {}]}', '2026-01-01 11:00', '2026-01-01 11:10', '2026-01-01 11:00', NULL);
SELECT * FROM neon_auth.status ORDER BY component COLLATE "C";
-- Each concern has a yes or a no and a reason.
SELECT count(*) FROM neon_auth.status WHERE ok IS NULL OR detail IS NULL OR component IS NULL;
-- Webhooks: whether there is a secret, never which; the last delivery, and what REST has to confirm.
SAVEPOINT s;
SELECT neon_auth.add_provider('neon', '{https://neon.example.com}', '{neon}', jwks => :'jwks', kind => 'stack', project_id => 'neon');
CREATE VIEW pg_temp.webhooks AS
SELECT component, ok, regexp_replace(detail, 'since .*', 'since then.') AS detail, since = now() AS since_now
  FROM neon_auth.status WHERE component IN ('webhooks', 'sync queue') ORDER BY component COLLATE "C";
SELECT neon_auth.set_secret('webhook_secret', NULL);
SELECT * FROM pg_temp.webhooks;
SELECT neon_auth.set_secret('webhook_secret', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
SELECT * FROM pg_temp.webhooks;
SELECT count(*) FROM neon_auth.status WHERE to_jsonb(status)::text LIKE '%MfKQ9r8G%';
SELECT deliver('user.created', '{"id": "u1"}', 'msg_1'), deliver('no.such', '{}', 'msg_2');
UPDATE neon_auth.webhook_deliveries SET received_at = now() - interval '1 second' WHERE id = 'msg_1';
SELECT * FROM pg_temp.webhooks;
SELECT deliver('team.created', '{"id": "t1"}', 'msg_3'), deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}', 'msg_4');
UPDATE neon_auth.sync_queue SET queued_at = now() - interval '23 hours';
UPDATE neon_auth.webhook_deliveries SET received_at = now() - interval '1 second' WHERE id <> 'msg_4';
SELECT * FROM pg_temp.webhooks;
-- Nothing has come to confirm it for a day; and a secret that was there is gone.
UPDATE neon_auth.sync_queue SET queued_at = now() - interval '25 hours' WHERE kind = 'team';
SELECT neon_auth.set_secret('webhook_secret', NULL);
SELECT * FROM pg_temp.webhooks;
SELECT s.detail LIKE format('%%since %s.', q.queued_at) AND s.since = q.queued_at AS oldest
  FROM neon_auth.status s, neon_auth.sync_queue q WHERE s.component = 'sync queue' AND q.kind = 'team';
-- Without a service that they concern, they are no concern.
SELECT neon_auth.drop_provider('neon');
SELECT * FROM pg_temp.webhooks;
DELETE FROM neon_auth.sync_queue;
DELETE FROM neon_auth.webhook_deliveries;
SELECT * FROM pg_temp.webhooks;
ROLLBACK TO s;
-- Workers: one who should have come long ago is missed.
CREATE OR REPLACE FUNCTION neon_auth_internal.worker_state(OUT preloaded boolean, OUT visited_at bigint, OUT due_at bigint, OUT failures bigint)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT true, 1, floor(extract(epoch FROM clock_timestamp() + s.due) * 1000000)::bigint, 0
      FROM (SELECT current_setting('test.due')::interval AS due) AS s;
$$;
CREATE VIEW pg_temp.workers AS
SELECT ok, regexp_replace(detail, ' [A-Z][a-z]+ [A-Z][a-z]+ [0-9].* UTC', ' then') AS detail FROM neon_auth.status WHERE component = 'workers';
SET LOCAL test.due = '1 hour';
SELECT * FROM pg_temp.workers;
SET LOCAL test.due = '-50 seconds';
SELECT * FROM pg_temp.workers;
SET LOCAL test.due = '-70 seconds';
SELECT * FROM pg_temp.workers;
ROLLBACK TO s;
-- For administrators, who may be granted it alone.
SAVEPOINT s;
SET LOCAL ROLE stranger;
SELECT * FROM neon_auth.status ORDER BY component COLLATE "C";
\echo :SQLSTATE
ROLLBACK TO s;
GRANT SELECT ON neon_auth.status TO stranger;
SET LOCAL ROLE stranger;
SELECT component, ok FROM neon_auth.status WHERE NOT ok ORDER BY component COLLATE "C";
SELECT component, ok, detail FROM neon_auth.status WHERE component IN ('webhooks', 'sync queue') ORDER BY component COLLATE "C";
SAVEPOINT granted;
SELECT * FROM neon_auth.jwks_cache;
\echo :SQLSTATE
ROLLBACK TO granted;
SELECT * FROM neon_auth_internal.secrets;
\echo :SQLSTATE
ROLLBACK TO granted;
SELECT * FROM neon_auth.webhook_deliveries;
\echo :SQLSTATE
ROLLBACK;
