"""Follows one change through Postgres, Kafka and Sanity, with the time that each part took."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

import psycopg
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from psycopg.rows import dict_row

from deploy.demo.editor import Editor

TOPIC: Final = "outbox.event.product"
PATIENCE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.002
LAST_EVENT: Final = """
    select id::text, type, revision, occurred_at, source, payload
    from outbox.event
    where aggregatetype = 'product' and aggregateid = %(product_id)s
    order by revision desc
    limit 1
"""


@dataclass(frozen=True, slots=True)
class Change:
    """One change as each part saw it; durations count from the event's own write time."""

    product_id: str
    event_type: str
    revision: int
    position: str  # topic:partition:offset
    kafka_ms: float
    document_ms: float
    document: dict[str, Any] | None


class Trace:
    """Watches the live topic from now on; a context manager."""

    def __init__(self, *, postgres_dsn: str, bootstrap_servers: str, editor: Editor) -> None:
        self._postgres = psycopg.connect(postgres_dsn, autocommit=True, row_factory=dict_row)
        self._editor = editor
        self._bootstrap_servers = bootstrap_servers
        self._seen: dict[str, tuple[str, datetime]] = {}
        self._records: list[Any] = []
        self._arrived = threading.Condition()
        self._stopping = threading.Event()
        self._consumer: Any = KafkaConsumer(
            bootstrap_servers=bootstrap_servers, enable_auto_commit=False, group_id=None
        )
        numbers = self._consumer.partitions_for_topic(TOPIC) or ()
        partitions = [TopicPartition(TOPIC, number) for number in numbers]
        self._consumer.assign(partitions)
        self._consumer.seek_to_end(*partitions)
        for partition in partitions:
            self._consumer.position(partition)
        self._thread = threading.Thread(target=self._watch, name="trace", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()
        self._postgres.close()

    def last_row(self, product_id: str) -> dict[str, Any]:
        """The product's newest row of the outbox."""
        row = self._postgres.execute(LAST_EVENT, {"product_id": product_id}).fetchone()
        if row is None:
            raise LookupError(f"no event of {product_id} in the outbox")
        return row

    def event_count(self) -> int:
        """How many product events the outbox holds."""
        row = self._postgres.execute(
            "select count(*) as count from outbox.event where aggregatetype = 'product'"
        ).fetchone()
        return int(row["count"]) if row else 0

    def follow(self, product_id: str) -> Change:
        """Waits until the product's newest event lies in Sanity; raises `TimeoutError`."""
        event = self.last_row(product_id)
        occurred_at: datetime = event["occurred_at"]
        document = self._wait_for_document(product_id, event)
        document_at = datetime.now(UTC)
        position, kafka_at = self._wait_for_record(event["id"])
        return Change(
            product_id=product_id,
            event_type=event["type"],
            revision=event["revision"],
            position=position,
            kafka_ms=(kafka_at - occurred_at).total_seconds() * 1000,
            document_ms=(document_at - occurred_at).total_seconds() * 1000,
            document=document,
        )

    def wait_for(
        self, document_id: str, condition: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """The document as soon as it is there and `condition` holds; raises `TimeoutError`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        document = None
        while time.monotonic() < deadline:
            document = self._editor.document(document_id)
            if document is not None and condition(document):
                return document
            time.sleep(POLL_SECONDS)
        raise TimeoutError(
            f"{document_id} is not as expected after {PATIENCE_SECONDS:.0f} s (the consumer's log "
            f"tells why): {document}"
        )

    def has_seen(self, product_id: str) -> bool:
        """Whether any record of the product has come by."""
        with self._arrived:
            return any(record.key == product_id.encode() for record in self._records)

    def send_again(self, product_id: str) -> None:
        """Puts copies of all records of the product that came by at the end of the log."""
        producer: Any = KafkaProducer(bootstrap_servers=self._bootstrap_servers)
        with self._arrived:
            records = [r for r in self._records if r.key == product_id.encode()]
        for record in records:
            # kafka-python reads null headers but does not write them.
            headers = [(name, raw) for name, raw in record.headers if raw is not None]
            sent = producer.send(record.topic, key=record.key, value=record.value, headers=headers)
            sent.get(timeout=PATIENCE_SECONDS)
        producer.close()

    def _wait_for_document(self, product_id: str, event: dict[str, Any]) -> dict[str, Any] | None:
        is_delete = event["type"] == "product.deleted"
        document_id = f"sync.tombstone.{product_id}" if is_delete else product_id
        revision = event["revision"]
        document = self.wait_for(
            document_id, lambda body: body.get("sync", {}).get("revision", 0) >= revision
        )
        return None if is_delete else document

    def _wait_for_record(self, event_id: str) -> tuple[str, datetime]:
        with self._arrived:
            if not self._arrived.wait_for(lambda: event_id in self._seen, PATIENCE_SECONDS):
                raise TimeoutError(f"event {event_id} has not come through Kafka")
            return self._seen[event_id]

    def _watch(self) -> None:
        while not self._stopping.is_set():
            polled = self._consumer.poll(timeout_ms=200)
            now = datetime.now(UTC)
            with self._arrived:
                for partition, records in polled.items():
                    self._records += records
                    for record in records:
                        event_id = dict(record.headers).get("id", b"").decode()
                        position = f"{TOPIC}:{partition.partition}:{record.offset}"
                        self._seen[event_id] = (position, now)
                self._arrived.notify_all()
