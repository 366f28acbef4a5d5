-- Tables of Better Auth 1.7 with text ids, and rows of a real server with made-up users, cut down:
-- schema "shop", owned by the role shop_owner. The private keys are left out.
DO $$
BEGIN
    CREATE ROLE shop_owner NOLOGIN;
-- Databases of one server share it.
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;
CREATE SCHEMA shop AUTHORIZATION shop_owner;
SET ROLE shop_owner;
CREATE TABLE shop."user" (id text NOT NULL PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,
    "emailVerified" boolean NOT NULL, image text, "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    "updatedAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL, role text, banned boolean, "banReason" text,
    "banExpires" timestamptz, "isAnonymous" boolean);
CREATE TABLE shop.session (id text NOT NULL PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE,
    "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL, "updatedAt" timestamptz NOT NULL, "ipAddress" text,
    "userAgent" text, "userId" text NOT NULL REFERENCES shop."user" (id) ON DELETE CASCADE,
    "activeOrganizationId" text, "activeTeamId" text, "impersonatedBy" text);
CREATE TABLE shop.jwks (id text NOT NULL PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL,
    "createdAt" timestamptz NOT NULL, "expiresAt" timestamptz, alg text, crv text);
CREATE TABLE shop.organization (id text NOT NULL PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, logo text,
    "createdAt" timestamptz NOT NULL, metadata text);
CREATE TABLE shop.member (id text NOT NULL PRIMARY KEY,
    "organizationId" text NOT NULL REFERENCES shop.organization (id) ON DELETE CASCADE,
    "userId" text NOT NULL REFERENCES shop."user" (id) ON DELETE CASCADE, role text NOT NULL,
    "createdAt" timestamptz NOT NULL);
CREATE TABLE shop."organizationRole" (id text NOT NULL PRIMARY KEY,
    "organizationId" text NOT NULL REFERENCES shop.organization (id) ON DELETE CASCADE, role text NOT NULL,
    permission text NOT NULL, "createdAt" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL, "updatedAt" timestamptz);
