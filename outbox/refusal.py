"""The one seam where Postgres's refusals become the outbox's errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors as pg

from outbox.errors import (
    InvalidAggregateIdError,
    InvalidEventError,
    InvalidPayloadError,
    InvalidTypeError,
    OutboxNotReadyError,
    PayloadTooLargeError,
    PublishError,
    UnknownRouteError,
)
from outbox.event import MAX_PAYLOAD_BYTES

# Named constraints of outbox.event and outbox.revision, and what breaking one means.
REFUSALS: Final[dict[str, tuple[type[InvalidEventError], str]]] = {
    "event_route_registered": (
        UnknownRouteError,
        "register it with `outbox topics register` once its topic exists",
    ),
    "event_aggregateid_wellformed": (InvalidAggregateIdError, "ill-formed aggregate id"),
    "event_aggregateid_length": (InvalidAggregateIdError, "over-long aggregate id"),
    "revision_aggregateid_wellformed": (InvalidAggregateIdError, "ill-formed aggregate id"),
    "revision_aggregateid_length": (InvalidAggregateIdError, "over-long aggregate id"),
    "event_type_known": (InvalidTypeError, "unknown event type"),
    "event_payload_is_object": (InvalidPayloadError, "the payload is not a JSON object"),
    "event_payload_size": (
        PayloadTooLargeError,
        f"as Postgres prints it, the payload has more than {MAX_PAYLOAD_BYTES} bytes",
    ),
}


def refusal(exc: psycopg.Error) -> PublishError | None:
    """What Postgres's error says about the event; `None` for the fate of the transaction."""
    match exc:
        case pg.CheckViolation() | pg.ForeignKeyViolation() | pg.NotNullViolation():
            return _broken_rule(exc)
        case pg.CardinalityViolation():
            return InvalidEventError("an aggregate comes twice in one call of publish_many")
        case pg.UntranslatableCharacter() | pg.InvalidTextRepresentation():
            return InvalidPayloadError(f"the payload is nothing that jsonb can hold: {exc}")
        case pg.UndefinedFunction() | pg.InvalidSchemaName() | pg.UndefinedTable():
            return OutboxNotReadyError(f"run `outbox migrate` on this database: {exc}")
        case pg.InsufficientPrivilege():
            return OutboxNotReadyError(f"the role may not publish, see `outbox migrate`: {exc}")
        case _:
            return None


def _broken_rule(exc: psycopg.Error) -> InvalidEventError:
    constraint = exc.diag.constraint_name
    kind, meaning = REFUSALS.get(constraint or "", (InvalidEventError, "refused by Postgres"))
    return kind(f"{meaning}: {exc.diag.message_primary}", constraint=constraint)


@contextmanager
def translated_refusals() -> Iterator[None]:
    """Raise the outbox's errors for what Postgres refuses; let everything else through."""
    try:
        yield
    except psycopg.Error as exc:
        error = refusal(exc)
        if error is None:
            raise
        raise error from exc
