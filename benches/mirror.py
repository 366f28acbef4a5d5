"""What it costs to keep the mirror true, and to ask it."""

import base64
import hashlib
import hmac
import json
import pathlib
import subprocess
import threading
import time

from server import Session, interleaved, pgbench, run_once

ARRAY = 1000
# More than a server takes in a second.
WEBHOOKS_A_SECOND = 15_000
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
TABLE = "neon_auth.users_sync"
UPSERTS = {"ours": "neon_auth.upsert_users", "bare": "bench.bare_upsert"}


def measure(rounds, seconds, users):
    """Everything of the mirror, with up to that many users and memberships."""
    prepare()
    return {
        # Short, and so at the mercy of whatever else the machine does.
        "upserts": upserts(2 * rounds),
        "load": load(users),
        "permissions": permissions(rounds, users),
        "memberships": users,
        "webhooks": webhooks(rounds, seconds),
    }


def prepare():
    subprocess.run(["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1",
                    "--file", str(pathlib.Path(__file__).with_name("mirror.sql"))],
                   check=True, stdout=subprocess.DEVNULL)
    run_once("VACUUM (ANALYZE) bench.arrays")
    run_once(f"SELECT neon_auth.set_secret('webhook_secret', '{SECRET}')")
    # Whoever passes on webhooks may do nothing else; the bare statements need the tables.
    run_once(f"""CREATE ROLE writer LOGIN; GRANT SELECT ON bench.webhooks TO writer;
             GRANT EXECUTE ON FUNCTION neon_auth.handle_webhook(text, jsonb) TO writer;
             GRANT SELECT, INSERT, UPDATE ON {TABLE}, neon_auth.sync_queue, neon_auth.webhook_deliveries TO writer""")


def upserts(rounds):
    """Microseconds of processor time for each user of arrays of a thousand: all new, all changed, and
    the same again; and how many rows the last rewrote, and dead rows."""
    def measure(name):
        with Session() as session:
            def write(version):
                query = f"SELECT {UPSERTS[name]}(users) FROM bench.arrays WHERE version = {version} ORDER BY turn"
                return session.cpu(query) * 1000 / (10 * ARRAY)
            # The table's and the functions' first use in a session is not the point.
            session.run(f"SELECT {UPSERTS[name]}('[]'); TRUNCATE {TABLE} CASCADE")
            costs = {"new": write(0), "changed": write(1)}
            costs["unchanged"] = write(1)
        return costs

    results = interleaved(rounds, {name: lambda name=name: measure(name) for name in UPSERTS})
    costs = {kind: {name: [each[kind] for each in results[name]] for name in UPSERTS} for kind in results["ours"][0]}
    return {"costs": costs, "rewritten": rewritten_by_repeat()}


def rewritten_by_repeat():
    """What the server counts as updated, and as dead, once the same users have been written again."""
    def counted():
        # Each session has told what it did when it ended; the news may need a moment.
        time.sleep(1)
        line = run_once(f"SELECT n_tup_upd, n_dead_tup FROM pg_stat_all_tables WHERE relid = '{TABLE}'::regclass")[0]
        return [int(number) for number in line.split("|")]

    write = "SELECT neon_auth.upsert_users(users) FROM bench.arrays WHERE version = 0"
    run_once(f"TRUNCATE {TABLE} CASCADE")
    run_once(write)
    run_once(f"VACUUM {TABLE}")
    before = counted()
    run_once(write)
    return dict(zip(("updated", "dead"), (after - before for after, before in zip(counted(), before))))


class Watch(threading.Thread):
    """Follows a backend's private memory to its peak."""

    def __init__(self, session):
        super().__init__(daemon=True)
        self.session, self.peak, self.over = session, 0, threading.Event()

    def run(self):
        while not self.over.wait(0.002):
            self.peak = max(self.peak, self.session.memory()["private"])


