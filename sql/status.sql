-- Tables of a plugin that was added after the call of add_better_auth. Those of a plugin are used only together.
CREATE FUNCTION neon_auth_internal.unbound_better_auth() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    WITH bound AS MATERIALIZED (
        SELECT b.what, b.relation, b.relnamespace, b.relowner FROM neon_auth_internal.bound_better_auth() b
    ), alike AS MATERIALIZED (
        SELECT w.what, w.needed, c.relation
          FROM (VALUES ('jwks', '{}'::text[]), ('apikey', '{}'), ('organization', '{member}'),
                       ('member', '{organization}'),
                       ('team', '{organization,member,teamMember}'), ('teamMember', '{organization,member,team}'),
                       ('organizationRole', '{organization,member}')) AS w(what, needed)
          JOIN bound u ON u.what = 'user'
         CROSS JOIN LATERAL neon_auth_internal.better_auth_candidates(w.what, '{}', u.relnamespace) c
         CROSS JOIN LATERAL neon_auth_internal.examine_better_auth(w.what, '{}', c.relation) x
         WHERE w.what NOT IN (SELECT b.what FROM bound b) AND c.relation NOT IN (SELECT b.relation FROM bound b)
           AND NOT x.unfit AND NOT neon_auth_internal.is_foreign(c.relation, u.relowner)
    )
    SELECT string_agg(format('%s as %s', a.relation, a.what), ', '
                      ORDER BY a.what COLLATE "C", a.relation::text COLLATE "C")
      FROM alike a
     WHERE a.needed <@ ARRAY(SELECT b.what FROM bound b UNION ALL SELECT o.what FROM alike o)
$$;
COMMENT ON FUNCTION neon_auth_internal.unbound_better_auth() IS
    'Tables beside the bound ones that look like tables of Better Auth, and what they would be; NULL if there are none';

-- The state of the extension at a glance. A role that is granted the view cannot read the tables behind it.

