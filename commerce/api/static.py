"""The sample catalogue's pictures."""

from importlib.resources import files
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

HEADERS: Final = {
    "cache-control": "public, max-age=3600",
    # The shop shows them on an origin of its own.
    "cross-origin-resource-policy": "cross-origin",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
}


class Images(StaticFiles):
    """Pictures that may be shown anywhere, and run nothing."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The picture with our headers."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response


def images() -> Images:
    """The application that serves them."""
    return Images(directory=str(files("commerce") / "sample" / "images"))
