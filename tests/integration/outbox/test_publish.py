import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from outbox import (
    EventType,
    NewEvent,
    lock_aggregates_async,
    publish,
    publish_async,
    publish_many,
    publish_many_async,
    publish_statement,
)
from outbox.errors import (
    InvalidAggregateIdError,
    InvalidEventError,
    InvalidPayloadError,
    InvalidTypeError,
    NotInTransactionError,
    OutboxNotReadyError,
    PayloadTooLargeError,
    UnknownRouteError,
)
from outbox.refusal import translated_refusals
from tests.integration.outbox.conftest import Database

Connection = psycopg.Connection[Any]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def event(aggregate_id: str = "p1", **fields: Any) -> NewEvent:
    values: dict[str, Any] = {"type": EventType.UPDATED, "payload": {"id": aggregate_id}}
    return NewEvent(aggregate_id, **(values | fields))


@pytest.fixture
def events(database: Database) -> Iterator[Connection]:
    with psycopg.connect(database.owner, autocommit=True, row_factory=dict_row) as conn:
        yield conn


def stored(events: Connection) -> list[dict[str, Any]]:
    return events.execute("select * from outbox.event order by occurred_at").fetchall()


def test_a_committed_event_is_stored_as_it_was_given(app: Connection, events: Connection) -> None:
    run = uuid4()

    revision = publish(
        app,
        event(
            payload={"id": "p1", "title": "Été", "null": None, "list": []},
            source="manual",
            route="product.bulk",
            run_id=run,
            traceparent=TRACEPARENT,
        ),
    )
    app.commit()

    (row,) = stored(events)
    assert revision == 1
    del row["id"]
    assert row.pop("occurred_at").tzinfo is not None
    assert row == {
        "aggregatetype": "product",
        "aggregateid": "p1",
        "type": "product.updated",
        "payload": {"id": "p1", "title": "Été", "null": None, "list": []},
        "revision": 1,
        "route": "product.bulk",
        "run_id": run,
        "schema_version": 1,
        "source": "manual",
        "traceparent": TRACEPARENT,
    }


def test_a_rolled_back_write_leaves_no_event(app: Connection, events: Connection) -> None:
    publish(app, event())
    app.rollback()

    assert stored(events) == []
    assert publish(app, event()) == 1


def test_a_rolled_back_savepoint_takes_its_event_along(app: Connection, events: Connection) -> None:
    publish(app, event("kept"))
    with app.transaction(force_rollback=True):
        publish(app, event("dropped"))
    app.commit()

    assert [row["aggregateid"] for row in stored(events)] == ["kept"]


def test_publish_never_commits(app: Connection, events: Connection) -> None:
    publish(app, event())

    assert stored(events) == []
    app.commit()
    assert len(stored(events)) == 1


def test_an_autocommitting_connection_outside_a_transaction_is_refused(
    database: Database, events: Connection
) -> None:
    with psycopg.connect(database.app, autocommit=True) as conn:
        with pytest.raises(NotInTransactionError, match=r"with conn\.transaction"):
            publish(conn, event())
        with pytest.raises(NotInTransactionError):
            publish_many(conn, [event()])
        with conn.transaction():
            publish(conn, event())

    assert len(stored(events)) == 1


