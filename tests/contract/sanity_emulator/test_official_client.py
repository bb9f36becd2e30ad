"""The official JavaScript client, in both lines that are maintained."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.contract.sanity_emulator.emulator_process import EDITOR, EmulatorProcess

SUITE = Path(__file__).with_name("client.test.mjs")
TIMEOUT_SECONDS = 120


@pytest.mark.parametrize("package", ["sanity-client-7", "@sanity/client"])
def test_the_official_client_passes_its_suite(
    node: Path, emulator: EmulatorProcess, package: str
) -> None:
    environment = os.environ | {
        "EMULATOR_ADDRESS": emulator.address,
        "CLIENT_PACKAGE": package,
        "EDITOR_TOKEN": EDITOR,
    }

    done = subprocess.run(
        [str(node), "--test", str(SUITE)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
