-- How things stand, at a glance: a row for the providers, one for the keys of each.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset null '-'
\set jwks `"$STACK" jwks`
SET TIME ZONE 'UTC';
-- The keys are pinned.
SELECT * FROM neon_auth.status ORDER BY concern COLLATE "C";
BEGIN;
DELETE FROM neon_auth.providers;
SELECT * FROM neon_auth.status;
SELECT neon_auth.add_provider('a', '{https://a.example.com}', jwks => :'jwks');
SELECT neon_auth.add_provider(name, issuers => ARRAY['https://' || name || '.example.com'], jwks_url => 'https://' || name || '.example.com/keys')
  FROM unnest('{never,begun,failed,stale,good,moved,idle}'::text[]) AS name;
INSERT INTO neon_auth.jwks_cache (provider, jwks_url, jwks, fetched_at, fresh_until, attempted_at, last_error) VALUES
    ('begun', 'https://begun.example.com/keys', NULL, NULL, NULL, '2026-01-01 12:00', NULL),
    ('failed', 'https://failed.example.com/keys', NULL, NULL, NULL, '2026-01-01 12:00', 'The key server answered 500.'),
    ('stale', 'https://stale.example.com/keys', '{"keys": [{}]}', '2026-01-01 11:00', '2026-01-01 11:10', '2026-01-01 12:00', 'The key server answered 500.'),
    ('good', 'https://good.example.com/keys', '{"keys": [{}, {}]}', '2026-01-01 12:00', '2026-01-01 12:10', '2026-01-01 12:00', NULL),
    -- of another URL than the provider's: not its keys any more
    ('moved', 'https://moved.example.com/old', '{"keys": [{}]}', '2026-01-01 12:00', '2026-01-01 12:10', '2026-01-01 12:00', 'The key server answered 500.'),
    -- past their time, because nobody has signed in since: the next token fetches them
    ('idle', 'https://idle.example.com/keys', '{"keys": [{}, {}, {}]}', '2026-01-01 11:00', '2026-01-01 11:10', '2026-01-01 11:00', NULL);
SELECT * FROM neon_auth.status ORDER BY concern COLLATE "C";
-- Each concern has a yes or a no and a reason.
SELECT count(*) FROM neon_auth.status WHERE ok IS NULL OR detail IS NULL OR concern IS NULL;
-- For administrators, who may be granted it alone.
SAVEPOINT s;
SET LOCAL ROLE stranger;
SELECT * FROM neon_auth.status;
\echo :SQLSTATE
ROLLBACK TO s;
GRANT SELECT ON neon_auth.status TO stranger;
SET LOCAL ROLE stranger;
SELECT concern, ok FROM neon_auth.status WHERE NOT ok ORDER BY concern COLLATE "C";
SELECT * FROM neon_auth.jwks_cache;
\echo :SQLSTATE
ROLLBACK;
