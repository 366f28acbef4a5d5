"""What each way to write a policy costs, by scan and by index, beside the literal in its place."""

from dataclasses import dataclass

from policies import Identified, in_sessions
from server import median, run_once

TABLE = "bench.entries"
COUNT = f"SELECT count(body) FROM {TABLE}"
BY_SCAN = """SET max_parallel_workers_per_gather = 0; SET enable_indexscan = off; SET enable_indexonlyscan = off;
SET enable_bitmapscan = off"""
BY_INDEX = "SET max_parallel_workers_per_gather = 0; SELECT bench.touch('entries')"
# Milliseconds and executions of one measurement of a query by index.
ENOUGH = 75
MOST = {"wall": 300, "statement": 1_000, "prepared": 5_000}

# The literal with which forms are compared; then what they can cost least, a function of PostgreSQL's own in the same
# place; and the forms: over a column of type text, over one of type uuid, and over the text of one of type uuid, for
# which there is no index.
OURS = {
    "user_id = '{user}'": {
        "user_id = (SELECT current_setting('bench.user_id'))": [
            "user_id = auth.user_id()",
            "user_id = (SELECT auth.user_id())",
            "(SELECT auth.user_id() = user_id)",
            "user_id = coalesce(auth.user_id(), '')",
            "user_id = nullif(auth.user_id(), '')",
            "user_id = auth.jwt() ->> 'sub'",
            "(SELECT auth.jwt() ->> 'sub' = user_id)",
            "user_id = auth.claim('sub')",
            "CASE WHEN auth.user_id() IS NULL THEN false ELSE user_id = auth.user_id() END",
            "user_id = CASE WHEN auth.user_id() IS NULL THEN '' ELSE auth.user_id() END",
        ],
        "user_id = (SELECT current_setting('bench.user_id')) AND (SELECT current_setting('bench.role') = 'authenticated')": [
            "(SELECT auth.user_id() = user_id AND auth.role() = 'authenticated')",
            "(SELECT auth.user_id()) = user_id AND auth.role() = 'authenticated'",
        ],
    },
    "owner = '{user}'": {
        "owner = (SELECT current_setting('bench.user_id')::uuid)": [
            "owner = auth.uid()",
            "(SELECT auth.uid() = owner)",
            "owner = auth.user_id()::uuid",
            "(SELECT auth.user_id()::uuid = owner)",
        ],
    },
    "owner::text = '{user}'": {
        "owner::text = (SELECT current_setting('bench.user_id'))": [
            "owner::text = auth.user_id()",
            "(SELECT auth.user_id() = owner::text)",
        ],
    },
}
# What others write, with functions of which the planner is told nothing. In a role's policy, supabase.uid() is what
# Supabase's auth.uid() is.
PEERS = {
    "user_id = '{user}'": {
        None: ["(SELECT current_setting('bench.user_id') = user_id)"],
    },
    "owner = '{user}'": {
        None: ["(SELECT supabase.uid()) = owner", "supabase.uid() = owner"],
    },
}
# Signs in for all of them.
SIGN_IN = """auth.authenticate(token, false), set_config('request.jwt.claims', claims, false),
set_config('bench.user_id', claims::jsonb ->> 'sub', false), set_config('bench.role', 'authenticated', false)"""


@dataclass
class Form(Identified):
    """A role with one policy."""
    # The expression, that of the literal, and that of PostgreSQL's own function, unless it is one of those itself.
    title: str = ""
    literal: str = ""
    floor: str | None = None
    using: str = ""

    def create(self):
        run_once(f"CREATE ROLE {self.role} LOGIN")
        run_once(f"CREATE POLICY {self.role} ON {TABLE} TO {self.role} USING ({self.using})")


def of(user, families, prefix):
    """The forms of these families, each with its literal first."""
    made = []

    def add(title, literal, floor=None):
        made.append(Form(f"{prefix}_{len(made)}", SIGN_IN, title, literal, floor, title.format(user=user)))

    for literal, by_floor in families.items():
        add(literal, literal)
        for floor, written in by_floor.items():
            if floor:
                add(floor, literal)
            for title in written:
                add(title, literal, floor)
    for form in made:
        form.create()
    return made


def measure(user, rounds, rounds_of_peers):
    """For each form, by the expression: its literal and its floor; milliseconds of processor time of a scan; and microseconds by
    index: that a client waits for a statement, of processor time of such a statement, and of one that is prepared,
    without what a client costs."""
    run_once(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    ways = {
        "statement": lambda times: f"{COUNT};\n" * times,
        "prepared": lambda times: f"SELECT bench.prepared({times})",
    }
    spent = {way: lambda session, count, way=way: session.cpu(ways[way](count)) / count for way in ways}
    spent["wall"] = waited
    results = {}
    for group, families, count in (("ours", OURS, rounds), ("peers", PEERS, rounds_of_peers)):
        forms = of(user, families, group)
        costs = {"scan": scan(forms, count), **{way: by_index(forms, count, way, spent[way]) for way in spent}}
        results[group] = [{"title": form.title, "literal": form.literal, "floor": form.floor,
                           **{way: costs[way][form.role] for way in costs}} for form in forms]
    return results


def scan(forms, rounds):
    return in_sessions(forms, rounds, lambda session, form: session.cpu(COUNT), f"{BY_SCAN}; SELECT bench.touch('entries')")


def by_index(forms, rounds, way, spent):
    def measured(session, form):
        spent(session, 1)
        count = max(1, min(MOST[way], int(ENOUGH / spent(session, 1))))
        return spent(session, count) * 1000
    return in_sessions(forms, rounds, measured, BY_INDEX)


def waited(session, count):
    """The median of the milliseconds of so many statements, as their client sees them."""
    lines = session.run("\\timing on\n" + f"{COUNT};\n" * count + "\\timing off")
    return median(float(line.split()[1]) for line in lines if line.startswith("Time: "))
