"""A stack of its own for each test, on free ports, with nothing of it left at the end."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from deploy.local.ports import free_base
from deploy.local.stack import Stack

FIRST_BASE = 14_000


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """Nothing runs yet. pytest's folders are closed to others, as a home often is."""
    with free_base(FIRST_BASE) as lease:
        stack = Stack(tmp_path / "stack", lease.base)
        yield stack
        stack.down(wipe=True)
        assert processes_of(stack.instance.directory) == []


def processes_of(directory: Path) -> list[str]:
    """The command lines of all living processes that name this folder."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or [])
        if str(directory) in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(line)
    return found
