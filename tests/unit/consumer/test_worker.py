import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from consumer.apply import Batch, Step
from consumer.errors import (
    ContentLakeUnavailableError,
    RateLimitedError,
    SettingsError,
    UnauthorizedError,
)
from consumer.observe.health import Condition, Health
from consumer.record import Record
from consumer.worker import Worker
from tests.unit.consumer.samples import event, record

FIRST = [record(event(1), offset=0), record(event(2), offset=1)]
SECOND = [record(event(3), offset=2)]


class FakeReader:
    """Hands out batches; stops the worker once they are used up."""

    def __init__(self, batches: list[list[Record]], stopping: threading.Event) -> None:
        self.batches = list(batches)
        self.stopping = stopping
        self.stops_after_waits = -1
        self.held = [0, 1]
        self.joined = True
        self.calls: list[str] = []
        self.asked: list[int] = []
        self.waited: list[float] = []
        self.committed: list[list[Record]] = []

    def poll(self, max_records: int) -> list[Record]:
        self.asked.append(max_records)
        self.calls.append("poll")
        if not self.batches:
            self.stopping.set()
            return []
        return self.batches.pop(0)

    def wait(self, seconds: float) -> None:
        self.calls.append("wait")
        self.waited.append(seconds)
        if len(self.waited) == self.stops_after_waits:
            self.stopping.set()

    def commit(self, records: list[Record]) -> bool:
        self.calls.append("commit")
        self.committed.append(records)
        return True

    def partitions(self) -> list[int]:
        return self.held

    def has_joined(self) -> bool:
        return self.joined

    def close(self) -> None:
        self.calls.append("close")


class Bench:
    """A worker with everything around it faked."""

    def __init__(self, *batches: list[Record]) -> None:
        self.stopping = threading.Event()
        self.reader = FakeReader(list(batches), self.stopping)
        self.health = Health(["live"])
        self.prepared: list[Condition] = []
        self.prepare: Callable[[], None] = lambda: self.prepared.append(self.condition)
        self.worker = Worker(
            lane="live",
            reader=self.reader,
            health=self.health,
            stopping=self.stopping,
            max_batch_records=7,
            halt_retry_seconds=30.0,
            before_halt_retry=self._prepare,
        )

    def _prepare(self) -> None:
        self.prepare()

    @property
    def condition(self) -> Condition:
        return self.health.snapshot()["live"].condition

    def run(self, *steps: Step) -> None:
        self.worker.run([*steps, self.worker.commit])


