"""Kafka 4.3: one node that is broker and controller (KRaft), on loopback."""

import base64
import shutil
import socket
import struct
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

from deploy.local.install import Report
from deploy.local.java import java_command, write_properties
from deploy.local.ports import HOST
from deploy.local.process import Cancel, Command, run
from deploy.local.server import Server

# Shared with docker-compose.yml: everything but addresses and folders.
SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "process.roles": "broker,controller",
        "node.id": "1",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "auto.create.topics.enable": "false",
        "num.partitions": "1",
        # One node: no topic can have two copies.
        "default.replication.factor": "1",
        "min.insync.replicas": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "offsets.topic.num.partitions": "3",
        "transaction.state.log.num.partitions": "3",
        "share.coordinator.state.topic.num.partitions": "1",
        "offsets.retention.minutes": "43200",  # 30 days: see design, "Topics"
        "group.initial.rebalance.delay.ms": "0",
        # A node that was killed waits for its own old session: with 9 s it is away for 24 s.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "500",
        "message.max.bytes": "1048588",
        "log.cleaner.dedupe.buffer.size": "16777216",
    }
)


def cluster_id(value: uuid.UUID) -> str:
    """A UUID as Kafka writes it: base64 for URLs.

    One in 64 has a `-` in front and would be taken for an option, so that becomes an `A`.
    """
    text = base64.urlsafe_b64encode(value.bytes).decode().rstrip("=")
    return f"A{text[1:]}" if text.startswith("-") else text


class Kafka(Server):
    """The broker."""

    name: ClassVar[str] = "kafka"
    ports: ClassVar[tuple[str, ...]] = ("kafka", "kafka-controller")

    @property
    def data(self) -> Path:
        """Log directory; there only when it is formatted."""
        return self.instance.directory / "kafka" / "data"

    @property
    def bootstrap_servers(self) -> str:
        """What clients are told."""
        return self.instance.ports.address("kafka")

    def install(self, report: Report, cancel: Cancel) -> None:
        """Fetch the jars."""
        self.instance.packages.ensure_kafka(report, cancel)

    def prepare(self, cancel: Cancel) -> None:
        """Write the configuration; format the storage unless it was formatted to the end."""
        if not self.data.exists():
            draft = self.data.with_name("data.new")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            # The folder isn't noted inside, so the formatted storage can be moved.
            self._write_configuration(draft)
            run("kafka storage format", self._format(), cancel)
            draft.rename(self.data)
        self._write_configuration(self.data)

    def command(self) -> Command:
        """The broker's own main class."""
        return java_command(self.instance, "kafka.Kafka", (str(self._configuration),))

    def is_ready(self) -> bool:
        """Whether the broker is registered and unfenced: it lists itself in the metadata."""
        return brokers_known(HOST, self.instance.ports.of("kafka")) > 0

    @property
    def _configuration(self) -> Path:
        return self.instance.directory / "kafka" / "server.properties"

    def _write_configuration(self, data: Path) -> None:
        broker, controller = (self.instance.ports.address(name) for name in self.ports)
        listeners = f"PLAINTEXT://{broker},CONTROLLER://{controller}"
        addresses = {
            "listeners": listeners,
            "advertised.listeners": listeners,
            "controller.quorum.bootstrap.servers": controller,
            "log.dirs": str(data),
        }
        write_properties(self._configuration, dict(SETTINGS) | addresses)

    def _format(self) -> Command:
        arguments = (
            *("format", "--standalone", f"--config={self._configuration}"),
            f"--cluster-id={cluster_id(uuid.uuid4())}",
        )
        return java_command(self.instance, "kafka.tools.StorageTool", arguments)


METADATA: Final = 3  # api key in the protocol's request header
METADATA_VERSION: Final = 4  # the newest one whose answer is free of compact types is 8


def brokers_known(host: str, port: int) -> int:
    """How many brokers a bootstrap server lists; 0 when it doesn't answer.

    A bare Metadata request (Kafka protocol, version 4): importing a client for it would cost every
    start a fifth of a second, and its log lines.
    """
    # Header: key, version, correlation id, no client id; body: no topics, no creation.
    request = struct.pack(">hhihi?", METADATA, METADATA_VERSION, 1, -1, 0, False)
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(4096)
    except OSError:
        return 0
    # Size, correlation id, throttle time, then the array of brokers.
    start = 12
    return struct.unpack_from(">i", answer, start)[0] if len(answer) >= start + 4 else 0
