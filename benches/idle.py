"""What the background workers cost while there is nothing to do, and how soon they do what there is.

Run by dev/bench in a cluster that preloads the library, and writes what it measured as JSON.
IDLE_SECONDS (60) is the time of each measurement.
"""

import json
import os
import sys
import time

import service
from server import Session, median, run_once, stat_of
from sizes import DATABASES

CONFIRMATIONS = 50
SECONDS = float(os.environ.get("IDLE_SECONDS") or 60)
USER = "neon_auth_internal.queue_sync('user', '', '{}', 'A benchmark wants to know.')"


def in_database(name, sql):
    os.environ["PGDATABASE"] = name
    try:
        return run_once(sql)
    finally:
        os.environ["PGDATABASE"] = "postgres"


def wait_until(holds):
    while not holds():
        time.sleep(0.2)


def processes():
    """The postmaster and the launcher."""
    with Session() as session:
        postmaster = int(stat_of(session.pid)[1])
        launcher = session.run("SELECT pid FROM pg_stat_activity WHERE backend_type = 'neon_auth launcher'")
    return postmaster, int(launcher[0])


def spent(postmaster, launcher):
    """Seconds of processor time of the launcher; and of the postmaster and all that has ended."""
    ticks = os.sysconf("SC_CLK_TCK")
    with open(f"/proc/{launcher}/schedstat") as schedstat:
        of_launcher = int(schedstat.read().split()[0]) / 1e9
    # utime, stime, and those of children that were waited for.
    return of_launcher, sum(int(value) for value in stat_of(postmaster)[11:15]) / ticks


def visits(names):
    stats = "SELECT value FROM neon_auth.stats WHERE counter = 'worker_visits'"
    return sum(int(in_database(name, stats)[0]) for name in names)


def idle(names):
    """Percent of one core that the workers take, and worker runs a minute."""
    before_visits = visits(names)
    # Sessions of this benchmark that have just ended count now, not later.
    time.sleep(2)
    pair = processes()
    time.sleep(2)
    before, began = spent(*pair), time.monotonic()
    time.sleep(SECONDS)
    after, took = spent(*pair), time.monotonic() - began
    launcher, others = (100 * (b - a) / took for a, b in zip(before, after))
    return {"launcher": launcher, "others": others, "visits": (visits(names) - before_visits) * 60 / took}


def confirmation(session, stack):
    """Milliseconds from the commit of a queued change to its confirmation."""
    user = stack.sign_up()
    session.run(f"SELECT {USER.format(user)}")
    began = time.monotonic()
    while session.run("SELECT count(*) FROM neon_auth.sync_queue") != ["0"]:
        pass
    took = time.monotonic() - began
    assert session.run(f"SELECT count(*) FROM neon_auth.users_sync WHERE id = '{user}'") == ["1"]
    return 1000 * took


def main():
    with service.running() as stack:
        keys = json.dumps(stack.keys())
        names = [f"idle_{number}" for number in range(DATABASES)]
        run_once("CREATE DATABASE idle_0")
        in_database("idle_0", "CREATE EXTENSION neon_auth")
        for name in names[1:]:
            run_once(f"CREATE DATABASE {name} TEMPLATE idle_0")
        for name in names:
            in_database(name, f"SELECT neon_auth.configure('{keys}')")
        finished = """SELECT (EXISTS (SELECT FROM neon_auth.sync_runs WHERE finished_at IS NOT NULL)
                              AND EXISTS (SELECT FROM neon_auth.jwks_cache WHERE jwks IS NOT NULL))::int"""
        for name in names:
            wait_until(lambda: in_database(name, finished) == ["1"])
        # After the first keys there is another visit, to plan the next.
        planned = "SELECT (due_at > extract(epoch FROM now() + interval '{} s') * 1000000)::int FROM neon_auth_internal.worker_state()"
        for name in names:
            wait_until(lambda: in_database(name, planned.format(SECONDS + 10)) == ["1"])
        hourly = idle(names)

        os.environ["PGDATABASE"] = names[0]
        with Session() as session:
            times = [confirmation(session, stack) for _ in range(CONFIRMATIONS)]
        os.environ["PGDATABASE"] = "postgres"
        run_once("ALTER SYSTEM SET neon_auth.sync_interval = '60s'")
        run_once("SELECT pg_reload_conf()")
        time.sleep(5)
        minutely = idle(names)
    json.dump({"hourly": hourly, "minutely": minutely,
               "confirmation": {"median": median(times), "longest": max(times), "count": len(times)}}, sys.stdout)


main()
