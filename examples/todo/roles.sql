-- Before Better Auth's tables exist. Run by a superuser.
CREATE EXTENSION neon_auth;
SELECT neon_auth.setup_roles();             -- authenticated and anonymous

CREATE ROLE better_auth LOGIN;              -- Better Auth connects as this role, and owns its tables
CREATE SCHEMA better_auth AUTHORIZATION better_auth;

CREATE ROLE app LOGIN NOINHERIT;            -- requests connect as this role, which has no rights of its own
GRANT authenticated TO app;
