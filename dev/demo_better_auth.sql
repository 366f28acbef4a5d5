
-- Better Auth's tables, as its own migration makes them. They belong to the application's role.
CREATE ROLE shop LOGIN;
CREATE SCHEMA shop AUTHORIZATION shop;
SET SESSION AUTHORIZATION shop;
CREATE TABLE shop."user" (
    id text PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL UNIQUE,
    "emailVerified" boolean NOT NULL,
    image text,
    "createdAt" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE shop.session (
    id text PRIMARY KEY,
    "expiresAt" timestamptz NOT NULL,
    token text NOT NULL UNIQUE,
    "userId" text NOT NULL REFERENCES shop."user" (id) ON DELETE CASCADE
);
RESET SESSION AUTHORIZATION;

-- The extension, and where the server is: nothing else is needed.
CREATE EXTENSION neon_auth;
SELECT * FROM neon_auth.add_better_auth('https://shop.example.com');

-- Dora signs up. Better Auth writes two rows; the mirror has hers in the same transaction.
SET SESSION AUTHORIZATION shop;
BEGIN;
INSERT INTO shop."user" (id, name, email, "emailVerified")
VALUES ('Yk3vT0qGm1ZsLx8RwNbC7dPaEfUiHoJe', 'Dora Example', 'dora@example.com', true);
INSERT INTO shop.session (id, "expiresAt", token, "userId")
VALUES ('sVXMzkWAJ3oHjJ9bH6fU1nDqB5tRcEyL', now() + interval '7 days', :'dora_session', 'Yk3vT0qGm1ZsLx8RwNbC7dPaEfUiHoJe');
COMMIT;
RESET SESSION AUTHORIZATION;
SELECT name, email, deleted_at FROM neon_auth.users_sync;

-- A table whose rows belong to users, as before.
SELECT neon_auth.setup_roles();
GRANT USAGE ON SCHEMA public TO authenticated;
CREATE TABLE todos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL DEFAULT auth.user_id() REFERENCES neon_auth.users_sync (id),
    task text NOT NULL
);
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON todos TO authenticated USING (user_id = auth.user_id());
GRANT SELECT, INSERT, UPDATE, DELETE ON todos TO authenticated;

-- Her request: the token of her session signs her in.
SET SESSION AUTHORIZATION app;
BEGIN;
SET LOCAL ROLE authenticated;
SELECT auth.authenticate(:'dora_session') IS NOT NULL AS signed_in;
INSERT INTO todos (task) VALUES ('read a book');
SELECT task FROM todos;
COMMIT;

-- She signs out: Better Auth deletes the session, and the next request is refused.
SET SESSION AUTHORIZATION shop;
DELETE FROM shop.session WHERE token = :'dora_session';
SET SESSION AUTHORIZATION app;
\set ON_ERROR_STOP off
SELECT auth.authenticate(:'dora_session');
\set ON_ERROR_STOP on

-- She deletes her account: Better Auth deletes her row. The mirror keeps it, marked, for those that refer to it.
SET SESSION AUTHORIZATION shop;
DELETE FROM shop."user" WHERE email = 'dora@example.com';
RESET SESSION AUTHORIZATION;
SELECT u.name, u.deleted_at IS NOT NULL AS is_deleted, t.task FROM neon_auth.users_sync u JOIN todos t ON t.user_id = u.id;

-- This part is right if, and only if, this holds.
DO $$
BEGIN
    ASSERT (SELECT count(*) = 1 AND bool_and(u.deleted_at IS NOT NULL AND t.task = 'read a book')
              FROM neon_auth.users_sync u JOIN todos t ON t.user_id = u.id);
    ASSERT NOT EXISTS (SELECT FROM neon_auth.status WHERE NOT ok);
END
$$;
