"""Values that the consumer's tests share: one product, its events, records and documents."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from consumer.decide import Change
from consumer.document import TOMBSTONE_PREFIX, Document, FieldMapping, ProductState, sync_object
from consumer.record import Record
from outbox.event import ChangeEvent, EventType

PRODUCT: Final = "prod_1"
TOMBSTONE: Final = TOMBSTONE_PREFIX + PRODUCT
MAPPING: Final = FieldMapping(
    languages=("en", "es"), default_language="en", owned={"title": "title"}
)
START: Final = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
NOW: Final = START + timedelta(days=1)
SPECS: Final = [
    {"_key": PRODUCT, "_type": "spec", "title": "Camisa", "lang": "es", "content": "Suave."}
]


def event(
    revision: int,
    title: str | None = "Shirt",
    *,
    product: str = PRODUCT,
    type_: EventType | None = None,
    **fields: Any,
) -> ChangeEvent:
    """The product's event at `revision`: an upsert of `title`, or a delete where that is None."""
    kind = type_ or (EventType.DELETED if title is None else EventType.UPDATED)
    values: dict[str, Any] = {
        "id": UUID(int=revision),
        "aggregate_id": product,
        "type": kind,
        "revision": revision,
        "occurred_at": START + timedelta(seconds=revision),
        "payload": {"id": product} if title is None else {"id": product, "title": title},
    }
    return ChangeEvent.model_validate(values | fields)


def change(
    revision: int, title: str | None = "Shirt", *, equal_since: int | None = None, **fields: Any
) -> Change:
    """The change of `event(...)`, of which nothing older is known unless `equal_since` says so."""
    its_event = event(revision, title, **fields)
    owned = {} if its_event.is_delete else {"title": title}
    return Change(its_event, owned, revision if equal_since is None else equal_since)


def record(its_event: ChangeEvent, *, offset: int = 0, topic: str = "live") -> Record:
    """The record that carries `its_event`."""
    return Record(
        topic=topic,
        partition=0,
        offset=offset,
        key=its_event.aggregate_id.encode(),
        value=json.dumps(its_event.payload).encode(),
        headers=(
            ("id", str(its_event.id).encode()),
            ("eventType", its_event.type.encode()),
            ("revision", str(its_event.revision).encode()),
            ("occurredAt", its_event.occurred_at.isoformat().encode()),
            ("schemaVersion", b"1"),
            ("source", b"admin"),
        ),
    )


def document(
    revision: int | None = None,
    title: str = "Shirt",
    *,
    id_: str = PRODUCT,
    rev: str | None = None,
    **fields: Any,
) -> Document:
    """A document as the event at `revision` left it; without one, as made by hand."""
    sync = {} if revision is None else {"sync": sync_object(event(revision), NOW)}
    body = {
        "_id": id_,
        "_type": "product",
        "_rev": rev or f"rev-{id_}-{revision}",
        "title": title,
        "specs": SPECS,
        **sync,
        **fields,
    }
    return Document(body)


def tombstone(revision: int, kept: Sequence[Mapping[str, Any]] = ()) -> Document:
    """A tombstone as the delete at `revision` left it."""
    body = {
        "_id": TOMBSTONE,
        "_type": "sync.tombstone",
        "_rev": f"rev-tombstone-{revision}",
        "kept": json.dumps(list(kept)),
        "deletedAt": "2026-11-23T08:00:00.000Z",
        "sync": sync_object(event(revision, None), NOW),
    }
    return Document(body)


def state(*documents: Document, tombstone: Document | None = None) -> ProductState:
    """What a read saw."""
    return ProductState(documents, tombstone)
