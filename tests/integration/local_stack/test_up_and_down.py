"""`up`, `status` and `down` of real servers, each twice; what a broken start leaves."""

import os
import shutil
import signal
import socket
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from deploy.local.errors import PortTakenError, SettingsError, StartCancelledError, StartError
from deploy.local.ports import HOST, is_free
from deploy.local.postgres import Postgres
from deploy.local.stack import Stack


def superuser(stack: Stack) -> psycopg.Connection[tuple[object, ...]]:
    server = stack.server("postgres")
    assert isinstance(server, Postgres)
    return psycopg.connect(server.superuser_dsn("postgres"), autocommit=True)


def states(stack: Stack) -> dict[str, str]:
    return {state.part: state.state for state in stack.status()}


def test_up_and_down_twice_are_harmless(own_stack: Stack) -> None:
    assert own_stack.up(["postgres"]) == ["postgres"]
    pid = own_stack.server("postgres").pid

    assert own_stack.up(["postgres"]) == []
    assert own_stack.server("postgres").pid == pid
    assert states(own_stack)["postgres"] == "ready"

    assert own_stack.down() == ["postgres"]
    assert own_stack.down() == []
    assert states(own_stack)["postgres"] == "stopped"


def test_another_program_finds_the_running_servers_by_the_directory_alone(
    own_stack: Stack,
) -> None:
    own_stack.up(["postgres"])

    again = Stack(own_stack.instance.directory)

    assert again.running() == ["postgres"]
    assert again.instance.ports == own_stack.instance.ports


def test_another_block_of_ports_is_refused_while_servers_run(own_stack: Stack) -> None:
    own_stack.up(["postgres"])

    with pytest.raises(SettingsError, match=f"LOCAL_PORT_BASE={own_stack.instance.ports.base}"):
        Stack(own_stack.instance.directory, 9_000)


def test_a_killed_server_is_told_as_dead_and_started_again_with_its_data(own_stack: Stack) -> None:
    own_stack.up(["postgres"])
    with superuser(own_stack) as conn:
        conn.execute("create table kept as select 1 as answer")

    own_stack.server("postgres").kill()

    assert states(own_stack)["postgres"] == "dead"
    assert own_stack.up(["postgres"]) == ["postgres"]
    with superuser(own_stack) as conn:
        assert conn.execute("select answer from kept").fetchone() == (1,)


def test_a_server_whose_pid_file_was_lost_is_found_again(own_stack: Stack) -> None:
    own_stack.up(["postgres"])
    server = own_stack.server("postgres")
    pid = server.pid
    server.daemon.pid_file.unlink()

    assert own_stack.up(["postgres"]) == []
    assert server.pid == pid


def test_a_lock_file_with_the_pid_of_somebody_else_does_not_stop_postgres(
    own_stack: Stack,
) -> None:
    own_stack.up(["postgres"])
    server = own_stack.server("postgres")
    assert isinstance(server, Postgres)
    server.kill()
    lock = server.data / "postmaster.pid"
    lock.write_text("\n".join([str(os.getppid()), *lock.read_text().splitlines()[1:]]) + "\n")

    assert own_stack.up(["postgres"]) == ["postgres"]


def test_half_finished_preparations_are_done_anew(own_stack: Stack) -> None:
    folders = [own_stack.instance.directory / name / "data.new" for name in ("postgres", "kafka")]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "half").write_text("")

    own_stack.up(["postgres", "kafka"])

    assert not any(folder.exists() for folder in folders)
    assert {states(own_stack)[name] for name in ("postgres", "kafka")} == {"ready"}


def test_a_broken_server_is_told_with_its_log_and_leaves_nothing(own_stack: Stack) -> None:
    own_stack.up(["postgres"])
    own_stack.down()
    server = own_stack.server("postgres")
    assert isinstance(server, Postgres)
    shutil.rmtree(server.data / "global")

    with pytest.raises(StartError, match="could not open"):
        own_stack.up(["postgres"])

    assert own_stack.running() == []


