-- Webhooks of the auth service: verifies each delivery and applies it once.

CREATE TABLE neon_auth.webhook_deliveries (
    id text NOT NULL,
    event text NOT NULL,
    outcome jsonb NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id)
);
CREATE VIEW neon_auth_internal.webhook_deliveries AS TABLE neon_auth.webhook_deliveries;
CREATE INDEX webhook_deliveries_received_at_idx ON neon_auth.webhook_deliveries (received_at);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.webhook_deliveries', '');
COMMENT ON TABLE neon_auth.webhook_deliveries IS
    'Accepted webhooks, so that each is applied once; see neon_auth.prune_webhook_deliveries()';
COMMENT ON COLUMN neon_auth.webhook_deliveries.id IS 'Message id (svix-id), the same for every attempt at delivery';
COMMENT ON COLUMN neon_auth.webhook_deliveries.event IS 'Type of the event, such as user.created';
COMMENT ON COLUMN neon_auth.webhook_deliveries.outcome IS 'Outcome, as neon_auth.handle_webhook() returned it';
COMMENT ON COLUMN neon_auth.webhook_deliveries.received_at IS 'Start of the transaction that accepted it';
COMMENT ON INDEX neon_auth.webhook_deliveries_received_at_idx IS 'To delete old deliveries and to find the last one';

CREATE FUNCTION neon_auth.prune_webhook_deliveries(older_than interval DEFAULT '90 days') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    pruned bigint;
BEGIN
    IF older_than IS NULL OR older_than < interval '0' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'older_than must not be negative or NULL',
            DETAIL = format('It is %s.', coalesce(older_than::text, 'NULL')),
            HINT = 'For example: SELECT neon_auth.prune_webhook_deliveries(''90 days'');';
    END IF;
    DELETE FROM neon_auth_internal.webhook_deliveries WHERE received_at < now() - older_than;
    GET DIAGNOSTICS pruned = ROW_COUNT;
    RETURN pruned;
END
$$;
COMMENT ON FUNCTION neon_auth.prune_webhook_deliveries(interval) IS
    'Deletes older deliveries and returns how many. Keep more than 28 hours, for which the auth service retries';
REVOKE ALL ON FUNCTION neon_auth.prune_webhook_deliveries(interval) FROM PUBLIC;

-- The time is an argument, so that the function is IMMUTABLE.
CREATE FUNCTION neon_auth_internal.verify_webhook(body text, headers jsonb, secrets text, at_epoch bigint) RETURNS text
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'verify_webhook_wrapper';
COMMENT ON FUNCTION neon_auth_internal.verify_webhook(text, jsonb, text, bigint) IS
    'Verifies a delivery''s signature (Svix, or standard-webhooks) and returns the message id';

-- The library applies users that are created or updated.
CREATE FUNCTION neon_auth_internal.apply_event(subject text, action text, data jsonb, message_id text) RETURNS jsonb
LANGUAGE plpgsql
AS $$
BEGIN
    CASE subject
        WHEN 'user' THEN
            RETURN neon_auth_internal.apply_deleted_user(data ->> 'id');
        WHEN 'team' THEN
            RETURN neon_auth_internal.apply_team(action, data);
        WHEN 'team_membership' THEN
            RETURN neon_auth_internal.apply_membership(action, data ->> 'team_id', data ->> 'user_id', message_id);
        WHEN 'team_permission' THEN
            RETURN neon_auth_internal.apply_permission(
                action, data ->> 'team_id', data ->> 'user_id', data ->> 'id', message_id);
        ELSE
            -- project_permission; the library calls it for no other event.
            RETURN neon_auth_internal.apply_permission(action, NULL, data ->> 'user_id', data ->> 'id', message_id);
    END CASE;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_event(text, text, jsonb, text) IS
    'Applies an event that is not of a created or updated user; returns the outcome';

-- Without a search_path of its own, for functions of the extension that pin one. enable_seqscan is off because the
-- library keeps its plans, and a table that had one row when they were made may soon have a million.
CREATE FUNCTION neon_auth_internal.handle_webhook(body text, headers jsonb) RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE SET enable_seqscan = off AS 'MODULE_PATHNAME', 'neon_auth_handle_webhook';
COMMENT ON FUNCTION neon_auth_internal.handle_webhook(text, jsonb) IS
    'The body of neon_auth.handle_webhook(), for other functions of the extension';

CREATE FUNCTION neon_auth.handle_webhook(body text, headers jsonb) RETURNS jsonb
LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS 'MODULE_PATHNAME', 'neon_auth_handle_webhook';
COMMENT ON FUNCTION neon_auth.handle_webhook(text, jsonb) IS
    'Verifies a delivery, applies it once, returns the outcome. body: the raw text; headers: an object. Grant it '
    'to the relay, which need not be trusted';
REVOKE ALL ON FUNCTION neon_auth.handle_webhook(text, jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth_internal.parse_headers(headers text) RETURNS jsonb
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'parse_headers_wrapper';
COMMENT ON FUNCTION neon_auth_internal.parse_headers(text) IS 'Parses a delivery''s headers';

CREATE FUNCTION neon_auth.postgrest_webhook(text) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    headers text := nullif(current_setting('request.headers', true), '');
BEGIN
    IF headers IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'there are no request headers',
            DETAIL = 'The setting request.headers, which PostgREST sets for each request, is empty.',
            HINT = 'SELECT neon_auth.handle_webhook(body, headers);';
    END IF;
    RETURN neon_auth_internal.handle_webhook($1, neon_auth_internal.parse_headers(headers));
END
$$;
COMMENT ON FUNCTION neon_auth.postgrest_webhook(text) IS
    'neon_auth.handle_webhook() with the raw body and the headers that PostgREST puts into request.headers';
REVOKE ALL ON FUNCTION neon_auth.postgrest_webhook(text) FROM PUBLIC;
