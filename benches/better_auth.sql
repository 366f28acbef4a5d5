-- What the measurements of Better Auth run on, in a database of their own: psql variables origin, secret and key
-- (a public key, as Better Auth's table jwks has it).
CREATE EXTENSION neon_auth;
CREATE SCHEMA shop AUTHORIZATION shop;

-- Tables as Better Auth 1.7 makes them, with text ids.
SET ROLE shop;
CREATE TABLE shop."user" (
    id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, "emailVerified" boolean NOT NULL,
    image text, "createdAt" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    role text, banned boolean, "banReason" text, "banExpires" timestamptz);
CREATE TABLE shop.session (
    id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE,
    "createdAt" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP, "updatedAt" timestamptz NOT NULL,
    "ipAddress" text, "userAgent" text, "userId" text NOT NULL REFERENCES shop."user" (id) ON DELETE CASCADE,
    "impersonatedBy" text);
CREATE INDEX ON shop.session ("userId");
CREATE TABLE shop.jwks (
    id text PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL, "createdAt" timestamptz NOT NULL,
    "expiresAt" timestamptz, alg text, crv text);
CREATE TABLE shop.bare (LIKE shop."user" INCLUDING ALL);

-- So many users, each with a session.
CREATE FUNCTION shop.populate(users integer) RETURNS void LANGUAGE sql AS $$
    INSERT INTO shop."user" (id, name, email, "emailVerified", role, banned)
    SELECT md5('user ' || n), 'User ' || n, format('user-%s@example.com', n), true, 'user', false FROM generate_series(1, users) n;
    INSERT INTO shop.session (id, "expiresAt", token, "updatedAt", "ipAddress", "userAgent", "userId")
    SELECT md5('session ' || n), now() + interval '7 days', md5('token ' || n), now(), '203.0.113.7',
           'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', md5('user ' || n)
      FROM generate_series(1, users) n;
$$;
SELECT shop.populate(100000);
INSERT INTO shop.jwks VALUES ('the-key', :'key', 'not needed', now(), NULL, 'EdDSA', 'Ed25519');
RESET ROLE;

SELECT FROM neon_auth.add_better_auth(:'origin', secret => :'secret');

CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA bench GRANT SELECT ON TABLES TO PUBLIC;

CREATE FUNCTION bench.setting_user_id() RETURNS text LANGUAGE sql STABLE
AS $$ SELECT current_setting('request.jwt.claims', true)::jsonb ->> 'sub' $$;

-- A row for each user, found by the policy.
CREATE TABLE bench.accounts (user_id text PRIMARY KEY, body text NOT NULL);
INSERT INTO bench.accounts SELECT id, 'account of ' || name FROM shop."user";
ALTER TABLE bench.accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY verified ON bench.accounts TO verified USING (user_id = auth.user_id());
CREATE POLICY unverified ON bench.accounts TO unverified USING (user_id = bench.setting_user_id());

-- What requests come with: a session's token, signed or not, JWTs of the table's key and of a pinned one, and claims for
-- those who do not verify.
CREATE TABLE bench.credentials (
    n integer PRIMARY KEY, bare text NOT NULL, signed text NOT NULL, by_table text NOT NULL, pinned text NOT NULL,
    pinned_rejecting text NOT NULL, claims text NOT NULL);

-- Costs what calling a function costs.
CREATE FUNCTION bench.nothing(text, boolean) RETURNS integer LANGUAGE internal VOLATILE AS 'textoctetlen';

-- What is timed from outside, inside a transaction block: calls with these credentials in turn, and the same loop around
-- a function that does nothing.
CREATE FUNCTION bench.authenticate(credentials text[], calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE id text;
BEGIN
    FOR turn IN 0 .. calls - 1 LOOP
        id := auth.authenticate(credentials[turn % cardinality(credentials) + 1], true);
    END LOOP;
END $$;
CREATE FUNCTION bench.empty_loop(credentials text[], calls integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE length integer;
BEGIN
    FOR turn IN 0 .. calls - 1 LOOP
        length := bench.nothing(credentials[turn % cardinality(credentials) + 1], true);
    END LOOP;
END $$;
