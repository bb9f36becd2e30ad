"""One connector on one database of its own, with topics that nobody else uses."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from deploy.local.install import ROOT
from outbox.canary import send_canary
from outbox.connector import Connect, ConnectorStatus, read_config, register
from outbox.errors import ConnectorMissingError
from outbox.replication import prepare_replication
from outbox.topics import KafkaBroker, TopicPlan
from tests.integration.outbox.conftest import Database, until

CONNECTOR_FILE: Final = ROOT / "deploy" / "connect" / "outbox-connector.json"
ROUTES: Final = ("product", "product.bulk", "canary")
PLACEMENT: Final = "transforms.outbox.route.topic.replacement"


@dataclass(frozen=True)
class Pipeline:
    """A database, a slot, a connector and topics, all called `name`."""

    name: str
    database: Database
    connect: Connect
    kafka: str

    @property
    def config(self) -> dict[str, str]:
        """The shipped file; what keeps trials apart is overridden, and short heartbeats."""
        return read_config(
            Path(CONNECTOR_FILE),
            {
                "database.dbname": self.database.name,
                "slot.name": self.name,
                "topic.prefix": self.name,
                "heartbeat.interval.ms": "200",
                PLACEMENT: f"{self.name}.event.${{routedByValue}}",
            },
        )

    def topic(self, route: str) -> str:
        """Where the events of a route go."""
        return f"{self.name}.event.{route}"

    def register(self, conn: psycopg.Connection[Any]) -> ConnectorStatus:
        """Register this connector."""
        with KafkaBroker(self.kafka) as broker:
            return register(
                self.connect, conn, broker, self.config, name=self.name, timeout_seconds=90
            )

    def canary(self, conn: psycopg.Connection[Any], timeout_seconds: float = 60.0) -> float:
        """Send a canary through this connector."""
        topic = self.topic("canary")
        return send_canary(conn, self.kafka, topic=topic, timeout_seconds=timeout_seconds)

    def records(self, route: str, count: int) -> list[ConsumerRecord]:
        """The first `count` records of a route, by partition in order; fails when fewer come."""
        found: list[ConsumerRecord] = []
        with reading(self.kafka, self.topic(route)) as consumer:

            def enough() -> bool:
                for batch in consumer.poll(timeout_ms=200).values():
                    found.extend(batch)
                return len(found) >= count

            until(enough, seconds=60)
        return found


@contextmanager
def reading(bootstrap_servers: str, topic: str) -> Iterator[KafkaConsumer]:
    """A consumer at the beginning of every partition of `topic`."""
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=None, enable_auto_commit=False
    )
    try:
        partitions = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        yield consumer
    finally:
        consumer.close()


@contextmanager
def pipeline_on(
    database: Database, connect_url: str, kafka: str, topics: Mapping[str, int] | None = None
) -> Iterator[Pipeline]:
    """Publication, slot and topics made; the connector is not registered yet."""
    name = f"t{secrets.token_hex(4)}"
    with psycopg.connect(database.owner, autocommit=True) as owner:
        prepare_replication(owner, slot=name)
    plans = {f"{name}.event.{route}": 1 for route in ROUTES} | {f"__debezium-heartbeat.{name}": 1}
    plans |= topics or {}
    with KafkaBroker(kafka) as broker:
        for topic, partitions in plans.items():
            plan = TopicPlan(partitions=partitions, config={"max.message.bytes": "1310720"})
            broker.create(topic, plan, 1)
    with Connect(connect_url) as connect:
        try:
            yield Pipeline(name, database, connect, kafka)
        finally:
            remove(connect, name)


def remove(connect: Connect, name: str) -> None:
    """Delete a connector and wait until it is gone, so that its slot is free."""

    def is_gone() -> bool:
        try:
            connect.status(name)
        except ConnectorMissingError:
            return True
        return False

    if not is_gone():
        connect.delete(name)
        until(is_gone)
