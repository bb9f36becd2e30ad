"""The record contract: what a consumer gets, held against records that came through Debezium."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from kafka.consumer.fetcher import ConsumerRecord

from consumer.record import Record, parse
from outbox import ChangeEvent, EventType, Header, NewEvent, publish, publish_many
from tests.fix_backend import Servers
from tests.integration.outbox.conftest import migrated_database
from tests.integration.outbox.pipeline import Pipeline, pipeline_on

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KEPT = Path(__file__).parent / "records"
HEADERS = {"id", "eventType", "revision", "occurredAt", "schemaVersion", "source"}
OPTIONAL_HEADERS = {"runId", "traceparent"}
PRODUCT: dict[str, Any] = {
    "id": "prod_1",
    "title": 'Camiseta "Algodón" 👕 \\ \u2028 <b>',
    "subtitle": None,
    "images": [],
    "metadata": {},
    "options": [{"id": "opt_1", "title": "Size", "values": ["S", "M"]}],
    "variants": [{"prices": [{"currency_code": "usd", "amount": 29.99}], "sku": None}],
    "big": 12345678901234567890,
    "small": 1e-7,
    "flag": False,
    "created_at": "2026-11-23T04:00:00.000Z",
}


@pytest.fixture(scope="module")
def pipeline(
    servers: Servers, connect_url: str, kafka_bootstrap_servers: str
) -> Iterator[Pipeline]:
    with (
        migrated_database(servers) as database,
        pipeline_on(database, connect_url, kafka_bootstrap_servers) as made,
    ):
        with psycopg.connect(database.owner, autocommit=True) as conn:
            made.register(conn)
        yield made


@pytest.fixture(scope="module")
def run_id() -> UUID:
    return uuid4()


@pytest.fixture(scope="module")
def records(pipeline: Pipeline, run_id: UUID) -> list[ConsumerRecord]:
    """Four events of one product, as commerce's own role publishes them."""
    events = [
        NewEvent("prod_1", EventType.CREATED, PRODUCT, source="admin", traceparent=TRACEPARENT),
        NewEvent("prod_1", EventType.UPDATED, PRODUCT | {"title": ""}),
        NewEvent("prod_1", EventType.SYNC_REQUESTED, PRODUCT, source="manual", run_id=run_id),
        NewEvent("prod_1", EventType.DELETED, {"id": "prod_1"}, source="admin"),
    ]
    with psycopg.connect(pipeline.database.app) as conn:
        for event in events:
            publish(conn, event)
            conn.commit()
    return pipeline.records("product", 4)


def headers(record: ConsumerRecord) -> dict[str, bytes | None]:
    found = dict(record.headers)
    assert len(found) == len(record.headers), f"a header comes twice in {record.headers}"
    return found


def text(record: ConsumerRecord, name: str) -> str:
    value = headers(record)[name]
    assert value is not None
    return value.decode()


def as_event(record: ConsumerRecord) -> ChangeEvent:
    """The record as the consumer reads it."""
    return parse(
        Record(
            record.topic,
            record.partition,
            record.offset,
            record.key,
            record.value,
            tuple(record.headers),
        )
    )


def kept_records() -> list[dict[str, Any]]:
    """Records of the releases so far, as they came through Debezium; one JSON object a line."""
    return [
        json.loads(line)
        for file in sorted(KEPT.glob("*.jsonl"))
        for line in file.read_text(encoding="utf-8").split("\n")
        if line
    ]


def as_kept(record: ConsumerRecord) -> dict[str, Any]:
    """A record as a line of a kept file; `KEEP_RECORDS=0.2.0` writes them for a new release."""
    return {
        "key": record.key.decode(),
        "value": record.value.decode(),
        "headers": {k: None if v is None else v.decode() for k, v in record.headers},
    }


def test_records_of_every_release_so_far_are_still_read(records: list[ConsumerRecord]) -> None:
    if release := os.environ.get("KEEP_RECORDS"):
        lines = [json.dumps(as_kept(record)) + "\n" for record in records]
        (KEPT / f"{release}.jsonl").write_text("".join(lines), encoding="utf-8")

    for kept in kept_records():
        headers = tuple((k, None if v is None else v.encode()) for k, v in kept["headers"].items())
        event = parse(Record("t", 0, 0, kept["key"].encode(), kept["value"].encode(), headers))
        assert event.aggregate_id == kept["key"]
        assert event.payload == json.loads(kept["value"])
        assert str(event.revision) == kept["headers"]["revision"]