CREATE VIEW neon_auth.status AS
    SELECT 'providers' AS component,
           count(*) > 0 AS ok,
           CASE WHEN count(*) > 0 THEN string_agg(name, ', ' ORDER BY name)
                ELSE 'No provider is configured, so every token is refused.' END AS detail,
           NULL::timestamptz AS since
      FROM neon_auth.providers
    UNION ALL
    SELECT 'revocations', true,
           format('Revoked: tokens of users: %s; sessions: %s.', count(*) FILTER (WHERE r.kind = 'user'),
                  count(*) FILTER (WHERE r.kind = 'session')),
           max(r.revoked_at)
      FROM neon_auth.revocations r
    HAVING count(*) > 0
    UNION ALL
    SELECT format('keys of %s', p.name), k.ok, k.detail, NULL
      FROM neon_auth.providers p
     CROSS JOIN LATERAL neon_auth_internal.table_keys() k
     WHERE p.kind = 'better_auth'
    UNION ALL
    SELECT format('keys of %s', p.name),
           (p.jwks IS NOT NULL OR c.provider IS NULL OR (c.jwks IS NOT NULL AND c.last_error IS NULL
                                  AND (c.fresh_until > now() OR c.fetched_at >= c.attempted_at)))
               AND NOT coalesce(j.exposes_secret OR j.serves_none, false),
           concat(CASE WHEN p.jwks IS NOT NULL THEN 'Pinned in neon_auth.providers.'
                WHEN c.provider IS NULL THEN 'Not fetched yet; the first token will.'
                WHEN c.last_error IS NOT NULL AND c.jwks IS NULL THEN 'No keys. ' || c.last_error
                WHEN c.last_error IS NOT NULL
                    THEN format('%s. Keys fetched at %s are used until they exceed neon_auth.jwks_max_stale.',
                                rtrim(c.last_error, '.'), c.fetched_at)
                WHEN c.jwks IS NULL AND c.attempted_at > now() - interval '1 minute' THEN 'A fetch is running.'
                WHEN c.jwks IS NULL THEN 'No keys. The last fetch was interrupted.'
                ELSE format('Fresh until %s; number of keys: %s.', c.fresh_until,
                            jsonb_array_length(c.jwks -> 'keys') - cardinality(j.left_out)) END,
                  CASE WHEN p.jwks IS NULL AND p.jwks_url IS NULL AND c.jwks IS NOT NULL
                       THEN format(' Their URL is %s.', c.jwks_url) END,
                  CASE WHEN c.reduced_url LIKE '%include_anonymous%'
                       THEN ' The service is older than 2026-01: keys are requested without include_restricted.'
                       WHEN c.reduced_url IS NOT NULL
                       THEN ' The service refuses include_anonymous: keys are requested without it.' END,
                  CASE WHEN j.exposes_secret THEN ' A secret is published, with which anybody can sign tokens: '
                                                  'the issuer must replace that key.' END,
                  CASE WHEN j.serves_none
                       THEN format(' No key serves an accepted algorithm, but only: %s.',
                                   array_to_string(j.algorithms, ', ')) END,
                  CASE WHEN cardinality(j.left_out) > 0
                       THEN format(' Skipped: %s.', array_to_string(j.left_out, '; ')) END),
           coalesce(CASE WHEN c.last_error IS NOT NULL THEN c.attempted_at END, c.fetched_at)
      FROM neon_auth.providers p
      LEFT JOIN neon_auth.jwks_cache c ON c.provider = p.name AND p.jwks IS NULL
            AND coalesce(c.discovery_url, c.jwks_url)
                = coalesce(p.jwks_url, neon_auth_internal.discovery_url(p.issuers[1]))
      LEFT JOIN LATERAL (
            SELECT k.*, k.defect IS NULL AND NOT k.algorithms && array_replace(p.algorithms, 'Ed25519', 'EdDSA')
              FROM neon_auth_internal.judge_jwks(coalesce(p.jwks, c.jwks)) k)
        AS j(defect, hint, left_out, exposes_secret, storable, algorithms, serves_none) ON true
     WHERE p.kind <> 'better_auth'
    UNION ALL
    -- The rows about the mirror exist only if a provider fills it, or if there are webhooks or queue entries.
    -- Without a secret, webhooks are not in use; that is an error only if some were accepted before.
    SELECT 'webhooks',
           s.is_set OR d.event IS NULL OR NOT s.is_configured,
           concat(CASE WHEN s.is_set THEN 'webhook_secret is set.'
                       ELSE 'webhook_secret is not set, so every delivery is refused.' END,
                  CASE WHEN d.event IS NULL THEN ' No delivery is known.'
                       ELSE format(' The last delivery: %s, %s.', d.event, d.outcome ->> 'outcome') END),
           d.received_at
      FROM (SELECT EXISTS (SELECT FROM neon_auth_internal.secrets WHERE name = 'webhook_secret'),
                   EXISTS (SELECT FROM neon_auth_internal.source WHERE kind = 'stack')) AS s(is_set, is_configured)
      LEFT JOIN (SELECT event, outcome, received_at FROM neon_auth.webhook_deliveries
                  ORDER BY received_at DESC LIMIT 1) AS d ON true
     WHERE s.is_configured OR s.is_set OR d.event IS NOT NULL
    UNION ALL
    SELECT 'sync queue',
           NOT s.is_configured
               OR coalesce(min(q.queued_at) > now() - interval '1 day', true) AND count(q.last_error) = 0,
           CASE WHEN count(q.queued_at) = 0 THEN 'Nothing waits for confirmation.'
                ELSE format('Waiting for confirmation by the REST API: %s; the longest since %s.',
                            count(q.queued_at), min(q.queued_at))
                     || CASE WHEN count(q.last_error) > 0
                             THEN format(' Left to the next full synchronisation: %s, such as: %s',
                                         count(q.last_error), min(q.last_error))
                             ELSE '' END END,
           min(q.queued_at)
      FROM (SELECT EXISTS (SELECT FROM neon_auth_internal.source WHERE kind = 'stack')) AS s(is_configured)
      LEFT JOIN neon_auth.sync_queue q ON true
     GROUP BY s.is_configured
    HAVING s.is_configured OR count(q.queued_at) > 0
    UNION ALL
    SELECT 'synchronisation',
           CASE WHEN o.source IS NOT NULL THEN false
                WHEN s.name IS NULL OR r.id IS NULL THEN NOT w.preloaded AND r.id IS NULL
                ELSE r.error IS NULL AND (r.finished_at IS NOT NULL OR r.started_at > now() - interval '1 day')
                     AND coalesce(f.gaps = 0, true) END,
           concat_ws(' ', CASE WHEN o.source IS NOT NULL
                    THEN format('The mirror contains the users of another project, %s, so it is not compared. '
                                'To replace them: DELETE FROM neon_auth.sync_source;', o.source)
                WHEN neon_auth_internal.rest_base(p.jwks_url) IS NULL AND p.jwks IS NOT NULL
                    THEN format('The keys of provider %I are pinned, so there is no jwks_url from which to derive '
                                'the REST API.', p.name)
                WHEN neon_auth_internal.rest_base(p.jwks_url) IS NULL
                    THEN format('The jwks_url of the provider %I is not that of a Stack Auth project, '
                                'so the URL of the REST API is not known.', p.name)
                WHEN s.name IS NULL
                    THEN 'secret_server_key is not set for this project, so the mirror cannot be compared '
                         'with the auth service.'
                WHEN r.id IS NULL
                    THEN 'The mirror has never been compared with the auth service: CALL neon_auth.sync();'
                WHEN r.error IS NOT NULL THEN r.error
                WHEN r.finished_at IS NULL THEN format('Running, or interrupted, in the phase: %s.', r.phase)
                ELSE format('Rows changed: %s; found deleted: %s; skipped: %s%s', r.changed, r.deleted, r.skipped,
                            coalesce('. The last of those: ' || r.last_skip_reason, '.')) END,
                     CASE WHEN f.gaps > 0
                          THEN format('Gaps in the lists of the last complete run: %s. What is in them may be missing.',
                                      f.gaps) END, l.sentences),
           coalesce(CASE WHEN r.error IS NOT NULL THEN r.failed_at END, r.finished_at, r.started_at)
      FROM neon_auth_internal.worker_state() AS w
      JOIN neon_auth.providers p ON p.kind = 'stack'
      LEFT JOIN neon_auth_internal.other_source o ON true
      LEFT JOIN neon_auth_internal.secrets s ON s.name = 'secret_server_key'
            AND s.service = neon_auth_internal.service(p.jwks_url, p.project_id)
      LEFT JOIN (SELECT * FROM neon_auth.sync_runs ORDER BY id DESC LIMIT 1) AS r ON true
      LEFT JOIN (SELECT gaps FROM neon_auth.sync_runs WHERE finished_at IS NOT NULL ORDER BY id DESC LIMIT 1) AS f
             ON true
     CROSS JOIN (SELECT string_agg(CASE l.name
                            WHEN 'include_anonymous'
                                THEN 'The service is older than 2025-08: users are listed without include_anonymous.'
                            WHEN 'include_restricted'
                                THEN 'The service is older than 2026-01: users are listed without include_restricted.'
                            WHEN 'all_memberships'
                                THEN 'The service does not return the list of all memberships, so they are compared '
                                     'team by team; a worker compares each team once a day.' END,
                            ' ' ORDER BY l.name COLLATE "C") AS sentences
                   FROM neon_auth_internal.service_limits l) AS l
    UNION ALL
    SELECT format('tables of %s', p.name),
           count(b.what) > 0 AND bool_and(b.defect IS NULL),
           CASE WHEN count(b.what) = 0 THEN 'No table is bound: SELECT neon_auth.add_better_auth(''<base URL>'');'
                WHEN count(b.defect) > 0
                    THEN concat(string_agg(format('%s: %s', b.what, b.defect), ' ' ORDER BY b.what COLLATE "C")
                                    FILTER (WHERE b.defect IS NOT NULL),
                                ' Bind the tables again: SELECT neon_auth.add_better_auth(''<base URL>'');')
                ELSE format('Bound: %s.', string_agg(format('%s to %s', b.what, b.relation), ', '
                                                     ORDER BY b.what COLLATE "C"))
                     || coalesce(' Not bound, but alike: ' || neon_auth_internal.unbound_better_auth()
                                 || '. To bind them, as after a plugin was added: '
                                    'SELECT neon_auth.add_better_auth(''<base URL>'');', '') END,
           NULL
      FROM neon_auth.providers p
      LEFT JOIN neon_auth_internal.better_auth_health b ON true
     WHERE p.kind = 'better_auth'
     GROUP BY p.name
    UNION ALL
    SELECT format('secret of %s', p.name), true,
           CASE WHEN EXISTS (SELECT FROM neon_auth_internal.secrets s WHERE s.name = 'better_auth_secret')
                THEN 'better_auth_secret is set: a session token with a signature that is wrong is refused.'
                ELSE 'better_auth_secret is not set: signatures of session tokens are ignored.' END,
           NULL
      FROM neon_auth.providers p
     WHERE p.kind = 'better_auth'
    UNION ALL
    SELECT 'mirror',
           g.number = 0 AND u.missing = 0 AND d.what IS NULL,
           CASE WHEN g.number > 0
                    THEN format('Changes of Better Auth that it lacks: %s, such as of %s: %s To repair it: '
                                'CALL neon_auth.sync();', g.number, g.example[1], rtrim(g.example[2], '.') || '.')
                WHEN u.missing > 0
                    THEN 'It lacks changes of Better Auth, which could not be recorded: the disk may be full. To '
                         'repair it: CALL neon_auth.sync();'
                WHEN d.what IS NOT NULL
                    THEN format('It may lack changes of: %s. The reasons are in the row tables of %s.', d.what, p.name)
                ELSE 'It has every change of Better Auth''s tables.' END,
           g.at
      FROM neon_auth.providers p
     CROSS JOIN (SELECT count(*) AS number, min(m.at) AS at, min(ARRAY[m.what, m.reason]) AS example
                   FROM neon_auth_internal.mirror_gaps m) AS g
     CROSS JOIN (SELECT CASE WHEN u.is_called THEN u.last_value ELSE 0 END
                        - CASE WHEN r.is_called THEN r.last_value ELSE 0 END AS missing
                   FROM neon_auth_internal.mirror_gaps_unrecorded u, neon_auth_internal.mirror_gaps_repaired r) AS u
     CROSS JOIN (SELECT string_agg(h.what, ', ' ORDER BY h.what COLLATE "C") AS what
                   FROM neon_auth_internal.better_auth_health h
                  WHERE h.feeds_mirror AND h.defect IS NOT NULL) AS d
     WHERE p.kind = 'better_auth'
    UNION ALL
    SELECT 'synchronisation',
           o.source IS NULL AND (r.id IS NULL OR r.error IS NULL AND r.skipped = 0
                                 AND (r.finished_at IS NOT NULL OR r.started_at > now() - interval '1 day')),
           CASE WHEN o.source IS NOT NULL
                    THEN format('The mirror contains the users of another service, %s, so it is not compared. '
                                'To replace them: DELETE FROM neon_auth.sync_source;', concat_ws(' ', o.kind, o.source))
                WHEN r.id IS NULL
                    THEN 'The mirror was made when the tables were bound. To compare it with them: '
                         'CALL neon_auth.sync();'
                WHEN r.error IS NOT NULL THEN r.error
                WHEN r.finished_at IS NULL THEN format('Running, or interrupted, in the phase: %s.', r.phase)
                ELSE format('Rows changed: %s; skipped: %s%s', r.changed, r.skipped,
                            coalesce('. The last of those: ' || r.last_skip_reason, '.')) END,
           coalesce(CASE WHEN r.error IS NOT NULL THEN r.failed_at END, r.finished_at, r.started_at)
      FROM neon_auth.providers p
      LEFT JOIN neon_auth_internal.other_source o ON true
      LEFT JOIN (SELECT * FROM neon_auth.sync_runs WHERE kind = 'better_auth' ORDER BY id DESC LIMIT 1) AS r ON true
     WHERE p.kind = 'better_auth'
    UNION ALL
    SELECT 'actor in the WAL',
           a.logical AND a.preloaded,
           CASE WHEN NOT a.logical
                    THEN 'No actor is written: wal_level must be logical.'
                WHEN NOT a.preloaded
                    THEN 'Not every session writes one, so actors can be forged: neon_auth is not in '
                         'shared_preload_libraries.'
                ELSE 'Each transaction that writes ends with a logical message that names its actor.' END,
           NULL
      FROM neon_auth_internal.actor_in_wal() AS a
     WHERE a.wanted
    UNION ALL
    -- More tokens than half of the entries replace each other.
    SELECT 'token cache',
           c.used <= c.entries / 2,
           CASE WHEN c.entries = 0
                    THEN 'None: neon_auth.token_cache_size is 0, so each session checks the signature of each token.'
                WHEN c.used > c.entries / 2
                    THEN format('Too small: of %s entries, about %s %% were used in the last hour, so signatures are '
                                'checked again. Raise neon_auth.token_cache_size.', c.entries, 100 * c.used / c.entries)
                ELSE format('Of %s entries, about %s %% were used in the last hour.', c.entries,
                            100 * c.used / c.entries) END,
           NULL
      FROM neon_auth_internal.token_cache() AS c
    UNION ALL
    SELECT 'workers',
           NOT w.preloaded OR w.standby
               OR (w.failures = 0 AND NOT w.overdue AND (w.visited_at IS NOT NULL OR NOT w.expected)),
           CASE WHEN NOT w.preloaded AND w.has_triggers
                    THEN 'None are needed: triggers keep the mirror; CALL neon_auth.sync() compares.'
                WHEN NOT w.preloaded
                    THEN 'None: neon_auth is not in shared_preload_libraries. Webhooks work; the rest waits for '
                         'CALL neon_auth.sync().'
                WHEN w.standby THEN 'None on a standby.'
                WHEN w.failures > 0
                    THEN format('Visits that failed in a row: %s. The server''s log has the reason. Next visit: %s.',
                                w.failures, w.due_at)
                WHEN w.overdue
                    THEN format('A worker was due at %s but did not start: max_worker_processes or '
                                'neon_auth.max_workers may be reached.', w.due_at)
                WHEN w.visited_at IS NULL AND w.expected THEN 'No background worker has run here yet.'
                WHEN w.due_at IS NULL THEN 'A worker starts when there is work.'
                ELSE format('A worker starts when there is work, and at %s.', w.due_at) END,
           w.visited_at
      FROM (SELECT s.preloaded, neon_auth_internal.time_of(s.visited_at) AS visited_at,
                   neon_auth_internal.time_of(s.due_at) AS due_at,
                   coalesce(neon_auth_internal.time_of(s.due_at) < clock_timestamp() - interval '1 minute',
                            false) AS overdue,
                   s.failures, pg_catalog.pg_is_in_recovery() AS standby,
                   EXISTS (SELECT FROM neon_auth.providers) AS expected,
                   EXISTS (SELECT FROM neon_auth_internal.source WHERE kind = 'better_auth') AS has_triggers
              FROM neon_auth_internal.worker_state() AS s) AS w;
COMMENT ON VIEW neon_auth.status IS 'State of the extension: one row per component, with health and reason';
COMMENT ON COLUMN neon_auth.status.component IS
    'providers, revocations, keys, tables or secret of NAME, webhooks, sync queue, mirror, synchronisation, actor in '
    'the WAL, token cache or workers';
COMMENT ON COLUMN neon_auth.status.ok IS 'True if healthy';
COMMENT ON COLUMN neon_auth.status.detail IS 'Its state, and why';
COMMENT ON COLUMN neon_auth.status.since IS 'Start of that state, where it is known';
