"""What the report says about recording who acts."""

from aims import at_most
from audit import ROWS
from markdown import figure, table
from server import median, ratio

STAMPED = {"nothing": "no trigger", "stamp": "`auth.stamp()`, columns of type `text`",
           "stamp_actor": "`auth.stamp()`, `updated_by` of type `jsonb`", "by_hand": "PL/pgSQL, columns of type `text`"}


def section(results):
    stamps, wal = results["stamps"], results["wal"]
    with_actor, without = ([load.cpu for load in wal[name]["loads"]] for name in ("with", "without"))
    return f"A trigger writes the signed-in user into `created_by` and `updated_by` of {ROWS:,} rows that one statement inserts:\n" \
        "`auth.stamp()`, and a function of PL/pgSQL that assigns `auth.user_id()` to both.\n\n" + table(
            ["trigger", "CPU µs a row"], [[title, figure(median(stamps[name]))] for name, title in STAMPED.items()],
        ) + "\n\nOne row inserted a transaction, through pgbench with one client, with `neon_auth.actor_in_wal` and without:\n\n" + table(
            ["", "CPU µs", "bytes of WAL"],
            [[name, figure(median(load.cpu for load in wal[name]["loads"])), figure(median(wal[name]["bytes"]))] for name in wal],
        ) + f"\n\nThe ratio of the two processor times is {ratio(with_actor, without):.2f}."


def to_by_hand(results):
    """What the trigger adds to what one written by hand adds."""
    stamps = results["stamps"]
    added = {name: [cost - bare for cost, bare in zip(stamps[name], stamps["nothing"])] for name in ("stamp", "by_hand")}
    return ratio(added["stamp"], added["by_hand"])


def with_actor(results):
    return ratio(*([load.cpu for load in results["wal"][name]["loads"]] for name in ("with", "without")))


AIMS = [
    at_most("auth.stamp() to a trigger of PL/pgSQL that assigns auth.user_id() (CPU added to a row)", 1, to_by_hand, "×"),
    at_most("a transaction with the actor in the WAL to one without (CPU)", 1.1, with_actor, "×"),
]
