"""Least rights: what each role can do, and what it can't."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from outbox import EventType, NewEvent, lock_aggregates, publish, publish_many
from outbox.errors import MigrationFailedError, OutboxNotReadyError
from outbox.grants import grant_publish
from tests.fix_backend import Servers
from tests.integration.outbox.conftest import Database, copied_database

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def database(servers: Servers, template: str) -> Iterator[Database]:
    """One for all: what is refused leaves nothing behind."""
    with copied_database(servers, template) as copy:
        yield copy


UPDATE = NewEvent("p1", EventType.UPDATED, {"id": "p1"})


def as_role(database: Database, role: str) -> Connection:
    conn = psycopg.connect(database.superuser, autocommit=True)
    conn.execute(f"set role {role}")
    return conn


@pytest.fixture
def replication(database: Database) -> Iterator[Connection]:
    with as_role(database, "outbox_replication") as conn:
        yield conn


@pytest.fixture
def stranger(database: Database) -> Iterator[Connection]:
    with as_role(database, "sync_ledger") as conn:
        yield conn


def test_the_application_may_publish(app: Connection) -> None:
    lock_aggregates(app, "product", ["p1"])
    assert publish(app, UPDATE) == 1
    assert publish_many(app, [UPDATE]) == {"p1": 2}


@pytest.mark.parametrize(
    "statement",
    [
        "select * from outbox.event",
        "insert into outbox.event default values",
        "update outbox.event set revision = 1",
        "delete from outbox.event",
        "truncate outbox.event",
        "select * from outbox.revision",
        "update outbox.revision set revision = 0",
        "insert into outbox.route values ('mine')",
        "select * from outbox.route",
        "update outbox.revision_floor set floor = 1",
        "update outbox.heartbeat set beaten_at = now()",
        "select * from outbox.migration",
        "select outbox.add_day('2030-01-01')",
        "select outbox.detach_day('event_default')",
        "select * from outbox.partitions()",
        "select outbox.drop_part('aside_x')",
        "create table outbox.mine ()",
        "drop table outbox.event",
    ],
)
def test_the_application_may_do_nothing_else(app: Connection, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        app.execute(statement)


def test_the_application_may_not_make_a_slot(app: Connection) -> None:
    with pytest.raises(InsufficientPrivilege):
        app.execute("select pg_create_logical_replication_slot('mine', 'pgoutput')")


def test_debezium_may_read_events_and_move_the_heartbeat(replication: Connection) -> None:
    assert replication.execute("select * from outbox.event").description
    assert replication.execute("update outbox.heartbeat set beaten_at = now()").rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "select outbox.publish('product', 'p1', 'product.updated', '{}')",
        "insert into outbox.event default values",
        "delete from outbox.event",
        "delete from outbox.heartbeat",
        "insert into outbox.heartbeat values (false)",
        "select * from outbox.revision",
        "update outbox.revision_floor set floor = 1",
        "create publication mine",
    ],
)
def test_debezium_may_do_nothing_else(replication: Connection, statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        replication.execute(statement)


def test_anybody_else_may_not_even_look(stranger: Connection) -> None:
    with (
        pytest.raises(OutboxNotReadyError, match="may not publish"),
        stranger.transaction(),
    ):
        publish(stranger, UPDATE)
    for statement in ("select * from outbox.event", "select * from outbox.partitions()"):
        with pytest.raises(InsufficientPrivilege):
            stranger.execute(statement)


def test_no_function_of_the_outbox_is_open_to_everybody(owner: Connection) -> None:
    rows = owner.execute(
        "select proname from pg_proc where pronamespace = 'outbox'::regnamespace "
        "and has_function_privilege('public', oid, 'execute')"
    ).fetchall()

    assert rows == []


def test_functions_with_their_owners_rights_look_names_up_nowhere_else(owner: Connection) -> None:
    rows = owner.execute(
        "select proname, proconfig from pg_proc "
        "where pronamespace = 'outbox'::regnamespace and prosecdef order by 1"
    ).fetchall()

    pinned = ["search_path=pg_catalog, pg_temp"]
    assert rows == [
        ("lock_aggregates", pinned),
        ("publish", pinned),
        ("publish_many", pinned),
    ]


def test_a_role_that_does_not_exist_is_named(owner: Connection) -> None:
    with pytest.raises(MigrationFailedError, match="there is no role nobody_here"):
        grant_publish(owner, "nobody_here")
