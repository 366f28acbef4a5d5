-- What the other tests stand on: the extension, a provider whose keys are pinned, and the roles
-- that applications use. Tokens are signed by the simulator, afresh for each test.
CREATE EXTENSION neon_auth;
SELECT neon_auth.setup_roles();

-- A login role for an application server, as README advises: it may act as both.
CREATE ROLE app LOGIN;
GRANT authenticated, anonymous TO app;
-- A login role that has been granted nothing at all.
CREATE ROLE stranger LOGIN;

\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';

-- Webhooks, signed here as Svix does, with the simulator's secret.
\set credentials `"$STACK" credentials`
SELECT neon_auth.set_secret('webhook_secret', :'credentials'::json ->> 'webhook_secret');
CREATE FUNCTION sign_webhook(body text, id text, epoch bigint DEFAULT extract(epoch FROM now()), secret text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    key bytea;
    inner_key bytea;
    outer_key bytea;
BEGIN
    secret := coalesce(secret, (SELECT value FROM neon_auth_internal.secrets WHERE name = 'webhook_secret'));
    key := decode(rpad(encode(decode(replace(secret, 'whsec_', ''), 'base64'), 'hex'), 128, '0'), 'hex');
    inner_key := key;
    outer_key := key;
    FOR n IN 0..63 LOOP
        inner_key := set_byte(inner_key, n, get_byte(key, n) # 54);
        outer_key := set_byte(outer_key, n, get_byte(key, n) # 92);
    END LOOP;
    RETURN jsonb_build_object(
        'svix-id', id, 'svix-timestamp', epoch::text,
        'svix-signature', 'v1,' || encode(sha256(outer_key || sha256(
            inner_key || convert_to(format('%s.%s.%s', id, epoch, body), 'UTF8'))), 'base64'));
END
$$;
CREATE FUNCTION deliver(event text, data jsonb, id text DEFAULT 'msg_' || gen_random_uuid()) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT neon_auth.handle_webhook(body, sign_webhook(body, id)) - '{message_id,event}'::text[]
      FROM (SELECT jsonb_build_object('type', event, 'data', data)::text) AS d(body)
$$;
