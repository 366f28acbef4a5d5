-- Deliveries of the auth service's webhooks: verified, applied once, answered.

CREATE TABLE neon_auth.deliveries (
    id text NOT NULL,
    event text NOT NULL,
    outcome jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deliveries_pkey PRIMARY KEY (id)
);
CREATE INDEX deliveries_received_at_idx ON neon_auth.deliveries (received_at);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.deliveries', '');
COMMENT ON TABLE neon_auth.deliveries IS 'The webhooks that were accepted, so that none counts twice; see neon_auth.prune_deliveries()';
COMMENT ON COLUMN neon_auth.deliveries.id IS 'The message''s id (svix-id), the same for every attempt to deliver it';
COMMENT ON COLUMN neon_auth.deliveries.event IS 'Its type, such as user.created';
COMMENT ON COLUMN neon_auth.deliveries.outcome IS 'What became of it, as neon_auth.handle_webhook() answered';
COMMENT ON COLUMN neon_auth.deliveries.received_at IS 'When it was accepted';
COMMENT ON INDEX neon_auth.deliveries_received_at_idx IS 'To forget old ones, and to find the last';

CREATE FUNCTION neon_auth.prune_deliveries(keep interval DEFAULT '90 days') RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pruned bigint;
BEGIN
    DELETE FROM neon_auth.deliveries WHERE received_at < now() - keep;
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END
$$;
COMMENT ON FUNCTION neon_auth.prune_deliveries(interval) IS
    'Forgets deliveries that are older, and answers how many. Keep more than 28 hours, for which the auth service retries';
REVOKE ALL ON FUNCTION neon_auth.prune_deliveries(interval) FROM PUBLIC;

-- The time is passed in, so that what it answers follows from its arguments alone.
CREATE FUNCTION neon_auth.verify_webhook(body text, headers jsonb, secrets text, at_epoch bigint) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'verify_webhook_wrapper';
COMMENT ON FUNCTION neon_auth.verify_webhook(text, jsonb, text, bigint) IS
    'Verifies a delivery''s signature (Svix, or standard-webhooks) and answers the message''s id';
REVOKE ALL ON FUNCTION neon_auth.verify_webhook(text, jsonb, text, bigint) FROM PUBLIC;

CREATE FUNCTION neon_auth.verify_delivery(body text, headers jsonb) RETURNS text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'verify_delivery_wrapper';
COMMENT ON FUNCTION neon_auth.verify_delivery(text, jsonb) IS
    'Verifies a delivery''s signature now, with the webhook_secret that is set, and answers the message''s id';
