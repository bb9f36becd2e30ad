"""Days made ahead, old days dropped: over a day boundary, with writers, and with an absent reader.

Days are moved instead of the clock: a partition is made for a past day and filled.
"""

import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, Self

import psycopg
import pytest
from structlog.testing import capture_logs

from outbox import EventType, NewEvent, publish
from outbox.errors import OutboxNotReadyError, RetentionError
from outbox.replication import prepare_replication
from outbox.retention import Policy, Report, maintain, partitions, plan
from outbox.upkeep import round_of_upkeep
from tests.integration.outbox.conftest import Database, until

Connection = psycopg.Connection[Any]
# By the trigger, or by Postgres itself for a published table without replica identity.
REFUSED = (psycopg.errors.RestrictViolation, psycopg.errors.ObjectNotInPrerequisiteState)
INSERT = (
    "insert into outbox.event (aggregatetype, aggregateid, type, payload, revision, route, source, "
    "occurred_at) values ('product', %s, 'product.updated', '{}', 1, 'product', 'api', %s)"
)


def today() -> date:
    return datetime.now(UTC).date()


def days_ago(days: int) -> date:
    return today() - timedelta(days=days)


def name_of(day: date) -> str:
    return f"event_{day:%Y%m%d}"


def at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def add_day(conn: Connection, day: date) -> None:
    with conn.transaction():
        conn.execute("set local lock_timeout = '5s'")
        conn.execute("select outbox.add_day(%s)", [day])


def drop_partition(conn: Connection, name: str) -> None:
    """Take a day away, as if upkeep had never made it."""
    conn.execute(f"alter table outbox.event detach partition outbox.{name}")
    conn.execute(f"drop table outbox.{name}")


def names(conn: Connection, state: str = "attached") -> list[str]:
    return [part.name for part in partitions(conn) if part.state == state]


def events(conn: Connection, table: str = "outbox.event") -> list[str]:
    query = f"select aggregateid from {table} order by occurred_at"  # noqa: S608
    return [aggregate_id for (aggregate_id,) in conn.execute(query).fetchall()]


@pytest.fixture
def slot(owner: Connection) -> str:
    name = f"outbox_{secrets.token_hex(4)}"
    prepare_replication(owner, slot=name)
    return name


@pytest.fixture
def policy(slot: str) -> Policy:
    return Policy(slot=slot)


def read_everything(conn: Connection, slot: str) -> int:
    """Confirm the slot up to now, as Debezium does; returns how many inserts it gave.

    The heartbeat's commit brings to disk what upkeep has committed without waiting for the disk.
    """
    conn.execute("update outbox.heartbeat set beaten_at = now()")
    rows = conn.execute(
        "select data from pg_logical_slot_get_binary_changes(%s, null, null, "
        "'proto_version', '1', 'publication_names', 'outbox')",
        [slot],
    ).fetchall()
    return sum(1 for (data,) in rows if data[:1] == b"I")


def test_today_and_fourteen_days_lie_ready_after_the_migration(owner: Connection) -> None:
    assert names(owner) == [name_of(days_ago(-ahead)) for ahead in range(15)]


def test_missing_days_are_made_and_nothing_is_done_twice(owner: Connection, policy: Policy) -> None:
    for ahead in (0, 3, 14):
        drop_partition(owner, name_of(days_ago(-ahead)))

    first, second = maintain(owner, policy), maintain(owner, policy)

    assert first.made == [name_of(days_ago(-ahead)) for ahead in (0, 3, 14)]
    assert (second.made, second.is_complete) == ([], True)
    assert names(owner) == [name_of(days_ago(-ahead)) for ahead in range(15)]


def test_writes_over_a_day_boundary_reach_their_days(owner: Connection, policy: Policy) -> None:
    maintain(owner, policy)
    midnight = at(days_ago(-1), hour=0)

    owner.execute(INSERT, ["before", midnight - timedelta(microseconds=1)])
    owner.execute(INSERT, ["after", midnight])

    assert events(owner, f"outbox.{name_of(today())}") == ["before"]
    assert events(owner, f"outbox.{name_of(days_ago(-1))}") == ["after"]


