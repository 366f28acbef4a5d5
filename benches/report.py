"""docs/benchmarks.md and its plot, docs/benchmarks.svg, from what a run has measured."""

import datetime
import os
import platform
import re
import subprocess

import plot
import report_audit
import report_better_auth
import report_mirror
import report_policies
import report_scale
import report_see
import report_sync
import report_tokens
from aims import of_part
from markdown import table

HEAD_OF_AIMS = ["metric", "target", "measured", ""]
AIMS = [
    *report_tokens.AIMS,
    *report_policies.AIMS,
    *of_part("audit", report_audit.AIMS),
    *of_part("see", report_see.AIMS),
    *of_part("scale", report_scale.AIMS),
    *of_part("better_auth", report_better_auth.AIMS),
    *of_part("mirror", report_mirror.AIMS),
    *of_part("sync", report_sync.AIMS),
    *of_part("workers", report_sync.AIMS_OF_WORKERS),
]

PAGE = """\
# Benchmarks

What neon_auth costs. `make bench` writes this page and its plot, from one run on one machine that
measures everything side by side.

{facts}

## How to reproduce

```sh
make bench                      # about forty minutes, and the build; rewrites this page
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
* `current_setting(…)` is the lower bound for any function: a function of PostgreSQL's own that returns an
  unprotected setting, in the same place and in a hand-written sub-select.
* *Look-up*: `SELECT body FROM accounts`, which the policy turns into a look-up in the primary key
  of 100,000 rows. *Planned*: planned each time, inside one backend. *pgbench*: prepared, one a
  transaction, four clients. This is the shortest transaction that there is: most of what it costs more than
  with a literal is what PostgreSQL takes to prepare and call any function that a policy names.
* *Insert* under `WITH CHECK`. *Bulk*: 100,000 rows in one statement. *pgbench*: one row a transaction,
  four clients.

### However the policy is written

`SELECT count(body)` of a million rows, ten of them the user's, under one policy: by a scan of all rows (indexes
disabled), and by the index of the column, as a statement that a client sends, and prepared, without what a client
costs. In brackets: relative to the literal in the same place, which is the first row of each group. `owner` is a
column of type `uuid` with an index; for `owner::text` there is none.

By index, a statement takes so little that the evaluation of the user's id counts. PostgreSQL plans each sub-select
as a query of its own, and starts it with each statement. So the least that a form can cost is not the literal, but
`(SELECT current_setting(…))`, a function of PostgreSQL's own in the same place: the second row of each group, and one
more for the forms that evaluate two such expressions. The targets have both comparisons.

![Cost of each form of a policy, relative to the literal in its place](benchmarks-forms.svg)

{forms}

The same with functions that are not neon_auth's: PostgreSQL's `current_setting` in the sub-select that Drizzle writes,
and Supabase's `auth.uid()`, here `supabase.uid()`, which reads verified claims from a setting.

{peers}

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

## Who acts

{audit}

## Looking at policies

{see}

## Poolers and replicas

{poolers_and_replicas}

## Better Auth

{better_auth}

## The mirror

{mirror}

## Synchronisation

{synchronisation}

{teams}

{workers}

## Targets

{aims}
"""


def write(results, root, scale):
    directory = root / ("docs" if scale >= 1 else "target/benchmarks")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "benchmarks.md").write_text(page(results))
    (directory / "benchmarks.svg").write_text(plot.variants(results))
    (directory / "benchmarks-forms.svg").write_text(plot.forms(results))
    print(f"written: {directory.relative_to(root)}/benchmarks.md")


def page(results):
    return PAGE.format(
        facts=facts(),
        policies=report_policies.variants(results),
        forms=report_policies.forms(results, "ours"),
        peers=report_policies.forms(results, "peers"),
        requests=report_policies.requests(results),
        signatures=report_tokens.signatures(results),
        warm=report_tokens.warm(results),
        scale=report_tokens.by_number(results),
        backends=report_tokens.backends(results),
        strangers=report_tokens.strangers(results),
        audit=report_audit.section(results["audit"]),
        see=report_see.section(results["see"]),
        poolers_and_replicas=report_scale.section(results["scale"]),
        better_auth=report_better_auth.section(results["better_auth"]),
        mirror=report_mirror.section(results["mirror"]),
        synchronisation=report_sync.section(results["sync"]),
        teams=report_sync.teams(results["teams"]),
        workers=report_sync.workers(results["workers"]),
        aims=table(HEAD_OF_AIMS, [aim.row(results) for aim in AIMS]),
    )


def facts():
    def output(*command):
        return subprocess.check_output(command, text=True).strip()

    with open("/proc/cpuinfo") as file:
        processors = re.findall(r"^model name\s*: (.*)", file.read(), re.M) or [platform.machine()]
    with open("/proc/meminfo") as file:
        memory = int(re.search(r"MemTotal:\s+(\d+)", file.read())[1]) / 2**20
    changed = output("git", "status", "--porcelain", "src", "sql", "crates", "benches", "dev", "Cargo.toml", "Cargo.lock")
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
