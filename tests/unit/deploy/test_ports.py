"""Ports of an instance: offsets, bounds, taken ports, leases."""

import os
import socket
from collections.abc import Iterator

import pytest

from deploy.local.errors import PortTakenError, SettingsError
from deploy.local.ports import HOST, OFFSETS, Ports, free_base, is_free, lease, require_free

UNUSED_BASE = 19_300


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as server:
        yield server


def test_the_default_block_has_the_addresses_of_the_readme() -> None:
    ports = Ports()

    assert ports.of("storefront") == 8000
    assert ports.of("commerce") == 9000
    assert ports.url("emulator") == "http://127.0.0.1:8020"


@pytest.mark.parametrize("base", [1023, 31_001, 0, -1])
def test_a_base_out_of_bounds_is_refused_with_the_bounds(base: int) -> None:
    with pytest.raises(SettingsError, match="from 1024 to 31000"):
        Ports(base)


def test_two_blocks_that_differ_by_less_than_a_thousand_share_no_port() -> None:
    blocks = [{base + offset for offset in OFFSETS.values()} for base in range(8000, 9000, 100)]

    assert len(set.union(*blocks)) == sum(len(block) for block in blocks)


def test_a_listened_port_is_not_free(listener: socket.socket) -> None:
    assert not is_free(listener.getsockname()[1])


def test_a_taken_port_is_told_with_its_holder_and_what_to_do() -> None:
    with (
        free_base(UNUSED_BASE) as free,
        socket.create_server((HOST, free.ports.of("kafka"))),
        pytest.raises(PortTakenError, match="LOCAL_PORT_BASE") as caught,
    ):
        require_free(free.ports, ["postgres", "kafka"])

    assert f"(pid {os.getpid()})" in caught.value.holder


def test_a_leased_block_is_not_leased_again_before_its_release() -> None:
    with free_base(UNUSED_BASE) as first, free_base(UNUSED_BASE) as second:
        assert first.base != second.base
        assert lease(first.base) is None

    with free_base(UNUSED_BASE) as again:
        assert again.base == first.base


def test_a_block_with_a_taken_port_is_passed_over() -> None:
    with free_base(UNUSED_BASE) as free:
        base = free.base
    with socket.create_server((HOST, Ports(base).of("postgres"))), free_base(base) as other:
        assert other.base > base
