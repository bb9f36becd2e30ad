"""Publish events inside the caller's transaction: nothing here commits, nor begins one.

`publish(conn, event)` takes a state that the caller has written in this transaction. Whoever
only *reads* the state to publish it calls `lock_aggregates` first and reads in a later statement:
a statement that waited for a lock still sees its old snapshot, and would publish an old state
under the newest revision.

Above READ COMMITTED the loser of two writers gets psycopg's `SerializationFailure`, as with any
other row; like deadlocks and lost connections it is left to the caller's own retry.

Other database libraries run the same SQL: `publish_statement(event)` gives it with its parameters.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from outbox.errors import InvalidEventError, NotInTransactionError
from outbox.new_event import NewEvent, json_text, require_aggregate_id, require_aggregate_type
from outbox.refusal import translated_refusals
from outbox.sql import statements

EVENTS_PER_CALL: Final = 200
CHARACTERS_PER_CALL: Final = 8_000_000  # one jsonb array holds a call; it must end below 256 MB

Statement = tuple[str, dict[str, Any]]


def publish(conn: psycopg.Connection[Any], event: NewEvent) -> int:
    """Publish `event` inside the caller's transaction and return its revision. Never commits.

    Raises `NotInTransactionError` on an autocommitting connection outside `conn.transaction()`,
    an `InvalidEventError` when the event is refused, `OutboxNotReadyError` when the schema or a
    right is missing. Once Postgres has refused an event, its transaction can only be rolled back.
    """
    statement = publish_statement(event)
    require_transaction(conn)
    with translated_refusals(), conn.cursor(row_factory=tuple_row) as cursor:
        return _revision(cursor.execute(*statement).fetchall())


async def publish_async(conn: psycopg.AsyncConnection[Any], event: NewEvent) -> int:
    """`publish` for an asynchronous connection."""
    statement = publish_statement(event)
    require_transaction(conn)
    with translated_refusals():
        async with conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(*statement)
            return _revision(await cursor.fetchall())


def publish_many(conn: psycopg.Connection[Any], events: Iterable[NewEvent]) -> dict[str, int]:
    """Publish events of different aggregates; return the revision of each aggregate id.

    The counters are raised in id order, so that two callers can't wait for each other. All
    events have one aggregate type, source, route and run id. Errors as of `publish`.
    """
    calls = list(publish_many_statements(events))
    require_transaction(conn)
    revisions: dict[str, int] = {}
    with translated_refusals(), conn.cursor(row_factory=tuple_row) as cursor:
        for call in calls:
            revisions.update(cursor.execute(*call).fetchall())
    return revisions


async def publish_many_async(
    conn: psycopg.AsyncConnection[Any], events: Iterable[NewEvent]
) -> dict[str, int]:
    """`publish_many` for an asynchronous connection."""
    calls = list(publish_many_statements(events))
    require_transaction(conn)
    revisions: dict[str, int] = {}
    with translated_refusals():
        async with conn.cursor(row_factory=tuple_row) as cursor:
            for call in calls:
                await cursor.execute(*call)
                revisions.update(await cursor.fetchall())
    return revisions


def lock_aggregates(
    conn: psycopg.Connection[Any], aggregate_type: str, aggregate_ids: Iterable[str]
) -> None:
    """Hold off other publishers of these aggregates until the caller's transaction ends.

    What a later statement reads of them is the newest state, and may be published. The locks are
    taken in id order; counters that don't exist yet are made.
    """
    statement = lock_aggregates_statement(aggregate_type, aggregate_ids)
    require_transaction(conn)
    with translated_refusals(), conn.cursor() as cursor:
        cursor.execute(*statement)


async def lock_aggregates_async(
    conn: psycopg.AsyncConnection[Any], aggregate_type: str, aggregate_ids: Iterable[str]
) -> None:
    """`lock_aggregates` for an asynchronous connection."""
    statement = lock_aggregates_statement(aggregate_type, aggregate_ids)
    require_transaction(conn)
    with translated_refusals():
        async with conn.cursor() as cursor:
            await cursor.execute(*statement)


def publish_statement(event: NewEvent) -> Statement:
    """SQL (`%(name)s` placeholders) and parameters that publish `event`; one row, one column.

    Usage example::

        session.connection().exec_driver_sql(*publish_statement(event))  # SQLAlchemy on psycopg
        with transaction.atomic(), connection.cursor() as cursor:        # Django
            cursor.execute(*publish_statement(event))
    """
    return statements("publish")["publish"], {
        "aggregatetype": event.aggregate_type,
        "aggregateid": event.aggregate_id,
        "type": str(event.type),
        "payload": event.payload_json(),
        "source": event.source,
        "route": event.route,
        "run_id": event.run_id,
        "traceparent": event.traceparent,
    }


def publish_many_statements(events: Iterable[NewEvent]) -> Iterator[Statement]:
    """The calls that publish `events`, to be run in this order in one transaction."""
    ordered = sorted(events, key=lambda event: event.aggregate_id)
    _require_distinct(ordered)
    for batch in _batches(ordered):
        first = batch[0][0]
        yield (
            statements("publish")["publish_many"],
            {
                "aggregatetype": first.aggregate_type,
                "events": "[" + ",".join(text for _, text in batch) + "]",
                "source": first.source,
                "route": first.route,
                "run_id": first.run_id,
            },
        )


def lock_aggregates_statement(aggregate_type: str, aggregate_ids: Iterable[str]) -> Statement:
    """SQL and parameters that take the locks of these aggregates' counters."""
    ids = list(aggregate_ids)
    require_aggregate_type(aggregate_type)
    for aggregate_id in ids:
        require_aggregate_id(aggregate_id)
    return statements("publish")["lock_aggregates"], {
        "aggregatetype": aggregate_type,
        "aggregateids": ids,
    }


