-- What the mirror's measurements need: users as the auth service tells of them, in arrays of a
-- thousand, and the bare statement to compare with.

CREATE FUNCTION bench.user(number integer, version integer) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'id', md5(number::text)::uuid, 'display_name', format('User %s, version %s', number, version),
        'primary_email', format('user-%s@example.com', number), 'primary_email_verified', true,
        'primary_email_auth_enabled', true, 'profile_image_url', format('https://images.example.com/%s', md5(number::text)),
        'signed_up_at_millis', 1700000000000 + number, 'last_active_at_millis', 1750000000000 + version,
        'has_password', true, 'otp_auth_enabled', false, 'passkey_auth_enabled', false, 'is_anonymous', false,
        'is_restricted', false, 'restricted_reason', NULL, 'restricted_by_admin', false,
        'restricted_by_admin_reason', NULL, 'restricted_by_admin_private_details', NULL, 'country_code', 'DE',
        'auth_with_email', true, 'requires_totp_mfa', false, 'client_metadata', '{"theme": "dark"}'::jsonb,
        'client_read_only_metadata', NULL, 'server_metadata', '{"plan": "pro"}'::jsonb, 'selected_team_id', NULL,
        'selected_team', NULL) || jsonb_build_object(
        'oauth_providers', jsonb_build_array(jsonb_build_object(
            'id', 'google', 'account_id', md5(number::text), 'email', format('user-%s@example.com', number))))
$$;

-- In the order in which the auth service lists them, which is not that of their ids.
CREATE TABLE bench.arrays AS
SELECT version, turn, jsonb_agg(bench.user(number, version) ORDER BY number) AS users
  FROM generate_series(0, 1) AS version, generate_series(0, 9) AS turn,
       generate_series(turn * 1000, turn * 1000 + 999) AS number
 GROUP BY 1, 2;

CREATE FUNCTION bench.bare_upsert(users jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE changed bigint;
BEGIN
    INSERT INTO neon_auth.users_sync (raw_json, updated_at)
    SELECT u, now() FROM jsonb_array_elements(users) AS u
        ON CONFLICT (id) DO UPDATE SET raw_json = excluded.raw_json, updated_at = excluded.updated_at;
    GET DIAGNOSTICS changed = ROW_COUNT;
    RETURN changed;
END $$;

-- Webhooks, signed by mirror.py, and their users for the bare statement.
CREATE TABLE bench.webhooks (n integer PRIMARY KEY, body text NOT NULL, headers jsonb NOT NULL, data text NOT NULL);

-- Teams to ask about: a few that the user is in, over and over; many, once each; and others.
CREATE TABLE bench.asked_member (team_id text NOT NULL);
CREATE TABLE bench.asked_once (team_id text NOT NULL);
CREATE TABLE bench.asked_stranger (team_id text NOT NULL);
