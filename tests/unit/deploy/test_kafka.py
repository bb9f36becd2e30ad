"""What the broker is told, and how its answer is read."""

import socket
import struct
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from deploy.local.kafka import brokers_known, cluster_id
from deploy.local.ports import HOST


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    """A server that reads one request and sends `body`; yields its port."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(body)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


@pytest.mark.parametrize("first", [0xF8, 0xFB, 0x00, 0xFF])
def test_a_cluster_id_is_never_taken_for_an_option(first: int) -> None:
    text = cluster_id(uuid.UUID(bytes=bytes([first, *range(15)])))

    assert not text.startswith("-")
    assert len(text) == 22


@pytest.mark.parametrize("count", [0, 1, 3])
def test_brokers_are_counted(count: int) -> None:
    size, correlation, throttle = 12, 1, 0
    with answering(struct.pack(">iiii", size, correlation, throttle, count)) as port:
        assert brokers_known(HOST, port) == count


def test_half_an_answer_counts_no_broker() -> None:
    with answering(b"\x00\x00\x00\x10") as port:
        assert brokers_known(HOST, port) == 0


def test_nobody_listening_counts_no_broker() -> None:
    with socket.create_server((HOST, 0)) as server:
        port = server.getsockname()[1]

    assert brokers_known(HOST, port) == 0
