-- What the benchmark runs on: psql variables keys (the console's answer) and user (who signs in).
-- The contestants, each with a role and policies of its own, are made by policies.py.
CREATE EXTENSION neon_auth;
SELECT neon_auth.configure(:'keys');
SELECT neon_auth.refresh_jwks();

CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA bench GRANT SELECT, INSERT ON TABLES TO PUBLIC;

-- The usual function of those who put claims that somebody else has verified into a setting.
CREATE FUNCTION bench.setting_user_id() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT current_setting('request.jwt.claims', true)::jsonb ->> 'sub' $$;

-- A million rows of 100,000 users, without an index: every row meets the policy.
CREATE TABLE bench.items (id integer, user_id text NOT NULL, body text NOT NULL);
INSERT INTO bench.items
SELECT n, CASE WHEN n % 100000 = 0 THEN :'user' ELSE md5((n % 100000)::text)::uuid::text END, 'item ' || n
  FROM generate_series(1, 1000000) n;

-- The same with indexes, and with the user's id in both types that applications give it.
CREATE TABLE bench.entries (id integer, user_id text NOT NULL, owner uuid NOT NULL, body text NOT NULL);
INSERT INTO bench.entries SELECT id, user_id, user_id::uuid, body FROM bench.items;
CREATE INDEX ON bench.entries (user_id);
CREATE INDEX ON bench.entries (owner);

-- Supabase's auth.uid().
CREATE SCHEMA supabase;
GRANT USAGE ON SCHEMA supabase TO PUBLIC;
CREATE FUNCTION supabase.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
$$;

-- Has a backend touch all rows of a table, as the first to look at a page pays for it.
CREATE FUNCTION bench.touch(touched name) RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE rows bigint;
BEGIN
    SET LOCAL max_parallel_workers_per_gather = 0;
    EXECUTE format('SELECT count(body) FROM bench.%I', touched) INTO rows;
    RETURN rows;
END $$;

-- One row for each user, found by the policy itself.
CREATE TABLE bench.accounts (user_id text PRIMARY KEY, body text NOT NULL);
INSERT INTO bench.accounts SELECT DISTINCT ON (user_id) user_id, body FROM bench.items;

CREATE TABLE bench.inbox (user_id text NOT NULL, body text NOT NULL);

-- The token that sessions sign in with (0), and more than a backend's cache can hold, each with its
-- claims for those who do not verify.
CREATE TABLE bench.tokens (n integer PRIMARY KEY, token text NOT NULL, claims text NOT NULL);

-- Costs what calling a function costs.
CREATE FUNCTION bench.nothing(text, boolean) RETURNS integer
LANGUAGE internal VOLATILE AS 'textoctetlen';

-- What is timed from outside, inside a transaction block: the same call over and over, and the
-- same loop around a function that does nothing.
CREATE FUNCTION bench.same_token(token text, calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE id text;
BEGIN
    FOR turn IN 1 .. calls LOOP id := auth.authenticate(token, true); END LOOP;
END $$;

CREATE FUNCTION bench.every_token() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tokens text[] := ARRAY(SELECT t.token FROM bench.tokens t WHERE n > 0 ORDER BY n);
    token text;
    id text;
BEGIN
    FOREACH token IN ARRAY tokens LOOP id := auth.authenticate(token, true); END LOOP;
END $$;

CREATE FUNCTION bench.same_claims(claims text, calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE value text;
BEGIN
    FOR turn IN 1 .. calls LOOP value := set_config('request.jwt.claims', claims, true); END LOOP;
END $$;

CREATE FUNCTION bench.empty_loop(argument text, calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE length integer;
BEGIN
    FOR turn IN 1 .. calls LOOP length := bench.nothing(argument, true); END LOOP;
END $$;

-- A query of one text, planned each time.
CREATE FUNCTION bench.planned(query text, calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE value text;
BEGIN
    FOR turn IN 1 .. calls LOOP EXECUTE query INTO value; END LOOP;
END $$;

-- The same for one query that is planned once.
CREATE FUNCTION bench.prepared(calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE value bigint;
BEGIN
    FOR turn IN 1 .. calls LOOP SELECT count(body) INTO value FROM bench.entries; END LOOP;
END $$;

-- Somebody arrives with a token whose key nobody knows.
CREATE FUNCTION bench.arrive(token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    header text := format('{"alg":"ES256","kid":"%s"}', gen_random_uuid());
    encoded text := rtrim(translate(encode(convert_to(header, 'UTF8'), 'base64'), E'+/\n', '-_'), '=');
    reason text;
BEGIN
    PERFORM auth.authenticate(encoded || substr(token, strpos(token, '.')));
    RETURN 'accepted';
EXCEPTION WHEN invalid_authorization_specification THEN
    GET STACKED DIAGNOSTICS reason = PG_EXCEPTION_DETAIL;
    RETURN reason;
END $$;
