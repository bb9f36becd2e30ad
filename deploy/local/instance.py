"""One running copy of the stack: a directory, a block of ports, its own secrets."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from deploy.local.credentials import Credentials
from deploy.local.errors import SettingsError
from deploy.local.install import ROOT, Packages, packages_directory
from deploy.local.ports import Ports
from deploy.local.process import Command

DEFAULT_DIRECTORY: Final = ROOT / ".local"


@dataclass(frozen=True)
class Instance:
    """Where an instance lives and how its parts are reached."""

    directory: Path
    ports: Ports

    @cached_property
    def credentials(self) -> Credentials:
        """The secrets of this instance; made at the first use."""
        return Credentials.of(self.directory / "credentials")

    @cached_property
    def packages(self) -> Packages:
        """The installed packages, shared with other instances."""
        return Packages(packages_directory())

    @property
    def logs(self) -> Path:
        """Folder of the servers' logs."""
        return self.directory / "logs"

    @property
    def pids(self) -> Path:
        """Folder of the pid files."""
        return self.directory / "run"

    @property
    def environment_file(self) -> Path:
        """Every address and local credential, as `NAME=value` lines."""
        return self.directory / "stack.env"

    @property
    def base_file(self) -> Path:
        """Notes which block of ports this directory was started with."""
        return self.directory / "instance.json"

    def remember(self) -> None:
        """Note the block of ports, so that later commands need not be told."""
        self.directory.mkdir(parents=True, exist_ok=True)
        draft = self.base_file.with_suffix(".new")
        draft.write_text(json.dumps({"port_base": self.ports.base}))
        draft.replace(self.base_file)

    def environment(self, values: Mapping[str, str] | None = None) -> dict[str, str]:
        """An environment from scratch: what any program needs, and `values`.

        Nothing is inherited, so that no process sees another one's secrets, a foreign
        `JAVA_HOME` or `NODE_OPTIONS`.
        """
        plain = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.directory),
            "TMPDIR": os.environ.get("TMPDIR", "/tmp"),  # noqa: S108
            "LANG": "C.UTF-8",
            "TZ": "UTC",
        }
        return plain | dict(values or {})

    def python(self, entry: str, *arguments: str, values: Mapping[str, str]) -> Command:
        """A command line program of ours (`package.module:app`) with just these settings."""
        module, _, name = entry.partition(":")
        program = module.partition(".")[0]
        code = f"from {module} import {name}; {name}(prog_name={program!r})"
        return Command(
            arguments=(sys.executable, "-c", code, *arguments),
            environment=self.environment({"PYTHONUNBUFFERED": "1"} | dict(values)),
            directory=ROOT,
        )


def remembered_base(directory: Path) -> int | None:
    """The block of ports that this directory was last started with."""
    file = directory / "instance.json"
    if not file.exists():
        return None
    try:
        return int(json.loads(file.read_text())["port_base"])
    except (ValueError, KeyError, TypeError) as exc:
        raise SettingsError(f"{file} is damaged: remove it and start again") from exc
