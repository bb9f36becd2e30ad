"""The loop of one lane: poll, run the steps, commit. Rebalances and outages pass through here."""

import random
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from consumer.apply import Batch, Step
from consumer.errors import HaltError, RetriableError
from consumer.observe.health import Condition, Health
from consumer.record import Record
from consumer.retry import wait_seconds

log = structlog.get_logger()


class StopRequestedError(Exception):
    """The batch under way is given up while waiting; its records come again."""


class Reader(Protocol):
    """Where records come from."""

    def poll(self, max_records: int) -> list[Record]:
        """The next records; empty after a short while of none."""

    def wait(self, seconds: float) -> None:
        """Stays in the group for so long without taking records."""

    def commit(self, records: list[Record]) -> bool:
        """Commits the offsets after `records`."""

    def partitions(self) -> list[int]:
        """The partitions held now."""

    def has_joined(self) -> bool:
        """Whether it is a member of the group."""

    def close(self) -> None:
        """Leaves the group."""


class Worker:
    """Applies one lane's records in order, until it is told to stop.

    A batch in hand is finished and committed first. What can't be applied for now is tried again,
    the same records in the same order; an unknown error stops the process, and skips nothing.
    """

    def __init__(
        self,
        *,
        lane: str,
        reader: Reader,
        health: Health,
        stopping: threading.Event,
        max_batch_records: int,
        halt_retry_seconds: float,
        before_halt_retry: Callable[[], None],
    ) -> None:
        self._lane = lane
        self._reader = reader
        self._health = health
        self._stopping = stopping
        self._max_batch_records = max_batch_records
        self._halt_retry_seconds = halt_retry_seconds
        self._before_halt_retry = before_halt_retry
        self._log = log.bind(lane=lane)

    def run(self, steps: Sequence[Step]) -> None:
        """Polls and applies until stopping; leaves the group at the end, whatever ended it."""
        try:
            while not self._stopping.is_set():
                records = self._reader.poll(self._max_batch_records)
                self._show()
                if records:
                    self._apply(records, steps)
        except StopRequestedError:
            self._log.info("batch_given_up")
        finally:
            self._health.set(self._lane, Condition.STOPPED)
            self._reader.close()

    def wait(self, seconds: float) -> None:
        """Waits inside a step, as a member of the group; raises when told to stop."""
        if seconds > 0:
            self._reader.wait(seconds)
            if self._stopping.is_set():
                raise StopRequestedError

    def commit(self, batch: Batch) -> None:
        """The last step: a death before it brings the records again, and they are skipped."""
        self._reader.commit(batch.records)

    def _apply(self, records: list[Record], steps: Sequence[Step]) -> None:
        attempt = 0
        while True:
            batch = Batch(records)
            try:
                for step in steps:
                    step(batch)
            except HaltError as exc:
                self._halt(exc)
            except RetriableError as exc:
                attempt += 1
                seconds = wait_seconds(exc, attempt, random.random())  # noqa: S311 (jitter)
                self._log.warning(
                    "batch_retried",
                    attempt=attempt,
                    wait_seconds=round(seconds, 2),
                    error=str(exc),
                )
                self.wait(seconds)
            else:
                self._health.set(self._lane, Condition.RUNNING)
                return

    def _halt(self, error: HaltError) -> None:
        self._health.set(self._lane, Condition.HALTED, str(error))
        self._log.error("consumer_halted", error=str(error), error_type=type(error).__name__)
        self.wait(self._halt_retry_seconds)
        try:
            self._before_halt_retry()
        except HaltError as exc:  # as while the token file is being replaced
            self._log.warning("halt_retry_unprepared", error=str(exc))

    def _show(self) -> None:
        partitions = self._reader.partitions()
        self._health.hold(self._lane, partitions)
        is_starting = self._health.snapshot()[self._lane].condition is Condition.STARTING
        if is_starting and self._reader.has_joined():
            self._health.set(self._lane, Condition.RUNNING)
            self._log.info("lane_started", partitions=partitions)
