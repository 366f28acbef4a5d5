"""What the report says about tokens and new backends."""

from aims import at_most
from markdown import figure, table
from server import median, ratio
from sizes import OTHERS, REVOCATIONS, STRANGERS

ASKS = {"create": "`create_users`", "reject": "`reject_deleted_users`", "both": "both"}


def signatures(results):
    return "A token that is not cached: only the signature check of the crypto library, and the whole\n" \
        "verification in the crate `neon_auth_token` (wall µs).\n\n" + table(
            ["algorithm", "signature only", "parse and verify", "ratio"],
            [[name, figure(bare), figure(whole), f"{whole / bare:.2f}"]
             for name, (bare, whole) in results["signatures"].items()])


def warm(results):
    verified, unverified = (median(results["warm"][name]) for name in ("verified", "unverified"))
    api_key = median(results["api_keys"]["unbounded"])
    return "A token in the backend's cache costs a hash: inside one backend, `auth.authenticate` takes\n" \
        f"**{figure(verified)} µs** (CPU; a loop of calls minus the same loop around an empty function). `set_config` of\n" \
        f"its claims, without verification, takes {figure(unverified)} µs. With revocations of others: " + ", ".join(
            f"{count:,}: {figure(median(costs))} µs" for count, costs in results["revocations"].items()) + ".\n" \
        f"An API key, which is looked up each time, takes {figure(api_key)} µs.\n\n" \
        "The user's row of `users_sync`, which exists, is looked up each time where the provider asks for it. Of a\n" \
        "cached token that adds (CPU µs): " + ", ".join(
            f"{title} {figure(more_for_row(results, name))}" for name, title in ASKS.items()) + "."


def more_for_row(results, name, base="nothing"):
    costs = results["existing_rows"]
    return median([cost - other for cost, other in zip(costs[name], costs[base])])


def by_number(results):
    rows = [[f"{count} {kind}{'s' if count > 1 else ''}", *(figure(median(cost[part])) for part in ("cold", "warm", "first"))]
            for (kind, count), cost in results["by_providers_and_keys"].items()]
    return "The cost of a token (ES256), by the number of providers, and of keys of its provider.\n\n" + table(
        ["", "not cached, CPU µs", "cached, CPU µs", "first in a new backend, CPU ms"], rows)


def backends(results):
    calls = ("current_setting", "user_id", "authenticate")
    memory = results["new_backends"]["memory"]
    return "The first call, which loads the library and, for `authenticate`, reads providers and keys (CPU ms):\n\n" + table(
        ["", "`current_setting`", "`auth.user_id()`", "`auth.authenticate($1)`"],
        [[title, *(figure(first[name]) for name in calls)]
         for title, first in (("without preloading", results["new_backends"]["first"]), ("preloaded", results["scale"]["first"]))],
    ) + "\n\nThe additional memory of a backend after a hundred requests, compared with unverified requests\n" \
        f"(MiB, without shared buffers), each among {OTHERS} similar backends. *Private*: memory that only this backend has.\n" \
        "*Proportional* (PSS): a page that ten backends share is counted as a tenth. *Resident* (RSS): it is counted\n" \
        "completely in each, so the library's code, which is in memory once, is counted ten times, and Linux maps\n" \
        "16 pages of it for each that is used. So there are targets for the first two.\n\n" + table(
            ["", "private", "proportional", "resident"],
            [[title, *(figure(memory[kind][part] / 1024) for part in ("private", "proportional", "resident"))]
             for kind, title in (("policy", "a policy with `auth.user_id()`, nobody signed in"),
                                 ("verified", "a hundred tokens verified"))])


def strangers(results):
    measured = results["strangers"]
    return f"A hundred sessions at a time connected and disconnected for {measured['seconds']} s, each with a token of an unknown\n" \
        f"key: {measured['arrivals']:,} refused tokens caused " \
        f"**{measured['fetches']}** requests to the key server."


def to_signature(algorithm):
    def measured(results):
        bare, whole = results["signatures"][algorithm]
        return whole / bare
    return measured


def of_hundred(*parts):
    """The largest cost with a hundred providers or keys to that with one."""
    def measured(results):
        numbers = results["by_providers_and_keys"]
        return max(ratio(numbers[kind, 100][part], numbers[kind, 1][part]) for kind in ("provider", "key") for part in parts)
    return measured


def memory(kind, part):
    return lambda results: results["new_backends"]["memory"][kind][part] / 1024


AIMS = [
    at_most("ES256 to its signature check", 1.15, to_signature("ES256"), "×"),
    at_most("EdDSA to its signature check", 1.15, to_signature("EdDSA"), "×"),
    at_most("RS256 to its signature check", 1.4, to_signature("RS256"), "×"),
    at_most("a cached token", 3, lambda results: median(results["warm"]["verified"]), " µs"),
    at_most(f"a cached token with {REVOCATIONS:,} revocations", 4,
            lambda results: median(results["revocations"][REVOCATIONS]), " µs"),
    at_most("a cached token, create_users with an existing row: in addition", 1,
            lambda results: more_for_row(results, "create"), " µs"),
    at_most("a cached token, create_users with an existing row where reject_deleted_users is on: in addition", 1,
            lambda results: more_for_row(results, "both", "reject"), " µs"),
    at_most("an API key", 15, lambda results: median(results["api_keys"]["unbounded"]), " µs"),
    at_most("an API key with bounds", 15, lambda results: median(results["api_keys"]["bounded"]), " µs"),
    at_most(f"fetches caused by a hundred sessions with unknown keys in {STRANGERS} s", 2,
            lambda results: results["strangers"]["fetches"]),
    at_most("100 providers or keys to one", 1.1, of_hundred("cold", "warm"), "×"),
    at_most("private memory of a backend, a hundred tokens verified", 2, memory("verified", "private"), " MiB"),
    at_most("proportional (PSS) memory of a backend, a hundred tokens verified, one of ten", 2,
            memory("verified", "proportional"), " MiB"),
    at_most("first auth.user_id() (CPU)", 5, lambda results: results["new_backends"]["first"]["user_id"], " ms"),
    at_most("first auth.authenticate() (CPU)", 5, lambda results: results["new_backends"]["first"]["authenticate"], " ms"),
    at_most("first auth.authenticate() with 100 providers or keys to one", 1.1, of_hundred("first"), "×"),
]
