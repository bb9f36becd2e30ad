"""A canary: one event that goes the whole way from Postgres to Kafka and is timed."""

import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import psycopg
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from outbox.errors import BrokerUnavailableError, CanaryLostError, TopicMismatchError
from outbox.event import Header
from outbox.new_event import NewEvent
from outbox.publish import publish

ROUTE: Final = "canary"
TOPIC: Final = "outbox.event.canary"
TIMEOUT_SECONDS: Final = 10.0
BOOTSTRAP_TIMEOUT_SECONDS: Final = 10.0
POLL_SECONDS: Final = 0.2


def send_canary(
    conn: psycopg.Connection[Any],
    bootstrap_servers: str,
    *,
    topic: str = TOPIC,
    timeout_seconds: float = TIMEOUT_SECONDS,
    settings: Mapping[str, Any] | None = None,
) -> float:
    """Publish a canary, wait for it on `topic` and return the seconds from commit to record.

    Commits a transaction of its own, so `conn` must not be inside one. `settings` are passed to
    kafka-python. Raises `CanaryLostError` when nothing came in time: whatever Connect says of the
    connector, events don't come through. Also `BrokerUnavailableError`, `TopicMismatchError`.
    """
    run_id = uuid4()
    event = NewEvent(
        aggregate_id=ROUTE,
        aggregate_type="canary",
        type="canary.updated",
        payload={"id": ROUTE},
        source="canary",
        run_id=run_id,
    )
    consumer = _consumer(bootstrap_servers, settings or {})
    try:
        _seek_to_end(consumer, topic)
        with conn.transaction():
            publish(conn, event)
        committed = time.monotonic()
        while time.monotonic() < committed + timeout_seconds:
            if _has(consumer, str(run_id).encode()):
                return time.monotonic() - committed
    except KafkaError as exc:
        raise BrokerUnavailableError(f"{bootstrap_servers}: {exc}") from exc
    finally:
        consumer.close()
    raise CanaryLostError(
        f"a canary was written to the outbox and did not reach {topic} within {timeout_seconds} s"
    )


def _consumer(bootstrap_servers: str, settings: Mapping[str, Any]) -> KafkaConsumer:
    try:
        return KafkaConsumer(
            bootstrap_servers=bootstrap_servers,
            bootstrap_timeout_ms=round(BOOTSTRAP_TIMEOUT_SECONDS * 1000),
            group_id=None,
            enable_auto_commit=False,
            allow_auto_create_topics=False,
            fetch_max_wait_ms=round(POLL_SECONDS * 1000),
            **settings,
        )
    except KafkaError as exc:
        raise BrokerUnavailableError(f"no broker answers at {bootstrap_servers}: {exc}") from exc


def _seek_to_end(consumer: KafkaConsumer, topic: str) -> None:
    partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
    if not partitions:
        raise TopicMismatchError(f"there is no topic {topic}: run `outbox topics apply`")
    consumer.assign(partitions)
    consumer.seek_to_end(*partitions)
    for partition in partitions:
        consumer.position(partition)  # settles the place before the canary is written


def _has(consumer: KafkaConsumer, run_id: bytes) -> bool:
    batches = consumer.poll(timeout_ms=round(POLL_SECONDS * 1000))
    return any(
        (Header.RUN_ID, run_id) in record.headers
        for records in batches.values()
        for record in records
    )
