"""What the report says about policies, and about one transaction for each request."""

from aims import at_least, at_most
from markdown import figure, table
from server import median, ratio

# Name of a measurement, its title, and what to take of each result.
COSTS = [
    ("scan", "Scan, CPU ms", None),
    ("parallel_scan", "Parallel scan, wall ms", None),
    ("lookup", "Look-up, planned, CPU µs", None),
    ("pgbench_lookup", "Look-up, pgbench, CPU µs", "cpu"),
    ("bulk_insert", "Insert, bulk, CPU ms", None),
    ("pgbench_insert", "Insert, pgbench, CPU µs", "cpu"),
]
# Transactions per second, where more is better, stand below their costs.
RATES = [
    ("pgbench_lookup", "Look-up, pgbench, tps", "rate"),
    ("pgbench_insert", "Insert, pgbench, tps", "rate"),
]
PARTS = {"scan": "scan, CPU ms", "wall": "by index, wall µs", "statement": "by index, CPU µs", "prepared": "by index, prepared, CPU µs"}


def values(results, name, role, part=None):
    return [getattr(value, part) if part else value for value in results[name][role]]


def relative(results, measurement, role, base="literal"):
    name, _, part = measurement
    return ratio(values(results, name, role, part), values(results, name, base, part))


def variants(results):
    titles = results["titles"]

    def cell(each, role):
        name, _, part = each
        return f"{figure(median(values(results, name, role, part)))} ({relative(results, each, role):.2f})"

    return table(["", *(f"`{title}`" if "(" in title else title for title in titles.values())],
                 [[each[1], *(cell(each, role) for role in titles)] for each in COSTS + RATES])


def to_literal(forms, form, part, base="literal"):
    """A form's cost to that of the literal in its place, or to that of PostgreSQL's own function there."""
    other = next(other for other in forms if other["title"] == form[base])
    return ratio(form[part], other[part])


def forms(results, group):
    every = results["forms"][group]

    def cell(form, part):
        return f"{figure(median(form[part]))} ({to_literal(every, form, part):.2f})"

    return table(["policy", *PARTS.values()],
                 [[f"`{form['title'].replace('{user}', '…')}`", *(cell(form, part) for part in PARTS)] for form in every])


def dearest(part, base="literal"):
    """The largest cost of a form to that of its literal, or to that of PostgreSQL's own function in its place."""
    def measured(results):
        every = results["forms"]["ours"]
        return max(to_literal(every, form, part, base) for form in every if form["floor"])

    return measured


def requests(results):
    kinds = {"again": "the same token each time, four clients", "fresh": "another token each time, one client"}

    def row(kind):
        verified, unverified = (results["request"][kind][name] for name in ("verified", "unverified"))
        rates = [[load.rate for load in loads] for loads in (verified, unverified)]
        costs = [[load.cpu for load in loads] for loads in (verified, unverified)]
        return [kinds[kind], *(figure(median(rate)) for rate in rates), f"{ratio(*rates):.2f}",
                *(figure(median(cost)) for cost in costs), f"{ratio(*costs):.2f}"]

    return table(["", "verified, tps", "unverified, tps", "ratio", "verified, CPU µs", "unverified, CPU µs", "ratio"],
                 [row(kind) for kind in kinds])


def share_of_signature(results):
    """Of what a request with an uncached token costs more than an unverified one."""
    fresh = {name: [load.cpu for load in loads] for name, loads in results["request"]["fresh"].items()}
    more = median([mine - other for mine, other in zip(fresh["verified"], fresh["unverified"])])
    return results["signatures"]["ES256"][0] / more


def rate_again(results):
    again = results["request"]["again"]
    return ratio(*([load.rate for load in again[name]] for name in ("verified", "unverified")))


SCAN, LOOKUP, LOOKUPS_A_SECOND = COSTS[0], COSTS[3], RATES[0]
AIMS = [
    at_most("scan to the literal", 1.05, lambda results: relative(results, SCAN, "ours"), "×"),
    at_most("each form of a policy, scan (CPU), to the literal in its place", 1.1, dearest("scan"), "×"),
    at_most("each form of a policy, by index (wall), to the literal in its place", 1.1, dearest("wall"), "×"),
    at_most("each form of a policy, by index (CPU), to the literal in its place", 1.1, dearest("statement"), "×"),
    at_most("each form of a policy, by index (prepared, CPU), to the literal in its place", 1.1, dearest("prepared"), "×"),
    at_most("each form of a policy, by index (CPU), to a function of PostgreSQL's own in its place", 1.1,
            dearest("statement", "floor"), "×"),
    at_most("each form of a policy, by index (prepared, CPU), to a function of PostgreSQL's own in its place", 1.1,
            dearest("prepared", "floor"), "×"),
    at_most("look-up (pgbench, CPU) to a function of PostgreSQL's own in the same place", 1.05,
            lambda results: relative(results, LOOKUP, "ours", "floor"), "×"),
    at_least("look-up (pgbench, tps) to a function of PostgreSQL's own in the same place", 0.95,
             lambda results: relative(results, LOOKUPS_A_SECOND, "ours", "floor"), "×"),
    at_most("look-up (pgbench, CPU) to a function of PostgreSQL's own in a hand-written sub-select", 1.05,
            lambda results: relative(results, LOOKUP, "ours", "floor_select"), "×"),
    at_least("request with a cached token (tps) to an unverified one", 0.9, rate_again, "×"),
    at_least("request with an uncached token: the signature check's share of the additional cost (CPU)", 0.8, share_of_signature),
    at_least("scan: current_setting(…)::jsonb to ours", 10, lambda results: relative(results, SCAN, "setting", "ours"), "×"),
]
