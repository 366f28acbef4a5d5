"""What verifying a token costs, cold and warm, and what strangers can make us fetch."""

import contextlib
import json
import re
import subprocess

from policies import LOOKUP
from server import Session, interleaved, median, pgbench, run_once
from sizes import API_KEYS, OTHERS, REVOCATIONS
from service import claims_of, key_id_of

WARM_CALLS = 50_000


def signatures(root):
    """For each algorithm the microseconds of the bare signature check and of the whole."""
    output = subprocess.run(["cargo", "bench", "--quiet", "--locked", "--package", "neon_auth_token", "--bench", "verify"],
                            cwd=root, check=True, stdout=subprocess.PIPE, text=True).stdout
    line = r"^(\w+) +signature +([0-9.]+) +parse \+ verify +([0-9.]+)"
    return {name: (float(bare), float(whole)) for name, bare, whole in re.findall(line, output, re.M)}


def loop(session, function, argument, calls=WARM_CALLS):
    """Microseconds of processor time of one call, without what the loop itself takes."""
    timed = session.cpu(f"SELECT bench.{function}('{argument}', {calls})")
    empty = session.cpu(f"SELECT bench.empty_loop('{argument}', {calls})")
    return (timed - empty) * 1000 / calls


def warm(rounds, token):
    """Inside one backend: a cached token, and claims that nobody verifies."""
    with Session() as session:
        return interleaved(rounds, {
            "verified": lambda: loop(session, "same_token", token),
            "unverified": lambda: loop(session, "same_claims", claims_of(token)),
        })


def revocations(rounds, token):
    """The cost of a cached token by the number of revocations, none of which is its own; half of them are of sessions."""
    def with_revocations(count):
        run_once("TRUNCATE neon_auth_internal.revocations")
        run_once(f"""INSERT INTO neon_auth_internal.revocations (kind, id, before)
                     SELECT CASE n % 2 WHEN 0 THEN 'user' ELSE 'session' END, md5(n::text)::uuid,
                            CASE n % 2 WHEN 0 THEN now() END FROM generate_series(1, {count}) AS n""")
        run_once("VACUUM (FREEZE, ANALYZE) neon_auth_internal.revocations")
        with Session() as session:
            session.run(f"BEGIN; SELECT bench.same_token('{token}', 100); COMMIT")
            return loop(session, "same_token", token)

    costs = interleaved(rounds, {count: lambda count=count: with_revocations(count) for count in (0, 1, REVOCATIONS)})
    run_once("TRUNCATE neon_auth_internal.revocations")
    return costs


def api_keys(rounds, user):
    """The cost of an API key, among many others: without bounds, and for a permission in a team."""
    run_once(f"SELECT neon_auth.upsert_user('{json.dumps({'id': user, 'display_name': 'Alice Example'})}')")
    run_once(f"INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('bench', '{user}')")
    run_once(f"INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('bench', '{user}', 'reader')")
    run_once(f"""INSERT INTO neon_auth_internal.api_keys (hash, prefix, user_id, name, created_by)
                 SELECT encode(sha256(n::text::bytea), 'hex'), 'nak_0000', '{user}', 'bench', 'bench'
                   FROM generate_series(1, {API_KEYS}) AS n""")
    keys = {name: run_once(f"SELECT neon_auth.create_api_key('{user}', 'bench'{bounds})")[0]
            for name, bounds in {"unbounded": "", "bounded": ", NULL, '{reader}', 'bench'"}.items()}
    run_once("VACUUM (FREEZE, ANALYZE) neon_auth_internal.api_keys, neon_auth_internal.api_key_uses, neon_auth.users_sync")
    with Session() as session:
        for key in keys.values():
            session.run(f"BEGIN; SELECT bench.same_token('{key}', 100); COMMIT")
        costs = interleaved(rounds, {name: lambda key=key: loop(session, "same_token", key) for name, key in keys.items()})
    run_once("TRUNCATE neon_auth_internal.api_keys, neon_auth_internal.api_key_uses")
    run_once("DELETE FROM neon_auth.team_permissions_sync; DELETE FROM neon_auth.team_members_sync; DELETE FROM neon_auth.users_sync")
    return costs


def cost_of_a_token(token):
    """In a new backend: milliseconds of the first call, microseconds not seen before and seen."""
    count = int(run_once("SELECT count(*) FROM bench.tokens WHERE n > 0")[0])
    with Session() as session:
        session.run("BEGIN; SELECT FROM bench.tokens WHERE n = 0; COMMIT")
        first = session.cpu(f"SELECT auth.authenticate('{token}')")
        session.run("BEGIN; SELECT bench.every_token(); COMMIT")
        cold = session.cpu("SELECT bench.every_token()") * 1000 / count
        return {"first": first, "cold": cold, "warm": loop(session, "same_token", token)}


