"""What a synchronisation costs the database, beside the bare statement."""

import json
import time

from mirror import TABLE, Watch
from server import Session, interleaved, median, run_once
from sizes import LEAST, MOST

PAGE = 1000
TABLES = ("users_sync", "teams_sync", "team_members_sync", "team_permissions_sync", "project_permissions_sync")

# The same users in the same pages, as the text in which they come, one transaction a page.
BARE = f"""
    CREATE PROCEDURE bench.bare_sync() LANGUAGE plpgsql AS $$
    DECLARE page text;
    BEGIN
        FOR page IN SELECT users FROM bench.pages ORDER BY number LOOP
            INSERT INTO {TABLE} (raw_json, updated_at)
            SELECT u, now() FROM jsonb_array_elements(page::jsonb) AS u
                ON CONFLICT (id) DO UPDATE SET raw_json = excluded.raw_json, updated_at = excluded.updated_at;
            COMMIT;
        END LOOP;
    END $$"""


def measure(stack, rounds, users):
    """A first synchronisation of so many users against the bare statement, the same again, and the
    memory that it takes for a tenth of them and for up to ten times as many."""
    keys = json.dumps(stack.keys()).replace("'", "''")
    run_once(f"DELETE FROM neon_auth.providers; SELECT neon_auth.configure('{keys}')")
    peaks = {}

    def grow(total):
        stack.request("/dev/populate", {"users": total - max(peaks, default=0)})
        empty()
        peaks[total] = synchronise()

    grow(round(users * LEAST))
    grow(users)
    run_once("CREATE TABLE bench.pages (number bigint, users text)")
    run_once(f"""INSERT INTO bench.pages
                 SELECT n / {PAGE}, jsonb_agg(raw_json ORDER BY n)
                   FROM (SELECT raw_json, row_number() OVER (ORDER BY created_at, id) - 1 AS n FROM {TABLE}) AS u
                  GROUP BY 1""")
    run_once(BARE)
    count = int(run_once(f"SELECT count(*) FROM {TABLE}")[0])
    calls = {"ours": "CALL neon_auth.sync()", "bare": "CALL bench.bare_sync()"}

    def first(name):
        empty()
        return microseconds(calls[name]) / count

    costs = interleaved(rounds, {name: lambda name=name: first(name) for name in calls})
    again = repeat(count, rounds)
    active = repeat_with_active_users(stack, count)
    for times in (3, MOST):
        grow(users * times)
    return {"costs": costs, "again": again, "active": active, "peaks": peaks, "users": count}


def empty():
    run_once(f"TRUNCATE {', '.join('neon_auth.' + name for name in TABLES)}, neon_auth.sync_runs, neon_auth.sync_queue CASCADE")
    run_once(f"VACUUM {TABLE}")


def synchronise():
    """The peak of the backend's private memory (KiB)."""
    with Session() as session:
        watch = Watch(session)
        watch.start()
        session.run("CALL neon_auth.sync()")
        watch.over.set()
        watch.join()
        return watch.peak


def microseconds(call):
    """Processor time of a call in the database's own thread; the thread that talks HTTP and reads
    JSON is none of its work."""
    with Session() as session:
        session.run("SELECT auth.user_id()")
        path = f"/proc/{session.pid}/task/{session.pid}/schedstat"

        def spent():
            with open(path) as file:
                return int(file.read().split()[0]) / 1000

        before = spent()
        session.run(call)
        return spent() - before


def repeat(count, rounds):
    """What the same again costs, into a mirror that has everything: the median, and all that was written."""
    empty()
    run_once("CALL neon_auth.sync()")
    runs = [next_synchronisation(count) for _ in range(rounds)]
    return {"cost": median(run["cost"] for run in runs), "written": sum(run["written"] for run in runs),
            "wal": median(run["wal"] for run in runs)}


def repeat_with_active_users(stack, count):
    """What the next run costs if every tenth user has refreshed a token since the one before."""

    def activity():
        return stack.request("/dev/activity", {"every": 10})["users"]

    # The users of the simulator were last active long ago.
    activity()
    run_once("CALL neon_auth.sync()")
    return {"users": activity(), **next_synchronisation(count)}


def next_synchronisation(count):
    """What a run costs for each user, how many rows of the mirror it writes, and how many bytes of WAL for
    each user."""

    def written():
        time.sleep(1)
        line = run_once("""SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_all_tables
                            WHERE schemaname = 'neon_auth' AND relname LIKE '%\\_sync'""")[0]
        return int(line)

    def logged():
        return int(run_once("SELECT pg_current_wal_insert_lsn() - '0/0'")[0])

    before = written()
    start = logged()
    cost = microseconds("CALL neon_auth.sync()") / count
    wal = (logged() - start) / count
    return {"cost": cost, "written": written() - before, "wal": wal}
