"""docs/benchmarks.md and its plot, docs/benchmarks.svg, from what a run has measured."""

import datetime
import html
import math
import os
import platform
import re
import subprocess

import report_better_auth
import report_mirror
import report_scale
import report_sync
import tokens
from markdown import figure, table
from server import median, ratio

PAGE = """\
# Benchmarks

What neon_auth costs. `make bench` writes this page and its plot, from one run on one machine that
measures everything side by side.

{facts}

## How to reproduce

```sh
make bench                      # about half an hour; rewrites this page
BENCH_SCALE=0.2 make bench      # shorter; writes the page to target/benchmarks
```

The variants take turns, in a different order in each round. Figures are medians over the rounds, and a
ratio is the median of the ratios within each round, so that a change of the machine's speed does not
favour a variant. *CPU* is the processor time of the server's backends, which hardly depends on other
load of the machine; *wall* and *tps* depend on it.

## Policies

The cost of a policy with each way to get the user's id. In brackets: relative to a literal in the policy.

![Cost of each variant, relative to a literal in the policy](benchmarks.svg)

{policies}

* *Scan*: `SELECT count(*)` of a million rows without an index, ten of them the user's, in one backend;
  *parallel* with two workers.
* `(SELECT current_setting(…))` is the lower bound for any function: a function of PostgreSQL's own that
  returns an unprotected setting, in a hand-written sub-select.
* *Look-up*: `SELECT body FROM accounts`, which the policy turns into a look-up in the primary key
  of 100,000 rows. *Planned*: planned each time, inside one backend. *pgbench*: prepared, one a
  transaction, four clients.
* *Insert* under `WITH CHECK`. *Bulk*: 100,000 rows in one statement. *pgbench*: one row a transaction,
  four clients.

## One transaction for each request

`BEGIN`; sign in; `SELECT` one row of the user under row-level security; `COMMIT`, with pgbench.
*Unverified* is `set_config('request.jwt.claims', …, true)` of claims that were verified elsewhere.

{requests}

## Tokens

{signatures}

{warm}

{scale}

## A new backend

{backends}

## Unknown keys

{strangers}

## Poolers and replicas

{poolers_and_replicas}

## Better Auth

{better_auth}

## The mirror

{mirror}

## Synchronisation

{synchronisation}

{workers}

## Targets

{aims}
"""


def write(results, root, scale):
    directory = root / ("docs" if scale >= 1 else "target/benchmarks")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "benchmarks.md").write_text(page(results))
    (directory / "benchmarks.svg").write_text(plot(results))
    print(f"written: {directory.relative_to(root)}/benchmarks.md")


# Name of a measurement, its title, and what to take of each result.
POLICIES = [
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


def values(results, name, role, part):
    return [getattr(value, part) if part else value for value in results[name][role]]


def relative(results, measurement, role, base="literal"):
    name, _, part = measurement
    return ratio(values(results, name, role, part), values(results, name, base, part))


def measurement(title):
    return next(each for each in POLICIES + RATES if each[1] == title)


def page(results):
    return PAGE.format(
        facts=facts(),
        policies=policies(results),
        requests=requests(results),
        signatures=signatures(results),
        warm=warm(results),
        scale=by_number(results),
        backends=backends(results),
        strangers=strangers(results),
        poolers_and_replicas=report_scale.section(results["scale"]),
        better_auth=report_better_auth.section(results["better_auth"]),
        mirror=report_mirror.section(results["mirror"]),
        synchronisation=report_sync.section(results["sync"]),
        workers=report_sync.workers(results["workers"]),
        aims=table(["metric", "target", "measured", ""], aims(results)),
    )


def facts():
    def output(*command):
        return subprocess.check_output(command, text=True).strip()

    with open("/proc/cpuinfo") as file:
        processors = re.findall(r"^model name\s*: (.*)", file.read(), re.M) or [platform.machine()]
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read())[1]) / 2**20
    changed = output("git", "status", "--porcelain", "src", "sql", "crates")
    return table(["", ""], [
        ["date", datetime.date.today()],
        ["neon_auth", output("git", "describe", "--always") + (" and changes that are not committed" if changed else "")],
        ["PostgreSQL", re.sub(r"^postgres \(PostgreSQL\) ", "", output("postgres", "--version"))],
        ["compiler", " ".join(output("rustc", "--version").split()[:2]) + ", release profile"],
        ["processor", f"{len(processors)} × {processors[0]}"],
        ["memory", f"{memory:.0f} GiB"],
        ["kernel", f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}"],
        ["load by others", f"{os.environ['LOAD_BEFORE']} processes on average in the minute before the run"],
    ])


