"""From a Kafka record to a change event: parse, don't validate."""

import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from consumer.errors import MalformedRecordError, NewerSchemaError
from outbox.event import SCHEMA_VERSION, ChangeEvent, Header, is_aggregate_id

REQUIRED_HEADERS = (Header.ID, Header.EVENT_TYPE, Header.REVISION, Header.OCCURRED_AT)


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
    headers = _headers(record)
    _refuse_newer_schema(record, headers)
    missing = [name for name in REQUIRED_HEADERS if headers.get(name) is None]
    if missing:
        raise MalformedRecordError(f"required header missing: {', '.join(missing)}")
    try:
        return ChangeEvent.model_validate(
            {
                "id": headers[Header.ID],
                "aggregate_id": _key(record),
                "type": headers[Header.EVENT_TYPE],
                "revision": headers[Header.REVISION],
                "occurred_at": headers[Header.OCCURRED_AT],
                "schema_version": headers.get(Header.SCHEMA_VERSION) or SCHEMA_VERSION,
                "source": headers.get(Header.SOURCE) or "api",
                "run_id": headers.get(Header.RUN_ID),
                "traceparent": headers.get(Header.TRACEPARENT),
                "payload": _payload(record),
            }
        )
    except ValidationError as exc:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors())
        raise MalformedRecordError("; ".join(problems)) from exc


def _headers(record: Record) -> dict[str, str | None]:
    try:
        return {name: None if raw is None else raw.decode() for name, raw in record.headers}
    except UnicodeDecodeError as exc:
        raise MalformedRecordError(f"a header is not UTF-8: {exc}") from exc


def _refuse_newer_schema(record: Record, headers: dict[str, str | None]) -> None:
    text = headers.get(Header.SCHEMA_VERSION)
    if text is not None and text.isdecimal() and int(text) > SCHEMA_VERSION:
        raise NewerSchemaError(
            f"record {record.position} has schema version {text}, this consumer knows "
            f"{SCHEMA_VERSION}: upgrade the consumer, it goes on from this record"
        )


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
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as exc:
        raise MalformedRecordError(f"the value is not JSON: {exc}") from exc
    if not isinstance(payload, dict):
        raise MalformedRecordError(f"the value is a JSON {type(payload).__name__}, not an object")
    return payload