def test_a_taken_port_is_told_and_what_was_started_is_stopped(own_stack: Stack) -> None:
    port = own_stack.instance.ports.of("kafka")
    with socket.create_server((HOST, port)), pytest.raises(PortTakenError, match=str(port)):
        own_stack.up(["postgres", "kafka"])

    assert own_stack.running() == []
    assert is_free(own_stack.instance.ports.of("postgres"))


def test_a_failed_start_leaves_what_ran_before(own_stack: Stack) -> None:
    own_stack.up(["postgres"])
    pid = own_stack.server("postgres").pid

    port = own_stack.instance.ports.of("kafka")
    with socket.create_server((HOST, port)), pytest.raises(PortTakenError):
        own_stack.up(["postgres", "kafka"])

    assert own_stack.server("postgres").pid == pid


def test_a_cancelled_start_leaves_nothing(own_stack: Stack) -> None:
    cancel = threading.Event()
    cancel.set()

    with pytest.raises(StartCancelledError):
        own_stack.up(["postgres", "kafka"], cancel)

    assert own_stack.running() == []


def test_an_unknown_part_is_told_with_the_known_ones(own_stack: Stack) -> None:
    with pytest.raises(SettingsError, match="kafka"):
        own_stack.up(["zookeeper"])


def test_a_suspended_server_answers_again_when_it_is_resumed(own_stack: Stack) -> None:
    own_stack.up(["kafka"])
    kafka = own_stack.server("kafka")

    kafka.suspend()
    assert kafka.is_running
    assert not kafka.is_ready()

    kafka.resume()
    kafka.wait_ready()


def test_a_killed_broker_is_ready_again_soon(own_stack: Stack) -> None:
    own_stack.up(["kafka"])
    kafka = own_stack.server("kafka")

    kafka.kill()
    kafka.start()
    kafka.wait_ready(seconds=20)

    assert kafka.is_ready()


def test_secrets_are_readable_by_their_owner_only(own_stack: Stack) -> None:
    own_stack.up(["roles"])
    directory = own_stack.instance.directory

    modes = {name: (directory / name).stat().st_mode for name in ("credentials", "stack.env")}

    assert {name: stat.S_IMODE(mode) for name, mode in modes.items()} == dict.fromkeys(modes, 0o600)
    assert not list(directory.rglob("password*"))


def test_wipe_removes_all_that_the_instance_has_written(own_stack: Stack) -> None:
    own_stack.up(["postgres"])
    directory = own_stack.instance.directory

    own_stack.down(wipe=True)

    assert list(directory.iterdir()) == []


def test_a_stopped_server_ends_with_a_clean_shutdown(own_stack: Stack) -> None:
    own_stack.up(["postgres"])
    conn = superuser(own_stack)  # an open session must not hold it up

    own_stack.down()

    assert "database system is shut down" in own_stack.server("postgres").daemon.tail()
    conn.close()


def test_postgres_does_not_run_as_root(own_stack: Stack) -> None:
    own_stack.up(["postgres"])
    server = own_stack.server("postgres")

    assert server.stop_signal is signal.SIGINT
    assert Path(f"/proc/{server.pid}").stat().st_uid != 0


def test_two_starts_at_once_make_one_set_of_servers(own_stack: Stack) -> None:
    other = Stack(own_stack.instance.directory, own_stack.instance.ports.base)

    with ThreadPoolExecutor() as pool:
        started = pool.map(lambda stack: stack.up(["postgres", "kafka"]), (own_stack, other))

    assert sorted(len(names) for names in started) == [0, 2]


def test_servers_that_somebody_else_runs_are_used_and_left_alone(
    own_stack: Stack, tmp_path: Path
) -> None:
    own_stack.up(["postgres", "kafka"])
    beside = Stack(
        tmp_path / "beside", own_stack.instance.ports.base, external=["postgres", "kafka"]
    )
    beside.instance.directory.mkdir()
    shutil.copy(own_stack.instance.directory / "credentials", beside.instance.directory)

    assert beside.up(["ledger", "topics"]) == []
    beside.down(wipe=True)

    assert own_stack.running() == ["postgres", "kafka"]
