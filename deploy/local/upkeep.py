"""The outbox's upkeep: partitions made ahead, whole days dropped."""

from typing import ClassVar

from deploy.local.postgres import Postgres
from deploy.local.process import Command
from deploy.local.server import Server


class Upkeep(Server):
    """`outbox maintain`."""

    name: ClassVar[str] = "upkeep"
    needs: ClassVar[tuple[str, ...]] = ("outbox-schema",)

    def command(self) -> Command:
        """The service as the owner of the outbox."""
        secrets = self.instance.credentials
        dsn = Postgres(self.instance).dsn("shop_owner", secrets.shop_owner_password, "shop")
        return self.instance.python("outbox.cli:app", "maintain", values={"OUTBOX_DSN": dsn})

    def is_ready(self) -> bool:
        """Whether it runs: it listens on no port."""
        return self.is_running
