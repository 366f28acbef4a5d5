-- What the other tests stand on: the extension, a provider whose keys are pinned, and the roles
-- that applications use. Tokens are signed by the simulator, afresh for each test.
CREATE EXTENSION neon_auth;
SELECT neon_auth.setup_roles();

-- A login role for an application server, as README advises: it may act as both.
CREATE ROLE app LOGIN;
GRANT authenticated, anonymous TO app;
-- A login role that has been granted nothing at all.
CREATE ROLE stranger LOGIN;

\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
SELECT neon_auth.configure(:'keys');
UPDATE neon_auth.providers SET jwks_url = NULL, jwks = :'jwks';

-- Webhooks, signed here as Svix does, with the simulator's secret.
\set credentials `"$STACK" credentials`
SELECT neon_auth.set_secret('webhook_secret', :'credentials'::json ->> 'webhook_secret');
CREATE FUNCTION sign_webhook(body text, id text, epoch bigint DEFAULT extract(epoch FROM now()), secret text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    key bytea;
    inner_key bytea;
    outer_key bytea;
BEGIN
    secret := coalesce(secret, (SELECT value FROM neon_auth_internal.secrets WHERE name = 'webhook_secret'));
    key := decode(rpad(encode(decode(replace(secret, 'whsec_', ''), 'base64'), 'hex'), 128, '0'), 'hex');
    inner_key := key;
    outer_key := key;
    FOR n IN 0..63 LOOP
        inner_key := set_byte(inner_key, n, get_byte(key, n) # 54);
        outer_key := set_byte(outer_key, n, get_byte(key, n) # 92);
    END LOOP;
    RETURN jsonb_build_object(
        'svix-id', id, 'svix-timestamp', epoch::text,
        'svix-signature', 'v1,' || encode(sha256(outer_key || sha256(
            inner_key || convert_to(format('%s.%s.%s', id, epoch, body), 'UTF8'))), 'base64'));
END
$$;
CREATE FUNCTION deliver(event text, data jsonb, id text DEFAULT 'msg_' || gen_random_uuid()) RETURNS jsonb
LANGUAGE sql AS $$
    SELECT neon_auth.handle_webhook(body, sign_webhook(body, id)) - '{message_id,event}'::text[]
      FROM (SELECT jsonb_build_object('type', event, 'data', data)::text) AS d(body)
$$;

-- The nodes of a statement's plan, without the nodes below each.
CREATE FUNCTION plan_nodes(statement text, options text DEFAULT '') RETURNS SETOF jsonb LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (COSTS OFF, FORMAT JSON%s) %s', options, statement) INTO plan;
    RETURN QUERY WITH RECURSIVE nodes(node) AS (
        SELECT plan -> 0 -> 'Plan'
        UNION ALL
        SELECT jsonb_array_elements(node -> 'Plans') FROM nodes)
    SELECT node - 'Plans' FROM nodes;
END
$$;
-- What EXPLAIN VERBOSE shows of readers: calls in InitPlans, each of which is evaluated once, and whether a call
-- stands anywhere else.
CREATE FUNCTION reader_plan(statement text, OUT in_init_plans bigint, OUT elsewhere boolean) LANGUAGE sql AS $$
    SELECT coalesce(sum(calls) FILTER (WHERE is_init_plan), 0), coalesce(bool_or(is_init_plan IS NOT TRUE), false)
      FROM (SELECT node ->> 'Parent Relationship' = 'InitPlan',
                   (SELECT count(*) FROM regexp_matches(node::text, '\mauth\.\w+\(', 'g'))
              FROM plan_nodes(statement, ', VERBOSE') AS node
             WHERE node::text LIKE '%auth.%') AS reading(is_init_plan, calls)
$$;
-- The scans of a plan, and whether the answer of an InitPlan is an index condition.
CREATE FUNCTION scans(statement text) RETURNS TABLE (scan text, by_index boolean) LANGUAGE sql AS $$
    SELECT node ->> 'Node Type',
           node ->> 'Index Cond' LIKE '(user_id = %$0%' OR node ->> 'Index Cond' LIKE '(user_id = (InitPlan%'
      FROM plan_nodes(statement) AS node WHERE node ->> 'Node Type' LIKE '%Scan'
$$;
CREATE FUNCTION is_parallel(statement text) RETURNS boolean LANGUAGE sql AS $$
    SELECT bool_or(node ->> 'Node Type' LIKE 'Gather%') FROM plan_nodes(statement) AS node
$$;
-- How often readers were called in this transaction, where track_functions is on.
CREATE FUNCTION reader_calls() RETURNS bigint LANGUAGE sql AS $$
    SELECT coalesce(sum(pg_stat_get_xact_function_calls(oid)), 0)::bigint
      FROM pg_proc WHERE prosupport::text ~ '\monce_per_query$'
$$;
-- How many rows a statement reads or writes, and how often it calls readers meanwhile.
CREATE FUNCTION measure(statement text, OUT rows bigint, OUT calls bigint) LANGUAGE plpgsql AS $$
DECLARE
    before bigint := reader_calls();
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS rows = ROW_COUNT;
    calls := reader_calls() - before;
END
$$;
-- A schema with 400 notes of alice's and bob's, half each: "notes" with the usual policy, "plain"
-- without one, for queries that name the reader themselves.
CREATE PROCEDURE make_notes(schema name) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE SCHEMA %I', schema);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO authenticated', schema);
    PERFORM set_config('search_path', format('%I, public', schema), true);
    CREATE TABLE notes (id int PRIMARY KEY, user_id text NOT NULL DEFAULT auth.user_id(), n int DEFAULT 0)
        WITH (parallel_workers = 2);
    INSERT INTO notes
    SELECT i, CASE WHEN i % 2 = 0 THEN 'alice' ELSE 'bob' END FROM generate_series(1, 400) AS i;
    CREATE INDEX ON notes (user_id);
    ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
    CREATE POLICY own ON notes TO authenticated
        USING (user_id = auth.user_id()) WITH CHECK (user_id = auth.user_id());
    CREATE TABLE plain AS SELECT * FROM notes;
    CREATE INDEX plain_user_id ON plain (user_id);
    GRANT ALL ON notes, plain TO authenticated;
    ANALYZE notes, plain;
END
$$;
-- Runs the remedy of each finding about objects with such a name, and tells whether the finding has then gone. What
-- a person must decide is a comment.
CREATE FUNCTION follow_advice(objects text) RETURNS TABLE (code text, object text, remedy text, outcome text)
LANGUAGE plpgsql AS $$
DECLARE
    finding record;
BEGIN
    FOR finding IN SELECT a.* FROM neon_auth.advice a WHERE a.object LIKE objects LOOP
        code := finding.code;
        object := finding.object;
        remedy := finding.remedy;
        outcome := 'a comment';
        IF remedy NOT LIKE '--%' THEN
            EXECUTE remedy;
            outcome := CASE WHEN EXISTS (SELECT FROM neon_auth.advice a
                                          WHERE a.code = finding.code AND a.object = finding.object
                                            AND a.problem = finding.problem)
                            THEN 'still there' ELSE 'gone' END;
        END IF;
        RETURN NEXT;
    END LOOP;
END
$$;
