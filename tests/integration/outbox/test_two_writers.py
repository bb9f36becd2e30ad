"""What happens when two transactions write the same product, or many products, at once."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from outbox import EventType, NewEvent, lock_aggregates, publish, publish_many
from tests.integration.outbox.conftest import Database, until_blocked

Connection = psycopg.Connection[Any]


@pytest.fixture(autouse=True)
def product(owner: Connection) -> None:
    owner.execute("create schema commerce")
    owner.execute("create table commerce.product (id text primary key, title text)")
    owner.execute("insert into commerce.product values ('p1', 'before')")
    owner.execute("grant usage on schema commerce to commerce_app")
    owner.execute("grant select, update on commerce.product to commerce_app")


@pytest.fixture
def other(database: Database) -> Iterator[Connection]:
    with psycopg.connect(database.app, options="-c lock_timeout=20s") as conn:
        yield conn


@pytest.fixture
def watcher(database: Database) -> Iterator[Connection]:
    """Only a superuser sees what another role's session waits for."""
    with psycopg.connect(database.superuser, autocommit=True) as conn:
        yield conn


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def update(title: str, aggregate_id: str = "p1") -> NewEvent:
    return NewEvent(aggregate_id, EventType.UPDATED, {"id": aggregate_id, "title": title})


def current_title(conn: Connection) -> str:
    row = conn.execute("select title from commerce.product where id = 'p1'").fetchone()
    assert row is not None
    return str(row[0])


def published(owner: Connection) -> list[tuple[int, str]]:
    query = "select revision, payload ->> 'title' from outbox.event order by revision"
    return owner.execute(query).fetchall()


def test_the_second_writer_waits_and_gets_the_next_revision(
    app: Connection,
    other: Connection,
    owner: Connection,
    watcher: Connection,
    background: ThreadPoolExecutor,
) -> None:
    publish(app, update("first"))
    second = background.submit(publish, other, update("second"))
    until_blocked(watcher, other)
    app.commit()

    assert second.result() == 2
    other.commit()
    assert published(owner) == [(1, "first"), (2, "second")]


def test_the_second_writer_takes_the_revision_of_a_first_one_that_rolled_back(
    app: Connection, other: Connection, watcher: Connection, background: ThreadPoolExecutor
) -> None:
    publish(app, update("first"))
    second = background.submit(publish, other, update("second"))
    until_blocked(watcher, other)
    app.rollback()

    assert second.result() == 1


def test_occurred_at_is_read_when_the_lock_is_held(
    app: Connection,
    other: Connection,
    owner: Connection,
    watcher: Connection,
    background: ThreadPoolExecutor,
) -> None:
    other.execute("select 1")  # its transaction begins before the first writer publishes
    publish(app, update("first"))
    second = background.submit(publish, other, update("second"))
    until_blocked(watcher, other)
    app.commit()
    second.result()
    other.commit()

    rows = owner.execute("select occurred_at from outbox.event order by revision").fetchall()
    assert rows == sorted(rows)


def test_a_statement_that_waited_would_publish_an_old_state(
    app: Connection,
    other: Connection,
    owner: Connection,
    watcher: Connection,
    background: ThreadPoolExecutor,
) -> None:
    """Why lock_aggregates exists: one statement that reads and publishes loses a title."""
    app.execute("update commerce.product set title = 'after' where id = 'p1'")
    publish(app, update("after"))
    naive = background.submit(
        other.execute,
        "select outbox.publish('product', id, 'product.sync_requested', "
        "jsonb_build_object('id', id, 'title', title)) from commerce.product where id = 'p1'",
    )
    until_blocked(watcher, other)
    app.commit()
    naive.result()
    other.commit()

    assert published(owner) == [(1, "after"), (2, "before")]


def test_what_is_read_after_lock_aggregates_is_the_newest_state(
    app: Connection,
    other: Connection,
    owner: Connection,
    watcher: Connection,
    background: ThreadPoolExecutor,
) -> None:
    app.execute("update commerce.product set title = 'after' where id = 'p1'")
    publish(app, update("after"))
    locked = background.submit(lock_aggregates, other, "product", ["p1"])
    until_blocked(watcher, other)
    app.commit()
    locked.result()
    publish(other, update(current_title(other)))
    other.commit()

    assert published(owner) == [(1, "after"), (2, "after")]


def test_lock_aggregates_holds_off_a_publisher_of_a_product_without_a_counter(
    app: Connection, other: Connection, watcher: Connection, background: ThreadPoolExecutor
) -> None:
    lock_aggregates(app, "product", ["p1"])
    second = background.submit(publish, other, update("second"))
    until_blocked(watcher, other)
    publish(app, update("first"))
    app.commit()

    assert second.result() == 2


def test_lock_aggregates_spends_no_revision(app: Connection) -> None:
    lock_aggregates(app, "product", ["p1", "p2", "p1"])
    app.commit()
    lock_aggregates(app, "product", ["p2", "p1"])

    assert publish(app, update("first")) == 1


@pytest.mark.parametrize("level", [IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE])
def test_above_read_committed_the_loser_gets_a_serialization_failure(
    app: Connection,
    other: Connection,
    watcher: Connection,
    background: ThreadPoolExecutor,
    level: IsolationLevel,
) -> None:
    other.isolation_level = level
    assert current_title(other) == "before"
    publish(app, update("first"))
    loser = background.submit(publish, other, update("second"))
    until_blocked(watcher, other)
    app.commit()

    with pytest.raises(psycopg.errors.SerializationFailure):
        loser.result()


def test_bulk_publishers_and_lockers_of_the_same_products_never_deadlock(
    database: Database, owner: Connection, background: ThreadPoolExecutor
) -> None:
    ids = [f"p{number:03}" for number in range(60)]

    def write(seed: int) -> None:
        shuffled = random.Random(seed).sample(ids, len(ids))  # noqa: S311
        with psycopg.connect(database.app) as conn:
            for _ in range(15):
                if seed % 2:
                    lock_aggregates(conn, "product", shuffled)
                publish_many(conn, [update("bulk", each) for each in shuffled])
                conn.commit()

    list(background.map(write, range(6)))

    rows = owner.execute(
        "select aggregateid, array_agg(revision order by occurred_at) from outbox.event group by 1"
    ).fetchall()
    assert {aggregate_id: list(range(1, 91)) for aggregate_id in ids} == dict(rows)


def test_revisions_have_no_gap_and_no_double_under_many_writers(
    database: Database, owner: Connection, background: ThreadPoolExecutor
) -> None:
    def write(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        with psycopg.connect(database.app) as conn:
            for _ in range(100):
                publish(conn, update(str(seed)))
                if chance.random() < 0.3:
                    conn.rollback()
                else:
                    conn.commit()

    list(background.map(write, range(8)))

    revisions = [revision for revision, _ in published(owner)]
    assert revisions == list(range(1, len(revisions) + 1))
