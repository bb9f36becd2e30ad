"""Logging in: an e-mail address and a password for a token."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from commerce.api.body import parse
from commerce.api.guard import BEARER, identify
from commerce.api.problem import documented
from commerce.api.services import TheAccounts, TheTokens
from commerce.api.shape import Token
from commerce.errors import InvalidDataError, NotAllowedError, UnauthorizedError

router = APIRouter(prefix="/auth", tags=["auth"])

CREDENTIALS = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["email", "password"],
                    "properties": {
                        "email": {"type": "string"},
                        "password": {"type": "string", "format": "password"},
                    },
                }
            }
        },
    }
}


@router.post(
    "/user/{provider}",
    responses={200: {"model": Token}, **documented(InvalidDataError, UnauthorizedError)},
    openapi_extra=CREDENTIALS,
)
async def log_in(
    provider: str, request: Request, accounts: TheAccounts, tokens: TheTokens
) -> JSONResponse:
    """A token, valid for a day unless set otherwise. The provider is `emailpass`."""
    if provider != "emailpass":
        raise NotAllowedError(f"Unable to authenticate with provider: {provider}")
    body = await _body(request)
    identity = await accounts.log_in(_text(body, "email"), _text(body, "password"))
    return JSONResponse({"token": tokens.issue(identity)})


@router.post(
    "/token/refresh", responses={200: {"model": Token}, **documented()}, dependencies=[BEARER]
)
async def refresh(request: Request, tokens: TheTokens) -> JSONResponse:
    """A fresh token for one that still counts."""
    return JSONResponse({"token": tokens.issue(identify(request.headers, tokens))})


async def _body(request: Request) -> dict[str, Any]:
    try:
        body = parse(await request.body() or b"{}")
    except ValueError as exc:
        raise InvalidDataError(str(exc)) from exc
    return body if isinstance(body, dict) else {}


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise UnauthorizedError(f"{name.capitalize()} should be a string")
    return value
