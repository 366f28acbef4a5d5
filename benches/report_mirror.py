"""What the report says about the mirror."""

from aims import at_least, at_most
from markdown import figure, table
from server import median, ratio
from sizes import LOADED


def section(results):
    costs, webhooks = results["upserts"]["costs"], results["webhooks"]
    again, asked = results["upserts"]["rewritten"], results["permissions"]

    def upsert(kind):
        ours, bare = costs[kind]["ours"], costs[kind]["bare"]
        return [kind, figure(median(ours)), figure(median(bare)), f"{ratio(bare, ours):.2f}"]

    def webhook(kind):
        cost, rate = ({name: [getattr(load, part) for load in loads] for name, loads in webhooks[kind].items()}
                      for part in ("cpu", "rate"))
        return [f"webhook, user {kind}", figure(median(cost["ours"])),
                *(f"{figure(median(cost[name]))} ({ratio(cost['ours'], cost[name]):.2f})" for name in ("bare", "rows")),
                figure(median(rate["ours"])),
                *(f"{figure(median(rate[name]))} ({ratio(rate['ours'], rate[name]):.2f})" for name in ("bare", "rows"))]

    return "`upsert_users` with arrays of a thousand, and a bare `INSERT … SELECT … ON CONFLICT` of the same arrays into\n" \
        "the same table (CPU µs for each user). Throughput is relative to the bare statement's.\n\n" + table(
            ["users", "`upsert_users`", "bare", "throughput"], [upsert(kind) for kind in costs],
        ) + f"\n\nRepeated with the same 10,000 users: {again['updated']} rows written, {again['dead']} dead rows.\n\n" \
        "A backend's private memory at its peak, while it loads users in arrays of a thousand in one transaction:\n\n" \
        + table(["users", "MiB"], [[f"{users:,}", figure(peak / 1024)] for users, peak in results["load"].items()]) + \
        "\n\nOne webhook a transaction, signature and idempotency included, through pgbench with one client. Beside it one\n" \
        "bare upsert of the user, and one bare statement that writes the *same rows* as the webhook: the user, the delivery, and\n" \
        "what is queued for the REST API to confirm. In brackets: the webhook's ratio to it.\n\n" + table(
            ["", "CPU µs", "upsert, CPU µs", "same rows, CPU µs", "tps", "upsert, tps", "same rows, tps"],
            [webhook(kind) for kind in webhooks],
        ) + f"\n\n`auth.has_permission` for a row of a query, with {results['memberships']:,} memberships and as many permissions:\n" \
        f"**{figure(median(asked['member']))} µs** (CPU) in ten teams of the user, through a permission that contains the requested\n" \
        f"one; {figure(median(asked['once']))} µs if each team is checked only once; {figure(median(asked['stranger']))} µs in other users' teams."


def upserted(kind):
    """The throughput to the bare statement's."""
    return lambda results: ratio(*(results["upserts"]["costs"][kind][name] for name in ("bare", "ours")))


def delivered(kind, other):
    """The cost of a webhook to that of a bare statement."""
    return lambda results: ratio(*([load.cpu for load in results["webhooks"][kind][name]] for name in ("ours", other)))


def changed_to_unchanged(results):
    costs = results["upserts"]["costs"]
    return ratio(costs["changed"]["ours"], costs["unchanged"]["ours"])


def growth(results):
    peaks = list(results["load"].values())
    return peaks[-1] / peaks[0]


def asked(kind):
    return lambda results: median(results["permissions"][kind])


AIMS = [
    *(at_least(f"upsert_users, {kind} users, to the bare statement (CPU)", 0.95, upserted(kind), "×") for kind in ("new", "changed")),
    at_least("users changed to unchanged", 3, changed_to_unchanged, "×"),
    at_most("rows written or dead after an unchanged repeat", 0, lambda results: sum(results["upserts"]["rewritten"].values())),
    at_most(f"memory to load {LOADED:,} users, to a hundredth of them", 1.1, growth, "×"),
    *(at_most(f"webhook, user {kind}, to a bare {title} (CPU)", 1.4, delivered(kind, other), "×")
      for other, title in (("bare", "upsert"), ("rows", "statement that writes the same rows")) for kind in ("new", "changed")),
    at_most("auth.has_permission in a team of the user", 10, asked("member"), " µs"),
    at_most("auth.has_permission, each team checked only once", 10, asked("once"), " µs"),
]
