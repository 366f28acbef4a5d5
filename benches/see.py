"""What it takes to look at policies: neon_auth.advice about many, and neon_auth.explain_policy about one row."""

import pathlib
import subprocess

from server import Session, interleaved, run_once

HERE = pathlib.Path(__file__).parent
# A database of its own: advice is about all tables of one.
DATABASE = ("--dbname", "advised")
USERS = 10_000
TODOS = f"""CREATE TABLE todos (id integer PRIMARY KEY, user_id text NOT NULL DEFAULT auth.user_id()
    REFERENCES neon_auth.users_sync (id), task text NOT NULL, locked boolean NOT NULL DEFAULT false);
SELECT neon_auth.upsert_users(jsonb_agg(jsonb_build_object('id', 'user-' || n))) FROM generate_series(1, {USERS}) n;
INSERT INTO todos SELECT n, 'user-' || n, 'x' FROM generate_series(1, {USERS}) n;
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON todos TO authenticated USING (user_id = auth.user_id());
CREATE POLICY unlocked ON todos AS RESTRICTIVE FOR UPDATE TO authenticated USING (NOT locked) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON todos TO authenticated;
VACUUM (ANALYZE) todos, neon_auth.users_sync"""
EXPLAINED = {
    "SELECT": """'{"id": 5}'""",
    "INSERT": f"""'{{"id": {USERS + 1}, "task": "y"}}'""",
    "UPDATE": """'{"id": 5, "task": "y"}'""",
    "DELETE": """'{"id": 5}'""",
}


def measure(rounds):
    run_once("CREATE DATABASE advised")
    run_once("CREATE EXTENSION neon_auth; SELECT neon_auth.setup_roles()", where=DATABASE)
    subprocess.run(["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", *DATABASE, "--file", HERE / "advice.sql"],
                   check=True, stdout=subprocess.DEVNULL)
    for statement in TODOS.split(";\n"):
        run_once(statement, where=DATABASE)

    def call(statement):
        with Session(where=DATABASE) as session:
            return {which: session.wall(statement) for which in ("first", "again")}

    statements = {"advice": "SELECT count(*) FROM neon_auth.advice"} | {
        command: f"SELECT count(*) FROM neon_auth.explain_policy('todos', '{command}', {row}, 'user-5')"
        for command, row in EXPLAINED.items()}
    return interleaved(rounds, {name: lambda statement=statement: call(statement) for name, statement in statements.items()})
