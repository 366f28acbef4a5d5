-- The data of a dump of a Neon database loads as it is.
BEGIN;
COPY neon_auth.users_sync (raw_json, updated_at, deleted_at) FROM stdin;
{"id": "11111111-1111-4111-8111-111111111111", "display_name": "Alice Example", "has_password": true, "primary_email": "alice@example.com", "selected_team": null, "auth_with_email": true, "client_metadata": null, "oauth_providers": [], "server_metadata": null, "otp_auth_enabled": false, "selected_team_id": null, "profile_image_url": null, "requires_totp_mfa": false, "signed_up_at_millis": 1746543210987, "passkey_auth_enabled": false, "last_active_at_millis": 1746543210987, "primary_email_verified": false, "client_read_only_metadata": null, "primary_email_auth_enabled": true}	2025-05-06 14:53:31+00	\N
{"id": "22222222-2222-4222-8222-222222222222", "display_name": "Bob Example", "primary_email": null, "signed_up_at_millis": 1746543211000}	2025-05-07 00:00:00+00	2025-05-08 00:00:00+00
\.
SELECT id, name, email, created_at AT TIME ZONE 'UTC' AS created_at,
       updated_at AT TIME ZONE 'UTC' AS updated_at, deleted_at AT TIME ZONE 'UTC' AS deleted_at
  FROM neon_auth.users_sync ORDER BY id;
-- What a client writes today continues from there.
SELECT neon_auth.upsert_user('{"id": "11111111-1111-4111-8111-111111111111", "display_name": "Alice B. Example"}');
SELECT neon_auth.upsert_user('{"id": "22222222-2222-4222-8222-222222222222", "display_name": "Back again"}');
ROLLBACK;

-- The columns made from raw_json cannot be written.
INSERT INTO neon_auth.users_sync (id, raw_json) VALUES ('u1', '{"id": "u2"}');
\echo :SQLSTATE
COPY neon_auth.users_sync (raw_json, id) FROM '/dev/null';
\echo :SQLSTATE
UPDATE neon_auth.users_sync SET name = 'Alice Example';
\echo :SQLSTATE
