"""What a caller wants to publish: refused here already when it breaks the contract."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from outbox.errors import (
    InvalidAggregateIdError,
    InvalidEventError,
    InvalidPayloadError,
    InvalidTypeError,
    PayloadTooLargeError,
)
from outbox.event import MAX_AGGREGATE_ID_LENGTH, MAX_PAYLOAD_BYTES, is_aggregate_id

AGGREGATE_TYPE: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
SHOWN_CHARACTERS: Final = 120
VERBS: Final = ("created", "updated", "deleted", "sync_requested")
SOURCES: Final = frozenset({"admin", "api", "capture", "manual", "bulk", "seed", "canary"})


@dataclass(frozen=True, slots=True)
class NewEvent:
    """One aggregate's whole state after a write that the same transaction makes.

    `type` is `<aggregate_type>.created`, `.updated`, `.deleted` or `.sync_requested`; an
    `EventType` will do. `payload` is a JSON object of at most `MAX_PAYLOAD_BYTES`; that of a
    delete carries the id. `source` is one of `SOURCES`. `route` is the aggregate type unless
    given, and must be registered. `run_id` belongs to bulk and manual syncs. A `traceparent` that
    is not W3C Trace Context is dropped.

    Raises `InvalidAggregateIdError`, `InvalidTypeError`, `InvalidEventError`.
    """

    aggregate_id: str
    type: str
    payload: Mapping[str, Any]
    aggregate_type: str = "product"
    source: str = "api"
    route: str | None = None
    run_id: UUID | None = None
    traceparent: str | None = None

    def __post_init__(self) -> None:
        require_aggregate_type(self.aggregate_type)
        require_aggregate_id(self.aggregate_id)
        kinds = [f"{self.aggregate_type}.{verb}" for verb in VERBS]
        if self.type not in kinds:
            raise InvalidTypeError(f"type {shorten(self.type)} is none of {', '.join(kinds)}")
        if self.source not in SOURCES:
            raise InvalidEventError(f"source {shorten(self.source)} is none of {sorted(SOURCES)}")
        require_object(self.payload)

    def payload_json(self) -> str:
        """The payload as JSON text.

        Raises `InvalidPayloadError` for what JSON or `jsonb` can't hold (NaN, dates, the
        character NUL), `PayloadTooLargeError` above the limit. Postgres measures again, since
        it prints some numbers longer than Python does.
        """
        text = json_text(dict(self.payload), f"payload of {self.aggregate_id}")
        size = len(text.encode())
        if size > MAX_PAYLOAD_BYTES:
            raise PayloadTooLargeError(
                f"payload of {self.aggregate_id} has {size} bytes, at most {MAX_PAYLOAD_BYTES} fit"
            )
        return text


def json_text(value: Any, name: str) -> str:
    """`value` as the JSON text that `jsonb` would print, but for the order of keys."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidPayloadError(f"{name} is not JSON: {exc}") from exc
    if "\\u0000" in text and holds_nul(value):
        raise InvalidPayloadError(f"{name} holds the character NUL, which Postgres can't store")
    return text


def holds_nul(value: Any) -> bool:
    """Whether any text in a JSON value holds the character NUL."""
    match value:
        case str():
            return "\0" in value
        case Mapping():
            return any(holds_nul(key) or holds_nul(item) for key, item in value.items())
        case list() | tuple():
            return any(holds_nul(item) for item in value)
        case _:
            return False


def require_object(value: object) -> None:
    """Raise `InvalidPayloadError` unless `value` can be a JSON object."""
    if not isinstance(value, Mapping):
        raise InvalidPayloadError(f"the payload is a JSON object, not {shorten(value)}")


def require_aggregate_type(value: object) -> None:
    """Raise `InvalidEventError` unless `value` is a lower-case name."""
    if not isinstance(value, str) or AGGREGATE_TYPE.fullmatch(value) is None:
        raise InvalidEventError(f"aggregate type {shorten(value)} is not like 'product'")


def require_aggregate_id(value: object) -> None:
    """Raise `InvalidAggregateIdError` unless `value` can be an aggregate id."""
    if not isinstance(value, str) or not is_aggregate_id(value):
        raise InvalidAggregateIdError(
            f"aggregate id {shorten(value)}: 1 to {MAX_AGGREGATE_ID_LENGTH} of A-Z, a-z, 0-9, "
            "_ and -, not starting with -"
        )


def shorten(value: object) -> str:
    """`value` as it may stand in a message."""
    shown = repr(value)
    return shown if len(shown) <= SHOWN_CHARACTERS else f"{shown[:SHOWN_CHARACTERS]}..."
