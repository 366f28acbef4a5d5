"""What the report says about Better Auth."""

from aims import at_least, at_most
from markdown import figure, table
from server import median, ratio

CREDENTIALS = {"bare": "a session's token", "signed": "a session's token with its signature",
               "by_table": "a JWT, its key in Better Auth's table", "pinned": "a JWT, its key pinned",
               "pinned_rejecting": "a JWT, its key pinned, deleted users rejected"}
REQUESTS = {"again": "the same session each time, four clients", "fresh": "another session each time, one client"}
FORMS = {"bare": "bare token", "signed": "token with signature"}


def parts(loads, part):
    return [[getattr(load, part) for load in each] for each in loads]


def section(results):
    costs = results["in_a_backend"]

    def request(kind, name):
        loads = (results["request"][kind][name], results["request"][kind]["claims"])
        rates, cpu = parts(loads, "rate"), parts(loads, "cpu")
        return [f"{REQUESTS[kind]}, {FORMS[name]}",
                *(figure(median(each)) for each in rates), f"{ratio(*rates):.2f}",
                *(figure(median(each)) for each in cpu), f"{ratio(*cpu):.2f}"]

    loads = (results["insert"]["ours"], results["insert"]["bare"])
    rates, cpu = parts(loads, "rate"), parts(loads, "cpu")
    bulk = (results["bulk"]["ours"], results["bulk"]["bare"])
    return "`auth.authenticate` inside one backend (CPU µs, as above), with 100,000 users and sessions: with the same\n" \
        "credential each time, and with a thousand in turn, which are more than a backend remembers. Whether the\n" \
        "session and its user exist, and that the user is not banned, is looked up each time.\n\n" + table(
            ["", "the same", "a thousand in turn"],
            [[title, *(figure(median(costs[name, turn])) for turn in ("again", "fresh"))] for name, title in CREDENTIALS.items()],
        ) + "\n\nThe request of *One transaction for each request*, with a session's token:\n\n" + table(
            ["", "verified, tps", "unverified, tps", "ratio", "verified, CPU µs", "unverified, CPU µs", "ratio"],
            [request(kind, name) for kind in REQUESTS for name in FORMS],
        ) + "\n\nUsers inserted into Better Auth's table, whose triggers write the mirror, and into the same table without\n" \
        "triggers: one a transaction, through pgbench with one client, and 100,000 in one statement.\n\n" + table(
            ["", "mirrored", "bare", "ratio"],
            [["one user, CPU µs", *(figure(median(each)) for each in cpu), f"{ratio(*cpu):.2f}"],
             ["one user, tps", *(figure(median(each)) for each in rates), f"{ratio(*rates):.2f}"],
             ["100,000 users, CPU ms", *(figure(median(each)) for each in bulk), f"{ratio(*bulk):.2f}"]])


def fresh(name):
    return lambda results: median(results["in_a_backend"][name, "fresh"])


def to_pinned(turn):
    return lambda results: ratio(*(results["in_a_backend"][name, turn] for name in ("by_table", "pinned_rejecting")))


def rate_again(results):
    again = results["request"]["again"]
    return ratio(*parts((again["signed"], again["claims"]), "rate"))


AIMS = [
    *(at_most(f"{CREDENTIALS[name]}, in a backend", 15, fresh(name), " µs") for name in FORMS),
    at_least("request with a session's token (tps) to an unverified one", 0.9, rate_again, "×"),
    *(at_most(f"a JWT by the table's key to one by a pinned key, deleted users rejected, {title}", 1.1, to_pinned(turn), "×")
      for turn, title in (("again", "cached"), ("fresh", "not cached"))),
    at_most("a user inserted into Better Auth's table to a bare insert (CPU)", 1.5,
            lambda results: ratio(*parts((results["insert"]["ours"], results["insert"]["bare"]), "cpu")), "×"),
    at_most("100,000 users inserted in one statement to a bare insert (CPU)", 1.5,
            lambda results: ratio(results["bulk"]["ours"], results["bulk"]["bare"]), "×"),
]
