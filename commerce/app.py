"""The application: routes, guards and the connection pool put together."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from commerce.access_token import Tokens
from commerce.account import Accounts
from commerce.api import admin, auth, health, problem, static
from commerce.api.body_limit import BodyLimit
from commerce.api.guard import AdminGuard
from commerce.api.problem import LastResort
from commerce.api.security_headers import SecurityHeaders
from commerce.api.services import Services
from commerce.catalog import Catalog
from commerce.database import Pool, new_pool
from commerce.publisher import OutboxPublisher, Publisher
from commerce.settings import Settings


def create_app(settings: Settings, publisher: Publisher | None = None) -> FastAPI:
    """The service; its lifespan opens and closes the pool."""
    pool = new_pool(settings)
    tokens = Tokens(settings.signing_key(), timedelta(seconds=settings.token_seconds))
    app = FastAPI(
        title="Commerce",
        summary="Products, with an event for every write",
        version=_version(),
        lifespan=_lifespan(pool),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = Services(
        Catalog(pool, publisher or OutboxPublisher()), Accounts(pool), tokens
    )
    # The last one added is the first one asked.
    app.add_middleware(LastResort)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(AdminGuard, tokens=tokens)
    app.add_middleware(SecurityHeaders)
    problem.install(app)
    for module in (health, auth, admin):
        app.include_router(module.router)
    app.mount("/static/images", static.images(), name="images")
    return app


def _lifespan(pool: Pool) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    return lifespan


def _version() -> str:
    try:
        return version("outbox-to-sanity")
    except PackageNotFoundError:
        return "0"
