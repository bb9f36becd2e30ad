"""Parts and their order, secrets, what each process is given; nothing is started here."""

import json
import stat
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from deploy.local.addresses import addresses, write_addresses
from deploy.local.credentials import Credentials, read_values
from deploy.local.errors import SettingsError
from deploy.local.instance import remembered_base
from deploy.local.ports import HOST, free_base
from deploy.local.stack import Stack

NAMES_OF_THE_DESIGN = {
    *("POSTGRES_DSN", "KAFKA_BOOTSTRAP_SERVERS", "CONNECT_URL", "SANITY_API_HOST"),
    *("SANITY_PROJECT_ID", "SANITY_DATASET", "SANITY_TOKEN", "COMMERCE_URL"),
    *("COMMERCE_ADMIN_EMAIL", "COMMERCE_ADMIN_PASSWORD", "COMMERCE_PUBLISHABLE_KEY"),
    *("CONSUMER_URL", "STOREFRONT_URL", "STUDIO_URL"),
}


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path / "stack", 8000)


def test_the_needs_of_all_parts_are_parts(stack: Stack) -> None:
    assert {need for needs in stack.parts.values() for need in needs} <= stack.parts.keys()


def test_an_unknown_server_is_told_with_the_known_ones(stack: Stack) -> None:
    with pytest.raises(SettingsError, match="postgres, kafka, connect"):
        stack.server("mysql")


def test_no_server_runs_in_a_new_directory(stack: Stack) -> None:
    assert stack.running() == []
    assert {state.state for state in stack.status()} == {"stopped"}


class Worker(BaseHTTPRequestHandler):
    """Kafka Connect, as far as `status` asks it."""

    answer: ClassVar[tuple[int, object]] = (404, {"error_code": 404})

    def do_GET(self) -> None:
        status, body = self.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def told(connector: str, *tasks: str) -> tuple[int, object]:
    return 200, {"connector": {"state": connector}, "tasks": [{"state": each} for each in tasks]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (told("RUNNING", "RUNNING"), "ready"),
        (told("RUNNING", "FAILED"), "failed"),
        (told("FAILED"), "failed"),
        (told("RUNNING"), "starting"),
        (told("RUNNING", "UNASSIGNED"), "starting"),
        (told("PAUSED", "PAUSED"), "paused"),
        (told("STOPPED"), "paused"),
        ((404, {"error_code": 404}), "missing"),
        ((409, {"error_code": 409}), "starting"),
    ],
)
def test_status_tells_the_connector_on_a_line_of_its_own(
    tmp_path: Path, answer: tuple[int, object], expected: str
) -> None:
    with free_base(17_000) as ports:
        handler = type("Answering", (Worker,), {"answer": answer})
        with ThreadingHTTPServer((HOST, ports.ports.of("connect")), handler) as worker:
            thread = threading.Thread(target=worker.serve_forever, args=(0.01,))
            thread.start()
            try:
                states = Stack(tmp_path, ports.base).status()
            finally:
                worker.shutdown()
                thread.join()

    assert {state.part: state.state for state in states}["connector"] == expected


def test_the_environment_file_has_every_name_of_the_design(stack: Stack) -> None:
    write_addresses(stack.instance)

    values = read_values(stack.instance.environment_file)

    assert values.keys() >= NAMES_OF_THE_DESIGN
    assert all(values.values())
    assert stat.S_IMODE(stack.instance.environment_file.stat().st_mode) == 0o600


def test_the_documented_addresses_are_the_default_ones(stack: Stack) -> None:
    values = addresses(stack.instance)

    assert values["COMMERCE_URL"] == "http://127.0.0.1:9000"
    assert values["STOREFRONT_URL"] == "http://127.0.0.1:8000"
    assert values["STUDIO_URL"] == "https://127.0.0.1:8001"


def test_secrets_are_made_once_and_differ_between_instances(tmp_path: Path) -> None:
    first = Credentials.of(tmp_path / "a")

    assert Credentials.of(tmp_path / "a") == first
    assert Credentials.of(tmp_path / "b") != first


def test_a_secret_that_an_older_file_lacks_is_added_and_the_rest_kept(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("SANITY_TOKEN=sk-old\nUNKNOWN=1\n")

    credentials = Credentials.of(file)

    assert credentials.sanity_token == "sk-old"
    assert Credentials.of(file) == credentials


def test_documents_are_readable_by_their_owner_only(stack: Stack) -> None:
    folder = stack.instance.directory / "emulator"
    folder.mkdir(parents=True, mode=0o755)

    stack.server("emulator").prepare(threading.Event())

    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o600


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    credentials = Credentials.of(tmp_path / "a")

    assert credentials.postgres_password not in repr(credentials)


def test_commands_do_not_show_the_environment(stack: Stack) -> None:
    assert stack.instance.credentials.sanity_token not in repr(stack.server("consumer").command())


@pytest.mark.parametrize("name", ["kafka", "connect", "emulator", "commerce", "upkeep"])
def test_no_process_but_the_consumer_is_given_the_write_token(stack: Stack, name: str) -> None:
    command = stack.server(name).command()

    assert stack.instance.credentials.sanity_token not in command.environment.values()
    assert not any("sk" in argument[:2] for argument in command.arguments)


def test_nothing_of_the_callers_environment_is_handed_on(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", "/elsewhere")
    monkeypatch.setenv("NODE_OPTIONS", "--inspect")
    monkeypatch.setenv("PATH", "/elsewhere/bin")

    for name in ("kafka", "connect", "emulator", "commerce", "consumer", "upkeep"):
        environment = stack.server(name).command().environment
        assert not {"JAVA_HOME", "NODE_OPTIONS"} & environment.keys()
        assert "elsewhere" not in environment["PATH"]


def test_java_and_node_are_those_of_the_packages(stack: Stack) -> None:
    for name in ("kafka", "connect", "emulator"):
        program = Path(stack.server(name).command().arguments[0])
        assert program.is_relative_to(Path(pytest.__file__).parents[1])
        assert program.exists()


def test_a_damaged_note_of_the_ports_is_told(tmp_path: Path) -> None:
    (tmp_path / "instance.json").write_text("{")

    with pytest.raises(SettingsError, match="damaged"):
        remembered_base(tmp_path)
