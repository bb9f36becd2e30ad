"""Whether the service lives, and whether it can do its work."""

from typing import Any

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from psycopg import Error
from psycopg_pool import PoolTimeout
from typing_extensions import TypedDict

from commerce.api.services import TheCatalog
from commerce.sql import MIGRATIONS, queries

router = APIRouter(tags=["health"])
log = structlog.get_logger()


class Health(TypedDict):
    """`ok`, or why not."""

    status: str


@router.get("/livez", responses={200: {"model": Health}})
async def livez() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", responses={200: {"model": Health}, 503: {"model": Health}})
async def readyz(catalog: TheCatalog) -> JSONResponse:
    """Postgres answers, its schema is as new as this code, and events can be published."""
    newest = max(file.name for file in MIGRATIONS.iterdir() if file.name.endswith(".sql"))
    try:
        async with catalog.pool.connection(timeout=1.0) as conn:
            cursor = await conn.execute(queries()["readiness"])
            row: dict[str, Any] | None = await cursor.fetchone()
    except (Error, PoolTimeout) as exc:
        log.warning("readiness_failed", error=type(exc).__name__, detail=str(exc))
        return JSONResponse({"status": "the database can't be read"}, 503)
    if row is None or (row["newest"] or "") < newest:
        return JSONResponse({"status": "the schema is old: run `commerce migrate`"}, 503)
    if not row["may_publish"]:
        return JSONResponse({"status": "events can't be published: run `outbox migrate`"}, 503)
    return JSONResponse({"status": "ok"})