def test_a_day_made_by_upkeep_refuses_changes_and_unknown_routes(
    owner: Connection, policy: Policy
) -> None:
    drop_partition(owner, name_of(today()))
    maintain(owner, policy)
    owner.execute(INSERT, ["p1", at(today())])
    partition = name_of(today())

    assert events(owner, f"outbox.{partition}") == ["p1"]
    for statement in ("update {} set revision = 9", "delete from {}", "truncate {}"):
        with pytest.raises(REFUSED):
            owner.execute(statement.format(f"outbox.{partition}"))
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        owner.execute(INSERT.replace("'product', 'api'", "'nowhere', 'api'"), ["p2", at(today())])


def test_a_day_that_is_old_and_read_is_dropped(
    owner: Connection, policy: Policy, slot: str
) -> None:
    for day in (days_ago(8), days_ago(7)):
        add_day(owner, day)
        owner.execute(INSERT, [f"p{day}", at(day)])
    assert maintain(owner, policy).unread == [name_of(days_ago(8))]
    assert read_everything(owner, slot) == 2

    report = maintain(owner, policy)

    assert report.dropped == [name_of(days_ago(8))]
    assert events(owner) == [f"p{days_ago(7)}"]
    assert owner.execute(
        "select to_regclass(%s)", [f"outbox.{name_of(days_ago(8))}"]
    ).fetchone() == (None,)


def test_a_day_that_the_slot_has_not_passed_stays_and_is_told(
    owner: Connection, policy: Policy
) -> None:
    add_day(owner, days_ago(9))
    owner.execute(INSERT, ["unread", at(days_ago(9))])

    with capture_logs() as logs:
        report = maintain(owner, policy)

    assert report.unread == [name_of(days_ago(9))]
    assert events(owner) == ["unread"]
    (told,) = [entry for entry in logs if entry["event"] == "partition_kept_unread"]
    assert told["log_level"] == "warning"
    assert "has not confirmed" in told["reason"]


def test_without_a_slot_old_days_stay_unless_their_loss_is_accepted(owner: Connection) -> None:
    add_day(owner, days_ago(9))
    policy = Policy(slot="nobody_made_it")

    with capture_logs() as logs:
        assert maintain(owner, policy).unread == [name_of(days_ago(9))]
    assert any("there is no replication slot" in entry.get("reason", "") for entry in logs)
    assert maintain(owner, Policy(slot="nobody_made_it", drop_unread=True)).dropped == [
        name_of(days_ago(9))
    ]


def test_events_that_came_late_to_a_sealed_day_are_not_dropped_with_it(
    owner: Connection, policy: Policy, slot: str
) -> None:
    add_day(owner, days_ago(9))
    maintain(owner, policy)
    read_everything(owner, slot)
    owner.execute(INSERT, ["late", at(days_ago(9))])

    assert maintain(owner, policy).dropped == []
    assert maintain(owner, policy).unread == [name_of(days_ago(9))]
    assert events(owner) == ["late"]
    assert read_everything(owner, slot) == 1
    assert maintain(owner, policy).dropped == [name_of(days_ago(9))]


def test_plan_tells_what_maintain_would_do_and_does_nothing(
    owner: Connection, policy: Policy
) -> None:
    drop_partition(owner, name_of(today()))
    add_day(owner, days_ago(9))

    wanted = plan(owner, policy)

    assert (wanted.made, wanted.unread) == ([name_of(today())], [name_of(days_ago(9))])
    assert name_of(today()) not in names(owner)
    maintain(owner, policy)
    assert plan(owner, policy).made == []


def test_a_detached_day_left_by_a_crash_is_dropped_in_the_next_round(
    owner: Connection, policy: Policy, slot: str
) -> None:
    add_day(owner, days_ago(9))
    maintain(owner, policy)
    read_everything(owner, slot)
    with owner.transaction():
        owner.execute("set local lock_timeout = '5s'")
        owner.execute("select outbox.detach_day(%s)", [name_of(days_ago(9))])
    assert len(names(owner, "detached")) == 1

    assert maintain(owner, policy).dropped == [name_of(days_ago(9))]
    assert names(owner, "detached") == []


