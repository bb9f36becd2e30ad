"""The wire contract: what one change event says, wherever it travels.

It stands as a row in `outbox.event`, as a record on Kafka (columns become headers, the payload
becomes the value) and as this value in Python. Additive changes only; unknown fields are ignored.
"""

import re
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

SCHEMA_VERSION: Final = 1
MAX_PAYLOAD_BYTES: Final = (
    900_000  # as Postgres prints the jsonb; topic and producer limits lie above
)
MAX_AGGREGATE_ID_LENGTH: Final = (
    80  # `versions.<release>.<id>` must fit into Sanity's 128 characters
)
AGGREGATE_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


class EventType(StrEnum):
    """What happened to a product. All but `DELETED` carry its whole state."""

    CREATED = "product.created"
    UPDATED = "product.updated"
    DELETED = "product.deleted"
    SYNC_REQUESTED = "product.sync_requested"  # nothing changed: publish the state once more


class Header:
    """Names of the Kafka headers; all values are UTF-8 text (Event Router, StringConverter)."""

    ID: Final = "id"
    EVENT_TYPE: Final = "eventType"
    REVISION: Final = "revision"
    OCCURRED_AT: Final = "occurredAt"
    SCHEMA_VERSION: Final = "schemaVersion"
    SOURCE: Final = "source"
    RUN_ID: Final = "runId"
    TRACEPARENT: Final = "traceparent"


class ChangeEvent(BaseModel):
    """One product as it stood after one committed write.

    `revision` counts the writes of one aggregate, starting at 1; it outlives a deletion, so a
    newer event always supersedes an older one. `occurred_at` is Postgres's clock inside the
    writing transaction.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: UUID
    aggregate_id: str = Field(min_length=1, max_length=MAX_AGGREGATE_ID_LENGTH)
    type: EventType
    revision: int = Field(ge=1)
    occurred_at: AwareDatetime
    schema_version: int = Field(default=SCHEMA_VERSION, ge=1)
    source: str = "api"
    run_id: UUID | None = None
    traceparent: str | None = None
    payload: dict[str, Any]

    @property
    def is_delete(self) -> bool:
        """Whether the product is gone after this event."""
        return self.type is EventType.DELETED


def is_aggregate_id(text: str) -> bool:
    """Whether `text` can be an aggregate id: 1 to 80 of `A-Za-z0-9_-`, not starting with `-`."""
    return len(text) <= MAX_AGGREGATE_ID_LENGTH and AGGREGATE_ID.fullmatch(text) is not None


__all__ = [
    "AGGREGATE_ID",
    "MAX_AGGREGATE_ID_LENGTH",
    "MAX_PAYLOAD_BYTES",
    "SCHEMA_VERSION",
    "ChangeEvent",
    "EventType",
    "Header",
    "is_aggregate_id",
]