def test_todays_records_say_what_the_kept_ones_said(records: list[ConsumerRecord]) -> None:
    """Additive changes only: nothing that a former release sent may be missing today."""
    fresh = [as_kept(record) for record in records]

    for kept in kept_records():
        same = [
            each for each in fresh if each["headers"]["eventType"] == kept["headers"]["eventType"]
        ]
        assert [each["value"] for each in same] == [kept["value"]]
        assert kept["headers"].keys() <= same[0]["headers"].keys()


def test_the_key_is_the_plain_aggregate_id(records: list[ConsumerRecord]) -> None:
    assert {record.key for record in records} == {b"prod_1"}


def test_the_value_is_the_payload_with_nulls_and_empty_lists_and_every_character(
    records: list[ConsumerRecord],
) -> None:
    values = [json.loads(record.value) for record in records]

    assert values == [PRODUCT, PRODUCT | {"title": ""}, PRODUCT, {"id": "prod_1"}]


def test_no_record_is_null(records: list[ConsumerRecord]) -> None:
    assert all(record.value for record in records)


def test_the_headers_are_exactly_those_of_the_contract(records: list[ConsumerRecord]) -> None:
    for record in records:
        assert headers(record).keys() == HEADERS | OPTIONAL_HEADERS


def test_an_optional_header_without_a_value_is_null(
    records: list[ConsumerRecord], run_id: UUID
) -> None:
    runs = [headers(record)[Header.RUN_ID] for record in records]
    traces = [headers(record)[Header.TRACEPARENT] for record in records]

    assert runs == [None, None, str(run_id).encode(), None]
    assert traces == [TRACEPARENT.encode(), None, None, None]


def test_headers_are_plain_texts(records: list[ConsumerRecord]) -> None:
    assert [text(record, "eventType") for record in records] == [
        "product.created",
        "product.updated",
        "product.sync_requested",
        "product.deleted",
    ]
    assert [text(record, "revision") for record in records] == ["1", "2", "3", "4"]
    assert [text(record, "schemaVersion") for record in records] == ["1"] * 4
    assert [text(record, "source") for record in records] == ["admin", "api", "manual", "admin"]
    assert len({UUID(text(record, "id")) for record in records}) == 4


def test_occurred_at_is_utc_in_iso_8601_with_microseconds(records: list[ConsumerRecord]) -> None:
    times = [text(record, "occurredAt") for record in records]

    assert all(time.endswith("Z") for time in times)
    parsed = [datetime.fromisoformat(time) for time in times]
    assert parsed == sorted(parsed)
    assert all(datetime.now(UTC) - time < timedelta(minutes=5) for time in parsed)


def test_a_record_is_a_change_event_of_the_wire_contract(
    pipeline: Pipeline, records: list[ConsumerRecord]
) -> None:
    with psycopg.connect(pipeline.database.owner) as conn:
        rows = conn.execute(
            "select id, revision, occurred_at, payload from outbox.event "
            "where aggregateid = 'prod_1' order by revision"
        ).fetchall()

    found = [as_event(record) for record in records]
    assert [(e.id, e.revision, e.occurred_at, e.payload) for e in found] == rows


def test_publish_many_makes_the_same_records_on_the_bulk_topic(
    pipeline: Pipeline, run_id: UUID
) -> None:
    ids = [f"bulk_{number:03}" for number in range(300)]
    events = [
        NewEvent(
            each,
            EventType.SYNC_REQUESTED,
            PRODUCT | {"id": each},
            source="bulk",
            route="product.bulk",
            run_id=run_id,
        )
        for each in ids
    ]
    with psycopg.connect(pipeline.database.app) as conn:
        publish_many(conn, events)

    found = [as_event(record) for record in pipeline.records("product.bulk", 300)]
    assert sorted(event.aggregate_id for event in found) == ids
    assert all(event.payload == PRODUCT | {"id": event.aggregate_id} for event in found)
    assert {(event.source, event.run_id, event.revision) for event in found} == {
        ("bulk", run_id, 1)
    }


def test_the_largest_payload_comes_through(pipeline: Pipeline) -> None:
    around = len('{"t": "", "id": "large"}')
    payload = {"id": "large", "t": "x" * (900_000 - around)}
    with psycopg.connect(pipeline.database.app) as conn:
        publish(conn, NewEvent("large", EventType.UPDATED, payload, route="canary"))

    (record,) = pipeline.records("canary", 1)
    assert len(record.value) == 900_000


def test_heartbeats_go_to_a_topic_of_their_own(
    pipeline: Pipeline, records: list[ConsumerRecord]
) -> None:
    keys = {record.key.decode() for record in pipeline.records("product", len(records))}

    assert keys == {"prod_1"}
