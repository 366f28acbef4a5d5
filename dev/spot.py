"""Runs pgspot over every statement of a script; see dev/spot.

pgspot itself stops at the first function whose body is RETURN or BEGIN ATOMIC. PostgreSQL parses such a body
once, when it creates the function, with the search_path of the script. So this checks the body as a statement
of the script.
"""

import contextlib
import io
import re
import sys
from types import SimpleNamespace

from pglast import parse_sql
from pgspot.formatters import format_function
from pgspot.state import Counter, State
from pgspot.visitors import SQLVisitor, visit_sql

# The findings that are allowed in a function that does not pin a search_path.
UNPINNED = {"PS001", "PS005", "PS009", "PS016", "PS017"}


class EveryStatement(SQLVisitor):
    def visit_CreateFunctionStmt(self, ancestors, node):
        if node.sql_body is None:
            return super().visit_CreateFunctionStmt(ancestors, node)
        if node.replace:
            self.state.warn("PS002", format_function(node))
        options = {option.defname: option.arg for option in node.options or ()}
        pins = any(option.defname == "set" and option.arg.name == "search_path" for option in node.options or ())
        if "security" in options and options["security"].boolval and not pins:
            self.state.error("PS003", format_function(node))
        return None  # visits its children, with the script's search_path


def findings(script):
    """Each as (function or statement, code, line of the report)."""
    arguments = SimpleNamespace(proc_without_search_path=[], summary_only=False, plpgsql=True, ignore=[],
                                ignore_lang=[], sql_fn=[])
    counter = Counter(arguments)
    counter.sql = script
    state = State(counter)
    visitor = EveryStatement(state)
    for statement in parse_sql(script):
        counter.stmt_location = statement.stmt_location
        node = statement.stmt
        name = type(node).__name__
        if name == "CreateFunctionStmt":
            name = ".".join(part.sval for part in node.funcname)
        output = io.StringIO()
        try:
            with contextlib.redirect_stdout(output):
                visitor(statement)
        except Exception as error:  # a statement that pgspot cannot check is a finding
            yield name, "PS999", f"PS999: pgspot fails: {error!r} in {name} at line {counter.line_number()}"
        for line in output.getvalue().splitlines():
            yield name, line.split(":")[0], line
        if type(node).__name__ == "CreateFunctionStmt" and node.sql_body is None:
            for object_name in named_in_shared_schema(node):
                yield name, "NA001", f"NA001: the body names {object_name}, in a schema that can belong to another role: {name}"


def named_in_shared_schema(node):
    """What the body of a function, looked up when it runs, names in schema neon_auth. A string does not count, such
    as that of a HINT, unless it is cast to regclass."""
    body = next(option.arg[0].sval for option in node.options if option.defname == "as")
    body = re.sub(r"--[^\n]*", "", body)
    body = re.sub(r"'([^']*)'::reg", r"\1", body)
    body = re.sub(r"'(?:[^']|'')*'", "", body)
    return re.findall(r"\bneon_auth\.\w+", body)


# Each must give a finding, or the check is broken. No name is in the allow-list.
PLANTED = [
    "CREATE FUNCTION neon_auth.planted() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",
    "CREATE FUNCTION neon_auth.planted() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1;",
    "CREATE FUNCTION neon_auth.planted() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = public AS 'SELECT 1';",
    "CREATE FUNCTION neon_auth.planted() RETURNS int LANGUAGE sql AS 'SELECT count(*) FROM neon_auth.users_sync WHERE id = name';",
    "CREATE FUNCTION neon_auth.planted() RETURNS void LANGUAGE plpgsql AS 'BEGIN PERFORM lower(id) FROM users_sync; END';",
    "CREATE FUNCTION neon_auth.planted() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT neon_auth.sdk_env()';",
    "CREATE FUNCTION neon_auth.planted() RETURNS regclass LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$SELECT 'neon_auth.providers'::regclass$$;",
    "CREATE OR REPLACE FUNCTION other.planted() RETURNS int LANGUAGE sql SET search_path = pg_catalog, pg_temp AS 'SELECT 1';",
    "CREATE OR REPLACE FUNCTION other.planted() RETURNS int LANGUAGE sql RETURN 1;",
    "RESET search_path; CREATE FUNCTION neon_auth.planted(a int) RETURNS boolean LANGUAGE sql RETURN a = 1;",
    "CREATE SCHEMA IF NOT EXISTS other;",
    "CREATE TABLE IF NOT EXISTS other.planted ();",
]


def allow_list(path):
    """The entry for each function and code."""
    entries = {}
    for line in open(path, encoding="utf8"):
        if line.strip() and not line.startswith("#"):
            name, codes, reason = (part.strip() for part in line.split("|"))
            assert reason, f"{name} has no reason"
            for code in UNPINNED if codes == "unpinned" else codes.split():
                entries[name, code] = line.strip()
    return entries


def revoked(script):
    """The functions that PUBLIC may not execute: one by one, or with all others of their schema."""
    single = set(re.findall(r"^REVOKE ALL ON (?:FUNCTION|PROCEDURE) ([\w.]+)\(.*\) FROM PUBLIC;", script, re.MULTILINE))
    schemas = re.findall(r"^REVOKE ALL ON ALL FUNCTIONS IN SCHEMA (\w+) FROM PUBLIC;", script, re.MULTILINE)
    created = re.findall(r"^CREATE FUNCTION ([\w.]+)\(", script, re.MULTILINE)
    granted = re.findall(r"^GRANT EXECUTE ON FUNCTION ([^;]+) TO PUBLIC;", script, re.MULTILINE)
    single |= {name for name in created if name.split(".")[0] in schemas}
    return single - {name for names in granted for name in re.findall(r"([\w.]+)\(", names)}


def main(path, allowed):
    script = open(path, encoding="utf8").read()
    allowed = allow_list(allowed)
    found = list(findings(script))
    bad = [f"{name}: {line}" for name, code, line in found if (name, code) not in allowed]
    used = {allowed[name, code] for name, code, _ in found if (name, code) in allowed}
    bad += [f"allowed, but not found; remove the line: {entry}" for entry in sorted(set(allowed.values()) - used)]
    internal = revoked(script)
    bad += [f"pins no search_path, but PUBLIC may execute it: {name}" for name, code in sorted(allowed)
            if code == "PS005" and name not in internal]
    for planted in PLANTED:
        more = [line for name, _, line in findings(f"{script}\n{planted}") if (name, line) not in {(n, l) for n, _, l in found}]
        if not more:
            bad.append(f"pgspot did not find the planted fault: {planted}")
    print(*bad, sep="\n")
    print(f"pgspot: {len(found)} findings, of which {len(found) - sum((n, c) not in allowed for n, c, _ in found)} are allowed")
    sys.exit(bool(bad))


main(*sys.argv[1:])
