"""How values look in JSON, on the API as in the change events."""

from datetime import UTC, datetime
from decimal import Decimal


def timestamp(moment: datetime) -> str:
    """Like `2026-11-22T22:41:04.911Z`: UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_timestamp(moment: datetime | None) -> str | None:
    """As `timestamp`, or null."""
    return None if moment is None else timestamp(moment)


def amount(value: Decimal) -> float:
    """A JSON number in major units, never text; whole amounts have no fraction (`30`, `29.99`)."""
    return int(value) if value == value.to_integral_value() else float(value)
