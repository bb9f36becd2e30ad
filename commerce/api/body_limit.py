"""A limit for request bodies, kept while they arrive."""

from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from commerce.api.problem import answer
from commerce.errors import ContentTooLargeError


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """ASGI middleware that answers 413 to a body above `max_bytes`, whatever it says of itself."""

    app: ASGIApp
    max_bytes: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless its body is too large."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif _announced(scope) > self.max_bytes:
            await answer(ContentTooLargeError(self.max_bytes))(scope, receive, send)
        else:
            await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        size = 0

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.max_bytes:
                # FastAPI takes any other exception of a body for bad JSON.
                error = ContentTooLargeError(self.max_bytes)
                raise HTTPException(error.status, error.message)
            return message

        return receive_counted


def _announced(scope: Scope) -> int:
    text = Headers(scope=scope).get("content-length", "0")
    return int(text) if text.isdecimal() else 0
