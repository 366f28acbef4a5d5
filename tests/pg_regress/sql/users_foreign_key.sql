-- Tables of the application refer to users; soft deletion keeps the references whole.
BEGIN;
CREATE SCHEMA shop;
CREATE TABLE shop.orders (number int PRIMARY KEY, user_id text NOT NULL REFERENCES neon_auth.users_sync (id));
SELECT neon_auth.upsert_users('[{"id": "u1", "display_name": "Alice Example"}, {"id": "u2", "display_name": "Bob Example"}]');
INSERT INTO shop.orders VALUES (1, 'u1'), (2, 'u2');
SAVEPOINT s;
INSERT INTO shop.orders VALUES (3, 'u3');
\echo :SQLSTATE
ROLLBACK TO s;
-- A changed user does not touch the key, and a deleted one is still there.
SELECT neon_auth.upsert_user('{"id": "u1", "display_name": "Alice B. Example"}');
SELECT neon_auth.delete_user('u2');
SELECT o.number, o.user_id, u.name
  FROM shop.orders o LEFT JOIN neon_auth.users_sync u ON u.id = o.user_id AND u.deleted_at IS NULL
 ORDER BY number;
-- Purging a row for good is the administrator's decision, and the keys still guard it.
DELETE FROM neon_auth.users_sync WHERE id = 'u2';
\echo :SQLSTATE
ROLLBACK TO s;
-- Ids are text: a uuid does not match, and PostgreSQL says so.
\set VERBOSITY terse
CREATE TABLE shop.carts (user_id uuid REFERENCES neon_auth.users_sync (id));
\echo :SQLSTATE
ROLLBACK;
