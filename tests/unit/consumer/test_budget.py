import threading
from collections.abc import Callable

import pytest

from consumer.budget import Budget, Lane
from consumer.errors import RateLimitedError


class Clock:
    """A monotonic clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


class Queue:
    """Threads that ask one budget; `order` is who got through."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.order: list[Lane] = []
        self.threads: list[threading.Thread] = []

    def ask(self, lane: Lane) -> None:
        before = waiting(self.budget, lane)
        self.threads.append(in_thread(lambda: self._acquire(lane)))
        until(lambda: waiting(self.budget, lane) > before)

    def _acquire(self, lane: Lane) -> None:
        self.budget.acquire(lane)
        self.order.append(lane)

    def join(self) -> None:
        for thread in self.threads:
            thread.join(timeout=10)
            assert not thread.is_alive()


def waiting(budget: Budget, lane: Lane) -> int:
    with budget._turn:
        return budget._waiting[lane]


def until(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(2_000):
        if condition():
            return
        done.wait(0.005)
    raise AssertionError("the condition did not come about")


def test_an_idle_budget_lets_a_seconds_worth_through_at_once() -> None:
    budget = Budget(5, clock=Clock())

    for _ in range(5):
        budget.acquire(Lane.LIVE)


def test_no_more_than_a_seconds_worth_is_saved_up() -> None:
    clock = Clock()
    budget = Budget(2, clock=clock)
    clock.now += 3_600
    queue = Queue(budget)
    budget.acquire(Lane.LIVE)
    budget.acquire(Lane.LIVE)

    queue.ask(Lane.LIVE)

    assert queue.order == []
    clock.now += 0.5
    queue.join()


def test_a_slow_budget_lets_at_least_one_through() -> None:
    Budget(0.01, clock=Clock()).acquire(Lane.BULK)


def test_tokens_come_back_at_the_budgets_pace() -> None:
    clock = Clock()
    budget = Budget(20, clock=clock)
    for _ in range(20):
        budget.acquire(Lane.LIVE)
    queue = Queue(budget)
    queue.ask(Lane.LIVE)
    queue.ask(Lane.LIVE)

    clock.now += 0.051

    until(lambda: len(queue.order) == 1)
    assert waiting(budget, Lane.LIVE) == 1
    clock.now += 0.051
    queue.join()


@pytest.mark.parametrize(
    "arrival",
    [
        [Lane.REPLAY, Lane.BULK, Lane.LIVE],
        [Lane.BULK, Lane.REPLAY, Lane.LIVE],
        [Lane.LIVE, Lane.BULK, Lane.REPLAY],
    ],
)
def test_live_goes_before_bulk_and_bulk_before_replay(arrival: list[Lane]) -> None:
    clock = Clock()
    budget = Budget(50, clock=clock)
    budget.hold(1)
    queue = Queue(budget)
    for lane in arrival:
        queue.ask(lane)
    assert queue.order == []

    for count in (1, 2, 3):
        if count == 1:
            for _ in range(50):  # what was saved up is used up
                budget._tokens = 0.0
        clock.now += 1 if count == 1 else 0.021
        budget._tokens = 1.0
        until(lambda count=count: len(queue.order) >= count)  # type: ignore[misc]

    queue.join()
    assert queue.order == [Lane.LIVE, Lane.BULK, Lane.REPLAY]


def test_while_held_nobody_sends() -> None:
    clock = Clock()
    budget = Budget(50, clock=clock)
    budget.hold(0.2)
    queue = Queue(budget)
    queue.ask(Lane.LIVE)

    clock.now += 0.19
    assert queue.order == []
    clock.now += 0.02
    queue.join()


def test_a_shorter_hold_does_not_end_a_longer_one() -> None:
    clock = Clock()
    budget = Budget(50, clock=clock)
    budget.hold(0.3)
    budget.hold(0.1)
    queue = Queue(budget)
    queue.ask(Lane.LIVE)

    clock.now += 0.2
    assert queue.order == []
    clock.now += 0.2
    queue.join()


def test_a_lane_that_gave_up_is_not_waited_for() -> None:
    budget = Budget(1_000)
    budget.acquire(Lane.LIVE)

    budget.acquire(Lane.REPLAY)

    assert waiting(budget, Lane.LIVE) == 0


def test_a_long_hold_is_waited_for_elsewhere() -> None:
    clock = Clock()
    budget = Budget(20, clock=clock)
    budget.hold(60)

    with pytest.raises(RateLimitedError) as raised:
        budget.acquire(Lane.LIVE)

    assert raised.value.retry_after == 60
