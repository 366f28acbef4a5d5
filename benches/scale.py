"""Many clients over few connections, and readers beside the primary: a pooler, a hot standby and
logical replication of the mirror.

Run by dev/bench in a cluster that preloads the library, with synchronous_commit = on; writes what it
measured as JSON. BENCH_SCALE (1) multiplies rounds and seconds.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import uuid

import service
import shared
import tokens
from server import Session, interleaved, median, pgbench, ratio, run_once
from sizes import CLIENTS, LIVE

HERE = pathlib.Path(__file__).parent
SCALE = float(os.environ.get("BENCH_SCALE") or 1)
ROUNDS = max(3, round(3 * SCALE))
SECONDS = max(1, round(2 * SCALE))
CHANGES = max(5, round(20 * SCALE))
FIRST = max(5, round(20 * SCALE))
MIRRORED = 10_000
SAY = {
    "verified": "auth.authenticate(token)",
    "unverified": "set_config('request.jwt.claims', claims, true)",
}
# How long replay waits for a query that it would break, in milliseconds; PostgreSQL's own is 30 s.
PATIENCE = 2_000


def as_server(*command):
    """A command of the server's, which will not run as root: in a user namespace, root is nobody."""
    prefix = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"] if os.geteuid() == 0 else []
    return [*prefix, *command]


