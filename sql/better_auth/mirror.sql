-- The mirror of Better Auth: made from what its tables contain now.
--
-- Triggers and sync() do the same: they name users, teams or memberships, lock what the mirror has of them, and
-- then write what the tables say at that moment. So the order in which changes arrive does not matter. Two rules
-- make this right when transactions are concurrent:
--
-- 1. Who changes a row of Better Auth holds a lock in the mirror until its transaction ends: of the row of the
--    user or team, which is therefore written even if it has to be marked as deleted at once; for a membership the
--    row of its team FOR SHARE, and its own row, if there is one.
-- 2. The tables are read after the lock is held, in the latest committed state.
--
-- sync() and a change of an organization's roles lock teams FOR NO KEY UPDATE: they wait until no transaction that
-- changes a membership of the team is under way. Neither lock conflicts with foreign keys to the mirror.
--
-- A transaction above READ COMMITTED has an old snapshot: its statements neither see nor change what others have
-- committed to the mirror since. And a trigger or rule that an administrator has put on the mirror can keep a change
-- out without an error. In both cases what was written is read again, in the latest state, and an error is raised if it
-- differs from Better Auth's tables.
--
-- The functions of this file are called as the owner of the tables, with its search_path. enable_seqscan is off
-- because a plan that was made for an empty table would read all of it for each row, when it is not empty any more.

CREATE FUNCTION neon_auth_internal.better_auth_rows(
    what text, ids text[] DEFAULT NULL, OUT id text, OUT object jsonb, OUT roles text) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 AS 'MODULE_PATHNAME', 'neon_auth_better_auth_rows';
COMMENT ON FUNCTION neon_auth_internal.better_auth_rows(text, text[]) IS
    'Users (user), or organizations and teams (team), as the mirror has them; of ids: a row for each, object NULL if '
    'it is gone';

CREATE FUNCTION neon_auth_internal.better_auth_memberships(
    teams text[] DEFAULT NULL, users text[] DEFAULT NULL,
    OUT team_id text, OUT user_id text, OUT permission_id text, OUT inherited boolean) RETURNS SETOF record
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1000 AS 'MODULE_PATHNAME', 'neon_auth_better_auth_memberships';
COMMENT ON FUNCTION neon_auth_internal.better_auth_memberships(text[], text[]) IS
    'Memberships (permission_id NULL) and their permissions: of pairs, of all members of teams, or all';

-- No ids: everything. Reads what the caller's snapshot sees.
CREATE FUNCTION neon_auth_internal.is_refreshed(part text, ids text[], users text[]) RETURNS boolean
LANGUAGE plpgsql STABLE SET enable_seqscan = off
AS $$
BEGIN
    IF cardinality(ids) = 0 THEN
        RETURN CASE part WHEN 'users' THEN NOT EXISTS (SELECT FROM neon_auth_internal.differing_users() AS id
                                                        WHERE id IS NOT NULL)
                         WHEN 'teams' THEN NOT EXISTS (SELECT FROM neon_auth_internal.differing_teams() AS id
                                                        WHERE id IS NOT NULL)
                         ELSE NOT EXISTS (SELECT FROM neon_auth_internal.differing_members() d
                                           WHERE d.team_id IS NOT NULL) END;
    ELSIF part = 'users' THEN
        RETURN NOT EXISTS (
            SELECT FROM neon_auth_internal.better_auth_rows('user', ids) r
              LEFT JOIN neon_auth_internal.users_sync u ON u.id = r.id
              LEFT JOIN neon_auth_internal.source s ON true
             CROSS JOIN LATERAL (
                   SELECT coalesce(string_agg(p.permission_id, ',' ORDER BY p.permission_id COLLATE "C"), '') AS roles,
                          bool_or(p.inherited) AS has_inherited
                     FROM neon_auth_internal.project_permissions_sync p
                    WHERE p.user_id = r.id) AS p
             WHERE u.id IS NULL OR u.raw_json <> r.object
                OR CASE WHEN r.object IS NOT NULL THEN u.deleted_at IS NOT NULL
                        ELSE u.deleted_at IS NULL AND neon_auth_internal.is_of_provider(u.raw_json, s.provider) END
                OR r.roles <> p.roles OR (r.roles IS NOT NULL AND p.has_inherited));
    ELSIF part = 'teams' THEN
        RETURN NOT EXISTS (
            SELECT FROM neon_auth_internal.better_auth_rows('team', ids) r
              LEFT JOIN neon_auth_internal.teams_sync t ON t.id = r.id
             WHERE t.id IS NULL OR (t.deleted_at IS NULL) <> (r.object IS NOT NULL) OR t.raw_json <> r.object);
    END IF;
    RETURN NOT EXISTS (
        WITH source AS MATERIALIZED (
            SELECT s.team_id, s.user_id, s.permission_id, bool_and(s.inherited) AS inherited
              FROM neon_auth_internal.better_auth_memberships(ids, users) s
             GROUP BY 1, 2, 3
        ), given AS MATERIALIZED (
            SELECT DISTINCT pair.team_id, pair.user_id FROM unnest(ids, users) AS pair(team_id, user_id)
        ), mirrored AS MATERIALIZED (
            SELECT m.team_id, m.user_id, NULL::text AS permission_id, false AS inherited
              FROM given
              JOIN neon_auth_internal.team_members_sync m USING (team_id, user_id)
             UNION ALL
            SELECT p.team_id, p.user_id, p.permission_id, p.inherited
              FROM given
              JOIN neon_auth_internal.team_permissions_sync p USING (team_id, user_id)
        )
        (TABLE source EXCEPT TABLE mirrored) UNION ALL (TABLE mirrored EXCEPT TABLE source));