def test_events_in_the_default_get_days_of_their_own(
    owner: Connection, app: Connection, policy: Policy, slot: str
) -> None:
    """Upkeep was away for weeks: three past days and today have no partition."""
    for name in names(owner):
        drop_partition(owner, name)
    past = [days_ago(3), days_ago(2), days_ago(1)]
    for number in range(20):
        owner.execute(INSERT, [f"old{number}", at(past[number % 3])])
    for number in range(5):
        publish(app, NewEvent(f"new{number}", EventType.CREATED, {"id": f"new{number}"}))
    app.commit()
    before = sorted(events(owner))

    report = maintain(owner, policy)

    assert len(report.adopted) == 4
    assert report.made == [name_of(days_ago(-ahead)) for ahead in range(1, 15)]
    assert sorted(events(owner)) == before
    assert events(owner, "outbox.event_default") == []
    assert names(owner, "aside") + names(owner, "adopting") == []
    assert read_everything(owner, slot) == 25  # each once: nothing was sent again by the move


def test_what_follows_today_goes_to_the_default_and_gets_its_day_tomorrow(
    owner: Connection, app: Connection, policy: Policy
) -> None:
    drop_partition(owner, name_of(today()))
    drop_partition(owner, name_of(days_ago(-14)))
    publish(app, NewEvent("first", EventType.CREATED, {"id": "first"}))
    app.commit()
    maintain(owner, policy)
    publish(app, NewEvent("second", EventType.CREATED, {"id": "second"}))
    app.commit()

    assert events(owner, "outbox.event_default") == ["second"]
    report = maintain(owner, policy)
    assert (report.adopted, report.made, report.is_complete) == ([], [], True)
    assert events(owner) == ["first", "second"]


def test_a_move_that_was_broken_off_is_finished_in_the_next_round(
    owner: Connection, policy: Policy
) -> None:
    for day in (days_ago(3), days_ago(2)):
        owner.execute(INSERT, [f"p{day}", at(day)])
    with owner.transaction():
        owner.execute("set local lock_timeout = '5s'")
        ((aside,),) = owner.execute("select outbox.set_default_aside()").fetchall()
    owner.execute("select outbox.move_oldest_day(%s)", [aside])
    assert events(owner) == []

    report = maintain(owner, policy)

    assert len(report.adopted) == 2
    assert events(owner) == [f"p{days_ago(3)}", f"p{days_ago(2)}"]


def test_a_table_with_events_of_its_own_can_not_be_dropped(owner: Connection) -> None:
    owner.execute(INSERT, ["p1", at(days_ago(3))])
    with owner.transaction():
        owner.execute("set local lock_timeout = '5s'")
        ((aside,),) = owner.execute("select outbox.set_default_aside()").fetchall()

    for name in (aside, name_of(today()), "event_default"):
        with pytest.raises(psycopg.errors.ObjectInUse):
            owner.execute("select outbox.drop_part(%s)", [name])


def test_a_lock_without_a_limit_is_refused(owner: Connection) -> None:
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="lock_timeout"):
        owner.execute("select outbox.add_day('2040-01-01')")


def test_a_transaction_that_never_ends_postpones_upkeep_and_nobody_waits(
    owner: Connection, app: Connection, database: Database, policy: Policy, slot: str
) -> None:
    add_day(owner, days_ago(9))
    maintain(owner, policy)
    read_everything(owner, slot)
    publish(app, NewEvent("open", EventType.CREATED, {"id": "open"}))  # and stays open

    with ThreadPoolExecutor(1) as pool, psycopg.connect(database.app) as writer:
        round_ = pool.submit(maintain, owner, policy)
        longest = 0.0
        while not round_.done():
            began = time.monotonic()
            publish(writer, NewEvent("live", EventType.UPDATED, {"id": "live"}))
            writer.commit()
            longest = max(longest, time.monotonic() - began)
        report = round_.result()

    assert report.postponed == [name_of(days_ago(9))]
    assert longest < 0.5, f"a product write waited {longest:.3f} s"
    app.commit()
    assert maintain(owner, policy).dropped == [name_of(days_ago(9))]


