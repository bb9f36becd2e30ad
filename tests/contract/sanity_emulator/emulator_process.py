"""The emulator as a process of its own, started, killed and started again by tests."""

import json
import os
import selectors
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deploy.local.install import EMULATOR

START_TIMEOUT_SECONDS: Final = 30.0
STOP_TIMEOUT_SECONDS: Final = 15.0

EDITOR: Final = "editor-token"
VIEWER: Final = "viewer-token"
CONTRIBUTOR: Final = "contributor-token"
EXPIRED: Final = "expired-token"
OTHER_PROJECT: Final = "token-of-the-other-project"

CONFIG: Final[dict[str, Any]] = {
    "projects": [
        {
            "id": "shop",
            "datasets": [
                {"name": "production", "aclMode": "public"},
                {"name": "secret", "aclMode": "private"},
            ],
            "tokens": [
                {"token": EDITOR, "name": "consumer", "role": "editor"},
                {"token": VIEWER, "name": "storefront", "role": "viewer"},
                {"token": CONTRIBUTOR, "name": "intern", "role": "contributor"},
                {
                    "token": EXPIRED,
                    "name": "former",
                    "role": "editor",
                    "expiresAt": "2020-01-01T00:00:00Z",
                },
            ],
        },
        {
            "id": "other",
            "datasets": [{"name": "production", "aclMode": "public"}],
            "tokens": [{"token": OTHER_PROJECT, "name": "stranger", "role": "editor"}],
        },
    ]
}


class EmulatorProcess:
    """One emulator over one data folder; `start` after `kill` finds what was acknowledged."""

    def __init__(
        self, node: Path, directory: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self.node = node
        self.directory = directory
        self.settings = dict(settings or {})
        self._process: subprocess.Popen[str] | None = None
        self.address = ""
        self.start_ms = 0

    @property
    def pid(self) -> int:
        """The running process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it on a free port and wait until it says that it is ready."""
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "config.json"
        config.write_text(json.dumps(CONFIG))
        values = {
            "EMULATOR_CONFIG": str(config),
            "EMULATOR_DATA_DIR": str(self.directory / "data"),
            "EMULATOR_PORT": "0",
            "EMULATOR_ADMIN": "1",
        }
        self._process = launch(self.node, values | self.settings)
        ready = _ready_line(self._process)
        self.address = str(ready["address"])
        self.start_ms = int(ready["startMs"])

    def stop(self) -> int:
        """Ask it to end; its exit code."""
        assert self._process is not None
        self._process.terminate()
        return self._end()

    def kill(self) -> None:
        """End it with SIGKILL, in whatever it is doing."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def _end(self) -> int:
        assert self._process is not None
        self._process.communicate(timeout=STOP_TIMEOUT_SECONDS)
        code = self._process.returncode
        self._process = None
        return code

    @property
    def is_running(self) -> bool:
        """Whether there is a process to stop."""
        return self._process is not None


def launch(node: Path, environment: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Run `node main.ts` with these settings and none from the caller's own environment."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("EMULATOR_", "NODE_"))}
    return subprocess.Popen(
        [str(node), "main.ts", *arguments],
        cwd=EMULATOR,
        env=inherited | dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ready_line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(timeout=0.1):
                continue
            line = process.stdout.readline()
            if line:
                return dict(json.loads(line))
            break
    process.kill()
    _, errors = process.communicate()
    message = f"the emulator did not start: {errors}"
    raise AssertionError(message)
