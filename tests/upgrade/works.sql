-- That what is there works: keys, policies, foreign keys, functions. Any surprise is an error.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
\set alice `"$STACK" token --sub alice`
SELECT set_config('test.alice', :'alice', false);
SET SESSION AUTHORIZATION app;
DO $$
BEGIN
    ASSERT auth.user_id() IS NULL;
    SET LOCAL ROLE authenticated;
    ASSERT (SELECT count(*) FROM todos) = 0, 'nobody sees nothing';
    ASSERT auth.authenticate(current_setting('test.alice')) = 'alice';
    ASSERT (SELECT array_agg(id ORDER BY id) FROM todos) = '{1,3}', 'her own and those of her team';
    ASSERT (auth.profile()).name = 'Alice Example';
    INSERT INTO todos (id) VALUES (100);
    BEGIN
        INSERT INTO todos (id, user_id) VALUES (101, 'carol');
        RAISE 'she wrote for another';
    EXCEPTION WHEN insufficient_privilege THEN NULL;
    END;
    BEGIN
        PERFORM auth.authenticate(overlay(current_setting('test.alice') PLACING 'AAAA' FROM length(current_setting('test.alice')) - 9));
        RAISE 'a forged token was accepted';
    EXCEPTION WHEN invalid_authorization_specification THEN NULL;
    END;
END
$$;
RESET SESSION AUTHORIZATION;
DO $$
BEGIN
    BEGIN
        INSERT INTO todos VALUES (102, 'nobody');
        RAISE 'there is no foreign key';
    EXCEPTION WHEN foreign_key_violation THEN NULL;
    END;
    ASSERT neon_auth.upsert_user('{"id": "erin"}');
    ASSERT NOT neon_auth.upsert_user('{"id": "bob", "display_name": "late"}'), 'a deletion is final';
    ASSERT neon_auth_internal.apply_event('user', 'deleted', '{"id": "erin"}', 'msg_1') ->> 'outcome' = 'applied';
END
$$;
-- Back to what it was.
DELETE FROM todos WHERE id = 100;
DELETE FROM neon_auth.users_sync WHERE id = 'erin';
DELETE FROM neon_auth.sync_queue WHERE user_id = 'erin';
