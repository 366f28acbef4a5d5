
-- One call installs everything.
CREATE EXTENSION neon_auth;

-- The answer of Neon's keys API, as it is: whom to trust, and where the keys are.
SELECT neon_auth.configure(:'keys');

-- That is all: a background worker brings the users over. (Waiting for it, half a minute at most.)
DO $$
BEGIN
    FOR n IN 1..300 LOOP
        EXIT WHEN EXISTS (SELECT FROM neon_auth.sync_runs WHERE finished_at IS NOT NULL);
        COMMIT;
        PERFORM pg_sleep(0.1);
    END LOOP;
END
$$;
SELECT name, email, created_at IS NOT NULL AS has_signed_up FROM neon_auth.users_sync ORDER BY name;

-- And what changes comes by webhooks, once their signing secret is known.
SELECT neon_auth.set_secret('webhook_secret', :'webhook_secret');

-- Two roles for applications, and a login role that may act as either.
SELECT neon_auth.setup_roles();
CREATE ROLE app LOGIN;
GRANT authenticated, anonymous TO app;

-- A table whose rows belong to users.
CREATE TABLE todos (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL DEFAULT auth.user_id() REFERENCES neon_auth.users_sync (id),
    task text NOT NULL,
    done boolean NOT NULL DEFAULT false
);
CREATE INDEX ON todos (user_id);
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY read_own   ON todos FOR SELECT TO authenticated USING (user_id = auth.user_id());
CREATE POLICY add_own    ON todos FOR INSERT TO authenticated WITH CHECK (user_id = auth.user_id());
CREATE POLICY change_own ON todos FOR UPDATE TO authenticated USING (user_id = auth.user_id());
CREATE POLICY remove_own ON todos FOR DELETE TO authenticated USING (user_id = auth.user_id());
GRANT SELECT, INSERT, UPDATE, DELETE ON todos TO authenticated;
GRANT SELECT ON todos TO anonymous;

-- Alice's request, as an application server makes it: one transaction, her token, her rows.
-- The service's keys have been fetched over HTTP by then; if not, the first token does it.
SET SESSION AUTHORIZATION app;
BEGIN;
SET LOCAL ROLE authenticated;
SELECT auth.authenticate(:'alice_token') IS NOT NULL AS signed_in;
INSERT INTO todos (task) VALUES ('water the plants'), ('write a policy');
SELECT task, done FROM todos ORDER BY id;
COMMIT;

-- Bob's.
BEGIN;
SET LOCAL ROLE authenticated;
SELECT auth.authenticate(:'bob_token') IS NOT NULL AS signed_in;
SELECT count(*) AS rows_of_alice_that_bob_sees FROM todos;
INSERT INTO todos (task) VALUES ('feed the cat');
UPDATE todos SET done = true;
SELECT task, done FROM todos ORDER BY id;
COMMIT;

-- Bob cannot write in Alice's name,
\set ON_ERROR_STOP off
BEGIN;
SET LOCAL ROLE authenticated;
SELECT auth.authenticate(:'bob_token') IS NOT NULL AS signed_in;
INSERT INTO todos (user_id, task) VALUES (:'alice', 'send money to Bob');
ROLLBACK;

-- nobody forges an identity,
SET neon_auth.identity = '{"claims": {"sub": "somebody else"}}';

-- a token that was tampered with is refused, and leaves nobody signed in,
SELECT auth.authenticate(left(:'alice_token', -4) || 'AAAA');
SELECT auth.user_id() IS NULL AS nobody_is_signed_in;
\set ON_ERROR_STOP on

-- and without a token there is nothing to see.
BEGIN;
SET LOCAL ROLE anonymous;
SELECT count(*) AS rows_that_nobody_sees FROM todos;
COMMIT;

-- The database's owner joins and counts.
RESET SESSION AUTHORIZATION;
SELECT u.name, count(t.id) AS todos, count(t.id) FILTER (WHERE t.done) AS done
  FROM neon_auth.users_sync u
  LEFT JOIN todos t ON t.user_id = u.id
 WHERE u.deleted_at IS NULL
 GROUP BY u.id ORDER BY u.name;

-- The demo is right if, and only if, this holds.
DO $$
BEGIN
    ASSERT (SELECT array_agg((u.name, t.task, t.done)::text ORDER BY t.id)
              FROM todos t JOIN neon_auth.users_sync u ON u.id = t.user_id)
         = ARRAY['("Alice Example","water the plants",f)', '("Alice Example","write a policy",f)',
                 '("Bob Example","feed the cat",t)'];
END
$$;