def psql_file(name, **variables):
    sets = [f"--set={key}={value}" for key, value in variables.items()]
    subprocess.run(["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *sets, "--file", str(HERE / name)],
                   check=True, stdout=subprocess.DEVNULL)


def wait_until(holds, pause=0.0):
    while not holds():
        time.sleep(pause)


def prepare(stack):
    psql_file("scale.sql", keys=json.dumps(stack.keys()))
    users = [{"sub": str(uuid.UUID(hashlib.md5(str(n).encode()).hexdigest()))} for n in range(1, LIVE[-1] + 1)]
    made = stack.tokens(stack.sign_up(), users)
    with Session() as session:
        rows = [f"({n}, '{token}', '{service.claims_of(token)}')" for n, token in enumerate(made, 1)]
        for first in range(0, len(rows), 1000):
            session.run(f"INSERT INTO bench.tokens VALUES {','.join(rows[first:first + 1000])}")
        session.run("VACUUM (FREEZE, ANALYZE)")


def request(role, live, clients, seconds=SECONDS, **where):
    """Transactions of one of so many users each: say who it is, read the one row of theirs."""
    script = f"""\\set n random(1, {live})
BEGIN;
SELECT {SAY[role]} FROM bench.tokens WHERE n = :n;
SELECT body FROM bench.accounts;
COMMIT;
"""
    return pgbench(role, script, seconds, clients, **where)


@contextlib.contextmanager
def pgbouncer(sizes):
    """Answers, for each size of the pool, the options to connect with."""
    with tempfile.TemporaryDirectory() as directory:
        here = pathlib.Path(directory)
        (here / "users").write_text("".join(f'"{role}" ""\n' for role in SAY))
        databases = "".join(
            f"pool_{size} = host={os.environ['PGHOST']} port={os.environ['PGPORT']} dbname=postgres pool_size={size}\n"
            for size in sizes)
        (here / "pgbouncer.ini").write_text(f"""[databases]
{databases}[pgbouncer]
pool_mode = transaction
max_client_conn = 500
listen_port = 6432
unix_socket_dir = {here}
auth_type = trust
auth_file = {here}/users
logfile = {here}/log
""")
        # Debian installs it where only root looks for programs.
        paths = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
        process = subprocess.Popen(as_server("pgbouncer", "--quiet", str(here / "pgbouncer.ini")), env=paths)
        try:
            wait_until((here / ".s.PGSQL.6432").exists, 0.05)
            yield {size: ["--host", str(here), "--port", "6432", f"pool_{size}"] for size in sizes}
        finally:
            process.terminate()
            process.wait()


def poolers():
    """For each way to connect: each number of live tokens beside claims that nobody verifies, which
    cost the same however many there are."""
    def compare(connections, lives, seconds, **where):
        results = interleaved(ROUNDS, {
            ("unverified", LIVE[-1]): lambda: request("unverified", LIVE[-1], CLIENTS, seconds, **where),
            **{("verified", live): lambda live=live: request("verified", live, CLIENTS, seconds, **where) for live in lives}})
        return [{"connections": connections, "live": live,
                 **beside(results["verified", live], results["unverified", LIVE[-1]])} for live in lives]

    # Connected directly, each client's backend is new: longer runs make less of what it loads first.
    lines = compare(None, [LIVE[0], LIVE[-1]], 3 * SECONDS)
    with pgbouncer([20, 4]) as pools:
        for connections, pool in pools.items():
            # The pooler's connections are there, and have loaded that, before the first round.
            for role in SAY:
                request(role, LIVE[0], CLIENTS, pooler=pool)
            lines += compare(connections, LIVE, SECONDS, pooler=pool)
    return lines


def beside(verified, unverified):
    """Rates and costs of both, and the medians of the ratios of the same round."""
    parts = {part: [[getattr(load, part) for load in loads] for loads in (verified, unverified)] for part in ("rate", "cpu")}
    return {part: {"verified": median(ours), "unverified": median(theirs), "ratio": ratio(ours, theirs)}
            for part, (ours, theirs) in parts.items()}


@contextlib.contextmanager
def hot_standby():
    """Answers the options to connect to a standby of the cluster that has caught up."""
    with tempfile.TemporaryDirectory() as directory:
        data = f"{directory}/data"
        subprocess.run(as_server("pg_basebackup", "--pgdata", data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
                       check=True)
        with open(f"{data}/postgresql.conf", "a") as configuration:
            configuration.write(f"unix_socket_directories = '{directory}'\nmax_standby_streaming_delay = {PATIENCE}\n")
        subprocess.run(as_server("pg_ctl", "--pgdata", data, "--log", f"{directory}/log", "--wait", "--silent", "start"), check=True)
        try:
            yield ["--host", directory]
        finally:
            subprocess.run(as_server("pg_ctl", "--pgdata", data, "--mode=immediate", "--silent", "stop"), check=True)


def reads(standby):
    """The request on the primary and on its standby, four clients each."""
    places = {"primary": (), "standby": standby}
    results = interleaved(ROUNDS, {
        (place, role): lambda place=place, role=role: request(role, LIVE[0], 4, where=places[place])
        for place in places for role in SAY})
    return {
        "places": {place: beside(results[place, "verified"], results[place, "unverified"]) for place in places},
        **{part: ratio([getattr(load, part) for load in results["standby", "verified"]],
                       [getattr(load, part) for load in results["primary", "verified"]]) for part in ("rate", "cpu")},
    }


def delays(primary, reader, changes):
    """Milliseconds that committing each change takes, and from then on until the reader sees it."""
    commits, seen = [], []
    for change, query, expected in changes:
        began = time.monotonic()
        primary.run(change)
        committed = time.monotonic()
        wait_until(lambda: reader.run(query) == [expected])
        commits.append(1000 * (committed - began))
        seen.append(1000 * (time.monotonic() - committed))
    return {"commit": median(commits), "seen": median(seen), "longest": max(seen), "count": len(seen)}


def lag(standby, stack):
    """How soon a user's new name, and a key that is no longer trusted, count on the standby."""
    token = run_once("SELECT token FROM bench.tokens WHERE n = 1")[0]
    pinned = [json.dumps(stack.jwks()), subprocess.check_output([service.STACK, "jwks", "--seed", "another"], text=True)]
    pin = "UPDATE neon_auth.providers SET jwks_url = NULL, jwks = '{}'"
    accepted = f"SELECT bench.accepted('{token}')"
    keys = [(pin.format(pinned[n % 2].strip()), accepted, str(1 - n % 2)) for n in range(1, 2 * CHANGES + 1)]

    def names(run):
        user = {"id": "somebody", "display_name": ""}
        for n in range(CHANGES):
            user["display_name"] = f"{run} {n}"
            yield (f"SELECT neon_auth.upsert_user('{json.dumps(user)}')",
                   "SELECT name FROM neon_auth.users_sync WHERE id = 'somebody'", user["display_name"])

    results = {}
    with Session() as primary, Session(where=standby) as reader:
        primary.run(pin.format(pinned[0]))
        wait_until(lambda: reader.run(accepted) == ["1"])
        for mode, settings in {"asynchronous": ("''", "on"), "remote_apply": ("'*'", "remote_apply")}.items():
            primary.run(f"ALTER SYSTEM SET synchronous_standby_names = {settings[0]}")
            primary.run("SELECT pg_reload_conf()")
            primary.run(f"SET synchronous_commit = {settings[1]}")
            time.sleep(1)
            results[mode] = {"name": delays(primary, reader, names(mode)), "key": delays(primary, reader, keys)}
        primary.run("ALTER SYSTEM RESET synchronous_standby_names")
        primary.run("SELECT pg_reload_conf(); SET synchronous_commit = on")
        time.sleep(1)
        results["held_up"] = held_up(standby, primary, reader, keys[:1])
    return {**results, "patience": PATIENCE}


def held_up(standby, primary, reader, changes):
    """The same behind a query of the standby that needs rows which the primary has cleaned away."""
    query = Session(where=standby)
    query.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM bench.accounts LIMIT 1")
    primary.run("DELETE FROM bench.accounts WHERE user_id > 'f'")
    primary.run("VACUUM bench.accounts")
    result = delays(primary, reader, changes)
    # It has been cancelled, and its connection ended perhaps.
    query.psql.kill()
    query.close()
    return result


def logical():
    """Seconds for new users and for changed ones to reach a subscriber, from the first commit on the
    publisher and from the last."""
    psql_file("mirror.sql")
    major = int(run_once("SHOW server_version_num")[0]) // 10000
    run_once("CREATE DATABASE subscriber")
    subscriber = ["--dbname", "subscriber"]
    if major < 18:
        run_once("CREATE EXTENSION neon_auth; ALTER TABLE neon_auth.users_sync DROP CONSTRAINT users_sync_pkey, "
                 "ADD CONSTRAINT users_sync_pkey UNIQUE (id)", where=subscriber)
        if major >= 16:
            # Which then find the changed row by an index, and would take this one.
            run_once("DROP INDEX neon_auth.users_sync_deleted_at_idx; "
                     "CREATE INDEX ON neon_auth.users_sync (updated_at)", where=subscriber)
        run_once("ALTER TABLE neon_auth.users_sync REPLICA IDENTITY FULL; "
                 "CREATE PUBLICATION mirror FOR TABLE neon_auth.users_sync")
    else:
        run_once("""CREATE SCHEMA neon_auth;
            CREATE TABLE neon_auth.users_sync (raw_json jsonb NOT NULL, id text PRIMARY KEY, name text, email text,
            created_at timestamptz, updated_at timestamptz, deleted_at timestamptz)""", where=subscriber)
        run_once("CREATE PUBLICATION mirror FOR TABLE neon_auth.users_sync WITH (publish_generated_columns = stored)")
    # Both are databases of one server, which cannot make the slot by itself then.
    run_once("TRUNCATE neon_auth.users_sync CASCADE")
    run_once("SELECT pg_create_logical_replication_slot('mirror', 'pgoutput')")
    run_once(f"""CREATE SUBSCRIPTION mirror CONNECTION 'host={os.environ["PGHOST"]} dbname=postgres user=postgres'
                 PUBLICATION mirror WITH (create_slot = false)""", where=subscriber)
    wait_until(lambda: run_once("SELECT DISTINCT srsubstate FROM pg_subscription_rel", where=subscriber) == ["r"], 0.1)
    changed = MIRRORED // 10

    def measure(reader, writes, query, expected):
        began = time.monotonic()
        with Session() as writer:
            for write in writes:
                writer.run(write)
            committed = time.monotonic()
            wait_until(lambda: reader.run(query) == [str(expected)], 0.01)
        return {"users": expected, "publisher": committed - began, "behind": time.monotonic() - committed}

    with Session(where=subscriber) as reader:
        new = measure(reader, [f"SELECT neon_auth.upsert_users(users) FROM bench.arrays WHERE version = 0 AND turn = {turn}"
                               for turn in range(10)],
                      "SELECT count(*) FROM neon_auth.users_sync", MIRRORED)
        # In another order than they came in.
        some = f"""SELECT neon_auth.upsert_users(jsonb_agg(bench.user(n * 7919 % {MIRRORED}, 1) ORDER BY n))
                     FROM generate_series(1, {changed}) AS n"""
        again = measure(reader, [some], "SELECT count(*) FROM neon_auth.users_sync WHERE name LIKE '%version 1'", changed)
        reader.run("ALTER SUBSCRIPTION mirror DISABLE")
    return {"major": major, "new": new, "changed": again}


def main():
    def say(what):
        print(f"  {what}", file=sys.stderr, flush=True)

    with service.running() as stack:
        prepare(stack)
        say("tokens verified by another session")
        results = {"shared": shared.measure(LIVE[-1])}
        say("new backends")
        results["first"] = tokens.first_calls("verified", FIRST)
        say("poolers")
        results["poolers"] = poolers()
        with hot_standby() as standby:
            say("reads of a standby")
            results["reads"] = reads(standby)
            say("lag of a standby")
            results["lag"] = lag(standby, stack)
        say("logical replication")
        results["logical"] = logical()
    json.dump(results, sys.stdout)


main()
