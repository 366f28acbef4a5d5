-- The tables of Better Auth are found by names and columns, as the tools of its users make them.
\set SHOW_CONTEXT never
\pset format unaligned
CREATE FUNCTION pg_temp.shown(schema text DEFAULT NULL, names jsonb DEFAULT '{}') RETURNS TABLE (what text, relation regclass, renamed text)
LANGUAGE sql AS $$
    SELECT f.what, f.relation,
           (SELECT string_agg(CASE c.value WHEN c.key THEN c.key ELSE format('%s=%s', c.key, c.value) END, ' ' ORDER BY c.key COLLATE "C")
              FROM jsonb_each_text(f.columns) AS c)
      FROM neon_auth_internal.find_better_auth(schema, names) AS f
$$;
-- Tables that every shape needs, of one kind of id.
CREATE FUNCTION pg_temp.make(schema text, id text DEFAULT 'text', plugins boolean DEFAULT false) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(E'CREATE SCHEMA %1$I
        CREATE TABLE "user" (id %2$s PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, "emailVerified" boolean NOT NULL,
            image text, "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL)
        CREATE TABLE session (id %2$s PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "createdAt" timestamptz NOT NULL,
            "updatedAt" timestamptz NOT NULL, "ipAddress" text, "userAgent" text, "userId" %2$s NOT NULL REFERENCES "user" ON DELETE CASCADE)
        CREATE TABLE account (id %2$s PRIMARY KEY, "accountId" text NOT NULL, "providerId" text NOT NULL, "userId" %2$s NOT NULL, password text,
            "accessTokenExpiresAt" timestamptz, "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL)
        CREATE TABLE verification (id %2$s PRIMARY KEY, identifier text NOT NULL, value text NOT NULL, "expiresAt" timestamptz NOT NULL)',
        schema, id);
    IF plugins THEN
        EXECUTE format(E'SET LOCAL search_path = %1$I;
            CREATE TABLE jwks (id %2$s PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL, "createdAt" timestamptz NOT NULL, "expiresAt" timestamptz);
            CREATE TABLE organization (id %2$s PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, logo text, "createdAt" timestamptz NOT NULL, metadata text);
            CREATE TABLE member (id %2$s PRIMARY KEY, "organizationId" %2$s NOT NULL, "userId" %2$s NOT NULL, role text NOT NULL, "createdAt" timestamptz NOT NULL);
            CREATE TABLE team (id %2$s PRIMARY KEY, name text NOT NULL, "organizationId" %2$s NOT NULL, "createdAt" timestamptz NOT NULL);
            CREATE TABLE "teamMember" (id %2$s PRIMARY KEY, "teamId" %2$s NOT NULL, "userId" %2$s NOT NULL, "createdAt" timestamptz);
            CREATE TABLE "organizationRole" (id %2$s PRIMARY KEY, "organizationId" %2$s NOT NULL, role text NOT NULL, permission text NOT NULL);
            RESET search_path', schema, id);
    END IF;
END
$$;

-- Only what every Better Auth has; integers as ids.
BEGIN;
SELECT pg_temp.make('plain', 'serial');
SELECT * FROM pg_temp.shown();
ROLLBACK;

-- Hosted Neon Auth: in schema neon_auth, as well as the extension's own tables; jwks without alg and crv.
BEGIN;
CREATE TABLE neon_auth."user" (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,
    "emailVerified" boolean NOT NULL, image text, "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL, role text, banned boolean, "banReason" text, "banExpires" timestamptz);
CREATE TABLE neon_auth.session (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE,
    "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL, "updatedAt" timestamptz NOT NULL, "ipAddress" text, "userAgent" text,
    "userId" uuid NOT NULL REFERENCES neon_auth."user" ON DELETE CASCADE, "impersonatedBy" text, "activeOrganizationId" text);
CREATE TABLE neon_auth.jwks (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL,
    "createdAt" timestamptz NOT NULL, "expiresAt" timestamptz);
CREATE TABLE neon_auth.organization (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, logo text,
    "createdAt" timestamptz NOT NULL, metadata text);
CREATE TABLE neon_auth.member (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, "organizationId" uuid NOT NULL, "userId" uuid NOT NULL,
    role text NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE neon_auth.project_config (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, name text NOT NULL, endpoint_id text NOT NULL UNIQUE);
SELECT * FROM pg_temp.shown();
ROLLBACK;

-- Release 1.7 with all plugins.
BEGIN;
SELECT pg_temp.make('full', plugins => true);
ALTER TABLE "full"."user" ADD role text, ADD banned boolean, ADD "banReason" text, ADD "banExpires" timestamptz, ADD "isAnonymous" boolean, ADD "favouriteColour" text;
ALTER TABLE "full".session ADD "activeOrganizationId" text, ADD "activeTeamId" text, ADD "impersonatedBy" text;
ALTER TABLE "full".jwks ADD alg text, ADD crv text;
ALTER TABLE "full".team ADD "memberCount" int, ADD "updatedAt" timestamptz;
SELECT * FROM pg_temp.shown();
-- Names leave out tables and columns.
SELECT what, relation FROM pg_temp.shown(names => '{"jwks": null, "organization": null}');
SELECT what, relation FROM pg_temp.shown(names => '{"team": null, "organizationRole": null, "jwks": null}');
SELECT * FROM pg_temp.shown(names => '{"user": {"banExpires": null, "image": null}}') LIMIT 1;
ROLLBACK;

-- Drizzle: snake case, plural, timestamp without time zone, an enum, and jwkss, as usePlural makes it.
BEGIN;
CREATE SCHEMA drizzle;
SET LOCAL search_path = drizzle;
CREATE TYPE user_role AS ENUM ('user', 'admin');
CREATE DOMAIN display_name AS varchar(100);
CREATE TABLE users (id text PRIMARY KEY, name display_name NOT NULL, email varchar(255) NOT NULL UNIQUE, email_verified boolean DEFAULT false NOT NULL,
    image text, created_at timestamp DEFAULT now() NOT NULL, updated_at timestamp DEFAULT now() NOT NULL, role user_role, banned boolean, ban_reason text, ban_expires timestamp);
CREATE TABLE sessions (id text PRIMARY KEY, expires_at timestamp NOT NULL, token text NOT NULL UNIQUE, created_at timestamp DEFAULT now() NOT NULL,
    updated_at timestamp NOT NULL, ip_address text, user_agent text, user_id text NOT NULL REFERENCES users ON DELETE CASCADE, active_organization_id text);
CREATE TABLE jwkss (id text PRIMARY KEY, public_key text NOT NULL, private_key text NOT NULL, created_at timestamp NOT NULL, expires_at timestamp);
CREATE TABLE organizations (id text PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, logo text, created_at timestamp NOT NULL, metadata jsonb);
CREATE TABLE members (id text PRIMARY KEY, organization_id text NOT NULL, user_id text NOT NULL, role text DEFAULT 'member' NOT NULL, created_at timestamp NOT NULL);
CREATE TABLE teams (id text PRIMARY KEY, name text NOT NULL, organization_id text NOT NULL, created_at timestamp NOT NULL, updated_at timestamp);
CREATE TABLE team_members (id text PRIMARY KEY, team_id text NOT NULL, user_id text NOT NULL, created_at timestamp);
CREATE TABLE organization_roles (id text PRIMARY KEY, organization_id text NOT NULL, role text NOT NULL, permission text NOT NULL, created_at timestamp NOT NULL, updated_at timestamp);
RESET search_path;
SELECT * FROM pg_temp.shown();
ROLLBACK;

-- Prisma: names of models, camelCase, timestamp(3); tables of the application as well.
BEGIN;
CREATE SCHEMA prisma;
SET LOCAL search_path = prisma;
CREATE TABLE "User" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, "emailVerified" boolean DEFAULT false NOT NULL,
    image text, "createdAt" timestamp(3) DEFAULT CURRENT_TIMESTAMP NOT NULL, "updatedAt" timestamp(3) NOT NULL);
CREATE TABLE "Session" (id text PRIMARY KEY, "expiresAt" timestamp(3) NOT NULL, token text NOT NULL, "createdAt" timestamp(3) NOT NULL,
    "updatedAt" timestamp(3) NOT NULL, "ipAddress" text, "userAgent" text, "userId" text NOT NULL);
CREATE UNIQUE INDEX "Session_token_key" ON "Session" (token);
CREATE TABLE "Jwks" (id text PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL, "createdAt" timestamp(3) NOT NULL, "expiresAt" timestamp(3));
CREATE TABLE "Organization" (id text PRIMARY KEY, name text NOT NULL, slug text, "createdAt" timestamp(3) NOT NULL, metadata text);
CREATE TABLE "Member" (id text PRIMARY KEY, "organizationId" text NOT NULL, "userId" text NOT NULL, role text NOT NULL, "createdAt" timestamp(3) NOT NULL);
CREATE TABLE "Post" (id text PRIMARY KEY, "userId" text NOT NULL, name text, email text, "createdAt" timestamp(3));
CREATE TABLE "PasswordReset" (id text PRIMARY KEY, token text UNIQUE, "userId" text, "expiresAt" timestamp(3));
RESET search_path;
SELECT * FROM pg_temp.shown();
-- A table team of the application has no organization.
CREATE TABLE prisma.team (id int PRIMARY KEY, name text);
SELECT what, relation FROM pg_temp.shown();
SELECT what, relation FROM pg_temp.shown(names => '{"team": null}');
ROLLBACK;

-- A prefix before all names, and a table of the application that has the name without it.
BEGIN;
SELECT pg_temp.make('prefixed', 'bigint', plugins => true);
SET LOCAL search_path = prefixed;
ALTER TABLE "user" RENAME TO better_auth_user;
ALTER TABLE session RENAME TO better_auth_sessions;
ALTER TABLE jwks RENAME TO better_auth_jwks;
ALTER TABLE organization RENAME TO better_auth_organization;
ALTER TABLE member RENAME TO better_auth_member;
ALTER TABLE team RENAME TO better_auth_team;
ALTER TABLE "teamMember" RENAME TO better_auth_team_member;
ALTER TABLE "organizationRole" RENAME TO better_auth_organization_role;
CREATE TABLE users (id bigint PRIMARY KEY, name text, email text, created_at timestamptz);
CREATE TABLE organization (LIKE better_auth_organization INCLUDING ALL);
RESET search_path;
SELECT what, relation FROM pg_temp.shown();
SELECT what, relation FROM pg_temp.shown(names => '{"organization": "organization"}');
ROLLBACK;

-- Quite other names: user and session are known by their columns, the rest is named.
BEGIN;
SELECT pg_temp.make('renamed', 'varchar(64)', plugins => true);
SET LOCAL search_path = renamed;
ALTER TABLE "user" RENAME TO people;
ALTER TABLE session RENAME TO logins;
ALTER TABLE jwks RENAME TO keys;
RESET search_path;
SELECT what, relation FROM pg_temp.shown();
SELECT what, relation FROM pg_temp.shown(names => '{"jwks": "keys"}');
ALTER TABLE renamed.people RENAME "emailVerified" TO is_verified;
ALTER TABLE renamed.people RENAME email TO "e-mail ""address"".x";
SELECT * FROM pg_temp.shown(names => '{"user": {"emailVerified": "is_verified", "email": "e-mail \"address\".x"}}') LIMIT 1;
SELECT * FROM pg_temp.shown('renamed', '{"user": {"table": "people", "emailVerified": "is_verified", "email": "e-mail \"address\".x"}, "session": "logins"}') LIMIT 2;
ALTER TABLE renamed.people RENAME TO "My ""users"".table";
ALTER SCHEMA renamed RENAME TO "A ""schema"".name";
SELECT * FROM pg_temp.shown('A "schema".name', '{"user": {"table": "My \"users\".table", "emailVerified": "is_verified", "email": "e-mail \"address\".x"}}') LIMIT 1;
ROLLBACK;

-- A name that PostgreSQL has cut.
BEGIN;
SELECT pg_temp.make('cut');
ALTER TABLE cut."user" RENAME TO a_name_of_more_than_sixty_three_bytes_which_the_server_cuts_silently_at_its_end;
ALTER TABLE cut.session RENAME token TO a_column_of_more_than_sixty_three_bytes_which_the_server_cuts_silently_too;
SELECT * FROM pg_temp.shown(names => '{"user": "a_name_of_more_than_sixty_three_bytes_which_the_server_cuts_silently_at_its_end", "session": {"token": "a_column_of_more_than_sixty_three_bytes_which_the_server_cuts_silently_too"}}');
ROLLBACK;

-- Dropped columns, stored generated ones and unlogged tables.
BEGIN;
SELECT pg_temp.make('odd', 'uuid');
ALTER TABLE odd."user" ADD role int, ADD banned text;
ALTER TABLE odd."user" DROP role, DROP banned, DROP image;
ALTER TABLE odd."user" ADD "isAnonymous" boolean GENERATED ALWAYS AS (email LIKE '%@anonymous.placeholder.invalid') STORED;
ALTER TABLE odd.session SET UNLOGGED;
SELECT * FROM pg_temp.shown();
ROLLBACK;

-- Two columns of one name: that with Better Auth's own spelling.
BEGIN;
SELECT pg_temp.make('spelt');
ALTER TABLE spelt."user" ADD email_verified boolean;
SELECT * FROM pg_temp.shown() LIMIT 1;
SELECT * FROM pg_temp.shown(names => '{"user": {"emailVerified": "email_verified"}}') LIMIT 1;
ROLLBACK;

-- A table of Auth.js with the same name is another table: of the two, the one in the schema with both.
BEGIN;
SELECT pg_temp.make('app');
CREATE SCHEMA authjs;
CREATE TABLE authjs."User" (id text PRIMARY KEY, name text, email text, "emailVerified" timestamptz, image text);
CREATE TABLE authjs."Session" (id text PRIMARY KEY, "sessionToken" text UNIQUE, "userId" text, expires timestamptz);
SELECT what, relation FROM pg_temp.shown();
ALTER TABLE authjs."User" SET SCHEMA app;
SELECT what, relation FROM pg_temp.shown();
ROLLBACK;
