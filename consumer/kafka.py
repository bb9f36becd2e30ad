"""The one place that touches kafka-python, which has no types of its own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import structlog
from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import KafkaError, MessageSizeTooLargeError

from consumer.errors import DeadLettersUnavailableError
from consumer.record import Record
from outbox.kafka_settings import KafkaSettings

POLL_SLICE_SECONDS: Final = 0.5  # how long a signal to stop may go unnoticed
MAX_POLL_INTERVAL_SECONDS: Final = 300  # a batch that takes longer costs the membership, no record
COMMIT_TIMEOUT_SECONDS: Final = 10.0
PARTITION_FETCH_BYTES: Final = 4 * 1024 * 1024
MAX_DEAD_LETTER_BYTES: Final = 1_500_000  # the record and its reason; the topic takes 1,572,864
MAX_REASON_LENGTH: Final = 2_000
DEAD_LETTER_TIMEOUT_SECONDS: Final = 30.0

log = structlog.get_logger()


class LogReader:
    """A member of the consumer group, reading one lane's topic; offsets are committed by hand."""

    def __init__(
        self,
        settings: KafkaSettings,
        *,
        topic: str,
        group_id: str,
        session_timeout_seconds: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._stopping = stopping
        self._consumer: Any = KafkaConsumer(
            topic,
            bootstrap_servers=settings.bootstrap_servers,
            **settings.client_options(),
            group_id=group_id,
            client_id="outbox-to-sanity",
            enable_auto_commit=False,
            auto_offset_reset="earliest",  # a record twice is harmless, one skipped is not
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            partition_assignment_strategy=(CooperativeStickyAssignor,),
            session_timeout_ms=int(session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(session_timeout_seconds * 1000 / 5),
            max_poll_interval_ms=MAX_POLL_INTERVAL_SECONDS * 1000,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
            metadata_max_age_ms=30_000,
            reconnect_backoff_max_ms=1_000,
            bootstrap_timeout_ms=5_000,
        )

    def poll(self, max_records: int) -> list[Record]:
        """The next records, in order within each partition; empty after half a second of none."""
        return _records(self._poll(POLL_SLICE_SECONDS, max_records))

    def wait(self, seconds: float) -> None:
        """Stays in the group for so long without taking records; ends early when stopping."""
        self._consumer.pause(*self._consumer.assignment())
        left = seconds
        while left > 0 and not self._stopping():
            # A rebalance may hand over partitions that are not paused: give their records back.
            taken = self._poll(min(left, POLL_SLICE_SECONDS), 1)
            for partition, records in taken.items():
                self._consumer.seek(partition, records[0].offset)
                self._consumer.pause(partition)
            left -= POLL_SLICE_SECONDS
        self._consumer.resume(*self._consumer.paused())

    def commit(self, records: Iterable[Record]) -> bool:
        """Commits the offsets after `records`; False when the group has moved on, or Kafka is away.

        Then they come again, to this member or another, and the revision in Sanity skips them.
        """
        following: dict[Any, Any] = {}
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            known = following.get(partition)
            if known is None or known.offset <= record.offset:
                following[partition] = OffsetAndMetadata(record.offset + 1, "", -1)  # epoch unknown
        try:
            self._consumer.commit(following, timeout_ms=COMMIT_TIMEOUT_SECONDS * 1000)
        except KafkaError as exc:
            log.warning("offsets_not_committed", error=str(exc), error_type=type(exc).__name__)
            return False
        return True

    def partitions(self) -> list[int]:
        """The partitions that this member holds now."""
        return sorted(partition.partition for partition in self._consumer.assignment())

    def missing(self, *topics: str) -> list[str]:
        """Those of these topics that the cluster does not have."""
        return [topic for topic in topics if not self._consumer.partitions_for_topic(topic)]

    def has_joined(self) -> bool:
        """Whether it is a member; one beyond the number of partitions holds none."""
        return bool(self._consumer.group_metadata().generation_id >= 0)

    def close(self) -> None:
        """Leaves the group."""
        self._consumer.close(autocommit=False)

    def _poll(self, seconds: float, max_records: int) -> dict[Any, list[Any]]:
        polled: dict[Any, list[Any]] = self._consumer.poll(
            timeout_ms=seconds * 1000, max_records=max_records
        )
        return polled


class DeadLetterTopic:
    """Where parked records lie: the record as it came, and why it was parked."""

    def __init__(self, settings: KafkaSettings, *, topic: str) -> None:
        self._topic = topic
        self._settings = settings
        self._producer: Any = None

    def park(self, parked: Sequence[tuple[Record, str]]) -> None:
        """Returns when the broker has all of them, else raises `DeadLettersUnavailableError`."""
        if not parked:
            return
        try:
            self._send_all(parked)
        except KafkaError as exc:
            raise DeadLettersUnavailableError(f"dead letter topic {self._topic}: {exc}") from exc

    def _send_all(self, parked: Sequence[tuple[Record, str]]) -> None:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._settings.bootstrap_servers,
                **self._settings.client_options(),
                client_id="outbox-to-sanity-dead-letters",
                acks="all",
                max_request_size=MAX_DEAD_LETTER_BYTES,
            )
        for future in [self._send(record, reason) for record, reason in parked]:
            future.get(timeout=DEAD_LETTER_TIMEOUT_SECONDS)

    def _send(self, record: Record, reason: str) -> Any:
        # kafka-python writes no null headers; an absent one says the same.
        own = [(name, raw) for name, raw in record.headers if raw is not None]
        why = [
            ("parkedReason", reason[:MAX_REASON_LENGTH].encode()),
            ("parkedFrom", record.position.encode()),
        ]
        try:
            return self._producer.send(
                self._topic, key=record.key, value=record.value or b"", headers=[*own, *why]
            )
        except MessageSizeTooLargeError:
            # Only a foreign producer makes such records; what it was still lies at `parkedFrom`.
            omitted = ("parkedOmitted", b"the record is too large to be kept here")
            return self._producer.send(self._topic, value=b"", headers=[*why, omitted])

    def close(self) -> None:
        """Closes the producer."""
        if self._producer is not None:
            self._producer.close()


def _records(polled: dict[Any, list[Any]]) -> list[Record]:
    return [
        Record(
            topic=each.topic,
            partition=each.partition,
            offset=each.offset,
            key=each.key,
            value=each.value,
            headers=tuple((name, raw) for name, raw in each.headers),
            timestamp_ms=each.timestamp,
        )
        for records in polled.values()
        for each in records
    ]