def policies(results):
    titles = results["titles"]

    def cell(each, role):
        name, _, part = each
        return f"{figure(median(values(results, name, role, part)))} ({relative(results, each, role):.2f})"

    return table(["", *(f"`{title}`" if "(" in title else title for title in titles.values())],
                 [[each[1], *(cell(each, role) for role in titles)] for each in POLICIES + RATES])


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
        f"An API key, which is looked up each time, takes {figure(api_key)} µs."


def by_number(results):
    rows = [[f"{count} {kind}{'s' if count > 1 else ''}", *(figure(median(cost[part])) for part in ("cold", "warm", "first"))]
            for (kind, count), cost in results["by_providers_and_keys"].items()]
    return "The cost of a token (ES256), by the number of providers, and of keys of its provider.\n\n" + table(
        ["", "not cached, CPU µs", "cached, CPU µs", "first in a new backend, CPU ms"], rows)


def backends(results):
    first, memory = results["new_backends"]["first"], results["new_backends"]["memory"]
    return "The first call, which loads the library and, for `authenticate`, reads providers and keys (CPU ms):\n\n" + table(
        ["`current_setting`", "`auth.user_id()`", "`auth.authenticate($1)`"],
        [[figure(first[name]) for name in ("current_setting", "user_id", "authenticate")]],
    ) + "\n\nThe additional memory of a backend after a hundred requests, compared with unverified requests\n" \
        f"(MiB, without shared buffers), each among {tokens.OTHERS} similar backends. *Private*: memory that only this backend has.\n" \
        "*Proportional* (PSS): a page that ten backends share is counted as a tenth. *Resident* (RSS): it is counted\n" \
        "completely in each, so the library's code, which is in memory once, is counted ten times.\n\n" + table(
            ["", "private", "proportional", "resident"],
            [[title, *(figure(memory[kind][part] / 1024) for part in ("private", "proportional", "resident"))]
             for kind, title in (("policy", "a policy with `auth.user_id()`, nobody signed in"),
                                 ("verified", "a hundred tokens verified"))])


def strangers(results):
    measured = results["strangers"]
    return f"A hundred sessions at a time connected and disconnected for {measured['seconds']} s, each with a token of an unknown\n" \
        f"key: {measured['arrivals']:,} refused tokens caused " \
        f"**{measured['fetches']}** requests to the key server."


def aims(results):
    def line(title, limit, value, ok):
        return [title, limit, value, "met" if ok else "**missed**"]

    def at_most(title, limit, value, unit=""):
        return line(title, f"≤ {limit}{unit}", f"{value:.2f}{unit}", value <= limit)

    def at_least(title, limit, value, unit=""):
        return line(title, f"≥ {limit}{unit}", f"{value:.2f}{unit}", value >= limit)

    signature = {name: whole / bare for name, (bare, whole) in results["signatures"].items()}
    again = {name: [load.rate for load in loads] for name, loads in results["request"]["again"].items()}
    fresh = {name: [load.cpu for load in loads] for name, loads in results["request"]["fresh"].items()}
    more = median([mine - other for mine, other in zip(fresh["verified"], fresh["unverified"])])
    new, numbers = results["new_backends"], results["by_providers_and_keys"]
    flat = max(ratio(numbers[kind, 100][part], numbers[kind, 1][part])
               for kind in ("provider", "key") for part in ("cold", "warm"))
    first = max(ratio(numbers[kind, 100]["first"], numbers[kind, 1]["first"]) for kind in ("provider", "key"))
    rivals = [role for role in ("setting", "peer") if role in results["titles"]]
    return [
        at_most("ES256 to its signature check", 1.15, signature["ES256"], "×"),
        at_most("EdDSA to its signature check", 1.15, signature["EdDSA"], "×"),
        at_most("RS256 to its signature check", 1.4, signature["RS256"], "×"),
        at_most("a cached token", 3, median(results["warm"]["verified"]), " µs"),
        at_most(f"a cached token with {tokens.REVOCATIONS:,} revocations", 4,
                median(results["revocations"][tokens.REVOCATIONS]), " µs"),
        at_most("an API key", 15, median(results["api_keys"]["unbounded"]), " µs"),
        at_most("an API key with bounds", 15, median(results["api_keys"]["bounded"]), " µs"),
        line("fetches caused by a hundred sessions with unknown keys in 30 s", "≤ 2", results["strangers"]["fetches"],
             results["strangers"]["fetches"] <= 2),
        line("100 providers or keys to one", "flat", f"{flat:.2f}×", flat <= 1.1),
        at_most("scan to the literal", 1.05, relative(results, measurement("Scan, CPU ms"), "ours"), "×"),
        at_most("look-up (pgbench, CPU) to a literal without RLS", 1.1,
                relative(results, measurement("Look-up, pgbench, CPU µs"), "ours", "bare"), "×"),
        at_least("look-up (pgbench, tps) to a literal without RLS", round(1 / 1.1, 2),
                 relative(results, measurement("Look-up, pgbench, tps"), "ours", "bare"), "×"),
        at_most("look-up (pgbench, CPU) to a function of PostgreSQL's own in a hand-written sub-select", 1.05,
                relative(results, measurement("Look-up, pgbench, CPU µs"), "ours", "floor"), "×"),
        at_least("request with a cached token (tps) to an unverified one", 0.9,
                 ratio(again["verified"], again["unverified"]), "×"),
        at_least("request with an uncached token: the signature check's share of the additional cost (CPU)", 0.8,
                 results["signatures"]["ES256"][0] / more),
        *(at_least(f"scan: {results['titles'][role]} to ours", 10,
                   ratio(results["scan"][role], results["scan"]["ours"]), "×") for role in rivals),
        *(at_most(f"{kind} memory of a backend, a hundred tokens verified{comment}", 2,
                  new["memory"]["verified"][part] / 1024, " MiB")
          for kind, part, comment in (("private", "private", ""), ("proportional (PSS)", "proportional", ", one of ten"),
                                      ("resident (RSS)", "resident", ", shared code counted in each"))),
        at_most("resident (RSS) memory of a backend, library loaded and policies read", 2,
                new["memory"]["policy"]["resident"] / 1024, " MiB"),
        at_most("first auth.user_id() (CPU)", 5, new["first"]["user_id"], " ms"),
        at_most("first auth.authenticate() (CPU)", 5, new["first"]["authenticate"], " ms"),
        at_most("first auth.authenticate() with 100 providers or keys to one", 1.1, first, "×"),
        *report_scale.aims(results["scale"], at_most),
        *report_better_auth.aims(results["better_auth"], at_most, at_least),
        *report_mirror.aims(results["mirror"], at_most, at_least),
        *report_sync.aims(results["sync"], at_most, at_least),
        *report_sync.aims_of_workers(results["workers"], at_most),
    ]


