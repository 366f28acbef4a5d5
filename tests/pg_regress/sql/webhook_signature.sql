-- Only what the auth service has signed, and not long ago, counts.
\set SHOW_CONTEXT never
\set VERBOSITY default
-- The published test vector.
\set secret whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
\set body '{"test": 2432232314}'
\set headers '{"svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "svix-timestamp": "1614265330", "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}'
SELECT neon_auth_internal.verify_webhook(:'body', :'headers', :'secret', 1614265330);
-- The tests' own signatures are those of the vector.
SELECT sign_webhook(:'body', 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, :'secret') = :'headers'::jsonb AS same;

CREATE FUNCTION pg_temp.verdict(body text, headers jsonb, secrets text, at_epoch bigint DEFAULT 1614265330) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN 'accepted ' || neon_auth_internal.verify_webhook(body, headers, secrets, at_epoch);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s: %s. %s', sqlstate, sqlerrm, detail);
END
$$;
-- Five minutes either way, to the second.
SELECT age, pg_temp.verdict(:'body', :'headers', :'secret', 1614265330 + age)
  FROM unnest('{-301,-300,299,300,301,1000000000}'::bigint[]) AS age;
SELECT pg_temp.verdict(:'body', :'headers', :'secret', -9223372036854775808) AS long_ago;
-- Both clocks are told, and what to do.
SELECT neon_auth_internal.verify_webhook(:'body', :'headers', :'secret', 1614265330 + 3600);
SELECT neon_auth_internal.verify_webhook(:'body', :'headers', :'secret', 1614265330 - 3600);

-- Headers: both families of names, in any case, others ignored; each needs all three.
SELECT what, pg_temp.verdict(:'body', given, :'secret') AS verdict
  FROM (VALUES
    (1, 'any case', replace(replace(:'headers', 'svix-id', 'SVIX-ID'), 'svix-sig', 'Svix-Sig')::jsonb),
    (2, 'standard-webhooks', replace(:'headers', 'svix', 'webhook')::jsonb),
    (3, 'standard-webhooks in any case', replace(:'headers', 'svix', 'Webhook')::jsonb),
    (4, 'among others', :'headers'::jsonb || '{"host": "example.com", "accept": ["*"], "x": null, "webhook-id": "msg_other"}'),
    (5, 'no id', :'headers'::jsonb - 'svix-id'),
    (6, 'no timestamp', :'headers'::jsonb - 'svix-timestamp'),
    (7, 'no signature', :'headers'::jsonb - 'svix-signature'),
    (8, 'one of each family', :'headers'::jsonb - 'svix-id' || '{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek"}'),
    (9, 'none', '{}'),
    (10, 'NULL', NULL),
    (11, 'no object', '[]'),
    (12, 'JSON null', 'null'),
    (13, 'timestamp a number', :'headers'::jsonb || '{"svix-timestamp": 1614265330}'),
    (14, 'signature an array', :'headers'::jsonb || '{"svix-signature": ["v1,"]}'),
    (15, 'id null', :'headers'::jsonb || '{"svix-id": null}'),
    (16, 'id twice', :'headers'::jsonb || '{"Svix-Id": "msg_p5jXN8AQM9LWM0D4loKWxJek"}'),
    (17, 'id empty', :'headers'::jsonb || '{"svix-id": ""}'),
    (18, 'id with a dot', :'headers'::jsonb || '{"svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330"}'),
    (19, 'id too long', :'headers'::jsonb || jsonb_build_object('svix-id', repeat('m', 256))),
    (20, 'timestamp empty', :'headers'::jsonb || '{"svix-timestamp": ""}'),
    (21, 'timestamp a word', :'headers'::jsonb || '{"svix-timestamp": "now"}'),
    (22, 'timestamp signed', :'headers'::jsonb || '{"svix-timestamp": "+1614265330"}'),
    (23, 'timestamp negative', :'headers'::jsonb || '{"svix-timestamp": "-1614265330"}'),
    (24, 'timestamp beyond numbers', :'headers'::jsonb || '{"svix-timestamp": "99999999999999999999"}'),
    (25, 'timestamp in milliseconds', :'headers'::jsonb || '{"svix-timestamp": "1614265330000"}'),
    (26, 'timestamp spelled otherwise', :'headers'::jsonb || '{"svix-timestamp": "01614265330"}'),
    -- what jsonb holds and other parsers of JSON do not
    (27, 'among a number beyond floats', :'headers'::jsonb || '{"content-length": 1e400}'),
    (28, 'among a thousand levels', :'headers'::jsonb || jsonb_build_object('x', (repeat('[', 1000) || repeat(']', 1000))::jsonb)),
    (29, 'id a number beyond floats', :'headers'::jsonb || '{"svix-id": 1e400}'),
    (30, 'a number beyond floats', '1e400'),
    -- as PostgREST, Node and others give what may come more than once
    (31, 'arrays of one string each', (SELECT jsonb_object_agg(key, jsonb_build_array(value)) FROM jsonb_each(:'headers'))),
    (32, 'an array of two', :'headers'::jsonb || '{"svix-id": ["msg_p5jXN8AQM9LWM0D4loKWxJek", "msg_p5jXN8AQM9LWM0D4loKWxJek"]}'),
    (33, 'an empty array', :'headers'::jsonb || '{"svix-id": []}'),
    (34, 'an array of a number', :'headers'::jsonb || '{"svix-timestamp": [1614265330]}'),
    (35, 'an array in an array', :'headers'::jsonb || '{"svix-id": [["msg_p5jXN8AQM9LWM0D4loKWxJek"]]}'),
    (36, 'arrays in any case', (SELECT jsonb_object_agg(upper(key), jsonb_build_array(value)) FROM jsonb_each(:'headers')))
  ) AS v(n, what, given) ORDER BY n;

