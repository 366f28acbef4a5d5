"""What the report says about poolers and replicas."""

from markdown import figure, table


def section(results):
    return "\n\n".join([poolers(results), reads(results["reads"]), lag(results["lag"]), logical(results["logical"])])


def poolers(results):
    def row(line):
        rate, cpu = line["rate"], line["cpu"]
        way = f"PgBouncer, {line['connections']} server connections" if line["connections"] else "direct"
        return [way, f"{line['live']:,}", *(figure(rate[kind]) for kind in ("verified", "unverified")), f"{rate['ratio']:.2f}",
                *(figure(cpu[kind]) for kind in ("verified", "unverified")), f"{cpu['ratio']:.2f}"]

    return f"The request above, from {results['clients']} clients, each transaction with the token of another user, chosen at random from\n" \
        "the given number of live tokens (ES256): directly, and through PgBouncer in transaction mode. A backend caches\n" \
        "the last 64 tokens that it verified. With direct connections, each client has a new backend.\n\n" + table(
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


def aims(results, at_most):
    pooled = next(line for line in results["poolers"] if line["connections"])
    return [at_most(f"request through a pooler, {pooled['live']} live tokens (CPU), to an unverified one", 1.1,
                    pooled["cpu"]["ratio"], "×")]