END
$$;
COMMENT ON FUNCTION neon_auth_internal.is_refreshed(text, text[], text[]) IS
    'Returns true if users, teams, or memberships of teams and users, are in the mirror as in Better Auth';

CREATE FUNCTION neon_auth_internal.confirm_refresh(part text, ids text[], users text[]) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'neon_auth_confirm_refresh';
COMMENT ON FUNCTION neon_auth_internal.confirm_refresh(text, text[], text[]) IS
    'Raises an error if what was refreshed may be, and is, not what Better Auth has in the latest state';

-- are_new: this transaction has inserted the rows, so no other one can have changed them. Returns how many rows of
-- the mirror changed.
CREATE FUNCTION neon_auth_internal.refresh_users(ids text[], are_new boolean) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off
AS $$
DECLARE
    locked bigint := 0;
    inserted bigint := 0;
    changed bigint;
BEGIN
    IF NOT are_new THEN
        PERFORM FROM neon_auth_internal.users_sync u WHERE u.id = ANY (ids) ORDER BY u.id FOR NO KEY UPDATE OF u;
        GET DIAGNOSTICS locked = ROW_COUNT;
    END IF;
    IF locked < cardinality(ids) THEN
        WITH source AS MATERIALIZED (
            SELECT r.id, r.object, r.roles, clock_timestamp() AS moment
              FROM neon_auth_internal.better_auth_rows('user', ids) r
        ), new AS (
            INSERT INTO neon_auth_internal.users_sync AS u (raw_json, updated_at, deleted_at)
            SELECT coalesce(s.object, jsonb_build_object('id', s.id)), s.moment,
                   CASE WHEN s.object IS NULL THEN s.moment END
              FROM source s
                ON CONFLICT (id) DO NOTHING
            RETURNING u.id
        ), granted AS (
            INSERT INTO neon_auth_internal.project_permissions_sync (user_id, permission_id)
            SELECT n.id, role
              FROM source s
              JOIN new n ON n.id = s.id
             CROSS JOIN LATERAL unnest(string_to_array(s.roles, ',')) AS role
             WHERE s.roles <> ''
                ON CONFLICT (user_id, permission_id) DO NOTHING
        )
        SELECT count(*) INTO inserted FROM new;
        IF are_new AND inserted = cardinality(ids) THEN
            PERFORM neon_auth_internal.confirm_refresh('users', ids, '{}');
            RETURN inserted;
        END IF;
        -- Others were inserted by another transaction, which has committed.
        IF locked + inserted < cardinality(ids) THEN
            PERFORM FROM neon_auth_internal.users_sync u WHERE u.id = ANY (ids) ORDER BY u.id FOR NO KEY UPDATE OF u;
        END IF;
    END IF;
    WITH source AS MATERIALIZED (
        SELECT r.id, r.object, r.roles FROM neon_auth_internal.better_auth_rows('user', ids) r
    ), written AS (
        UPDATE neon_auth_internal.users_sync u
           SET raw_json = coalesce(s.object, u.raw_json), updated_at = clock_timestamp(),
               deleted_at = CASE WHEN s.object IS NULL THEN clock_timestamp() END
          FROM source s
         WHERE u.id = s.id
           AND CASE WHEN s.object IS NULL
                    THEN u.deleted_at IS NULL AND neon_auth_internal.is_of_provider(
                             u.raw_json, (SELECT f.provider FROM neon_auth_internal.source f))
                    ELSE u.deleted_at IS NOT NULL OR u.raw_json <> s.object END
        RETURNING 1
    ), revoked AS (
        DELETE FROM neon_auth_internal.project_permissions_sync p
         USING source s
         WHERE p.user_id = s.id AND NOT p.permission_id = ANY (string_to_array(s.roles, ','))
        RETURNING 1
    ), granted AS (
        INSERT INTO neon_auth_internal.project_permissions_sync AS p (user_id, permission_id)
        SELECT s.id, role
          FROM source s
         CROSS JOIN LATERAL unnest(string_to_array(s.roles, ',')) AS role
         WHERE s.roles <> ''
            ON CONFLICT (user_id, permission_id) DO UPDATE
           SET inherited = false, created_at = clock_timestamp() WHERE p.inherited
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM written) + (SELECT count(*) FROM revoked) + (SELECT count(*) FROM granted)
      INTO changed;
    PERFORM neon_auth_internal.confirm_refresh('users', ids, '{}');
    RETURN inserted + changed;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.refresh_users(text[], boolean) IS
    'Makes users of the mirror, and their permissions in the project, equal to Better Auth''s; counts changed rows';