def load(users):
    """Peaks of a backend's private memory (KiB) while it loads users in arrays of a thousand, all in
    one transaction: by the number that is loaded."""
    run_once(f"TRUNCATE {TABLE} CASCADE")
    marks = {users // 100, users // 10, users}
    peaks = {}
    with Session() as session:
        session.run("SELECT neon_auth.upsert_users('[]'); BEGIN")
        watch = Watch(session)
        watch.start()
        for start in range(0, users, ARRAY):
            session.run(f"""SELECT neon_auth.upsert_users(jsonb_agg(bench.user(number, 0)))
                              FROM generate_series({start}, {start + ARRAY - 1}) AS number""")
            if start + ARRAY in marks:
                peaks[start + ARRAY] = watch.peak
        watch.over.set()
        watch.join()
        session.run("COMMIT")
    run_once(f"VACUUM (ANALYZE) {TABLE}")
    return peaks


def sign(number, event, data):
    """A row of bench.webhooks."""
    body = json.dumps({"type": event, "data": data})
    message, now = f"msg_{number}_{time.time_ns()}", str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = hmac.new(key, f"{message}.{now}.{body}".encode(), hashlib.sha256).digest()
    headers = {"host": "example.com", "content-type": "application/json", "user-agent": "Svix-Webhooks/1.0",
               "svix-id": message, "svix-timestamp": now, "svix-signature": "v1," + base64.b64encode(signature).decode()}
    return f"{number}\t{body}\t{json.dumps(headers)}\t{json.dumps(data)}\n"


# What a webhook queues, so that the REST API confirms it.
QUEUED = {
    "new": "('project_permissions', 'No event reports the permissions of a new user.'), "
           "('user', 'No event reports the first selected team.')",
    "changed": "('user', 'The order of the updates is unknown.')",
}


def same_rows(kind):
    """A statement that writes the rows that a webhook writes: the user, the entries of the queue and the
    delivery; without a signature to verify or a row to compare with."""
    return f"""
        WITH given AS (SELECT data::jsonb AS data, headers, body::jsonb AS body FROM bench.webhooks WHERE n = :n),
        written AS (
            INSERT INTO {TABLE} (raw_json, updated_at) SELECT data, now() FROM given
                ON CONFLICT (id) DO UPDATE SET raw_json = excluded.raw_json, updated_at = excluded.updated_at
        ), queued AS (
            INSERT INTO neon_auth.sync_queue (kind, user_id, reason)
            SELECT q.kind, data ->> 'id', q.reason FROM given, (VALUES {QUEUED[kind]}) AS q(kind, reason)
                ON CONFLICT (team_id, user_id, kind) DO UPDATE
               SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
        )
        INSERT INTO neon_auth.webhook_deliveries (id, event, outcome)
        SELECT headers ->> 'svix-id', body ->> 'type', '{{"outcome": "applied", "queued": true}}' FROM given"""


def webhooks(rounds, seconds):
    """Transactions per second, and their cost, of one webhook each, of one bare upsert each, and of one
    statement each that writes the same rows: of new users, and of known ones that have changed."""
    count = WEBHOOKS_A_SECOND * seconds
    users = [json.loads(line) for line in run_once(f"SELECT bench.user(-n, 0) FROM generate_series(1, {count}) n")]
    statements = {
        "ours": "SELECT neon_auth.handle_webhook(body, headers) FROM bench.webhooks WHERE n = :n",
        "bare": f"""INSERT INTO {TABLE} (raw_json, updated_at) SELECT data::jsonb, now() FROM bench.webhooks WHERE n = :n
                    ON CONFLICT (id) DO UPDATE SET raw_json = excluded.raw_json, updated_at = excluded.updated_at""",
    }

    def measure(kind, name):
        event = {"new": "user.created", "changed": "user.updated"}[kind]
        run_once(f"TRUNCATE bench.webhooks, {TABLE}, neon_auth.webhook_deliveries, neon_auth.sync_queue CASCADE")
        # As many are known before, so that the statements are planned for a table that is not empty.
        known = 0 if kind == "changed" else count
        run_once(f"SELECT neon_auth.upsert_users(jsonb_agg(bench.user(-n - {known}, 0))) FROM generate_series(1, {count}) n")
        data = ({**user, "last_active_at_millis": user["last_active_at_millis"] + (kind == "changed")} for user in users)
        rows = "".join(sign(number, event, each) for number, each in enumerate(data, 1))
        subprocess.run(["psql", "--no-psqlrc", "--quiet", "--command", "COPY bench.webhooks FROM stdin"],
                       input=rows, text=True, check=True)
        run_once(f"VACUUM (ANALYZE) bench.webhooks, {TABLE}")
        statement = same_rows(kind) if name == "rows" else statements[name]
        load = pgbench("writer", f"\\set n :n + 1\n{statement};\n", seconds, clients=1, variables={"n": 0})
        if load.transactions > count:
            raise RuntimeError("the webhooks ran out, and transactions without one are cheap")
        return load

    return {kind: interleaved(rounds, {name: lambda name=name: measure(kind, name) for name in (*statements, "rows")})
            for kind in ("new", "changed")}


def permissions(rounds, memberships):
    """Microseconds of processor time of `auth.has_permission` for a row of a query, without what the
    query itself takes, with that many memberships and as many permissions: in the ten teams of a
    user, over and over, through a permission that contains the one asked for; in the many of another
    user, once each; and in teams of others."""
    teams = max(memberships // 100, 100)
    ids = {"member": "md5('0')::uuid::text", "once": "md5('everywhere')::uuid::text", "stranger": "md5('0')::uuid::text"}
    run_once(f"""
        TRUNCATE neon_auth.team_members_sync, neon_auth.team_permissions_sync;
        SELECT neon_auth.upsert_teams(jsonb_agg(jsonb_build_object('id', md5('team ' || n)::uuid, 'display_name', 'Team ' || n)))
          FROM generate_series(1, {teams}) AS n;
        -- Each user is in ten teams.
        INSERT INTO neon_auth.team_members_sync (team_id, user_id)
        SELECT md5('team ' || (n / 10 + n % 10 * 7) % {teams} + 1)::uuid, md5((n / 10)::text)::uuid
          FROM generate_series(0, {memberships} - 1) AS n;
        INSERT INTO neon_auth.team_members_sync (team_id, user_id)
        SELECT id, {ids['once']} FROM neon_auth.teams_sync;
        INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id)
        SELECT team_id, user_id, 'team_admin' FROM neon_auth.team_members_sync;
        SELECT neon_auth.upsert_user(bench.user(0, 0));
        TRUNCATE bench.asked_member, bench.asked_once, bench.asked_stranger;
        INSERT INTO bench.asked_once SELECT id FROM neon_auth.teams_sync ORDER BY random();
        INSERT INTO bench.asked_member
        SELECT team_id FROM neon_auth.team_members_sync, generate_series(1, 2000) WHERE user_id = {ids['member']};
        INSERT INTO bench.asked_stranger
        SELECT id FROM neon_auth.teams_sync t, generate_series(1, 20000 / {teams} + 1)
         WHERE NOT EXISTS (SELECT FROM bench.asked_member a WHERE a.team_id = t.id) LIMIT 20000;
        ANALYZE""")
    run_once("VACUUM neon_auth.team_members_sync, neon_auth.team_permissions_sync, neon_auth.teams_sync")

    with Session() as session:
        def cost(asked):
            session.run(f"SELECT auth.impersonate({ids[asked]}, is_local => false)")
            count = int(session.run(f"SELECT count(*) FROM bench.asked_{asked}")[0])
            has = f"SELECT count(*) FROM bench.asked_{asked} WHERE auth.has_permission('$read_members', team_id)"
            if session.run(has) != [str(0 if asked == "stranger" else count)]:
                raise RuntimeError("the answers are wrong, and so would be what they cost")
            empty = f"SELECT count(*) FROM bench.asked_{asked} WHERE bench.nothing(team_id, true) > 0"
            return (session.cpu(has) - session.cpu(empty)) * 1000 / count
        return interleaved(rounds, {asked: lambda asked=asked: cost(asked) for asked in ids})
