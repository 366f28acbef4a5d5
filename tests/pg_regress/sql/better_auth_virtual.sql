-- A virtual generated column is not stored, so it cannot be read (PostgreSQL 18; others do not have them).
\set SHOW_CONTEXT never
BEGIN;
CREATE SCHEMA app;
CREATE TABLE app.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "userId" text NOT NULL);
CREATE TABLE app."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL, "createdAt" timestamptz NOT NULL,
    "emailVerified" boolean GENERATED ALWAYS AS (email LIKE '%@example.com') VIRTUAL);
SELECT what FROM neon_auth_internal.find_better_auth('app', '{}');
\echo :SQLSTATE
ROLLBACK;
