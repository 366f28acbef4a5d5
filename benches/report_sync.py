"""What the report says about synchronisation."""

from aims import at_least, at_most
from markdown import figure, table
from server import median, ratio
from sizes import DATABASES, LEAST, MOST, SYNCHRONISED


def section(results):
    ours, bare = results["costs"]["ours"], results["costs"]["bare"]
    again, active = results["again"], results["active"]
    return "`CALL neon_auth.sync()` of a project of " f"{results['users']:,} users into an empty mirror, and a bare `INSERT … SELECT … ON\n" \
        "CONFLICT` of the same pages of JSON text, each in a transaction of its own (CPU µs for each user, in the thread\n" \
        "that works on the database; another one sends HTTP requests). Throughput is relative to the bare statement's.\n\n" + table(
            ["`sync()`", "bare", "throughput"],
            [[figure(median(ours)), figure(median(bare)), f"{ratio(bare, ours):.2f}"]],
        ) + f"\n\nThe next run, if nothing has changed, and if {active['users']:,} users have refreshed a token since the one before:\n\n" + table(
            ["", "CPU µs a user", "rows written", "bytes of WAL a user"],
            [[name, figure(next_run["cost"]), next_run["written"], figure(next_run["wal"])]
             for name, next_run in (("nothing changed", again), ("a tenth of the users active", active))],
        ) + "\n\nA backend's private memory at its peak, HTTP included:\n\n" + table(
            ["users", "MiB"], [[f"{users:,}", figure(peak / 1024)] for users, peak in results["peaks"].items()])


def teams(results):
    def row(project, name):
        run = project[name]
        of = f"{project['memberships']:,} in {project['teams']:,} teams" if name == "first" else ""
        return [of, name, figure(run["wall"]), figure(run["cpu"]), figure(run["peak"] / 1024)]

    return "Projects whose memberships are [compared team by team](sync.md#large-projects), with one request for each\n" \
        "1,000 members of a team: from `CALL neon_auth.sync()` with everything that it compares. CPU is that of the\n" \
        "thread that works on the database:\n\n" + table(
            ["memberships", "", "seconds", "CPU seconds", "peak of private memory (MiB)"],
            [row(project, name) for project in results for name in ("first", "again")])


def workers(results):
    shares = {kind: results[kind]["launcher"] + results[kind]["others"] for kind in ("hourly", "minutely")}
    soon = results["confirmation"]
    return f"Background workers of a server with {DATABASES} configured databases, without work (processor time in percent\n" \
        "of one core: launcher, workers and postmaster):\n\n" + table(
            ["full synchronisation", "percent of one core", "worker runs a minute"],
            [[kind, figure(share), figure(results[kind]["visits"])] for kind, share in shares.items()],
        ) + f"\n\nFrom the commit of a queued change to its confirmation: **{figure(soon['median'])} ms**, at most " \
        f"{figure(soon['longest'])} ms of {soon['count']}."


def growth(results):
    peaks = list(results["peaks"].values())
    return peaks[-1] / peaks[0]


AIMS = [
    at_least("first synchronisation to the bare statement (CPU)", 0.9,
             lambda results: ratio(results["costs"]["bare"], results["costs"]["ours"]), "×"),
    # Half of what it was before the comparison of pages was made faster.
    at_most("next synchronisation, nothing changed, to the bare statement (CPU)", 0.45,
            lambda results: results["again"]["cost"] / median(results["costs"]["bare"]), "×"),
    at_most("rows of the mirror written when nothing has changed", 0, lambda results: results["again"]["written"]),
    at_most("WAL for each user when nothing has changed", 4, lambda results: results["again"]["wal"], " bytes"),
    at_most("rows of the mirror written when a tenth of the users were active", 0, lambda results: results["active"]["written"]),
    at_most("WAL for each user when a tenth of the users were active", 4, lambda results: results["active"]["wal"], " bytes"),
    at_most(f"memory to synchronise {SYNCHRONISED * MOST:,} users, to {round(SYNCHRONISED * LEAST):,}", 1.1, growth, "×"),
]
AIMS_OF_WORKERS = [
    at_most(f"idle workers of {DATABASES} databases", 0.5,
            lambda results: results["hourly"]["launcher"] + results["hourly"]["others"], " % of a core"),
    at_most("a queued change confirmed", 1000, lambda results: results["confirmation"]["longest"], " ms"),
]
