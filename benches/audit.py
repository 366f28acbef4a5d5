"""What it costs to record who acts: the trigger auth.stamp(), and the actor in the WAL."""

from server import Session, interleaved, pgbench, run_once

ROWS = 100_000
# Tables by what stamps their rows; the type of updated_by; and the trigger's function.
STAMPED = {
    "nothing": ("text", None),
    "stamp": ("text", "auth.stamp()"),
    "stamp_actor": ("jsonb", "auth.stamp()"),
    "by_hand": ("text", "bench.stamp_by_hand()"),
}
BY_HAND = """CREATE FUNCTION bench.stamp_by_hand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_by := auth.user_id();
    NEW.updated_by := auth.user_id();
    RETURN NEW;
END $$"""
WRITERS = {"with": "on", "without": "off"}


def measure(rounds, seconds):
    sign_in = "SELECT auth.authenticate(token, false) FROM bench.tokens WHERE n = 0"
    run_once(BY_HAND)
    for name, (type_of, function) in STAMPED.items():
        run_once(f"CREATE TABLE bench.stamped_{name} (id integer, created_by text, updated_by {type_of})")
        if function:
            run_once(f"CREATE TRIGGER stamp BEFORE INSERT ON bench.stamped_{name} FOR EACH ROW EXECUTE FUNCTION {function}")
    return {"stamps": stamps(rounds, sign_in), "wal": actor_in_wal(rounds, seconds, sign_in)}


def stamps(rounds, sign_in):
    """Microseconds of processor time for each row of an INSERT of a hundred thousand, by what stamps them."""
    def cost(name):
        run_once(f"TRUNCATE bench.stamped_{name}")
        with Session() as session:
            session.run(sign_in)
            insert = f"INSERT INTO bench.stamped_{name} (id) SELECT generate_series(1, {{}})"
            session.run(insert.format(10))
            return session.cpu(insert.format(ROWS)) * 1000 / ROWS

    return interleaved(rounds, {name: lambda name=name: cost(name) for name in STAMPED})


def actor_in_wal(rounds, seconds, sign_in):
    """Transactions that insert a row each, and the bytes of WAL of each, with the actor in the WAL and without."""
    run_once("CREATE TABLE bench.written (id integer); GRANT INSERT ON bench.written TO PUBLIC")
    for name, value in WRITERS.items():
        run_once(f"CREATE ROLE writer_{name} LOGIN; ALTER ROLE writer_{name} SET neon_auth.actor_in_wal = {value}")

    def load(name):
        run_once("TRUNCATE bench.written")
        script = f"\\if :signed_in = 0\n{sign_in};\n\\set signed_in 1\n\\endif\nINSERT INTO bench.written VALUES (1);\n"
        before = logged()
        result = pgbench(f"writer_{name}", script, seconds, clients=1, variables={"signed_in": 0})
        return result, (logged() - before) / result.transactions

    results = interleaved(rounds, {name: lambda name=name: load(name) for name in WRITERS})
    return {name: {"loads": [load for load, _ in each], "bytes": [size for _, size in each]} for name, each in results.items()}


def logged():
    return int(run_once("SELECT pg_current_wal_insert_lsn() - '0/0'")[0])
