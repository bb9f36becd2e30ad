"""From a Kafka record to a change event: parse, don't validate."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from consumer.errors import MalformedRecordError, NewerSchemaError
from outbox.event import SCHEMA_VERSION, ChangeEvent, Header, is_aggregate_id

REQUIRED_HEADERS = (Header.ID, Header.EVENT_TYPE, Header.REVISION, Header.OCCURRED_AT)
OPTIONAL_HEADERS = (Header.SCHEMA_VERSION, Header.SOURCE, Header.RUN_ID, Header.TRACEPARENT)
MAX_REVISION = 2**53 - 1  # above it Sanity's numbers, which are JavaScript's, are no longer exact
MAX_DIGITS = 9  # of a schema version
YEARS = range(1971, 9999)  # a minute more or another time zone still gives a date


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as it came, with the place it came from."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0

    @property
    def position(self) -> str:
        """Where the record lies, as operators write it: `topic:partition:offset`."""
        return f"{self.topic}:{self.partition}:{self.offset}"


def parse(record: Record) -> ChangeEvent:
    """The change event that `record` carries.

    Raises `NewerSchemaError` for a schema version above ours, whatever else the record holds, and
    `MalformedRecordError` for anything that breaks the contract.
    """
    _refuse_newer_schema(record)
    headers = _headers(record)
    missing = [name for name in REQUIRED_HEADERS if headers.get(name) is None]
    if missing:
        raise MalformedRecordError(f"required header missing: {', '.join(missing)}")
    try:
        event = ChangeEvent.model_validate(
            {
                "id": headers[Header.ID],
                "aggregate_id": _key(record),
                "type": headers[Header.EVENT_TYPE],
                "revision": headers[Header.REVISION],
                "occurred_at": headers[Header.OCCURRED_AT],
                "schema_version": headers.get(Header.SCHEMA_VERSION) or SCHEMA_VERSION,
                "source": headers.get(Header.SOURCE) or "api",
                "run_id": headers.get(Header.RUN_ID) or None,
                "traceparent": headers.get(Header.TRACEPARENT) or None,
                "payload": _payload(record),
            }
        )
    except ValidationError as exc:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        raise MalformedRecordError("; ".join(problems)) from exc
    _refuse_out_of_range(event)
    return event


def _headers(record: Record) -> dict[str, str | None]:
    """The headers of the contract; whatever others hold, it need not be text."""
    known = {*REQUIRED_HEADERS, *OPTIONAL_HEADERS}
    try:
        return {
            name: None if raw is None else raw.decode()
            for name, raw in record.headers
            if name in known
        }
    except UnicodeDecodeError as exc:
        raise MalformedRecordError(f"a header is not UTF-8: {exc}") from exc


def _refuse_newer_schema(record: Record) -> None:
    version = (dict(record.headers).get(Header.SCHEMA_VERSION) or b"").lstrip(b"0")
    if version.isdigit() and (len(version) > MAX_DIGITS or int(version) > SCHEMA_VERSION):
        raise NewerSchemaError(
            f"record {record.position} has schema version {version[:MAX_DIGITS].decode()}, this "
            f"consumer knows {SCHEMA_VERSION}: upgrade the consumer, it goes on from this record"
        )


def _refuse_out_of_range(event: ChangeEvent) -> None:
    if event.revision > MAX_REVISION:
        raise MalformedRecordError(f"revision {event.revision} is above {MAX_REVISION}")
    if event.occurred_at.year not in YEARS:
        raise MalformedRecordError(f"occurredAt {event.occurred_at} is no plausible moment")


def _key(record: Record) -> str:
    try:
        key = (record.key or b"").decode()
    except UnicodeDecodeError as exc:
        raise MalformedRecordError(f"the key is not UTF-8: {exc}") from exc
    if not is_aggregate_id(key):
        raise MalformedRecordError(
            f"the key {key[:100]!r} can't be a document id: 1 to 80 of A-Z a-z 0-9 _ -"
        )
    return key


def _payload(record: Record) -> dict[str, Any]:
    if record.value is None:
        raise MalformedRecordError("the value is null; deletions are events of their own")
    try:
        payload = json.loads(record.value)
    except (ValueError, RecursionError) as exc:  # a number of 5,000 digits is a ValueError too
        raise MalformedRecordError(f"the value is not JSON: {exc}") from exc
    if not isinstance(payload, dict):
        raise MalformedRecordError(f"the value is a JSON {type(payload).__name__}, not an object")
    return payload