class Step1:
    """A step that fails as told, and notes what it was given."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.batches: list[Batch] = []

    def __call__(self, batch: Batch) -> None:
        self.batches.append(batch)
        if self.errors:
            raise self.errors.pop(0)

    @property
    def records(self) -> list[list[Record]]:
        return [batch.records for batch in self.batches]


def test_batches_are_applied_and_committed_in_order() -> None:
    bench, step = Bench(FIRST, SECOND), Step1()

    bench.run(step)

    assert step.records == [FIRST, SECOND]
    assert bench.reader.committed == [FIRST, SECOND]
    assert bench.reader.asked == [7, 7, 7]
    assert bench.reader.calls[-1] == "close"
    assert bench.condition is Condition.STOPPED


def test_no_records_run_no_step() -> None:
    bench, step = Bench([], []), Step1()

    bench.run(step)

    assert step.records == []
    assert bench.reader.committed == []


def test_after_an_outage_the_same_records_come_again_as_a_new_batch() -> None:
    bench = Bench(FIRST, SECOND)
    step = Step1(ContentLakeUnavailableError("down"), ContentLakeUnavailableError("still"))

    bench.run(step)

    assert step.records == [FIRST, FIRST, FIRST, SECOND]
    assert len({id(batch) for batch in step.batches}) == 4
    assert bench.reader.calls == [
        "poll",
        "wait",
        "wait",
        "commit",
        "poll",
        "commit",
        "poll",
        "close",
    ]
    assert 0 < bench.reader.waited[0] < bench.reader.waited[1] * 2


def test_the_pause_that_sanity_asks_for_is_kept() -> None:
    bench = Bench(FIRST)

    bench.run(Step1(RateLimitedError("slow", retry_after=8.0)))

    assert 8.0 <= bench.reader.waited[0] <= 8.1


def test_a_halt_says_so_and_tries_again_slowly() -> None:
    bench = Bench(FIRST)

    with capture_logs() as logs:
        bench.run(Step1(UnauthorizedError("the token is wrong")))

    assert bench.prepared == [Condition.HALTED]
    assert bench.reader.waited == [30.0]
    assert bench.reader.committed == [FIRST]
    (halted,) = [line for line in logs if line["event"] == "consumer_halted"]
    assert halted["error_type"] == "UnauthorizedError"
    assert halted["log_level"] == "error"


def test_while_halted_the_reason_can_be_read() -> None:
    bench = Bench(FIRST)
    seen: list[str | None] = []
    bench.prepare = lambda: seen.append(bench.health.snapshot()["live"].reason)

    bench.run(Step1(UnauthorizedError("the token is wrong")))

    assert seen == ["the token is wrong"]


def test_a_halt_that_is_over_is_running_again() -> None:
    bench = Bench(FIRST, SECOND)
    conditions: list[Condition] = []

    def watch(batch: Batch) -> None:
        if batch.records == SECOND:
            conditions.append(bench.condition)

    bench.run(Step1(UnauthorizedError("wrong")), watch)

    assert conditions == [Condition.RUNNING]


def test_a_token_file_that_is_just_being_replaced_does_not_end_the_halt() -> None:
    bench, step = Bench(FIRST), Step1(UnauthorizedError("wrong"), UnauthorizedError("wrong"))
    failures = [SettingsError("SANITY_TOKEN_FILE is empty")]

    def prepare() -> None:
        if failures:
            raise failures.pop()

    bench.prepare = prepare

    bench.run(step)

    assert step.records == [FIRST, FIRST, FIRST]
    assert bench.reader.committed == [FIRST]


def test_an_unknown_error_ends_the_process_and_skips_nothing() -> None:
    bench = Bench(FIRST, SECOND)

    with pytest.raises(ZeroDivisionError):
        bench.run(Step1(ZeroDivisionError()))

    assert bench.reader.committed == []
    assert bench.reader.calls == ["poll", "close"]
    assert bench.condition is Condition.STOPPED


def test_told_to_stop_while_waiting_the_batch_is_given_up_without_a_commit() -> None:
    bench, step = Bench(FIRST, SECOND), Step1(ContentLakeUnavailableError("down"))
    bench.reader.stops_after_waits = 1

    bench.run(step)

    assert step.records == [FIRST]
    assert bench.reader.committed == []
    assert bench.reader.calls == ["poll", "wait", "close"]


def test_told_to_stop_while_halted_the_batch_is_given_up_too() -> None:
    bench = Bench(FIRST)
    bench.reader.stops_after_waits = 1

    bench.run(Step1(UnauthorizedError("wrong")))

    assert bench.prepared == []
    assert bench.reader.committed == []


def test_a_step_that_waits_is_interrupted_when_told_to_stop() -> None:
    bench = Bench(FIRST)
    bench.reader.stops_after_waits = 1
    after: list[str] = []

    def waiting(batch: Batch) -> None:
        del batch
        bench.worker.wait(3.0)
        after.append("waited")

    bench.run(waiting)

    assert after == []
    assert bench.reader.committed == []


def test_no_time_to_wait_is_no_wait() -> None:
    bench = Bench()

    bench.worker.wait(0.0)

    assert bench.reader.waited == []


def test_told_to_stop_in_the_middle_of_a_batch_it_is_finished_and_committed() -> None:
    bench = Bench(FIRST, SECOND)

    bench.run(lambda _batch: bench.stopping.set())

    assert bench.reader.committed == [FIRST]
    assert bench.reader.calls == ["poll", "commit", "close"]


def test_told_to_stop_before_it_starts_nothing_is_taken() -> None:
    bench = Bench(FIRST)
    bench.stopping.set()

    bench.run()

    assert bench.reader.calls == ["close"]


def test_a_lane_is_running_once_it_has_joined_its_group() -> None:
    bench = Bench([], [])
    seen: list[tuple[Condition, tuple[int, ...]]] = []

    def poll(max_records: int) -> list[Record]:
        lane = bench.health.snapshot()["live"]
        seen.append((lane.condition, lane.partitions))
        bench.reader.joined = len(seen) >= 2
        bench.reader.held = [0, 3] if len(seen) == 2 else []
        if len(seen) == 4:
            bench.stopping.set()
        del max_records
        return []

    bench.reader.poll = poll  # type: ignore[method-assign]

    bench.run()

    assert seen == [
        (Condition.STARTING, ()),
        (Condition.STARTING, ()),  # still joining
        (Condition.RUNNING, (0, 3)),
        (Condition.RUNNING, ()),  # given to another member: that is no fault
    ]