def test_a_failed_or_closed_connection_is_refused(app: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        app.execute("select 1 / 0")
    with pytest.raises(NotInTransactionError, match="roll back"):
        publish(app, event())
    app.close()
    with pytest.raises(NotInTransactionError, match="closed"):
        publish(app, event())


def test_the_callers_row_factory_does_not_matter(database: Database) -> None:
    with psycopg.connect(database.app, row_factory=dict_row) as conn:
        assert publish(conn, event()) == 1
        assert publish_many(conn, [event("p2"), event("p1")]) == {"p1": 2, "p2": 1}


def test_asynchronous_connections_publish_the_same(database: Database, events: Connection) -> None:
    async def write() -> tuple[int, dict[str, int]]:
        conn = await psycopg.AsyncConnection.connect(database.app)
        async with conn:
            await lock_aggregates_async(conn, "product", ["p1"])
            one = await publish_async(conn, event())
            many = await publish_many_async(conn, [event("p2"), event("p1")])
        return one, many

    assert asyncio.run(write()) == (1, {"p1": 2, "p2": 1})
    assert [row["revision"] for row in stored(events)] == [1, 2, 1]


def test_an_asynchronous_connection_outside_a_transaction_is_refused(database: Database) -> None:
    async def write() -> None:
        conn = await psycopg.AsyncConnection.connect(database.app, autocommit=True)
        async with conn:
            await publish_async(conn, event())

    with pytest.raises(NotInTransactionError):
        asyncio.run(write())


def test_publish_statement_runs_on_any_driver_with_the_same_placeholders(
    app: Connection, events: Connection
) -> None:
    cursor = app.cursor()
    cursor.execute(*publish_statement(event()))
    assert cursor.fetchone() == (1,)
    app.commit()

    assert len(stored(events)) == 1


def test_an_unregistered_route_is_refused(app: Connection) -> None:
    with pytest.raises(UnknownRouteError, match=r'route "product\.slow" is not') as caught:
        publish(app, event(route="product.slow"))

    assert caught.value.constraint == "event_route_registered"


def test_a_payload_that_postgres_prints_too_long_is_refused(app: Connection) -> None:
    """Python measures 1e308 as 7 bytes, Postgres prints its 309 digits."""
    with pytest.raises(PayloadTooLargeError, match="as Postgres prints it"):
        publish(app, event(payload={"numbers": [1e308] * 3000}))


def test_the_largest_payload_is_stored(app: Connection, events: Connection) -> None:
    around = len('{"id": "p1", "t": ""}')
    publish(app, event(payload={"id": "p1", "t": "x" * (900_000 - around)}))
    app.commit()

    (size,) = events.execute("select octet_length(payload::text) as n from outbox.event").fetchall()
    assert size == {"n": 900_000}


SQL_REFUSALS: list[tuple[dict[str, Any], type[Exception]]] = [
    ({"aggregateid": ""}, InvalidAggregateIdError),
    ({"aggregateid": "a" * 81}, InvalidAggregateIdError),
    ({"aggregateid": "a\n"}, InvalidAggregateIdError),
    ({"aggregateid": "drafts.a"}, InvalidAggregateIdError),
    ({"aggregateid": None}, InvalidEventError),
    ({"type": "product.renamed"}, InvalidTypeError),
    ({"payload": Jsonb([])}, InvalidPayloadError),
    ({"payload": Jsonb("text")}, InvalidPayloadError),
    ({"payload": None}, InvalidEventError),
    ({"payload": Jsonb({"t": "x" * 900_000})}, PayloadTooLargeError),
    ({"payload": '{"t": "\\u0000"}'}, InvalidPayloadError),
    ({"payload": "{"}, InvalidPayloadError),
    ({"source": "cron"}, InvalidEventError),
    ({"route": "nowhere"}, UnknownRouteError),
    ({"aggregatetype": "Product"}, InvalidEventError),
]


def test_postgres_refuses_by_itself_what_python_refuses(app: Connection) -> None:
    """Other languages call the function without our checks."""
    text, parameters = publish_statement(event())

    for fields, error in SQL_REFUSALS:
        with pytest.raises(error), translated_refusals(), app.transaction():
            app.execute(text, parameters | fields)
    assert publish(app, event()) == 1


def test_a_traceparent_that_can_not_be_read_fails_no_write(
    app: Connection, events: Connection
) -> None:
    publish(app, event(traceparent="from a careless client"))
    app.commit()

    assert [row["traceparent"] for row in stored(events)] == [None]


def test_a_database_without_the_outbox_says_what_to_do(empty_dsn: str) -> None:
    with (
        psycopg.connect(empty_dsn) as conn,
        pytest.raises(OutboxNotReadyError, match="outbox migrate"),
    ):
        publish(conn, event())


def test_the_counter_outlives_the_product(app: Connection) -> None:
    kinds = [EventType.CREATED, EventType.DELETED, EventType.CREATED]

    assert [publish(app, event(type=kind)) for kind in kinds] == [1, 2, 3]


def test_every_aggregate_counts_for_itself(app: Connection) -> None:
    assert [publish(app, event(each)) for each in ("a", "b", "a")] == [1, 1, 2]
    assert publish(app, event("a", aggregate_type="canary", type="canary.updated")) == 1


def test_publish_jumps_over_the_floor(app: Connection, events: Connection) -> None:
    publish(app, event("old"))
    app.commit()
    events.execute("update outbox.revision_floor set floor = 1000")

    assert publish(app, event("old")) == 1001
    assert publish(app, event("new")) == 1001
    assert publish_many(app, [event("old"), event("another")]) == {"another": 1001, "old": 1002}


def test_publish_many_refuses_a_twice_named_aggregate_in_sql_too(app: Connection) -> None:
    entries = [{"aggregateid": "a", "type": "product.updated", "payload": {}}] * 2

    with pytest.raises(InvalidEventError, match="twice"), translated_refusals():
        app.execute("select * from outbox.publish_many('product', %s)", [Jsonb(entries)])


def test_publish_many_of_nothing_does_nothing(app: Connection, events: Connection) -> None:
    assert publish_many(app, []) == {}
    app.commit()
    assert stored(events) == []


def test_publish_many_passes_everything_on(app: Connection, events: Connection) -> None:
    run = uuid4()
    wanted = [
        event(f"p{n}", source="bulk", route="product.bulk", run_id=run, traceparent=TRACEPARENT)
        for n in range(450)
    ]

    revisions = publish_many(app, wanted)
    app.commit()

    rows = stored(events)
    assert revisions == {each.aggregate_id: 1 for each in wanted}
    assert {row["aggregateid"]: row["payload"] for row in rows} == {
        each.aggregate_id: each.payload for each in wanted
    }
    assert {(r["route"], r["source"], r["run_id"], r["traceparent"]) for r in rows} == {
        ("product.bulk", "bulk", run, TRACEPARENT)
    }
