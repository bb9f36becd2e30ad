"""Request bodies: JSON as the standard has it, and only text that Postgres can keep."""

import json
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute


class JsonRequest(Request):
    """A request whose JSON is read strictly; an empty body stands for `{}`."""

    async def body(self) -> bytes:
        """The raw body."""
        return await super().body() or b"{}"

    async def json(self) -> Any:
        """The document; what is no JSON is a `JSONDecodeError`, which FastAPI knows."""
        return parse(await self.body())


class JsonRoute(APIRoute):
    """A route that reads its body as `JsonRequest` does."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, with our request in front."""
        handle = super().get_route_handler()

        async def read_strictly(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return read_strictly


def parse(raw: bytes) -> Any:
    """The JSON document in `raw`; anything else is a `JSONDecodeError`.

    Refused beyond the grammar: numbers outside a double's range, NUL and half characters
    (Postgres takes neither), and nesting that nobody can mean.
    """
    try:
        text = raw.decode()
        document = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\u" in text:
            for part in _texts(document):
                _refuse_unstorable(part)
    except json.JSONDecodeError:
        raise
    except RecursionError as exc:
        raise json.JSONDecodeError("Too deeply nested", "", 0) from exc
    except ValueError as exc:
        raise json.JSONDecodeError(str(exc), "", 0) from exc
    return document


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        raise ValueError(f"Number {digits} is out of range")
    return number


def _refuse_unstorable(text: str) -> None:
    if "\x00" in text:
        raise ValueError("Texts can't hold the character NUL")
    text.encode()  # half of a surrogate pair is a UnicodeEncodeError, which is a ValueError


def _texts(document: Any) -> Iterator[str]:
    waiting = [document]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as mapping:
                yield from mapping
                waiting.extend(mapping.values())
            case list() as entries:
                waiting.extend(entries)
