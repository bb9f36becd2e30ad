"""Who may use the Admin API: nobody without a token, whatever the path, whatever the body."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from commerce.access_token import Identity, Tokens
from commerce.api.problem import answer
from commerce.errors import UnauthenticatedError

ADMIN: Final = "/admin"
_BEARER: Final = "bearer"


@dataclass(frozen=True, slots=True)
class AdminGuard:
    """ASGI middleware: below `/admin` a request needs a valid token before anything is read."""

    app: ASGIApp
    tokens: Tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with the caller's identity in its state."""
        if scope["type"] == "http" and _is_admin(scope["path"]):
            try:
                identity = identify(Headers(scope=scope), self.tokens)
            except UnauthenticatedError as exc:
                await answer(exc)(scope, receive, send)
                return
            scope.setdefault("state", {})["identity"] = identity
        await self.app(scope, receive, send)


def identify(headers: Headers, tokens: Tokens) -> Identity:
    """Who sent a request with these headers, or `UnauthenticatedError`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != _BEARER:
        raise UnauthenticatedError
    return tokens.read(token.strip())


def _is_admin(path: str) -> bool:
    return path == ADMIN or path.startswith(f"{ADMIN}/")


def _identity(request: Request) -> Identity:
    identity = getattr(request.state, "identity", None)
    if not isinstance(identity, Identity):
        raise UnauthenticatedError
    return identity


Caller = Annotated[Identity, Depends(_identity)]
# For the OpenAPI document; the guard has answered before this is asked.
BEARER = Security(HTTPBearer(auto_error=False, description="A token from /auth/user/emailpass"))
