"""What Better Auth's sessions, keys and triggers cost."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess

from server import Session, interleaved, pgbench, run_once
from service import claims_of

STACK = os.environ["STACK"]
ORIGIN = "https://shop.example"
# Providers with a pinned key, and whether they refuse deleted users, as one of kind better_auth does.
PINNED = {"pinned": False, "pinned_rejecting": True}
SECRET = "the-secret-of-the-benchmark-0123456789"
# A database of its own: its mirror has another source.
WHERE = ("better_auth",)
# More than a backend remembers.
CREDENTIALS = 1000
BULK = 100_000
# Users before each round, so that statements are planned for tables that are not empty.
KNOWN = 10_000
LOOKUP = "SELECT body FROM bench.accounts"


def measure(rounds, seconds):
    prepare()
    return {
        "in_a_backend": in_a_backend(rounds),
        "request": {"again": request(rounds, seconds, clients=4), "fresh": request(rounds, seconds, clients=1)},
        "insert": insert(rounds, seconds),
        "bulk": bulk(rounds),
    }


def run(sql, role="postgres"):
    return run_once(sql, role, WHERE)


def of_issuer(part, issuer, subject):
    """A key set or a token in the shape that Better Auth gives them."""
    shape = {
        "header": {"alg": "EdDSA", "kid": "the-key"},
        "claims": {"iat": 0, "name": "A User", "email": "user@example.com", "emailVerified": True, "image": None,
                   "role": "user", "banned": False, "id": subject, "sub": subject, "exp": 7200, "iss": issuer, "aud": issuer},
        "keys": [{"crv": "Ed25519", "x": "…", "kty": "OKP", "kid": "the-key", "alg": "EdDSA"}],
    }
    return subprocess.check_output([STACK, "issuer", part, json.dumps(shape)], text=True).strip()


def issuer(name):
    return f"https://{name.replace('_', '-')}.example"


def signed(token):
    signature = base64.b64encode(hmac.new(SECRET.encode(), token.encode(), hashlib.sha256).digest()).decode()
    return f"{token}.{signature}"


def prepare():
    key_set = json.loads(of_issuer("jwks", ORIGIN, "nobody"))
    key = {name: value for name, value in key_set["keys"][0].items() if name not in ("kid", "alg", "use")}
    run_once("CREATE DATABASE better_auth")
    run_once("CREATE ROLE shop LOGIN; CREATE ROLE verified LOGIN; CREATE ROLE unverified LOGIN")
    subprocess.run(["psql", "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--set", f"origin={ORIGIN}",
                    "--set", f"secret={SECRET}", "--set", f"key={json.dumps(key)}",
                    "--file", str(pathlib.Path(__file__).with_name("better_auth.sql")), *WHERE],
                   check=True, stdout=subprocess.DEVNULL)
    for name, rejects in PINNED.items():
        run(f"""SELECT neon_auth.add_provider('{name}', issuers => '{{{issuer(name)}}}', audiences => '{{{issuer(name)}}}',
                                              jwks => '{json.dumps(key_set)}', reject_deleted_users => {rejects})""")
    rows = []
    for n in range(CREDENTIALS):
        user, bare = (hashlib.md5(f"{what} {n + 1}".encode()).hexdigest() for what in ("user", "token"))
        jwts = [of_issuer("token", each, user) for each in (ORIGIN, *map(issuer, PINNED))]
        texts = ", ".join(f"'{text}'" for text in (bare, signed(bare), *jwts, claims_of(jwts[0])))
        rows.append(f"({n}, {texts})")
    run(f"INSERT INTO bench.credentials VALUES {','.join(rows)}")
    run("VACUUM (FREEZE, ANALYZE)")


def in_a_backend(rounds, calls=20_000):
    """Microseconds of processor time of one call, without what the loop itself takes: with the same credential each time,
    and with more of them, in turn, than a backend remembers."""
    def cost(column, where, calls):
        with Session(where=WHERE) as session:
            session.run(f"SELECT array_agg({column} ORDER BY n) AS credentials FROM bench.credentials WHERE {where} \\gset")
            session.run("BEGIN; SELECT bench.authenticate(:'credentials', 10), bench.empty_loop(:'credentials', 10); COMMIT")
            timed = session.cpu(f"SELECT bench.authenticate(:'credentials', {calls})")
            empty = session.cpu(f"SELECT bench.empty_loop(:'credentials', {calls})")
            return (timed - empty) * 1000 / calls

    return interleaved(rounds, {
        (column, turn): lambda column=column, where=where, turns=turns: cost(column, where, turns)
        for column in ("bare", "signed", "by_table", *PINNED)
        for turn, where, turns in (("again", "n = 0", calls), ("fresh", "true", 2 * CREDENTIALS))})


def request(rounds, seconds, clients):
    """Transactions of BEGIN; say who it is; read one's row; COMMIT: four clients with the same credential each time, and
    one with another each time, which a table holds."""
    if clients > 1:
        bare, signed, claims = run("SELECT bare, signed, claims FROM bench.credentials WHERE n = 0")[0].split("|")
        variables = {"bare": bare, "signed": signed, "claims": claims}
        prefix, column, rest = "", ":{}", ""
    else:
        variables = {"n": 0}
        prefix, column, rest = f"\\set n (:n + 1) % {CREDENTIALS}\n", "{}", " FROM bench.credentials WHERE n = :n"
    sign_in = {
        "bare": "auth.authenticate({})",
        "signed": "auth.authenticate({})",
        "claims": "set_config('request.jwt.claims', {}, true)",
    }

    def measure(name):
        script = f"{prefix}BEGIN;\nSELECT {sign_in[name].format(column.format(name))}{rest};\n{LOOKUP};\nCOMMIT;\n"
        role = "unverified" if name == "claims" else "verified"
        return pgbench(role, script, seconds, clients, variables, where=WHERE)

    return interleaved(rounds, {name: lambda name=name: measure(name) for name in sign_in})


def renew():
    """Both tables, and the mirror, with the users that are known before a round."""
    run(f"""TRUNCATE shop."user", shop.session, shop.bare, neon_auth.users_sync;
            SELECT shop.populate({KNOWN}); INSERT INTO shop.bare SELECT * FROM shop."user" """)
    run('VACUUM (ANALYZE) shop."user", shop.bare, neon_auth.users_sync')


TABLES = {"ours": 'shop."user"', "bare": "shop.bare"}
COLUMNS = '(id, name, email, "emailVerified", role, banned)'


def insert(rounds, seconds):
    """Transactions that insert a user each, into a table that the mirror follows and into one that it does not."""
    def measure(name):
        renew()
        statement = f"""INSERT INTO {TABLES[name]} {COLUMNS} VALUES (md5('new ' || :n), 'A New User',
            'new-' || :n || '@example.com', false, 'user', false);"""
        return pgbench("shop", f"\\set n :n + 1\n{' '.join(statement.split())}\n", seconds, clients=1, variables={"n": 0}, where=WHERE)

    return interleaved(rounds, {name: lambda name=name: measure(name) for name in TABLES})


def bulk(rounds):
    """Milliseconds of processor time to insert a hundred thousand users in one statement."""
    def measure(name):
        renew()
        with Session("shop", WHERE) as session:
            # The first use of the tables in a session is not the point.
            session.run(f"INSERT INTO {TABLES[name]} {COLUMNS} VALUES ('first', 'First', 'first@example.com', false, 'user', false)")
            return session.cpu(f"""INSERT INTO {TABLES[name]} {COLUMNS}
                SELECT md5('bulk ' || n), 'User ' || n, format('bulk-%s@example.com', n), false, 'user', false
                  FROM generate_series(1, {BULK}) n""")

    return interleaved(rounds, {name: lambda name=name: measure(name) for name in TABLES})
