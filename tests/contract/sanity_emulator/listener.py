"""A listener's stream, read event by event."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from tests.contract.sanity_emulator.lake import Lake


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    id: str | None
    data: dict[str, Any]


class Events:
    """Events as they come; comment lines are left out."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def next(self) -> Event:
        """The next event; raises `httpx.ReadTimeout` when none comes."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and fields:
                break
            name, _, value = line.partition(": ")
            if name and value:
                fields[name] = value
        return Event(fields["event"], fields.get("id"), json.loads(fields["data"]))

    def ended(self) -> bool:
        """Whether the stream is over, with nothing but comments before its end."""
        return all(line in {"", ":"} for line in self._lines)


@contextlib.contextmanager
def listening(
    lake: Lake, query: str, *, last_event_id: str | None = None, **options: str
) -> Iterator[Events]:
    """Listen with a query; the first event is the welcome."""
    headers = {} if last_event_id is None else {"Last-Event-ID": last_event_id}
    path = f"/{lake.version}/data/listen/{lake.dataset}"
    timeout = httpx.Timeout(10.0)
    params = {"query": query} | options
    with lake.http.stream("GET", path, params=params, headers=headers, timeout=timeout) as response:
        assert response.status_code == httpx.codes.OK
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Events(response)
