"""How uvicorn serves the application."""

from typing import Final

import uvicorn
from fastapi import FastAPI

from commerce.settings import Settings

GRACEFUL_SECONDS: Final = 10


def server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """A server that finishes the requests under way when it is told to stop."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
        )
    )