def require_transaction(conn: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    """Raise `NotInTransactionError` unless what `conn` runs next can be rolled back by its owner.

    A connection that doesn't autocommit is always in a transaction: psycopg begins one before
    the first statement, and it ends with the caller's `commit` or `rollback`.
    """
    match conn.info.transaction_status:
        case TransactionStatus.IDLE if conn.autocommit:
            raise NotInTransactionError(
                "the connection autocommits and is in no transaction: "
                "wrap the write and its event in `with conn.transaction():`"
            )
        case TransactionStatus.INERROR:
            raise NotInTransactionError("an earlier statement failed: roll back first")
        case TransactionStatus.UNKNOWN:
            raise NotInTransactionError("the connection is closed")
        case _:
            return


def _require_distinct(ordered: list[NewEvent]) -> None:
    shared = {(event.aggregate_type, event.source, event.route, event.run_id) for event in ordered}
    if len(shared) > 1:
        raise InvalidEventError("events of one call share aggregate type, source, route, run id")
    for before, event in pairwise(ordered):
        if before.aggregate_id == event.aggregate_id:
            raise InvalidEventError(f"aggregate {event.aggregate_id} comes twice in one call")


def _batches(ordered: list[NewEvent]) -> Iterator[list[tuple[NewEvent, str]]]:
    batch: list[tuple[NewEvent, str]] = []
    characters = 0
    for event in ordered:
        text = _entry(event)
        if batch and (
            len(batch) == EVENTS_PER_CALL or characters + len(text) > CHARACTERS_PER_CALL
        ):
            yield batch
            batch, characters = [], 0
        batch.append((event, text))
        characters += len(text)
    if batch:
        yield batch


def _entry(event: NewEvent) -> str:
    around = json_text(
        {
            "aggregateid": event.aggregate_id,
            "type": str(event.type),
            "traceparent": event.traceparent,
        },
        f"event of {event.aggregate_id}",
    )
    return f'{around[:-1]}, "payload": {event.payload_json()}}}'


def _revision(rows: list[tuple[Any, ...]]) -> int:
    ((revision,),) = rows
    return int(revision)
