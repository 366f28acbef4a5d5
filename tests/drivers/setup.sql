-- The table and the roles of docs/getting-started.md, and two people's rows. Psql variables: keys and
-- jwks, as the simulator of the auth service prints them.
CREATE EXTENSION neon_auth;
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks = :'jwks', jwks_url = NULL;
SELECT neon_auth.setup_roles();
CREATE ROLE app LOGIN NOINHERIT;
GRANT authenticated, anonymous TO app;

CREATE TABLE todos (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL DEFAULT auth.user_id(),
    task    text NOT NULL,
    done    boolean NOT NULL DEFAULT false
);
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON todos TO authenticated USING (user_id = auth.user_id());
GRANT SELECT, INSERT, UPDATE, DELETE ON todos TO authenticated;
INSERT INTO todos (user_id, task) VALUES ('alice', 'water the plants'), ('bob', 'feed the cat');
