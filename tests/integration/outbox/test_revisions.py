"""The floor under revisions: raised after a restored backup, never lowered."""

from typing import Any

import psycopg
import pytest

from outbox import EventType, NewEvent, publish
from outbox.errors import OutboxNotReadyError, RevisionError
from outbox.revisions import HIGHEST_FLOOR, plan_advance, raise_floor

Connection = psycopg.Connection[Any]


def write(conn: Connection, aggregate_id: str) -> int:
    with conn.transaction():
        return publish(conn, NewEvent(aggregate_id, EventType.UPDATED, {"id": aggregate_id}))


def test_a_new_outbox_is_planned_to_the_margin(owner: Connection) -> None:
    advance = plan_advance(owner, margin=500)

    assert (advance.floor, advance.highest, advance.to) == (0, 0, 500)


def test_every_aggregate_goes_on_above_the_raised_floor(owner: Connection) -> None:
    for _ in range(3):
        write(owner, "old")

    advance = plan_advance(owner, margin=1000)
    raise_floor(owner, advance)

    assert (advance.floor, advance.highest, advance.to) == (0, 3, 1003)
    assert [write(owner, each) for each in ("old", "new", "old")] == [1004, 1004, 1005]


def test_counters_that_were_set_back_are_seen_in_the_events(owner: Connection) -> None:
    for _ in range(5):
        write(owner, "p1")
    owner.execute("update outbox.revision set revision = 2")

    assert plan_advance(owner, margin=10).to == 15


def test_twice_raises_twice(owner: Connection) -> None:
    raise_floor(owner, plan_advance(owner, margin=10))

    assert plan_advance(owner, margin=10).to == 20


def test_a_plan_changes_nothing(owner: Connection) -> None:
    write(owner, "p1")
    plan_advance(owner)

    assert write(owner, "p1") == 2


@pytest.mark.parametrize("to", [1, 99, 100])
def test_the_floor_is_never_lowered(owner: Connection, to: int) -> None:
    raise_floor(owner, plan_advance(owner, to=100))

    with pytest.raises(RevisionError, match="101 or higher"):
        plan_advance(owner, to=to)


def test_a_floor_below_a_revision_that_was_given_out_is_refused(owner: Connection) -> None:
    for _ in range(3):
        write(owner, "p1")

    with pytest.raises(RevisionError, match="4 or higher"):
        plan_advance(owner, to=3)


def test_somebody_elses_higher_floor_stays(owner: Connection) -> None:
    stale = plan_advance(owner, to=50)
    raise_floor(owner, plan_advance(owner, to=100))

    with pytest.raises(RevisionError, match="meanwhile"):
        raise_floor(owner, stale)
    assert plan_advance(owner, margin=1).floor == 100


def test_a_floor_that_documents_could_not_tell_apart_is_refused(owner: Connection) -> None:
    with pytest.raises(RevisionError, match="at most"):
        plan_advance(owner, to=HIGHEST_FLOOR + 1)


def test_a_database_without_the_outbox_is_told(empty_dsn: str) -> None:
    with (
        psycopg.connect(empty_dsn, autocommit=True) as conn,
        pytest.raises(OutboxNotReadyError, match="outbox migrate"),
    ):
        plan_advance(conn)
