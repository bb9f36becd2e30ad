"""What a test run may control when Postgres, Kafka and Connect are containers."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.local.stack import Stack
from tests.fix_backend import CONTAINERS, ContainerServers


def test_our_services_are_processes_beside_containers() -> None:
    started: list[Stack] = []
    ended: list[Stack] = []

    @contextmanager
    def containers(stack: Stack) -> Iterator[None]:
        started.append(stack)
        yield
        ended.append(stack)

    servers = ContainerServers(containers)
    try:
        stack = servers.stack
        assert stack is not None
        assert servers.stack is stack
        assert stack.external == set(CONTAINERS)
        assert not stack.server("consumer").is_running
        assert started == [stack]
    finally:
        servers.close()
    assert ended == [stack]
