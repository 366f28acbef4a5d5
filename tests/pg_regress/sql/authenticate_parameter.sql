-- One parameterised statement signs in, whatever type a driver gives to the parameter, and none too.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
-- As drivers prepare it: without a type, and with those that they have for strings
PREPARE untyped AS SELECT auth.authenticate($1);
PREPARE as_text(text) AS SELECT auth.authenticate($1);
PREPARE as_varchar(varchar) AS SELECT auth.authenticate($1);
PREPARE as_unknown(unknown) AS SELECT auth.authenticate($1);
PREPARE scoped AS SELECT auth.authenticate($1, $2);
PREPARE named AS SELECT auth.authenticate(token => $1, is_local => $2);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
BEGIN;
EXECUTE untyped(:'alice');
EXECUTE untyped(NULL);
SELECT auth.user_id() IS NULL AS nobody;
EXECUTE as_text(:'alice');
EXECUTE as_text(NULL);
SELECT auth.user_id() IS NULL AS nobody;
EXECUTE as_varchar(:'alice');
EXECUTE as_unknown(NULL);
EXECUTE as_unknown(:'alice');
SELECT auth.user_id();
ROLLBACK;
-- NULL for the scope is the narrower one.
BEGIN;
EXECUTE scoped(:'alice', NULL);
COMMIT;
SELECT auth.user_id() IS NULL AS nobody;
EXECUTE named(:'alice', false);
SELECT auth.user_id();
EXECUTE named(NULL, NULL);
SELECT auth.user_id() IS NULL AS nobody;
-- In FROM, too, and as the source of a statement's condition
BEGIN;
SELECT user_id FROM auth.authenticate(:'alice') AS user_id;
ROLLBACK;
-- A prepared statement that is planned once for all tokens
SET plan_cache_mode = force_generic_plan;
BEGIN;
EXECUTE untyped(:'alice');
EXECUTE untyped(NULL);
COMMIT;
-- Other types are no tokens.
PREPARE as_jsonb(jsonb) AS SELECT auth.authenticate($1);
\echo :SQLSTATE
DEALLOCATE ALL;
RESET plan_cache_mode;
