-- Tables of Better Auth 1.4 with uuid ids, and rows of a real server with made-up users, cut down:
-- schema "hosted", owned by the role hosted_owner. The private keys are left out.
DO $$
BEGIN
    CREATE ROLE hosted_owner NOLOGIN;
-- Databases of one server share it.
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;
CREATE SCHEMA hosted AUTHORIZATION hosted_owner;
SET ROLE hosted_owner;
CREATE TABLE hosted."user" (id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, name text NOT NULL,
    email text NOT NULL UNIQUE, "emailVerified" boolean NOT NULL, image text,
    "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL, "updatedAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    role text, banned boolean, "banReason" text, "banExpires" timestamptz);
CREATE TABLE hosted.session (id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, "expiresAt" timestamptz NOT NULL,
    token text NOT NULL UNIQUE, "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamptz NOT NULL, "ipAddress" text, "userAgent" text,
    "userId" uuid NOT NULL REFERENCES hosted."user" (id) ON DELETE CASCADE, "impersonatedBy" text,
    "activeOrganizationId" text);
CREATE TABLE hosted.jwks (id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, "publicKey" text NOT NULL,
    "privateKey" text NOT NULL, "createdAt" timestamptz NOT NULL, "expiresAt" timestamptz);
CREATE TABLE hosted.organization (id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, name text NOT NULL,
    slug text NOT NULL UNIQUE, logo text, "createdAt" timestamptz NOT NULL, metadata text);
CREATE TABLE hosted.member (id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    "organizationId" uuid NOT NULL REFERENCES hosted.organization (id) ON DELETE CASCADE,
    "userId" uuid NOT NULL REFERENCES hosted."user" (id) ON DELETE CASCADE, role text NOT NULL,
    "createdAt" timestamptz NOT NULL);
INSERT INTO hosted."user" (id, name, email, "emailVerified", "createdAt", "updatedAt", role, banned) VALUES
    ('a0e3ac20-26e4-411a-8620-1ebeb7345212', 'Alice Example', 'alice@example.com', 'f', '2026-11-27 13:54:21.792+00', '2026-11-27 13:54:21.792+00', 'user', 'f'),
    ('615de482-3261-4552-8490-c9a5ed3137ff', 'Bob Example', 'bob@example.com', 'f', '2026-11-27 13:58:37.121+00', '2026-11-27 13:58:37.121+00', 'user', 'f');
INSERT INTO hosted.session (id, "expiresAt", token, "createdAt", "updatedAt", "userId", "activeOrganizationId") VALUES
    ('10925988-a229-431a-a14a-8918c1c21496', '2099-01-01 00:00:00+00', 'uSqmUr5iQu1vWEetKMasgMNQpTErjHBV', '2026-11-27 13:54:21.804+00', '2026-11-27 13:54:21.804+00', 'a0e3ac20-26e4-411a-8620-1ebeb7345212', NULL),
    ('92676728-1bc9-4c18-a0d1-08c379324daa', '2099-01-01 00:00:00+00', 'fLGU31H8t4TSfqnvtrEDu2KGGEYbb1tB', '2026-11-27 13:58:36.902+00', '2026-11-27 13:58:37.155+00', 'a0e3ac20-26e4-411a-8620-1ebeb7345212', '581c4d38-6c1e-44af-8196-19d151a183ba'),
    ('5a801e5e-0c28-4cd2-a678-8c296f4dd71c', '2099-01-01 00:00:00+00', 'TgsSa6oAFGQslqe7s7jpxEfLIq0Z9jUM', '2026-11-27 13:58:37.125+00', '2026-11-27 13:58:37.189+00', '615de482-3261-4552-8490-c9a5ed3137ff', '581c4d38-6c1e-44af-8196-19d151a183ba');
INSERT INTO hosted.jwks (id, "publicKey", "privateKey", "createdAt") VALUES
    ('8f3af4b1-015c-4480-8c0a-a9714143597d', '{"crv":"Ed25519","x":"D1SoAcrV9UfPBWII8YRLSTBc606lW6zcdzkhw9rp3ZQ","kty":"OKP"}', '"left out"', '2026-11-27 13:54:21.835+00');
INSERT INTO hosted.organization (id, name, slug, "createdAt") VALUES
    ('581c4d38-6c1e-44af-8196-19d151a183ba', 'Acme', 'acme', '2026-11-27 13:58:37.153+00');
INSERT INTO hosted.member (id, "organizationId", "userId", role, "createdAt") VALUES
    ('8acceeee-4030-47cb-bb66-ffa8833c7c3d', '581c4d38-6c1e-44af-8196-19d151a183ba', 'a0e3ac20-26e4-411a-8620-1ebeb7345212', 'owner', '2026-11-27 13:58:37.154+00'),
    ('3b28b4ed-407f-45fd-903b-6b219a01911a', '581c4d38-6c1e-44af-8196-19d151a183ba', '615de482-3261-4552-8490-c9a5ed3137ff', 'member', '2026-11-27 13:58:37.188+00');
RESET ROLE;
