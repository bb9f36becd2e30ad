"""One program at a time: a lock that the kernel lets go when its holder ends."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.errors import StartCancelledError
from deploy.local.process import POLL_SECONDS, Cancel


@contextmanager
def exclusive(file: Path, cancel: Cancel, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold `file` for the block; `waiting` is called once when somebody else has it.

    Raises `StartCancelledError` when `cancel` is set meanwhile.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as held:
        told = False
        while not _try(held.fileno()):
            if not told:
                waiting()
                told = True
            if cancel.wait(POLL_SECONDS):
                raise StartCancelledError
        yield


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
