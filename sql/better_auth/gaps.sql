-- Changes that the mirror of Better Auth lacks.

-- Each row is one change that the mirror lacks. Without a key: a writer must not wait for another one here.
CREATE TABLE neon_auth_internal.mirror_gaps (
    what text NOT NULL,
    id text,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    run bigint
);
COMMENT ON TABLE neon_auth_internal.mirror_gaps IS
    'Changes of Better Auth that could not be written to the mirror; neon_auth.sync() or a worker repairs them';
COMMENT ON COLUMN neon_auth_internal.mirror_gaps.what IS 'The changed table, by the name of its model';
COMMENT ON COLUMN neon_auth_internal.mirror_gaps.id IS 'The user or the team; NULL if several or unknown';
COMMENT ON COLUMN neon_auth_internal.mirror_gaps.reason IS 'Why it could not be written';
COMMENT ON COLUMN neon_auth_internal.mirror_gaps.at IS 'Time of the change';
COMMENT ON COLUMN neon_auth_internal.mirror_gaps.run IS
    'The run of sync() that is repairing it, or that could not; NULL if none began';

-- Sequences need no room on the disk, and remember also what a transaction undoes.
CREATE SEQUENCE neon_auth_internal.mirror_gaps_unrecorded;
COMMENT ON SEQUENCE neon_auth_internal.mirror_gaps_unrecorded IS
    'Counts changes that could be written neither to the mirror nor to mirror_gaps, for example on a full disk';
CREATE SEQUENCE neon_auth_internal.mirror_gaps_repaired;
COMMENT ON SEQUENCE neon_auth_internal.mirror_gaps_repaired IS
    'The value of mirror_gaps_unrecorded when the last complete run of sync() began';

CREATE FUNCTION neon_auth_internal.note_gaps(what text, ids text[], reason text) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    most constant integer := 100;
BEGIN
    INSERT INTO neon_auth_internal.mirror_gaps (what, id, reason)
    SELECT note_gaps.what, given.id, note_gaps.reason FROM unnest(note_gaps.ids[1:most]) AS given(id);
    IF cardinality(ids) NOT BETWEEN 1 AND most THEN
        INSERT INTO neon_auth_internal.mirror_gaps (what, reason) VALUES (note_gaps.what, note_gaps.reason);
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.note_gaps(text, text[], text) IS 'Records changes that the mirror lacks';

CREATE FUNCTION neon_auth_internal.unrecorded_gaps() RETURNS bigint
LANGUAGE sql
AS $$
    SELECT nullif((SELECT CASE WHEN u.is_called THEN u.last_value ELSE 0 END
                     FROM neon_auth_internal.mirror_gaps_unrecorded u),
                  (SELECT CASE WHEN r.is_called THEN r.last_value ELSE 0 END
                     FROM neon_auth_internal.mirror_gaps_repaired r));
$$;
COMMENT ON FUNCTION neon_auth_internal.unrecorded_gaps() IS
    'Returns the value of mirror_gaps_unrecorded if it has risen since the last complete run of sync(); NULL if not';

CREATE FUNCTION neon_auth_internal.has_gaps() RETURNS boolean
LANGUAGE sql
AS $$
    SELECT EXISTS (SELECT FROM neon_auth_internal.mirror_gaps) OR neon_auth_internal.unrecorded_gaps() IS NOT NULL;
$$;
COMMENT ON FUNCTION neon_auth_internal.has_gaps() IS 'Returns true if the mirror lacks changes';