COLOURS = ["#9aa0a6", "#5f6368", "#1a73e8", "#7baaf7", "#34a853", "#d93025", "#f29900"]
BAR, GAP, LEFT, WIDTH = 14, 22, 190, 520


def plot(results):
    """Bars on a logarithmic scale: the cost of each contestant, relative to a literal in the policy."""
    titles = results["titles"]
    longest = max(relative(results, each, role) for each in POLICIES for role in titles)
    decades = max(1, math.ceil(math.log10(longest)))

    def x(value):
        # From a half on, so that what is cheaper than the literal has a bar too.
        return LEFT + WIDTH * (math.log10(max(value, 0.5)) + math.log10(2)) / (decades + math.log10(2))

    shapes, y = [], 40
    for each in POLICIES:
        top = y
        for colour, role in zip(COLOURS, titles):
            value = relative(results, each, role)
            shapes.append(f'<rect x="{LEFT}" y="{y}" width="{x(value) - LEFT:.1f}" height="{BAR - 2}" fill="{colour}"/>')
            shapes.append(f'<text x="{x(value) + 4:.1f}" y="{y + 10}" class="value">{value:.2f}</text>')
            y += BAR
        shapes.append(f'<text x="{LEFT - 10}" y="{(top + y) / 2 + 4}" class="label">{each[1].rpartition(",")[0]}</text>')
        y += GAP
    bottom = y - GAP + 6
    ticks = []
    for power in range(decades + 1):
        at = x(10**power)
        ticks.append(f'<line x1="{at:.1f}" y1="32" x2="{at:.1f}" y2="{bottom}"/>'
                     f'<text x="{at:.1f}" y="24" class="tick">{10**power}×</text>')
    legend = []
    for number, (colour, title) in enumerate(zip(COLOURS, titles.values())):
        column, row = number % 2, number // 2
        left, top = LEFT + column * 280, bottom + 14 + row * 20
        legend.append(f'<rect x="{left}" y="{top}" width="12" height="12" fill="{colour}"/>'
                      f'<text x="{left + 18}" y="{top + 10}">{html.escape(title)}</text>')
    height = bottom + 24 + (len(titles) + 1) // 2 * 20
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 70}" height="{height}" font-family="sans-serif" font-size="12">
<style>.label {{ text-anchor: end }} .tick {{ text-anchor: middle }} .value {{ font-size: 10px }} line {{ stroke: #dadce0 }}</style>
<rect width="100%" height="100%" fill="white"/>
{chr(10).join(ticks + shapes + legend)}
</svg>
"""
