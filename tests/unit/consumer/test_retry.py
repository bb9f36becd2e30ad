import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.errors import (
    ContentLakeUnavailableError,
    RateLimitedError,
    RetriableError,
    RevisionConflictError,
)
from consumer.retry import LONGEST_WAIT_SECONDS, wait_seconds

OUTAGE = ContentLakeUnavailableError("down")


@pytest.mark.parametrize(
    ("error", "attempt", "jitter", "expected"),
    [
        (OUTAGE, 1, 0.0, 0.1),
        (OUTAGE, 1, 1.0, 0.2),
        (OUTAGE, 2, 1.0, 0.4),  # doubles
        (OUTAGE, 30, 1.0, 20.0),  # up to the longest
        (OUTAGE, 30, 0.0, 10.0),  # of which half is jitter
        (OUTAGE, 10**9, 1.0, 20.0),  # days of outage overflow nothing
        (RateLimitedError("slow", retry_after=7.0), 1, 0.0, 7.0),  # as Sanity asks
        (RateLimitedError("slow", retry_after=7.0), 9, 1.0, 7.1),  # however often
        (RateLimitedError("slow"), 1, 1.0, 0.2),  # it did not say
        (RevisionConflictError("changed"), 1, 1.0, 0.0),  # reading again settles it
        (RevisionConflictError("changed"), 3, 1.0, 0.0),
        (RevisionConflictError("changed"), 4, 1.0, 1.6),  # somebody writes all the time
    ],
)
def test_wait_seconds(error: RetriableError, attempt: int, jitter: float, expected: float) -> None:
    assert wait_seconds(error, attempt, jitter) == pytest.approx(expected)


@given(attempt=st.integers(1, 100_000), jitter=st.floats(0, 1))
def test_a_wait_is_never_longer_than_the_longest(attempt: int, jitter: float) -> None:
    assert 0 < wait_seconds(OUTAGE, attempt, jitter) <= LONGEST_WAIT_SECONDS
