"""Which port each part listens on: one base, fixed offsets, loopback only."""

import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

import psutil

from deploy.local.errors import PortTakenError, SettingsError

HOST: Final = "127.0.0.1"
DEFAULT_BASE: Final = 8000
LOWEST_BASE: Final = 1024
HIGHEST_BASE: Final = 31000  # commerce, at +1000, stays below Linux's ephemeral ports (32768)
LINGER_SECONDS: Final = 1.0
LEASE_OFFSET: Final = 99
BLOCK: Final = 100  # two instances side by side differ by one block or more, up to nine

OFFSETS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "storefront": 0,
        "studio": 1,
        "emulator": 20,
        "consumer": 30,
        "postgres": 40,
        "kafka": 50,
        "kafka-controller": 51,
        "connect": 60,
        "commerce": 1000,
    }
)


@dataclass(frozen=True)
class Ports:
    """The ports of one instance.

    Raises `SettingsError` for a base outside 1024..31000.
    """

    base: int = DEFAULT_BASE

    def __post_init__(self) -> None:
        if not LOWEST_BASE <= self.base <= HIGHEST_BASE:
            raise SettingsError(
                f"LOCAL_PORT_BASE is {self.base}: choose one from {LOWEST_BASE} to {HIGHEST_BASE}"
            )

    def of(self, part: str) -> int:
        """The port of one part, by the names of `OFFSETS`."""
        return self.base + OFFSETS[part]

    def address(self, part: str) -> str:
        """`127.0.0.1:<port>` of one part."""
        return f"{HOST}:{self.of(part)}"

    def url(self, part: str) -> str:
        """`http://127.0.0.1:<port>` of one part."""
        return f"http://{self.address(part)}"


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As the servers do: a port in TIME_WAIT after a restart is free.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Name and pid of the process that listens on a port, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return "another process"
    pids = {c.pid for c in connections if c.laddr and c.laddr[1] == port and c.status == "LISTEN"}
    for pid in pids - {None}:
        try:
            return f"{psutil.Process(pid).name()} (pid {pid})"
        except psutil.NoSuchProcess:
            continue
    return "another process"


def require_free(ports: Ports, parts: Iterable[str]) -> None:
    """Raise `PortTakenError` for the first of these parts whose port somebody listens on.

    A port is given a second to come free: a large process that was killed holds its ports for a
    moment after it has become a corpse.
    """
    deadline = time.monotonic() + LINGER_SECONDS
    for part in parts:
        port = ports.of(part)
        while not is_free(port):
            if time.monotonic() > deadline:
                raise PortTakenError(port, part, holder_of(port))
            time.sleep(0.02)


class PortLease:
    """A block of ports that no other holder of a lease on this machine takes.

    Released by `release`, at the end of a `with` block, and by the kernel when the process ends.
    """

    def __init__(self, base: int, holder: socket.socket) -> None:
        self.ports = Ports(base)
        self._holder = holder

    @property
    def base(self) -> int:
        """The base to hand to a stack."""
        return self.ports.base

    def release(self) -> None:
        """Let others have the block. Twice is harmless."""
        self._holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def free_base(start: int = 12000) -> PortLease:
    """Lease the first block from `start` on whose ports are all free.

    Raises `SettingsError` when none of the nine blocks after `start` is free either.
    """
    for base in range(start, min(start + 10 * BLOCK, HIGHEST_BASE + 1), BLOCK):
        taken = lease(base)
        if taken is None:
            continue
        if all(is_free(taken.ports.of(part)) for part in OFFSETS):
            return taken
        taken.release()
    raise SettingsError(
        f"no free block of ports from {start} on: stop other stacks (`make down`), "
        "or name another start with LOCAL_TEST_PORT_BASE"
    )


def lease(base: int) -> PortLease | None:
    """Lease this block, whoever listens there; None when somebody else holds it.

    The block's last port is bound, and never listened on: so the kernel keeps two users apart too.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        holder.bind((HOST, base + LEASE_OFFSET))
    except OSError:
        holder.close()
        return None
    return PortLease(base, holder)
