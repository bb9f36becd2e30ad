import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from consumer.kafka import MAX_DEAD_LETTER_BYTES, DeadLetterTopic
from consumer.record import Record
from outbox.kafka_settings import KafkaSettings


@pytest.fixture
def topic(kafka_bootstrap_servers: str) -> Iterator[str]:
    """A topic of its own, with one partition."""
    name = f"dead-letters-{uuid.uuid4().hex}"
    admin: Any = KafkaAdminClient(bootstrap_servers=kafka_bootstrap_servers)
    admin.create_topics(
        {
            name: {
                "num_partitions": 1,
                "replication_factor": 1,
                "configs": {"max.message.bytes": "1572864"},
            }
        }
    )
    yield name
    admin.delete_topics([name])
    admin.close()


@pytest.fixture
def dead_letters(kafka_bootstrap_servers: str, topic: str) -> Iterator[DeadLetterTopic]:
    """Writes to `topic`."""
    settings = KafkaSettings(bootstrap_servers=kafka_bootstrap_servers)
    opened = DeadLetterTopic(settings, topic=topic)
    yield opened
    opened.close()


def record(value: bytes | None, key: bytes | None = b"prod_1") -> Record:
    return Record("outbox.event.product", 3, 42, key, value, (("id", b"x"), ("runId", None)))


def parked(bootstrap_servers: str, topic: str, count: int) -> list[Any]:
    consumer: Any = KafkaConsumer(bootstrap_servers=bootstrap_servers, group_id=None)
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    consumer.seek_to_beginning(partition)
    found: list[Any] = []
    for _ in range(20):
        found += consumer.poll(timeout_ms=500).get(partition, [])
        if len(found) >= count:
            break
    consumer.close()
    return found


def test_a_parked_record_keeps_what_it_was_and_says_why_and_from_where(
    dead_letters: DeadLetterTopic, kafka_bootstrap_servers: str, topic: str
) -> None:
    dead_letters.park([(record(b"{"), "the value is not JSON")])

    (found,) = parked(kafka_bootstrap_servers, topic, 1)
    assert (found.key, found.value) == (b"prod_1", b"{")
    assert dict(found.headers) == {
        "id": b"x",
        "parkedReason": b"the value is not JSON",
        "parkedFrom": b"outbox.event.product:3:42",
    }


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (None, None),  # nothing at all
        (None, b"prod_1"),  # Kafka's own tombstone
        (b"", b"\xff\xfe"),  # a key that is no text
        (b"x" * (MAX_DEAD_LETTER_BYTES + 1), b"prod_1"),  # more than the topic takes
    ],
)
def test_no_record_is_too_strange_to_be_parked(
    dead_letters: DeadLetterTopic,
    kafka_bootstrap_servers: str,
    topic: str,
    value: bytes | None,
    key: bytes | None,
) -> None:
    dead_letters.park([(record(value, key), "strange")])

    (found,) = parked(kafka_bootstrap_servers, topic, 1)
    assert dict(found.headers)["parkedReason"] == b"strange"
