"""Runs plpgsql_check over every PL/pgSQL function of the extension; see dev/plpgsql.

A trigger function is checked with each table that has a trigger which calls it. Faults are planted first:
if plpgsql_check does not find one of them, the check is broken.
"""

import json
import subprocess
import sys

# The search_path that the library and the extension's own functions set for a call. So an unqualified name is
# an error, also in a function that does not pin a search_path.
PREPARE = """
CREATE EXTENSION plpgsql_check;
CREATE EXTENSION neon_auth;
SET search_path = pg_catalog, pg_temp;
"""

FIND = """
WITH functions AS (
    SELECT p.oid, p.prorettype
      FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_language l ON l.oid = p.prolang
     WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_extension'::regclass
       AND d.refobjid = (SELECT e.oid FROM pg_extension e WHERE e.extname = 'neon_auth') AND l.lanname = 'plpgsql'
    UNION
    SELECT p.oid, p.prorettype FROM pg_proc p WHERE p.pronamespace = to_regnamespace('planted')
), checked AS (
    SELECT f.oid, c.level, c.message, format('line %s, %s: %s', c.lineno, c.statement, concat_ws(' ', c.detail, c.hint, c.query)) AS place
      FROM functions f
      LEFT JOIN (SELECT DISTINCT tgfoid, tgrelid, tgoldtable, tgnewtable FROM pg_trigger) t ON t.tgfoid = f.oid,
           public.plpgsql_check_function_tb(f.oid, coalesce(t.tgrelid, 0), fatal_errors => false, security_warnings => true,
               oldtable => t.tgoldtable, newtable => t.tgnewtable) c
     WHERE f.prorettype <> 'trigger'::regtype OR t.tgrelid IS NOT NULL
    UNION
    SELECT f.oid, 'error', 'no table has a trigger that calls it, so it cannot be checked', ''
      FROM functions f
     WHERE f.prorettype = 'trigger'::regtype AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgfoid = f.oid)
)
SELECT json_build_object(
    'functions', (SELECT count(*) FROM functions),
    'findings', (SELECT coalesce(json_agg(json_build_array(
        (SELECT format('%s.%s', n.nspname, p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = c.oid),
        c.level, c.message, c.place)), '[]') FROM checked c));
"""

# Each must give a finding.
PLANTED = {
    "planted.no_column": "CREATE FUNCTION planted.no_column() RETURNS text LANGUAGE plpgsql AS "
    "'BEGIN RETURN (SELECT u.nonsense FROM neon_auth.users_sync u); END';",
    "planted.no_table": "CREATE FUNCTION planted.no_table() RETURNS bigint LANGUAGE plpgsql AS "
    "'BEGIN RETURN (SELECT count(*) FROM users_sync); END';",
    "planted.unused": "CREATE FUNCTION planted.unused() RETURNS void LANGUAGE plpgsql AS 'DECLARE n int; BEGIN END';",
    "planted.injection": "CREATE FUNCTION planted.injection(name text) RETURNS void LANGUAGE plpgsql AS "
    "'BEGIN EXECUTE ''DROP TABLE '' || name; END';",
    "planted.no_return": "CREATE FUNCTION planted.no_return(n int) RETURNS int LANGUAGE plpgsql AS "
    "'BEGIN IF n = 1 THEN RETURN 1; END IF; END';",
    "planted.no_field": "CREATE FUNCTION planted.no_field() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN NEW.nonsense := 1; RETURN NEW; END'; CREATE TABLE planted.t (a int); "
    "CREATE TRIGGER t BEFORE INSERT ON planted.t FOR EACH ROW EXECUTE FUNCTION planted.no_field();",
    "planted.no_trigger": "CREATE FUNCTION planted.no_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';",
}


def psql(script):
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1", "--dbname", "plpgsql"]
    return subprocess.run(command, input=script, stdout=subprocess.PIPE, text=True, check=True).stdout


def allow_list(path):
    """The functions' allowed messages, each with its line of the file."""
    entries = {}
    for line in open(path, encoding="utf8"):
        if line.strip() and not line.startswith("#"):
            name, message, reason = (part.strip() for part in line.split(" | "))
            assert reason, f"{name} has no reason"
            entries[name, message] = line.strip()
    return entries


def main(path):
    allowed = allow_list(path)
    subprocess.run(["createdb", "plpgsql"], check=True)
    psql(PREPARE)
    planted = psql("BEGIN; SET LOCAL search_path = pg_catalog, pg_temp; CREATE SCHEMA planted;" + "".join(PLANTED.values()) + FIND)
    found_planted = {name for name, *_ in json.loads(planted)["findings"]}
    result = json.loads(psql("SET search_path = pg_catalog, pg_temp;" + FIND))
    findings = result["findings"]
    bad = [f"{level} in {name}: {message} ({place})" for name, level, message, place in findings if (name, message) not in allowed]
    unused = set(allowed) - {(name, message) for name, _, message, _ in findings}
    bad += [f"allowed, but not found; remove the line: {allowed[entry]}" for entry in sorted(unused)]
    bad += [f"plpgsql_check did not find the planted fault in {name}" for name in PLANTED if name not in found_planted]
    if not result["functions"]:
        bad.append("the extension has no PL/pgSQL function")
    print(*bad, sep="\n", end="\n" if bad else "")
    print(f"plpgsql_check: {result['functions']} functions, {len(findings)} findings, of which "
          f"{sum((name, message) in allowed for name, _, message, _ in findings)} are allowed")
    sys.exit(bool(bad))


main(*sys.argv[1:])
