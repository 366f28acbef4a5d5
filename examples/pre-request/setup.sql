-- For PostgREST, after examples/todo/schema.sql. Run by a superuser.
CREATE ROLE authenticator LOGIN NOINHERIT;
GRANT anonymous, authenticated TO authenticator;

-- auth.pre_request() gives a signed-in request this role; a request without a session keeps the role anonymous.
UPDATE neon_auth.providers SET default_role = 'authenticated' WHERE kind = 'better_auth';
