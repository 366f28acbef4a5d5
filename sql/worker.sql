-- Background workers, which run if neon_auth is in shared_preload_libraries.

CREATE FUNCTION neon_auth_internal.wake_worker() RETURNS trigger
LANGUAGE c AS 'MODULE_PATHNAME', 'wake_worker_wrapper';
COMMENT ON FUNCTION neon_auth_internal.wake_worker() IS 'Wakes a background worker on commit';

-- A row trigger, because most statements on the queue write no row.
CREATE TRIGGER wake_worker AFTER INSERT OR UPDATE OF queued_at ON neon_auth.sync_queue
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.wake_worker();
COMMENT ON TRIGGER wake_worker ON neon_auth.sync_queue IS 'Wakes a background worker to confirm the queue';
CREATE TRIGGER wake_worker AFTER INSERT OR UPDATE ON neon_auth_internal.secrets
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.wake_worker();
COMMENT ON TRIGGER wake_worker ON neon_auth_internal.secrets IS 'Wakes a background worker to use the new key';

CREATE TRIGGER wake_worker AFTER INSERT ON neon_auth_internal.mirror_gaps
    FOR EACH ROW WHEN (new.run IS NULL) EXECUTE FUNCTION neon_auth_internal.wake_worker();
COMMENT ON TRIGGER wake_worker ON neon_auth_internal.mirror_gaps IS 'Wakes a background worker to repair the mirror';

CREATE FUNCTION neon_auth_internal.worker_plan() RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
               'has_queue', CASE WHEN s.kind = 'better_auth' THEN neon_auth_internal.has_gaps()
                                 ELSE EXISTS (SELECT FROM neon_auth_internal.sync_queue q WHERE q.last_error IS NULL)
                            END,
               'is_configured', coalesce(s.kind = 'better_auth', false)
                                OR coalesce((SELECT bool_and(value IS NOT NULL)
                                            FROM jsonb_each_text(neon_auth_internal.sync_access() - 'other_source')),
                                         false),
               'finished_at', (SELECT floor(extract(epoch FROM r.finished_at) * 1000000)::bigint
                                 FROM neon_auth_internal.sync_runs r
                                WHERE r.finished_at IS NOT NULL ORDER BY r.id DESC LIMIT 1),
               'failed_at', (SELECT floor(extract(epoch FROM r.failed_at) * 1000000)::bigint
                               FROM (SELECT * FROM neon_auth_internal.sync_runs ORDER BY id DESC LIMIT 1) AS r
                              WHERE r.finished_at IS NULL))
      FROM (SELECT (SELECT source.kind FROM neon_auth_internal.source) AS kind) AS s;
$$;
COMMENT ON FUNCTION neon_auth_internal.worker_plan() IS
    'Returns the facts from which a background worker decides what is due';

-- COMMIT PREPARED wakes no worker. So workers poll while a prepared transaction holds the lock of a write to a
-- table that they read.
CREATE FUNCTION neon_auth_internal.awaits_prepared() RETURNS boolean
LANGUAGE sql VOLATILE
RETURN EXISTS (SELECT
                 FROM pg_catalog.pg_locks l
                WHERE l.pid IS NULL AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock'
                  AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                                     WHERE d.datname = pg_catalog.current_database())
                  AND l.relation IN ('neon_auth.sync_queue'::regclass, 'neon_auth_internal.secrets'::regclass,
                                     'neon_auth.providers'::regclass, 'neon_auth_internal.mirror_gaps'::regclass));
COMMENT ON FUNCTION neon_auth_internal.awaits_prepared() IS
    'Returns true if a prepared transaction of this database has written a table that background workers read';

CREATE FUNCTION neon_auth_internal.prune() RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    -- Far more than the 28 hours for which the auth service retries a delivery.
    age constant interval := interval '90 days';
BEGIN
    DELETE FROM neon_auth_internal.webhook_deliveries WHERE received_at < now() - age;
    DELETE FROM neon_auth_internal.tombstones WHERE removed_at < now() - age;
    PERFORM neon_auth_internal.forget_revocations();
    DELETE FROM neon_auth_internal.sync_runs
     WHERE started_at < now() - age AND id < (SELECT max(id) FROM neon_auth_internal.sync_runs);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.prune() IS 'Deletes old deliveries, tombstones, revocations and runs';

CREATE FUNCTION neon_auth_internal.worker_state(
    OUT preloaded boolean, OUT visited_at bigint, OUT due_at bigint, OUT failures bigint) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'worker_state_wrapper';
COMMENT ON FUNCTION neon_auth_internal.worker_state() IS
    'Returns if background workers serve this database, their last and next visit (microseconds since 1970), and '
    'failures in a row';

CREATE FUNCTION neon_auth_internal.token_cache(OUT entries bigint, OUT used bigint) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 1 AS 'MODULE_PATHNAME', 'token_cache_wrapper';
COMMENT ON FUNCTION neon_auth_internal.token_cache() IS
    'The entries of the server''s cache of valid signatures, and how many of them were used in the last hour';

CREATE FUNCTION neon_auth_internal.counters(
    OUT counter text, OUT value bigint, OUT description text) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL RESTRICTED ROWS 20 AS 'MODULE_PATHNAME', 'counters_wrapper';
COMMENT ON FUNCTION neon_auth_internal.counters() IS 'Rows of neon_auth.stats';

CREATE VIEW neon_auth.stats AS SELECT counter, value, description FROM neon_auth_internal.counters();
COMMENT ON VIEW neon_auth.stats IS
    'Counters of this database since the server started; empty unless neon_auth is in shared_preload_libraries';
COMMENT ON COLUMN neon_auth.stats.counter IS 'Name of the counter';
COMMENT ON COLUMN neon_auth.stats.value IS 'Its value';
COMMENT ON COLUMN neon_auth.stats.description IS 'What the counter counts';
