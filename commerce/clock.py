"""The time as the API shows it."""

from datetime import UTC, datetime


def now() -> datetime:
    """The time in UTC to the millisecond."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
