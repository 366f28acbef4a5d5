"""What memberships cost where the service does not return the list of all of them: time, the database's own
processor time, and its memory."""

import json

import service
from mirror import Watch
from server import Session, run_once
from sync import empty

# Users, if each has a team of its own, and the numbers of members of other teams. Lists of fewer than 14,000 memberships
# are returned.
PROJECTS = [(20_000, False, [20_000] + [1_000] * 20), (15_000, True, [])]
COUNT = "SELECT count(*) FROM neon_auth.team_members_sync"


def measure():
    return [compare(*project) for project in PROJECTS]


def run():
    """A run of sync(): seconds by the clock and of the backend's processor time, and the peak of its private memory
    (KiB)."""
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
    return {"wall": wall, "cpu": after - before, "peak": watch.peak}


def compare(users, with_teams, shared_teams):
    with service.running() as stack:
        keys = json.dumps(stack.keys()).replace("'", "''")
        run_once(f"DELETE FROM neon_auth.providers; SELECT neon_auth.configure('{keys}')")
        empty()
        stack.request("/dev/populate", {"users": users, "with_teams": with_teams, "shared_teams": shared_teams})
        results = {name: run() for name in ("first", "again")}
        results["memberships"] = int(run_once(COUNT)[0])
        results["teams"] = int(run_once("SELECT count(DISTINCT team_id) FROM neon_auth.team_members_sync")[0])
        return results
