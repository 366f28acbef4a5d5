import os

token = os.environ["ALICE"]
# SNIPPET
    assert tasks == [("water the plants",)], tasks

    def tasks_of(who):
        with connection.transaction():
            as_user(connection, os.environ[who])
            return [task for (task,) in connection.execute("SELECT task FROM todos")]

    def nobody():
        with connection.transaction():
            return connection.execute("SELECT auth.user_id()").fetchone() == (None,)

    # More often than it takes to be prepared.
    for _ in range(7):
        assert tasks_of("ALICE") == ["water the plants"]
        assert tasks_of("BOB") == ["feed the cat"]
        assert nobody()
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    try:
        tasks_of("REFUSED")
        raise AssertionError("an expired token was accepted")
    except psycopg.errors.InvalidAuthorizationSpecification as error:
        assert error.sqlstate == "28000"
    assert nobody()
    # Without a block, the identity lasts until somebody commits.
    as_user(connection, token)
    assert connection.execute("SELECT auth.user_id()").fetchone() == ("alice",)
    connection.commit()
    assert nobody()

with psycopg.connect(autocommit=True) as connection:
    connection.execute("SELECT auth.authenticate(%s)", [token])
    assert nobody()
print("psycopg: two users, a refused token, prepared statements, nobody")
