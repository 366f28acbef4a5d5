"""What the report says about looking at policies."""

from aims import at_most
from markdown import figure, table
from server import median
from see import EXPLAINED


def taken(results, name, which):
    return median(each[which] for each in results[name])


def section(results):
    def row(name, title):
        return [title, *(figure(taken(results, name, which)) for which in ("first", "again"))]

    return "By the first call of a session, and by the second (wall ms):\n\n" + table(
        ["", "first", "second"],
        [row("advice", "`neon_auth.advice` about 1,000 tables with 3,000 policies"),
         *(row(command, f"`neon_auth.explain_policy` of {command}, a table with two policies") for command in EXPLAINED)])


AIMS = [
    at_most("neon_auth.advice about 1,000 tables with 3,000 policies, first call (wall)", 2_000,
            lambda results: taken(results, "advice", "first"), " ms"),
    at_most("neon_auth.explain_policy, first call, the slowest command (wall)", 20,
            lambda results: max(taken(results, command, "first") for command in EXPLAINED), " ms"),
]
