"""What Postgres itself refuses, whoever asks."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from outbox import EventType, NewEvent, publish
from tests.fix_backend import Servers
from tests.integration.outbox.conftest import Database, copied_database

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def database(servers: Servers, template: str) -> Iterator[Database]:
    """One for all: what is refused leaves nothing behind."""
    with copied_database(servers, template) as copy:
        yield copy


@pytest.fixture
def superuser(database: Database, app: Connection) -> Any:
    publish(app, NewEvent("p1", EventType.CREATED, {"id": "p1"}))
    app.commit()
    with psycopg.connect(database.superuser, autocommit=True) as conn:
        yield conn


def todays_partition(conn: Connection) -> str:
    rows = conn.execute("select tableoid::regclass::text from outbox.event").fetchall()
    return str(rows[0][0])


@pytest.mark.parametrize(
    "statement",
    [
        "update outbox.event set payload = '{}'",
        "update outbox.event set occurred_at = occurred_at + interval '1 day'",
        "delete from outbox.event",
        "truncate outbox.event",
        "truncate outbox.event_default",
        "merge into outbox.event using (select 1) on true when matched then delete",
        "delete from outbox.route where name = 'product'",
        "update outbox.route set name = 'products' where name = 'product'",
        "truncate outbox.route",
    ],
)
def test_the_past_can_not_be_changed_even_by_a_superuser(
    superuser: Connection, statement: str
) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation, match="is refused"):
        superuser.execute(statement)


@pytest.mark.parametrize(
    "statement", ["update {} set payload = '{{}}'", "delete from {}", "truncate {}"]
)
def test_a_partition_can_not_be_changed_directly(superuser: Connection, statement: str) -> None:
    partition = todays_partition(superuser)

    with pytest.raises(psycopg.errors.RestrictViolation, match="is refused"):
        superuser.execute(statement.format(partition))


def test_a_published_event_can_not_be_changed_even_with_the_triggers_off(
    superuser: Connection,
) -> None:
    superuser.execute("create publication p for table outbox.event")
    superuser.execute("set session_replication_role = replica")

    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="replica identity"):
        superuser.execute("update outbox.event set payload = '{}'")


def test_a_direct_insert_obeys_the_same_rules(superuser: Connection) -> None:
    insert = (
        "insert into outbox.event (aggregatetype, aggregateid, type, payload, revision, route, "
        "source) values ('product', %s, 'product.updated', '{}', 2, %s, 'api')"
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="not registered"):
        superuser.execute(insert, ["p1", "nowhere"])
    with pytest.raises(psycopg.errors.CheckViolation, match="event_aggregateid_wellformed"):
        superuser.execute(insert, ["drafts.p1", "product"])


def test_a_day_without_a_partition_goes_to_the_default(superuser: Connection) -> None:
    superuser.execute(
        "insert into outbox.event (aggregatetype, aggregateid, type, payload, revision, route, "
        "source, occurred_at) values ('product', 'p1', 'product.updated', '{}', 2, 'product', "
        "'api', now() + interval '40 days')"
    )

    assert superuser.execute("select count(*) from outbox.event_default").fetchall() == [(1,)]


def test_there_is_one_floor_and_one_heartbeat(superuser: Connection) -> None:
    for table in ("revision_floor", "heartbeat"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            superuser.execute(f"insert into outbox.{table} default values")


def test_every_constraint_has_a_name_of_its_own(superuser: Connection) -> None:
    """A name that Postgres made up (table_column_check1) would tell a caller nothing."""
    rows = superuser.execute(
        "select conname from pg_constraint where connamespace = 'outbox'::regnamespace "
        "and contype in ('c', 'p', 'f', 'u') and conname ~ '_(check|key|fkey)[0-9]*$'"
    ).fetchall()

    assert rows == []
