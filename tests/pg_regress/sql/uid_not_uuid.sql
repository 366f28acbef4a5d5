-- auth.uid() is the subject where that is a uuid as PostgreSQL writes it, and NULL otherwise: two
-- subjects that differ, be it in the case of a letter, must not become one uid. The same for the
-- id of an organization.
\pset null '-'
BEGIN;
CREATE FUNCTION pg_temp.uid_of(subject text) RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.impersonate(subject, jsonb_build_object('o', jsonb_build_object('id', subject)));
    IF auth.user_id() <> subject THEN
        RAISE EXCEPTION 'user_id is another';
    END IF;
    IF auth.organization_id() IS DISTINCT FROM auth.uid() THEN
        RAISE EXCEPTION 'organization_id is another';
    END IF;
    RETURN auth.uid();
END
$$;
SELECT subject, pg_temp.uid_of(subject) AS uid
  FROM unnest(ARRAY['11111111-1111-4111-8111-111111111111', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa',
                    'aaaaaaaa-AAAA-4aaa-8aaa-aaaaaaaaaaaa', 'AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA',
                    '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff',
                    '11111111111141118111111111111111', '{11111111-1111-4111-8111-111111111111}',
                    'urn:uuid:11111111-1111-4111-8111-111111111111', ' 11111111-1111-4111-8111-111111111111',
                    '11111111-1111-4111-8111-11111111111', '11111111-1111-4111-8111-11111111111g',
                    '1111-11111111-4111-8111-111111111111', 'user_2abc', 'auth0|7', '7']) WITH ORDINALITY AS s(subject, n)
 ORDER BY n;
ROLLBACK;
