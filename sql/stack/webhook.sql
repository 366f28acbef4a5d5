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

CREATE FUNCTION neon_auth_internal.open_delivery(
    body text, headers jsonb,
    OUT id text, OUT event text, OUT repeated boolean, OUT subject text, OUT action text, OUT data jsonb)
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'open_delivery_wrapper';
COMMENT ON FUNCTION neon_auth_internal.open_delivery(text, jsonb) IS
    'Verifies a delivery and locks its id; returns id, event, if it is repeated, and what to apply (subject NULL: '
    'nothing)';

-- Statements instead of one expression: PL/pgSQL prepares a whole expression in each transaction, with every
-- function in it.
CREATE FUNCTION neon_auth_internal.handle_webhook(body text, headers jsonb) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    given constant record := neon_auth_internal.open_delivery(body, headers);
    answer jsonb;
BEGIN
    IF given.repeated THEN
        answer := neon_auth_internal.outcome('duplicate');
    ELSE
        CASE given.subject
            WHEN 'user' THEN
                answer := neon_auth_internal.apply_user(given.action, given.data);
            WHEN 'team' THEN
                answer := neon_auth_internal.apply_team(given.action, given.data);
            WHEN 'team_membership' THEN
                answer := neon_auth_internal.apply_membership(
                    given.action, given.data ->> 'team_id', given.data ->> 'user_id', given.id);
            WHEN 'team_permission' THEN
                answer := neon_auth_internal.apply_permission(
                    given.action, given.data ->> 'team_id', given.data ->> 'user_id', given.data ->> 'id', given.id);
            WHEN 'project_permission' THEN
                answer := neon_auth_internal.apply_permission(
                    given.action, NULL, given.data ->> 'user_id', given.data ->> 'id', given.id);
            ELSE
                answer := neon_auth_internal.outcome('ignored', 'No table mirrors this event.');
        END CASE;
        INSERT INTO neon_auth_internal.webhook_deliveries (id, event, outcome) VALUES (given.id, given.event, answer);
    END IF;
    RETURN jsonb_build_object('message_id', given.id, 'event', given.event) || answer;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.handle_webhook(text, jsonb) IS
    'The body of neon_auth.handle_webhook(), for other functions of the extension';

CREATE FUNCTION neon_auth.handle_webhook(body text, headers jsonb) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN neon_auth_internal.handle_webhook(body, headers);
END
$$;
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
