"""Measures everything that docs/benchmarks.md shows, and writes it. Run by dev/bench.

BENCH_SCALE (1) shortens or lengthens the run: it multiplies rounds and seconds. Other settings
are told in dev/bench.
"""

import json
import os
import pathlib
import subprocess
import time

import audit
import better_auth
import forms
import mirror
import policies
import report
import see
import service
import sync
import teams
import tokens
from server import run_once
from sizes import LOADED, STRANGERS, SYNCHRONISED

ROOT = pathlib.Path(__file__).parent.parent
SCALE = float(os.environ.get("BENCH_SCALE") or 1)
TOKENS = 1000


def rounds(whole):
    return max(3, round(whole * SCALE))


def seconds(whole):
    return max(1, round(whole * SCALE))


def peer():
    """The extension to compare with, if one is asked for."""
    extension = os.environ.get("BENCH_PEER")
    if not extension:
        return None
    run_once(f"CREATE EXTENSION {extension}")
    return {"extension": extension,
            "schema": os.environ["BENCH_PEER_SCHEMA"],
            "sign_in": os.environ.get("BENCH_PEER_SIGN_IN")}


def prepare(stack):
    """Answers the user who signs in and that user's token."""
    user = stack.sign_up()
    token = stack.token(user)
    subprocess.run(["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1",
                    "--set", f"keys={json.dumps(stack.keys())}", "--set", f"user={user}",
                    "--file", str(ROOT / "benches/setup.sql")], check=True, stdout=subprocess.DEVNULL)
    made = [token] + [stack.token(user, number=number) for number in range(TOKENS)]
    rows = (f"({n}, '{each}', '{service.claims_of(each)}')" for n, each in enumerate(made))
    run_once(f"INSERT INTO bench.tokens VALUES {','.join(rows)}")
    run_once("VACUUM (FREEZE, ANALYZE)")
    return user, token


def main():
    with service.running() as stack:
        user, token = prepare(stack)
        field = policies.contestants(user, peer())
        results = {"titles": {contestant.role: contestant.title for contestant in field}, "tokens": TOKENS}

        def measure(name, function, *arguments):
            began = time.monotonic()
            results[name] = function(*arguments)
            print(f"  {name}: {time.monotonic() - began:.0f} s", flush=True)

        measure("signatures", tokens.signatures, ROOT)
        measure("warm", tokens.warm, rounds(15), token)
        measure("revocations", tokens.revocations, rounds(9), token)
        measure("api_keys", tokens.api_keys, rounds(9), user)
        measure("scan", policies.scan, field, rounds(15))
        measure("parallel_scan", policies.parallel_scan, field, rounds(7))
        measure("lookup", policies.lookup, field, rounds(25))
        measure("pgbench_lookup", policies.pgbench_lookup, field, rounds(13), seconds(2))
        measure("bulk_insert", policies.bulk_insert, field, rounds(11))
        measure("pgbench_insert", policies.pgbench_insert, field, rounds(9), seconds(2))
        measure("forms", forms.measure, user, rounds(9), rounds(3))
        measure("audit", audit.measure, rounds(9), seconds(2))
        measure("see", see.measure, rounds(9))
        measure("request", policies.request, rounds(11), seconds(2), token, service.claims_of(token))
        measure("new_backends", tokens.new_backends, rounds(20))
        # Bounded by seconds of the extension's own settings, which no scale changes.
        measure("strangers", tokens.strangers, stack, token, STRANGERS)
        measure("better_auth", better_auth.measure, rounds(9), seconds(2))
        # Last: they change the providers.
        measure("by_providers_and_keys", tokens.by_providers_and_keys, rounds(15), stack, token)
        measure("existing_rows", tokens.existing_rows, rounds(9), stack, token, user)
        # After all else: a million users are more than other measurements count on.
        part = max(1, round(10 * min(SCALE, 1))) / 10
        measure("mirror", mirror.measure, rounds(9), seconds(2), round(part * LOADED))
        measure("sync", sync.measure, stack, rounds(5), round(part * SYNCHRONISED))
        measure("teams", teams.measure)
    for name, file in (("workers", "IDLE_RESULTS"), ("scale", "SCALE_RESULTS")):
        results[name] = json.loads(pathlib.Path(os.environ[file]).read_text())
    report.write(results, ROOT, SCALE)


main()