CREATE FUNCTION neon_auth_internal.refresh_teams(ids text[], are_new boolean) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off
AS $$
DECLARE
    locked bigint := 0;
    inserted bigint := 0;
    changed bigint;
BEGIN
    IF NOT are_new THEN
        PERFORM FROM neon_auth_internal.teams_sync t WHERE t.id = ANY (ids) ORDER BY t.id FOR NO KEY UPDATE OF t;
        GET DIAGNOSTICS locked = ROW_COUNT;
    END IF;
    IF locked < cardinality(ids) THEN
        INSERT INTO neon_auth_internal.teams_sync (raw_json, updated_at, deleted_at)
        SELECT coalesce(r.object, jsonb_build_object('id', r.id)), clock_timestamp(),
               CASE WHEN r.object IS NULL THEN clock_timestamp() END
          FROM neon_auth_internal.better_auth_rows('team', ids) r
            ON CONFLICT (id) DO NOTHING;
        GET DIAGNOSTICS inserted = ROW_COUNT;
        IF are_new AND inserted = cardinality(ids) THEN
            PERFORM neon_auth_internal.confirm_refresh('teams', ids, '{}');
            RETURN inserted;
        END IF;
        IF locked + inserted < cardinality(ids) THEN
            PERFORM FROM neon_auth_internal.teams_sync t WHERE t.id = ANY (ids) ORDER BY t.id FOR NO KEY UPDATE OF t;
        END IF;
    END IF;
    UPDATE neon_auth_internal.teams_sync t
       SET raw_json = coalesce(s.object, t.raw_json), updated_at = clock_timestamp(),
           deleted_at = CASE WHEN s.object IS NULL THEN clock_timestamp() END
      FROM neon_auth_internal.better_auth_rows('team', ids) s
     WHERE t.id = s.id
       AND CASE WHEN s.object IS NULL THEN t.deleted_at IS NULL
                ELSE t.deleted_at IS NOT NULL OR t.raw_json <> s.object END;
    GET DIAGNOSTICS changed = ROW_COUNT;
    PERFORM neon_auth_internal.confirm_refresh('teams', ids, '{}');
    RETURN inserted + changed;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.refresh_teams(text[], boolean) IS
    'Makes teams of the mirror equal to the organizations and teams of Better Auth; counts changed rows';

CREATE FUNCTION neon_auth_internal.lock_teams(ids text[], exclusive boolean) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off
AS $$
DECLARE
    locked bigint;
BEGIN
    IF exclusive THEN
        PERFORM FROM neon_auth_internal.teams_sync t WHERE t.id = ANY (ids) ORDER BY t.id FOR NO KEY UPDATE OF t;
    ELSE
        PERFORM FROM neon_auth_internal.teams_sync t WHERE t.id = ANY (ids) ORDER BY t.id FOR SHARE OF t;
    END IF;
    GET DIAGNOSTICS locked = ROW_COUNT;
    RETURN locked;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.lock_teams(text[], boolean) IS
    'Locks teams against changes of their roles, or, exclusive, also of their memberships; counts them';