class Writers:
    """Transactions of one product write and its event each, one after another, on `threads`."""

    def __init__(self, dsn: str, threads: int) -> None:
        self.seconds: list[float] = []
        self.failures: list[Exception] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(dsn, number)) for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, dsn: str, number: int) -> None:
        event = NewEvent(f"p{number}", EventType.UPDATED, {"id": f"p{number}", "t": "x" * 1000})
        with psycopg.connect(dsn) as conn:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    publish(conn, event)
                    conn.commit()
                except psycopg.Error as exc:
                    self.failures.append(exc)
                    conn.rollback()
                self.seconds.append(time.monotonic() - began)


@pytest.fixture
def writers(database: Database) -> Iterator[Writers]:
    with Writers(database.app, 4) as running:
        yield running


def test_days_are_dropped_and_made_under_load_and_no_write_fails_or_waits_long(
    owner: Connection, policy: Policy, slot: str, writers: Writers
) -> None:
    old = [days_ago(days) for days in range(9, 14)]
    for day in old:
        add_day(owner, day)
        owner.execute(INSERT, [f"p{day}", at(day)])
    for ahead in range(10, 15):
        drop_partition_under_load(owner, name_of(days_ago(-ahead)))
    dropped: list[str] = []

    def round_after_round() -> bool:
        dropped.extend(maintain(owner, policy).dropped)
        read_everything(owner, slot)
        return len(dropped) == len(old) and len(names(owner)) == 15

    until(round_after_round, seconds=60)

    assert writers.failures == []
    assert sorted(dropped) == sorted(name_of(day) for day in old)
    assert max(writers.seconds) < 1.0, f"a product write took {max(writers.seconds):.3f} s"


def drop_partition_under_load(conn: Connection, name: str) -> None:
    while True:
        try:
            with conn.transaction():
                conn.execute("set local lock_timeout = '20ms'")
                drop_partition(conn, name)
        except psycopg.errors.LockNotAvailable:
            continue
        return


def test_of_two_rounds_at_once_one_does_the_work(
    database: Database, owner: Connection, policy: Policy
) -> None:
    for ahead in range(15):
        drop_partition(owner, name_of(days_ago(-ahead)))

    def one_round(_: int) -> Report:
        with psycopg.connect(database.owner, autocommit=True) as conn:
            return maintain(conn, policy)

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(one_round, range(4)))

    made = [name for report in reports for name in report.made]
    assert sorted(made) == names(owner) == [name_of(days_ago(-ahead)) for ahead in range(15)]
    assert maintain(owner, policy).is_complete  # nobody is left holding the lock


def test_a_round_says_loudly_when_the_slot_is_gone(
    database: Database, owner: Connection, policy: Policy, slot: str
) -> None:
    owner.execute("select pg_drop_replication_slot(%s)", [slot])

    with capture_logs() as logs:
        round_of_upkeep(database.owner, policy)

    (told,) = [entry for entry in logs if entry["event"] == "slot_unusable"]
    assert told["log_level"] == "error"
    assert "there is no replication slot" in told["reason"]


def test_upkeep_says_what_it_needs(app: Connection, empty_dsn: str) -> None:
    with pytest.raises(RetentionError, match="autocommits"):
        maintain(app, Policy())
    with pytest.raises(RetentionError, match="keep_days is 1 to 3650"):
        Policy(keep_days=0)
    with pytest.raises(RetentionError, match="days_ahead is 1 to 366"):
        Policy(days_ahead=1000)
    with (
        psycopg.connect(empty_dsn, autocommit=True) as conn,
        pytest.raises(OutboxNotReadyError, match="outbox migrate"),
    ):
        maintain(conn, Policy())
