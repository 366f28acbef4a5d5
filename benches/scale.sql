-- What scale.py runs on: psql variables keys (the console's answer). One row for each user, found by
-- the policy itself, and a token for each of some users, with its claims for those who do not verify.
CREATE EXTENSION neon_auth;
SELECT neon_auth.configure(:'keys');
SELECT neon_auth.refresh_jwks();

CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA bench GRANT SELECT ON TABLES TO PUBLIC;
CREATE TABLE bench.accounts (user_id text PRIMARY KEY, body text NOT NULL);
INSERT INTO bench.accounts SELECT md5(n::text)::uuid, 'account ' || n FROM generate_series(1, 100000) n;
CREATE TABLE bench.tokens (n integer PRIMARY KEY, token text NOT NULL, claims text NOT NULL);

CREATE FUNCTION bench.setting_user_id() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT current_setting('request.jwt.claims', true)::jsonb ->> 'sub' $$;

CREATE ROLE verified LOGIN;
CREATE ROLE unverified LOGIN;
ALTER TABLE bench.accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY verified ON bench.accounts TO verified USING (user_id = auth.user_id());
CREATE POLICY unverified ON bench.accounts TO unverified USING (user_id = bench.setting_user_id());

-- Whether a token is good, also where nothing can be written.
CREATE FUNCTION bench.accepted(token text) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.authenticate(token);
    RETURN 1;
EXCEPTION WHEN invalid_authorization_specification THEN
    RETURN 0;
END $$;

-- What is timed from outside, inside a transaction block: a range of tokens in turn, and one token over and over.
CREATE FUNCTION bench.in_turn(first integer, last integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    tokens text[] := ARRAY(SELECT t.token FROM bench.tokens t WHERE n BETWEEN first AND last ORDER BY n);
    token text;
    id text;
BEGIN
    FOREACH token IN ARRAY tokens LOOP id := auth.authenticate(token, true); END LOOP;
END $$;
CREATE FUNCTION bench.same_token(token text, calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE id text;
BEGIN
    FOR turn IN 1 .. calls LOOP id := auth.authenticate(token, true); END LOOP;
END $$;
