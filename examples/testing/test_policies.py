"""Tests of policies with pytest and psycopg, in a database that is marked for tests."""

import contextlib

import psycopg
import pytest


@pytest.fixture(scope="session")
def connection():
    """A connection of the tests' role, which may impersonate users. libpq's variables say where."""
    with psycopg.connect() as connection:
        yield connection


@pytest.fixture
def users(connection):
    """Two users; everything that a test writes is rolled back."""
    with connection.transaction(force_rollback=True):
        yield [id for id, *_ in connection.execute("SELECT * FROM neon_auth.make_test_users(2)")]


@contextlib.contextmanager
def signed_in(connection, user, role="authenticated"):
    """Statements in here run as an application runs them for this user; what they write is rolled back."""
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT auth.impersonate(%s)" if user else "SELECT auth.logout()", [user] if user else None)
        connection.execute(f"SET LOCAL ROLE {role}")
        yield connection


@pytest.fixture
def todos(connection, users):
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO todos (user_id, task) VALUES (%s, %s)", [(user, f"of {user}") for user in users])


def test_users_read_their_own_rows(connection, users, todos):
    for user in users:
        with signed_in(connection, user) as session:
            assert session.execute("SELECT DISTINCT user_id FROM todos").fetchall() == [(user,)]


def test_nobody_reads_anything(connection, todos):
    with signed_in(connection, None, "anonymous") as session:
        assert session.execute("SELECT count(*) FROM todos").fetchone() == (0,)


@pytest.mark.parametrize("statement", [
    "INSERT INTO todos (user_id, task) VALUES (%(other)s, 'in the name of another')",
    "UPDATE todos SET user_id = %(other)s",
])
def test_no_row_becomes_another_users(connection, users, todos, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege), signed_in(connection, users[0]) as session:
        session.execute(statement, {"other": users[1]})


def test_rows_of_others_are_neither_changed_nor_deleted(connection, users, todos):
    with signed_in(connection, users[0]) as session:
        for statement in ["UPDATE todos SET task = '' WHERE user_id = %s", "DELETE FROM todos WHERE user_id = %s"]:
            assert session.execute(statement, [users[1]]).rowcount == 0
