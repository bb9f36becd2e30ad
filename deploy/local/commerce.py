"""The product system: Admin and Store API."""

from typing import ClassVar

from deploy.local.ports import HOST
from deploy.local.postgres import Postgres
from deploy.local.process import Command
from deploy.local.server import Server, answers


class Commerce(Server):
    """`commerce serve`, with no more than the application's own role in Postgres."""

    name: ClassVar[str] = "commerce"
    needs: ClassVar[tuple[str, ...]] = ("admin",)
    ports: ClassVar[tuple[str, ...]] = ("commerce",)

    @property
    def url(self) -> str:
        """Where the API answers."""
        return self.instance.ports.url("commerce")

    def command(self) -> Command:
        """The service with its own secrets and nobody else's."""
        secrets = self.instance.credentials
        dsn = Postgres(self.instance).dsn("commerce_app", secrets.commerce_app_password, "shop")
        values = {
            "COMMERCE_POSTGRES_DSN": dsn,
            "COMMERCE_HOST": HOST,
            "COMMERCE_PORT": str(self.port),
            "COMMERCE_JWT_SECRET": secrets.commerce_jwt_secret,
        }
        return self.instance.python("commerce.cli:app", "serve", values=values)

    def is_ready(self) -> bool:
        """Whether it reaches its database."""
        return answers(self.instance.ports.of("commerce"), "/readyz")
