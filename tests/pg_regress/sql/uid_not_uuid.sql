-- auth.uid() is the subject where that is a uuid as uuids are written, and NULL otherwise: two
-- subjects that differ must not become one uid.
\pset null '-'
BEGIN;
CREATE FUNCTION pg_temp.uid_of(subject text) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.impersonate(subject);
    IF auth.user_id() <> subject THEN
        RAISE EXCEPTION 'user_id is another';
    END IF;
    RETURN auth.uid();
END
$$;
SELECT subject, pg_temp.uid_of(subject) AS uid
  FROM unnest(ARRAY['11111111-1111-4111-8111-111111111111', 'aaaaaaaa-AAAA-4aaa-8aaa-aaaaaaaaaaaa',
                    '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
                    '11111111111141118111111111111111', '{11111111-1111-4111-8111-111111111111}',
                    'urn:uuid:11111111-1111-4111-8111-111111111111', ' 11111111-1111-4111-8111-111111111111',
                    '11111111-1111-4111-8111-11111111111', '11111111-1111-4111-8111-11111111111g',
                    '1111-11111111-4111-8111-111111111111', 'user_2abc', 'auth0|7', '7']) WITH ORDINALITY AS s(subject, n)
 ORDER BY n;
ROLLBACK;