def by_providers_and_keys(rounds, service, token):
    """The cost of a token with 1, 10 and 100 providers, and of keys of the token's provider."""
    keys = service.jwks()["keys"]
    own = next(key for key in keys if key["kid"] == key_id_of(token))
    issuer = json.loads(claims_of(token))["iss"]

    def add(name, issuer, keys):
        pinned = json.dumps({"keys": keys})
        run_once(f"""SELECT neon_auth.add_provider('{name}', issuers => '{{{issuer}}}', audiences => '{{}}',
                 jwks => '{pinned}')""")

    def with_providers(count):
        run_once("DELETE FROM neon_auth.providers")
        for number in range(1, count):
            add(f"other-{number}", f"https://other-{number}.test", keys)
        add("own", issuer, keys)
        return cost_of_a_token(token)

    def with_keys(count):
        run_once("DELETE FROM neon_auth.providers")
        # The token's key comes last; copies of it under other names come before.
        add("own", issuer, [{**own, "kid": f"other-{number}"} for number in range(1, count)] + [own])
        return cost_of_a_token(token)

    results = interleaved(rounds, {
        (kind, count): lambda count=count, cost=cost: cost(count)
        for kind, cost in (("provider", with_providers), ("key", with_keys)) for count in (1, 10, 100)})
    return {each: {part: [cost[part] for cost in costs] for part in costs[0]} for each, costs in results.items()}


def existing_rows(rounds, service, token, user):
    """Microseconds of a cached token of a user with a row of users_sync, by what its provider asks the row for."""
    pinned = json.dumps(service.jwks())
    issuer = json.loads(claims_of(token))["iss"]
    asks = {"nothing": (False, False), "create": (True, False), "reject": (False, True), "both": (True, True)}
    run_once(f"SELECT neon_auth.upsert_user('{json.dumps({'id': user, 'display_name': 'A User'})}')")
    run_once("VACUUM (FREEZE, ANALYZE) neon_auth.users_sync")

    def cost(creates, rejects):
        run_once(f"""DELETE FROM neon_auth.providers; SELECT neon_auth.add_provider('own', issuers => '{{{issuer}}}',
                     audiences => '{{}}', jwks => '{pinned}', create_users => {creates}, reject_deleted_users => {rejects})""")
        with Session() as session:
            session.run(f"BEGIN; SELECT bench.same_token('{token}', 100); COMMIT")
            return loop(session, "same_token", token)

    costs = interleaved(rounds, {name: lambda given=given: cost(*given) for name, given in asks.items()})
    run_once("DELETE FROM neon_auth.users_sync")
    return costs


def strangers(service, token, seconds):
    """A hundred sessions at a time come and go with tokens whose keys nobody knows."""
    run_once("UPDATE neon_auth.jwks_cache SET attempted_at = attempted_at - interval '1 hour'")
    service.forget_fetches()
    load = pgbench("ours", "SELECT bench.arrive(:token);\n", seconds, clients=100,
                   variables={"token": token}, reconnect=True)
    reason = run_once(f"SELECT bench.arrive('{token}')", "ours")[0]
    return {"arrivals": load.transactions, "fetches": service.fetches(), "reason": reason, "seconds": seconds}


def first_calls(role, rounds):
    """Milliseconds of processor time of a role's first calls, each in new backends."""
    calls = {
        "current_setting": "SELECT current_setting('request.jwt.claims', true)",
        "user_id": "SELECT auth.user_id()",
        "authenticate": "SELECT auth.authenticate(token) FROM bench.tokens WHERE n = 1",
    }

    def milliseconds(call):
        with Session(role) as session:
            session.run("BEGIN; SELECT FROM bench.tokens WHERE n = 1; COMMIT")
            return session.cpu(call)

    results = interleaved(rounds, {name: lambda call=call: milliseconds(call) for name, call in calls.items()})
    return {name: median(costs) for name, costs in results.items()}


def new_backends(count):
    """First calls, and how much more memory (KiB) a backend has after a hundred requests than one whose
    requests are not verified, each among others of its kind: with a policy alone, for nobody, and with
    verified tokens."""
    kinds = {
        "policy": ("ours", "n"),
        "verified": ("ours", "auth.authenticate(token)"),
        "unverified": ("setting", "set_config('request.jwt.claims', claims, true)"),
    }

    def memory(role, say):
        def request(session, n):
            session.run(f"BEGIN; SELECT {say} FROM bench.tokens WHERE n = {n}; {LOOKUP}; COMMIT")

        with contextlib.ExitStack() as stack:
            for n in range(OTHERS):
                request(stack.enter_context(Session(role)), n)
            session = stack.enter_context(Session(role))
            for n in range(100):
                request(session, n)
            return session.memory()

    results = interleaved(count, {kind: lambda given=given: memory(*given) for kind, given in kinds.items()})
    return {
        "first": first_calls("ours", count),
        "memory": {kind: {part: median(one[part] - other[part] for one, other in zip(results[kind], results["unverified"]))
                          for part in ("private", "proportional", "resident")}
                   for kind in ("policy", "verified")},
    }
