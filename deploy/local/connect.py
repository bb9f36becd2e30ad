"""Kafka Connect with Debezium: one distributed worker, REST on loopback."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

from deploy.local.install import Report
from deploy.local.java import java_command, write_properties
from deploy.local.ports import HOST
from deploy.local.process import Cancel, Command
from deploy.local.server import Server, answers

STRING_CONVERTER: Final = "org.apache.kafka.connect.storage.StringConverter"
# Shared with docker-compose.yml: everything but addresses and folders.
SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "group.id": "connect",
        "config.storage.topic": "connect.configs",
        "offset.storage.topic": "connect.offsets",
        "status.storage.topic": "connect.status",
        "config.storage.replication.factor": "1",
        "offset.storage.replication.factor": "1",
        "status.storage.replication.factor": "1",
        "offset.storage.partitions": "1",
        "status.storage.partitions": "1",
        "key.converter": STRING_CONVERTER,
        "value.converter": STRING_CONVERTER,
        "header.converter": STRING_CONVERTER,
        # After a crash Debezium sends again what came since the last flush: keep that short.
        "offset.flush.interval.ms": "1000",
        "offset.flush.timeout.ms": "5000",
        # The connector's password comes from the worker's environment, so REST never shows it.
        "config.providers": "env",
        "config.providers.env.class": (
            "org.apache.kafka.common.config.provider.EnvVarConfigProvider"
        ),
        "config.providers.env.param.allowlist.pattern": "OUTBOX_DB_.*",
        # The connector file raises its producer's max.request.size above the largest payload.
        "connector.client.config.override.policy": "All",
        "plugin.discovery": "service_load",
        # One worker: nobody else could take the tasks meanwhile.
        "scheduled.rebalance.max.delay.ms": "0",
    }
)


class Connect(Server):
    """The Connect worker."""

    name: ClassVar[str] = "connect"
    needs: ClassVar[tuple[str, ...]] = ("kafka",)
    ports: ClassVar[tuple[str, ...]] = ("connect",)

    @property
    def url(self) -> str:
        """The REST interface."""
        return self.instance.ports.url("connect")

    def install(self, report: Report, cancel: Cancel) -> None:
        """Fetch the jars and Debezium's connector."""
        self.instance.packages.ensure_kafka(report, cancel)
        self.instance.packages.ensure_plugins(report, cancel)

    def prepare(self, cancel: Cancel) -> None:
        """Write the worker's configuration."""
        del cancel
        addresses = {
            "bootstrap.servers": self.instance.ports.address("kafka"),
            "listeners": self.url,
            "rest.advertised.host.name": HOST,
            "rest.advertised.port": str(self.port),
            "plugin.path": str(self.instance.packages.plugin_path),
        }
        write_properties(self._configuration, dict(SETTINGS) | addresses)

    def command(self) -> Command:
        """The distributed worker's main class; the connector's login is in its environment."""
        login = {
            "OUTBOX_DB_HOST": HOST,
            "OUTBOX_DB_PORT": str(self.instance.ports.of("postgres")),
            "OUTBOX_DB_NAME": "shop",
            "OUTBOX_DB_USER": "outbox_replication",
            "OUTBOX_DB_PASSWORD": self.instance.credentials.outbox_replication_password,
        }
        main = "org.apache.kafka.connect.cli.ConnectDistributed"
        return java_command(self.instance, main, (str(self._configuration),), login)

    def is_ready(self) -> bool:
        """Whether the worker has read its topics and joined its group."""
        return answers(self.instance.ports.of("connect"), "/health")

    @property
    def _configuration(self) -> Path:
        return self.instance.directory / "connect" / "worker.properties"
