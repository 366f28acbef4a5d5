-- The policies that apply to a command, and their results for a row.

-- As in the table "Policies Applied by Command Type" of PostgreSQL's CREATE POLICY. UPDATE, DELETE and RETURNING
-- read the row, so that policies for SELECT apply to them too, in this order.
CREATE FUNCTION neon_auth_internal.policy_checks(command text)
RETURNS TABLE (place integer, policy_command text, what text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.place, c.policy_command, c.what
      FROM (VALUES ('SELECT', 1, 'SELECT', 'USING'),
                   ('SELECT FOR UPDATE', 1, 'SELECT', 'USING'),
                   ('SELECT FOR UPDATE', 2, 'UPDATE', 'USING'),
                   ('INSERT', 1, 'INSERT', 'WITH CHECK'),
                   ('INSERT RETURNING', 1, 'INSERT', 'WITH CHECK'),
                   ('INSERT RETURNING', 2, 'SELECT', 'USING, new row'),
                   ('UPDATE', 1, 'UPDATE', 'USING'),
                   ('UPDATE', 2, 'SELECT', 'USING'),
                   ('UPDATE', 3, 'UPDATE', 'WITH CHECK'),
                   ('UPDATE', 4, 'SELECT', 'USING, new row'),
                   ('DELETE', 1, 'DELETE', 'USING'),
                   ('DELETE', 2, 'SELECT', 'USING')) AS c(command, place, policy_command, what)
     WHERE c.command = policy_checks.command
     ORDER BY c.place
$$;
COMMENT ON FUNCTION neon_auth_internal.policy_checks(text) IS
    'Which expressions of policies for which commands a command checks';

CREATE FUNCTION neon_auth_internal.applies_to(policy_roles oid[], role oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (SELECT FROM unnest(policy_roles) AS r WHERE r = 0 OR pg_has_role(role, r, 'USAGE'));
COMMENT ON FUNCTION neon_auth_internal.applies_to(oid[], oid) IS
    'Whether a policy with these polroles applies to a role; 0 is everybody';

-- The text is of a tree in the catalog, so that nothing is written as SQL and parsed again.
CREATE FUNCTION neon_auth_internal.any_of(conditions text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('{BOOLEXPR :boolop or :args (%s) :location -1}', array_to_string(conditions, ' '));
COMMENT ON FUNCTION neon_auth_internal.any_of(text[]) IS 'The OR of conditions of the catalog, as the catalog has it';

CREATE FUNCTION neon_auth_internal.applying_policies(relation oid, role oid, policy_command text, what text)
RETURNS TABLE (name name, permissive boolean, expression text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.polname, p.polpermissive, e.expression
      FROM pg_policy p
     CROSS JOIN LATERAL (SELECT CASE WHEN what = 'WITH CHECK' AND p.polwithcheck IS NOT NULL
                                     THEN p.polwithcheck::text ELSE p.polqual::text END) AS e(expression)
     WHERE p.polrelid = relation
       AND p.polcmd::text IN ('*', CASE policy_command WHEN 'SELECT' THEN 'r' WHEN 'INSERT' THEN 'a'
                                                       WHEN 'UPDATE' THEN 'w' ELSE 'd' END)
       AND neon_auth_internal.applies_to(p.polroles, role)
       AND e.expression IS NOT NULL
     ORDER BY NOT p.polpermissive, p.polname
$$;
COMMENT ON FUNCTION neon_auth_internal.applying_policies(oid, oid, text, text) IS
    'Policies of a table that apply to a role and a command, with the expression that is checked';

CREATE FUNCTION neon_auth_internal.explain_policies(relation oid, command text, stored text, changed text,
    unknown smallint[], role oid, user_id text, claims jsonb, path text)
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    checked record;
    policy record;
    item record;
    tested text;
    allowed text;
    refused text;
    failed text[];
    permissive text[];
    restrictive text[];
BEGIN
    FOR checked IN SELECT * FROM neon_auth_internal.policy_checks(command) LOOP
        tested := CASE checked.what WHEN 'USING' THEN stored ELSE changed END;
        allowed := NULL;
        refused := NULL;
        failed := '{}';
        permissive := '{}';
        restrictive := '{}';
        FOR policy IN
            SELECT * FROM neon_auth_internal.applying_policies(relation, role, checked.policy_command, checked.what)
        LOOP
            IF policy.permissive THEN
                -- PostgreSQL evaluates them in the reverse order of their names.
                permissive := array_prepend(policy.expression, permissive);
            ELSE
                restrictive := restrictive || policy.expression;
            END IF;
            FOR item IN
                SELECT * FROM neon_auth_internal.evaluate_as(policy.expression, relation, tested, role, user_id, claims,
                                                             path,
                                                             CASE WHEN checked.what <> 'USING' THEN unknown END)
            LOOP
                step := CASE item.part WHEN 0 THEN 'policy' ELSE 'part' END;
                name := quote_ident(policy.name);
                kind := format('%s %s: %s', CASE WHEN policy.permissive THEN 'permissive' ELSE 'restrictive' END,
                               checked.policy_command, checked.what);
                expression := item.sql;
                result := CASE WHEN item.failure IS NULL THEN coalesce(item.value::boolean, false) END;
                reason := CASE WHEN item.failure = 'raised' THEN item.sqlstate || ': ' || item.message
                               WHEN item.failure = 'needs row' THEN 'depends on the row'
                               WHEN item.failure = 'needs number' THEN 'depends on the number that a sequence gives'
                               WHEN item.failure = 'needs stored row' THEN 'not evaluated: it reads a system column'
                               WHEN item.value IS NULL THEN 'is NULL, which does not pass' END;
                RETURN NEXT;
                CONTINUE WHEN item.part > 0;
                IF item.failure = 'raised' THEN
                    failed := failed || (name || ' raises ' || reason);
                ELSIF policy.permissive AND result THEN
                    allowed := coalesce(allowed, name);
                ELSIF NOT policy.permissive AND NOT result THEN
                    refused := coalesce(refused, name);
                END IF;
            END LOOP;
        END LOOP;
        step := 'policies';
        name := relation::regclass::text;
        kind := format('%s: %s', checked.policy_command, checked.what);
        expression := NULL;
        -- Whether a policy that raises an error is evaluated depends on the others.
        SELECT p.value, p.failure, p.sqlstate || ': ' || p.message AS message INTO item
          FROM neon_auth_internal.passes_as(
                   CASE WHEN permissive = '{}' THEN '{}'
                        WHEN checked.what = 'USING' THEN restrictive || neon_auth_internal.any_of(permissive)
                        ELSE neon_auth_internal.any_of(permissive) || restrictive END,
                   relation, tested, role, user_id, claims, path, checked.what = 'USING',
                   CASE WHEN checked.what <> 'USING' THEN unknown END) AS p;
        result := CASE WHEN permissive = '{}' THEN false
                       WHEN item.failure IS NULL THEN coalesce(item.value::boolean, false)
                       WHEN item.failure = 'raised' THEN false END;
        reason := CASE WHEN permissive = '{}' THEN 'default deny: no permissive policy applies'
                       WHEN item.failure = 'raised'
                       THEN coalesce((SELECT f FROM unnest(failed) AS f
                                       WHERE right(f, length(item.message)) = item.message LIMIT 1),
                                     'a policy raises ' || item.message)
                       WHEN result THEN format('the policy %s passes', allowed)
                       WHEN item.failure = 'needs number' THEN 'depends on the number that a sequence gives'
                       WHEN result IS NULL THEN 'depends on the row'
                       WHEN refused IS NOT NULL THEN format('the restrictive policy %s refuses', refused)
                       ELSE 'no permissive policy passes' END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_policies(oid, text, text, text, smallint[], oid, text, jsonb, text) IS
    'Steps of explain_policy: each policy that applies, the parts that decide, and all policies together';
