"""A database per test, copied from a template in which the outbox is migrated."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from outbox.grants import grant_publish, grant_replication
from outbox.migrate import MIGRATIONS, SCHEMA, migrate
from tests.fix_backend import Servers

T = TypeVar("T")


@dataclass(frozen=True)
class Database:
    """One database with the outbox in it; `owner`, `app` and `superuser` are DSNs."""

    name: str
    owner: str
    app: str
    superuser: str


@contextmanager
def fresh_database(server_dsn: str, template: str = "template0") -> Iterator[str]:
    """The name of a new database, copied from `template`; gone afterwards with its slots."""
    name = f"outbox_{secrets.token_hex(6)}"
    with psycopg.connect(server_dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {} owner shop_owner").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield name
        finally:
            drop_slots(admin, name)
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def drop_slots(admin: psycopg.Connection[Any], database: str) -> None:
    """Drop the replication slots of a database, which would keep it from being dropped."""
    while True:
        slots = admin.execute(
            "select slot_name, active_pid from pg_replication_slots where database = %s",
            [database],
        ).fetchall()
        if not slots:
            return
        for slot, pid in slots:
            if pid is not None:
                admin.execute("select pg_terminate_backend(%s, 1000)", [pid])
                continue
            try:
                admin.execute("select pg_drop_replication_slot(%s)", [slot])
            except psycopg.errors.ObjectInUse:  # a reader came back meanwhile
                continue


def until(condition: Callable[[], T | None], *, seconds: float = 20.0) -> T:
    """The first value of `condition` that is not false; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while time.monotonic() < deadline:
        if value := condition():
            return value
        pause.wait(0.01)
    pytest.fail(f"not within {seconds} s: {condition.__qualname__}")


def until_blocked(watcher: psycopg.Connection[Any], blocked: psycopg.Connection[Any]) -> None:
    """Wait until the statement that `blocked` runs waits for a lock."""
    pid = blocked.info.backend_pid

    def is_blocked() -> bool:
        query = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"
        return watcher.execute(query, [pid]).fetchall() == [(True,)]

    until(is_blocked)


@pytest.fixture
def empty_dsn(postgres_dsn: str) -> Iterator[str]:
    """The superuser's DSN of a database without the outbox."""
    with fresh_database(postgres_dsn) as name:
        yield make_conninfo(postgres_dsn, dbname=name)


@contextmanager
def migrated_database(servers: Servers) -> Iterator[Database]:
    """A new database with the outbox in it; nobody stays connected, so it can be copied."""
    with fresh_database(servers.need("roles")["POSTGRES_DSN"]) as name:
        made = _database(servers, name)
        with psycopg.connect(made.owner, autocommit=True) as conn:
            migrate(conn, MIGRATIONS, schema=SCHEMA)
            grant_publish(conn, "commerce_app")
            grant_replication(conn, "outbox_replication")
        yield made


@contextmanager
def copied_database(servers: Servers, template: str) -> Iterator[Database]:
    """A copy of the migrated template."""
    with fresh_database(servers.need("roles")["POSTGRES_DSN"], template) as name:
        yield _database(servers, name)


def _database(servers: Servers, name: str) -> Database:
    values = servers.need("roles")
    return Database(
        name=name,
        owner=make_conninfo(values["OUTBOX_DSN"], dbname=name),
        app=make_conninfo(values["COMMERCE_POSTGRES_DSN"], dbname=name),
        superuser=make_conninfo(values["POSTGRES_DSN"], dbname=name),
    )


@pytest.fixture(scope="session")
def template(servers: Servers) -> Iterator[str]:
    with migrated_database(servers) as made:
        yield made.name


@pytest.fixture
def database(servers: Servers, template: str) -> Iterator[Database]:
    with copied_database(servers, template) as copy:
        yield copy


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """An autocommitting connection of the schema's owner."""
    with psycopg.connect(database.owner, autocommit=True) as conn:
        yield conn


@pytest.fixture
def app(database: Database) -> Iterator[psycopg.Connection[Any]]:
    """A connection of the application's role, which doesn't autocommit."""
    with psycopg.connect(database.app) as conn:
        yield conn