CREATE FUNCTION neon_auth_internal.lock_members(teams text[], users text[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off
AS $$
BEGIN
    PERFORM FROM neon_auth_internal.team_members_sync m
      WHERE (m.team_id, m.user_id) IN (SELECT * FROM unnest(teams, users))
      ORDER BY m.team_id, m.user_id FOR UPDATE OF m;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.lock_members(text[], text[]) IS 'Locks memberships, given as pairs';

-- The teams and users are pairs.
CREATE FUNCTION neon_auth_internal.refresh_members(teams text[], users text[], exclusive boolean) RETURNS bigint
LANGUAGE plpgsql SET enable_seqscan = off
AS $$
DECLARE
    locked constant bigint := neon_auth_internal.lock_teams(teams, exclusive);
    missing bigint;
    inserted bigint;
    changed bigint;
BEGIN
    IF locked < cardinality(teams) AND locked < (SELECT count(DISTINCT team) FROM unnest(teams) AS team) THEN
        PERFORM neon_auth_internal.refresh_teams(ARRAY(
            SELECT DISTINCT team FROM unnest(teams) AS team
             WHERE NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = team)
             ORDER BY team), false);
        PERFORM neon_auth_internal.lock_teams(teams, exclusive);
    END IF;
    PERFORM neon_auth_internal.lock_members(teams, users);
    WITH source AS MATERIALIZED (
        SELECT DISTINCT s.team_id, s.user_id
          FROM neon_auth_internal.better_auth_memberships(teams, users) s
         WHERE s.permission_id IS NULL
           AND NOT EXISTS (SELECT FROM neon_auth_internal.team_members_sync m
                            WHERE (m.team_id, m.user_id) = (s.team_id, s.user_id))
    ), new AS (
        INSERT INTO neon_auth_internal.team_members_sync (team_id, user_id)
        SELECT s.team_id, s.user_id FROM source s ORDER BY s.team_id, s.user_id
            ON CONFLICT (team_id, user_id) DO NOTHING
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM source), (SELECT count(*) FROM new) INTO missing, inserted;
    IF inserted < missing THEN
        -- Others were inserted by another transaction, which has committed.
        PERFORM neon_auth_internal.lock_members(teams, users);
    END IF;
    WITH source AS MATERIALIZED (
        -- The planner expects few rows of IS NULL, and would compare each pair with each row.
        SELECT s.team_id, s.user_id, s.permission_id, s.permission_id IS NULL AS is_membership,
               bool_and(s.inherited) AS inherited
          FROM neon_auth_internal.better_auth_memberships(teams, users) s
         GROUP BY 1, 2, 3
    ), given AS MATERIALIZED (
        SELECT DISTINCT pair.team_id, pair.user_id FROM unnest(teams, users) AS pair(team_id, user_id)
    ), ended AS (
        DELETE FROM neon_auth_internal.team_members_sync m
         USING given g
         WHERE (m.team_id, m.user_id) = (g.team_id, g.user_id)
           AND NOT EXISTS (SELECT FROM source s
                            WHERE s.team_id = m.team_id AND s.user_id = m.user_id AND s.is_membership)
        RETURNING 1
    ), revoked AS (
        DELETE FROM neon_auth_internal.team_permissions_sync p
         USING given g
         WHERE (p.team_id, p.user_id) = (g.team_id, g.user_id)
           AND NOT EXISTS (SELECT FROM source s
                            WHERE s.team_id = p.team_id AND s.user_id = p.user_id
                              AND s.permission_id = p.permission_id)
        RETURNING 1
    ), granted AS (
        INSERT INTO neon_auth_internal.team_permissions_sync AS p (team_id, user_id, permission_id, inherited)
        SELECT s.team_id, s.user_id, s.permission_id, s.inherited FROM source s WHERE s.permission_id IS NOT NULL
            ON CONFLICT (team_id, user_id, permission_id) DO UPDATE
           SET inherited = excluded.inherited, created_at = clock_timestamp()
         WHERE p.inherited <> excluded.inherited
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM ended) + (SELECT count(*) FROM revoked) + (SELECT count(*) FROM granted)
      INTO changed;
    PERFORM neon_auth_internal.confirm_refresh('members', teams, users);
    RETURN inserted + changed;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.refresh_members(text[], text[], boolean) IS
    'Makes memberships of the mirror and their permissions equal to Better Auth''s; counts changed rows';

-- For when the functions above fail, for example at a foreign key of the application to a membership. Without locks:
-- what the tables do not have now, and the mirror had before, is gone. No ids: everything.
CREATE FUNCTION neon_auth_internal.revoke_permissions(part text, ids text[], users text[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off
AS $$
DECLARE
    is_all constant boolean := cardinality(ids) = 0;
BEGIN
    IF part = 'users' THEN
        IF is_all THEN
            ids := ARRAY(SELECT DISTINCT p.user_id FROM neon_auth_internal.project_permissions_sync p);
        END IF;
        DELETE FROM neon_auth_internal.project_permissions_sync p
         USING neon_auth_internal.better_auth_rows('user', ids) s
         WHERE p.user_id = s.id AND NOT p.permission_id = ANY (string_to_array(s.roles, ','));
        RETURN;
    END IF;
    WITH source AS MATERIALIZED (
        SELECT s.team_id, s.user_id, s.permission_id
          FROM neon_auth_internal.better_auth_memberships(
                   CASE WHEN NOT is_all THEN ids END, CASE WHEN NOT is_all AND part = 'members' THEN users END) s
         GROUP BY 1, 2, 3
    ), given AS MATERIALIZED (
        SELECT p.team_id, p.user_id, p.permission_id
          FROM neon_auth_internal.team_permissions_sync p
         WHERE is_all OR (part = 'roles' AND p.team_id = ANY (ids))
         UNION
        SELECT p.team_id, p.user_id, p.permission_id
          FROM unnest(ids, users) AS pair(team_id, user_id)
          JOIN neon_auth_internal.team_permissions_sync p USING (team_id, user_id)
         WHERE part = 'members'
    ), gone AS MATERIALIZED (
        TABLE given EXCEPT TABLE source
    )
    DELETE FROM neon_auth_internal.team_permissions_sync p
     USING gone g
     WHERE (p.team_id, p.user_id, p.permission_id) = (g.team_id, g.user_id, g.permission_id);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.revoke_permissions(text, text[], text[]) IS
    'Deletes permissions of users, members or organizations'' roles that Better Auth no longer has';

CREATE FUNCTION neon_auth_internal.refresh_roles(organizations text[]) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off
AS $$
DECLARE
    locked constant bigint := neon_auth_internal.lock_teams(organizations, true);
    teams text[];
    users text[];
BEGIN
    SELECT array_agg(m.team_id), array_agg(m.user_id) INTO teams, users
      FROM (SELECT s.team_id, s.user_id FROM neon_auth_internal.better_auth_memberships(organizations) s
             UNION
            SELECT e.team_id, e.user_id FROM neon_auth_internal.team_members_sync e
             WHERE e.team_id = ANY (organizations)
             ORDER BY 1, 2) AS m;
    IF teams IS NOT NULL THEN
        PERFORM neon_auth_internal.refresh_members(teams, users, true);
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.refresh_roles(text[]) IS
    'Makes the permissions of all members of organizations equal to Better Auth''s';

-- What differs, as the caller's snapshot sees the mirror: hence STABLE. An id is NULL for each row of Better Auth
-- that the mirror cannot have.
CREATE FUNCTION neon_auth_internal.differing_users() RETURNS SETOF text
LANGUAGE sql STABLE ROWS 1000
AS $$
    SELECT coalesce(r.id, u.id)
      FROM neon_auth_internal.better_auth_rows('user') r
      FULL JOIN neon_auth_internal.users_sync u ON u.id = r.id
      LEFT JOIN neon_auth_internal.source s ON true
      LEFT JOIN (SELECT p.user_id, string_agg(p.permission_id, ',' ORDER BY p.permission_id COLLATE "C") AS roles,
                        bool_or(p.inherited) AS has_inherited
                   FROM neon_auth_internal.project_permissions_sync p
                  GROUP BY p.user_id) AS p ON p.user_id = coalesce(r.id, u.id)
     WHERE CASE WHEN r.object IS NULL
                THEN u.id IS NULL OR p.user_id IS NOT NULL
                     OR u.deleted_at IS NULL AND neon_auth_internal.is_of_provider(u.raw_json, s.provider)
                ELSE u.id IS NULL OR u.deleted_at IS NOT NULL OR u.raw_json <> r.object
                     OR r.roles <> coalesce(p.roles, '') OR (r.roles IS NOT NULL AND p.has_inherited) END;
$$;
COMMENT ON FUNCTION neon_auth_internal.differing_users() IS
    'Users of the mirror and of Better Auth that differ; NULL for a row that the mirror cannot have';

CREATE FUNCTION neon_auth_internal.differing_teams() RETURNS SETOF text
LANGUAGE sql STABLE ROWS 1000
AS $$
    SELECT coalesce(r.id, t.id)
      FROM neon_auth_internal.better_auth_rows('team') r
      FULL JOIN neon_auth_internal.teams_sync t ON t.id = r.id
     WHERE CASE WHEN r.object IS NULL THEN t.id IS NULL OR t.deleted_at IS NULL
                ELSE t.id IS NULL OR t.deleted_at IS NOT NULL OR t.raw_json <> r.object END;
$$;
COMMENT ON FUNCTION neon_auth_internal.differing_teams() IS
    'Teams of the mirror and of Better Auth that differ; NULL for a row that the mirror cannot have';

CREATE FUNCTION neon_auth_internal.differing_members(OUT team_id text, OUT user_id text) RETURNS SETOF record
LANGUAGE sql STABLE ROWS 1000
AS $$
    WITH source AS MATERIALIZED (
        SELECT s.team_id, s.user_id, s.permission_id, bool_and(s.inherited) AS inherited
          FROM neon_auth_internal.better_auth_memberships() s
         WHERE s.team_id IS NOT NULL
         GROUP BY 1, 2, 3
    ), mirrored AS MATERIALIZED (
        SELECT m.team_id, m.user_id, NULL::text AS permission_id, false AS inherited
          FROM neon_auth_internal.team_members_sync m
         UNION ALL
        SELECT p.team_id, p.user_id, p.permission_id, p.inherited FROM neon_auth_internal.team_permissions_sync p
    )
    SELECT d.team_id, d.user_id
      FROM ((TABLE source EXCEPT TABLE mirrored) UNION ALL (TABLE mirrored EXCEPT TABLE source)) AS d
     GROUP BY 1, 2
     UNION ALL
    SELECT s.team_id, s.user_id FROM neon_auth_internal.better_auth_memberships() s WHERE s.team_id IS NULL
     ORDER BY 1, 2;
$$;
COMMENT ON FUNCTION neon_auth_internal.differing_members() IS
    'Memberships whose rows in the mirror and in Better Auth differ; NULL for a row that the mirror cannot have';

-- The mirror may contain the users of another service, all of which would be marked as deleted.
CREATE FUNCTION neon_auth_internal.refresh_all(part text) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    size constant integer := 5000;
    changed bigint := 0;
    ids text[];
    teams text[];
    users text[];
BEGIN
    IF part = 'users' THEN
        ids := ARRAY(SELECT id FROM neon_auth_internal.differing_users() AS id WHERE id IS NOT NULL ORDER BY id);
        FOR place IN 1 .. cardinality(ids) BY size LOOP
            changed := changed + neon_auth_internal.refresh_users(ids[place : place + size - 1], false);
        END LOOP;
    ELSIF part = 'teams' THEN
        ids := ARRAY(SELECT id FROM neon_auth_internal.differing_teams() AS id WHERE id IS NOT NULL ORDER BY id);
        FOR place IN 1 .. cardinality(ids) BY size LOOP
            changed := changed + neon_auth_internal.refresh_teams(ids[place : place + size - 1], false);
        END LOOP;
    ELSE
        SELECT array_agg(d.team_id), array_agg(d.user_id) INTO teams, users
          FROM neon_auth_internal.differing_members() d WHERE d.team_id IS NOT NULL;
        FOR place IN 1 .. coalesce(cardinality(teams), 0) BY size LOOP
            changed := changed + neon_auth_internal.refresh_members(
                teams[place : place + size - 1], users[place : place + size - 1], true);
        END LOOP;
    END IF;
    PERFORM neon_auth_internal.confirm_refresh(part, '{}', '{}');
    RETURN changed;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.refresh_all(text) IS
    'Makes all users, teams or members of the mirror equal to Better Auth''s in one transaction; counts changed rows';