-- Signatures: any of them may fit; other versions and what is no base64 are passed over.
SELECT what, pg_temp.verdict(:'body', :'headers'::jsonb || jsonb_build_object('svix-signature', given), :'secret') AS verdict
  FROM (VALUES
    (1, 'second of two', 'v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='),
    (2, 'after another version', 'v1a,AAAA v2,BBBB v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='),
    (3, 'after garbage', '?, ,, v1 v1,? v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='),
    (4, 'without padding', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE'),
    (5, 'under another version', 'v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='),
    (6, 'without a version', 'g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='),
    (7, 'one bit off', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA='),
    (8, 'its beginning', 'v1,g0hM9SsE'),
    (9, 'empty', ''),
    (10, 'empty after the version', 'v1,'),
    (11, 'many wrong ones', repeat('v1,AAAA ', 1000))
  ) AS v(n, what, given) ORDER BY n;

-- The body counts byte for byte.
SELECT pg_temp.verdict('{"test":2432232314}', :'headers', :'secret') AS "a blank less",
       pg_temp.verdict('{"test": 2432232315}', :'headers', :'secret') AS "a digit",
       pg_temp.verdict('', :'headers', :'secret') AS "empty",
       pg_temp.verdict(NULL, :'headers', :'secret') AS "NULL" \gx

-- Secrets: several while one replaces another, in whatever order, with or without their prefix.
SELECT what, pg_temp.verdict(:'body', :'headers', given) AS verdict
  FROM (VALUES
    (1, 'the old one too', 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'),
    (2, 'the new one too', E'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n  whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
    (3, 'no prefix', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'),
    (4, 'another', 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'),
    (5, 'none', NULL),
    (6, 'blanks', '  '),
    (7, 'prefix alone', 'whsec_'),
    (8, 'no base64', 'whsec_?'),
    (9, 'too short', 'whsec_AAAA'),
    (10, 'a good one and a bad one', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw whsec_secret!')
  ) AS v(n, what, given) ORDER BY n;

-- A forged body may be as long as it likes.
SELECT pg_temp.verdict(repeat('x', 10000000), :'headers', :'secret');

-- What to do is said too, and nothing of the secret or the signature is.
BEGIN;
SELECT neon_auth.set_secret('webhook_secret', NULL);
SAVEPOINT s;
SELECT neon_auth.handle_webhook('{}', '{}');
\echo :SQLSTATE
ROLLBACK TO s;
-- set_secret() refuses such a one; it may have come there otherwise.
INSERT INTO neon_auth_internal.secrets (name, value) VALUES ('webhook_secret', 'whsec_secret! whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
SAVEPOINT s;
SELECT neon_auth.handle_webhook('{}', '{}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.set_secret('webhook_secret', :'secret');
SAVEPOINT s;
SELECT neon_auth.handle_webhook(:'body', :'headers'::jsonb || jsonb_build_object('svix-timestamp', extract(epoch FROM now())::bigint::text));
\echo :SQLSTATE
ROLLBACK TO s;
CREATE FUNCTION pg_temp.everything_said(body text, headers jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text; hint text; context text;
BEGIN
    PERFORM neon_auth.handle_webhook(body, headers);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RETURN concat_ws(' ', sqlerrm, detail, hint, context);
END
$$;
SELECT bool_or(said ~ 'g0hM9SsE|MfKQ9r8G') AS told, count(said) AS refusals
  FROM unnest(ARRAY[:'headers'::jsonb, :'headers'::jsonb - 'svix-id',
                    :'headers'::jsonb || '{"svix-timestamp": "0"}', :'headers'::jsonb || '{"svix-id": "."}',
                    :'headers'::jsonb || jsonb_build_object('svix-timestamp', extract(epoch FROM now())::bigint::text)]) AS given,
       pg_temp.everything_said(:'body', given) AS said;
-- No delivery was accepted, and none is remembered.
SELECT count(*) FROM neon_auth.webhook_deliveries;
ROLLBACK;