CREATE TABLE shop.team (id text NOT NULL PRIMARY KEY, name text NOT NULL, "memberCount" integer NOT NULL,
    "organizationId" text NOT NULL REFERENCES shop.organization (id) ON DELETE CASCADE,
    "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz);
CREATE TABLE shop."teamMember" (id text NOT NULL PRIMARY KEY,
    "teamId" text NOT NULL REFERENCES shop.team (id) ON DELETE CASCADE,
    "userId" text NOT NULL REFERENCES shop."user" (id) ON DELETE CASCADE, "membershipKey" text UNIQUE,
    "createdAt" timestamptz);
INSERT INTO shop."user" (id, name, email, "emailVerified", "createdAt", "updatedAt", role, banned, "banReason", "isAnonymous") VALUES
    ('RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI', 'Alice Example', 'alice@example.com', 'f', '2026-11-27 13:48:04.732+00', '2026-11-27 13:48:04.732+00', 'user', 'f', NULL, 'f'),
    ('axnRTrljRS9qJX9IgCq3ylZRcM74m5Av', 'Bob Example', 'bob@example.com', 'f', '2026-11-27 13:48:04.887+00', '2026-11-27 13:48:04.887+00', 'user', 'f', NULL, 'f'),
    ('RGgaoLcH27RWVYVgj14ZHN5OYd05cu9b', 'Carol Example', 'carol@example.com', 'f', '2026-11-27 13:48:05.032+00', '2026-11-27 13:48:05.032+00', 'user', 'f', NULL, 'f'),
    ('PjEWovWI9AIA4EpLRYyGJ9sfeRNG1W0z', 'Root Example', 'root@example.com', 'f', '2026-11-27 13:48:06.139+00', '2026-11-27 13:48:06.139+00', 'admin', 'f', NULL, 'f'),
    ('ECJKEtW1NDo8xRZP51NQ7R5nk2PPBhA4', 'Anonymous', 'qzwo0vtxhkuetgawwod3toio2quaeizh@anonymous.placeholder.invalid', 'f', '2026-11-27 13:48:07.513+00', '2026-11-27 13:48:07.513+00', 'user', 'f', NULL, 't'),
    ('7VbBEFAbyVWmHZsEbrYzmR81JcQgcqF8', 'Mallory Example', 'mallory@example.com', 'f', '2026-11-27 13:56:46.431+00', '2026-11-27 13:56:46.431+00', 'user', 't', 'spam', 'f');
INSERT INTO shop.session (id, "expiresAt", token, "createdAt", "updatedAt", "userAgent", "userId", "activeOrganizationId", "activeTeamId", "impersonatedBy") VALUES
    ('9bvr7hE1gBgT9emZrS7FC6VsFr52dMqy', '2026-01-01 00:00:00+00', '2AN8IEQ7GWKDf3kTEzNxcgsjt5ysasEA', '2026-11-27 13:56:46.731+00', '2026-11-27 13:56:46.731+00', 'node', 'axnRTrljRS9qJX9IgCq3ylZRcM74m5Av', NULL, NULL, NULL),
    ('a7hMyNLXyXKpBSFKJWlVPvWV1eWl9I4x', '2099-01-01 00:00:00+00', 'KOlkwPY4ATpZrf8f8fM46jY09pHqDUNz', '2026-11-27 13:56:45.759+00', '2026-11-27 13:56:45.759+00', 'node', 'RGgaoLcH27RWVYVgj14ZHN5OYd05cu9b', NULL, NULL, 'PjEWovWI9AIA4EpLRYyGJ9sfeRNG1W0z'),
    ('zEBrG8AmIxwfwASG1QYtscWCJPm156J9', '2099-01-01 00:00:00+00', 'pvLakhR4zu9FwadsHO580OlhfyWuUFnA', '2026-11-27 13:56:46.101+00', '2026-11-27 13:56:46.101+00', 'node', 'PjEWovWI9AIA4EpLRYyGJ9sfeRNG1W0z', NULL, NULL, NULL),
    ('Ilx9IUoGBP3cHAACpieUUNTLXnaReNkc', '2099-01-01 00:00:00+00', '9XGUPEo3MRU4LBaA99YvhMgbCGW34gKd', '2026-11-27 13:56:46.442+00', '2026-11-27 13:56:46.442+00', 'node', '7VbBEFAbyVWmHZsEbrYzmR81JcQgcqF8', NULL, NULL, NULL),
    ('YO4tzRM1POSaWBPgq17a9zfHVo0Zt6bE', '2099-01-01 00:00:00+00', 'Q1gtHxz1Xoys2sPclENtFZ7g7XX8Fm7G', '2026-11-27 13:56:45.032+00', '2026-11-27 13:56:45.032+00', 'node', 'RGgaoLcH27RWVYVgj14ZHN5OYd05cu9b', NULL, NULL, NULL),
    ('exIBSk09MuxbuSgz2VCKXN5UuxY9WVCK', '2099-01-01 00:00:00+00', 'cBYvl5H4NZRjaBXE0kOmlF5p53wgmYAJ', '2026-11-27 13:56:44.364+00', '2026-11-27 13:56:45.148+00', 'node', 'RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', NULL, NULL),
    ('LuKIIm172ZYUwVrqbTYSqZ6MkL1XNJUe', '2099-01-01 00:00:00+00', 'erJcLt0z4Pcm0uF7QbAD85pWmhylH8fm', '2026-11-27 13:56:44.816+00', '2026-11-27 13:56:45.368+00', 'node', 'axnRTrljRS9qJX9IgCq3ylZRcM74m5Av', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', 'Obp77yVc7TgGGW78cG0CaMktkT24py30', NULL),
    ('qX0wMwg7BxzLxXaKDjxpO4dK9LkMsC65', '2099-01-01 00:00:00+00', 'XlhOQOiWxfwEh3AMYtGkQfnUUDSHvy4C', '2026-11-27 13:56:45.719+00', '2026-11-27 13:56:45.719+00', 'node', 'PjEWovWI9AIA4EpLRYyGJ9sfeRNG1W0z', NULL, NULL, NULL);
INSERT INTO shop.jwks (id, "publicKey", "privateKey", "createdAt", alg, crv) VALUES
    ('Ac0plaxrgLfBjb4R2Wdhunx5pnBBwxZA', '{"crv":"Ed25519","x":"_iYf3qQf5DMvi11cp7e-76kcYhHD-4Mb73UnJNgSlas","kty":"OKP"}', '"left out"', '2026-11-27 13:48:05.066+00', 'EdDSA', 'Ed25519');
INSERT INTO shop.organization (id, name, slug, "createdAt", metadata) VALUES
    ('jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', 'Acme', 'acme', '2026-11-27 13:48:05.158+00', '{"plan":"pro"}');
INSERT INTO shop.member (id, "organizationId", "userId", role, "createdAt") VALUES
    ('jsbydAmvrHKfmm1Dl9qNcLc2qdw6tPIJ', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', 'RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI', 'owner', '2026-11-27 13:48:05.159+00'),
    ('F66GcXyLRyGNqgcRXT63ufKKRY9qjLYK', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', 'RGgaoLcH27RWVYVgj14ZHN5OYd05cu9b', 'admin,member', '2026-11-27 13:48:05.274+00'),
    ('kjm8GfkMfghF0sLHoQJb52TKVVVz7Vcd', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', 'axnRTrljRS9qJX9IgCq3ylZRcM74m5Av', 'member,inviter', '2026-11-27 13:48:07.563+00');
INSERT INTO shop."organizationRole" (id, "organizationId", role, permission) VALUES
    ('goZweilfB61HiP6xGyAv4JFWGhjpRD2I', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', 'inviter', '{"invitation":["create"]}');
INSERT INTO shop.team (id, name, "memberCount", "organizationId", "createdAt") VALUES
    ('Co4KAKwxx0qprNXMfvbFHFxpcTP6MejS', 'Acme', '1', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', '2026-11-27 13:48:05.161+00'),
    ('Obp77yVc7TgGGW78cG0CaMktkT24py30', 'Core', '1', 'jQzViwKMw27iLnjnkdCtigc4OYTHkAmW', '2026-11-27 13:48:07.301+00');
INSERT INTO shop."teamMember" (id, "teamId", "userId", "createdAt") VALUES
    ('OFZC1KwIgnYnIEre1LSWMKQZYLGyY2ad', 'Co4KAKwxx0qprNXMfvbFHFxpcTP6MejS', 'RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI', '2026-11-27 13:48:05.168+00'),
    ('ThhxicFYQl4Bbr8whlvSZv3YlzPTxuh3', 'Obp77yVc7TgGGW78cG0CaMktkT24py30', 'axnRTrljRS9qJX9IgCq3ylZRcM74m5Av', '2026-11-27 13:56:45.311+00');
RESET ROLE;
