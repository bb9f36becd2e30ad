"""Errors as answers: `{"type", "message"}`, and `code` at times; never FastAPI's `detail`."""

from dataclasses import dataclass
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from typing_extensions import TypedDict

from commerce.api.validation import message
from commerce.errors import (
    CommerceError,
    ContentTooLargeError,
    InvalidDataError,
    NotAllowedError,
    NotFoundError,
    UnavailableError,
)

UNKNOWN_ERROR: Final = {
    "code": "unknown_error",
    "type": "unknown_error",
    "message": "An unknown error occurred.",
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LastResort:
    """ASGI middleware: an error that nobody foresaw is logged once and answered with a 500."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; an answer that has begun can only be broken off."""
        is_started = False

        async def send_noted(message: Message) -> None:
            nonlocal is_started
            is_started = True
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except Exception:
            if scope["type"] != "http" or is_started:
                raise
            log.exception("request_failed", path=scope["path"])
            await JSONResponse(UNKNOWN_ERROR, 500)(scope, receive, send)


class Problem(TypedDict):
    """The body of every answer that is an error."""

    type: str
    message: str


class Unauthorized(TypedDict):
    """The body of an answer to a request without a valid token."""

    message: str


def answer(error: CommerceError) -> JSONResponse:
    """The answer that stands for an error of ours."""
    body = {"message": error.message}
    if error.type is not None:
        body = {"type": error.type, **body}
    return JSONResponse(body, error.status)


def install(app: FastAPI) -> None:
    """Let every error that leaves a route be answered in our shape."""
    app.add_exception_handler(CommerceError, _on_commerce_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(OperationalError, _on_database_error)
    app.add_exception_handler(PoolTimeout, _on_database_error)


async def _on_commerce_error(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, CommerceError)  # noqa: S101
    return answer(exc)


async def _on_invalid_request(_: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)  # noqa: S101
    errors = exc.errors()
    for error in errors:
        if error["type"] == "json_invalid":
            return answer(InvalidDataError(error["ctx"]["error"]))
    return answer(InvalidDataError(message(errors)))


async def _on_http_error(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)  # noqa: S101
    if exc.status_code == NotFoundError.status:
        return answer(NotFoundError(f"There is nothing at {request.url.path}"))
    kind = (
        ContentTooLargeError if exc.status_code == ContentTooLargeError.status else NotAllowedError
    )
    body = {"type": kind.type, "message": exc.detail}
    return JSONResponse(body, exc.status_code, headers=dict(exc.headers or {}))


async def _on_database_error(_: Request, exc: Exception) -> JSONResponse:
    log.error("database_unavailable", error=type(exc).__name__, detail=str(exc))
    return answer(UnavailableError())


def documented(*kinds: type[CommerceError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors."""
    shapes: dict[int | str, dict[str, Any]] = {
        401: {"model": Unauthorized, "description": "No token, or none that counts"}
    }
    for kind in kinds:
        shapes[kind.status] = {"model": Problem, "description": (kind.__doc__ or "").rstrip(".")}
    return shapes
