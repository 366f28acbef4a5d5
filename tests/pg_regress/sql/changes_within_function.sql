-- Inside a function the identity changes from one statement to the next, though plans are kept
-- and the readers are STABLE.
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
SELECT set_config('test.alice', :'alice', false) IS NOT NULL AND set_config('test.bob', :'bob', false) IS NOT NULL AS tokens_at_hand;
CREATE SCHEMA changes;
CREATE TABLE changes.t (owner text);
INSERT INTO changes.t VALUES ('alice'), ('bob'), ('bob');
CREATE FUNCTION changes.own() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM changes.t WHERE owner = auth.user_id()';
BEGIN;
DO $$
DECLARE
    round int;
    who text;
    rows bigint;
    asked bigint;
BEGIN
    FOR round IN 1 .. 2 LOOP
        PERFORM auth.authenticate(current_setting('test.alice'));
        who := auth.user_id();
        SELECT count(*) INTO rows FROM changes.t WHERE owner = auth.user_id();
        asked := changes.own();
        RAISE NOTICE '%: % %, in a variable %', who, rows, asked, (SELECT count(*) FROM changes.t WHERE owner = who);
        PERFORM auth.authenticate(current_setting('test.bob'));
        who := auth.user_id();
        SELECT count(*) INTO rows FROM changes.t WHERE owner = auth.user_id();
        asked := changes.own();
        RAISE NOTICE '%: % %, in a variable %', who, rows, asked, (SELECT count(*) FROM changes.t WHERE owner = who);
        PERFORM auth.logout();
        who := auth.user_id();
        SELECT count(*) INTO rows FROM changes.t WHERE owner = auth.user_id();
        asked := changes.own();
        RAISE NOTICE '%: % %', coalesce(who, 'nobody'), rows, asked;
    END LOOP;
END
$$;
COMMIT;
-- A VOLATILE function called for each row of one query sees each change that it makes.
CREATE FUNCTION changes.sign_in(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.authenticate(current_setting('test.' || name));
    RETURN auth.user_id();
END
$$;
BEGIN;
SELECT owner, changes.sign_in(owner) FROM changes.t ORDER BY owner;
SELECT auth.user_id();
COMMIT;
SET client_min_messages = warning;
DROP SCHEMA changes CASCADE;
