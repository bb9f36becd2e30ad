"""How long to wait before the same thing is tried again: a policy, apart from who waits."""

from typing import Final

from consumer.errors import RateLimitedError, RetriableError, RevisionConflictError

FIRST_WAIT_SECONDS: Final = 0.1
LONGEST_WAIT_SECONDS: Final = 20.0
QUICK_CONFLICTS: Final = 3  # somebody else wrote: reading again at once mostly settles it


def wait_seconds(error: RetriableError, attempt: int, jitter: float) -> float:
    """Seconds until attempt number `attempt` + 1 (the first is 1); `jitter` lies in 0..1.

    Sanity's own `Retry-After` is kept to; else the wait doubles, of which half is jitter, so that
    consumers that failed together do not come back together.
    """
    if isinstance(error, RateLimitedError) and error.retry_after is not None:
        return error.retry_after + jitter * FIRST_WAIT_SECONDS
    if isinstance(error, RevisionConflictError) and attempt <= QUICK_CONFLICTS:
        return 0.0
    longest = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0 ** min(attempt, 16))
    return longest * (1 + jitter) / 2
