"""What a token costs that another session of the server has verified, and whether backends disturb each other."""

import threading

from server import Session, interleaved

# Tokens that no session has verified, in a round.
FRESH = 500
BACKENDS = 4
CALLS = 20_000


def measure(live):
    """Verifies each of so many tokens for the first time, so it must come before all else."""
    return {"costs": another_backend(live), "together": together(live)}


def in_turn(tokens, session):
    """Microseconds of processor time of each token of a range."""
    first, last = tokens
    return session.cpu(f"SELECT bench.in_turn({first}, {last})") * 1000 / (last - first + 1)


def ready(session, tokens):
    """The session has loaded the library and read the keys, and it has its plans; its cache has other tokens."""
    session.run(f"BEGIN; SELECT bench.in_turn({tokens[0]}, {tokens[1]}); COMMIT")
    return session


def another_backend(live):
    """Of each range of tokens: verified for the first time on this server, then by another session, and then by that
    session again, which cannot remember so many itself."""
    costs = {"fresh": [], "another": [], "again": []}
    known = (1, FRESH)
    with Session() as session:
        ready(session, known)
    for first in range(FRESH + 1, live + 1, FRESH):
        tokens = (first, first + FRESH - 1)
        with Session() as one, Session() as other:
            ready(one, known), ready(other, known)
            costs["fresh"].append(in_turn(tokens, one))
            costs["another"].append(in_turn(tokens, other))
            costs["again"].append(in_turn(tokens, other))
    return costs


def together(live, rounds=7):
    """Microseconds of processor time of a call, in one backend and in four at once: with tokens that another backend
    has verified, and with one token that each backend has cached itself. Both cost more where two threads of the
    processor share a core, so the first is compared with the second."""
    token = "(SELECT token FROM bench.tokens WHERE n = 1)"
    calls = {"shared": f"SELECT bench.in_turn(1, {live})", "own": f"SELECT bench.same_token({token}, {CALLS})"}
    counts = {"shared": live, "own": CALLS}
    sessions = [ready(Session(), (1, FRESH)) for _ in range(BACKENDS)]

    def cost(name, backends):
        spent = [0.0] * backends

        def run(number):
            spent[number] = sessions[number].cpu(calls[name])

        threads = [threading.Thread(target=run, args=(number,)) for number in range(backends)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(spent) * 1000 / counts[name] / backends

    results = interleaved(rounds, {(name, backends): lambda name=name, backends=backends: cost(name, backends)
                                   for name in calls for backends in (1, BACKENDS)})
    for session in sessions:
        session.close()
    return {f"{name}_{backends}": costs for (name, backends), costs in results.items()}
