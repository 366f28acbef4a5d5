"""What the report says about poolers and replicas."""

from aims import at_least, at_most
from markdown import figure, table
from server import median, ratio
from sizes import CLIENTS, LIVE


def section(results):
    return "\n\n".join([shared(results["shared"]), poolers(results), reads(results["reads"]), lag(results["lag"]), logical(results["logical"])])


def shared(results):
    costs, together = results["costs"], {name: median(each) for name, each in results["together"].items()}
    return "With `shared_preload_libraries`, the server remembers which tokens have a valid signature. A token (ES256), inside one\n" \
        "backend (CPU µs): " + ", ".join(f"{title} **{figure(median(costs[name]))}**" for name, title in (
            ("fresh", "verified for the first time on this server"), ("another", "then by another session"),
            ("again", "then by that session again"))) + ".\n\n" \
        "The same in one backend, and in four at once, which share the processors (CPU µs a token):\n\n" + table(
            ["", "one backend", "four at once"],
            [[title, *(figure(together[f"{name}_{backends}"]) for backends in (1, 4))]
             for name, title in (("shared", "tokens that another session has verified"), ("own", "one token that each backend has cached"))])


def poolers(results):
    def row(line):
        rate, cpu = line["rate"], line["cpu"]
        way = f"PgBouncer, {line['connections']} server connections" if line["connections"] else "direct"
        return [way, f"{line['live']:,}", *(figure(rate[kind]) for kind in ("verified", "unverified")), f"{rate['ratio']:.2f}",
                *(figure(cpu[kind]) for kind in ("verified", "unverified")), f"{cpu['ratio']:.2f}"]

    return f"The request above, from {CLIENTS} clients, each transaction with the token of another user, chosen at random from\n" \
        "the given number of live tokens (ES256), each of which some session of the server has verified before: directly, and\n" \
        "through PgBouncer in transaction mode. With direct connections, each client has a new backend.\n\n" + table(
            ["", "live tokens", "verified, tps", "unverified, tps", "ratio", "verified, CPU µs", "unverified, CPU µs", "ratio"],
            [row(line) for line in results["poolers"]])


def reads(results):
    def row(place, both):
        return [place, *(figure(both[part][kind]) for part in ("rate", "cpu") for kind in ("verified", "unverified"))]

    return "The same request with four clients on a primary and on its hot standby, in turns. The standby's rate to the\n" \
        f"primary's is {results['rate']:.2f}, its processor time {results['cpu']:.2f}.\n\n" + table(
            ["", "verified, tps", "unverified, tps", "verified, CPU µs", "unverified, CPU µs"],
            [row(place, both) for place, both in results["places"].items()])


def lag(results):
    titles = {"asynchronous": "asynchronous", "remote_apply": "`synchronous_commit = remote_apply`"}
    kinds = {"name": "a user's name", "key": "a pinned key, revoked or trusted again"}

    def row(mode, kind):
        delay = results[mode][kind]
        return [f"{kinds[kind]}, {titles[mode]}", *(figure(delay[part]) for part in ("commit", "seen", "longest"))]

    held = results["held_up"]
    return "When a change on the primary takes effect in an open session of the standby, on the same machine (wall ms: to\n" \
        f"commit, and from then on; medians of {results['asynchronous']['name']['count']} and {results['asynchronous']['key']['count']}):\n\n" + table(
            ["", "to commit", "until it takes effect", "at most"],
            [*(row(mode, kind) for mode in titles for kind in kinds),
             ["a pinned key, revoked while a query of the standby blocks replay", *(figure(held[part]) for part in ("commit", "seen", "longest"))]],
        ) + f"\n\nThe last with `max_standby_streaming_delay` of {results['patience'] / 1000:g} s; PostgreSQL's own is 30 s."


def logical(results):
    kinds = {"new": "new", "changed": f"changed, among {results['new']['users']:,}"}

    def row(kind):
        measured = results[kind]
        return [f"{measured['users']:,} users, {kinds[kind]}", figure(measured["publisher"]), figure(measured["behind"])]

    return f"Logical replication of `users_sync` as PostgreSQL {results['major']} does it, with users in arrays of up to a thousand (wall s):\n\n" + table(
        ["", "on the publisher", "from then until the subscriber has all"], [row(kind) for kind in kinds])


def pooled(results, live, part):
    """The ratios with that many live tokens, of each pool."""
    return [line[part]["ratio"] for line in results["poolers"] if line["connections"] and line["live"] == live]


def direct(results):
    return next(line["rate"]["ratio"] for line in results["poolers"] if not line["connections"] and line["live"] == LIVE[-1])


def loss(results):
    """What a token costs more in four backends at once, beyond what a token that each backend has cached does."""
    together = results["shared"]["together"]
    shared, own = (ratio(together[f"{name}_4"], together[f"{name}_1"]) for name in ("shared", "own"))
    return shared / own


AIMS = [
    at_most("a token that another session has verified, to one that no session has", 0.25,
            lambda results: ratio(results["shared"]["costs"]["another"], results["shared"]["costs"]["fresh"]), "×"),
    at_most("a token that another session has verified", 15, lambda results: median(results["shared"]["costs"]["another"]), " µs"),
    at_most("the same in four backends at once to one, relative to a token that each has cached", 1.1, loss, "×"),
    at_most(f"request through a pooler, {LIVE[0]} live tokens (CPU), to an unverified one", 1.1,
            lambda results: pooled(results, LIVE[0], "cpu")[0], "×"),
    at_least(f"request through a pooler, {LIVE[-1]:,} live tokens (tps), to an unverified one", 0.95,
             lambda results: min(pooled(results, LIVE[-1], "rate")), "×"),
    at_least(f"request directly, {LIVE[-1]:,} live tokens (tps), to an unverified one", 0.85, direct, "×"),
]
