import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.contract.sanity_emulator.emulator_process import CONFIG, EmulatorProcess, launch

TIMEOUT_SECONDS = 20


def refusal(node: Path, environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    process = launch(node, environment, *arguments)
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)
    return process.returncode, errors


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "config.json"
    config.write_text(json.dumps(CONFIG))
    return {
        "EMULATOR_CONFIG": str(config),
        "EMULATOR_DATA_DIR": str(tmp_path / "data"),
        "EMULATOR_PORT": "0",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMULATOR_PORT", "eighty"),
        ("EMULATOR_PORT", "70000"),
        ("EMULATOR_ADMIN", "yes"),
        ("EMULATOR_CONFIG", ""),
        ("EMULATOR_CONFIG", "/nowhere/config.json"),
        ("EMULATOR_DATA_DIR", ""),
        ("EMULATOR_PATCH_ORDER", "random"),
        ("EMULATOR_KEEP_TRANSACTIONS", "1"),
    ],
)
def test_a_bad_setting_is_named_and_ends_with_two(
    node: Path, settings: dict[str, str], name: str, value: str
) -> None:
    code, errors = refusal(node, settings | {name: value})

    assert code == 2
    assert name in errors
    assert errors.count("\n") == 1


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, '"projects"'),
        ({"projects": [{"id": "Shop!"}]}, "projects[0].id"),
        ({"projects": [{"id": "a"}, {"id": "a"}]}, 'project id "a"'),
        ({"projects": [{"id": "a", "tokens": [{"token": "t", "name": "n", "role": "king"}]}]},
         "projects[0].tokens[0].role"),
        ({"projects": [{"id": "a", "datasets": [{"name": "d", "aclMode": "open"}]}]},
         "projects[0].datasets[0].aclMode"),
    ],
)  # fmt: skip
def test_a_bad_config_is_explained(
    node: Path, settings: dict[str, str], config: dict[str, Any], said: str
) -> None:
    Path(settings["EMULATOR_CONFIG"]).write_text(json.dumps(config))

    code, errors = refusal(node, settings)

    assert code == 2
    assert said in errors


def test_a_taken_port_is_explained(
    node: Path, emulator: EmulatorProcess, settings: dict[str, str]
) -> None:
    port = emulator.address.rsplit(":", 1)[1]

    code, errors = refusal(node, settings | {"EMULATOR_PORT": port})

    assert code == 2
    assert "EMULATOR_PORT" in errors


def test_an_unknown_flag_is_explained(node: Path, settings: dict[str, str]) -> None:
    code, errors = refusal(node, settings, "--prot", "1")

    assert code == 2
    assert "--help" in errors


def test_help_names_every_setting(node: Path) -> None:
    process = launch(node, {}, "--help")
    text, _ = process.communicate(timeout=TIMEOUT_SECONDS)

    assert process.returncode == 0
    for name in ("EMULATOR_CONFIG", "EMULATOR_DATA_DIR", "EMULATOR_PORT", "EMULATOR_ADMIN"):
        assert name in text


def test_nothing_is_written_to_standard_error_in_ordinary_use(
    node: Path, settings: dict[str, str]
) -> None:
    process = launch(node, settings)
    assert process.stdout is not None
    assert "emulator_ready" in process.stdout.readline()

    process.terminate()
    _, errors = process.communicate(timeout=TIMEOUT_SECONDS)

    assert (process.returncode, errors) == (0, "")


def test_without_admin_there_is_no_back_door(node: Path, tmp_path: Path) -> None:
    plain = EmulatorProcess(node, tmp_path / "plain", {"EMULATOR_ADMIN": "0"})
    plain.start()
    try:
        assert httpx.get(f"{plain.address}/_emulator/requests").status_code == 404
        assert httpx.get(f"{plain.address}/v1/ping").status_code == 200
    finally:
        plain.stop()
