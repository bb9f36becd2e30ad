"""How many requests a second this process may send: one budget for all lanes, live first."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from enum import IntEnum
from typing import Final

from consumer.errors import RateLimitedError

MAX_BURST_SECONDS: Final = 1.0  # an idle budget saves up this much, no more
LONGEST_WAIT_SECONDS: Final = 2.0


class Lane(IntEnum):
    """Who asks; a lower number goes first."""

    LIVE = 0
    BULK = 1
    REPLAY = 2


class Budget:
    """A token bucket that several loops share; a lane waits while one before it is waiting."""

    def __init__(self, per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._clock = clock
        self._tokens = max(1.0, per_second * MAX_BURST_SECONDS)
        self._filled_at = clock()
        self._held_until = 0.0
        self._waiting: Counter[Lane] = Counter()
        self._turn = threading.Condition()

    def acquire(self, lane: Lane) -> None:
        """Waits until `lane` may send one request.

        A longer hold is no wait for here: `RateLimitedError` says for how long, so that the caller
        can wait as a member of its group.
        """
        with self._turn:
            held = self._held_until - self._clock()
            if held > LONGEST_WAIT_SECONDS:
                raise RateLimitedError("Sanity has asked to wait", retry_after=held)
            self._waiting[lane] += 1
            try:
                while (wait := self._wait_seconds(lane)) > 0:
                    self._turn.wait(wait)
                self._tokens -= 1
            finally:
                self._waiting[lane] -= 1
                self._turn.notify_all()

    def hold(self, seconds: float) -> None:
        """Nobody sends for so long: Sanity has asked for it."""
        with self._turn:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def _wait_seconds(self, lane: Lane) -> float:
        now = self._clock()
        most = max(1.0, self._per_second * MAX_BURST_SECONDS)
        self._tokens = min(most, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if now < self._held_until:
            return self._held_until - now
        if self._tokens < 1:
            return (1 - self._tokens) / self._per_second
        is_second = any(count and other < lane for other, count in self._waiting.items())
        return 1 / self._per_second if is_second else 0.0
