"""The whole stack: what each process may see, where it listens, and how it comes back."""

import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest

from deploy.local.install import ROOT
from deploy.local.stack import Stack
from tests.fix_backend import Backend


@pytest.fixture
def running(backend: Backend, local_stack: Stack) -> Stack:
    del backend
    return local_stack


def family(stack: Stack) -> dict[str, list[psutil.Process]]:
    """Each server's processes."""
    found = {}
    for name, server in stack.servers.items():
        assert server.pid is not None
        process = psutil.Process(server.pid)
        found[name] = [process, *process.children(recursive=True)]
    return found


def test_status_is_ready_and_up_again_starts_nothing(running: Stack) -> None:
    status = subprocess.run(
        [sys.executable, "-m", "deploy.local", "status"],
        cwd=ROOT,
        env={"LOCAL_DIRECTORY": str(running.instance.directory), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert status.returncode == 0, status.stdout
    assert running.up() == []


def test_every_part_listens_on_loopback_only(running: Stack) -> None:
    listening = {
        (name, connection.laddr.ip)
        for name, processes in family(running).items()
        for process in processes
        for connection in process.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert {ip for _, ip in listening} <= {"127.0.0.1", "::ffff:127.0.0.1"}
    assert {name for name, _ in listening} == running.servers.keys() - {"upkeep"}


def test_each_process_sees_only_its_own_secrets(running: Stack) -> None:
    secrets = running.instance.credentials
    owners = {
        secrets.sanity_token: {"consumer"},
        secrets.sync_ledger_password: {"consumer"},
        secrets.commerce_app_password: {"commerce"},
        secrets.commerce_jwt_secret: {"commerce"},
        secrets.outbox_replication_password: {"connect"},
        secrets.shop_owner_password: {"upkeep"},
        secrets.postgres_password: set(),
    }
    seen = {
        name: "".join(
            Path(f"/proc/{process.pid}/{file}").read_bytes().decode(errors="replace")
            for process in processes
            for file in ("environ", "cmdline")
        )
        for name, processes in family(running).items()
    }

    for secret, owner in owners.items():
        assert {name for name, text in seen.items() if secret in text} == owner


def test_java_and_node_are_not_those_of_the_machine(running: Stack) -> None:
    for name in ("kafka", "connect", "emulator"):
        assert running.server(name).pid is not None
        program = psutil.Process(running.server(name).pid).exe()
        assert "site-packages" in program


def test_secrets_are_in_no_log(running: Stack) -> None:
    secrets = running.instance.credentials
    logs = {file.name: file.read_text() for file in running.instance.logs.iterdir()}

    for secret in vars(secrets).values():
        assert [name for name, text in logs.items() if secret in text] == []


@pytest.mark.parametrize("name", ["consumer", "commerce", "upkeep", "emulator", "connect"])
def test_a_killed_server_is_started_again_alone(running: Stack, name: str) -> None:
    before = {each: server.pid for each, server in running.servers.items()}

    running.server(name).kill()

    assert running.up() == [name]
    after = {each: server.pid for each, server in running.servers.items()}
    assert {each for each in before if before[each] != after[each]} == {name}


def test_the_tables_of_all_services_are_there(backend: Backend) -> None:
    query = "select count(*) from information_schema.schemata where schema_name = any(%s)"
    wanted = [
        (backend.postgres_dsn, ["outbox", "commerce"]),
        (backend.consumer_ledger_dsn, ["sync"]),
    ]
    for dsn, schemas in wanted:
        with psycopg.connect(dsn) as conn:
            assert conn.execute(query, [schemas]).fetchone() == (len(schemas),)