REVOKE ALL ON FUNCTION neon_auth.verify_delivery(text, jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.is_repeated(delivery text) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'is_repeated_wrapper';
COMMENT ON FUNCTION neon_auth.is_repeated(text) IS
    'Whether a delivery was accepted before; locks it until the transaction ends, so that none is in hand twice';
REVOKE ALL ON FUNCTION neon_auth.is_repeated(text) FROM PUBLIC;

-- From here to handle_webhook, which calls them, functions have no SET clause of their own: its
-- pinned search_path is in force, and each clause would cost every delivery some microseconds.
CREATE FUNCTION neon_auth.refuse_event(defect text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value',
        MESSAGE = 'webhook refused: its body is not that of an event',
        DETAIL = defect,
        HINT = 'An event is {"type": "user.created", "data": {"id": "...", ...}}.';
END
$$;
COMMENT ON FUNCTION neon_auth.refuse_event(text) IS 'Raises what is wrong with an event';
REVOKE ALL ON FUNCTION neon_auth.refuse_event(text) FROM PUBLIC;

CREATE FUNCTION neon_auth.parse_webhook(given text, what text) RETURNS jsonb
LANGUAGE plpgsql STRICT
AS $$
BEGIN
    RETURN given::jsonb;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    -- The same in our words: the original's context quotes what was given.
    RAISE EXCEPTION USING
        ERRCODE = sqlstate,
        MESSAGE = format('webhook refused: its %s is not JSON that PostgreSQL can hold', what),
        DETAIL = format('PostgreSQL says: %s.', sqlerrm),
        HINT = 'Pass headers and body as they came, the body byte for byte.';
END
$$;
COMMENT ON FUNCTION neon_auth.parse_webhook(text, text) IS 'The body of a delivery, or what stands for its headers, as jsonb';
REVOKE ALL ON FUNCTION neon_auth.parse_webhook(text, text) FROM PUBLIC;

CREATE FUNCTION neon_auth.apply_event(event text, data jsonb, delivery text) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    subject constant text := split_part(event, '.', 1);
    action constant text := split_part(event, '.', 2);
    defect text;
BEGIN
    IF event NOT IN ('user.created', 'user.updated', 'user.deleted', 'team.created', 'team.updated', 'team.deleted',
                     'team_membership.created', 'team_membership.deleted',
                     'team_permission.created', 'team_permission.deleted',
                     'project_permission.created', 'project_permission.deleted') THEN
        RETURN neon_auth.outcome('ignored', 'No table mirrors this event.');
    END IF;
    defect := CASE
        WHEN subject IN ('user', 'team') AND action = 'deleted' THEN neon_auth.id_defect(data, 'id')
        WHEN subject = 'user' THEN neon_auth.user_defect(data)
        WHEN subject = 'team' THEN neon_auth.team_defect(data)
        ELSE coalesce(CASE WHEN subject <> 'project_permission' THEN neon_auth.id_defect(data, 'team_id') END,
                      neon_auth.id_defect(data, 'user_id'),
                      CASE WHEN subject <> 'team_membership' THEN neon_auth.id_defect(data, 'id') END)
    END;
    IF defect IS NOT NULL THEN
        PERFORM neon_auth.refuse_event(defect);
    END IF;
    RETURN CASE subject
        WHEN 'user' THEN neon_auth.apply_user(action, data)
        WHEN 'team' THEN neon_auth.apply_team(action, data)
        WHEN 'team_membership' THEN neon_auth.apply_membership(action, data ->> 'team_id', data ->> 'user_id', delivery)
        WHEN 'team_permission' THEN
            neon_auth.apply_permission(action, data ->> 'team_id', data ->> 'user_id', data ->> 'id', delivery)
        WHEN 'project_permission' THEN neon_auth.apply_permission(action, NULL, data ->> 'user_id', data ->> 'id', delivery)
    END;
END
$$;
COMMENT ON FUNCTION neon_auth.apply_event(text, jsonb, text) IS 'Checks an event''s data and applies it';
REVOKE ALL ON FUNCTION neon_auth.apply_event(text, jsonb, text) FROM PUBLIC;

CREATE FUNCTION neon_auth.handle_webhook(body text, headers jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    message text;
    event jsonb;
    defect text;
    answer jsonb;
BEGIN
    -- After a lock, what others have committed meanwhile must be seen.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'webhooks are applied in READ COMMITTED transactions alone',
            DETAIL = format('This transaction is %s.', upper(current_setting('transaction_isolation'))),
            HINT = 'SET TRANSACTION ISOLATION LEVEL READ COMMITTED;';
    END IF;

    -- Functions in expressions of their own, where queries would take most of a delivery's time.
    message := neon_auth.verify_delivery(body, headers);
    event := neon_auth.parse_webhook(body, 'body');
    defect := coalesce(neon_auth.id_defect(event, 'type'), CASE WHEN NOT event ? 'data' THEN 'It has no member "data".' END);
    IF defect IS NOT NULL THEN
        PERFORM neon_auth.refuse_event(defect);
    END IF;

    IF neon_auth.is_repeated(message) THEN
        answer := neon_auth.outcome('duplicate');
    ELSE
        answer := neon_auth.apply_event(event ->> 'type', event -> 'data', message);
        INSERT INTO neon_auth.deliveries (id, event, outcome) VALUES (message, event ->> 'type', answer);
    END IF;
    RETURN jsonb_build_object('delivery', message, 'event', event -> 'type') || answer;
END
$$;
COMMENT ON FUNCTION neon_auth.handle_webhook(text, jsonb) IS
    'Verifies a webhook''s delivery, applies it once, and answers what was done. body: as it came, byte for byte; headers: an object. Grant it to whoever receives webhooks: the signature decides';
REVOKE ALL ON FUNCTION neon_auth.handle_webhook(text, jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.receive_webhook(text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    headers text := nullif(current_setting('request.headers', true), '');
BEGIN
    IF headers IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'there are no request headers',
            DETAIL = 'The setting request.headers, which PostgREST gives to each request, is empty.',
            HINT = 'SELECT neon_auth.handle_webhook(body, headers);';
    END IF;
    RETURN neon_auth.handle_webhook($1, neon_auth.parse_webhook(headers, 'setting request.headers'));
END
$$;
COMMENT ON FUNCTION neon_auth.receive_webhook(text) IS
    'neon_auth.handle_webhook(), with the headers that PostgREST puts into request.headers; takes the body as it came';
REVOKE ALL ON FUNCTION neon_auth.receive_webhook(text) FROM PUBLIC;
