import json
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import outbox

LIBRARY = ["outbox", "outbox.event", "outbox.publish", "outbox.migrate", "outbox.errors"]
PYPROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
SEEN_BY_THE_CONSUMER = {"outbox.event", "outbox.migrate", "outbox.dsn", "outbox.kafka_settings"}
ENTRY = {"outbox.__main__"}
TOOLS = {"httpx", "kafka", "pydantic_settings", "rich", "structlog", "typer", "yaml"}


def test_the_library_needs_nothing_but_psycopg_and_pydantic() -> None:
    """The command's packages are an extra; an application that only publishes has none of them."""
    code = f"import {', '.join(LIBRARY)}, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert {"psycopg", "pydantic"} <= loaded
    assert loaded & TOOLS == set()


def test_the_public_names_are_all_there_and_sorted_by_kind() -> None:
    assert all(hasattr(outbox, name) for name in outbox.__all__)
    assert len(set(outbox.__all__)) == len(outbox.__all__)


@pytest.mark.parametrize("start", ["import outbox.__main__ as m; m.main()", "RUN"])
@pytest.mark.parametrize("missing", sorted(TOOLS))
def test_the_command_without_its_packages_says_what_to_install(missing: str, start: str) -> None:
    run = "import runpy; runpy.run_module('outbox', run_name='__main__')"
    code = f"import sys; sys.modules['{missing}'] = None; {run if start == 'RUN' else start}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert "install outbox-to-sanity[cli]" in done.stderr
    assert missing in done.stderr
    assert "Traceback" not in done.stderr


def test_the_commands_entry_is_the_one_that_explains() -> None:
    assert PYPROJECT["project"]["scripts"]["outbox"] == "outbox.__main__:main"


def test_the_consumer_may_import_just_what_the_contract_names() -> None:
    """A module that is new in outbox has to be put on one side or the other."""
    (contract,) = [
        each
        for each in PYPROJECT["tool"]["importlinter"]["contracts"]
        if each["name"].startswith("consumer sees")
    ]
    modules = {f"outbox.{each.name}" for each in pkgutil.iter_modules(outbox.__path__)}

    assert contract["source_modules"] == ["consumer"]
    assert set(contract["forbidden_modules"]) == modules - SEEN_BY_THE_CONSUMER - ENTRY
