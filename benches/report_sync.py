"""What the report says about synchronisation."""

from markdown import figure, table
from server import median, ratio


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


def workers(results):
    shares = {kind: results[kind]["launcher"] + results[kind]["others"] for kind in ("hourly", "minutely")}
    soon = results["confirmation"]
    return f"Background workers of a server with {results['databases']} configured databases, without work (processor time in percent\n" \
        "of one core: launcher, workers and postmaster):\n\n" + table(
            ["full synchronisation", "percent of one core", "worker runs a minute"],
            [[kind, figure(share), figure(results[kind]["visits"])] for kind, share in shares.items()],
        ) + f"\n\nFrom the commit of a queued change to its confirmation: **{figure(soon['median'])} ms**, at most " \
        f"{figure(soon['longest'])} ms of {soon['count']}."


def aims_of_workers(results, at_most):
    idle = results["hourly"]["launcher"] + results["hourly"]["others"]
    return [
        at_most(f"idle workers of {results['databases']} databases", 0.5, idle, " % of a core"),
        at_most("a queued change confirmed", 1000, results["confirmation"]["longest"], " ms"),
    ]


def aims(results, at_most, at_least):
    peaks = list(results["peaks"].values())
    return [
        at_least("first synchronisation to the bare statement (CPU)", 0.8,
                 ratio(results["costs"]["bare"], results["costs"]["ours"]), "×"),
        at_most("rows of the mirror written when nothing has changed", 0, results["again"]["written"]),
        at_most("WAL for each user when nothing has changed", 4, results["again"]["wal"], " bytes"),
        at_most("rows of the mirror written when a tenth of the users were active", 0, results["active"]["written"]),
        at_most("WAL for each user when a tenth of the users were active", 4, results["active"]["wal"], " bytes"),
        at_most(f"memory to synchronise {max(results['peaks']):,} users, to {min(results['peaks']):,}", 1.1,
                peaks[-1] / peaks[0], "×"),
    ]
