"""What a person sees while the stack installs and starts."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.markup import escape


class Progress(Protocol):
    """Told by several threads at once what happens to each part."""

    def say(self, text: str) -> None:
        """Something that concerns all of it."""

    def begin(self, part: str) -> None:
        """Work on a part has begun."""

    def note(self, part: str, text: str) -> None:
        """What is being done for it now."""

    def done(self, part: str, text: str) -> None:
        """The part is ready."""

    def dropped(self, part: str) -> None:
        """Work on the part has ended without success; the error is told elsewhere."""


class Silent:
    """Shows nothing: for tests."""

    def say(self, text: str) -> None:
        """Nothing."""

    def begin(self, part: str) -> None:
        """Nothing."""

    def note(self, part: str, text: str) -> None:
        """Nothing."""

    def done(self, part: str, text: str) -> None:
        """Nothing."""

    def dropped(self, part: str) -> None:
        """Nothing."""


class Shown:
    """One line for each part that is ready, and below it, on a terminal, what is going on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._lock = threading.Lock()
        self._begun: dict[str, float] = {}
        self._notes: dict[str, str] = {}

    @contextmanager
    def live(self) -> Iterator["Shown"]:
        """Show the moving line while the block runs."""
        with self._status:
            yield self

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(escape(text))

    def begin(self, part: str) -> None:
        """Add the part to the moving line."""
        with self._lock:
            self._begun[part] = time.monotonic()
            self._show()

    def note(self, part: str, text: str) -> None:
        """Say beside the part what is being done."""
        with self._lock:
            self._notes[part] = text
            self._show()

    def done(self, part: str, text: str) -> None:
        """Print the part's own line."""
        with self._lock:
            seconds = time.monotonic() - self._begun.pop(part)
            self._notes.pop(part, None)
            self._console.print(
                f"  {part:<16} {escape(text):<40} {seconds:5.1f} s", highlight=False
            )
            self._show()

    def dropped(self, part: str) -> None:
        """Take the part off the moving line."""
        with self._lock:
            self._begun.pop(part, None)
            self._show()

    def _show(self) -> None:
        notes = [f"{part} ({self._notes.get(part, 'starting')})" for part in self._begun]
        self._status.update(escape(", ".join(notes)))
