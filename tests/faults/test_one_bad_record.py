import json
import uuid
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.demo.trace import TOPIC, Trace
from tests.fix_backend import Backend
from tests.fix_shop import ProductBody
from tests.oracle import wait_until_in_step

HEADERS = {
    "id": str(uuid.uuid4()),
    "eventType": "product.created",
    "revision": "1",
    "occurredAt": "2026-11-23T08:00:00Z",
}
VALUE = json.dumps({"id": "bad", "title": "bad"})


@pytest.mark.parametrize(
    ("key", "value", "headers"),
    [
        ("bad", "{", HEADERS),  # malformed JSON
        ("bad", "[]", HEADERS),  # no object
        ("bad", VALUE, {**HEADERS, "eventType": "product.renamed"}),  # unknown type
        ("bad", VALUE, {}),  # no headers
        ("bad.id", VALUE, HEADERS),  # an id that Sanity would take for a private document
        ("x" * 81, VALUE, HEADERS),  # too long for a release version's id
        ("bad", '{"id": "bad"}', HEADERS),  # lacks an owned field
    ],
)
def test_a_record_that_can_t_be_applied_is_parked_and_the_partition_goes_on(
    admin: Admin,
    editor: Editor,
    backend: Backend,
    trace: Trace,
    product_body: ProductBody,
    key: str,
    value: str,
    headers: dict[str, str],
) -> None:
    later = admin.create(product_body("Before the bad one"))["id"]
    partition = int(trace.follow(later).position.split(":")[1])
    dead = _dead_letters(backend)

    producer: Any = KafkaProducer(bootstrap_servers=backend.kafka_bootstrap_servers)
    pairs = [(name, text.encode()) for name, text in headers.items()]
    sent = producer.send(
        TOPIC, key=key.encode(), value=value.encode(), headers=pairs, partition=partition
    )
    offset = sent.get(timeout=10).offset
    producer.close()
    admin.update(later, {"title": "After the bad one"})

    assert trace.follow(later).document is not None
    parked = _next(dead)
    dead.close()
    assert dict(parked.headers)["parkedFrom"].decode() == f"{TOPIC}:{partition}:{offset}"
    assert dict(parked.headers)["parkedReason"]
    assert parked.value == value.encode()
    wait_until_in_step(admin, editor)


def _dead_letters(backend: Backend) -> Any:
    """A reader of the dead letter topic, from now on."""
    reader: Any = KafkaConsumer(
        "outbox.event.product.dlt",
        bootstrap_servers=backend.kafka_bootstrap_servers,
        group_id=f"test-{uuid.uuid4().hex}",
        auto_offset_reset="latest",
        enable_auto_commit=False,
    )
    for _ in range(40):
        reader.poll(timeout_ms=250)
        if reader.assignment():
            break
    for partition in reader.assignment():
        reader.position(partition)
    return reader


def _next(reader: Any) -> Any:
    for _ in range(40):
        for records in reader.poll(timeout_ms=250).values():
            return records[0]
    pytest.fail("nothing has been parked")
