"""What a policy that names the signed-in user costs, by the way it finds out who that is."""

from dataclasses import dataclass

from server import Session, interleaved, pgbench, run_once

SCAN = "SELECT count(*) FROM bench.items"
LOOKUP = "SELECT body FROM bench.accounts"
PARALLEL = """SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0; SELECT bench.touch('items')"""


@dataclass
class Identified:
    """A role whose sessions sign in."""
    role: str
    # An expression that signs in for the session, over the columns of bench.tokens.
    sign_in: str

    @property
    def sign_in_query(self):
        return f"SELECT {self.sign_in} FROM bench.tokens WHERE n = 0"

    def session(self):
        session = Session(self.role)
        session.run(self.sign_in_query)
        return session


@dataclass
class Contestant(Identified):
    """One whose policies say who may see a row."""
    title: str
    # SQL for the signed-in user's id.
    user_id: str
    # Without row-level security the query itself names the user.
    by_query: bool = False

    @property
    def where(self):
        return f" WHERE user_id = {self.user_id}" if self.by_query else ""

    def create(self):
        run_once(f"CREATE ROLE {self.role} LOGIN {'BYPASSRLS' if self.by_query else ''}")
        for table in ("items", "accounts", "inbox"):
            run_once(f"ALTER TABLE bench.{table} ENABLE ROW LEVEL SECURITY")
            if not self.by_query:
                run_once(f"CREATE POLICY {self.role} ON bench.{table} TO {self.role} USING (user_id = {self.user_id})")


def contestants(user, peer):
    settings = "set_config('request.jwt.claims', claims, false)"
    authenticate = "auth.authenticate(token, false)"
    unprotected = "set_config('bench.user_id', claims::jsonb ->> 'sub', false)"
    field = [
        Contestant("bare", "n", "a literal in the query, no RLS", f"'{user}'", by_query=True),
        Contestant("literal", "n", "a literal in the policy", f"'{user}'"),
        Contestant("ours", authenticate, "auth.user_id()", "auth.user_id()"),
        Contestant("ours_select", authenticate, "(SELECT auth.user_id())", "(SELECT auth.user_id())"),
        # The least that any function can cost: one of PostgreSQL's own, in the same place and in a hand-written sub-select.
        Contestant("floor", unprotected, "current_setting(…)", "current_setting('bench.user_id')"),
        Contestant("floor_select", unprotected, "(SELECT current_setting(…))", "(SELECT current_setting('bench.user_id'))"),
        Contestant("setting", settings, "current_setting(…)::jsonb", "bench.setting_user_id()"),
    ]
    if peer:
        field.append(Contestant("peer", peer["sign_in"] or settings, peer["extension"], f"{peer['schema']}.user_id()"))
    for contestant in field:
        contestant.create()
    return field


def in_sessions(field, rounds, measure, prepare="SELECT bench.touch('items')"):
    """Measures a function of session and contestant. Where a process's memory happens to lie makes it
    faster or slower for as long as it lives, so each round has sessions of its own."""
    def measured(contestant):
        session = contestant.session()
        session.run(prepare)
        result = measure(session, contestant)
        session.close()
        return result
    return interleaved(rounds, {
        contestant.role: lambda contestant=contestant: measured(contestant) for contestant in field})


def scan(field, rounds):
    """Milliseconds of processor time to count a million rows, of which ten are one's own."""
    return in_sessions(field, rounds, lambda session, contestant: session.cpu(SCAN + contestant.where),
                       "SET max_parallel_workers_per_gather = 0; SELECT bench.touch('items')")


def parallel_scan(field, rounds):
    """Milliseconds of the same with two parallel workers."""
    return in_sessions(field, rounds, lambda session, contestant: session.wall(SCAN + contestant.where), PARALLEL)


def lookup(field, rounds, calls=5_000):
    """Microseconds of processor time to plan and run a look-up by index inside one backend."""
    def measure(session, contestant):
        query = (LOOKUP + contestant.where).replace("'", "''")
        return session.cpu(f"SELECT bench.planned('{query}', {calls})") * 1000 / calls
    return in_sessions(field, rounds, measure)


def bulk_insert(field, rounds):
    """Milliseconds of processor time to insert 100,000 rows in one statement."""
    def measure(session, contestant):
        run_once("TRUNCATE bench.inbox")
        return session.cpu("INSERT INTO bench.inbox SELECT "
                            f"'{user_of(field)}', 'item ' || n FROM generate_series(1, 100000) n")
    return in_sessions(field, rounds, measure)


def user_of(field):
    return field[0].user_id.strip("'")


def each_client_signs_in(contestant):
    return f"\\if :signed_in = 0\n{contestant.sign_in_query};\n\\set signed_in 1\n\\endif\n"


def pgbench_lookup(field, rounds, seconds):
    """Transactions per second of the same look-up, one a transaction."""
    return interleaved(rounds, {
        contestant.role: lambda contestant=contestant: pgbench(
            contestant.role, each_client_signs_in(contestant) + LOOKUP + contestant.where + ";\n",
            seconds, clients=4, variables={"signed_in": 0})
        for contestant in field})


def pgbench_insert(field, rounds, seconds):
    """Transactions per second that insert a row each."""
    def measure(contestant):
        run_once("TRUNCATE bench.inbox")
        insert = f"INSERT INTO bench.inbox VALUES ('{user_of(field)}', 'item');\n"
        return pgbench(contestant.role, each_client_signs_in(contestant) + insert, seconds, clients=4,
                       variables={"signed_in": 0})
    return interleaved(rounds, {
        contestant.role: lambda contestant=contestant: measure(contestant) for contestant in field})


def request(rounds, seconds, token, claims):
    """Transactions per second of BEGIN; say who it is; read one's row; COMMIT: with four clients
    that come with the same token each time, and with one that comes with another each time, which
    a table holds."""
    count = int(run_once("SELECT count(*) FROM bench.tokens WHERE n > 0")[0])

    def measures(clients, prefix, **who):
        script = prefix + "BEGIN;\nSELECT {};\n" + LOOKUP + ";\nCOMMIT;\n"
        roles = {"verified": "ours", "unverified": "setting"}
        variables = {"token": token, "claims": claims, "n": 0}
        return interleaved(rounds, {
            name: lambda name=name: pgbench(roles[name], script.format(who[name]), seconds, clients, variables)
            for name in roles})

    return {
        "again": measures(
            4, "",
            verified="auth.authenticate(:token)",
            unverified="set_config('request.jwt.claims', :claims, true)"),
        "fresh": measures(
            1, f"\\set n :n % {count} + 1\n",
            verified="auth.authenticate(token) FROM bench.tokens WHERE n = :n",
            unverified="set_config('request.jwt.claims', claims, true) FROM bench.tokens WHERE n = :n"),
    }
