"""Sessions and pgbench in the cluster that dev/cluster has started."""

import os
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass

END = "--end of answer--"


class Session:
    """A psql that stays connected; `where` are options that say to what, if not to the cluster."""

    def __init__(self, role="postgres", where=()):
        self.psql = subprocess.Popen(
            ["psql", "--no-psqlrc", "--quiet", "--no-align", "--tuples-only",
             "--username", role, "--set", "ON_ERROR_STOP=1", *where],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.pid = int(self.run("SELECT pg_backend_pid()")[0])
        # Linux's name for the processor time of another process.
        self.clock = ~self.pid << 3 | 2

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.psql.stdin.close()
        self.psql.wait()
        self.psql.stdout.close()

    def run(self, sql):
        """Runs statements and answers the lines that they print."""
        self.psql.stdin.write(f"{sql}\n;\n\\echo {END}\n")
        self.psql.stdin.flush()
        lines = []
        while (line := self.psql.stdout.readline()) != f"{END}\n":
            if not line:
                raise RuntimeError(f"failed: {sql[:200]}")
            lines.append(line.rstrip("\n"))
        return lines

    def wall(self, statement):
        """Milliseconds that a statement takes, as its client sees it."""
        answer = self.run(f"\\timing on\n{statement};\n\\timing off")
        return float(re.match(r"Time: ([0-9.]+) ms", answer[-1])[1])

    def cpu(self, statement):
        """Milliseconds of processor time that a statement takes of its backend. What others do
        with the machine meanwhile hardly counts."""
        self.run("BEGIN")
        before = time.clock_gettime_ns(self.clock)
        self.run(statement)
        spent = time.clock_gettime_ns(self.clock) - before
        self.run("COMMIT")
        return spent / 1e6

    def memory(self):
        """KiB of the backend's memory without shared buffers: all, its share of all where a page that
        n processes have counts as an n-th, and the part that it alone has."""
        with open(f"/proc/{self.pid}/status") as status, open(f"/proc/{self.pid}/smaps_rollup") as maps:
            size = {name: int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB", status.read() + maps.read(), re.M)}
        return {"resident": size["RssAnon"] + size["RssFile"],
                "proportional": size["Pss_Anon"] + size["Pss_File"],
                "private": size["RssAnon"]}


def run_once(sql, role="postgres", where=()):
    with Session(role, where) as session:
        return session.run(sql)


@dataclass
class Load:
    """What a run of pgbench came to."""
    transactions: int
    # Transactions per second.
    rate: float
    # Microseconds of processor time of the server for each.
    cpu: float


def pgbench(role, script, seconds, clients, variables=None, reconnect=False, where=(), pooler=None):
    """Runs a script over and over: at the server at `where`, or through a pooler before it, whose
    connections stay."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        command = ["pgbench", "--no-vacuum", "--file", file.name, "--username", role,
                   "--time", str(seconds), "--client", str(clients), "--jobs", str(min(clients, 2))]
        # A client that connects each time has nothing prepared, nor has one of a pooler.
        command += ["--protocol", "extended" if reconnect or pooler else "prepared"]
        command += ["--connect"] if reconnect else []
        for name, value in (variables or {}).items():
            command += ["--define", f"{name}={value}"]
        command += pooler or where
        spent_by = spent_by_pooled_backends if pooler else spent_by_backends
        with Session(where=where) as session:
            before = spent_by(session, role)
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            spent = spent_by(session, role) - before
    transactions = int(re.search(r"^number of transactions actually processed: (\d+)", output, re.M)[1])
    rate = float(re.search(r"^tps = ([0-9.]+)", output, re.M)[1])
    return Load(transactions, rate, spent * 1e6 / transactions)


def spent_by_backends(session, role):
    """Seconds of processor time of all backends that have ended, once the role's have."""
    while session.run(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'") != ["0"]:
        time.sleep(0.05)
    # They may still have to be waited for by the postmaster, which then owns their time.
    time.sleep(0.2)
    postmaster = stat_of(session.pid)[1]
    return sum(int(ticks) for ticks in stat_of(postmaster)[13:15]) / os.sysconf("SC_CLK_TCK")


def spent_by_pooled_backends(session, role):
    """Seconds of processor time of the role's backends, which stay between two measurements."""
    def spent(pid):
        with open(f"/proc/{pid}/schedstat") as schedstat:
            return int(schedstat.read().split()[0]) / 1e9

    return sum(spent(pid) for pid in session.run(f"SELECT pid FROM pg_stat_activity WHERE usename = '{role}'"))


def stat_of(pid):
    """The fields of a process that follow its name."""
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()


def interleaved(rounds, measures):
    """Measures each of a dict's functions once a round, so that a change of the machine's speed
    meets all of them; answers each one's list of results."""
    results = {name: [] for name in measures}
    for number in range(rounds):
        order = list(measures)
        # Nobody always follows the same neighbour.
        order = order[number % len(order):] + order[:number % len(order)]
        for name in order:
            results[name].append(measures[name]())
    return results


def median(values):
    return statistics.median(values)


def ratio(values, base):
    """The median over the rounds of one contestant's result to another's of the same round."""
    return statistics.median(value / other for value, other in zip(values, base))
