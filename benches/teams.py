"""What memberships cost where the service does not return the list of all of them: requests, the database's own
processor time, and its memory.

    dev/cluster python3 benches/teams.py     with STACK, and a release build that is installed
"""

import json
import sys

import service
from mirror import Watch
from server import Session, run_once
from sync import empty

# Users, if each has a team of its own, and the numbers of members of other teams.
PROJECTS = {
    "one large team": (50_000, False, [50_000] + [1_000] * 150),
    "personal teams": (15_000, True, []),
    "more personal teams": (60_000, True, []),
}
COUNT = "SELECT count(*) FROM neon_auth.team_members_sync"



def run(stack):
    """A run of sync(): seconds by the clock and of the backend's processor time, and the peak of its private memory
    (MiB)."""
    stack.forget_fetches()
    with Session() as session:
        clock = f"/proc/{session.pid}/task/{session.pid}/schedstat"

        def spent():
            with open(clock) as file:
                return int(file.read().split()[0]) / 1e9

        watch = Watch(session)
        watch.start()
        before = spent()
        wall = session.wall("CALL neon_auth.sync()") / 1000
        after = spent()
        watch.over.set()
        watch.join()
    return {"wall": round(wall, 1), "cpu": round(after - before, 1), "peak": round(watch.peak / 1024, 1)}


def measure(users, with_teams, shared_teams):
    with service.running() as stack:
        keys = json.dumps(stack.keys()).replace("'", "''")
        run_once(f"CREATE EXTENSION IF NOT EXISTS neon_auth; DELETE FROM neon_auth.providers; SELECT neon_auth.configure('{keys}')")
        empty()
        stack.request("/dev/populate", {"users": users, "with_teams": with_teams, "shared_teams": shared_teams})
        results = {}
        for name in ("first", "again"):
            results[name] = run(stack)
            # The service remembers its last 10,000 requests.
            received = stack.request("/dev/requests?prefix=/api/v1/users")["items"]
            results[name]["team requests"] = sum("team_id=" in (each["query"] or "") for each in received)
        results["memberships"] = int(run_once(COUNT)[0])
        largest = run_once("SELECT team_id FROM neon_auth.team_members_sync GROUP BY 1 ORDER BY count(*) DESC LIMIT 1")[0]
        run_once(f"SELECT neon_auth_internal.queue_sync('team', '{largest}', '', 'A measurement.')")
        results["queued"] = run(stack)
        return results


def main():
    for name in sys.argv[1:] or PROJECTS:
        print(json.dumps({name: measure(*PROJECTS[name])}), flush=True)


main()
