"""Kafka to Sanity: the only process that is given Sanity's write token."""

from typing import ClassVar

from deploy.local.emulator import DATASET, PROJECT
from deploy.local.ports import HOST
from deploy.local.postgres import Postgres
from deploy.local.process import Command
from deploy.local.server import Server, answers


class Consumer(Server):
    """`consumer run`."""

    name: ClassVar[str] = "consumer"
    needs: ClassVar[tuple[str, ...]] = ("kafka", "topics", "ledger", "emulator")
    ports: ClassVar[tuple[str, ...]] = ("consumer",)

    @property
    def url(self) -> str:
        """Where its health and metrics answer."""
        return self.instance.ports.url("consumer")

    def command(self) -> Command:
        """The service with its own secrets and nobody else's."""
        secrets = self.instance.credentials
        dsn = Postgres(self.instance).dsn("sync_ledger", secrets.sync_ledger_password, "ledger")
        values = {
            "CONSUMER_LEDGER_DSN": dsn,
            "CONSUMER_HOST": HOST,
            "CONSUMER_PORT": str(self.port),
            "KAFKA_BOOTSTRAP_SERVERS": self.instance.ports.address("kafka"),
            "SANITY_API_HOST": self.instance.ports.url("emulator"),
            "SANITY_USE_PROJECT_HOSTNAME": "false",
            "SANITY_PROJECT_ID": PROJECT,
            "SANITY_DATASET": DATASET,
            "SANITY_TOKEN": secrets.sanity_token,
        }
        return self.instance.python("consumer.cli:app", "run", values=values)

    def is_ready(self) -> bool:
        """Whether it has its partitions."""
        return answers(self.instance.ports.of("consumer"), "/readyz")
