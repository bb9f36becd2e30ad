"""The seam to the outbox: changes go in as events, on the transaction that wrote the product."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from commerce.database import Connection
from commerce.errors import ProductTooLargeError
from commerce.payload import payload
from commerce.product import Change
from outbox import NewEvent, publish_async, publish_many_async
from outbox.errors import PayloadTooLargeError
from outbox.event import MAX_PAYLOAD_BYTES


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a write: `source` as in the event contract, `route` None for the live lane."""

    source: str = "admin"
    route: str | None = None
    traceparent: str | None = None


class Publisher(Protocol):
    """Makes changes known to others."""

    async def publish(
        self, conn: Connection, changes: Sequence[Change], origin: Origin
    ) -> Mapping[str, int]:
        """Publish changes of different products; return the new revision by product id."""


class OutboxPublisher:
    """Appends one event per change to the outbox, inside the caller's transaction."""

    async def publish(
        self, conn: Connection, changes: Sequence[Change], origin: Origin
    ) -> Mapping[str, int]:
        """As `Publisher`; `ProductTooLargeError` where a state doesn't fit into an event."""
        events = [_event(change, origin) for change in changes]
        try:
            if len(events) == 1:
                return {events[0].aggregate_id: await publish_async(conn, events[0])}
            return await publish_many_async(conn, events) if events else {}
        except PayloadTooLargeError as exc:
            raise ProductTooLargeError(_largest(events), MAX_PAYLOAD_BYTES) from exc


def _event(change: Change, origin: Origin) -> NewEvent:
    return NewEvent(
        aggregate_id=change.product.id,
        type=change.event,
        payload=payload(change),
        source=origin.source,
        route=origin.route,
        traceparent=origin.traceparent,
    )


def _largest(events: Sequence[NewEvent]) -> int:
    return max(_size(event.payload) for event in events)


def _size(document: Mapping[str, Any]) -> int:
    return len(json.dumps(document, ensure_ascii=False).encode())
